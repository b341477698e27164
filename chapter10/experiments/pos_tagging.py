"""What the page `pos-tagging` runs (claim B13): one label for each word of a sequence.

Training, scores and baselines are those of :mod:`chapter10.experiments.downstream`; here stand the
looks at one model: where its loss falls, what it is unsure of, which neighbours it goes by.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from torch import Tensor

from chapter10.data import TaggedSentence
from chapter10.data.microworld import Tagged
from chapter10.experiments import downstream
from chapter10.experiments.downstream import Fitted
from chapter10.objectives import cross_entropy_sum
from chapter10.tasks import BASELINES, Tagging, align, micro_examples
from chapter10.tokenizers import Tokenizer

NAME = "tagging"
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


def lookup(examples: Sequence[Tagged], baseline: str, seed: int) -> list[tuple[str, ...]]:
    """The answers of a baseline that learned from the labels of a seed."""
    train = micro_examples(NAME, "train", downstream.LABELS, seed)
    validation = micro_examples(NAME, "validation", downstream.VALIDATION)
    return list(BASELINES[baseline](train, validation, examples))


def at_target(
    examples: Sequence[Tagged], answers: Sequence[Sequence[str]]
) -> tuple[list[str], list[str]]:
    """The tag of each ambiguous word, and the tag it was given."""
    given = [example.tags[example.target] for example in examples]
    predicted = [answer[example.target] for example, answer in zip(examples, answers, strict=True)]
    return given, predicted


# --- what one model does


def tagging(fitted: Fitted) -> Tagging:
    """The task of a fitted model, which must be this one."""
    assert isinstance(fitted.task, Tagging)
    return fitted.task


def logit_gradients(fitted: Fitted, examples: Sequence[TaggedSentence]) -> tuple[Tensor, Tensor]:
    """For each token the largest gradient of the loss in its scores, and its label: (B, T) each."""
    batch = fitted.task.collate(fitted.task.encode(examples))
    scores = fitted.task.forward(fitted.model, batch).logits
    scores.retain_grad()
    total, count = cross_entropy_sum(scores, batch["labels"])
    (total / count).backward()
    fitted.model.zero_grad()
    return scores.grad.abs().amax(-1), batch["labels"]


class Doubt(NamedTuple):
    """How a model sees the ambiguous word of a sentence."""

    example: Tagged
    right: float
    """Probability of the right tag."""
    said: str
    probability: float
    """The likeliest tag and its probability."""


def doubts(fitted: Fitted, examples: Sequence[Tagged]) -> list[Doubt]:
    """All examples, the one first to whose right tag the model gives the least probability."""
    task = tagging(fitted)
    rows = task.encode(examples, targets=False)
    found = []
    outputs = task.outputs(fitted.model, rows)
    for example, row, (logits,) in zip(examples, rows, outputs, strict=True):
        chances = logits[row.positions[example.target]].softmax(-1)  # (C,)
        best = int(chances.argmax())
        right = task.numbers[example.tags[example.target]]
        found.append(Doubt(example, float(chances[right]), task.labels[best], float(chances[best])))
    return sorted(found, key=lambda doubt: doubt.right)


def occlusion(fitted: Fitted, examples: Sequence[Tagged]) -> list[list[float]]:
    """For each word of each sentence: how much less probable the ambiguous word's right tag becomes
    when this word is hidden, its tokens replaced by [MASK]."""
    task, mask = tagging(fitted), fitted.task.tokenizer.mask_token_id
    rows, wanted = [], []
    for example, row in zip(examples, task.encode(examples, targets=False), strict=True):
        offsets = task.tokenizer.encode(example.text, literal=True).offsets
        place, tag = row.positions[example.target], example.tags[example.target]
        for hidden in (None, *example.offsets):
            start, end = hidden or (0, 0)
            inside = [first < end and last > start for first, last in offsets]
            ids = [mask if covered else i for i, covered in zip(row.input_ids, inside, strict=True)]
            rows.append(replace(row, input_ids=ids))
            wanted.append((place, task.numbers[tag]))
    chances = iter(
        float(logits[place].softmax(-1)[tag])
        for (logits,), (place, tag) in zip(task.outputs(fitted.model, rows), wanted, strict=True)
    )
    drops = []
    for example in examples:
        whole = next(chances)
        drops.append([whole - next(chances) for _ in example.tokens])
    return drops


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


EXPERIMENTS = {"B13": downstream.case_experiment(NAME)}
