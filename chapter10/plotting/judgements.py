"""How a model judges: which tokens move its answer."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, to_hex
from matplotlib.figure import Figure

from chapter10.plotting.diagrams import box, token_width
from chapter10.plotting.style import COLORS, WIDTH, new_figure

LINE = 14.0
"""Width of a line of tokens, in boxes of one Chinese character; longer rows are wrapped."""


def token_effects(
    rows: Sequence[tuple[Sequence[str], Sequence[float]]], labels: Sequence[str], *, meaning: str
) -> Figure:
    """Rows of tokens, each box coloured and numbered by what the token does to the answer.

    Args:
        rows: tokens and one number each; 0 is white, all rows share one scale.
        labels: what each row is, written above it.
        meaning: what the numbers are, below the figure.

    Raises:
        ValueError: numbers or labels do not fit the rows.
    """
    if len(labels) != len(rows) or any(len(tokens) != len(found) for tokens, found in rows):
        raise ValueError(
            f"{len(rows)} rows of {[len(tokens) for tokens, _ in rows]} tokens come with "
            f"{[len(found) for _, found in rows]} numbers and {len(labels)} labels; give one "
            "number for each token and one label for each row."
        )
    bound = max(1e-9, *(abs(value) for _, found in rows for value in found))
    norm = Normalize(-bound, bound)
    lines = [_wrap(tokens) for tokens, _ in rows]
    height = sum(0.8 + 1.7 * len(line) for line in lines) + 0.9
    figure, (axes,) = new_figure(WIDTH / LINE * height)
    y = height
    for (tokens, found), label, starts in zip(rows, labels, lines, strict=True):
        y -= 0.7
        axes.text(0.05, y + 0.08, label, fontsize=10, color=COLORS["quiet"], va="bottom")
        for first, last in zip(starts, [*starts[1:], len(tokens)], strict=True):
            _draw_line(axes, y - 1.0, tokens[first:last], found[first:last], norm)
            y -= 1.7
        y -= 0.1
    axes.text(LINE / 2, 0.2, meaning, ha="center", va="bottom", fontsize=10)
    axes.set(xlim=(0, LINE), ylim=(0, height))
    axes.set_axis_off()
    return figure


def _draw_line(
    axes: Axes, y: float, tokens: Sequence[str], found: Sequence[float], norm: Normalize
) -> None:
    """Boxes from left to right, each with its number below."""
    x, cmap = 0.0, mpl.colormaps["RdBu"]
    for token, value in zip(tokens, found, strict=True):
        width, color = token_width(token), cmap(norm(value))
        dark = 0.3 * color[0] + 0.59 * color[1] + 0.11 * color[2] < 0.5
        ink, middle = "white" if dark else COLORS["ink"], x + width / 2
        number = f"{value:+.1f}".replace("-", "−") if abs(value) >= 0.05 else "0"
        box(axes, x, y, width, 1.0, to_hex(color))
        axes.text(middle, y + 0.5, token, ha="center", va="center", color=ink)
        axes.text(middle, y - 0.05, number, ha="center", va="top", fontsize=9)
        x += width


def _wrap(tokens: Sequence[str]) -> list[int]:
    """The places of the tokens that begin a line."""
    starts, used = [0], 0.0
    for at, token in enumerate(tokens):
        if used + token_width(token) > LINE:
            starts.append(at)
            used = 0.0
        used += token_width(token)
    return starts
