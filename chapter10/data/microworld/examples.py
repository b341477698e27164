"""What the tasks give out: the package's kinds of example, with tokens and truth beside them."""

from __future__ import annotations

from dataclasses import dataclass

from chapter10.data.examples import LabelledText, NLIExample, Question, TaggedSentence
from chapter10.data.microworld.tokens import Sentence, Span

NOTHING = Sentence((), "zh")


@dataclass(frozen=True)
class Review(LabelledText):
    """A review; `label` 1 positive, 0 negative; `category` the kind: plain, negation, contrast …"""

    sentence: Sentence = NOTHING
    aspects: tuple[str, ...] = ()
    """The adjectives' ids, in the order of the text."""


@dataclass(frozen=True)
class Inference(NLIExample):
    """Premise, hypothesis and their relation; `kind` is what must be understood."""

    kind: str = ""
    premise_sentence: Sentence = NOTHING
    hypothesis_sentence: Sentence = NOTHING


@dataclass(frozen=True)
class Asked(Question):
    """A question on several sentences; without an answer where `answers` is empty.

    asked: the role asked for. context_sentence, question_sentence: their tokens. span: first and
    last token of the answer in the context, None where there is none.
    """

    asked: str = ""
    context_sentence: Sentence = NOTHING
    question_sentence: Sentence = NOTHING
    span: tuple[int, int] | None = None
    candidates: tuple[tuple[int, int], ...] = ()
    """Spans of tokens in the context that are of the asked kind, the answer among them."""


@dataclass(frozen=True)
class Tagged(TaggedSentence):
    """Words with parts of speech; `target` is the place of the ambiguous word, -1 without one."""

    target: int = -1


@dataclass(frozen=True)
class SenseUse:
    """A sentence with an ambiguous word.

    word: its written form. sense: its lexicon id. target: its place among the tokens. span: its
    characters in the text. kind: "plain" (one clause) or "mixed" (beside a clause about the other
    sense, so that the words of the sentence as a set do not tell).
    """

    sentence: Sentence
    word: str
    sense: str
    target: int
    kind: str

    @property
    def text(self) -> str:
        """The sentence as written."""
        return self.sentence.text

    @property
    def span(self) -> Span:
        """Where the word stands in the text."""
        return self.sentence.offsets[self.target]
