"""What the tests of random drawing share: seeds, and when a count is what it should be."""

from __future__ import annotations

import math
from collections import Counter

import torch


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def within_sigmas(hits: float, trials: int, share: float, sigmas: float = 4.0) -> bool:
    return abs(hits - trials * share) <= sigmas * math.sqrt(trials * share * (1 - share))


def all_alike(seen: Counter[tuple[int, ...]], kinds: int) -> bool:
    """Chi-square over equally likely outcomes, 4.5 sigma of its normal approximation."""
    trials = seen.total()
    chi2 = sum((count - trials / kinds) ** 2 for count in seen.values()) * kinds / trials
    chi2 += (kinds - len(seen)) * trials / kinds
    return len(seen) <= kinds and chi2 < (kinds - 1) + 4.5 * math.sqrt(2 * (kinds - 1))
