"""Masked language modelling: which positions are hidden, and by what (BERT, section 3.1).

Not to be confused: ``[MASK]`` *corrupts* a token here; the attention mask *hides padding* inside
the model. This module knows only the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from chapter10.objectives.loss import IGNORE_INDEX

Unit = Literal["token", "word", "span"]


@dataclass(frozen=True, kw_only=True)
class Masking:
    """How much is hidden and how.

    ratio: share of the candidates that get a loss, 0 to 1.
    mask_share, random_share, keep_share: what such a position shows instead (``[MASK]``, a random
        token, itself); they add up to 1. BERT: .8, .1, .1.
    unit: "token" (BERT), "word" (all pieces of a word together; BERT's whole word masking) or
        "span" (runs of neighbours; SpanBERT, Joshi et al. 2020, section 3.1).
    span_stop, max_span_length: a span has length l with probability proportional to
        ``span_stop * (1 - span_stop) ** (l - 1)``, 1 <= l <= max_span_length (mean 3.8 by default).
    """

    ratio: float = 0.15
    mask_share: float = 0.8
    random_share: float = 0.1
    keep_share: float = 0.1
    unit: Unit = "token"
    span_stop: float = 0.2
    max_span_length: int = 10

    def __post_init__(self) -> None:
        for name in ("ratio", "mask_share", "random_share", "keep_share"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"Masking.{name} is {value}; it is a share between 0 and 1.")
        total = self.mask_share + self.random_share + self.keep_share
        if abs(total - 1.0) > 1e-6:
            raise ValueError(
                f"mask_share {self.mask_share} + random_share {self.random_share} + keep_share "
                f"{self.keep_share} is {total:g}; the three shares must add up to 1."
            )
        if self.unit not in get_args(Unit):
            raise ValueError(
                f"Masking.unit is {self.unit!r}; it can be {', '.join(get_args(Unit))}."
            )
        if not 0.0 < self.span_stop <= 1.0:
            raise ValueError(f"Masking.span_stop is {self.span_stop}; it lies in (0, 1].")
        if self.max_span_length < 1:
            raise ValueError(
                f"Masking.max_span_length is {self.max_span_length}; it is at least 1."
            )


class MaskedTokens(NamedTuple):
    """A corrupted batch; both tensors are new, (batch, length) long."""

    input_ids: Tensor
    """What the model reads."""
    labels: Tensor
    """The original id where there is a loss, IGNORE_INDEX elsewhere."""

    @property
    def prediction_mask(self) -> Tensor:
        """(batch, length) bool: True where there is a loss."""
        return self.labels != IGNORE_INDEX


def mask_candidates(
    input_ids: Tensor, special_ids: Iterable[int], attention_mask: Tensor | None = None
) -> Tensor:
    """(batch, length) bool: the positions that may be chosen, neither special nor padding.

    attention_mask: as the models take it, 1 at real tokens and 0 at padding.
    """
    specials = torch.tensor(sorted(special_ids), dtype=torch.long, device=input_ids.device)
    candidates = ~torch.isin(input_ids, specials)
    return candidates if attention_mask is None else candidates & attention_mask.bool()


def ordinary_ids(vocab_size: int, special_ids: Iterable[int]) -> Tensor:
    """(vocab_size - specials,) long: every id that may replace a token at random."""
    ordinary = torch.ones(vocab_size, dtype=torch.bool)
    ordinary[sorted(special_ids)] = False
    return ordinary.nonzero().flatten()


def num_to_choose(counts: Tensor, ratio: float) -> Tensor:
    """How many of ``counts`` units are chosen: round(ratio * count), but at least one.

    None where there is no unit or the ratio is 0. This is BERT's rule (create_pretraining_data.py:
    ``max(1, int(round(len(tokens) * masked_lm_prob)))``), on candidates instead of all tokens. The
    reference library's collator draws each position by itself instead, so that a short row may
    have no loss at all; with the small batches of this book that costs more than it teaches.
    """
    if ratio == 0.0:
        return torch.zeros_like(counts)
    wanted = (counts.double() * ratio).round().long()  # half to even, as Python's round
    return torch.minimum(wanted.clamp(min=1), counts)


def mask_tokens(
    input_ids: Tensor,
    candidates: Tensor,
    masking: Masking,
    mask_token_id: int,
    replacement_ids: Tensor,
    generator: torch.Generator,
    word_ids: Tensor | None = None,
) -> MaskedTokens:
    """Hide a share of the candidates; the labels remember what stood there.

    input_ids: (batch, length) long; never written to.
    candidates: (batch, length) bool, False at special tokens and padding (``mask_candidates``).
    replacement_ids: (n,) long, what a random token is drawn from (``ordinary_ids``); not
        mask_token_id.
    generator: on the CPU. What is drawn depends on its state and on the shape alone, so with one
        seed the same positions are chosen whatever the three shares are.
    word_ids: (batch, length) long, -1 outside words; needed for unit "word". With unit "span" a
        span then counts whole words instead of tokens. A word is a run of candidates with one
        id; numbers may start again in the second sentence of a pair.

    In every row ``num_to_choose`` units are chosen, exactly, each as likely as any other. (BERT's
    own whole word masking fills a budget of tokens and skips the words that would burst it, which
    favours short ones; here every word has the same chance.) Each chosen token then becomes
    ``[MASK]``, random or stays by a draw of its own (BERT); in a span all share one draw
    (SpanBERT). A random token may happen to be the original one: of n replacements, the share seen
    unchanged is keep_share + random_share / n.

    Raises ValueError for shapes or ids that do not fit together.
    """
    _check(input_ids, candidates, masking, mask_token_id, replacement_ids, word_ids)
    device = input_ids.device
    shape = input_ids.shape
    order = torch.rand(shape, generator=generator).to(device)  # (B, T)
    shown = torch.rand(shape, generator=generator).to(device)  # (B, T)
    picks = torch.randint(len(replacement_ids), shape, generator=generator)
    random_tokens = replacement_ids.cpu()[picks].to(device)  # (B, T)

    starts = _unit_starts(candidates, None if masking.unit == "token" else word_ids)
    if masking.unit == "span":
        span_of = _choose_spans(candidates, starts, order, masking, generator)
        chosen = span_of >= 0
        shown = shown.gather(1, span_of.clamp(min=0))  # one draw per span
    else:
        chosen = _choose_units(candidates, starts, order, masking.ratio)

    masked = chosen & (shown < masking.mask_share)
    kept = chosen & (shown >= 1.0 - masking.keep_share)
    randomised = chosen & ~masked & ~kept
    corrupted = torch.where(randomised, random_tokens, input_ids)
    corrupted = corrupted.masked_fill(masked, mask_token_id)
    return MaskedTokens(corrupted, input_ids.masked_fill(~chosen, IGNORE_INDEX))


def restore_masked(masked: MaskedTokens) -> Tensor:
    """Put the labels back where they came from: the original (batch, length) ids, exactly."""
    return torch.where(masked.prediction_mask, masked.labels, masked.input_ids)


def _unit_starts(candidates: Tensor, word_ids: Tensor | None) -> Tensor:
    """(B, T) bool: True at the first token of every unit (a token, or a word)."""
    if word_ids is None:
        return candidates.clone()
    goes_on = torch.zeros_like(candidates)
    goes_on[:, 1:] = (
        candidates[:, :-1] & (word_ids[:, 1:] == word_ids[:, :-1]) & (word_ids[:, 1:] >= 0)
    )
    return candidates & ~goes_on


def _choose_units(candidates: Tensor, starts: Tensor, order: Tensor, ratio: float) -> Tensor:
    """(B, T) bool: the tokens of ``num_to_choose`` units a row, by the smallest ``order``."""
    # Only a unit's first token competes; the others follow it.
    ranks = order.masked_fill(~starts, 2.0).argsort(dim=1).argsort(dim=1)
    first = starts & (ranks < num_to_choose(starts.sum(1), ratio)[:, None])  # (B, T)
    unit_of = (starts.long().cumsum(1) - 1).clamp(min=0)  # (B, T) number of the unit in its row
    chosen_unit = torch.zeros_like(starts, dtype=torch.long)
    chosen_unit.scatter_add_(1, unit_of, first.long())
    return candidates & chosen_unit.gather(1, unit_of).bool()


def _choose_spans(
    candidates: Tensor, starts: Tensor, order: Tensor, masking: Masking, generator: torch.Generator
) -> Tensor:
    """(B, T) long: number of the span that took the token, -1 where none did."""
    rows, length = starts.shape
    chances = (1.0 - masking.span_stop) ** torch.arange(masking.max_span_length)
    lengths = torch.multinomial(
        chances, max(1, rows * length), replacement=True, generator=generator
    )[: rows * length].reshape(rows, length) + 1  # (B, T)  # fmt: skip
    # Spans never cross a special token: neighbours have the same number of those before them.
    run_of = (~candidates).long().cumsum(1)  # (B, T)
    budgets = num_to_choose(starts.sum(1), masking.ratio).tolist()
    span_of_unit = torch.full_like(starts, -1, dtype=torch.long)
    for row in range(rows):
        at = starts[row].nonzero().flatten()
        spans = _fill_spans(
            run_of[row, at].tolist(),
            order[row, at].argsort().tolist(),
            lengths[row].tolist(),
            budgets[row],
        )
        span_of_unit[row, : len(spans)] = torch.tensor(spans, dtype=torch.long)
    unit_of = (starts.long().cumsum(1) - 1).clamp(min=0)
    return span_of_unit.gather(1, unit_of).masked_fill(~candidates, -1)


def _fill_spans(runs: list[int], anchors: list[int], lengths: list[int], budget: int) -> list[int]:
    """Span number of each unit of a row, -1 unchosen: spans from free anchors till the budget."""
    spans = [-1] * len(runs)
    for span, (anchor, length) in enumerate(zip(anchors, lengths, strict=False)):
        if spans[anchor] >= 0:
            continue
        for unit in range(anchor, min(anchor + length, len(runs))):
            if budget == 0 or runs[unit] != runs[anchor]:
                break
            if spans[unit] < 0:
                spans[unit] = span
                budget -= 1
    return spans


def _check(
    input_ids: Tensor,
    candidates: Tensor,
    masking: Masking,
    mask_token_id: int,
    replacement_ids: Tensor,
    word_ids: Tensor | None,
) -> None:
    if input_ids.dim() != 2:
        raise ValueError(
            f"input_ids has shape {tuple(input_ids.shape)}; it must be (batch, length): one "
            "sentence is input_ids[None]."
        )
    if candidates.shape != input_ids.shape or candidates.dtype != torch.bool:
        raise ValueError(
            f"candidates is {candidates.dtype} of shape {tuple(candidates.shape)}; it must be bool "
            f"of the shape of input_ids, {tuple(input_ids.shape)} (see mask_candidates)."
        )
    if replacement_ids.dim() != 1 or len(replacement_ids) == 0:
        raise ValueError(
            f"replacement_ids has shape {tuple(replacement_ids.shape)}; it must be (n,) with "
            "n >= 1 (see ordinary_ids)."
        )
    if (replacement_ids == mask_token_id).any():
        raise ValueError(
            f"replacement_ids holds the mask token {mask_token_id}; a random replacement is never "
            "a special token: leave those out (see ordinary_ids)."
        )
    if word_ids is None and masking.unit == "word":
        raise ValueError('unit "word" needs word_ids (batch, length), -1 outside words.')
    if word_ids is not None and word_ids.shape != input_ids.shape:
        raise ValueError(
            f"word_ids has shape {tuple(word_ids.shape)}; it must be that of input_ids, "
            f"{tuple(input_ids.shape)}."
        )
