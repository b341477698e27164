"""Drawings of the page `self-supervised`: a family of methods, a timeline, sizes by year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch

from chapter10.plotting.style import COLORS, new_figure


def _frame(axes: Axes, left: float, bottom: float, width: float, height: float, role: str) -> None:
    axes.add_patch(
        FancyBboxPatch(
            (left, bottom),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=0.15",
            facecolor=COLORS[role],
            edgecolor=COLORS["quiet"],
            linewidth=1,
        )
    )


def learning_family() -> Figure:
    """Nested boxes: self-supervised learning is one family inside unsupervised learning."""
    figure, (axes,) = new_figure(3.9)

    def write(x: float, y: float, words: str, size: float = 11) -> None:
        axes.text(x, y, words, ha="center", va="center", fontsize=size, linespacing=1.5)

    _frame(axes, 0.1, 0.1, 3.2, 5.8, "mask")
    write(1.7, 5.2, "监督学习\nsupervised")
    write(1.7, 2.9, "(x, y)\n标签 y 由人写\nlabelled by hand")
    _frame(axes, 3.6, 0.1, 8.3, 5.8, "plain")
    write(7.75, 5.5, "无监督学习 unsupervised：x")
    for i, name in enumerate(("聚类\nclustering", "降维\nprojection", "密度估计\ndensity")):
        _frame(axes, 3.85 + 2.65 * i, 3.9, 2.5, 1.25, "card")
        write(5.1 + 2.65 * i, 4.5, name, 10)
    _frame(axes, 3.85, 0.3, 7.8, 3.35, "focus")
    write(7.75, 3.2, "自监督学习 self-supervised：x → (x′, x″)")
    ways = ("填空\nfill-in\nBERT", "猜下一个\nnext token\nGPT", "还原\nrestore\nT5, MASS")
    for i, name in enumerate(ways):
        _frame(axes, 4.05 + 2.52 * i, 0.5, 2.35, 2.25, "card")
        write(5.22 + 2.52 * i, 1.6, name)
    axes.set(xlim=(0, 12), ylim=(0, 6))
    axes.set_axis_off()
    return figure


def _mark(
    axes: Axes,
    x: float | None,
    y: float,
    role: str,
    mark: str,
    *,
    full: bool = True,
    label: str | None = None,
) -> Line2D:
    """One mark, hollow where not ``full``; without x only an entry for the legend."""
    (line,) = axes.plot(
        [] if x is None else [x],
        [] if x is None else [y],
        linestyle="none",
        marker=mark,
        markersize={"*": 12, "+": 14}.get(mark, 8),
        color=COLORS[role],
        markerfacecolor=COLORS[role if full else "card"],
        label=label,
    )
    return line


class Moment(NamedTuple):
    """One row of a timeline."""

    year: int
    kind: str
    words: str


def timeline(moments: Sequence[Moment], kinds: Mapping[str, str]) -> Figure:
    """Moments below each other, the earliest on top; rows are evenly spaced, years are not.

    kinds: kind -> what it means, in the order of the legend; at most four.

    Raises:
        ValueError: a moment of a kind that is not among them.
    """
    if unknown := {one.kind for one in moments} - set(kinds):
        raise ValueError(f"unknown kinds {sorted(unknown)}; choose from {', '.join(kinds)}.")
    roles, marks = ("baseline", "model", "second", "control"), ("o", "s", "D", "*")
    looks = dict(zip(kinds, zip(roles, marks, strict=True), strict=False))
    figure, (axes,) = new_figure(0.7 + 0.36 * len(moments))
    axes.axvline(0, color=COLORS["line"], linewidth=3, zorder=0)
    for i, one in enumerate(moments):
        _mark(axes, 0.0, -i, *looks[one.kind])
        axes.text(-0.35, -i, str(one.year), ha="right", va="center", fontsize=12)
        axes.text(0.4, -i, one.words, va="center", fontsize=12)
    handles = [_mark(axes, None, 0.0, *looks[kind], label=kinds[kind]) for kind in kinds]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    axes.set(xlim=(-1.6, 9), ylim=(0.6 - len(moments), 0.6))
    axes.set_axis_off()
    return figure


class Size(NamedTuple):
    """One model on the chart of sizes."""

    name: str
    date: float
    printed: float
    sesame: bool
    checked: bool
    counted: int | None
    """By our own class of the same configuration, or None."""


_BESIDE = {
    "ELMo": (-8, -10, "right"),
    "GPT": (0, 14, "center"),
    "GPT-2": (-12, 0, "right"),
    "Megatron-LM": (-12, 0, "right"),
    "T5-11B": (12, -10, "left"),
}
"""Where names stand that would else cover others: offset in points, alignment."""


def sizes_by_year(sizes: Sequence[Size], own: Mapping[str, float]) -> Figure:
    """Parameters over years on a logarithmic axis.

    sizes: published models; hollow where the number was not checked, a cross where our own class
        counts a model of the same configuration.
    own: name -> parameters of models of this book, drawn as horizontal lines.
    """
    figure, (axes,) = new_figure(4.6)
    for one in sizes:
        role, mark = ("control", "o") if one.sesame else ("model", "s")
        _mark(axes, one.date, one.printed, role, mark, full=one.checked)
        if one.counted is not None:
            _mark(axes, one.date, one.counted, "ink", "+")
        right, up, side = _BESIDE.get(one.name, (12, 0, "left"))
        axes.annotate(
            one.name,
            (one.date, one.printed),
            (right, up),
            textcoords="offset points",
            ha=side,
            va="center",
            fontsize=10,
        )
    for name, value in own.items():
        axes.axhline(value, color=COLORS["second"], linestyle="--", linewidth=1.5)
        axes.annotate(name, (2017.55, value), (2, 4), textcoords="offset points", fontsize=10)
    axes.set_yscale("log")
    axes.set(xlim=(2017.5, 2021.9), ylim=(3e4, 6e12), xticks=range(2018, 2022))
    axes.set_xlabel("首次公开的时间 first public version")
    axes.set_ylabel("参数 parameters")
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    handles = [
        _mark(axes, None, 1.0, "control", "o", label="《芝麻街》Sesame Street"),
        _mark(axes, None, 1.0, "model", "s", label="别的名字 others"),
        _mark(axes, None, 1.0, "control", "o", full=False, label="未对照原文 not checked"),
        _mark(axes, None, 1.0, "ink", "+", label="本书的类数出的 our count"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure
