"""The dictionary and parallel sentences: for evaluation only, never for training."""

from __future__ import annotations

from chapter10.data.examples import ParallelPair
from chapter10.data.microworld.draws import Draws, Patience
from chapter10.data.microworld.sampling import Style
from chapter10.data.microworld.splits import Split
from chapter10.data.microworld.tokens import Sentence
from chapter10.data.microworld.world import World


def dictionary(world: World) -> list[tuple[str, str, str]]:
    """(Chinese, English, part of speech) of every word with one sense and one translation.

    English verbs stand in their base form, nouns in the singular.
    """
    chinese: dict[str, int] = {}
    english: dict[str, int] = {}
    for word in world.lexicon:
        chinese[word.zh] = chinese.get(word.zh, 0) + 1
        english[word.en] = english.get(word.en, 0) + 1
    return [
        (word.zh, word.en, word.tag)
        for word in world.lexicon
        if chinese[word.zh] == 1 and english[word.en] == 1
    ]


def parallel_sentences(
    world: World,
    count: int,
    *,
    seed: int | str = 0,
    split: Split = "test",
    style: Style | None = None,
) -> list[tuple[Sentence, Sentence]]:
    """`count` events, each in Chinese and in English."""
    style = style or Style()
    draws = Draws("parallel", seed)
    patience = Patience(count, f"{count} parallel sentences")
    written: list[tuple[Sentence, Sentence]] = []
    for event in world.events(f"parallel/{seed}", split, style):
        chinese = world.write(event, "zh", draws, split, style)
        english = world.write(event, "en", draws, split, style)
        if chinese is not None and english is not None:
            written.append((chinese, english))
            if len(written) == count:
                break
        else:
            patience.lose()
    return written


def parallel_pairs(world: World, count: int, *, seed: int | str = 0) -> list[ParallelPair]:
    """The same as plain text."""
    return [
        ParallelPair(zh.text, en.text) for zh, en in parallel_sentences(world, count, seed=seed)
    ]
