"""What the page `pos-tagging` runs (claim B13): one label for each word of a sequence.

Training, scores and baselines are those of :mod:`chapter10.experiments.downstream`; here stand the
looks at one model: where its loss falls, what it is unsure of, which neighbours it goes by.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import NamedTuple

import torch
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from chapter10.data import TaggedSentence
from chapter10.data.microworld import Tagged
from chapter10.experiments import downstream
from chapter10.objectives import cross_entropy_sum
from chapter10.tasks import BASELINES, Tagging, TaskModel, align, micro_examples
from chapter10.tokenizers import Tokenizer

NAME = "tagging"
NEIGHBOURS = "neighbours"
"""The baseline of this page alone: it learns from a word and the two beside it."""
ENGLISH = TaggedSentence(
    tokens=("I", "can", "not", "go", ",", "do", "n't", "wait", "."),
    tags=("PRON", "AUX", "PART", "VERB", "PUNCT", "AUX", "PART", "VERB", "PUNCT"),
    text="I cannot go, don't wait.",
    # The words of a contraction share its range, as in Universal Dependencies.
    offsets=((0, 1), (2, 5), (5, 8), (9, 11), (11, 12), (13, 18), (13, 18), (19, 23), (23, 24)),
)
"""A sentence in which words and tokens do not fit: "don't" is two words of one range, and "cannot"
two words that may be one token."""
ENGLISH_TEXTS = (
    ENGLISH.text,
    "I cannot wait.",
    "We cannot go there today.",
    "They cannot stay, they don't know why.",
    "You don't have to wait, we cannot be late.",
)
"""Enough for a small subword tokeniser to know "cannot" as one token."""


# --- data


def tags_of_words(examples: Sequence[Tagged]) -> dict[str, Counter[str]]:
    """For each ambiguous word, in order of their characters, how often it has which tag."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for example in examples:
        counts[example.tokens[example.target]][example.tags[example.target]] += 1
    return dict(sorted(counts.items()))


def spaced(text: str) -> TaggedSentence:
    """A sentence typed with a space after each word: its words, and the text without spaces.

    It has no tags yet.

    Raises:
        ValueError: no word was typed.
    """
    words = tuple(text.split())
    if not words:
        raise ValueError("Type at least one word, with a space between words.")
    ends = [len("".join(words[: number + 1])) for number in range(len(words))]
    offsets = tuple((end - len(word), end) for word, end in zip(words, ends, strict=True))
    return TaggedSentence(words, (), "".join(words), offsets)


def speaking_tokens(tokenizer: Tokenizer, sentence: TaggedSentence) -> list[tuple[str, str, int]]:
    """For each word: itself, the token that speaks for it, and that token's place in the row."""
    encoding = tokenizer.encode(sentence.text, literal=True)
    places = align(sentence.offsets, encoding.offsets)
    return [
        (word, encoding.tokens[place], place)
        for word, place in zip(sentence.tokens, places, strict=True)
        if place is not None
    ]


def unknown(tokenizer: Tokenizer, text: str) -> int:
    """How many tokens of a text the tokeniser does not know: they become [UNK]."""
    return tokenizer.tokenize(text, literal=True).count("[UNK]")


# --- scores


class Accuracies(NamedTuple):
    """Shares of words with the right tag."""

    all_words: float
    ambiguous: float
    """Of each sentence only the word whose tag depends on the sentence."""


def accuracies(examples: Sequence[Tagged], answers: Sequence[Sequence[str]]) -> Accuracies:
    """Both shares, for the tags that were given to the words of each sentence."""
    right = [
        said == tag
        for example, answer in zip(examples, answers, strict=True)
        for said, tag in zip(answer, example.tags, strict=True)
    ]
    return Accuracies(
        all_words=downstream.share(right),
        ambiguous=downstream.share(downstream.rights(NAME, examples, answers)),
    )


def baseline_answers(
    examples: Sequence[Tagged], baseline: str, seed: int, labels: int | None = None
) -> Sequence[Sequence[str]]:
    """The tags that a baseline of ``BASELINES``, or "neighbours", gives after learning from the
    training labels of a seed, by default as many as the starts are compared at."""
    train = micro_examples(NAME, "train", labels or downstream.LABELS[NAME], seed)
    validation = downstream.validation_examples(NAME, downstream.VALIDATION)
    answer = neighbours if baseline == NEIGHBOURS else BASELINES[baseline]
    return answer(train, validation, examples)


@lru_cache(maxsize=64)
def neighbour_scores(labels: int, seed: int) -> Mapping[str, float]:
    """The scores of :func:`neighbours` in both exams."""
    exams = {exam: downstream.exam_examples(NAME, exam) for exam in downstream.WORDINGS}
    together = [example for found in exams.values() for example in found]
    answers = iter(baseline_answers(together, NEIGHBOURS, seed, labels))
    return {
        exam: downstream.share(downstream.rights(NAME, found, [next(answers) for _ in found]))
        for exam, found in exams.items()
    }


def neighbours(
    train: Sequence[Tagged], validation: Sequence[Tagged], test: Sequence[Tagged]
) -> list[tuple[str, ...]]:
    """Logistic regression on a word and the words left and right of it.

    The strength of regularisation is the one that does best on the validation sentences' words.
    """

    def features(examples: Sequence[Tagged]) -> list[dict[str, str]]:
        found = []
        for example in examples:
            padded = ("", *example.tokens, "")
            for left, word, right in zip(padded, padded[1:], padded[2:], strict=False):
                pairs = {"left+word": f"{left} {word}", "word+right": f"{word} {right}"}
                found.append({"left": left, "word": word, "right": right, **pairs})
        return found

    def tags(examples: Sequence[Tagged]) -> list[str]:
        return [tag for example in examples for tag in example.tags]

    reader = DictVectorizer()
    inputs, held_out = reader.fit_transform(features(train)), reader.transform(features(validation))
    models = [
        LogisticRegression(C=strength, max_iter=300).fit(inputs, tags(train))
        for strength in (1.0, 10.0, 100.0)
    ]
    best = max(models, key=lambda model: model.score(held_out, tags(validation)))
    said = iter(best.predict(reader.transform(features(test))))
    return [tuple(str(next(said)) for _ in example.tokens) for example in test]


