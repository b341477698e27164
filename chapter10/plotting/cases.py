"""The four downstream cases: which outputs the head reads, what it mixes up, and
which kinds it has learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from sklearn.metrics import confusion_matrix

from chapter10.plotting.charts import MARKERS, draw_baselines, finish, mean_interval
from chapter10.plotting.diagrams import box, token_width
from chapter10.plotting.heatmaps import draw_cells
from chapter10.plotting.style import COLORS, WIDTH, new_figure


def head_diagram(
    tokens: Sequence[str],
    answers: Mapping[int, str],
    head: str,
    *,
    segments: Sequence[int] | None = None,
) -> Figure:
    """Tokens go into BERT, a vector comes out for each, and the head reads some of these.

    Args:
        tokens: the row, special tokens included.
        answers: place of a token whose output the head reads -> what is said of it.
        head: the name of the head and its shape.
        segments: 0 or 1 for each token, told by the colour of its box; None is all 0.

    Raises:
        ValueError: a place outside the row, or segments of another length.
    """
    segments = [0] * len(tokens) if segments is None else segments
    if len(segments) != len(tokens) or not all(0 <= at < len(tokens) for at in answers):
        raise ValueError(
            f"{len(tokens)} tokens have {len(segments)} segments and answers at {sorted(answers)}; "
            "give one segment for each token, and places from 0 on."
        )
    widths = [token_width(token) for token in tokens]
    span = max(12.0, sum(widths))
    unit = WIDTH / span
    tall = 0.3 / unit  # a row in boxes, as high on a long row as on a short one
    figure, (axes,) = new_figure(unit * 8.4 * tall)
    size = min(11.0, 30.0 * unit)
    centres = [sum(widths[:at]) + width / 2 for at, width in enumerate(widths)]
    total = sum(widths)
    rows = {"tokens": 0.0, "bert": 1.9 * tall, "vectors": 3.8 * tall, "head": 5.4 * tall}
    arrow = {"arrowstyle": "->", "color": COLORS["quiet"], "shrinkA": 0, "shrinkB": 0}
    for at, (token, width) in enumerate(zip(tokens, widths, strict=True)):
        left, special = centres[at] - width / 2, token.startswith("[")
        color = "special" if special else ("plain", "keep")[segments[at]]
        box(axes, left, rows["tokens"], width, tall, COLORS[color])
        axes.text(centres[at], tall / 2, token, ha="center", va="center", fontsize=size)
        read = at in answers
        box(axes, left, rows["vectors"], width, tall, COLORS["focus" if read else "plain"])
        for low, high in ((tall, rows["bert"]), (rows["bert"] + tall, rows["vectors"])):
            axes.annotate("", (centres[at], high), (centres[at], low), arrowprops=arrow)
        if read:
            for low, high in (
                (rows["vectors"] + tall, rows["head"]),
                (rows["head"] + tall, 7 * tall),
            ):
                axes.annotate("", (centres[at], high), (centres[at], low), arrowprops=arrow)
            axes.text(centres[at], 7.1 * tall, answers[at], ha="center", va="bottom", fontsize=size)
    box(axes, 0, rows["bert"], total, tall, COLORS["special"])
    axes.text(total / 2, rows["bert"] + tall / 2, "BERT", ha="center", va="center")
    read_from, read_to = min(answers), max(answers)
    left = centres[read_from] - widths[read_from] / 2
    right = max(centres[read_to] + widths[read_to] / 2, left + 0.6 * span)
    shift = max(0.0, right - span)
    box(axes, left - shift, rows["head"], right - left, tall, COLORS["mask"])
    axes.text(
        (left + right) / 2 - shift,
        rows["head"] + tall / 2,
        head,
        ha="center",
        va="center",
        fontsize=10,
    )
    axes.set(xlim=(0, span), ylim=(0, 8.4 * tall))
    axes.set_axis_off()
    return figure


def confusion(
    given: Sequence[str],
    predicted: Sequence[str],
    labels: Sequence[str],
    *,
    names: Sequence[str] = (),
) -> Figure:
    """How often each class (row) was taken for each (column), as shares of the row.

    Args:
        given, predicted: one class for each example.
        labels: the classes, in order.
        names: how to write them; the labels themselves by default.
    """
    shares = confusion_matrix(given, predicted, labels=list(labels), normalize="true")
    figure, (axes,) = new_figure(min(5.6, 1.4 + 0.45 * len(labels)))
    names = list(names) or list(labels)
    draw_cells(axes, shares, names, names, low=0.0, high=1.0, cmap="Blues", digits=2)
    axes.set_xlabel("模型说 predicted")
    axes.set_ylabel("其实是 given")
    return figure


def lying_bars(
    groups: Mapping[str, Mapping[str, ArrayLike]],
    *,
    x_label: str,
    digits: int = 2,
) -> Figure:
    """Lying bars, those of a group side by side, for names that would not fit below standing ones.

    Args:
        groups: name, from top to bottom -> name of the series -> one number, or one for each seed,
            which gives an interval of 95 %. All groups have the same series, at most three.
        x_label: what is measured, with its unit.
        digits: after the point, in the numbers beside the bars.
    """
    series = list(next(iter(groups.values())))
    height = 0.8 / len(series)
    figure, (axes,) = new_figure(0.9 + 0.26 * len(series) * len(groups))
    for number, (name, role, hatch) in enumerate(
        zip(series, ("model", "control", "second"), ("", "//", ".."), strict=False)
    ):
        found = [mean_interval(np.atleast_1d(group[name])) for group in groups.values()]
        means, halves = np.array(found, dtype=float).T
        places = np.arange(len(groups)) + (number - (len(series) - 1) / 2) * height
        axes.barh(
            places,
            means,
            height=0.9 * height,
            xerr=halves if halves.any() else None,
            ecolor=COLORS["ink"],
            color=COLORS[role],
            hatch=hatch,
            edgecolor="white",
            label=name,
        )
        for place, mean, half in zip(places, means, halves, strict=True):
            axes.annotate(
                f"{mean:.{digits}f}",
                (mean + half, place),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=10,
            )
    axes.set_yticks(range(len(groups)), list(groups))
    axes.invert_yaxis()
    axes.margins(x=0.12, y=0.01)
    finish(axes, x_label, "", "", legend=True)
    return figure


def by_group(
    groups: Mapping[str, Mapping[str, ArrayLike]],
    *,
    y_label: str,
    baselines: Mapping[str, float] | None = None,
) -> Figure:
    """Several series in each of many groups: a dot a seed, a mark at the mean, its 95 % interval.

    Args:
        groups: name of the group -> name of the series -> (seeds,) or one number.
        y_label: what is measured, with its unit.
        baselines: name -> height of a horizontal line.
    """
    figure, (axes,) = new_figure(3.8)
    colors = [COLORS[role] for role in ("model", "control", "second", "third", "baseline")]
    names = list(next(iter(groups.values())))
    for i, name in enumerate(names):
        color, shift = colors[i % 5], (i - (len(names) - 1) / 2) * 0.7 / len(names)
        for at, series in enumerate(groups.values()):
            seeds = np.atleast_1d(np.asarray(series[name], dtype=float))
            mean, half = mean_interval(seeds)
            axes.plot([at + shift] * len(seeds), seeds, ".", color=color, alpha=0.4)
            axes.errorbar(
                at + shift,
                mean,
                yerr=half,
                color=color,
                fmt=MARKERS[i % 5],
                capsize=4,
                linewidth=1.5,
                label=name if at == 0 else None,
            )
    axes.set_xticks(range(len(groups)), list(groups))
    axes.grid(axis="y", linewidth=0.6)
    draw_baselines(axes, baselines or {})
    finish(axes, "", y_label, "", legend=True)
    return figure
