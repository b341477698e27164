"""Counts beside what probability says they should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from chapter10.plotting.charts import finish
from chapter10.plotting.style import COLORS, new_figure


@dataclass(frozen=True, kw_only=True)
class CountPanel:
    """One panel: how often each count occurred, and how often it should.

    counts: (n,) integers. expected: x -> probability, drawn as dots; empty for none.
    """

    counts: ArrayLike
    expected: dict[int, float]
    title: str
    x_label: str


def count_panels(panels: Sequence[CountPanel]) -> Figure:
    """Panels below each other: bars are shares of all counts, dots the exact probabilities."""
    figure, axes = new_figure(0.5 + 2.5 * len(panels), rows=len(panels))
    for one, panel in zip(axes, panels, strict=True):
        values, times = np.unique(np.asarray(panel.counts), return_counts=True)
        one.bar(
            values,
            times / times.sum(),
            width=0.8,
            color=COLORS["model"],
            alpha=0.6,
            label="抽到的比例 observed",
        )
        if panel.expected:
            one.plot(
                list(panel.expected),
                list(panel.expected.values()),
                "D",
                color=COLORS["control"],
                markersize=5,
                label="理论值 expected",
            )
        finish(one, panel.x_label, "比例 share", panel.title, legend=False)
        one.legend(loc="upper right")
    return figure
