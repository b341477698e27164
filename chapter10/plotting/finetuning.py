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
    words = {"copied": "复制", "random": "随机"}
    width, gap, step = 3.1, 0.35, 1.15
    figure, (axes,) = new_figure(0.5 * (len(origins) + 3.2))
    top = step * len(origins)

    def write(x: float, y: float, text: str, size: float, role: str = "ink") -> None:
        axes.text(x, y, text, ha="center", va="center", fontsize=size, color=COLORS[role])

    for column, (title, trained) in enumerate(variants.items()):
        left = column * (width + gap)
        middle = left + width / 2
        for row, (part, origin) in enumerate(origins.items()):
            color = COLORS["keep" if origin == "copied" else "random"]
            box(axes, left, step * row, width, 1.0, color if part in trained else COLORS["special"])
            action = "更新" if part in trained else "冻结"
            write(middle, step * row + 0.71, part, 11)
            write(middle, step * row + 0.29, f"{words[origin]}，{action}", 10)
        write(middle, -0.4, inputs, 10, "quiet")
        write(middle, top + 0.25, outputs, 10, "quiet")
        write(middle, top + 1.0, title, 12)
    for role, name in (
        ("keep", "复制，更新 copied, trained"),
        ("random", "随机，更新 random, trained"),
        ("special", "冻结 frozen"),
    ):
        axes.plot([], [], "s", color=COLORS[role], mec=COLORS["quiet"], ms=10, ls="", label=name)
    figure.legend(loc="outside lower center", ncols=2)
    span = len(variants) * (width + gap) - gap
    axes.set(xlim=(-0.1, span + 0.1), ylim=(-0.8, top + 1.4))
    axes.set_axis_off()
    return figure


def loss_surfaces(
    surfaces: Mapping[str, ArrayLike],
    along: Sequence[float],
    across: Sequence[float],
) -> Figure:
    """Losses over a plane of weights as contours, side by side on one scale.

    Args:
        surfaces: title -> (m, n) in nats; rows go up by `across`, columns to the right by `along`.
        along: (n,), 0 where training starts and 1 where it ends; both are marked.
        across: (m,), along a random direction.

    Raises:
        ValueError: a surface has another shape.
    """
    arrays = {title: np.asarray(values, dtype=float) for title, values in surfaces.items()}
    shape = (len(across), len(along))
    if wrong := {title: array.shape for title, array in arrays.items() if array.shape != shape}:
        raise ValueError(f"ticks of shape {shape} come with surfaces of shapes {wrong}.")
    figure, axes = new_figure(0.9 + WIDTH / len(arrays), 1, len(arrays))
    low = min(array.min() for array in arrays.values())
    high = max(array.max() for array in arrays.values())
    levels = np.geomspace(max(low, 1e-3), high * 1.001, 13)
    for one, (title, array) in zip(axes, arrays.items(), strict=True):
        shown = np.maximum(array, levels[0])
        drawn = one.contourf(along, across, shown, levels=levels, cmap="Blues", norm="log")
        one.contour(along, across, shown, levels=levels, colors=COLORS["quiet"], linewidths=0.5)
        for at, marker, name in ((0, "o", "起点 start"), (1, "*", "终点 end")):
            one.plot(at, 0, marker, color=COLORS["control"], mec="white", ms=14, ls="", label=name)
        one.set(title=title, xticks=(0, 1), xlabel="训练方向 along training")
    axes[0].set_ylabel("随机方向 random direction")
    bar = figure.colorbar(drawn, ax=axes, location="top", shrink=0.7, aspect=30)
    bar.set_ticks(levels[::3].tolist(), labels=[f"{level:.2f}" for level in levels[::3]])
    bar.ax.minorticks_off()
    bar.set_label("训练损失 training loss (nats)")
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=2)
    return figure
