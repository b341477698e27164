"""The grammar: kinds of events, stories, days and rounds, read from plain files and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from chapter10.data.microworld.files import (
    Items,
    Table,
    Text,
    Value,
    as_list,
    as_table,
    as_text,
    check_keys,
    fail,
    read,
)
from chapter10.data.microworld.lexicon import Lexicon
from chapter10.data.microworld.patterns import Pattern, compile_pattern
from chapter10.data.microworld.tokens import Language

Tense = Literal["past", "absent", "now", "future", "habit", "state"]
TENSES: tuple[Tense, ...] = ("past", "absent", "now", "future", "habit", "state")
TIMES: Mapping[Tense, str] = {
    "past": "past",
    "absent": "past",
    "future": "future",
    "habit": "habit",
}
LANGUAGES: tuple[Language, ...] = ("zh", "en")

Wordings = Mapping[Language, tuple[Pattern, ...]]


@dataclass(frozen=True)
class Role:
    """Where the filler of a role comes from: groups, or another role's word."""

    kind: Literal["groups", "verb", "of", "like"]
    names: tuple[str, ...]


@dataclass(frozen=True)
class EventKind:
    """One entry of sentences.yml."""

    name: str
    share: int
    roles: Mapping[str, Role]
    tenses: Mapping[Tense, Wordings]


@dataclass(frozen=True)
class Step:
    """One sentence of a story: its wordings, the turn it belongs to, whether it may be left out."""

    wordings: Wordings
    turn: str = ""
    optional: bool = False
    people: frozenset[str] = frozenset()
    """The roles that are people."""

    def patterns(self, language: Language, naming: bool) -> tuple[Pattern, ...]:
        """The wordings; naming: only those that name somebody."""
        found = self.wordings[language]
        return tuple(p for p in found if p.roles() & self.people) if naming else found


@dataclass(frozen=True)
class Story:
    """A story (steps in order), a round (steps in a circle) or a day (steps by the clock).

    hours: of a day, the Chinese and English name of each step's hour.
    """

    name: str
    kind: Literal["story", "day", "round"]
    share: int
    cast: Mapping[str, Role]
    steps: tuple[Step, ...]
    turns: tuple[str, ...] = ()
    hours: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Grammar:
    """Everything the world can say of itself."""

    events: Mapping[str, EventKind]
    stories: Mapping[str, Story]


def load_grammar(folder: Path, lexicon: Lexicon) -> Grammar:
    """Read sentences.yml, stories.yml, days.yml and cycles.yml, checking every word and slot.

    Raises:
        WorldFileError: a file breaks the rules; the message names file, line and remedy.
    """
    events = {
        str(name): _read_event(name, as_table(entry, f"the event {name}"), lexicon)
        for name, entry in read(folder / "sentences.yml").items()
    }
    stories = {}
    for file, reader in (("stories.yml", _read_story), ("cycles.yml", _read_round)):
        for name, entry in read(folder / file).items():
            table = as_table(entry, f"the story {name}")
            story = reader(name, table, lexicon)
            if lexicon.size == "full" or table.get(Text("size")) != "full":
                stories[str(name)] = story
    stories["day"] = _read_day(read(folder / "days.yml"), lexicon)
    return Grammar(events=events, stories=stories)


def read_wordings(table: Table, lexicon: Lexicon, allowed: set[str] | None) -> Wordings:
    """The compiled patterns of both languages under ``zh`` and ``en``.

    allowed: the roles that may be used; None checks nothing.
    """
    wordings: dict[Language, tuple[Pattern, ...]] = {}
    for language in LANGUAGES:
        if Text(language) not in table:
            raise fail(table, f'the patterns in {language!r} are missing; add {language}: ["…"]')
        sources = as_list(table[Text(language)], language)
        wordings[language] = tuple(
            _checked(compile_pattern(source, language, lexicon, number), source, allowed)
            for number, source in enumerate(sources)
        )
    return wordings


def _checked(pattern: Pattern, source: Text, allowed: set[str] | None) -> Pattern:
    unknown = sorted(pattern.roles() - allowed) if allowed is not None else []
    if unknown:
        raise fail(
            source,
            f"no role is called {unknown[0]!r} here; there are {', '.join(sorted(allowed or ()))}",
        )
    return pattern


def read_roles(table: Table, lexicon: Lexicon) -> dict[str, Role]:
    """The roles of an event or the cast of a story."""
    roles: dict[str, Role] = {}
    for name, value in table.items():
        source = as_text(value, f"the role {name}")
        words = source.replace(",", " ").split()
        if words[0] == "verb":
            role = Role("verb", tuple(words[1:]))
        elif len(words) == 3 and words[1] == "of":
            role = Role("of", (words[0], words[2]))
        elif words[0] == "like":
            role = Role("like", (words[1],))
        else:
            role = Role("groups", tuple(words))
        if role.kind in ("groups", "verb"):
            for group in role.names:
                if group not in lexicon.groups:
                    raise fail(source, f"no group of words is called {group!r}; see lexicon/")
                if name == "when":
                    _check_moments(source, group, lexicon)
        elif role.names[-1] not in roles:
            raise fail(source, f"{role.names[-1]!r} must be a role that stands before this one")
        roles[str(name)] = role
    return roles


