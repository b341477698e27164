"""Patterns such as ``{who} {where.in} {verb} 了 {what.np} 。``, compiled once, filled often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chapter10.data.microworld.draws import Draws
from chapter10.data.microworld.files import Text, fail
from chapter10.data.microworld.forms import EN_FORMS, ZH_FORMS, Fillers, Form
from chapter10.data.microworld.lexicon import TAGS, Lexicon
from chapter10.data.microworld.tokens import Language, Token, capitalise


@dataclass(frozen=True, slots=True)
class Slot:
    """A place to fill: the role, and the form it takes."""

    role: str
    form: Form
    name: str


Piece = Token | Slot


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern.

    parts: (optional, pieces); an optional part is left out with some probability.
    """

    language: Language
    parts: tuple[tuple[bool, tuple[Piece, ...]], ...]
    source: str
    number: int = 0
    """Its place among the patterns of the same list: splits go by it."""

    def roles(self) -> set[str]:
        """The roles that must be filled."""
        return {p.role for _, pieces in self.parts for p in pieces if isinstance(p, Slot)}

    def fill(
        self, fillers: Fillers, draws: Draws, *, detail: float = 0.5, capital: bool = True
    ) -> tuple[Token, ...]:
        """The tokens of the sentence; an optional part appears with probability `detail`.

        capital: whether an English sentence begins with a capital letter.
        """
        tokens: list[Token] = []
        for optional, pieces in self.parts:
            if optional and not draws.chance(detail):
                continue
            for piece in pieces:
                if isinstance(piece, Slot):
                    filler = fillers[piece.role]
                    tokens += [
                        token._replace(role=piece.role) for token in piece.form(filler, fillers)
                    ]
                else:
                    tokens.append(piece)
        return capitalise(tokens) if capital and self.language == "en" else tuple(tokens)


def compile_pattern(source: Text, language: Language, lexicon: Lexicon, number: int) -> Pattern:
    """Read a pattern: words, ``{role.form}`` slots, ``[optional parts]``; a blank between any two.

    Raises:
        WorldFileError: an unknown word, form or bracket; the message says what would do.
    """
    forms = ZH_FORMS if language == "zh" else EN_FORMS
    parts: list[tuple[bool, list[Piece]]] = [(False, [])]
    for item in source.replace("[", " [ ").replace("]", " ] ").split():
        if item in ("[", "]"):
            opening = item == "["
            if opening == parts[-1][0]:
                raise fail(source, "brackets do not match; write [optional words] without nesting")
            parts.append((opening, []))
        elif item.startswith("{"):
            parts[-1][1].append(_slot(source, item, forms))
        else:
            parts[-1][1].append(_literal(source, item, language, lexicon))
    if parts[-1][0]:
        raise fail(source, "a [ is never closed; add the ]")
    kept = tuple((optional, tuple(pieces)) for optional, pieces in parts if pieces)
    return Pattern(language, kept, str(source), number)


def _slot(source: Text, item: str, forms: Mapping[str, Form]) -> Slot:
    if not item.endswith("}"):
        raise fail(
            source, f"{item!r} is no slot; write {{role}} or {{role.form}}, blanks around it"
        )
    role, _, form = item[1:-1].partition(".")
    if form not in forms:
        choices = ", ".join(name for name in forms if name)
        raise fail(source, f"{item} asks for the form {form!r}; there are {choices}")
    return Slot(role, forms[form], form)


def _literal(source: Text, item: str, language: Language, lexicon: Lexicon) -> Token:
    text, slash, tag = item.partition("/")
    text = text.replace("_", " ")
    known = lexicon.tags[language]
    if slash:
        if tag not in TAGS:
            raise fail(source, f"{tag!r} in {item} is no part of speech; NOUN, VERB, ADP …")
        if language == "zh" and text not in lexicon.glosses and tag != "PUNCT":
            raise fail(source, f"no lexicon file has the word {text}; add it to words.yml")
        return Token(text, tag)
    tags = known.get(text) or known.get(text.lower())
    if tags is None:
        raise fail(
            source, f"no lexicon file has the word {text!r}; add it to words.yml or function.yml"
        )
    if len(tags) > 1 and text in lexicon.plain[language]:
        tags = (lexicon.plain[language][text],)
    if len(tags) > 1:
        choices = " or ".join(f"{text}/{tag}" for tag in tags)
        raise fail(source, f"{text!r} may be {' or '.join(tags)}; write {choices}")
    return Token(text, tags[0])
