"""Words with what is known about them, and the sentences they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

Language = Literal["zh", "en"]
Register = Literal["zh", "en", "gloss", "slots-zh", "slots-en"]

PUNCTUATION = frozenset("。，！？；：、“”《》.,!?;:")
CLOSING = PUNCTUATION - frozenset("“《")
ENGLISH_CLOSING = frozenset({".", ",", "!", "?", ";", ":", "'s", "n't"})


class Token(NamedTuple):
    """A word as it stands in a sentence.

    tag: Universal Dependencies part of speech. role: what it is in its event ("who", "where" …),
    empty for words of the pattern. sense: the id of its lexicon entry, empty for function words.
    """

    text: str
    tag: str
    role: str = ""
    sense: str = ""


class Span(NamedTuple):
    """A piece of a text, in characters: text[start:end]."""

    start: int
    end: int


@dataclass(frozen=True)
class Sentence:
    """One or more sentences as a row of tokens; `register` says how they are written out."""

    tokens: tuple[Token, ...]
    register: Register

    @cached_property
    def text(self) -> str:
        """As one writes it: Chinese without spaces, the others with them."""
        return write(self.tokens, self.register)[0]

    @cached_property
    def offsets(self) -> tuple[Span, ...]:
        """Where each token stands in `text`."""
        return tuple(write(self.tokens, self.register)[1])

    @property
    def words(self) -> tuple[str, ...]:
        """The tokens' texts."""
        return tuple(token.text for token in self.tokens)

    @property
    def tags(self) -> tuple[str, ...]:
        """The tokens' parts of speech."""
        return tuple(token.tag for token in self.tokens)

    @property
    def spaced(self) -> str:
        """Words with a space between them, for tokenisers that take words as units."""
        return " ".join(self.words)

    def role_span(self, role: str) -> Span | None:
        """The stretch of text from the first to the last token of a role."""
        places = [i for i, token in enumerate(self.tokens) if token.role == role]
        if not places:
            return None
        return Span(self.offsets[places[0]].start, self.offsets[places[-1]].end)


def write(tokens: Sequence[Token], register: Register) -> tuple[str, list[Span]]:
    """The text of a row of tokens, and where each of them stands in it."""
    spaced = register != "zh"
    pieces: list[str] = []
    spans: list[Span] = []
    length = 0
    previous = ""
    for token in tokens:
        text = token.text
        if spaced and previous and text not in CLOSING and text not in ENGLISH_CLOSING:
            pieces.append(" ")
            length += 1
        pieces.append(text)
        spans.append(Span(length, length + len(text)))
        length += len(text)
        previous = text
    return "".join(pieces), spans


def capitalise(tokens: Sequence[Token]) -> tuple[Token, ...]:
    """English tokens with a capital letter at the start of every sentence."""
    result = []
    at_start = True
    for token in tokens:
        if at_start and token.tag != "PUNCT":
            token = token._replace(text=token.text[:1].upper() + token.text[1:])
            at_start = False
        at_start = at_start or token.text in (".", "!", "?")
        result.append(token)
    return tuple(result)


def join(parts: Sequence[Sentence]) -> Sentence:
    """Several sentences of one register as one."""
    registers = {part.register for part in parts}
    if len(registers) != 1:
        raise ValueError(
            f"join got sentences of {len(registers)} registers; it joins one or more of one."
        )
    return Sentence(tuple(token for part in parts for token in part.tokens), parts[0].register)
