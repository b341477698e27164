"""What the page `masking` runs on masking (claim B3): are the shares what they should be?

Every count here reads only what a masking returned (ids and labels) and never asks it what it did.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import NamedTuple

import torch
from torch import Tensor

from chapter10.bert import Bert
from chapter10.claims import Experiment, Measured
from chapter10.experiments.tokens import ROUND_TRIP, sentences
from chapter10.objectives import (
    MaskedTokens,
    Masking,
    mask_candidates,
    mask_tokens,
    num_to_choose,
    ordinary_ids,
)
from chapter10.tokenizers import Tokenizer

Corrupt = Callable[[torch.Generator], MaskedTokens]
"""One corrupted copy of one batch, the next one at each call."""


class Batch(NamedTuple):
    """The book's sentences as one padded batch, and what may be corrupted in it."""

    input_ids: Tensor
    """(sentences, length) long."""
    attention_mask: Tensor
    """(sentences, length) long, 0 at padding."""
    candidates: Tensor
    """(sentences, length) bool, False at special tokens and padding."""
    protected: Tensor
    """(sentences, length) bool, True where nothing may ever be chosen; found without the masking's
    own code, so that a fault there shows."""


@cache
def character_tokenizer() -> Tokenizer:
    """Each Chinese character a token; knows every character of the book's sentences."""
    return Tokenizer.train(sentences(), kind="character")


def make_batch(tokenizer: Tokenizer, texts: Sequence[str]) -> Batch:
    """Encode texts, and mark what may be corrupted."""
    encoded = tokenizer(list(texts))
    candidates = mask_candidates(encoded.input_ids, tokenizer.special_ids, encoded.attention_mask)
    specials = [[i in tokenizer.special_ids for i in row.input_ids] for row in encoded.encodings]
    protected = torch.tensor(specials) | (encoded.attention_mask == 0)
    return Batch(encoded.input_ids, encoded.attention_mask, candidates, protected)


def corruptor(tokenizer: Tokenizer, batch: Batch, masking: Masking) -> Corrupt:
    """`mask_tokens` with everything but the generator filled in."""
    mask_token_id = tokenizer.mask_token_id
    if mask_token_id is None:
        raise ValueError("This tokeniser has no [MASK]; take one of style bert.")
    return partial(
        mask_tokens,
        batch.input_ids,
        batch.candidates,
        masking,
        mask_token_id,
        ordinary_ids(len(tokenizer), tokenizer.special_ids),
    )


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Counts over corrupted batches; `+` adds them up."""

    candidates: int = 0
    chosen: int = 0
    mask: int = 0
    """Chosen, and now [MASK]."""
    changed: int = 0
    """Chosen, and now some other token."""
    unchanged: int = 0
    """Chosen, and looking as before: kept, or replaced by itself."""
    first_half: int = 0
    """Chosen, and in the first half of the candidates of its sentence."""
    forbidden: int = 0
    """Special tokens or padding that were chosen or altered. Must be 0."""

    def __add__(self, other: Observed) -> Observed:
        return Observed(
            **{name: count + getattr(other, name) for name, count in vars(self).items()}
        )


def observe(batch: Batch, masked: MaskedTokens, mask_id: int) -> Observed:
    """Count what one corruption did to one batch."""
    original, candidates = batch.input_ids, batch.candidates
    chosen = masked.prediction_mask
    is_mask = masked.input_ids == mask_id
    same = masked.input_ids == original
    rank = candidates.long().cumsum(1)  # 1, 2, … over the candidates of a row
    first_half = rank <= candidates.sum(1, keepdim=True) // 2
    return Observed(
        candidates=int(candidates.sum()),
        chosen=int(chosen.sum()),
        mask=int((chosen & is_mask).sum()),
        changed=int((chosen & ~is_mask & ~same).sum()),
        unchanged=int((chosen & same).sum()),
        first_half=int((chosen & first_half).sum()),
        forbidden=int((batch.protected & (chosen | ~same)).sum()),
    )


class Expected(NamedTuple):
    """What a count should be: its expectation and its standard deviation."""

    mean: float
    sigma: float


def expected_counts(
    candidates: Tensor, masking: Masking, num_replacements: int, draws: int
) -> dict[str, Expected]:
    """Expectation and σ of the counts of `Observed` over `draws` corruptions of one batch.

    Each chosen token draws its fate alone, so the shares are binomial. How many of a row's n
    candidates are chosen is fixed, k, so the number in its first half is hypergeometric.
    """
    n = candidates.sum(1).double()
    k = num_to_choose(candidates.sum(1), masking.ratio).double()
    chosen = float(k.sum()) * draws
    hit = 1 / num_replacements  # a random token happens to be the original one
    shares = {
        "mask": masking.mask_share,
        "changed": masking.random_share * (1 - hit),
        "unchanged": masking.keep_share + masking.random_share * hit,
    }
    counts = {
        name: Expected(chosen * p, math.sqrt(chosen * p * (1 - p))) for name, p in shares.items()
    }
    p = (n // 2) / n.clamp(min=1)
    spread = k * p * (1 - p) * (n - k) / (n - 1).clamp(min=1)
    counts["first_half"] = Expected(
        float((k * p).sum()) * draws, math.sqrt(float(spread.sum()) * draws)
    )
    return counts


def deviations(observed: Observed, expected: dict[str, Expected]) -> dict[str, float]:
    """How many σ each count lies from its expectation; IMPOSSIBLE where σ is 0 and they differ."""
    found = {}
    for name, (mean, sigma) in expected.items():
        off = getattr(observed, name) - mean
        found[name] = off / sigma if sigma > 0 else (0.0 if abs(off) < 0.5 else IMPOSSIBLE)
    return found


def count_draws(
    corrupt: Corrupt, batch: Batch, mask_id: int, draws: int, generator: torch.Generator
) -> Observed:
    """Corrupt one batch `draws` times and add up the counts."""
    total = Observed()
    for _ in range(draws):
        total += observe(batch, corrupt(generator), mask_id)
    return total


def detection_curve(
    tokenizer: Tokenizer,
    batch: Batch,
    claimed: Masking,
    actual: Masking,
    draws: Sequence[int],
    trials: int,
    seed: int,
) -> list[float]:
    """How often the 3 σ test for `claimed` rejects a masking that does `actual`.

    draws: rising numbers of corruptions; a trial looks at its counts after each of these.
    Returns the share of trials with a rejection, one for each entry of `draws`.
    """
    corrupt = corruptor(tokenizer, batch, actual)
    replacements = len(tokenizer) - len(tokenizer.special_ids)
    mask_id = tokenizer.mask_token_id or 0
    expected = [expected_counts(batch.candidates, claimed, replacements, n) for n in draws]
    rejected = torch.zeros(len(draws))
    for trial in range(trials):
        generator = torch.Generator().manual_seed(seed * 100_003 + trial)
        total, done = Observed(), 0
        for i, n in enumerate(draws):
            total += count_draws(corrupt, batch, mask_id, n - done, generator)
            done = n
            rejected[i] += max(map(abs, deviations(total, expected[i]).values())) > 3
    return (rejected / trials).tolist()


def token_kinds(original: Tensor, masked: MaskedTokens, mask_id: int) -> list[list[str]]:
    """What became of every token, as `plotting.token_rows` names it, for each row.

    "mask", "random" and "keep" for chosen ones ("keep" is all that looks unchanged), else "plain".
    """
    kinds = torch.zeros_like(original)
    chosen = masked.prediction_mask
    kinds[chosen] = 2
    kinds[chosen & (masked.input_ids == original)] = 3
    kinds[chosen & (masked.input_ids == mask_id)] = 1
    names = ("plain", "mask", "random", "keep")
    return [[names[kind] for kind in row] for row in kinds.tolist()]


def independent_counts(candidates: int, ratio: float, rows: int, seed: int) -> Tensor:
    """(rows,) long: tokens chosen in each row when every token draws for itself (Bernoulli)."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(rows, candidates, generator=generator) < ratio).sum(1)


