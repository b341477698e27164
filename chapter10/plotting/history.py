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
    figure, (axes,) = new_figure(3.5)
    _frame(axes, 0.1, 0.1, 3.3, 5.8, "mask")
    axes.text(1.75, 5.3, "监督学习\nsupervised", ha="center", va="center")
    axes.text(1.75, 2.9, "每个 x 配一个\n人写的标签 y", ha="center", va="center", fontsize=10)
    _frame(axes, 3.7, 0.1, 8.2, 5.8, "plain")
    axes.text(7.8, 5.45, "无监督学习 unsupervised：只有 x", ha="center", va="center")
    for i, name in enumerate(("聚类\nclustering", "降维\nprojection", "密度估计\ndensity")):
        _frame(axes, 3.95 + 2.63 * i, 3.9, 2.4, 1.1, "card")
        axes.text(5.15 + 2.63 * i, 4.45, name, ha="center", va="center", fontsize=10)
    _frame(axes, 3.95, 0.35, 7.7, 3.3, "focus")
    title = "自监督学习 self-supervised：x 拆成 x′ 和 x″"
    axes.text(7.8, 3.2, title, ha="center", va="center")
    ways = ("填空\nfill-in\nBERT", "猜下一个\nnext token\nGPT", "还原\nrestore\nT5、MASS")
    for i, name in enumerate(ways):
        _frame(axes, 4.2 + 2.45 * i, 0.6, 2.3, 2.1, "card")
        axes.text(5.35 + 2.45 * i, 1.65, name, ha="center", va="center", fontsize=10)
    axes.set(xlim=(0, 12), ylim=(0, 6))
    axes.set_axis_off()
    return figure


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
    looks = {
        kind: {"color": COLORS[role], "marker": mark, "markersize": 12 if mark == "*" else 8}
        for kind, role, mark in zip(kinds, roles, marks, strict=False)
    }
    figure, (axes,) = new_figure(0.7 + 0.36 * len(moments))
    axes.axvline(0, color=COLORS["line"], linewidth=3, zorder=0)
    for i, one in enumerate(moments):
        axes.plot(0, -i, linestyle="none", **looks[one.kind])
        axes.text(-0.35, -i, str(one.year), ha="right", va="center", fontsize=12)
        axes.text(0.4, -i, one.words, va="center", fontsize=12)
    handles = [
        Line2D([], [], linestyle="none", label=label, **looks[kind])
        for kind, label in kinds.items()
    ]
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


_ASIDE = {
    "ELMo": (-7, "right"),
    "BERT large": (7, "left"),
    "Megatron-LM": (-7, "right"),
    "GPT": (-7, "right"),
    "GPT-2": (-7, "right"),
}
"""Names that would cover others to the right of their mark: offset in points, alignment."""


def sizes_by_year(sizes: Sequence[Size], own: Mapping[str, float]) -> Figure:
    """Parameters over years on a logarithmic axis.

    sizes: published models; hollow where the number was not checked, a cross where our own class
        counts a model of the same configuration.
    own: name -> parameters of models of this book, drawn as horizontal lines.
    """
    figure, (axes,) = new_figure(4.6)
    for one in sizes:
        color = COLORS["control" if one.sesame else "model"]
        axes.plot(
            one.date,
            one.printed,
            "o" if one.sesame else "s",
            color=color,
            markerfacecolor=color if one.checked else COLORS["card"],
            markersize=8,
            linestyle="none",
        )
        if one.counted is not None:
            axes.plot(one.date, one.counted, "+", color=COLORS["ink"], markersize=14, ls="none")
        offset, side = _ASIDE.get(one.name, (8, "left"))
        axes.annotate(
            one.name,
            (one.date, one.printed),
            (offset, 0),
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
    looks = [
        ("《芝麻街》Sesame Street", "o", "control", True),
        ("别的名字 others", "s", "model", True),
        ("未对照原文 not checked", "o", "control", False),
        ("本书的类数出的 our count", "+", "ink", True),
    ]
    handles = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=mark,
            label=label,
            color=COLORS[role],
            markerfacecolor=COLORS[role if full else "card"],
            markersize=12 if mark == "+" else 8,
        )
        for label, mark, role, full in looks
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure
