"""What the parsers return: one small frozen class for each kind of example."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, TypeVar

Example = TypeVar("Example")


class Examples(list[Example], Generic[Example]):
    """A list of examples, with `notes`: what was left out or mended, and how often."""

    def __init__(
        self, examples: Iterable[Example] = (), notes: Mapping[str, int] | None = None
    ) -> None:
        super().__init__(examples)
        self.notes: Mapping[str, int] = MappingProxyType(dict(notes or {}))


@dataclass(frozen=True)
class TaggedSentence:
    """Words with parts of speech, and where each stands in the text.

    `offsets[i]` is the (start, end) of `tokens[i]` in `text`, in characters. The words of a
    contraction ("don't" = do + n't) share the range of its surface form.
    """

    tokens: tuple[str, ...]
    tags: tuple[str, ...]
    text: str
    offsets: tuple[tuple[int, int], ...]
    id: str = ""


@dataclass(frozen=True)
class Answer:
    """An answer; `start` is its first character in the context, None if it does not occur there."""

    text: str
    start: int | None


@dataclass(frozen=True)
class Question:
    """A question on a context, with the answers of one or more annotators."""

    id: str
    context: str
    question: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class NLIExample:
    """Premise and hypothesis; `label` is entailment, neutral or contradiction."""

    premise: str
    hypothesis: str
    label: str


@dataclass(frozen=True)
class LabelledText:
    """A text with a class (sentiment: 1 positive, 0 negative); `category` where the set has one."""

    text: str
    label: int
    category: str = ""


@dataclass(frozen=True)
class ParallelPair:
    """The same sentence twice; `attribution` names its authors where the licence asks for it."""

    source: str
    target: str
    attribution: str = ""


@dataclass(frozen=True)
class LabelledSequence:
    """A DNA or protein sequence in capital letters.

    `label` is a class, or one character for each residue; `subset` is train, validation or test
    where the set's authors say so; `mask` has a 1 for each residue whose label counts.
    """

    sequence: str
    label: str
    id: str = ""
    subset: str = ""
    mask: str = ""


@dataclass(frozen=True)
class Tune:
    """A tune in ABC notation: key, metre, kind (reel, jig, …), title, and the whole ABC text."""

    key: str
    meter: str
    type: str
    abc: str
    title: str = ""


@dataclass(frozen=True)
class Poem:
    """A poem."""

    title: str
    author: str
    text: str


@dataclass(frozen=True)
class Verse:
    """A verse; `id` is book.chapter.verse, the same in every translation."""

    id: str
    text: str
