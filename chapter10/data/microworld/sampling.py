"""Choosing what happens: fillers for roles, by the rules of a split and the style of a text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chapter10.data.microworld.draws import Draws, zipf_weights
from chapter10.data.microworld.forms import Filler
from chapter10.data.microworld.grammar import TIMES, Role, Tense
from chapter10.data.microworld.lexicon import Lexicon, Word
from chapter10.data.microworld.splits import (
    Split,
    admits_combination,
    admits_deed,
    place_split,
)


@dataclass(frozen=True, kw_only=True)
class Style:
    """How a language is written; give each language its own to set them apart.

    zipf: 0 draws all words of a group alike; 1 as Zipf's law has it. frequency_seed: which words
        are the frequent ones. time_first: how often a sentence begins with its time, where it has
        one; None leaves it to the patterns. described: how often a thing gets an adjective.
    min_words, max_words: sentences outside are left out. shares: kind of event or story -> how
        often it comes, instead of what its file says; 0 leaves it out.
    """

    zipf: float = 0.0
    frequency_seed: int = 0
    time_first: float | None = None
    described: float = 0.3
    min_words: int = 1
    max_words: int = 100
    shares: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("time_first", "described"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}; it is a probability, from 0 to 1.")
        if not 0 <= self.zipf <= 3:
            raise ValueError(f"zipf is {self.zipf}; the exponent may be 0 (all alike) to 3.")
        if not 1 <= self.min_words <= self.max_words:
            raise ValueError(
                f"min_words is {self.min_words} and max_words {self.max_words}; "
                "at least 1, and the minimum not above the maximum."
            )


class NoWordError(LookupError):
    """No word fits a role under the rules of the split; the caller draws again."""


class Sampler:
    """Draws fillers from a lexicon. It keeps candidate lists and weights, nothing else."""

    def __init__(
        self,
        lexicon: Lexicon,
        style: Style,
        split: Split,
        *,
        people: Split | None = None,
        deeds: Split | None = None,
    ) -> None:
        """people: the split of the people, where it is not the text's own. deeds: only what
        belongs to that split may anybody do; None leaves it open."""
        self.lexicon, self.style, self.split = lexicon, style, split
        self.people, self.deeds = people or split, deeds
        self._candidates: dict[tuple[str, ...], tuple[Word, ...]] = {}
        self._weights: dict[int, list[int]] = {}
        self._kept: list[tuple[Word, ...]] = []
        self._likes: dict[str, tuple[Word, ...]] = {}
        self._attributes: dict[str, tuple[Word, ...]] = {}
        self._people = _split_people(lexicon)

    def candidates(self, groups: tuple[str, ...]) -> tuple[Word, ...]:
        """The words of some groups that the split may use."""
        found = self._candidates.get(groups)
        if found is None:
            found = tuple(word for word in self.lexicon.group(groups) if self._admits(word))
            self._candidates[groups] = found
        return found

    def word(self, groups: tuple[str, ...], draws: Draws) -> Word:
        """A word of these groups.

        Raises:
            NoWordError: there is none.
        """
        found = self.candidates(groups)
        if not found:
            raise NoWordError(f"no word of {', '.join(groups)} for {self.split}")
        return self._pick(found, draws)

    def _pick(self, words: tuple[Word, ...], draws: Draws) -> Word:
        if not self.style.zipf:
            return draws.pick(words)
        weights = self._weights.get(id(words))
        if weights is None:
            ids = "/".join(word.id for word in words)
            weights = zipf_weights(len(words), self.style.zipf, self.style.frequency_seed, ids)
            self._weights[id(words)] = weights
            self._kept.append(words)  # so that its id stays its own
        return draws.pick_by(words, weights)

    def fill(self, role: Role, fillers: Mapping[str, Filler], draws: Draws) -> Filler:
        """A filler for a role, given those before it; nobody and nothing fills two roles.

        Raises:
            NoWordError: no word fits.
        """
        taken = [filler.word for filler in fillers.values()]
        for _ in range(20):
            if role.kind == "like":
                word = self._pick_from(self.likes(fillers[role.names[0]].word), draws)
            elif role.kind == "of":
                verb = fillers[role.names[1]].word
                default = ("person",) if role.names[0] == "who" else ("nothing",)
                word = self.word(verb.lists.get(role.names[0], default), draws)
                if role.names[0] == "who" and not self.does(word, verb):
                    continue
                if role.names[0] == "what" and not self._combines(verb, word):
                    continue
            else:
                word = self.word(role.names, draws)
            if not any(word is other or word.zh == other.zh for other in taken):
                return Filler(word)
        raise NoWordError(f"nothing is left for {role}")

    def event_fillers(
        self, roles: Mapping[str, Role], tense: Tense, draws: Draws
    ) -> dict[str, Filler]:
        """Fillers for all roles of an event, with a time where the tense has one."""
        fillers: dict[str, Filler] = {}
        for name, role in roles.items():
            fillers[name] = self.fill(role, fillers, draws)
        accident = "verb" in fillers and fillers["verb"].word.fact("intended") == "no"
        if accident and tense != "past":
            raise NoWordError("nobody plans to do that")
        if "who" in fillers and "other" not in fillers:
            fillers["other"] = self.fill(Role("groups", ("person",)), fillers, draws)
        if tense in TIMES:
            fillers["when"] = Filler(self.word((TIMES[tense],), draws))
        if "what" in fillers:
            fillers["what"] = self.describe(fillers, draws)
        return fillers

    def describe(self, fillers: Mapping[str, Filler], draws: Draws) -> Filler:
        """The thing of an event with a number, and sometimes with an adjective."""
        word = fillers["what"].word
        verb = fillers["verb"].word if "verb" in fillers else None
        count = draws.pick((1, 1, 1, 2, 2, 3, 4, 5))
        if verb is not None and verb.is_("one"):
            count = 1
        elif verb is not None and verb.is_("many"):
            count = 2 + draws.below(7)
        adjective = None
        if "like" not in fillers and draws.chance(self.style.described):
            choices = self.attributes(word)
            adjective = self._pick(choices, draws) if choices else None
        return Filler(word, count, adjective)

    def likes(self, word: Word) -> tuple[Word, ...]:
        """The adjectives that can be said of a word: the apple is sweet."""
        found = self._likes.get(word.id)
        if found is None:
            found = tuple(
                adjective
                for adjective in self.attributes(word)
                if adjective.facts.get("predicate") != "no"
            )
            self._likes[word.id] = found
        return found

    def attributes(self, word: Word) -> tuple[Word, ...]:
        """The adjectives that can stand before a word: a red apple."""
        found = self._attributes.get(word.id)
        if found is None:
            found = tuple(
                adjective
                for adjective in self.lexicon
                if adjective.tag == "ADJ"
                and any(
                    group in word.kinds or word in self.lexicon.groups.get(group, ())
                    for group in adjective.lists.get("of", ())
                )
            )
            self._attributes[word.id] = found
        return found

    def _pick_from(self, words: Sequence[Word], draws: Draws) -> Word:
        if not words:
            raise NoWordError("no adjective fits")
        return self._pick(tuple(words), draws)

    def does(self, who: Word, verb: Word) -> bool:
        """Whether the split lets somebody do something: what test people do in test questions, they
        do in no other text."""
        return self.deeds is None or admits_deed(self.deeds, who.id, verb.id)

    def _combines(self, verb: Word, what: Word) -> bool:
        return admits_combination(self.split, verb.id, what.id)

    def _admits(self, word: Word) -> bool:
        if self.people == "pretraining" or "person" not in word.kinds:
            return True
        return self._people[word.id] == self.people


def _split_people(lexicon: Lexicon) -> dict[str, Split]:
    """Each person and the split they belong to, by their place in their group."""
    by_group: dict[str, list[Word]] = {}
    for word in lexicon.groups.get("person", ()):
        by_group.setdefault(word.group, []).append(word)
    return {
        word.id: _people_split(place, len(words))
        for words in by_group.values()
        for place, word in enumerate(words)
    }


def _people_split(place: int, count: int) -> Split:
    """Small groups give their last two people to validation and test, large ones go by fives."""
    if count >= 5:
        return place_split(place)
    return "test" if place == count - 1 else "validation" if place == count - 2 else "train"
