"""The lexicon: words of both languages, their groups, and which may go together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from chapter10.data.microworld.files import (
    Table,
    Text,
    as_flag,
    as_list,
    as_table,
    as_text,
    check_keys,
    fail,
    read,
)
from chapter10.data.microworld.phrases import english_forms
from chapter10.data.microworld.tokens import PUNCTUATION, Language, Token

Size = Literal["core", "full"]
WORD_KEYS = (
    *(
        "en",
        "plural",
        "more",
        "measure",
        "mass",
        "is",
        "tags",
        "pronoun",
        "the",
        "bare",
        "gloss",
        "prep",
    ),
    *(
        "loc",
        "ride",
        "predicate",
        "intended",
        "what",
        "where",
        "who",
        "then",
        "one",
        "many",
        "split",
        "feel",
        "tried",
    ),
)
GROUP_KEYS = (
    *("tag", "is", "of", "kind", "core", "more", "order"),
    *(key for key in WORD_KEYS if key not in ("en", "plural", "more", "tags", "gloss")),
)
TAGS = frozenset(
    [
        "ADJ",
        "ADP",
        "ADV",
        "AUX",
        "CCONJ",
        "DET",
        "NOUN",
        "NUM",
        "PART",
        "PRON",
        "PROPN",
        "PUNCT",
        "SCONJ",
        "VERB",
    ]
)


@dataclass(frozen=True, eq=False)
class Word:
    """One sense of a word. Two senses of 苹果 are two words: 苹果@fruit and 苹果@company."""

    id: str
    zh: str
    en: str
    tag: str
    group: str
    kinds: frozenset[str]
    """Its group, the groups around it, and the sets it is in."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What the files say of it and of its group: measure, pronoun, prep, loc …"""
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """what, where, who, of: the groups that it may go with."""
    english: Mapping[str, tuple[Token, ...]] = field(default_factory=dict)
    """Its English forms: one, many; of a verb base, s, ing, past, pp."""
    core: bool = True

    def __repr__(self) -> str:
        return self.id

    def fact(self, name: str, default: str = "") -> str:
        """What the files say of the word under that key."""
        return self.facts.get(name, default)

    def is_(self, name: str) -> bool:
        """Whether the files say yes under that key."""
        return self.facts.get(name) == "yes"


@dataclass(frozen=True)
class Lexicon:
    """All words of a world, by id and by group; function words and their tags by language."""

    size: Size
    words: Mapping[str, Word]
    groups: Mapping[str, tuple[Word, ...]]
    """Every group, wider group and set -> its words, in the order of the files."""
    tags: Mapping[Language, Mapping[str, tuple[str, ...]]]
    """Every written form -> the tags it may have."""
    glosses: Mapping[str, str]
    """Chinese word -> the one word that stands for it in the gloss register."""
    plain: Mapping[Language, Mapping[str, str]]
    """Form -> the tag a pattern means when it names none."""
    kinds: Mapping[str, tuple[str, str]]
    """Group -> what its words are called, in Chinese and English (fruit: 水果, fruit)."""

    def group(self, names: Iterable[str]) -> tuple[Word, ...]:
        """The words of several groups, each once, in the order of the files."""
        found: dict[str, Word] = {}
        for name in names:
            found.update((word.id, word) for word in self.groups.get(name, ()))
        return tuple(found.values())

    def senses(self) -> dict[str, tuple[Word, ...]]:
        """Chinese words with several senses among the nouns, with their entries."""
        by_form: dict[str, list[Word]] = {}
        for word in self.words.values():
            if word.tag in ("NOUN", "PROPN") and "moment" not in word.kinds:
                by_form.setdefault(word.zh, []).append(word)
        return {form: tuple(found) for form, found in by_form.items() if len(found) > 1}

    def count(self, language: Language) -> int:
        """Different words: base forms of content words and function words."""
        content = {word.zh if language == "zh" else word.en for word in self.words.values()}
        return len(content | set(self.tags[language]) - self._inflected(language))

    def _inflected(self, language: Language) -> set[str]:
        if language == "zh":
            return set()
        return {
            token.text
            for word in self.words.values()
            for tokens in word.english.values()
            for token in tokens
        }

    def __iter__(self) -> Iterator[Word]:
        return iter(self.words.values())


