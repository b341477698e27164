"""English word forms: plural, past, third person, -ing, articles."""

from __future__ import annotations

VOWELS = "aeiou"
# Spelled with a vowel but spoken with a consonant, and the other way round.
CONSONANT_SOUND = ("uni", "use", "euro", "one")
VOWEL_SOUND = ("hour", "honest", "heir")
DOUBLES = frozenset(
    [
        "run",
        "swim",
        "sit",
        "cut",
        "put",
        "get",
        "stop",
        "plan",
        "chat",
        "hug",
        "wrap",
        "drop",
        "shop",
        "skip",
        "pat",
        "knit",
        "pet",
        "beg",
        "win",
        "dig",
        "hit",
        "let",
        "shut",
        "begin",
    ]
)


def plural(noun: str) -> str:
    """The regular plural of a noun; of several words the last is changed."""
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in VOWELS:
        return noun[:-1] + "ies"
    return noun + "s"


def third_person(verb: str) -> str:
    """eat -> eats, watch -> watches, carry -> carries."""
    if verb in ("have", "be"):
        return {"have": "has", "be": "is"}[verb]
    if verb.endswith("o"):
        return verb + "es"
    return plural(verb)


def past(verb: str) -> str:
    """The regular past tense."""
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2] not in VOWELS:
        return verb[:-1] + "ied"
    if verb in DOUBLES:
        return verb + verb[-1] + "ed"
    return verb + "ed"


def ing(verb: str) -> str:
    """eat -> eating, make -> making, run -> running."""
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("c"):
        return verb + "king"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")) and verb != "be":
        return verb[:-1] + "ing"
    if verb in DOUBLES:
        return verb + verb[-1] + "ing"
    return verb + "ing"


def article(following: str) -> str:
    """a or an, by the sound of the word that follows."""
    word = following.lower()
    if word.startswith(VOWEL_SOUND):
        return "an"
    if word.startswith(CONSONANT_SOUND):
        return "a"
    return "an" if word[0] in VOWELS else "a"


NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
CHINESE_NUMBERS = ("零", "一", "两", "三", "四", "五", "六", "七", "八", "九", "十")
