"""Reviews with a verdict that the set of words does not give away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from chapter10.data.microworld.draws import Draws, Patience
from chapter10.data.microworld.examples import Review
from chapter10.data.microworld.files import (
    Items,
    Table,
    Text,
    as_list,
    as_table,
    as_text,
    check_keys,
    fail,
    read,
)
from chapter10.data.microworld.forms import Filler
from chapter10.data.microworld.grammar import Wordings, read_wordings
from chapter10.data.microworld.lexicon import Word
from chapter10.data.microworld.patterns import Pattern
from chapter10.data.microworld.sampling import NoWordError, Sampler, Style
from chapter10.data.microworld.splits import Held, Split, admits_sentence, choose, of_split
from chapter10.data.microworld.tokens import Language, Sentence
from chapter10.data.microworld.world import World, chances

Decides = Literal["first", "second", "not_first"]
KINDS = ("plain", "negation", "contrast", "choice", "intensity")
HARD = ("negation", "contrast", "choice", "intensity")
TOLD = {"plain": 4, "negation": 2, "contrast": 2, "choice": 2, "intensity": 2}
"""How often pretraining text is of each kind: most people speak plainly. Were all kinds
alike, no word would go with good or bad more often than chance: nothing could be learned first.
"""
MORE = (0, 0, 1, 2)
"""How many sentences of the same kind go with a review in pretraining text, each as often."""
FOLLOWS = (1, 1, 1, 2)
"""How many consequences follow. One alone can be filled in only by who has understood what went
before it; of two, each gives the other away.
"""
Domain = tuple[str, tuple[str, ...]]
"""The group of what is judged, and its kinds of aspects."""
ROLES = {"who", "other", "when", "what", "aspect", "aspect2", "first", "second"}


@dataclass(frozen=True)
class ReviewGrammar:
    """reviews.yml: what is judged, in which words, what else is said, what follows from it."""

    domains: Mapping[str, Domain]
    kinds: Mapping[str, tuple[tuple[Decides, Wordings], ...]]
    more: Mapping[str, Wordings]
    follows: Mapping[str, Wordings]


@cache
def load_reviews(world: World) -> ReviewGrammar:
    """Read grammar/reviews.yml.

    Raises:
        WorldFileError: the file breaks its rules.
    """
    table = read(world.folder / "grammar" / "reviews.yml")
    domains = {}
    for name, entry in as_table(table[Text("domains")], "domains").items():
        domain = as_table(entry, str(name))
        check_keys(domain, ("what", "aspects", "size"), required=("what", "aspects"))
        if world.size == "core" and domain.get(Text("size")) == "full":
            continue
        what = str(as_text(domain[Text("what")], "what"))
        aspects = tuple(str(a) for a in as_list(domain[Text("aspects")], "aspects"))
        for group in (
            what,
            *(f"{a}_{part}" for a in aspects for part in ("good", "bad", "aspect")),
        ):
            if group not in world.lexicon.groups:
                raise fail(domain, f"no group of words is called {group!r}; add it to opinions.yml")
        domains[str(name)] = (what, aspects)
    kinds = {}
    for name, entries in as_table(table[Text("kinds")], "kinds").items():
        if not isinstance(entries, Items):
            raise fail(name, "a kind is a list of wordings, each with what decides")
        kinds[str(name)] = tuple(_read_set(as_table(e, "wordings"), world) for e in entries)
    follows = {
        str(side): read_wordings(
            as_table(entry, str(side)), world.lexicon, {"who", "other", "what"}
        )
        for side, entry in as_table(table[Text("follows")], "follows").items()
    }
    more = {
        str(side): read_wordings(as_table(entry, str(side)), world.lexicon, ROLES)
        for side, entry in as_table(table[Text("more")], "more").items()
    }
    return ReviewGrammar(domains, kinds, more, follows)


def _read_set(table: Table, world: World) -> tuple[Decides, Wordings]:
    decides = str(as_text(table[Text("decides")], "decides"))
    if decides not in ("first", "second", "not_first"):
        raise fail(table, f"decides is {decides!r}; it can be first, second or not_first")
    return decides, read_wordings(table, world.lexicon, ROLES)  # type: ignore[return-value]


def reviews(
    world: World,
    count: int,
    language: Language = "zh",
    *,
    seed: int | str = 0,
    split: Split = "train",
    kinds: Sequence[str] = KINDS,
    wordings: Held = "held out",
    style: Style | None = None,
) -> list[Review]:
    """`count` reviews, as many good as bad ones, the kinds in turn, in random order.

    People, adjectives and (with wordings "held out") patterns of test occur in no training review.
    """
    grammar = load_reviews(world)
    unknown = sorted(set(kinds) - set(grammar.kinds))
    if unknown or not kinds:
        raise ValueError(f"kinds is {kinds!r}; there are {', '.join(grammar.kinds)}.")
    style = style or Style()
    sampler = world.sampler(style, split)
    draws = Draws("reviews", language, split, seed, wordings, *kinds)
    written: list[Review] = []
    patience = Patience(count, f"{count} reviews for {split}")
    number = 0
    while len(written) < count:
        kind = kinds[(number // 2) % len(kinds)]
        sets = grammar.kinds[kind]
        decides, patterns = sets[(number // (2 * len(kinds))) % len(sets)]
        review = _review(
            grammar, sampler, kind, decides, choose(patterns[language], split, wordings),
            number % 2, language, draws,
        )  # fmt: skip
        if review is None:
            patience.lose()
            continue
        written.append(review)
        number += 1
    return draws.shuffle(written)


def _review(
    grammar: ReviewGrammar,
    sampler: Sampler,
    kind: str,
    decides: Decides,
    patterns: Sequence[Pattern],
    label: int,
    language: Language,
    draws: Draws,
) -> Review | None:
    first_good = {"first": label, "second": 1 - label, "not_first": 1 - label}[decides] == 1
    try:
        domain = grammar.domains[draws.pick(tuple(grammar.domains))]
        fillers = _fillers(domain, sampler, kind, first_good, draws)
    except NoWordError:
        return None
    pattern = draws.pick(patterns)
    tokens = pattern.fill(fillers, draws)
    if not admits_sentence(sampler.split, tokens):
        return None
    sentence = Sentence(tokens, language)
    said = tuple(t.sense for t in tokens if t.role in ("first", "second"))
    return Review(sentence.text, label, kind, sentence, said)


def _fillers(
    domain: Domain, sampler: Sampler, kind: str, first_good: bool, draws: Draws
) -> dict[str, Filler]:
    what, aspects = domain
    one, two = draws.sample(aspects, 2)
    if kind == "choice":
        two = one
    fillers = {"what": Filler(sampler.word((what,), draws))}
    for role in ("who", "other"):
        fillers[role] = _other(sampler, ("person",), fillers, draws)
    fillers["when"] = Filler(sampler.word(("past",), draws))
    fillers["aspect"] = Filler(sampler.word((f"{one}_aspect",), draws))
    if kind != "choice":
        fillers["aspect2"] = _other(sampler, (f"{two}_aspect",), fillers, draws)
    sides = ("good", "bad") if first_good else ("bad", "good")
    fillers["first"] = Filler(_adjective(sampler, f"{one}_{sides[0]}", draws))
    fillers["second"] = Filler(_adjective(sampler, f"{two}_{sides[1]}", draws))
    return fillers


def _other(
    sampler: Sampler, groups: tuple[str, ...], taken: Mapping[str, Filler], draws: Draws
) -> Filler:
    words = [filler.word for filler in taken.values()]
    for _ in range(20):
        word = sampler.word(groups, draws)
        if word not in words:
            return Filler(word)
    raise NoWordError(f"no other word of {groups}")


def _adjective(sampler: Sampler, group: str, draws: Draws) -> Word:
    return draws.pick(of_split(sampler.candidates((group,)), sampler.split))


def review_documents(
    world: World,
    count: int,
    language: Language = "zh",
    *,
    seed: int | str = 0,
    style: Style | None = None,
) -> list[tuple[Sentence, ...]]:
    """Pretraining text: a review, more of the same, and what followed; all people and words."""
    grammar = load_reviews(world)
    style = style or Style()
    sampler = world.sampler(style, "pretraining")
    draws = Draws("review documents", language, seed)
    written: list[tuple[Sentence, ...]] = []
    patience = Patience(count, f"{count} documents with reviews")
    while len(written) < count:
        kind = draws.pick_by(*chances(TOLD, style))
        domain = grammar.domains[draws.pick(tuple(grammar.domains))]
        decides, patterns = draws.pick(grammar.kinds[kind])
        label = draws.below(2)
        first_good = {"first": label, "second": 1 - label, "not_first": 1 - label}[decides] == 1
        side = "good" if label else "bad"
        try:
            fillers = _fillers(domain, sampler, kind, first_good, draws)
            more = [
                (
                    grammar.more[side][language],
                    _further(domain, sampler, fillers["what"], side, draws),
                )
                for _ in range(draws.pick(MORE))
            ]
        except NoWordError:
            patience.lose()
            continue
        told = [(patterns[language], fillers), *more]
        after = draws.shuffle(grammar.follows[side][language])[: draws.pick(FOLLOWS)]
        sentences = tuple(
            Sentence(pattern.fill(roles, draws), language)
            for pattern, roles in [
                *((draws.pick(choice), roles) for choice, roles in told),
                *((pattern, fillers) for pattern in after),
            ]
        )
        if all(admits_sentence("pretraining", sentence.tokens) for sentence in sentences):
            written.append(sentences)
        else:
            patience.lose()
    return written


def _further(
    domain: Domain, sampler: Sampler, what: Filler, side: str, draws: Draws
) -> dict[str, Filler]:
    """Two aspects of one kind and two words for it, all good or all bad."""
    aspect = draws.pick(domain[1])
    fillers = {"what": what}
    for role, group in (
        ("aspect", f"{aspect}_aspect"),
        ("aspect2", f"{aspect}_aspect"),
        ("first", f"{aspect}_{side}"),
        ("second", f"{aspect}_{side}"),
    ):
        fillers[role] = _other(sampler, (group,), fillers, draws)
    return fillers
