"""Measurements: curves, bars and histograms, always with their spread and their baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from chapter10.plotting.style import COLORS, new_figure
from chapter10.spread import summarise

MARKERS = ("o", "s", "^", "D", "v")


def mean_interval(values: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the first axis (seeds) and half the width of its 95 % interval (Student's t).

    values: (seeds, …) -> two arrays of shape (…). With one seed the half width is 0: there is no
    spread to show, and a figure with one seed says so.
    """
    array = np.asarray(values, dtype=float)
    found = [summarise(column) for column in array.reshape(len(array), -1).T.tolist()]
    mean, half = np.array([(each.mean, (each.high - each.low) / 2) for each in found]).T
    return mean.reshape(array.shape[1:]), half.reshape(array.shape[1:])


def draw_baselines(axes: Axes, baselines: Mapping[str, float]) -> None:
    """Horizontal lines, each with its name at the right end."""
    styles = ("--", ":", "-.")
    for i, (name, value) in enumerate(baselines.items()):
        axes.axhline(
            value, color=COLORS["baseline"], linestyle=styles[i % 3], linewidth=1.5, label=name
        )


def finish(axes: Axes, x_label: str, y_label: str, title: str, *, legend: bool) -> None:
    """Labels, title and, where asked, a legend below the axes, where it hides nothing."""
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.set_title(title)
    if legend:
        axes.figure.legend(loc="outside lower center", ncols=2)


