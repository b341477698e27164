"""Self-supervised objectives: pure functions of their inputs and a generator, nothing in place."""

from chapter10.objectives.masking import (
    IGNORE_INDEX,
    MaskedTokens,
    Masking,
    mask_candidates,
    mask_tokens,
    num_to_choose,
    ordinary_ids,
    restore_masked,
)

__all__ = [
    "IGNORE_INDEX",
    "MaskedTokens",
    "Masking",
    "mask_candidates",
    "mask_tokens",
    "num_to_choose",
    "ordinary_ids",
    "restore_masked",
]
