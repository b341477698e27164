"""What the lexicon knows of words and no model is told, and how word vectors do by it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from statistics import fmean

import torch
from torch import Tensor

from chapter10.data.microworld import shipped as world
from chapter10.experiments.cbow_text import Text, numbers_of
from chapter10.experiments.word_vectors import category_share, chance_of_category, nearest
from chapter10.probing import cosines, same
from chapter10.training.batches import generator


@cache
def categories() -> Mapping[str, str]:
    """Word -> what the world calls its kind (苹果 has two and is left out; 香蕉: 水果)."""
    lexicon = world("full").lexicon
    found: dict[str, set[str]] = {}
    for word in lexicon:
        found.setdefault(word.zh, set()).add(lexicon.kinds.get(word.group, ("", ""))[0])
    return {word: min(kinds) for word, kinds in found.items() if len(kinds) == 1 and min(kinds)}


@cache
def opinions() -> Mapping[str, tuple[str, str]]:
    """Adjective of a review -> (what it judges, "good" or "bad"); those of one meaning only."""
    lexicon = world("full").lexicon
    found: dict[str, set[tuple[str, str]]] = {}
    for word in lexicon:
        aspect, _, polarity = word.group.rpartition("_")
        if (
            word.tag == "ADJ"
            and polarity in ("good", "bad")
            and f"{aspect}_aspect" in {*lexicon.groups}
        ):
            found.setdefault(word.zh, set()).add((aspect, polarity))
    return {word: min(kinds) for word, kinds in found.items() if len(kinds) == 1}


RELATIONS: Mapping[str, Sequence[tuple[str, str]]] = {
    "男女": (
        *(("他", "她"), ("爸爸", "妈妈"), ("爷爷", "奶奶"), ("叔叔", "阿姨")),
        *(("哥哥", "姐姐"), ("弟弟", "妹妹"), ("表哥", "表妹")),
    ),
    "反义": (("大", "小"), ("高", "矮"), ("胖", "瘦"), ("新", "旧")),
}
"""Pairs for analogies that the lexicon does not list; "量词" comes from it."""


@cache
def relations() -> Mapping[str, tuple[tuple[str, str], ...]]:
    """`RELATIONS` and nouns with their measure words: 书 : 本."""
    lexicon = world("full").lexicon
    measured = {
        word.zh: word.fact("measure")
        for word in lexicon
        if word.zh in categories() and word.fact("measure") not in ("", "-")
    }
    return {
        **{name: tuple(pairs) for name, pairs in RELATIONS.items()},
        "量词": tuple(measured.items()),
    }


# --- how the vectors do


def known_rows(text: Text, wanted: Sequence[str]) -> tuple[list[str], list[int]]:
    """Those of the words that are in the vocabulary, and their ids."""
    numbers = numbers_of(text.words)
    kept = [word for word in wanted if word in numbers]
    return kept, [numbers[word] for word in kept]


def neighbour_share(text: Text, vectors: Tensor, top: int = 1) -> float:
    """Share of the `top` nearest words of a known kind that are of the word's own kind."""
    kinds = categories()
    words, rows = known_rows(text, list(kinds))
    return category_share(vectors[rows], [kinds[word] for word in words], top)


def chance(text: Text) -> float:
    """`neighbour_share` of vectors that say nothing."""
    words, _ = known_rows(text, list(categories()))
    return chance_of_category([categories()[word] for word in words])


def opinion_shares(text: Text, vectors: Tensor) -> dict[str, float]:
    """Of each opinion's nearest opinion: share that judges the same thing, and the same way.

    "polarity" counts only neighbours that judge the same thing. "chance": a neighbour of the same
    aspect picked at random is of the same polarity so often (a little below one half). "opposite":
    share of opinions whose opposites of the same aspect are nearer, on average, than words of the
    same polarity about other things.
    """
    known = opinions()
    words, rows = known_rows(text, list(known))
    near = nearest(vectors[rows], 1)[:, 0].tolist()
    pairs = [(known[word], known[words[other]]) for word, other in zip(words, near, strict=True)]
    alike = [(one, two) for one, two in pairs if one[0] == two[0]]
    close = cosines(vectors[rows])
    aspect, side = (
        same(names, names) for names in zip(*map(known.__getitem__, words), strict=True)
    )
    against, with_it = aspect & ~side, ~aspect & side
    nearer = (close * against).sum(1) / against.sum(1) > (close * with_it).sum(1) / with_it.sum(1)
    counted = Counter(known[word] for word in words)
    aspects = Counter(known[word][0] for word in words)
    by_chance = [
        (counted[known[word]] - 1) / (aspects[known[word][0]] - 1)
        for word in words
        if aspects[known[word][0]] > 1
    ]
    return {
        "aspect": len(alike) / len(pairs),
        "polarity": fmean(one == two for one, two in alike) if alike else math.nan,
        "chance": fmean(by_chance),
        "opposite": float(nearer.double().mean()),
    }


def analogies(text: Text, name: str, most: int = 400) -> Tensor:
    """(n, 4): up to `most` questions a : b = c : d of a relation as ids, b and d different."""
    known = set(text.words)
    pairs = [pair for pair in relations()[name] if known.issuperset(pair)]
    asked = [(*p, *q) for p in pairs for q in pairs if p[1] != q[1] and p[0] != q[0]]
    order = torch.randperm(len(asked), generator=generator("cbow", "analogies", name)).tolist()
    numbers = numbers_of(text.words)
    rows = [[numbers[word] for word in asked[at]] for at in order[:most]]
    return torch.tensor(rows, dtype=torch.long).reshape(-1, 4)


def random_vectors(text: Text, hidden_size: int, seed: int) -> Tensor:
    """(V, H): vectors that no one trained."""
    shape = len(text.words), hidden_size
    return torch.randn(*shape, generator=generator("cbow", "random", seed))
