"""What the page `self-supervised` learns from pairs: which character follows which, by counting.

No network, no gradient: a table of how often y followed x. If the targets that the text itself
gives teach nothing, the table predicts no better than the frequencies of the characters alone.
The control keeps inputs, targets and their number, and permutes the targets among the inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from chapter10 import objectives
from chapter10.experiments.tokens import split_sentences
from chapter10.objectives import IGNORE_INDEX
from chapter10.tokenizers import Tokenizer

STRENGTHS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 1e3, 1e4, 1e6)
"""How many imagined pairs hold on to the frequencies; the largest is the frequencies alone."""
VALIDATION = 50
"""Sentences of the training part on which the strength is chosen."""
LEAST_GAIN = 0.3
"""Nats a label: what real pairs have to gain over the frequencies. Set on seeds 100 to 105, where
it was 0.57 to 0.62, before seeds 0 to 9 were run."""
MOST_CONTROL_GAIN = 0.05
"""Nats a label: what permuted pairs may gain."""


@dataclass(frozen=True)
class Pairs:
    """Inputs and targets side by side, (n,) long each."""

    inputs: Tensor
    targets: Tensor


def make_pairs(tokenizer: Tokenizer, texts: Sequence[str]) -> Pairs:
    """Every next-token pair of the texts, their begin and end tokens included."""
    encoded = tokenizer(list(texts))
    shifted = objectives.next_tokens(encoded.input_ids, encoded.attention_mask)
    asked = shifted.labels != IGNORE_INDEX
    return Pairs(shifted.input_ids[asked], shifted.labels[asked])


def permute_targets(pairs: Pairs, draws: torch.Generator) -> Pairs:
    """The same inputs and the same targets, joined at random."""
    order = torch.randperm(len(pairs.targets), generator=draws)
    return Pairs(pairs.inputs, pairs.targets[order])


def count_pairs(pairs: Pairs, vocab_size: int) -> Tensor:
    """(V, V) double: how often target y (column) came with input x (row)."""
    cells = pairs.inputs * vocab_size + pairs.targets
    return torch.bincount(cells, minlength=vocab_size**2).reshape(vocab_size, vocab_size).double()


def probabilities(counts: Tensor, strength: float, inputs: Tensor) -> Tensor:
    """(n, V): P(y | x) = (N(x, y) + κ P(y)) / (N(x) + κ), κ = strength.

    P(y) = (N(y) + 1) / (N + V) is the frequency of y, never 0.
    """
    frequencies = (counts.sum(0) + 1) / (counts.sum() + len(counts))
    rows = counts[inputs]
    return (rows + strength * frequencies) / (rows.sum(1, keepdim=True) + strength)


def surprise(counts: Tensor, strength: float, pairs: Pairs) -> float:
    """Cross entropy in nats: the mean of -ln P(y | x)."""
    chances = probabilities(counts, strength, pairs.inputs)
    return float(-chances.gather(1, pairs.targets[:, None]).log().mean())


def fit(pairs: Pairs, validation: Pairs, vocab_size: int) -> tuple[Tensor, float]:
    """A table, and the strength that does best on the validation pairs."""
    counts = count_pairs(pairs, vocab_size)
    return counts, min(STRENGTHS, key=lambda one: surprise(counts, one, validation))


def learning_curve(tokenizer: Tokenizer, sizes: Sequence[int], seed: int) -> dict[str, list[float]]:
    """Cross entropy on held-out sentences after pairs of `sizes` sentences, for each arm.

    Arms: pairs as they are, targets permuted, frequencies only. All three see the same characters
    and choose their strength on the same validation sentences.

    Raises:
        ValueError: more sentences asked for than there are.
    """
    known, unseen = split_sentences(seed)
    train, validation = known[:-VALIDATION], make_pairs(tokenizer, known[-VALIDATION:])
    if max(sizes) > len(train):
        raise ValueError(f"sizes ask for {max(sizes)} sentences; there are {len(train)}.")
    test = make_pairs(tokenizer, unseen)
    draws = torch.Generator().manual_seed(seed)
    curves: dict[str, list[float]] = {"pairs": [], "permuted": [], "frequencies": []}
    for size in sizes:
        pairs = make_pairs(tokenizer, train[:size])
        arms = {"pairs": pairs, "permuted": permute_targets(pairs, draws)}
        for arm, one in arms.items():
            counts, strength = fit(one, validation, len(tokenizer))
            curves[arm].append(surprise(counts, strength, test))
        # Targets permuted or not: their frequencies are the same.
        curves["frequencies"].append(surprise(counts, STRENGTHS[-1], test))
    return curves
