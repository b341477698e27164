"""The text that the page `cbow` learns from: micro-world sentences, cut into words, as windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from chapter10.data.microworld import corpus, sense_uses
from chapter10.data.microworld import shipped as world
from chapter10.objectives import Windows, context_windows

DOCUMENTS = 8000
"""Documents of micro-world text to learn from, about 200,000 words."""
SENSES = 1600
"""Sentences with a word of two senses among it, each sense equally often: so CBOW has met both."""
HELD_OUT = 400
"""Documents of other text, for the share of blanks guessed right."""
MIN_COUNT = 5
"""Words seen less often are unknown: they stand in windows, and are never asked for."""
WINDOW = 4
PADDING, UNKNOWN = 0, 1
SPECIAL = ("[PAD]", "[UNK]")


@dataclass(frozen=True)
class Text:
    """words: id -> word, the special ones first. counts: (V,). rows: sentences as ids."""

    words: tuple[str, ...]
    counts: Tensor
    rows: list[list[int]]

    def ids(self, sentence: Sequence[str]) -> list[int]:
        """A sentence's words as ids; what is not in the vocabulary is `UNKNOWN`."""
        known = numbers_of(self.words)
        return [known.get(word, UNKNOWN) for word in sentence]


@lru_cache(maxsize=4)
def numbers_of(words: tuple[str, ...]) -> Mapping[str, int]:
    """Word -> id."""
    return {word: number for number, word in enumerate(words)}


def sentences(documents: int, seed: int | str) -> list[tuple[str, ...]]:
    """Sentences of pretraining text, cut into words by the world itself."""
    written = corpus(world("full"), documents, seed=f"cbow/{seed}")
    return [sentence.words for document in written for sentence in document]


@lru_cache(maxsize=4)
def make_text(
    seed: int, documents: int = DOCUMENTS, senses: int = SENSES, min_count: int = MIN_COUNT
) -> Text:
    """What a model of that seed learns from; the most frequent word is number 2."""
    both = sense_uses(world("full"), senses, seed=f"cbow/{seed}") if senses else []
    written = sentences(documents, seed) + [use.sentence.words for use in both]
    counted = Counter(word for sentence in written for word in sentence).most_common()
    words = (*SPECIAL, *(word for word, count in counted if count >= min_count))
    text = Text(words, torch.zeros(len(words)).long(), [])
    rows = [text.ids(sentence) for sentence in written]
    counts = torch.bincount(torch.tensor([w for row in rows for w in row]), minlength=len(words))
    return Text(words, counts, rows)


def make_windows(text: Text, rows: Sequence[Sequence[int]], window: int = WINDOW) -> Windows:
    """The windows of sentences whose middle word is in the vocabulary."""
    found = context_windows(rows, window, pad_token_id=PADDING)
    known = found.targets != UNKNOWN
    return Windows(found.context_ids[known], found.targets[known])


def held_out(text: Text) -> Windows:
    """Windows of text that no model learns from."""
    rows = [text.ids(sentence) for sentence in sentences(HELD_OUT, "held out")]
    return make_windows(text, rows)
