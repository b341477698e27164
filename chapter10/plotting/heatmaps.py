"""Numbers as colours: matrices and attention."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike

from chapter10.plotting.style import WIDTH, new_figure, text_units


def draw_cells(
    axes: Axes,
    values: np.ndarray,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    low: float,
    high: float,
    cmap: str,
    digits: int | None,
) -> AxesImage:
    """Draw one matrix of cells with its labels; return what a colour bar needs."""
    image = axes.imshow(values, cmap=cmap, vmin=low, vmax=high, aspect="equal")
    long = max(map(text_units, columns), default=0) > 2
    axes.set_xticks(range(len(columns)), columns, rotation=90 if long else 0)
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if digits is not None:
        for (row, column), value in np.ndenumerate(values):
            red, green, blue, _ = image.cmap(image.norm(value))
            dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.55
            axes.text(
                column,
                row,
                f"{value:.{digits}f}".replace("-", "−"),
                ha="center",
                va="center",
                color="white" if dark else "black",
            )
    return image


def matrix(
    values: ArrayLike,
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    *,
    title: str = "",
    diverging: bool = False,
    digits: int | None = 2,
) -> Figure:
    """One matrix with its numbers written into the cells.

    Args:
        values: (rows, columns).
        row_labels: one for each row.
        column_labels: one for each column.
        title: above the matrix.
        diverging: colours on both sides of zero; otherwise from the smallest value to the largest.
        digits: after the point; None writes no numbers, for large matrices.

    Raises:
        ValueError: labels and values differ in number.
    """
    array = np.asarray(values, dtype=float)
    check_labels(array, row_labels, column_labels)
    bound = float(np.abs(array).max())
    low, high = (-bound, bound) if diverging else (float(array.min()), float(array.max()))
    figure, (axes,) = new_figure(min(5.6, max(1.4, 0.8 + 0.42 * len(row_labels))))
    cmap = "RdBu_r" if diverging else "Blues"
    image = draw_cells(
        axes, array, row_labels, column_labels, low=low, high=high, cmap=cmap, digits=digits
    )
    axes.set_title(title)
    if digits is None:
        figure.colorbar(image, ax=axes, shrink=0.8)
    return figure


def matrices(
    values: Sequence[ArrayLike],
    titles: Sequence[str],
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    *,
    columns: int = 2,
    digits: int | None = 2,
    diverging: bool = False,
) -> Figure:
    """Several matrices of shares with the same labels, on one scale from 0 to 1.

    Args:
        values: one (rows, columns) for each matrix.
        titles: one for each matrix.
        row_labels: one for each row.
        column_labels: one for each column.
        columns: matrices in one row of the figure.
        digits: after the point; None writes no numbers.
        diverging: from -1 to 1 instead, in colours on both sides of zero, for cosines.

    Raises:
        ValueError: labels, titles and values differ in number.
    """
    arrays = [np.asarray(one, dtype=float) for one in values]
    if len(arrays) != len(titles):
        raise ValueError(f"{len(arrays)} maps have {len(titles)} titles; give one title for each.")
    for array in arrays:
        check_labels(array, row_labels, column_labels)
    columns = min(columns, len(arrays))
    rows = -(-len(arrays) // columns)
    cell = WIDTH / columns / (len(column_labels) + 1.5)
    figure, axes = new_figure(rows * (0.7 + cell * len(row_labels)), rows, columns)
    low, cmap = (-1.0, "RdBu_r") if diverging else (0.0, "Blues")
    for one, array, title in zip(axes, arrays, titles, strict=False):
        draw_cells(
            one, array, row_labels, column_labels, low=low, high=1.0, cmap=cmap, digits=digits
        )
        one.set_title(title)
    for one in axes[len(arrays) :]:
        one.set_axis_off()
    return figure


def attention_maps(
    weights: Sequence[ArrayLike],
    tokens: Sequence[str],
    titles: Sequence[str],
    *,
    columns: int = 2,
    marked: Sequence[tuple[int, int]] = (),
) -> Figure:
    """Attention maps side by side on one scale: row = who looks (query), column = at whom (key).

    Args:
        weights: one (T, T) for each map; each row sums to 1.
        tokens: T labels.
        titles: one for each map.
        columns: maps in one row.
        marked: (query, key) cells to put a frame around.

    Raises:
        ValueError: the numbers of maps, titles and tokens do not fit together.
    """
    arrays = [np.asarray(one, dtype=float) for one in weights]
    if len(arrays) != len(titles):
        raise ValueError(f"{len(arrays)} maps have {len(titles)} titles; give one title for each.")
    for array in arrays:
        check_labels(array, tokens, tokens)
    columns = min(columns, len(arrays))
    rows = -(-len(arrays) // columns)
    figure, axes = new_figure(0.6 + rows * 6.4 / columns, rows, columns)
    for one, array, title in zip(axes, arrays, titles, strict=False):
        image = draw_cells(one, array, tokens, tokens, low=0.0, high=1.0, cmap="Blues", digits=None)
        one.set_title(title)
        for query, key in marked:
            one.plot(key, query, marker="s", markersize=9, fillstyle="none", color="#D55E00")
    for one in axes[len(arrays) :]:
        one.set_axis_off()
    axes[0].set_ylabel("谁在看 query")
    figure.supxlabel("看向谁 key", fontsize=11)
    bar = figure.colorbar(image, ax=axes, location="top", shrink=0.5, aspect=30)
    bar.set_label("注意力权重 attention weight")
    return figure


def check_labels(array: np.ndarray, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Reject labels that do not fit the matrix."""
    if array.shape != (len(rows), len(columns)):
        raise ValueError(
            f"values of shape {array.shape} come with {len(rows)} row and {len(columns)} column "
            "labels; give one label for each row and each column."
        )
