"""The English side of a lexicon entry: its word forms, and the tags of the words of a phrase."""

from __future__ import annotations

from collections.abc import Mapping

from chapter10.data.microworld import english
from chapter10.data.microworld.tokens import Token

Forms = dict[str, tuple[Token, ...]]
ADJECTIVES = [
    "last",
    "next",
    "big",
    "little",
    "great",
    "green",
    "red",
    "black",
    "hot",
    "sweet",
    "wild",
    "fried",
    "roast",
    "grilled",
    "braised",
    "steamed",
    "electric",
    "light",
    "heavy",
    "pouring",
    "bitter",
    "older",
    "younger",
    "high",
]


def english_forms(base: str, tag: str, facts: Mapping[str, str]) -> Forms:
    """The English forms of an entry: one, many; of a verb base, s, ing, past, pp, then."""
    if tag == "VERB":
        parts = base.split()
        verb = parts[0]
        irregular = parts if len(parts) == 3 else [verb, english.past(verb), english.past(verb)]
        forms = {
            "base": verb,
            "s": english.third_person(verb),
            "ing": english.ing(verb),
            "past": irregular[1],
            "pp": irregular[2],
        }
        result: Forms = {name: (Token(form, "VERB"),) for name, form in forms.items()}
        result["then"] = _tagged(facts.get("then", ""))
        return result
    one, _, many = base.partition("|")
    many = many or facts.get("plural") or english.plural(one)
    return {"one": _phrase(one, tag, facts), "many": _phrase(many, tag, facts)}


CLOSED = {
    **dict.fromkeys(("the", "a", "an", "this", "every"), "DET"),
    **dict.fromkeys(("in", "on", "at", "after", "of", "before", "ago", "by"), "ADP"),
    **dict.fromkeys(ADJECTIVES, "ADJ"),
    "two": "NUM",
    "my": "PRON",
}
"""Tags of the small words and adjectives inside English phrases."""


def _phrase(text: str, tag: str, facts: Mapping[str, str]) -> tuple[Token, ...]:
    """The words of a phrase; `tags` in the file says what they are where that is not plain."""
    words = text.split()
    if "tags" in facts:
        return tuple(Token(*pair) for pair in zip(words, facts["tags"].split(), strict=True))
    if len(words) == 1 or tag == "PROPN":
        return tuple(Token(word, tag) for word in words)
    return tuple(Token(word, CLOSED.get(word, tag)) for word in words)


def _tagged(text: str) -> tuple[Token, ...]:
    return tuple(Token(*item.split("/")) for item in text.split())
