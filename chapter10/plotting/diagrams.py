"""Drawings that hold no measurement: tokens as boxes, tensors on their way through the encoder."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from chapter10.plotting.style import COLORS, WIDTH, new_figure, text_units

KINDS = ("plain", "special", "mask", "random", "keep", "focus")
"""What a token's box can say. All but plain and focus are also told by a mark in the corner."""

MARKS = {"mask": "?", "random": "≠", "keep": "="}


def box(axes: Axes, x: float, y: float, width: float, height: float, color: str) -> None:
    """A rounded box with its lower left corner at (x, y)."""
    axes.add_patch(
        FancyBboxPatch(
            (x + 0.05, y + 0.05),
            width - 0.1,
            height - 0.1,
            boxstyle="round,pad=0,rounding_size=0.12",
            facecolor=color,
            edgecolor=COLORS["quiet"],
            linewidth=1,
        )
    )


def token_rows(
    rows: Sequence[Sequence[str]],
    labels: Sequence[str],
    *,
    kinds: Sequence[Sequence[str]] | None = None,
    title: str = "",
) -> Figure:
    """Rows of tokens as boxes, one row below the other.

    Args:
        rows: the tokens of each row; lengths may differ, long tokens get wider boxes.
        labels: what each row is, written above it.
        kinds: for each token one of ``KINDS``; None means plain.
        title: above all.

    Raises:
        ValueError: labels or kinds do not fit the rows.
    """
    kinds = [["plain"] * len(row) for row in rows] if kinds is None else kinds
    if len(labels) != len(rows) or [len(row) for row in rows] != [len(row) for row in kinds]:
        raise ValueError(
            f"{len(rows)} rows have {len(labels)} labels and {sum(map(len, kinds))} kinds for "
            f"{sum(map(len, rows))} tokens; give one label for each row, one kind for each token."
        )
    if unknown := {kind for row in kinds for kind in row} - set(KINDS):
        raise ValueError(f"unknown kinds {sorted(unknown)}; choose from {', '.join(KINDS)}.")
    widths = [[token_width(token) for token in row] for row in rows]
    span = max(12.0, *(sum(row) for row in widths))
    unit = WIDTH / span  # inches of one box of one character
    row_height = 1.0 + 0.32 / unit  # in boxes: the box and its label
    figure, (axes,) = new_figure(unit * row_height * len(rows) + (0.35 if title else 0.1))
    size = min(12.0, 34.0 * unit)
    for i, (row, label) in enumerate(zip(rows, labels, strict=True)):
        y = (len(rows) - 1 - i) * row_height
        axes.text(0.05, y + 1.08, label, fontsize=10, color=COLORS["quiet"], va="bottom")
        x = 0.0
        for token, kind, width in zip(row, kinds[i], widths[i], strict=True):
            box(axes, x, y, width, 1.0, COLORS[kind])
            axes.text(x + width / 2, y + 0.5, token, ha="center", va="center", fontsize=size)
            if kind in MARKS:
                axes.text(x + width - 0.12, y + 0.97, MARKS[kind], ha="right", va="top", fontsize=9)
            x += width
    axes.set(xlim=(0, span), ylim=(0, len(rows) * row_height), title=title)
    axes.set_axis_off()
    return figure


def token_width(token: str) -> float:
    """Width of a token's box, its mark included; that of one Chinese character is 1."""
    return 1.0 + 0.35 * max(0.0, text_units(token) - 2.0)


def encoder_flow(length: int, hidden_size: int, num_hidden_layers: int, vocab_size: int) -> Figure:
    """The way of one sentence through BERT: each step with the shape that leaves it.

    T = ``length`` vectors of H = ``hidden_size`` numbers go in, as many come out.
    """
    steps = [
        ("词元编号 token ids", f"(1, T={length})", "special"),
        (
            f"词 + 位置 + 段  嵌入 embeddings, V={vocab_size}",
            f"(1, {length}, H={hidden_size})",
            "keep",
        ),
        ("自注意力 self-attention：向量互相看", f"(1, {length}, {hidden_size})", "focus"),
        ("相加、归一化 add & norm", f"(1, {length}, {hidden_size})", "plain"),
        ("前馈网络 feed-forward：各自算", f"(1, {length}, {hidden_size})", "mask"),
        ("相加、归一化 add & norm", f"(1, {length}, {hidden_size})", "plain"),
        ("输出向量 output vectors", f"(1, {length}, {hidden_size})", "special"),
    ]
    figure, (axes,) = new_figure(5.2)
    for i, (name, shape, kind) in enumerate(steps):
        y = (len(steps) - 1 - i) * 1.5
        box(axes, 0.6, y, 8.2, 1.0, COLORS[kind])
        axes.text(4.7, y + 0.5, name, ha="center", va="center")
        axes.text(9.3, y + 0.5, shape, va="center", color=COLORS["quiet"], fontsize=10)
        if i:
            axes.annotate("", (4.7, y + 0.95), (4.7, y + 1.55), arrowprops={"arrowstyle": "->"})
    low, high = 1.5 - 0.12, 5 * 1.5 - 0.38  # around the four steps of one layer
    axes.add_patch(
        FancyBboxPatch(
            (0.35, low),
            8.7,
            high - low,
            boxstyle="round,pad=0,rounding_size=0.2",
            fill=False,
            linestyle="--",
            edgecolor=COLORS["model"],
        )
    )
    axes.text(0.1, (low + high) / 2, f"× {num_hidden_layers}", ha="right", va="center", fontsize=13)
    axes.set(xlim=(-0.9, 12.2), ylim=(-0.1, len(steps) * 1.5 - 0.4))
    axes.set_axis_off()
    return figure
