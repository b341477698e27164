"""Words of several senses, in sentences that show which; positions balanced between the senses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from chapter10.data.microworld.draws import Draws, Patience
from chapter10.data.microworld.examples import SenseUse
from chapter10.data.microworld.files import Text, as_list, as_table, fail, read
from chapter10.data.microworld.forms import Filler
from chapter10.data.microworld.grammar import Role, read_roles
from chapter10.data.microworld.lexicon import Word
from chapter10.data.microworld.patterns import Pattern, compile_pattern
from chapter10.data.microworld.sampling import NoWordError, Sampler, Style
from chapter10.data.microworld.splits import Held, Split, admits_sentence, choose
from chapter10.data.microworld.tokens import Sentence, Token
from chapter10.data.microworld.world import World

Kind = Literal["plain", "mixed"]


@dataclass(frozen=True)
class SenseGrammar:
    """senses.yml: roles, and for every group the sentences that show its sense."""

    roles: Mapping[str, Role]
    shows: Mapping[str, tuple[Pattern, ...]]


@cache
def load_senses(world: World) -> SenseGrammar:
    """Read grammar/senses.yml.

    Raises:
        WorldFileError: a group or word is unknown.
    """
    table = read(world.folder / "grammar" / "senses.yml")
    roles = read_roles(as_table(table[Text("roles")], "roles"), world.lexicon)
    shows = {}
    for group, sources in table.items():
        if group == "roles":
            continue
        if group not in world.lexicon.groups:
            raise fail(group, f"no group of words is called {str(group)!r}; see lexicon/")
        shows[str(group)] = tuple(
            compile_pattern(source, "zh", world.lexicon, number)
            for number, source in enumerate(as_list(sources, str(group)))
        )
    return SenseGrammar(roles, shows)


def ambiguous(world: World) -> dict[str, tuple[Word, ...]]:
    """The words whose senses the world can show: written form -> its entries."""
    shows = load_senses(world).shows
    many = world.lexicon.senses()

    def neighbours(word: Word) -> bool:
        return sum(other.zh not in many for other in world.lexicon.groups[word.group]) > 1

    found = {
        form: tuple(word for word in words if word.group in shows and neighbours(word))
        for form, words in many.items()
    }
    return {form: words for form, words in found.items() if len(words) > 1}


def sense_uses(
    world: World,
    count: int,
    words: Sequence[str] = (),
    *,
    seed: int | str = 0,
    split: Split = "train",
    kind: Kind = "plain",
    wordings: Held = "held out",
) -> list[SenseUse]:
    """`count` Chinese sentences with an ambiguous word, all words and senses equally often.

    kind "mixed": two clauses, one about each sense, the word in one of them beside a neighbour of
    its group. Both senses then use the same set of words: only the order tells them apart.
    """
    known = ambiguous(world)
    chosen = tuple(words) or tuple(known)
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        raise ValueError(f"{unknown[0]!r} has no two senses here; {', '.join(known)} do.")
    grammar = load_senses(world)
    sampler = world.sampler(Style(), split)
    draws = Draws("senses", split, seed, kind, wordings, *chosen)
    choices = [(form, word) for form in chosen for word in known[form]]
    written: list[SenseUse] = []
    number = 0
    patience = Patience(count, f"{count} sentences with {', '.join(chosen)} for {split}")
    while len(written) < count:
        form, word = choices[number % len(choices)]
        use = _use(grammar, sampler, known[form], word, kind, wordings, draws)
        if use is None:
            patience.lose()
            continue
        written.append(use)
        number += 1
    return draws.shuffle(written)


def _use(
    grammar: SenseGrammar,
    sampler: Sampler,
    senses: tuple[Word, ...],
    word: Word,
    kind: Kind,
    wordings: Held,
    draws: Draws,
) -> SenseUse | None:
    fillers: dict[str, Filler] = {}
    people: dict[str, Filler] = {}
    try:
        for name, role in grammar.roles.items():
            fillers[name] = sampler.fill(role, fillers, draws)
        if kind == "mixed":
            people = {n: sampler.fill(r, fillers, draws) for n, r in grammar.roles.items()}
        rival = next(s for s in draws.shuffle(senses) if s is not word)
        clauses: list[tuple[Word, tuple[Word, ...], dict[str, Filler]]] = [
            (word, (word, _neighbour(sampler, word, draws)), fillers)
        ]
        if kind == "mixed":
            clauses.append((rival, (_neighbour(sampler, rival, draws),), {**fillers, **people}))
    except NoWordError:
        return None
    if kind == "plain":
        clauses = [(word, (word,), fillers)]
    tokens: list[Token] = []
    for sense, named, filling in draws.shuffle(clauses):
        held = choose(grammar.shows[sense.group], sampler.split, wordings)
        tokens += _clause(draws.pick(held), tuple(draws.shuffle(named)), filling, draws)
    if not admits_sentence(sampler.split, tokens):
        return None
    target = next(i for i, t in enumerate(tokens) if t.role == "x" and t.sense == word.id)
    return SenseUse(Sentence(tuple(tokens), "zh"), word.zh, word.id, target, kind)


def _neighbour(sampler: Sampler, word: Word, draws: Draws) -> Word:
    """Another word of the group, with one sense only."""
    many = sampler.lexicon.senses()
    for _ in range(30):
        other = sampler.word((word.group,), draws)
        if other.zh not in many:
            return other
    raise NoWordError(f"no neighbour for {word}")


def _clause(
    pattern: Pattern, named: tuple[Word, ...], fillers: Mapping[str, Filler], draws: Draws
) -> list[Token]:
    said: list[Token] = []
    for token in pattern.fill({**fillers, "x": Filler(named[0])}, draws):
        if token.role != "x":
            said.append(token)
            continue
        for number, word in enumerate(named):
            if number:
                said.append(Token("和", "CCONJ"))
            said.append(Token(word.zh, word.tag, "x", word.id))
    return said
