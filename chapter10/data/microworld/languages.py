"""Unaligned text in several languages: words as tokens, no word in two of them.

Three rungs lead from a disguise to a language. *gloss*: the Chinese word for word under other
names ("fake English", K et al. 2020, https://arxiv.org/abs/1912.07840). *slots*: real Chinese and
real English with the same slots. *natural*: both as they are written. On every rung the third
language, "xx", is the second with its letters exchanged, so it shares its grammar and no word.

Two languages out of one generator are twins: the same words are frequent, at the same places, in
sentences of the same lengths. `Habits` gives each language its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from chapter10.data.microworld.draws import Draws
from chapter10.data.microworld.parallel import parallel_sentences
from chapter10.data.microworld.registers import gloss, load_slots, slot_pairs, slot_sentences
from chapter10.data.microworld.sampling import Style
from chapter10.data.microworld.splits import Split
from chapter10.data.microworld.tokens import Sentence, Token
from chapter10.data.microworld.world import World

Code = Literal["zh", "en", "xx"]
Rung = Literal["gloss", "slots", "natural"]
CODES: tuple[Code, ...] = get_args(Code)
Row = tuple[str, ...]
"""The words of one row of text."""

_OTHER = str.maketrans("aeioubcdfghjklmnpqrstvwxyz", "ēīōūācdfghjklmnpqrstvwxyzb")


@dataclass(frozen=True, kw_only=True)
class Habits:
    """What distinguishes the text of one language beside its words.

    seed: which words, and which kinds of sentence, are the frequent ones. zipf: how uneven the
    words are; 0 uses all words of a group alike. uneven: kinds of sentence come from 1 to 32 times
    as often as each other. sentences: a row holds from so many to so many sentences, which moves
    places and lengths. backwards: the words of every sentence in reversed order.
    """

    seed: int = 0
    zipf: float = 0.0
    uneven: bool = False
    sentences: tuple[int, int] = (1, 1)
    backwards: bool = False

    def __post_init__(self) -> None:
        least, most = self.sentences
        if not 1 <= least <= most:
            raise ValueError(
                f"sentences is {self.sentences}; give the least and the most of a row, from 1 on."
            )

    def style(self, kinds: Sequence[str]) -> Style:
        """The style for a generator that knows these kinds of sentence."""
        draws = Draws("kinds", self.seed)
        shares = {kind: 2 ** draws.below(6) for kind in sorted(kinds)} if self.uneven else {}
        return Style(zipf=self.zipf, frequency_seed=self.seed, shares=shares)


TWINS: Mapping[Code, Habits] = dict.fromkeys(CODES, Habits(zipf=1.2, uneven=True))
"""All languages alike: statistics alone find many translations."""
OWN: Mapping[Code, Habits] = {
    "zh": Habits(seed=1, zipf=1.2, uneven=True, sentences=(1, 2)),
    "en": Habits(seed=2, zipf=1.2, uneven=True, sentences=(1, 4)),
    "xx": Habits(seed=3, zipf=1.2, uneven=True, sentences=(2, 3)),
}
"""Each language its own frequencies, places and lengths."""


def sentences(
    world: World,
    code: Code,
    count: int,
    *,
    rung: Rung = "slots",
    habits: Habits | None = None,
    seed: int | str = 0,
    split: Split = "pretraining",
) -> list[Sentence]:
    """`count` sentences of one language, without punctuation, in the grammar's own order."""
    style = (habits or Habits()).style(_kinds(world, rung))
    key = f"{code}/{seed}"
    written: list[Sentence]
    if rung == "slots":
        source: Literal["zh", "en"] = "zh" if code == "zh" else "en"
        written = slot_sentences(world, count, source, seed=key, split=split, style=style)
    elif rung == "gloss" or code == "zh":
        written = world.sentences(count, "zh", seed=key, split=split, style=style)
        if code != "zh":
            written = [gloss(sentence, world.lexicon) for sentence in written]
    else:
        written = world.sentences(count, "en", seed=key, split=split, style=style)
    return [_plain(sentence, code) for sentence in written]


