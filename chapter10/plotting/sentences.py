"""Pairs of sentences: the three embeddings that are added up, and who passes whose exam."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from chapter10.plotting.diagrams import box, token_width
from chapter10.plotting.heatmaps import check_labels, draw_cells
from chapter10.plotting.style import COLORS, WIDTH, new_figure


def embedding_sum(tokens: Sequence[str], segments: Sequence[int]) -> Figure:
    """What goes into BERT at each place: a word, a segment and a position embedding, added up.

    Args:
        tokens: the row, special tokens included.
        segments: 0 (drawn as A) or 1 (B) for each token.

    Raises:
        ValueError: not one segment for each token, or a segment that is neither 0 nor 1.
    """
    if len(segments) != len(tokens) or set(segments) - {0, 1}:
        raise ValueError(
            f"{len(tokens)} tokens have the segments {list(segments)}; give 0 or 1 for each token."
        )
    widths = [token_width(token) for token in tokens]
    span = max(12.0, sum(widths))
    unit = WIDTH / span
    tall = 0.3 / unit
    figure, (axes,) = new_figure(unit * 6.4 * tall)
    size = min(11.0, 30.0 * unit)
    rows = (
        ("词 token", list(tokens), ["special" if t.startswith("[") else "plain" for t in tokens]),
        ("段 segment", ["AB"[s] for s in segments], [("mask", "keep")[s] for s in segments]),
        ("位置 position", [str(at) for at in range(len(tokens))], ["focus"] * len(tokens)),
    )
    for number, (name, texts, colors) in enumerate(rows):
        low = (2 - number) * 2.1 * tall
        axes.text(0.05, low + 1.08 * tall, name, fontsize=10, color=COLORS["quiet"], va="bottom")
        left = 0.0
        for text, color, width in zip(texts, colors, widths, strict=True):
            box(axes, left, low, width, tall, COLORS[color])
            axes.text(
                left + width / 2, low + tall / 2, text, ha="center", va="center", fontsize=size
            )
            left += width
        if number:
            axes.text(left / 2, low + 1.5 * tall, "+", ha="center", va="center", fontsize=14)
    axes.set(xlim=(0, span), ylim=(0, 6.2 * tall))
    axes.set_axis_off()
    return figure


def cross_tests(
    tables: Mapping[str, ArrayLike], models: Sequence[str], exams: Sequence[str]
) -> Figure:
    """Tables side by side, on one scale from 0 to 1: row = trained on, column = tested on.

    Args:
        tables: title -> (models, exams), shares of right answers.
        models: what each row was trained on.
        exams: what each column asks.

    Raises:
        ValueError: a table of another size.
    """
    arrays = {title: np.asarray(values, dtype=float) for title, values in tables.items()}
    for array in arrays.values():
        check_labels(array, models, exams)
    figure, axes = new_figure(0.9 + 0.62 * len(models), 1, len(arrays))
    for one, (title, array) in zip(axes, arrays.items(), strict=True):
        draw_cells(one, array, models, exams, low=0.4, high=1.0, cmap="Blues", digits=3)
        one.set_xticks(range(len(exams)), exams, rotation=0)
        one.set_title(title)
        one.set_xlabel("考什么 tested on")
    axes[0].set_ylabel("练什么 trained on")
    return figure
