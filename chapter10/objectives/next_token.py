"""Next token prediction (GPT): the label of every position is the token that follows it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from chapter10.objectives.loss import IGNORE_INDEX


class NextTokens(NamedTuple):
    """Inputs and labels, one position shorter than the text; both (batch, length - 1) long."""

    input_ids: Tensor
    labels: Tensor


def next_tokens(input_ids: Tensor, attention_mask: Tensor | None = None) -> NextTokens:
    """Shift a batch by one: position t reads token t and is asked for token t + 1.

    input_ids: (batch, length) long, with the beginning and end tokens the model is to know;
        never written to. attention_mask: (batch, length), 0 at padding, on either side.

    No loss where the token asked for, or the one read, is padding. (The reference library shifts
    inside its models instead; here inputs and labels stand side by side.)
    """
    if input_ids.dim() != 2:
        raise ValueError(
            f"input_ids has shape {tuple(input_ids.shape)}; it must be (batch, length): one "
            "sentence is input_ids[None]."
        )
    labels = input_ids[:, 1:].clone()  # (B, T - 1)
    if attention_mask is not None:
        if attention_mask.shape != input_ids.shape:
            raise ValueError(
                f"attention_mask has shape {tuple(attention_mask.shape)}; it must be that of "
                f"input_ids, {tuple(input_ids.shape)}."
            )
        real = attention_mask.bool()
        labels = labels.masked_fill(~(real[:, 1:] & real[:, :-1]), IGNORE_INDEX)
    return NextTokens(input_ids[:, :-1].clone(), labels)


def restore_next_tokens(shifted: NextTokens, pad_token_id: int) -> Tensor:
    """The (batch, length) ids back: the first token read, then what was asked for.

    Padding has no label; inside a row it is read from the inputs, at its end it is pad_token_id.
    Only a lone token behind padding on the left is lost: it is neither read nor asked for.
    """
    followers = torch.full_like(shifted.labels, pad_token_id)  # (B, T - 1)
    followers[:, :-1] = shifted.input_ids[:, 1:]
    asked = shifted.labels != IGNORE_INDEX
    followers = torch.where(asked, shifted.labels, followers)
    return torch.cat([shifted.input_ids[:, :1], followers], dim=1)
