"""One vector a word: neighbours, kinds, analogies, and the vectors that counting alone gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.preprocessing import normalize

from chapter10.objectives import Windows


def cosines(vectors: np.ndarray) -> np.ndarray:
    """(n, H) -> (n, n): the cosine of every two; 0 with a vector of zeros."""
    unit = normalize(vectors)
    return np.asarray(unit @ unit.T)


def nearest(vectors: np.ndarray, top: int) -> np.ndarray:
    """(n, top): for each of n vectors the `top` others of the largest cosine, the nearest first.

    Raises:
        ValueError: there are not so many others.
    """
    if not 1 <= top < len(vectors):
        raise ValueError(
            f"top is {top}; with {len(vectors)} vectors it lies between 1 and {len(vectors) - 1}."
        )
    close = cosines(vectors)
    np.fill_diagonal(close, -np.inf)
    return np.argsort(-close, axis=1, kind="stable")[:, :top]


def category_share(vectors: np.ndarray, kinds: Sequence[str], top: int = 1) -> float:
    """The share of the `top` nearest that are of the same kind, over all vectors."""
    names = np.array(kinds)
    return float((names[nearest(vectors, top)] == names[:, None]).mean())


def chance_of_category(kinds: Sequence[str]) -> float:
    """`category_share` where every other vector is as likely to be the nearest."""
    _, number, sizes = np.unique(list(kinds), return_inverse=True, return_counts=True)
    return float((sizes[number] - 1).mean() / (len(number) - 1))


class Analogies(NamedTuple):
    """rows: (n, 4) ids of a, b, c, d with a : b = c : d; d is asked for."""

    rows: np.ndarray


def analogy_scores(vectors: np.ndarray, asked: Analogies) -> dict[str, float]:
    """Share of d found among all words but a, b, c, in three ways.

    "offset": nearest to b - a + c, all of length 1 (3CosAdd, Mikolov et al. 2013). "nearest to c"
    and "nearest to b" do not look at the relation: what they reach is no analogy (Linzen, "Issues
    in evaluating semantic spaces using word analogies", 2016).

    Raises:
        ValueError: nothing asked.
    """
    if not len(asked.rows):
        raise ValueError("There is no analogy to ask; give at least one row of four words.")
    unit = normalize(vectors)
    a, b, c, d = asked.rows.T
    scores = {}
    for name, target in (
        ("offset", unit[b] - unit[a] + unit[c]),
        ("nearest to c", unit[c]),
        ("nearest to b", unit[b]),
    ):
        close = target @ unit.T  # (n, V); the length of the target changes no order
        for taken in (a, b, c):
            close[np.arange(len(close)), taken] = -np.inf
        scores[name] = float((close.argmax(axis=1) == d).mean())
    return scores


def count_vectors(windows: Windows, vocab_size: int) -> np.ndarray:
    """(V, V): positive pointwise mutual information of a word with the words around it.

    Counting, no training: max(0, log P(w, c) / (P(w) P(c))). Padding, number 0, is not counted.
    """
    context = windows.context_ids.numpy()
    middle = np.repeat(windows.targets.numpy()[:, None], context.shape[1], axis=1)
    real = context != 0
    cells = middle[real] * vocab_size + context[real]
    counts = np.bincount(cells, minlength=vocab_size**2).reshape(vocab_size, vocab_size)
    expected = counts.sum(1, keepdims=True) * counts.sum(0, keepdims=True) / max(1, counts.sum())
    ratio = np.divide(counts, expected, out=np.ones(counts.shape), where=counts > 0)
    return np.log(np.maximum(ratio, 1.0))
