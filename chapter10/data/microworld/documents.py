"""Documents: stories, days and rounds, several sentences whose order matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from chapter10.data.microworld.draws import Draws
from chapter10.data.microworld.forms import Filler
from chapter10.data.microworld.grammar import Story
from chapter10.data.microworld.patterns import Pattern
from chapter10.data.microworld.sampling import NoWordError, Sampler, Style
from chapter10.data.microworld.splits import Split, check_split, is_open
from chapter10.data.microworld.tokens import (
    Language,
    Register,
    Sentence,
    Token,
    capitalise,
    join,
)
from chapter10.data.microworld.world import World, chances

Order = Literal["story", "day", "round"]
HOURS = frozenset(["一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二"])
CLOCK_TAGS = {"in": "ADP", "the": "DET"} | dict.fromkeys(
    ("morning", "afternoon", "evening", "night", "noon"), "NOUN"
)


@dataclass(frozen=True)
class Document:
    """Sentences in order, and the state behind them.

    order: "day" tells the hours (an absolute order), "story" one thing after another, "round" goes
        in a circle, begins anywhere and ends before it comes round to its beginning. places: which
        step of the story each sentence is. state: role -> the word's id, for every role that some
        sentence speaks of; in a round a role that passes to somebody else comes again with a number
        (who, who2, who3).
    """

    name: str
    order: Order
    sentences: tuple[Sentence, ...]
    places: tuple[int, ...]
    turn: str
    state: dict[str, str]

    @cached_property
    def text(self) -> str:
        """All sentences, one after the other."""
        return join(self.sentences).text if self.register == "zh" else " ".join(self.texts)

    @property
    def texts(self) -> list[str]:
        """Each sentence's text: what `next_sentence_pairs` and `sentence_order_pairs` take."""
        return [sentence.text for sentence in self.sentences]

    @property
    def register(self) -> Register:
        """How it is written out."""
        return self.sentences[0].register


def make_documents(
    world: World,
    count: int,
    language: Language = "zh",
    *,
    seed: int | str = 0,
    split: Split = "pretraining",
    orders: Sequence[Order] = ("story", "day", "round"),
    style: Style | None = None,
) -> list[Document]:
    """`count` documents, a pure function of the seed."""
    check_split(split)
    style = style or Style()
    sampler = Sampler(world.lexicon, style, split, people="train" if is_open(split) else split)
    draws = Draws("documents", language, split, seed, *orders)
    stories = {n: s for n, s in world.grammar.stories.items() if s.kind in orders}
    if not stories:
        raise ValueError(f"orders is {orders!r}; name one or more of story, day and round.")
    names, weights = chances({name: story.share for name, story in stories.items()}, style)
    documents: list[Document] = []
    for _ in range(20 * count + 100):
        if len(documents) == count:
            return documents
        story = stories[draws.pick_by(names, weights)]
        try:
            documents.append(_tell(story, sampler, language, draws, split, style))
        except NoWordError:
            continue
    raise ValueError(
        f"{count} documents of {orders!r} could not be written for {split}: too few words fit "
        "the casts of the stories. Use the full lexicon, or add words."
    )


def _tell(
    story: Story, sampler: Sampler, language: Language, draws: Draws, split: Split, style: Style
) -> Document:
    fillers: dict[str, Filler] = {}
    for name, role in story.cast.items():
        fillers[name] = sampler.fill(role, fillers, draws)
    if split != "pretraining":
        fillers = {name: replace(filler, named=True) for name, filler in fillers.items()}
    if "what" in fillers:
        many = fillers["what"].word.kinds & {"fruit", "vegetable"}
        fillers["what"] = replace(fillers["what"], count=2 + draws.below(4) if many else 1)
    turn = draws.pick(story.turns) if story.turns else ""
    places = _course(story, turn, draws)
    sentences: list[Sentence] = []
    state: dict[str, str] = {}
    for place in places:
        pattern = _pattern(story, place, fillers, language, draws)
        sentences.append(_write_step(story, place, pattern, fillers, draws))
        for name, filler in fillers.items():
            if name in pattern.roles():
                _note(state, name, filler.word.id)
        if story.kind == "round":
            fillers = _recast(story, sampler, fillers, draws)
        else:
            fillers["who"] = replace(fillers["who"], known="who" in state and draws.chance(0.7))
    return Document(story.name, story.kind, tuple(sentences), tuple(places), turn, state)


def _note(state: dict[str, str], role: str, word: str) -> None:
    """Put down who or what has a role; somebody else in the same role gets a number."""
    key, number = role, 1
    while state.get(key, word) != word:
        number += 1
        key = f"{role}{number}"
    state[key] = word


def _course(story: Story, turn: str, draws: Draws) -> list[int]:
    """The places of the steps to tell, in order."""
    places = range(len(story.steps))
    if story.kind == "round":
        start, length = draws.below(len(places)), min(3 + draws.below(3), len(places))
        return [(start + i) % len(places) for i in range(length)]
    if story.kind == "day":
        return sorted(draws.sample(places, 3 + draws.below(4)))
    return [
        place
        for place in places
        if story.steps[place].turn in ("", turn)
        and not (story.steps[place].optional and draws.chance(0.5))
    ]


def _recast(
    story: Story, sampler: Sampler, fillers: dict[str, Filler], draws: Draws
) -> dict[str, Filler]:
    """In a round others may go on, except where the round is about who follows whom."""
    if "a" in story.cast or "who" not in story.cast:
        return fillers
    kept: dict[str, Filler] = {k: v for k, v in fillers.items() if k not in ("who", "other")}
    for name in ("who", "other"):
        if name in story.cast:
            filler = sampler.fill(story.cast[name], kept, draws)
            kept[name] = replace(filler, named=fillers[name].named)
    return kept


def _pattern(
    story: Story, place: int, fillers: Mapping[str, Filler], language: Language, draws: Draws
) -> Pattern:
    named = any(filler.named for filler in fillers.values())
    return draws.pick(story.steps[place].patterns(language, named))


def _write_step(
    story: Story, place: int, pattern: Pattern, fillers: Mapping[str, Filler], draws: Draws
) -> Sentence:
    if story.kind != "day":
        return Sentence(pattern.fill(fillers, draws), pattern.language)
    said = pattern.fill(fillers, draws, capital=False)
    return Sentence(_at_hour(story.hours[place], said, pattern.language), pattern.language)


def _at_hour(
    hour: tuple[str, str], tokens: tuple[Token, ...], language: Language
) -> tuple[Token, ...]:
    if language == "zh":
        clock = [
            Token(word, "NUM" if word in HOURS else "NOUN", "when") for word in hour[0].split()
        ]
        return (*clock, Token("，", "PUNCT"), *tokens)
    said = [Token(word, CLOCK_TAGS.get(word, "NUM"), "when") for word in hour[1].split()]
    return capitalise((Token("at", "ADP", "when"), *said, Token(",", "PUNCT"), *tokens))
