"""The sliders of the page `masking`: rates in, a corrupted sentence out."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets
import torch

from chapter10.experiments.masking import corruptor, make_batch, token_kinds
from chapter10.objectives import Masking
from chapter10.plotting import COLORS
from chapter10.tokenizers import Tokenizer

_WORDS = {"mask": "盖住", "random": "换掉", "keep": "不动", "plain": ""}


def corrupted_html(tokenizer: Tokenizer, text: str, masking: Masking, seed: int) -> str:
    """One corrupted sentence as HTML: coloured boxes, with a word below each chosen token."""
    batch = make_batch(tokenizer, [text])
    generator = torch.Generator().manual_seed(seed)
    masked = corruptor(tokenizer, batch, masking)(generator)
    kinds = token_kinds(batch.input_ids, masked, tokenizer.mask_token_id or 0)[0]
    boxes = [
        f'<span style="display:inline-block;margin:2px;padding:2px 6px;border-radius:6px;'
        f'background:{COLORS[kind]};color:{COLORS["ink"]};text-align:center">'
        f"{escape(tokenizer.id_to_token(token))}<br><small>{_WORDS[kind]}&nbsp;</small></span>"
        for token, kind in zip(masked.input_ids[0].tolist(), kinds, strict=True)
    ]
    chosen = int(masked.prediction_mask.sum())
    summary = f"选中 chosen: {chosen} / {int(batch.candidates.sum())}"
    return f'<div style="line-height:1.4">{"".join(boxes)}<br>{summary}</div>'


def masking_sliders(tokenizer: Tokenizer, text: str) -> ipywidgets.VBox:
    """Sliders for ratio, shares and seed, a box for the sentence, and what the model would read.

    The share of random tokens is limited to what the share of [MASK] leaves; the rest is kept.
    """

    def slider(name: str, value: int, top: int) -> Any:
        return ipywidgets.IntSlider(
            value=value, min=0, max=top, description=name, style={"description_width": "9em"}
        )

    sentence = ipywidgets.Text(value=text, description="句子", style={"description_width": "9em"})
    ratio = slider("选中 ratio %", 15, 100)
    mask = slider("换成 [MASK] %", 80, 100)
    swap = slider("换成随机 %", 10, 20)
    seed = slider("种子 seed", 0, 50)
    shown = ipywidgets.HTML()

    def redraw(_: Any = None) -> None:
        swap.max = 100 - mask.value
        masking = Masking(
            ratio=ratio.value / 100,
            mask_share=mask.value / 100,
            random_share=swap.value / 100,
            keep_share=(100 - mask.value - swap.value) / 100,
        )
        shown.value = corrupted_html(tokenizer, sentence.value, masking, seed.value)

    for control in (sentence, ratio, mask, swap, seed):
        control.observe(redraw, names="value")
    redraw()
    return ipywidgets.VBox([sentence, ratio, mask, swap, seed, shown])
