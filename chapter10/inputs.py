"""Reject what would otherwise fail far away, or not at all, with a sentence that helps."""

import torch
from torch import Tensor


def check_inputs(
    input_ids: Tensor,
    attention_mask: Tensor | None,
    vocab_size: int,
    *,
    num_cached: int = 0,
    max_length: int | None = None,
) -> None:
    """Check what a model is called with.

    Args:
        input_ids: (B, T).
        attention_mask: (B, num_cached + T), or None.
        vocab_size: ids lie below this.
        num_cached: positions that a cache holds already.
        max_length: positions that the model has, None for any number.

    Raises:
        ValueError: says what was given and what would do.
    """
    if input_ids.dim() != 2 or input_ids.dtype not in (torch.int64, torch.int32):
        raise ValueError(
            "input_ids must be integers of shape (batch, length), "
            f"not {input_ids.dtype} of shape {tuple(input_ids.shape)}."
        )
    if input_ids.numel() == 0:
        raise ValueError(
            f"input_ids of shape {tuple(input_ids.shape)} are empty; give at least one token."
        )
    batch, length = input_ids.shape[0], num_cached + input_ids.shape[1]
    if max_length is not None and length > max_length:
        raise ValueError(
            f"{length} tokens are more than the {max_length} positions of this model; "
            "truncate the text or split it into overlapping windows (max_length and stride)."
        )
    check_range("input_ids", input_ids, vocab_size)
    if attention_mask is not None and attention_mask.shape != (batch, length):
        raise ValueError(
            f"attention_mask must have shape {(batch, length)} with 0 at padding, "
            f"not {tuple(attention_mask.shape)}."
        )


def check_range(name: str, ids: Tensor, size: int) -> None:
    """Raise ValueError unless all ids lie in [0, size).

    Done on the CPU only: on an accelerator the comparison would make the host wait at every step.
    """
    if ids.device.type == "cpu":
        low, high = (int(bound) for bound in ids.aminmax())
        if low < 0 or high >= size:
            raise ValueError(
                f"{name} hold {low if low < 0 else high}, but the model knows the ids 0 to "
                f"{size - 1}; is this the tokeniser that the model was trained with?"
            )
