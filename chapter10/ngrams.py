"""Filling blanks by counting neighbours: what a masked language model has to beat.

Shapes are written B (rows of the batch), T (length of the longest row), N (blanks).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

Window = tuple[int, int]
"""How many tokens to the left and to the right are looked at."""

UNIGRAM: tuple[Window, ...] = ((0, 0),)
BIGRAM: tuple[Window, ...] = ((1, 0), (0, 0))
NEIGHBOURS: tuple[Window, ...] = ((1, 1), (1, 0), (0, 1), (0, 0))
WIDE: tuple[Window, ...] = ((2, 2), (1, 2), (2, 1), *NEIGHBOURS)

_REACH = 2  # the widest window on either side
_BITS = 12  # of one token id: four neighbours and the token itself fit into 64 bits


class _Table(NamedTuple):
    """What was seen between the same neighbours: sorted keys, the commonest token, its context's
    count."""

    keys: np.ndarray
    best: np.ndarray
    counts: np.ndarray


class ContextCounts:
    """Guesses a token from the neighbours it was seen between, the widest known window first.

    Args:
        rows: token ids of the training text, one list a sentence.
        windows: what is looked at, in order; the last must be (0, 0), which always has an answer.
        min_count: a context counts as known when it was seen so often ("backoff" otherwise).

    A neighbour that is itself a blank was never seen in training text, so such a context is
    unknown and a smaller window is asked.

    Raises:
        ValueError: no rows, a window wider than 2, no (0, 0) at the end, ids of 4,096 and more.
    """

    def __init__(
        self, rows: Sequence[Sequence[int]], windows: Sequence[Window], min_count: int = 1
    ) -> None:
        if not rows:
            raise ValueError("There are no rows to count; give the ids of at least one sentence.")
        if not windows or windows[-1] != (0, 0) or max(map(max, windows)) > _REACH:
            raise ValueError(
                f"windows is {tuple(windows)}; each reaches at most {_REACH} tokens to a side, and "
                "the last is (0, 0)."
            )
        self.windows, self.min_count = tuple(windows), min_count
        gap = [0] * _REACH
        stream = np.array([token for row in rows for token in (*gap, *row)] + gap, dtype=np.int64)
        if stream.max() >= 1 << _BITS:
            raise ValueError(f"The largest id is {stream.max()}; only {1 << _BITS} can be counted.")
        starts = np.cumsum([0] + [len(row) + _REACH for row in rows])[:-1] + _REACH
        places = np.concatenate(
            [np.arange(s + 1, s + len(row) - 1) for s, row in zip(starts, rows, strict=True)]
        )  # not the first and last token of a row, [CLS] and [SEP]
        self._tables = [_count(stream, places, window) for window in self.windows]

    def guess(self, input_ids: Tensor, blanks: Tensor) -> Tensor:
        """The likeliest token for each blank.

        input_ids: (B, T) long, 0 at padding. blanks: (B, T) bool. Returns (N,) long, row-major.
        """
        padded = torch.nn.functional.pad(input_ids, (_REACH, _REACH)).numpy()
        rows, columns = (index.numpy() for index in blanks.nonzero(as_tuple=True))
        places = rows * padded.shape[1] + columns + _REACH
        stream = padded.reshape(-1).astype(np.int64)
        guesses = np.full(len(places), -1, dtype=np.int64)
        for window, table in zip(self.windows, self._tables, strict=True):
            keys = _keys(stream, places, window)
            found = np.searchsorted(table.keys, keys).clip(max=len(table.keys) - 1)
            enough = table.counts[found] >= (1 if window == (0, 0) else self.min_count)
            known = (table.keys[found] == keys) & enough & (guesses < 0)
            guesses[known] = table.best[found[known]]
        return torch.from_numpy(guesses)


def _keys(stream: np.ndarray, places: np.ndarray, window: Window) -> np.ndarray:
    """One number for the neighbours of each place."""
    keys = np.zeros(len(places), dtype=np.int64)
    for step in (*range(-window[0], 0), *range(1, window[1] + 1)):
        keys = (keys << _BITS) | stream[places + step]
    return keys


def _count(stream: np.ndarray, places: np.ndarray, window: Window) -> _Table:
    """For each context its count and its commonest token (the smaller id where two are level)."""
    keys, tokens = _keys(stream, places, window), stream[places]
    pairs, pair_counts = np.unique((keys << _BITS) | tokens, return_counts=True)
    contexts = pairs >> _BITS
    order = np.lexsort((pairs, -pair_counts, contexts))
    known, first, _ = np.unique(contexts[order], return_index=True, return_inverse=True)
    best = (pairs & ((1 << _BITS) - 1))[order][first]
    return _Table(known, best, np.add.reduceat(pair_counts[order], first))
