"""The control of the page `self-supervised`: a sentence in, its (input, target) pair out."""

from __future__ import annotations

from html import escape

import ipywidgets
import torch
from IPython.display import HTML

from chapter10.experiments.self_supervised import (
    NEXT,
    WAYS,
    Row,
    comes_back,
    make_symbols,
    num_labels,
    pair_rows,
)
from chapter10.experiments.tokens import sentences
from chapter10.plotting import COLORS
from chapter10.plotting.diagrams import MARKS
from chapter10.tokenizers import Tokenizer
from chapter10.widgets import explore


def _row_html(row: Row) -> str:
    boxes = "".join(
        f'<span style="display:inline-block;min-width:1.4em;margin:2px;padding:2px 4px;'
        f"border-radius:6px;text-align:center;background:{COLORS[kind]};"
        f'color:{COLORS["ink"]}">{escape(token)}<sup>{MARKS.get(kind, "")}</sup></span>'
        for token, kind in zip(row.tokens, row.kinds, strict=True)
    )
    return f"<div><small>{escape(row.label)}</small><br>{boxes}</div>"


def pair_html(text: str, name: str, seed: int) -> str:
    """The pair of a reader's sentence as two rows of boxes, and whether it comes back.

    The page shows what is wrong with an entry to its reader, hence in Chinese.

    Raises:
        ValueError: fewer than two characters, or an unknown way.
    """
    if len(text.strip()) < 2:
        raise ValueError("请输入至少两个字的句子。")
    if name not in WAYS:
        raise ValueError(f"没有“{name}”这种做法；可以选 {'、'.join(WAYS)}。")
    symbols = make_symbols(Tokenizer.train([*sentences(), text], kind="character"))
    ids = symbols.encode(text)

    def draws() -> torch.Generator:  # the same three times: one pair is looked at
        return torch.Generator().manual_seed(seed)

    rows = pair_rows(symbols, name, ids, draws())
    count = num_labels(symbols, name, ids, draws())
    back = comes_back(WAYS[name], symbols, ids, draws())
    verdict = "✓ 拼回来了" if back else "✗ 拼不回来"
    summary = f"标签 labels: {count} / {len(ids)}，{verdict}"
    return "".join(map(_row_html, rows)) + f"<div>{summary}</div>"


def pair_controls(text: str) -> ipywidgets.VBox:
    """A field for the sentence, a choice of ways and a seed; below them the pair."""
    box = explore(
        lambda sentence, way, seed: HTML(pair_html(sentence, way, seed)),
        {
            "sentence": ipywidgets.Text(value=text, description="句子 sentence"),
            "way": ipywidgets.Dropdown(options=list(WAYS), value=NEXT, description="做法 way"),
            "seed": ipywidgets.IntSlider(value=0, min=0, max=50, description="种子 seed"),
        },
    )
    box.children[0].layout.flex_flow = "row wrap"
    return box
