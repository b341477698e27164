"""How a filler of a slot is written: {what.np}, {who.pron}, {where.in} … in either language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chapter10.data.microworld import english
from chapter10.data.microworld.english import CHINESE_NUMBERS, NUMBERS
from chapter10.data.microworld.lexicon import Word
from chapter10.data.microworld.tokens import Token

Tokens = tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class Filler:
    """What stands in a slot: a word, how many of it, and what it is like."""

    word: Word
    count: int = 1
    adjective: Word | None = None
    named: bool = False
    """Written by name where a pattern would say he or she."""
    known: bool = False
    """Named before in the text: {who.again} says he or she."""


Fillers = Mapping[str, Filler]
Form = Callable[[Filler, Fillers], Tokens]


def _zh(word: Word) -> Token:
    return Token(word.zh, word.tag, "", word.id)


def _zh_described(filler: Filler) -> Tokens:
    """Adjective and noun; a word of one syllable stands without 的."""
    if filler.adjective is None:
        return (_zh(filler.word),)
    adjective = _zh(filler.adjective)
    if filler.adjective.is_("bare"):
        return (adjective, _zh(filler.word))
    return (adjective, Token("的", "PART"), _zh(filler.word))


def _zh_counted(first: Token, filler: Filler) -> Tokens:
    measure = Token(filler.word.fact("measure", "个"), "NOUN")
    return (first, measure, *_zh_described(filler))


def _zh_np(filler: Filler, _: Fillers) -> Tokens:
    if filler.word.tag == "PROPN" or filler.word.group in ("relative", "schoolsubject"):
        return (_zh(filler.word),)
    return _zh_counted(Token(CHINESE_NUMBERS[filler.count], "NUM"), filler)


def _zh_place(filler: Filler) -> Tokens:
    side = filler.word.fact("loc", "-")
    tail = () if side == "-" else (Token(side, "ADP"),)
    return (_zh(filler.word), *tail)


def _goes_by_name(filler: Filler) -> bool:
    """Whether {who.again} repeats the name."""
    return filler.named or not filler.known


def _zh_pronoun(filler: Filler) -> Token:
    return Token({"he": "他", "she": "她"}.get(filler.word.fact("pronoun"), "它"), "PRON")


ZH_FORMS: Mapping[str, Form] = {
    "": lambda f, _: (_zh(f.word),),
    "np": _zh_np,
    "one": lambda f, _: _zh_counted(Token("一", "NUM"), f),
    "this": lambda f, _: _zh_counted(Token("这", "DET"), f),
    "that": lambda f, _: _zh_counted(Token("那", "DET"), f),
    "which": lambda f, _: _zh_counted(Token("哪", "DET"), f),
    "howmany": lambda f, _: (
        Token("几", "DET"),
        Token(f.word.fact("measure", "个"), "NOUN"),
        *_zh_described(f),
    ),
    "described": lambda f, _: _zh_described(f),
    "count": lambda f, _: (Token(CHINESE_NUMBERS[f.count], "NUM"),),
    "measure": lambda f, _: (Token(f.word.fact("measure", "个"), "NOUN"),),
    "in": lambda f, _: (Token("在", "ADP"), *_zh_place(f)),
    "at": lambda f, _: _zh_place(f),
    "pron": lambda f, _: (_zh(f.word) if f.named else _zh_pronoun(f),),
    "again": lambda f, _: (_zh(f.word) if _goes_by_name(f) else _zh_pronoun(f),),
    "kind": lambda f, _: (Token(f.word.fact("kind_zh"), "NOUN"),),
    "tried": lambda f, _: (Token(f.word.fact("tried", "用"), "VERB"),),
    "ride": lambda f, _: (Token(f.word.fact("ride", "坐"), "VERB"), _zh(f.word)),
}


def _en(filler: Filler, many: bool = False) -> Tokens:
    form = filler.word.english["many" if many else "one"]
    return tuple(token._replace(sense=filler.word.id) for token in form)


def _en_described(filler: Filler, many: bool) -> Tokens:
    if filler.adjective is None:
        return _en(filler, many)
    return (*filler.adjective.english["one"], *_en(filler, many))


MASS_UNITS = {
    "杯": "glass",
    "碗": "bowl",
    "盘": "plate",
    "袋": "bag",
    "块": "piece",
    "瓶": "bottle",
    "场": "game",
    "盘棋": "game",
    "张": "sheet",
    "根": "stick",
    "门": "subject",
}


def _en_unit(filler: Filler, many: bool) -> Tokens:
    """What is counted: the noun itself, or its measure for a noun that English does not count."""
    if not filler.word.is_("mass"):
        return _en_described(filler, many)
    unit = MASS_UNITS[filler.word.fact("measure")]
    unit = "cup" if filler.word.en in ("tea", "coffee") else unit
    unit = english.plural(unit) if many else unit
    return (Token(unit, "NOUN"), Token("of", "ADP"), *_en_described(filler, False))


def _en_counted(filler: Filler, count: int) -> Tokens:
    if filler.word.tag == "PROPN" or filler.word.group in ("relative", "schoolsubject"):
        return _en_definite(filler)
    unit = _en_unit(filler, count > 1)
    if count > 1:
        return (Token(NUMBERS[count], "NUM"), *unit)
    return (Token(english.article(unit[0].text), "DET"), *unit)


def _en_definite(filler: Filler, many: bool = False) -> Tokens:
    word = filler.word
    if word.is_("bare") or word.english["one"][0].text == "my":
        return _en(filler)
    if word.tag == "PROPN" and not word.is_("the"):
        return _en(filler)
    return (Token("the", "DET"), *_en_described(filler, many and not word.is_("mass")))


def _en_this(filler: Filler, near: bool) -> Tokens:
    return (Token("this" if near else "that", "DET"), *_en_described(filler, False))


def _en_generic(filler: Filler, _: Fillers) -> Tokens:
    if filler.word.tag == "PROPN":
        return _en_definite(filler)
    return _en(filler, not filler.word.is_("mass"))


def _en_place(filler: Filler, _: Fillers) -> Tokens:
    return (Token(filler.word.fact("prep", "in"), "ADP"), *_en_definite(filler))


def _en_verb(name: str) -> Form:
    def form(filler: Filler, fillers: Fillers) -> Tokens:
        verb = tuple(t._replace(sense=filler.word.id) for t in filler.word.english[name])
        if filler.word.is_("split"):
            return verb
        return (*verb, *_en_after(filler, fillers))

    return form


def _en_after(filler: Filler, fillers: Fillers) -> Tokens:
    tokens = filler.word.english["then"]
    if any(token.text == "own" for token in tokens):
        own = _en_pronoun("poss", fillers["who"])
        tokens = tuple(own if token.text == "own" else token for token in tokens)
    return tokens


PRONOUNS = {
    "he": {"pron": "he", "obj": "him", "poss": "his"},
    "she": {"pron": "she", "obj": "her", "poss": "her"},
    "it": {"pron": "it", "obj": "it", "poss": "its"},
}


def _en_pronoun(case: str, filler: Filler) -> Token:
    return Token(PRONOUNS[filler.word.fact("pronoun", "it")][case], "PRON")


def _en_person(case: str, filler: Filler) -> Tokens:
    return _en_definite(filler) if filler.named else (_en_pronoun(case, filler),)


def _en_own(filler: Filler) -> Tokens:
    return (*_en_definite(filler), Token("'s", "PART"))


def _en_base(filler: Filler, _: Fillers) -> Tokens:
    if "base" in filler.word.english:
        return tuple(t._replace(sense=filler.word.id) for t in filler.word.english["base"])
    if filler.word.tag == "ADJ" or "moment" in filler.word.kinds:
        return _en(filler)
    return _en_definite(filler)


EN_FORMS: Mapping[str, Form] = {
    "": _en_base,
    "np": lambda f, _: _en_counted(f, f.count),
    "one": lambda f, _: _en_counted(f, 1),
    "this": lambda f, _: _en_this(f, True),
    "that": lambda f, _: _en_this(f, False),
    "the": lambda f, _: _en_definite(f, f.count > 1),
    "any": _en_generic,
    "unit": lambda f, _: _en_unit(f, True),
    "noun": lambda f, _: _en(f),
    "count": lambda f, _: (Token(NUMBERS[f.count], "NUM"),),
    "in": _en_place,
    "prep": lambda f, _: (Token(f.word.fact("prep", "in"), "ADP"),),
    "pron": lambda f, _: _en_person("pron", f),
    "again": lambda f, _: _en_definite(f) if _goes_by_name(f) else (_en_pronoun("pron", f),),
    "obj": lambda f, _: _en_person("obj", f),
    "poss": lambda f, _: _en_own(f) if f.named else (_en_pronoun("poss", f),),
    "own": lambda f, _: _en_own(f),
    "many": lambda f, _: _en(f, True),
    "kind": lambda f, _: tuple(Token(w, "NOUN") for w in f.word.fact("kind_en").split()),
    "more": lambda f, _: (Token(f.word.fact("more"), "ADJ"),),
    "go": _en_verb("base"),
    "goes": _en_verb("s"),
    "going": _en_verb("ing"),
    "went": _en_verb("past"),
    "gone": _en_verb("pp"),
    "after": lambda f, all_: _en_after(f, all_) if f.word.is_("split") else (),
}
