"""One vector a word: neighbours, kinds, analogies, and the vectors that counting alone gives."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from chapter10.objectives import Windows
from chapter10.probing import cosines, neighbour_accuracy


def nearest(vectors: Tensor, top: int) -> Tensor:
    """(n, H) -> (n, top): the others of the largest cosine with each, the nearest first.

    Raises:
        ValueError: there are not so many others.
    """
    if not 1 <= top < len(vectors):
        raise ValueError(
            f"top is {top}; with {len(vectors)} vectors it lies between 1 and {len(vectors) - 1}."
        )
    return cosines(vectors).fill_diagonal_(-torch.inf).topk(top, dim=1).indices


def category_share(vectors: Tensor, kinds: Sequence[str], top: int = 1) -> float:
    """The share of the `top` nearest that are of the same kind, over all vectors (n, H)."""
    numbers = _numbered(kinds)
    return float((numbers[nearest(vectors, top)] == numbers[:, None]).double().mean())


def chance_of_category(kinds: Sequence[str]) -> float:
    """`category_share` where every other vector is as likely to be the nearest."""
    alike = torch.ones(len(kinds), len(kinds))  # all equally near
    others = ~torch.eye(len(kinds), dtype=torch.bool)
    return float(neighbour_accuracy(alike, kinds, kinds, others))


def _numbered(kinds: Sequence[str]) -> Tensor:
    numbers = {kind: number for number, kind in enumerate(dict.fromkeys(kinds))}
    return torch.tensor([numbers[kind] for kind in kinds])


def analogy_scores(vectors: Tensor, asked: Tensor) -> dict[str, float]:
    """How often d is found among all words but a, b, c, in three ways.

    vectors: (V, H). asked: (n, 4) ids of a, b, c, d with a : b = c : d.

    "offset": nearest to b - a + c, all of length 1 (Mikolov et al., "Linguistic Regularities in
    Continuous Space Word Representations", 2013). "nearest to c" and "nearest to b" do not look at
    the relation: what they reach is no analogy (Linzen, "Issues in Evaluating Semantic Spaces Using
    Word Analogies", 2016).

    Raises:
        ValueError: nothing asked.
    """
    if not len(asked):
        raise ValueError("There is no analogy to ask; give at least one row of four words.")
    unit = F.normalize(vectors, dim=1)
    a, b, c, d = asked.T
    targets = {
        "offset": unit[b] - unit[a] + unit[c],
        "nearest to c": unit[c],
        "nearest to b": unit[b],
    }
    scores = {}
    for name, target in targets.items():
        close = cosines(target, unit).scatter_(1, asked[:, :3], -torch.inf)  # (n, V)
        scores[name] = float((close.argmax(dim=1) == d).double().mean())
    return scores


def count_vectors(windows: Windows, vocab_size: int) -> Tensor:
    """(V, V): positive pointwise mutual information of a word with the words around it.

    Counting, no training: max(0, ln P(w, c) / (P(w) P(c))), a row for each word w. Padding, number
    0, is not counted. Levy and Goldberg, "Neural Word Embedding as Implicit Matrix Factorization"
    (2014).
    """
    context = windows.context_ids
    real = context != 0
    cells = (windows.targets[:, None] * vocab_size + context)[real]
    counts = torch.bincount(cells, minlength=vocab_size**2).reshape(vocab_size, vocab_size).double()
    expected = counts.sum(1, keepdim=True) * counts.sum(0, keepdim=True) / len(cells)
    return (counts / expected).nan_to_num(0.0).clamp(min=1.0).log().float()
