"""The text of the page `pretraining`: single Chinese sentences of the micro-world, by splits.

A token is a character. A sentence belongs to training, validation or test by its own checksum, so
no test sentence is ever trained on.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from chapter10.data.microworld.lexicon import Size
from chapter10.data.microworld.sampling import Style
from chapter10.data.microworld.splits import Split
from chapter10.data.microworld.tokens import Sentence
from chapter10.data.microworld.world import shipped
from chapter10.tokenizers import Tokenizer

SIZE: Size = "core"
STYLE = Style(zipf=1.0)
SENTENCES = 40_000
HELD_OUT = 2_000
SEEN = Path(__file__).parent.parent / "data" / "pretraining_seen.txt"
"""Digests of all test sentences of the first draw, seeds 0 to 5, as the world wrote them then
(revision 5d37abd): drawing them again would give others, since its words have changed."""


def sentences(count: int, seed: int | str, split: Split = "pretraining") -> list[Sentence]:
    """Sentences of the micro-world with their parts of speech, a pure function of the seed."""
    return shipped(SIZE).sentences(count, "zh", seed=seed, split=split, style=STYLE)


@lru_cache(maxsize=2)
def training_text(seed: int) -> tuple[str, ...]:
    """SENTENCES sentences for pretraining."""
    return tuple(sentence.text for sentence in sentences(SENTENCES, seed))


@lru_cache(maxsize=2)
def make_tokenizer(seed: int) -> Tokenizer:
    """A token for each character of the training text."""
    return Tokenizer.train(training_text(seed), kind="character", vocab_size=4000)


def shuffled(texts: Sequence[str], seed: int) -> list[str]:
    """Control: the characters of each text in random order."""
    draw = random.Random(seed)
    return ["".join(draw.sample(text, len(text))) for text in texts]


@lru_cache(maxsize=4)
def held_out(split: Split, seed: int) -> tuple[Sentence, ...]:
    """Sentences of another split, more than are needed, since some come again.

    Those of the test are a second draw, under another name of the seed: values of the first one
    had been seen while settings still changed. None of its sentences is among them.
    """
    if split != "test":
        return tuple(sentences(2 * HELD_OUT, seed, split))
    seen = frozenset(SEEN.read_text(encoding="ascii").split())
    second = sentences(4 * HELD_OUT, f"second/{seed}", split)
    return tuple(sentence for sentence in second if digest(sentence.text) not in seen)


def digest(text: str) -> str:
    """What SEEN holds of a sentence: eight hexadecimal digits."""
    return blake2b(text.encode(), digest_size=4).hexdigest()


def held_out_texts(split: Split, seed: int) -> list[str]:
    """The texts of `held_out`."""
    return [sentence.text for sentence in held_out(split, seed)]
