"""The tasks that have a name: their data, their labels, what they are compared with."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from chapter10.data import LabelledText, NLIExample, Question, TaggedSentence
from chapter10.tasks.classification import Classification, TextExample
from chapter10.tasks.question_answering import QuestionAnswering
from chapter10.tasks.tagging import Tagging
from chapter10.tasks.task import Task
from chapter10.tokenizers import Tokenizer

SENTIMENTS = ("negative", "positive")
ENTAILMENTS = ("entailment", "neutral", "contradiction")
# https://universaldependencies.org/u/pos/: the 17 parts of speech of every language.
_TAGS = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X"
UNIVERSAL_TAGS = tuple(_TAGS.split())

Source = tuple[str, str | None]
"""A data set's name and its split, None where it has only one."""


@dataclass(frozen=True, kw_only=True)
class NamedTask:
    """A task with its data.

    pool: what training and validation examples are taken from, and test examples too, where
        ``test`` is None.
    test: the published test set; examples of the pool that share a key with it are left out.
    texts: those of an example, from which a tokeniser may be trained.
    key: what makes two examples the same; they fall on the same side of every split.
    make: (tokenizer, longest row in tokens) -> the task.
    baselines: names in ``chapter10.tasks.baselines.BASELINES``.
    """

    title: str
    pool: Source
    test: Source | None
    convert: Callable[[Any], Any]
    texts: Callable[[Any], tuple[str, ...]]
    key: Callable[[Any], str]
    make: Callable[[Tokenizer, int], Task[Any, Any, Any]]
    max_length: int
    baselines: tuple[str, ...]


def _review(example: LabelledText) -> TextExample:
    return TextExample(example.text, label=SENTIMENTS[example.label])


def _inference(example: NLIExample) -> TextExample:
    return TextExample(example.premise, example.hypothesis, example.label)


def _unchanged(example: Any) -> Any:
    return example


def _text(example: TextExample | TaggedSentence) -> str:
    return example.text


def _document(example: Question) -> str:
    return example.context


TASKS: Mapping[str, NamedTask] = {
    "sentiment": NamedTask(
        title="Case 1: is a review of a delivered meal good or bad (waimai_10k)",
        pool=("waimai_10k", None),
        test=None,
        convert=_review,
        texts=lambda example: (example.text,),
        key=_text,
        make=lambda tokenizer, length: Classification(
            tokenizer, SENTIMENTS, max_length=length, truncate=True
        ),
        max_length=128,
        baselines=("most frequent class", "character n-grams"),
    ),
    "tagging": NamedTask(
        title="Case 2: the part of speech of each word (UD Chinese GSDSimp)",
        pool=("ud_zh_gsdsimp", "dev"),
        test=("ud_zh_gsdsimp", "test"),
        convert=_unchanged,
        texts=lambda example: (example.text,),
        key=_text,
        make=lambda tokenizer, length: Tagging(tokenizer, UNIVERSAL_TAGS, max_length=length),
        max_length=256,
        baselines=("most frequent tag", "most frequent tag of the word"),
    ),
    "nli": NamedTask(
        title="Case 3: does the second sentence follow from the first (OCNLI)",
        pool=("ocnli", "train"),
        test=("ocnli", "dev"),
        convert=_inference,
        texts=lambda example: (example.text, example.pair),
        key=_text,  # the premise: its hypotheses stay together
        make=lambda tokenizer, length: Classification(tokenizer, ENTAILMENTS, max_length=length),
        max_length=128,
        baselines=("most frequent class", "character n-grams", "second text only"),
    ),
    "qa": NamedTask(
        title="Case 4: where in the document is the answer (CMRC 2018, its public questions)",
        pool=("cmrc2018", "dev"),
        test=None,
        convert=_unchanged,
        texts=lambda example: (example.question, example.context),
        key=_document,
        make=lambda tokenizer, length: QuestionAnswering(tokenizer, max_length=length),
        max_length=256,
        baselines=("first sentence",),
    ),
}


def named_task(name: str) -> NamedTask:
    """The task of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in TASKS:
        near = difflib.get_close_matches(name, TASKS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ValueError(f"There is no task {name!r}; the tasks are {', '.join(TASKS)}.{hint}")
    return TASKS[name]