def rows(
    world: World,
    code: Code,
    count: int,
    *,
    rung: Rung = "slots",
    habits: Habits | None = None,
    seed: int | str = 0,
    split: Split = "pretraining",
) -> list[Row]:
    """`count` rows of training or held-out text, in the language's habits."""
    habits = habits or Habits()
    draws = Draws("rows", code, seed)
    least, most = habits.sentences
    sizes = [least + draws.below(most - least + 1) for _ in range(count)]
    made = iter(
        sentences(world, code, sum(sizes), rung=rung, habits=habits, seed=seed, split=split)
    )
    return [tuple(word for _ in range(size) for word in said(next(made), habits)) for size in sizes]


def said(sentence: Sentence, habits: Habits) -> Row:
    """The words in the order in which the language says them."""
    return sentence.words[::-1] if habits.backwards else sentence.words


def same_events(
    world: World,
    pair: tuple[Code, Code],
    count: int,
    *,
    rung: Rung = "slots",
    seed: int | str = 0,
    split: Split = "test",
) -> list[tuple[Sentence, Sentence]]:
    """Events in two languages, in the grammar's own order: for evaluation only."""
    made: list[tuple[Sentence, Sentence]]
    if rung == "slots":
        made = slot_pairs(world, count, seed=seed, split=split)
    elif rung == "gloss":
        chinese = world.sentences(count, "zh", seed=f"same/{seed}", split=split)
        made = [(one, gloss(one, world.lexicon)) for one in chinese]
    else:
        made = parallel_sentences(world, count, seed=seed, split=split)
    return [
        (_plain(both[pair[0] != "zh"], pair[0]), _plain(both[pair[1] != "zh"], pair[1]))
        for both in made
    ]


def translations(
    pairs: Sequence[tuple[Sentence, Sentence]], rung: Rung = "slots", least: int = 1
) -> dict[str, frozenset[str]]:
    """Word of the first language -> the words that are right for it in the second.

    On the two lower rungs by the slot. In natural text by the entry of the lexicon, where either
    language writes it as one word. least: how often a translation has to occur.
    """
    found: dict[str, Counter[str]] = {}
    for first, second in pairs:
        for a, b in _same(first, second, rung):
            found.setdefault(a, Counter())[b] += 1
    kept = {a: frozenset(b for b, n in seen.items() if n >= least) for a, seen in found.items()}
    return {a: words for a, words in kept.items() if words}


def _same(first: Sentence, second: Sentence, rung: Rung) -> list[tuple[str, str]]:
    if rung != "natural":
        return list(zip(first.words, second.words, strict=True))
    by_sense = [_once(sentence) for sentence in (first, second)]
    return [(by_sense[0][s], by_sense[1][s]) for s in by_sense[0] if s in by_sense[1]]


def _once(sentence: Sentence) -> dict[str, str]:
    """Entry -> word, of the entries that the sentence writes with a single token."""
    counts = Counter(token.sense for token in sentence.tokens if token.sense)
    return {t.sense: t.text for t in sentence.tokens if counts[t.sense] == 1}


def categories(world: World, written: Sequence[Sentence]) -> dict[str, str]:
    """Word -> its group in the lexicon ("fruit"); its part of speech where it has several or
    none, as numbers with their measure words do."""
    groups: dict[str, set[str]] = {}
    tags: dict[str, str] = {}
    for token in (token for sentence in written for token in sentence.tokens):
        entry = world.lexicon.words.get(token.sense)
        groups.setdefault(token.text, set()).add(entry.group if entry else token.tag)
        tags.setdefault(token.text, token.tag)
    return {word: min(found) if len(found) == 1 else tags[word] for word, found in groups.items()}


def _kinds(world: World, rung: Rung) -> list[str]:
    if rung == "slots":
        return [pattern.name for pattern in load_slots(world)]
    return list(world.shares)


def _plain(sentence: Sentence, code: Code) -> Sentence:
    """Without punctuation, in small letters, in the letters of its language."""
    tokens: list[Token] = []
    for token in sentence.tokens:
        if token.tag == "PUNCT":
            continue
        text = token.text.lower()
        tokens.append(token._replace(text=disguise(text) if code == "xx" else text))
    return Sentence(tuple(tokens), sentence.register)


def disguise(word: str) -> str:
    """A word of "en" in "xx": vowels become long ones, consonants other consonants."""
    other = word.translate(_OTHER)
    return other if any(letter in "āēīōū" for letter in other) else f"{other}ō"


def code_of(word: str) -> Code:
    """The language of a word, by its letters."""
    if any("\u4e00" <= letter <= "\u9fff" for letter in word):
        return "zh"
    return "xx" if any(letter in "āēīōū" for letter in word) else "en"
