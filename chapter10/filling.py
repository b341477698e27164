"""Fill in the blanks of a text with a pretrained BERT."""

from dataclasses import dataclass

import torch

from chapter10.bert import BertForPreTraining
from chapter10.tokenizers import Tokenizer


@dataclass(frozen=True)
class Fill:
    """One guess for a blank: the token, its id, and its probability over the whole vocabulary."""

    token: str
    token_id: int
    probability: float


@torch.no_grad()
def fill(
    model: BertForPreTraining, tokenizer: Tokenizer, text: str, *, top: int = 5
) -> list[list[Fill]]:
    """The likeliest tokens for each blank of a text.

    Args:
        model: in evaluation mode.
        tokenizer: the one that the model was trained with.
        text: with its mask token, ``[MASK]``, wherever there is a blank.
        top: how many guesses for each blank.

    Returns:
        For each blank, in the order of the text, ``top`` guesses, the likeliest first.

    Raises:
        ValueError: no blank, or more tokens than the model has positions.
    """
    if top < 1:
        raise ValueError(f"top must be at least 1, not {top}.")
    if tokenizer.mask_token_id is None:
        raise ValueError("This tokeniser has no mask token; fill needs a BERT's.")
    encoding = tokenizer([text])
    device = next(model.parameters()).device
    input_ids = encoding.input_ids.to(device)
    blanks = input_ids == tokenizer.mask_token_id  # (1, T)
    if not blanks.any():
        mask = tokenizer.id_to_token(tokenizer.mask_token_id)
        raise ValueError(f"There is no {mask} in {text!r}; write one where the blank is.")
    output = model(
        input_ids,
        encoding.attention_mask.to(device),
        encoding.token_type_ids.to(device),
        prediction_mask=blanks,
    )
    probabilities = output.prediction_logits.softmax(dim=-1)  # (number of blanks, V)
    best = probabilities.topk(min(top, probabilities.shape[-1]), dim=-1)
    return [
        [Fill(tokenizer.id_to_token(i), i, p) for i, p in zip(ids, shares, strict=True)]
        for ids, shares in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