def at_target(
    examples: Sequence[Tagged], answers: Sequence[Sequence[str]]
) -> tuple[list[str], list[str]]:
    """The tag of each ambiguous word, and the tag it was given."""
    given = [example.tags[example.target] for example in examples]
    predicted = [answer[example.target] for example, answer in zip(examples, answers, strict=True)]
    return given, predicted


# --- what one model does


def logit_gradients(
    task: Tagging, model: TaskModel, examples: Sequence[TaggedSentence]
) -> tuple[Tensor, Tensor]:
    """For each token the largest gradient of the loss in its scores, and its label: (B, T) each."""
    batch = task.collate(task.encode(examples))
    scores = task.forward(model, batch).logits
    scores.retain_grad()
    total, count = cross_entropy_sum(scores, batch["labels"])
    (total / count).backward()
    model.zero_grad()
    return scores.grad.abs().amax(-1), batch["labels"]


def target_chances(
    task: Tagging, model: TaskModel, examples: Sequence[Tagged], hidden: Sequence[Collection[int]]
) -> Tensor:
    """Probabilities of the tags of each sentence's ambiguous word, some words hidden: (N, C).

    hidden: for each sentence the places of the words whose tokens are replaced by [MASK].
    """
    rows, places, mask = [], [], task.tokenizer.mask_token_id
    assert mask is not None  # a tokeniser of style "bert" has one
    encoded = task.encode(examples, targets=False)
    for example, row, chosen in zip(examples, encoded, hidden, strict=True):
        offsets = task.tokenizer.encode(example.text, literal=True).offsets
        spans = [example.offsets[place] for place in chosen]
        ids = [
            mask if any(first < end and last > start for start, end in spans) else token
            for token, (first, last) in zip(row.input_ids, offsets, strict=True)
        ]
        rows.append(replace(row, input_ids=ids))
        places.append(row.positions[example.target])
    outputs = task.outputs(model, rows)
    logits = [scores[place] for (scores,), place in zip(outputs, places, strict=True)]
    return torch.stack(logits).softmax(-1)


class Doubt(NamedTuple):
    """How a model sees the ambiguous word of a sentence."""

    example: Tagged
    right: float
    """Probability of the right tag."""
    said: str
    probability: float
    """The likeliest tag and its probability."""


def doubts(task: Tagging, model: TaskModel, examples: Sequence[Tagged]) -> list[Doubt]:
    """All examples, the one first to whose right tag the model gives the least probability."""
    chances = target_chances(task, model, examples, [()] * len(examples))
    found = []
    for example, row in zip(examples, chances, strict=True):
        right = task.numbers[example.tags[example.target]]
        best = int(row.argmax())
        found.append(Doubt(example, float(row[right]), task.labels[best], float(row[best])))
    return sorted(found, key=lambda doubt: doubt.right)


def occlusion(task: Tagging, model: TaskModel, examples: Sequence[Tagged]) -> list[list[float]]:
    """For each word of each sentence: how much less probable the ambiguous word's right tag becomes
    when this word is hidden."""
    repeated, hidden = [], []
    for example in examples:
        ways: list[tuple[int, ...]] = [(), *((place,) for place in range(len(example.tokens)))]
        repeated += [example] * len(ways)
        hidden += ways
    chances = target_chances(task, model, repeated, hidden)
    right = [task.numbers[example.tags[example.target]] for example in repeated]
    of_right = iter(chances[range(len(right)), right].tolist())
    drops = []
    for example in examples:
        whole = next(of_right)
        drops.append([whole - next(of_right) for _ in example.tokens])
    return drops


def share_within(task: Tagging, model: TaskModel, examples: Sequence[Tagged], reach: int) -> float:
    """The share of ambiguous words with the right tag when all words farther away than `reach` are
    hidden."""
    hidden = [
        [place for place in range(len(one.tokens)) if abs(place - one.target) > reach]
        for one in examples
    ]
    best = target_chances(task, model, examples, hidden).argmax(-1).tolist()
    right = [
        task.labels[number] == one.tags[one.target]
        for number, one in zip(best, examples, strict=True)
    ]
    return downstream.share(right)


def by_distance(
    examples: Sequence[Tagged], drops: Sequence[Sequence[float]], reach: int = 3
) -> dict[int, float]:
    """The mean of such drops by how many words to the right of the ambiguous word the hidden one
    stands, from `-reach` to `reach`; 0 is the ambiguous word itself."""
    found: dict[int, list[float]] = {distance: [] for distance in range(-reach, reach + 1)}
    for example, drop in zip(examples, drops, strict=True):
        for place, value in enumerate(drop):
            if abs(place - example.target) <= reach:
                found[place - example.target].append(value)
    return {distance: sum(values) / len(values) for distance, values in found.items() if values}


# --- evidence


def _neighbour_score(labels: int, exam: str, seed: int) -> float:
    return neighbour_scores(labels, seed)[exam]


EXPERIMENTS = {
    "B13": downstream.case_experiment(
        NAME,
        {
            f"{NEIGHBOURS} {labels}·{exam}": partial(_neighbour_score, labels, exam)
            for labels in downstream.BUDGETS
            for exam in downstream.WORDINGS
        },
    )
}