def largest_change(model: Bert, left: Batch, right: Batch, attend_all: bool = False) -> float:
    """Largest difference of the outputs of two batches at real tokens (those of `left`).

    attend_all: leave the attention mask out, so that padding is looked at like any token.
    """
    outputs = [
        model(batch.input_ids, attention_mask=None if attend_all else batch.attention_mask)
        for batch in (left, right)
    ]
    real = left.attention_mask.bool()
    vectors = [output.last_hidden_state[real] for output in outputs]
    return float((vectors[0] - vectors[1]).abs().max())


BERT_MASKING = Masking(ratio=0.15, mask_share=0.8, random_share=0.1, keep_share=0.1)
PLANTED = replace(BERT_MASKING, mask_share=0.81, random_share=0.10, keep_share=0.09)
"""The '80/10/10' of code that first makes 10 % random and then nine tenths *of the rest* [MASK]:
0.9 · 0.9 = 81 %."""

_ARMS = {
    "15 %，80/10/10": BERT_MASKING,
    "40 %，80/10/10": replace(BERT_MASKING, ratio=0.4),
    "15 %，100/0/0": replace(BERT_MASKING, mask_share=1.0, random_share=0.0, keep_share=0.0),
    "15 %，80/0/20": replace(BERT_MASKING, random_share=0.0, keep_share=0.2),
}
_CONTROLS = {"自称 80/10/10，其实 81/10/9": PLANTED}
EVIDENCE_DRAWS = 100
IMPOSSIBLE = 1e6
"""Stands for infinitely many σ, which JSON cannot hold: what must never happen has happened."""


def _run_rates(arm: str, seed: int) -> Measured:
    """One arm of B3: the largest deviation after EVIDENCE_DRAWS corruptions of all sentences."""
    tokenizer = character_tokenizer()
    batch = make_batch(tokenizer, sentences())
    actual = (_ARMS | _CONTROLS)[arm]
    claimed = _ARMS.get(arm, BERT_MASKING)
    generator = torch.Generator().manual_seed(seed)
    total = count_draws(
        corruptor(tokenizer, batch, actual),
        batch,
        tokenizer.mask_token_id or 0,
        EVIDENCE_DRAWS,
        generator,
    )
    if total.forbidden:
        return Measured(IMPOSSIBLE)
    replacements = len(tokenizer) - len(tokenizer.special_ids)
    expected = expected_counts(batch.candidates, claimed, replacements, EVIDENCE_DRAWS)
    return Measured(max(map(abs, deviations(total, expected).values())))


EXPERIMENTS = {
    "B2": ROUND_TRIP,
    "B3": Experiment(
        arms=tuple(_ARMS),
        controls=tuple(_CONTROLS),
        run=_run_rates,
        data="data/sentences_zh.txt（315 句，本书自写），每句损坏 100 次",
    ),
}
