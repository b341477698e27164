"""Self-supervised objectives: pure functions of their inputs and a generator, nothing in place."""

from chapter10.objectives.denoising import (
    Denoising,
    FragmentMasking,
    SpanCorruption,
    corrupt_delete,
    corrupt_infill,
    corrupt_mask,
    corrupt_mass,
    corrupt_permute,
    corrupt_rotate,
    corrupt_spans,
    restore_mass,
    restore_spans,
)
from chapter10.objectives.loss import IGNORE_INDEX, cross_entropy_sum, vocabulary_loss
from chapter10.objectives.masking import (
    MaskedTokens,
    Masking,
    mask_candidates,
    mask_tokens,
    num_to_choose,
    ordinary_ids,
    restore_masked,
)
from chapter10.objectives.next_token import NextTokens, next_tokens, restore_next_tokens
from chapter10.objectives.sentences import (
    SentencePair,
    next_segment_pairs,
    next_sentence_pairs,
    restore_order,
    segment_documents,
    sentence_order_pairs,
)
from chapter10.objectives.windows import (
    Windows,
    context_windows,
    negative_sampling_loss,
    noise_distribution,
)

__all__ = [
    "IGNORE_INDEX",
    "Denoising",
    "FragmentMasking",
    "MaskedTokens",
    "Masking",
    "NextTokens",
    "SentencePair",
    "SpanCorruption",
    "Windows",
    "context_windows",
    "corrupt_delete",
    "corrupt_infill",
    "corrupt_mask",
    "corrupt_mass",
    "corrupt_permute",
    "corrupt_rotate",
    "corrupt_spans",
    "cross_entropy_sum",
    "mask_candidates",
    "mask_tokens",
    "negative_sampling_loss",
    "next_segment_pairs",
    "next_sentence_pairs",
    "next_tokens",
    "noise_distribution",
    "num_to_choose",
    "ordinary_ids",
    "restore_masked",
    "restore_mass",
    "restore_next_tokens",
    "restore_order",
    "restore_spans",
    "segment_documents",
    "sentence_order_pairs",
    "vocabulary_loss",
]
