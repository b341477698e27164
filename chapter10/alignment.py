"""Do words and sentences of two languages have close vectors? Retrieval, and what it can owe.

Every figure of retrieval stands beside two others: a model with random weights, and the matching
of `statistics_similarity`, which sees no vector at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from chapter10.bert import BertForPreTraining
from chapter10.training.batches import Batch

Words = Sequence[str]


@dataclass(frozen=True)
class Retrieval:
    """Over all queries: p1, how often the nearest candidate is right; mrr, the mean of 1 / rank of
    the first right one; chance, the p1 of a random order; queries, how many there were."""

    p1: float
    mrr: float
    chance: float
    queries: int


def retrieval(similarity: np.ndarray, right: np.ndarray) -> Retrieval:
    """Judge a table of similarities. Equal candidates share their ranks, whatever their order.

    Args:
        similarity: (N queries, M candidates).
        right: (N, M) of bool; queries without any right candidate are left out.

    Raises:
        ValueError: the shapes differ, or no query has a right candidate.
    """
    if similarity.shape != right.shape:
        raise ValueError(
            f"similarity is {similarity.shape} and right is {right.shape}; make both "
            "queries × candidates."
        )
    asked = right.any(1)
    if not asked.any():
        raise ValueError("No query has a right candidate; give both languages' words.")
    similarity, right = similarity[asked], right[asked]
    best = np.where(right, similarity, -np.inf).max(1, keepdims=True)
    above = (similarity > best).sum(1)
    tied = ((similarity == best) & ~right).sum(1)
    ours = ((similarity == best) & right).sum(1)
    first = np.where(above == 0, ours / (ours + tied), 0.0)
    rank = 1 + above + tied / (ours + 1)  # the expected place of the first right one among equals
    return Retrieval(
        float(first.mean()), float((1 / rank).mean()), float(right.mean(1).mean()), len(right)
    )


def right_pairs(
    queries: Words, candidates: Words, translations: Mapping[str, frozenset[str]]
) -> np.ndarray:
    """(N, M) of bool: which candidate translates which query."""
    return np.array([[b in translations.get(a, frozenset()) for b in candidates] for a in queries])


def cosine(first: Tensor, second: Tensor) -> np.ndarray:
    """(N, H), (M, H) -> (N, M), after each language's mean has been taken off."""
    centred = [vectors - vectors.mean(0) for vectors in (first, second)]
    a, b = (torch.nn.functional.normalize(vectors, dim=-1) for vectors in centred)
    return (a @ b.T).numpy()


# --- vectors by layer


@torch.no_grad()
def word_vectors(model: BertForPreTraining, batches: Sequence[Batch], ids: Sequence[int]) -> Tensor:
    """(L + 1, N, H): the mean vector of each token over all its places, layer by layer.

    Layer 0 is the embedding. A token that does not occur has a vector of zeros.
    """
    chosen = torch.tensor(ids)
    sums: Tensor | None = None
    counts = torch.zeros(model.config.vocab_size)
    for batch in batches:
        states = hidden_states(model, batch)  # (L + 1, B, T, H)
        places = batch["input_ids"].flatten()
        if sums is None:
            sums = torch.zeros(len(states), model.config.vocab_size, states.shape[-1])
        sums.index_add_(1, places, states.flatten(1, 2))
        counts += torch.bincount(places, minlength=len(counts))
    if sums is None:
        raise ValueError("There are no batches to read; give at least one.")
    return sums[:, chosen] / counts[chosen].clamp(min=1)[:, None]


@torch.no_grad()
def sentence_vectors(
    model: BertForPreTraining, batches: Sequence[Batch], special_ids: Sequence[int]
) -> Tensor:
    """(L + 1, N, H): the mean over the words of each row; [CLS], [SEP] and padding do not count."""
    found = []
    special = torch.tensor(list(special_ids))
    for batch in batches:
        words = (~torch.isin(batch["input_ids"], special) & batch["attention_mask"].bool())[
            ..., None
        ]
        states = hidden_states(model, batch)
        found.append((states * words).sum(2) / words.sum(1).clamp(min=1))
    return torch.cat(found, dim=1)


def hidden_states(model: BertForPreTraining, batch: Batch) -> Tensor:
    """(L + 1, B, T, H)."""
    output = model.bert(
        batch["input_ids"],
        batch["attention_mask"],
        batch["token_type_ids"],
        batch.get("position_ids"),
        output_hidden_states=True,
    )
    assert output.hidden_states is not None
    return torch.stack(output.hidden_states)


# --- statistics only: no network


def statistics_similarity(
    first: Sequence[Words], second: Sequence[Words], queries: Words, candidates: Words
) -> np.ndarray:
    """(N, M): how alike two words' habits are, from the two corpora alone.

    Minus the sum of four distances, each at most 1: of log frequencies (over the largest such
    distance), and total variation of the places counted from the left, from the right, and of the
    lengths of the rows.
    """
    limit = max(len(row) for row in (*first, *second)) + 1
    (freq_a, *shapes_a), (freq_b, *shapes_b) = (
        _habits(corpus, words, limit) for corpus, words in ((first, queries), (second, candidates))
    )
    apart = np.abs(freq_a[:, None] - freq_b[None])
    total = apart / max(float(apart.max()), 1e-12)
    for a, b in zip(shapes_a, shapes_b, strict=True):
        total = total + 0.5 * np.abs(a[:, None] - b[None]).sum(-1)
    return -total


def statistics_sentences(
    similarity: np.ndarray,
    words: tuple[Words, Words],
    queries: Sequence[Words],
    candidates: Sequence[Words],
) -> np.ndarray:
    """(N, M) for sentences, from `statistics_similarity` of all words of both languages.

    The mean, over the words of both sentences, of how alike the most similar word of the other is.
    """
    place = [{word: number for number, word in enumerate(each)} for each in words]
    rows = [[place[0][word] for word in row if word in place[0]] for row in queries]
    columns = [[place[1][word] for word in row if word in place[1]] for row in candidates]
    found = np.empty((len(rows), len(columns)))
    for i, left in enumerate(rows):
        for j, right in enumerate(columns):
            table = similarity[np.ix_(left, right)]
            found[i, j] = (table.max(1).sum() + table.max(0).sum()) / sum(table.shape)
    return found


def _habits(corpus: Sequence[Words], words: Words, limit: int) -> list[np.ndarray]:
    """Log relative frequency (N,), and three distributions (N, limit)."""
    number = {word: place for place, word in enumerate(words)}
    counts = np.zeros((3, len(words), limit))
    for row in corpus:
        for place, word in enumerate(row):
            at = number.get(word)
            if at is not None:
                for kind, value in enumerate((place, len(row) - 1 - place, len(row))):
                    counts[kind, at, value] += 1
    seen = counts[0].sum(-1)
    shares = counts / np.maximum(seen, 1)[None, :, None]
    return [np.log((seen + 1) / (sum(map(len, corpus)) + 1)), *shares]
