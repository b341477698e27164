"""The four cases on the micro-world: text that every machine has, labels known to be right.

The names are those of ``TASKS``, which holds the same cases on real data.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from chapter10.data.microworld import (
    Asked,
    Inference,
    Review,
    Tagged,
    ambiguous_words,
    inferences,
    questions,
    reviews,
    shipped,
)
from chapter10.data.microworld.splits import Held, Split
from chapter10.tasks.answer_scores import exact_match
from chapter10.tasks.catalogue import ENTAILMENTS, SENTIMENTS, UNIVERSAL_TAGS
from chapter10.tasks.classification import Classification, ClassPrediction, TextExample
from chapter10.tasks.question_answering import PredictedAnswer, QuestionAnswering
from chapter10.tasks.tagging import Tagging
from chapter10.tasks.task import Task
from chapter10.tokenizers import Tokenizer

MAX_LENGTH = 160
"""Tokens of a row; the longest question with its text has about 130."""
MAX_ANSWER = 10
"""Tokens of an answer; the longest in training examples has 8."""


@dataclass(frozen=True, kw_only=True)
class MicroTask:
    """One case on the micro-world.

    write: (world, how many, seed=, split=, wordings=) -> the micro-world's examples, with truth.
    convert: one of them -> what the task takes.
    make: tokeniser -> the task.
    answer: what of a prediction is the answer, in the form that baselines give theirs.
    right: (the micro-world's example, answer) -> whether it is right; the share is the score.
    baselines: names in ``chapter10.tasks.baselines.BASELINES``, the trivial one first.
    """

    title: str
    write: Callable[..., Sequence[Any]]
    convert: Callable[[Any], Any]
    make: Callable[[Tokenizer], Task[Any, Any, Any]]
    answer: Callable[[Any], Any]
    right: Callable[[Any, Any], bool]
    baselines: tuple[str, ...]


def _review(review: Review) -> TextExample:
    return TextExample(review.text, label=SENTIMENTS[review.label])


def _inference(pair: Inference) -> TextExample:
    return TextExample(pair.premise, pair.hypothesis, pair.label)


def _unchanged(given: Any) -> Any:
    return given


def _label(prediction: ClassPrediction) -> str:
    return prediction.label


def _text(prediction: PredictedAnswer) -> str:
    return prediction.text


def _same_sentiment(example: Review, answer: str) -> bool:
    return answer == SENTIMENTS[example.label]


def _same_relation(example: Inference, answer: str) -> bool:
    return answer == example.label


def _same_tag(example: Tagged, answer: Sequence[str]) -> bool:
    return answer[example.target] == example.tags[example.target]


def _same_text(example: Asked, answer: str) -> bool:
    return bool(exact_match(answer, [given.text for given in example.answers] or [""]))


MICRO_TASKS: Mapping[str, MicroTask] = {
    "sentiment": MicroTask(
        title="Case 1: is a review good or bad",
        write=reviews,
        convert=_review,
        make=lambda tokenizer: Classification(tokenizer, SENTIMENTS, max_length=MAX_LENGTH),
        answer=_label,
        right=_same_sentiment,
        baselines=("most frequent class", "character n-grams"),
    ),
    "tagging": MicroTask(
        title="Case 2: the part of speech of each word, scored on the ambiguous one",
        write=ambiguous_words,
        convert=_unchanged,
        make=lambda tokenizer: Tagging(tokenizer, UNIVERSAL_TAGS, max_length=MAX_LENGTH),
        answer=_unchanged,
        right=_same_tag,
        baselines=("most frequent tag", "most frequent tag of the word"),
    ),
    "nli": MicroTask(
        title="Case 3: does the second sentence follow from the first",
        write=inferences,
        convert=_inference,
        make=lambda tokenizer: Classification(tokenizer, ENTAILMENTS, max_length=MAX_LENGTH),
        answer=_label,
        right=_same_relation,
        baselines=("most frequent class", "character n-grams", "second text only"),
    ),
    "qa": MicroTask(
        title="Case 4: where in the text is the answer, scored by exact match",
        write=questions,
        convert=_unchanged,
        make=lambda tokenizer: QuestionAnswering(
            tokenizer, max_length=MAX_LENGTH, max_answer_length=MAX_ANSWER
        ),
        answer=_text,
        right=_same_text,
        baselines=("first sentence",),
    ),
}


def micro_task(name: str) -> MicroTask:
    """The case of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in MICRO_TASKS:
        near = difflib.get_close_matches(name, MICRO_TASKS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ValueError(f"There is no task {name!r}; there are {', '.join(MICRO_TASKS)}.{hint}")
    return MICRO_TASKS[name]


@lru_cache(maxsize=64)
def micro_examples(
    name: str, split: Split, count: int, seed: int | str = 0, wordings: Held = "held out"
) -> tuple[Any, ...]:
    """`count` different examples of a case, in the micro-world's own form, a function of the seed.

    Of those that say the same text the first is kept. wordings: "known" are those of training
    examples, in sentences of the split with its people and words.
    """
    task = micro_task(name)
    written = task.write(shipped("full"), 2 * count, seed=seed, split=split, wordings=wordings)
    return tuple(first_different(written, count, task.convert, f"{name!r} for {split}"))


def first_different(
    written: Sequence[Any], count: int, text: Callable[[Any], Any], what: str
) -> list[Any]:
    """The first `count` examples; of those that say the same text the first is kept.

    Raises:
        ValueError: there are fewer; the message tells of what.
    """
    unique = {text(example): example for example in reversed(written)}
    found = list(reversed(unique.values()))[:count]
    if len(found) < count:
        raise ValueError(
            f"The micro-world has only {len(found)} different examples of {what}, "
            f"of {count} asked for; ask for fewer."
        )
    return found
