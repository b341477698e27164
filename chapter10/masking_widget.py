"""The sliders of the page `masking`: rates in, a corrupted sentence out."""

from __future__ import annotations

from html import escape

import ipywidgets
import torch
from IPython.display import HTML

from chapter10.experiments.masking import corruptor, make_batch, token_kinds
from chapter10.objectives import Masking
from chapter10.plotting import COLORS
from chapter10.tokenizers import Tokenizer
from chapter10.widgets import explore

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
    """Controls for sentence, ratio, shares and seed, and below them what the model would read.

    The second share is one of the rest, so that all three always add up: 80 % and half of the
    rest are BERT's 80/10/10.
    """

    def draw(sentence: str, ratio: int, mask: int, swap: int, seed: int) -> HTML:
        random_share = (1 - mask / 100) * swap / 100
        masking = Masking(
            ratio=ratio / 100,
            mask_share=mask / 100,
            random_share=random_share,
            keep_share=1 - mask / 100 - random_share,
        )
        return HTML(corrupted_html(tokenizer, sentence, masking, seed))

    def slider(value: int, top: int, name: str) -> ipywidgets.IntSlider:
        return ipywidgets.IntSlider(value=value, min=0, max=top, description=name)

    box = explore(
        draw,
        {
            "sentence": ipywidgets.Text(value=text, description="句子"),
            "ratio": slider(15, 100, "选中 %"),
            "mask": slider(80, 100, "换成 [MASK] %"),
            "swap": slider(50, 100, "其余换随机 %"),
            "seed": slider(0, 50, "种子"),
        },
    )
    box.children[0].layout.flex_flow = "row wrap"  # five controls do not fit one line
    return box
