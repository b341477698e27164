"""The micro-world: sentences and documents written from events whose truth is known.

world = World()
for document in world.documents(3, "zh", seed=0):
    print(document.text)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate
from pathlib import Path

from chapter10.data.microworld.draws import Draws, Patience
from chapter10.data.microworld.forms import Filler, Fillers
from chapter10.data.microworld.grammar import (
    EventKind,
    Grammar,
    Tense,
    Wordings,
    load_grammar,
)
from chapter10.data.microworld.lexicon import Lexicon, Size, load_lexicon
from chapter10.data.microworld.patterns import Pattern
from chapter10.data.microworld.sampling import NoWordError, Sampler, Style
from chapter10.data.microworld.splits import Split, admits_sentence, check_split, of_split
from chapter10.data.microworld.tokens import Language, Sentence

SHIPPED = Path(__file__).parent


@dataclass(frozen=True)
class Event:
    """What happened: the kind of event, when it lies, and who and what took part."""

    kind: str
    tense: Tense
    fillers: Fillers

    @property
    def state(self) -> dict[str, str]:
        """Role -> the word's id, the number of things added: what a question may ask about."""
        return {
            role: filler.word.id + (f"×{filler.count}" if filler.count > 1 else "")
            for role, filler in self.fillers.items()
        }


class World:
    """A lexicon and a grammar, and the text one can write with them.

    folder: where ``lexicon/``, ``grammar/`` and ``tasks/`` lie; the shipped world by default.
    size: "core", some 600 words a language, or "full".
    """

    def __init__(self, size: Size = "full", folder: Path = SHIPPED) -> None:
        self.folder = folder
        self.size = size
        self.lexicon: Lexicon = load_lexicon(folder / "lexicon", size)
        self.grammar: Grammar = load_grammar(folder / "grammar", self.lexicon)

    @cached_property
    def shares(self) -> Mapping[str, int]:
        """How often each kind of event comes."""
        return {name: kind.share for name, kind in self.grammar.events.items()}

    def sampler(self, style: Style, split: Split) -> Sampler:
        """Who draws the words for a text of that style and split."""
        check_split(split)
        return Sampler(self.lexicon, style, split, deeds=split if split == "pretraining" else None)

    def events(
        self, seed: int | str, split: Split = "pretraining", style: Style | None = None
    ) -> Iterator[Event]:
        """Events without end, a pure function of the seed."""
        style = style or Style()
        sampler = self.sampler(style, split)
        draws = Draws("events", split, seed)
        kinds, weights = chances(self.shares, style)
        while True:
            kind = self.grammar.events[draws.pick_by(kinds, weights)]
            try:
                yield make_event(kind, sampler, draws)
            except NoWordError:
                continue

    def sentences(
        self,
        count: int,
        language: Language = "zh",
        *,
        seed: int | str = 0,
        split: Split = "pretraining",
        style: Style | None = None,
    ) -> list[Sentence]:
        """`count` single sentences. Texts of different languages share no event."""
        style = style or Style()
        draws = Draws("sentences", language, split, seed)
        written: list[Sentence] = []
        patience = Patience(count, f"{count} sentences for {split}")
        for event in self.events(f"{language}/{seed}", split, style):
            sentence = self.write(event, language, draws, split, style)
            if sentence is not None:
                written.append(sentence)
                if len(written) == count:
                    break
            else:
                patience.lose()
        return written

    def write(
        self, event: Event, language: Language, draws: Draws, split: Split, style: Style
    ) -> Sentence | None:
        """A sentence about an event, or None where none of the split came up."""
        wordings = self.grammar.events[event.kind].tenses[event.tense]
        return write_one(wordings, event.fillers, language, draws, split, style)


@cache
def shipped(size: Size = "full") -> World:
    """The world that comes with the package, read once."""
    return World(size)


def make_event(
    kind: EventKind, sampler: Sampler, draws: Draws, tense: Tense | None = None
) -> Event:
    """An event of a kind.

    Raises:
        NoWordError: the split has no words for it.
    """
    chosen: Tense = draws.pick(tuple(kind.tenses)) if tense is None else tense
    return Event(kind.name, chosen, sampler.event_fillers(kind.roles, chosen, draws))


def write_one(
    wordings: Wordings,
    fillers: Mapping[str, Filler],
    language: Language,
    draws: Draws,
    split: Split,
    style: Style,
    tries: int = 4,
) -> Sentence | None:
    """A sentence in one of the wordings that belongs to the split, or None after some tries."""
    patterns = of_split(wordings[language], split) or wordings[language]
    for _ in range(tries):
        pattern = _pick_pattern(patterns, draws, style)
        tokens = pattern.fill(fillers, draws)
        if not style.min_words <= len(tokens) <= style.max_words:
            continue
        if admits_sentence(split, tokens):
            return Sentence(tokens, language)
    return None


def _pick_pattern(patterns: Sequence[Pattern], draws: Draws, style: Style) -> Pattern:
    if style.time_first is None:
        return draws.pick(patterns)
    first = [p for p in patterns if p.source.startswith("{when}")]
    later = [p for p in patterns if not p.source.startswith("{when}")]
    if not first or not later:
        return draws.pick(patterns)
    return draws.pick(first if draws.chance(style.time_first) else later)


def chances(shares: Mapping[str, int], style: Style) -> tuple[list[str], list[int]]:
    """Names and cumulative weights, the style's own shares put in.

    Raises:
        ValueError: the style leaves none of them.
    """
    merged = {name: style.shares.get(name, share) for name, share in shares.items()}
    kept = [(name, share) for name, share in merged.items() if share > 0]
    if not kept:
        raise ValueError("shares leaves nothing to write about; give one kind more than 0.")
    return [name for name, _ in kept], list(accumulate(share for _, share in kept))
