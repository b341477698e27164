"""Every figure of the book, in one visual language.

Call :func:`use_style` once on a page; each function here then returns one matplotlib figure.

- One font that holds Chinese (``chapter10/fonts``), large enough for a phone; white ground, which
  the book shows as a light card in dark mode too.
- Colours by role, from Okabe and Ito's palette for all kinds of colour vision (``COLORS``),
  and never colour alone: marks, line styles or words say the same.
- Labels in both languages (``准确率 accuracy``) or symbols, since the English edition shows
  the same figures.
- Alt text and caption stand in the metadata of the cell that draws the figure, where myst-nb reads
  them: ``{"mystnb": {"image": {"alt": "…"}, "figure": {"caption": "…", "name": "fig-…"}}}``. A
  test holds every picture of the book to that.
"""

from chapter10.plotting.answers import intervals, span_scores, stacked, window_bars
from chapter10.plotting.cases import by_group, confusion, head_diagram, lying_bars
from chapter10.plotting.charts import (
    bars,
    curves,
    grouped_bars,
    histogram,
    mean_interval,
    panels,
)
from chapter10.plotting.diagrams import encoder_flow, token_rows
from chapter10.plotting.finetuning import loss_surfaces, part_origins
from chapter10.plotting.heatmaps import attention_maps, matrices, matrix
from chapter10.plotting.maps import vector_map
from chapter10.plotting.style import COLORS, FONT_FAMILY, use_style

__all__ = [
    "COLORS",
    "FONT_FAMILY",
    "attention_maps",
    "bars",
    "by_group",
    "confusion",
    "curves",
    "encoder_flow",
    "grouped_bars",
    "head_diagram",
    "histogram",
    "intervals",
    "loss_surfaces",
    "lying_bars",
    "matrices",
    "matrix",
    "mean_interval",
    "panels",
    "part_origins",
    "span_scores",
    "stacked",
    "token_rows",
    "use_style",
    "vector_map",
    "window_bars",
]
