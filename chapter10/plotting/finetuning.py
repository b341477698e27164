"""Fine-tuning: where each part comes from, and how the loss lies around the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from chapter10.plotting.diagrams import box
from chapter10.plotting.style import COLORS, WIDTH, new_figure


def part_origins(
    origins: Mapping[str, str], variants: Mapping[str, Sequence[str]], inputs: str, outputs: str
) -> Figure:
    """Columns of boxes, one a variant: each part copied or random, updated or frozen.

    Args:
        origins: part -> "copied" or "random", from the input up.
        variants: title -> the parts that get gradients.
        inputs, outputs: what goes in below and comes out above.

    Raises:
        ValueError: a variant names a part that there is not, or an origin is another word.
    """
    if unknown := {part for parts in variants.values() for part in parts} - set(origins):
        raise ValueError(f"{sorted(unknown)} are no parts; there are {', '.join(origins)}.")
    if unknown := set(origins.values()) - {"copied", "random"}:
        raise ValueError(f'{sorted(unknown)} are no origins; there are "copied" and "random".')
    words = {"copied": "复制 copied", "random": "随机 random"}
    width, gap = 3.1, 0.35
    figure, (axes,) = new_figure(0.5 * (len(origins) + 2.6))
    for column, (title, trained) in enumerate(variants.items()):
        left = column * (width + gap)
        middle = left + width / 2
        for row, (part, origin) in enumerate(origins.items()):
            y = row * 1.15
            color = COLORS["keep" if origin == "copied" else "random"]
            box(axes, left, y, width, 1.0, color if part in trained else COLORS["special"])
            action = "更新 trained" if part in trained else "冻结 frozen"
            axes.text(middle, y + 0.72, part, ha="center", va="center", fontsize=10)
            text = f"{words[origin]}，{action}"
            axes.text(middle, y + 0.3, text, ha="center", va="center", fontsize=8.5)
        top = 1.15 * len(origins)
        axes.text(middle, -0.25, inputs, ha="center", va="top", fontsize=9, color=COLORS["quiet"])
        axes.text(
            middle, top + 0.1, outputs, ha="center", va="bottom", fontsize=9, color=COLORS["quiet"]
        )
        axes.text(middle, top + 0.85, title, ha="center", va="bottom", fontsize=12)
    span = len(variants) * (width + gap) - gap
    axes.set(xlim=(-0.1, span + 0.1), ylim=(-0.9, 1.15 * len(origins) + 1.7))
    axes.set_axis_off()
    return figure


def loss_surfaces(
    surfaces: Mapping[str, ArrayLike],
    ticks: Sequence[float],
    points: Mapping[str, tuple[float, float]],
) -> Figure:
    """Losses over a plane of weights as contours, side by side on one scale.

    Args:
        surfaces: title -> (n, n) in nats; rows go up, columns to the right.
        ticks: (n,), the same along both axes.
        points: what stands where, (right, up), marked and numbered in the order given.

    Raises:
        ValueError: a surface has another shape than the ticks.
    """
    arrays = {title: np.asarray(values, dtype=float) for title, values in surfaces.items()}
    if wrong := {t: a.shape for t, a in arrays.items() if a.shape != (len(ticks), len(ticks))}:
        raise ValueError(f"{len(ticks)} ticks come with surfaces of shapes {wrong}.")
    figure, axes = new_figure(0.9 + WIDTH / len(arrays), 1, len(arrays))
    low = min(array.min() for array in arrays.values())
    high = max(array.max() for array in arrays.values())
    levels = np.linspace(low, high, 13)
    markers = ("o", "*", "^", "D")
    for one, (title, array) in zip(axes, arrays.items(), strict=True):
        drawn = one.contourf(ticks, ticks, array, levels=levels, cmap="Blues")
        one.contour(ticks, ticks, array, levels=levels, colors=COLORS["quiet"], linewidths=0.5)
        for (name, (right, up)), marker in zip(points.items(), markers, strict=False):
            one.plot(
                right,
                up,
                marker,
                color=COLORS["control"],
                markeredgecolor="white",
                markersize=11,
                linestyle="none",
                label=name,
            )
        one.set(title=title, aspect="equal", xticks=(0, 1), yticks=(0, 1))
        one.set_xlabel("方向一 first direction")
    axes[0].set_ylabel("方向二 second direction")
    bar = figure.colorbar(drawn, ax=axes, location="top", shrink=0.6, aspect=30, format="%.1f")
    bar.set_label("训练损失 training loss (nats)")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(points))
    return figure