def load_lexicon(folder: Path, size: Size = "full") -> Lexicon:
    """Read every file of a lexicon folder.

    Raises:
        WorldFileError: a file breaks the rules; the message names file, line and remedy.
    """
    if size not in ("core", "full"):
        raise ValueError(f"size is {size!r}; a lexicon is core or full.")
    everything: list[tuple[Text, Word]] = []
    kinds: dict[str, tuple[str, str]] = {}
    for path in sorted(folder.glob("*.yml")):
        if path.name in ("function.yml", "words.yml", "sets.yml"):
            continue
        for name, entry in read(path).items():
            table = as_table(entry, f"the group {name}")
            check_keys(table, GROUP_KEYS, required=("tag", "core"))
            if "kind" in table:
                both = as_table(table[Text("kind")], "kind")
                check_keys(both, ("zh", "en"), required=("zh", "en"))
                kinds[str(name)] = (str(both["zh"]), str(both["en"]))  # type: ignore[index]
            everything += _read_group(str(name), table)
    sets = _read_sets(folder / "sets.yml", everything)
    words = {word.id: word for _, word in everything if word.core or size == "full"}
    known = {kind for _, word in everything for kind in word.kinds} | set(sets)
    _check_lists(everything, known)
    _check_times(everything)
    groups: dict[str, list[Word]] = {name: [] for name in sorted(known)}
    for word in words.values():
        for kind in sorted(word.kinds):
            groups[kind].append(word)
    for set_name, ids in sets.items():
        found = (words[id_] for id_ in ids if id_ in words)
        groups[set_name] += [word for word in found if set_name not in word.kinds]
    tags, glosses = _read_function_words(folder / "function.yml", folder / "words.yml")
    plain = as_table(read(folder / "function.yml")[Text("plain")], "plain")
    # Patterns may use any word of the files; the size says which words fill slots.
    _add_forms(tags, (word for _, word in everything))
    for _, word in everything:
        if "kind_zh" in word.facts:
            glosses.setdefault(word.facts["kind_zh"], word.facts["kind_en"])
            _add(tags["zh"], word.facts["kind_zh"], "NOUN")
    return Lexicon(
        words=words,
        size=size,
        groups={name: tuple(found) for name, found in groups.items()},
        tags={"zh": _frozen(tags["zh"]), "en": _frozen(tags["en"])},
        glosses=_unique_glosses(glosses, (word for _, word in everything)),
        plain={"zh": dict(plain[Text("zh")]), "en": dict(plain[Text("en")])},
        kinds=kinds,
    )


