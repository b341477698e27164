"""Answers that are stretches of a text: scores over it, windows on it, and what goes wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from chapter10.plotting.charts import MARKERS, finish
from chapter10.plotting.style import COLORS, new_figure
from chapter10.spread import Summary

LINE = 30
"""Tokens of a line at most."""


def span_scores(
    tokens: Sequence[str],
    start: ArrayLike,
    end: ArrayLike,
    *,
    marked: Sequence[int] = (),
    title: str = "",
) -> Figure:
    """Start probabilities rise above each token of a text, end probabilities hang below it.

    A line ends with a full stop, or where it is full.

    Args:
        tokens: n of them.
        start, end: (n,) probabilities.
        marked: places of tokens that stand on a coloured ground.
        title: above all.
    """
    up, down = np.asarray(start, dtype=float), np.asarray(end, dtype=float)
    if not len(tokens) == len(up) == len(down):
        raise ValueError(
            f"{len(tokens)} tokens have {len(up)} start and {len(down)} end probabilities; give "
            "one of each for every token."
        )
    lines: list[list[int]] = [[]]
    for place, token in enumerate(tokens):
        lines[-1].append(place)
        if place + 1 < len(tokens) and (token == "。" or len(lines[-1]) == LINE):
            lines.append([])
    figure, axes = new_figure(0.9 + 1.15 * len(lines), rows=len(lines))
    width = max(map(len, lines))
    gap = 0.32  # the row of tokens, in units of probability
    for one, line in zip(axes, lines, strict=True):
        places = range(len(line))
        one.bar(places, up[line], bottom=gap, color=COLORS["control"], label="开始 start")
        one.bar(
            places,
            -down[line],
            bottom=-gap,
            color=COLORS["model"],
            hatch="///",
            edgecolor="white",
            linewidth=0,
            label="结束 end",
        )
        for place, number in enumerate(line):
            ground = {"facecolor": COLORS["mask"], "edgecolor": "none", "pad": 1.5}
            one.text(
                place,
                0,
                tokens[number],
                ha="center",
                va="center",
                fontsize=min(11, 250 / width),
                bbox=ground if number in marked else None,
            )
        one.set(xlim=(-0.7, width - 0.3), ylim=(-1 - gap, 1 + gap))
        one.set_yticks([-1 - gap, -gap, gap, 1 + gap], ["1", "0", "0", "1"])
        one.set_xticks([])
        one.spines["bottom"].set_visible(False)
    axes[0].set_title(title)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def window_bars(
    length: int,
    windows: Sequence[tuple[int, int]],
    answer: tuple[int, int],
    notes: Sequence[str],
    *,
    x_label: str,
) -> Figure:
    """Overlapping windows as bars below each other, what they share hatched, the answer as a band.

    Args:
        length: of the document.
        windows: (first, behind the last) token of each, in order.
        answer: (first, behind the last) token of the answer.
        notes: what is said of each window, written beside its number.
        x_label: what is counted along the document.
    """
    figure, (axes,) = new_figure(0.9 + 0.5 * len(windows))
    for number, (first, stop) in enumerate(windows):
        axes.barh(number, stop - first, left=first, height=0.7, color=COLORS["focus"])
        shared = max(0, windows[number - 1][1] - first) if number else 0
        if shared:
            axes.barh(
                number,
                shared,
                left=first,
                height=0.7,
                color=COLORS["keep"],
                hatch="///",
                edgecolor="white",
                label="与上一窗共有 shared" if number == 1 else None,
            )
    axes.axvspan(*answer, color=COLORS["control"], alpha=0.5, label="答案 answer", linewidth=0)
    axes.set(xlim=(0, length), ylim=(len(windows) - 0.4, -0.6))
    names = [f"{number + 1}  {note}" for number, note in enumerate(notes)]
    axes.set_yticks(range(len(windows)), names)
    finish(axes, x_label, "窗口 window", "", legend=True)
    return figure


def intervals(
    groups: Sequence[str],
    series: Mapping[str, Sequence[Summary]],
    *,
    y_label: str,
    baselines: Mapping[str, float] | None = None,
) -> Figure:
    """One mark with its 95 % interval for each group and series, side by side.

    Args:
        groups: names along the x axis.
        series: name -> one summary for each group.
        y_label: what is measured.
        baselines: name -> height of a horizontal line.
    """
    figure, (axes,) = new_figure(3.8)
    for i, (name, found) in enumerate(series.items()):
        places = np.arange(len(groups)) + (i - (len(series) - 1) / 2) * 0.2
        means = np.array([one.mean for one in found])
        half = np.array([[one.mean - one.low, one.high - one.mean] for one in found]).T
        axes.errorbar(
            places, means, yerr=half, fmt=MARKERS[i % 5], capsize=4, linestyle="none", label=name
        )
    for name, value in (baselines or {}).items():
        axes.axhline(value, color=COLORS["baseline"], linestyle="--", linewidth=1.5, label=name)
    axes.set_xticks(range(len(groups)), list(groups))
    axes.set_ylim(bottom=0)
    finish(axes, "", y_label, "", legend=True)
    return figure


def stacked(groups: Sequence[str], parts: Mapping[str, Sequence[int]], *, y_label: str) -> Figure:
    """One bar a group, made of counts that stand on each other, each with its number.

    Args:
        groups: names along the x axis.
        parts: name -> one count for each group, from below upwards.
        y_label: what is counted.
    """
    figure, (axes,) = new_figure(4.4)
    colors = [COLORS[role] for role in ("focus", "mask", "random", "special", "keep")]
    hatches = ("", "///", "...", "xx", "--")
    below = np.zeros(len(groups))
    whole = max(sum(column) for column in zip(*parts.values(), strict=True))
    for i, (name, counts) in enumerate(parts.items()):
        axes.bar(
            range(len(groups)),
            counts,
            bottom=below,
            width=0.66,
            color=colors[i % 5],
            hatch=hatches[i % 5],
            edgecolor="white",
            label=name,
        )
        for place, count in enumerate(counts):
            if count > 0.05 * whole:
                axes.text(
                    place,
                    below[place] + count / 2,
                    str(count),
                    ha="center",
                    va="center",
                    fontsize=10,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8},
                )
        below = below + np.asarray(counts)
    axes.set_xticks(range(len(groups)), list(groups))
    finish(axes, "", y_label, "", legend=True)
    return figure
