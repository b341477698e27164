"""Font, colours and sizes that all figures share."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Final

import matplotlib as mpl
import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

FONT_FAMILY: Final = "Chapter10 Sans"
"""The book's own font: about 4,300 Chinese characters and symbols, under the Open Font License."""

COLORS: Final = {
    "model": "#0072B2",
    "baseline": "#6B6B6B",
    "control": "#D55E00",
    "second": "#009E73",
    "third": "#CC79A7",
    "ink": "#1F2328",
    "quiet": "#6B6B6B",
    "line": "#C9CED6",
    "card": "#FFFFFF",
    "plain": "#F1F4F8",
    "special": "#D9DEE6",
    "mask": "#F6C26B",
    "random": "#F4B69A",
    "keep": "#A9D9C8",
    "focus": "#BBDDF2",
}
"""Colours by role. The first five tell series apart (Okabe and Ito 2008,
https://jfly.uni-koeln.de/color/); the light ones below fill boxes that carry dark text."""

WIDTH: Final = 6.4
"""Width of a figure in inches; the page is as wide, so that text has the same size everywhere."""


def use_style() -> None:
    """Register the book's font, without root, and set matplotlib's defaults for this process."""
    if FONT_FAMILY not in font_manager.fontManager.get_font_names():
        with as_file(files("chapter10") / "fonts" / "Chapter10Sans-Regular.otf") as path:
            font_manager.fontManager.addfont(path)
    series = [COLORS[role] for role in ("model", "control", "second", "third", "baseline")]
    mpl.rcParams.update(
        {
            # DejaVu comes with matplotlib and holds the symbols that a Chinese font lacks.
            "font.family": [FONT_FAMILY, "DejaVu Sans"],
            "font.size": 11,
            "axes.titlesize": 12,
            "axes.labelsize": 11,
            "xtick.labelsize": 10,
            "ytick.labelsize": 10,
            "legend.fontsize": 10,
            "legend.frameon": False,
            "axes.prop_cycle": cycler(color=series, linestyle=["-", "--", "-.", ":", "-"]),
            "axes.edgecolor": COLORS["quiet"],
            "axes.labelcolor": COLORS["ink"],
            "axes.titlecolor": COLORS["ink"],
            "text.color": COLORS["ink"],
            "xtick.color": COLORS["ink"],
            "ytick.color": COLORS["ink"],
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": False,
            "grid.color": COLORS["line"],
            "lines.linewidth": 2,
            "figure.figsize": (WIDTH, 3.6),
            "figure.dpi": 144,  # twice the size of a page's pixel at most: sharp on phones
            "savefig.dpi": 144,
            "figure.facecolor": COLORS["card"],
            "axes.facecolor": COLORS["card"],
            "savefig.facecolor": COLORS["card"],
            "figure.constrained_layout.use": True,
            "image.cmap": "Blues",
        }
    )


def new_figure(height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of the book's width and its axes, row by row.

    It is closed at once for pyplot, so that a notebook shows it where a cell returns it, once.
    """
    figure, axes = plt.subplots(rows, columns, figsize=(WIDTH, height), squeeze=False)
    plt.close(figure)
    return figure, list(axes.flat)


def text_units(token: str) -> float:
    """Width of a token: 1 for a Latin letter, 2 for a Chinese character."""
    return sum(2.0 if char > "⺀" else 1.0 for char in token)
