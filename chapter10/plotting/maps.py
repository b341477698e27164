"""Vectors as points of a plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from sklearn.decomposition import PCA

from chapter10.plotting.style import COLORS, new_figure

MARKS = ("o", "s", "^", "D", "v")


def vector_map(
    layers: Sequence[ArrayLike], titles: Sequence[str], labels: Sequence[str], *, columns: int = 2
) -> Figure:
    """The two main directions of vectors (PCA), one panel a layer; a label has a mark and a colour.

    Args:
        layers: one (N, H) for each panel.
        titles: one for each panel; the share of the variance that the plane keeps is added.
        labels: N, at most five different ones.
        columns: panels in one row.

    Raises:
        ValueError: numbers do not fit, or there are more labels than marks.
    """
    arrays = [np.asarray(one, dtype=float) for one in layers]
    names = list(dict.fromkeys(labels))
    if len(arrays) != len(titles) or any(len(one) != len(labels) for one in arrays):
        raise ValueError(
            f"{len(arrays)} panels of {[len(one) for one in arrays]} points come with "
            f"{len(titles)} titles and {len(labels)} labels; give one title for each panel and one "
            "label for each point."
        )
    if len(names) > len(MARKS):
        raise ValueError(f"There are {len(names)} labels; a map tells at most {len(MARKS)} apart.")
    columns = min(columns, len(arrays))
    rows = -(-len(arrays) // columns)
    figure, axes = new_figure(0.5 + 2.6 * rows, rows, columns)
    colors = [COLORS[role] for role in ("model", "control", "second", "third", "baseline")]
    kinds = np.asarray(labels)
    for one, array, title in zip(axes, arrays, titles, strict=False):
        plane = PCA(2, svd_solver="full").fit(array)
        points = plane.transform(array)
        for name, color, mark in zip(names, colors, MARKS, strict=False):
            x, y = points[kinds == name].T
            one.plot(x, y, mark, color=color, markersize=4, alpha=0.7, linestyle="none", label=name)
        one.set_title(f"{title}（{plane.explained_variance_ratio_.sum():.0%}）")
        one.set_xticks([])
        one.set_yticks([])
    for one in axes[len(arrays) :]:
        one.set_axis_off()
    handles, found = axes[0].get_legend_handles_labels()
    figure.legend(handles, found, loc="outside lower center", ncols=3)
    return figure
