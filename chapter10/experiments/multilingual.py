"""What the page `multilingual` measures (claims M1 and M3): fills, and who lies beside whom.

Words, categories and sentences are looked for in the other language, layer by layer. Each figure
has two baselines: a model with random weights, and `statistics_retrieval`, which has no model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from torch import Tensor

from chapter10.alignment import (
    Retrieval,
    cosine,
    retrieval,
    right_pairs,
    sentence_vectors,
    statistics_sentences,
    statistics_similarity,
    word_vectors,
)
from chapter10.bert import BertForPreTraining
from chapter10.data.microworld import shipped as world
from chapter10.data.microworld.languages import (
    Code,
    Row,
    Rung,
    categories,
    said,
    same_events,
    translations,
)
from chapter10.data.microworld.languages import sentences as write_sentences
from chapter10.experiments.languages import EXAM, Lesson, Multilingual
from chapter10.objectives import IGNORE_INDEX
from chapter10.training import Batches
from chapter10.training.batches import Batch
from chapter10.training.evaluation import heldout_means

PAIRS = 400
"""Parallel test sentences for retrieval; fewer where a text comes twice."""
DICTIONARY = 2_000
"""Parallel sentences that the dictionary is read off; no model sees their pairing."""


def fills(model: BertForPreTraining, lesson: Lesson, held: Sequence[Row], seed: int = 0) -> float:
    """M1: share of the blanks of held-out rows that are filled with the right word."""
    exam = exam_objective(lesson)
    batches = Batches(exam.ids(held), exam.collate, tokens_per_batch=4096, seed=seed).first_epoch()
    return heldout_means(batches, exam.measure)(model)["masked_accuracy"]


def exam_objective(lesson: Lesson) -> Multilingual:
    """The lesson's objective with 15 % of the words hidden, all of them as [MASK]."""
    setting = replace(lesson.setting, masking=EXAM)
    return Multilingual(lesson.tokenizer, lesson.objective.language, setting)


def parallel(lesson: Lesson, pair: tuple[Code, Code], seed: int) -> list[list[Row]]:
    """PAIRS sentences in both languages, each text once, in the order that each language has."""
    both = same_events(world("core"), pair, PAIRS, rung=lesson.setting.rung, seed=seed)
    kept: dict[tuple[Row, ...], list[Row]] = {}
    seen: set[Row] = set()
    for sentences in both:
        texts = tuple(
            said(one, lesson.setting.habits[code])
            for one, code in zip(sentences, pair, strict=True)
        )
        if not seen & set(texts):
            seen |= set(texts)
            kept[texts] = list(texts)
    return [[texts[side] for texts in kept.values()] for side in (0, 1)]


@cache
def dictionary(rung: Rung, pair: tuple[Code, Code]) -> Mapping[str, frozenset[str]]:
    """The dictionary that judges; it knows the words of all splits, and no model sees it."""
    both = same_events(
        world("core"), pair, DICTIONARY, rung=rung, seed="dictionary", split="pretraining"
    )
    return translations(both, rung)


@cache
def groups(rung: Rung, code: Code) -> Mapping[str, str]:
    """Word -> category, for retrieval by category."""
    return categories(
        world("core"), write_sentences(world("core"), code, DICTIONARY, rung=rung, seed="groups")
    )


def same_category(lesson: Lesson, pair: tuple[Code, Code]) -> np.ndarray:
    """(N, M) of bool: which words of the two languages belong to one category."""
    first, second = (
        [groups(lesson.setting.rung, c).get(w, "") for w in lesson.words(c)] for c in pair
    )
    return np.array([[a == b != "" for b in second] for a in first])


def right_words(lesson: Lesson, pair: tuple[Code, Code]) -> np.ndarray:
    """(N, M) of bool: which word translates which."""
    known = dictionary(lesson.setting.rung, pair)
    return right_pairs(lesson.words(pair[0]), lesson.words(pair[1]), known)


def word_similarity(
    model: BertForPreTraining, lesson: Lesson, pair: tuple[Code, Code], *, rows_each: int = 1_500
) -> list[np.ndarray]:
    """(N, M) for each layer from the embedding on: cosine of the words' mean vectors."""
    vectors = []
    for code in pair:
        batches = reading(lesson, lesson.corpora[code][:rows_each])
        ids = [lesson.tokenizer.token_to_id(word) or 0 for word in lesson.words(code)]
        vectors.append(word_vectors(model, batches, ids))
    return [cosine(a, b) for a, b in zip(*vectors, strict=True)]


def word_retrieval(
    model: BertForPreTraining, lesson: Lesson, pair: tuple[Code, Code]
) -> list[Retrieval]:
    """M3, layer by layer: is the nearest word of the other language a translation?"""
    right = right_words(lesson, pair)
    return [retrieval(similarity, right) for similarity in word_similarity(model, lesson, pair)]


def category_retrieval(
    model: BertForPreTraining, lesson: Lesson, pair: tuple[Code, Code]
) -> list[Retrieval]:
    """The same where any word of the right category will do."""
    right = same_category(lesson, pair)
    return [retrieval(similarity, right) for similarity in word_similarity(model, lesson, pair)]


def sentence_retrieval(
    model: BertForPreTraining, lesson: Lesson, pair: tuple[Code, Code], seed: int
) -> list[Retrieval]:
    """The same for whole sentences of the test split that tell of one event."""
    own = range(len(lesson.tokenizer), lesson.objective.vocab_size)
    special = sorted({*lesson.tokenizer.special_ids, *own})
    sides = [
        sentence_vectors(model, reading(lesson, texts), special)
        for texts in parallel(lesson, pair, seed)
    ]
    right = np.eye(sides[0].shape[1], dtype=bool)
    return [retrieval(cosine(a, b), right) for a, b in zip(*sides, strict=True)]


def statistics_retrieval(
    lesson: Lesson, pair: tuple[Code, Code], seed: int
) -> dict[str, Retrieval]:
    """The baseline of "words", "categories" and "sentences" that has no network."""
    words = (lesson.words(pair[0]), lesson.words(pair[1]))
    first, second = (lesson.corpora[code] for code in pair)
    similarity = statistics_similarity(first, second, *words)
    sides = parallel(lesson, pair, seed)
    whole = statistics_sentences(similarity, words, *sides)
    return {
        "words": retrieval(similarity, right_words(lesson, pair)),
        "categories": retrieval(similarity, same_category(lesson, pair)),
        "sentences": retrieval(whole, np.eye(len(sides[0]), dtype=bool)),
    }


def reading(lesson: Lesson, texts: Sequence[Row], size: int = 256) -> list[Batch]:
    """Batches in the given order, without blanks."""
    return [
        lesson.objective.read(texts[start : start + size]) for start in range(0, len(texts), size)
    ]


def answers(batch: Batch) -> Tensor:
    """(N,): the hidden words of a batch."""
    return batch["labels"][batch["labels"] != IGNORE_INDEX]