def _frozen(tags: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {form: tuple(found) for form, found in tags.items()}


def _read_group(name: str, table: Table) -> Iterator[tuple[Text, Word]]:
    group_facts, group_lists = _facts(table, skip=("tag", "core", "more", "kind"))
    tag = as_text(table[Text("tag")], "tag")
    if tag not in TAGS:
        raise fail(tag, f"{tag} is no part of speech; one of {', '.join(sorted(TAGS))}")
    for part in ("core", "more"):
        for zh, entry in as_table(table.get(Text(part), Table()), part).items():
            if isinstance(entry, Text):
                own = Table({Text("en"): entry})
                own.line, own.path = entry.line, entry.path
            else:
                own = as_table(entry, f"the word {zh}")
            check_keys(own, WORD_KEYS, required=("en",))
            facts, lists = _facts(own, skip=("en",))
            kinds = frozenset({name, *group_lists.get("is", ()), *lists.get("is", ())})
            merged = {**group_facts, **facts}
            base = str(as_text(own[Text("en")], "en"))
            if "kind" in table:
                merged |= {f"kind_{key}": str(word) for key, word in table[Text("kind")].items()}
            yield (
                zh,
                Word(
                    id=f"{zh}@{name}",
                    zh=str(zh),
                    en=base.split("|")[0] if tag != "VERB" else base.split()[0],
                    tag=str(tag),
                    group=name,
                    kinds=kinds,
                    facts=merged,
                    lists={**group_lists, **lists},
                    english=english_forms(base, str(tag), merged),
                    core=part == "core",
                ),
            )


def _facts(
    table: Table, skip: tuple[str, ...]
) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    facts: dict[str, str] = {}
    lists: dict[str, tuple[str, ...]] = {}
    for key, value in table.items():
        if key in skip:
            continue
        if key in ("is", "of", "what", "where", "who"):
            lists[str(key)] = tuple(str(item) for item in as_list(value, str(key)))
        elif key in ("mass", "the", "bare", "one", "many", "split", "predicate", "intended"):
            facts[str(key)] = "yes" if as_flag(value, str(key)) else "no"
        else:
            facts[str(key)] = str(as_text(value, str(key)))
    return facts, lists


def _read_sets(path: Path, everything: list[tuple[Text, Word]]) -> dict[str, list[str]]:
    by_form: dict[str, list[str]] = {}
    for _, word in everything:
        if word.group != "measure":
            by_form.setdefault(word.zh, []).append(word.id)
        by_form[word.id] = [word.id]
    sets: dict[str, list[str]] = {}
    for name, items in read(path).items():
        ids = sets[str(name)] = []
        for item in as_list(items, str(name)):
            found = by_form.get(item, [])
            if not found:
                raise fail(item, f"no lexicon file has the word {item}; add it there or drop it")
            nouns = [id_ for id_ in found if "@" in id_]
            ids += nouns[:1] if "@" not in item else nouns
    return sets


def _check_lists(everything: list[tuple[Text, Word]], known: set[str]) -> None:
    known = known | {"mood", "body", "sky_state"}
    for form, word in everything:
        for key in ("what", "where", "who", "of"):
            for name in word.lists.get(key, ()):
                if name not in known:
                    raise fail(
                        form,
                        f"{form} names the group {name!r} under {key!r}, which no word belongs to; "
                        "correct the name, or add a group or a set of that name",
                    )


def _check_times(everything: list[tuple[Text, Word]]) -> None:
    """Every event with a time takes its {when} from these groups."""
    for form, word in everything:
        if word.kinds & {"past", "future", "habit"} and "moment" not in word.kinds:
            raise fail(
                form,
                f'{form} says when ({word.en}) but is no moment, so English would put "the" '
                f"before it; write  is: [moment]  in the group {word.group!r}",
            )


def _read_function_words(
    *paths: Path,
) -> tuple[dict[Language, dict[str, list[str]]], dict[str, str]]:
    tags: dict[Language, dict[str, list[str]]] = {"zh": {}, "en": {}}
    glosses: dict[str, str] = {}
    for path in paths:
        table = read(path)
        check_keys(table, ("zh", "en", "plain"), required=("zh", "en"))
        for tag, entries in as_table(table[Text("zh")], "zh").items():
            for form, gloss in as_table(entries, str(tag)).items():
                _add(tags["zh"], str(form), str(tag))
                glosses.setdefault(str(form), str(as_text(gloss, "a gloss")))
        for tag, entries in as_table(table[Text("en")], "en").items():
            for form in as_list(entries, str(tag)):
                _add(tags["en"], str(form).replace("_", " "), str(tag))
    for mark in sorted(PUNCTUATION):
        tags["zh"][mark] = tags["en"][mark] = ["PUNCT"]
    return tags, glosses


def _add(tags: dict[str, list[str]], form: str, tag: str) -> None:
    found = tags.setdefault(form, [])
    if tag not in found:
        found.append(tag)


def _add_forms(tags: dict[Language, dict[str, list[str]]], words: Iterable[Word]) -> None:
    """Add every written form; a word inside a phrase counts only where it is not known alone."""
    inside: list[Token] = []
    for word in words:
        _add(tags["zh"], word.zh, word.tag)
        for tokens in word.english.values():
            if len(tokens) == 1:
                _add(tags["en"], tokens[0].text, tokens[0].tag)
            else:
                inside += tokens
    for token in inside:
        if token.text not in tags["en"]:
            _add(tags["en"], token.text, token.tag)


def _unique_glosses(glosses: dict[str, str], words: Iterable[Word]) -> dict[str, str]:
    """One gloss a word, and no gloss twice: the gloss register is the Chinese in disguise."""
    wanted = dict(glosses)
    for word in words:
        name = word.facts.get("gloss", word.en).lower().replace(" ", "-")
        wanted.setdefault(word.zh, name)
    used: set[str] = set()
    result = {}
    for form, gloss in wanted.items():
        unique, number = gloss, 2
        while unique in used:
            unique, number = f"{gloss}{number}", number + 1
        used.add(unique)
        result[form] = unique
    return result