def curves(
    x: Sequence[float],
    series: Mapping[str, ArrayLike],
    *,
    x_label: str,
    y_label: str,
    title: str = "",
    baselines: Mapping[str, float] | None = None,
    log_x: bool = False,
) -> Figure:
    """Lines over x; a series with several seeds gets a band, its 95 % interval.

    Args:
        x: (n,).
        series: name -> (n,) or (seeds, n).
        x_label: what x is, in both languages.
        y_label: what y is, with its unit.
        title: above the axes.
        baselines: name -> height of a horizontal line.
        log_x: logarithmic x axis.
    """
    figure, (axes,) = new_figure(3.8)
    for i, (name, values) in enumerate(series.items()):
        mean, half = mean_interval(np.atleast_2d(np.asarray(values, dtype=float)))
        (line,) = axes.plot(
            x, mean, label=name, marker=MARKERS[i % 5], markersize=4, markevery=max(1, len(x) // 10)
        )
        if half.any():
            axes.fill_between(x, mean - half, mean + half, color=line.get_color(), alpha=0.2, lw=0)
    draw_baselines(axes, baselines or {})
    if log_x:
        axes.set_xscale("log")
    finish(axes, x_label, y_label, title, legend=True)
    return figure


def panels(
    parts: Mapping[str, tuple[Sequence[float], Mapping[str, ArrayLike]]],
    *,
    x_label: str,
    y_label: str,
    baselines: Mapping[str, Mapping[str, float]] | None = None,
    log_x: bool = False,
    share_y: bool = True,
    columns: int = 2,
) -> Figure:
    """Several small `curves` with one legend.

    Args:
        parts: title -> x (n,) and, by name, values (n,) or (seeds, n), which get a band.
        x_label: what x is, in both languages.
        y_label: what y is, with its unit.
        baselines: title -> name -> height of a horizontal line.
        log_x: logarithmic x axis.
        share_y: one scale for all; otherwise each its own, from 0.
        columns: panels in one row.
    """
    columns = min(columns, len(parts))
    rows = -(-len(parts) // columns)
    figure, axes = new_figure(0.9 + 2.3 * rows, rows, columns)
    for one, (title, (x, series)) in zip(axes, parts.items(), strict=False):
        if share_y and one is not axes[0]:
            one.sharey(axes[0])  # before anything is drawn: the scale has to hold all panels
        for i, (name, values) in enumerate(series.items()):
            mean, half = mean_interval(np.atleast_2d(np.asarray(values, dtype=float)))
            (line,) = one.plot(x, mean, label=name, marker=MARKERS[i % 5], markersize=4)
            one.fill_between(x, mean - half, mean + half, color=line.get_color(), alpha=0.2, lw=0)
        draw_baselines(one, (baselines or {}).get(title, {}))
        one.set_title(title)
        if not share_y:
            one.set_ylim(bottom=0)
        if log_x:
            one.set_xscale("log")
    for one in axes[len(parts) :]:
        one.set_axis_off()
    for one in axes[::columns]:
        one.set_ylabel(y_label)
    for one in axes[max(0, len(parts) - columns) : len(parts)]:
        one.set_xlabel(x_label)
    names = {n: h for one in axes for h, n in zip(*one.get_legend_handles_labels(), strict=True)}
    figure.legend(names.values(), names, loc="outside lower center", ncols=2)
    return figure


def bars(
    groups: Mapping[str, ArrayLike],
    *,
    y_label: str,
    title: str = "",
    baselines: Mapping[str, float] | None = None,
    digits: int = 2,
) -> Figure:
    """One bar a group with its mean, its 95 % interval, and a dot for each seed.

    Args:
        groups: name -> (seeds,) or one number.
        y_label: what is measured, with its unit.
        title: above the axes.
        baselines: name -> height of a horizontal line.
        digits: after the point, in the numbers above the bars.
    """
    figure, (axes,) = new_figure(3.6)
    colors = [COLORS[role] for role in ("model", "control", "second", "third", "baseline")]
    for i, values in enumerate(groups.values()):
        seeds = np.atleast_1d(np.asarray(values, dtype=float))
        mean, half = mean_interval(seeds)
        axes.bar(i, mean, width=0.62, color=colors[i % 5], alpha=0.85)
        top = float(mean + half)
        if len(seeds) > 1:
            axes.errorbar(i, mean, yerr=half, color=COLORS["ink"], capsize=5, linewidth=1.5)
            spread = np.linspace(-0.15, 0.15, len(seeds))
            axes.plot(i + spread, seeds, ".", color=COLORS["ink"], markersize=4, linestyle="none")
            top = max(top, float(seeds.max()))
        axes.annotate(
            f"{mean:.{digits}f}", (i, top), (0, 4), textcoords="offset points", ha="center"
        )
    axes.set_xticks(range(len(groups)), list(groups))
    axes.margins(y=0.15)
    draw_baselines(axes, baselines or {})
    finish(axes, "", y_label, title, legend=bool(baselines))
    return figure


def grouped_bars(
    groups: Mapping[str, Mapping[str, ArrayLike]],
    *,
    y_label: str,
    title: str = "",
    baselines: Mapping[str, float] | None = None,
) -> Figure:
    """:func:`bars` side by side: a group for each name, in it one bar for each series.

    Args:
        groups: name -> series -> (seeds,) or one number; a group may lack a series.
        y_label: what is measured, with its unit.
        title: above the axes.
        baselines: name -> height of a horizontal line.
    """
    series = list(dict.fromkeys(name for group in groups.values() for name in group))
    figure, (axes,) = new_figure(4.2)
    colors = [COLORS[role] for role in ("model", "control", "second", "third")]
    hatches = ("", "//", "..", "xx")  # so that colour alone tells nothing
    width = 0.8 / len(series)
    for i, group in enumerate(groups.values()):
        for j, name in enumerate(series):
            if name not in group:
                continue
            seeds = np.atleast_1d(np.asarray(group[name], dtype=float))
            mean, half = mean_interval(seeds)
            x = i + (j - (len(series) - 1) / 2) * width
            axes.bar(
                x, mean, width, color=colors[j % 4], hatch=hatches[j % 4], edgecolor="white",
                label=name if name not in axes.get_legend_handles_labels()[1] else None,
            )  # fmt: skip
            if len(seeds) > 1:
                axes.errorbar(x, mean, yerr=half, color=COLORS["ink"], capsize=3, linewidth=1.2)
                spread = np.linspace(-0.25, 0.25, len(seeds)) * width
                axes.plot(x + spread, seeds, ".", color=COLORS["ink"], markersize=3, ls="none")
    axes.set_xticks(range(len(groups)), list(groups))
    draw_baselines(axes, baselines or {})
    finish(axes, "", y_label, title, legend=True)
    return figure


def histogram(
    values: ArrayLike,
    *,
    x_label: str,
    bins: int | Sequence[float] = 20,
    expected: Mapping[str, float] | None = None,
    title: str = "",
) -> Figure:
    """How often each value occurred; ``expected`` draws vertical lines (name -> value)."""
    figure, (axes,) = new_figure(3.4)
    axes.hist(np.asarray(values), bins=bins, color=COLORS["model"], edgecolor="white")
    styles = ("--", ":", "-.")
    for i, (name, value) in enumerate((expected or {}).items()):
        axes.axvline(value, color=COLORS["control"], linestyle=styles[i % 3], label=name)
    finish(axes, x_label, "次数 count", title, legend=bool(expected))
    return figure