def _check_moments(source: Text, group: str, lexicon: Lexicon) -> None:
    """Words that say when must be moments, or English would put "the" before yesterday."""
    for word in lexicon.groups[group]:
        if "moment" not in word.kinds:
            raise fail(
                source,
                f"when takes words of the group {group!r}, but its word {word.zh} ({word.en}) is "
                f"no moment; write  is: [moment]  in the group {word.group!r} of the lexicon",
            )


def _share(table: Table) -> int:
    text = as_text(table[Text("share")], "share")
    if not text.isdigit() or int(text) < 1:
        raise fail(text, f"share is {str(text)!r}; it must be a whole number from 1 on")
    return int(text)


def _read_event(name: Text, table: Table, lexicon: Lexicon) -> EventKind:
    check_keys(table, ("share", "roles", *TENSES), required=("share", "roles"))
    roles = read_roles(as_table(table[Text("roles")], "roles"), lexicon)
    tenses: dict[Tense, Wordings] = {}
    for tense in TENSES:
        if Text(tense) in table:
            allowed = set(roles) | ({"when"} if tense in TIMES else set())
            allowed |= {"other"} if "who" in roles else set()
            entry = as_table(table[Text(tense)], tense)
            check_keys(entry, LANGUAGES)
            tenses[tense] = read_wordings(entry, lexicon, allowed)
    if not tenses:
        raise fail(name, f"{name} has no sentences; add one of {', '.join(TENSES)}")
    return EventKind(str(name), _share(table), roles, tenses)


def _check_people(step: Table, wordings: Wordings, people: set[str]) -> None:
    """Some wording of every step must name somebody: the splits go by people."""
    for language, patterns in wordings.items():
        if not any(pattern.roles() & people for pattern in patterns):
            raise fail(
                step,
                f"no wording in {language!r} names anybody; stories are split by their people, so "
                f"add one with {' or '.join(f'{{{name}}}' for name in sorted(people))}",
            )


def _steps(
    items: Value, lexicon: Lexicon, cast: Mapping[str, Role], turns: tuple[str, ...]
) -> list[Step]:
    roles = set(cast)
    people = {
        name
        for name, role in cast.items()
        if role.kind == "groups" and all("person" in w.kinds for w in lexicon.group(role.names))
    }
    if not isinstance(items, Items) or not items:
        raise fail(items, "the steps must be a list: one '- zh: …' for every sentence")
    steps = []
    for item in items:
        table = as_table(item, "a step")
        check_keys(table, (*LANGUAGES, "if", "may", "at"))
        turn = str(table.get(Text("if"), ""))
        if turn and turn not in turns:
            raise fail(table[Text("if")], f"{turn!r} is no turn of this story; add it to turns")
        wordings = read_wordings(table, lexicon, roles)
        _check_people(table, wordings, people)
        steps.append(Step(wordings, turn, Text("may") in table, frozenset(people)))
    return steps


def _read_story(name: Text, table: Table, lexicon: Lexicon) -> Story:
    check_keys(
        table, ("share", "size", "cast", "turns", "steps"), required=("share", "cast", "steps")
    )
    cast = read_roles(as_table(table[Text("cast")], "cast"), lexicon)
    turns = tuple(str(turn) for turn in as_list(table.get(Text("turns"), Items()), "turns"))
    steps = _steps(table[Text("steps")], lexicon, cast, turns)
    return Story(str(name), "story", _share(table), cast, tuple(steps), turns)


def _read_round(name: Text, table: Table, lexicon: Lexicon) -> Story:
    check_keys(table, ("share", "size", "cast", "turn"), required=("share", "cast", "turn"))
    cast = read_roles(as_table(table[Text("cast")], "cast"), lexicon)
    steps = _steps(table[Text("turn")], lexicon, cast, ())
    return Story(str(name), "round", _share(table), cast, tuple(steps))


def _read_day(table: Table, lexicon: Lexicon) -> Story:
    check_keys(table, ("cast", "hours"), required=("cast", "hours"))
    cast = read_roles(as_table(table[Text("cast")], "cast"), lexicon)
    entries = table[Text("hours")]
    steps = _steps(entries, lexicon, cast, ())
    hours = []
    for entry in entries:
        check_keys(entry, (*LANGUAGES, "at"), required=("at",))
        at = as_list(entry[Text("at")], "at")
        if len(at) != 2:
            raise fail(entry, "at: must be [the hour in Chinese, the hour in English]")
        hours.append((str(at[0]), str(at[1])))
    return Story("day", "day", 6, cast, tuple(steps), hours=tuple(hours))
