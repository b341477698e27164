"""Random choices that are the same on every machine and Python version.

Only `random.Random.random()` is used, whose sequence Python promises never to change; choices and
shuffles are integer arithmetic on it.
"""

from __future__ import annotations

import random
import zlib
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar

Item = TypeVar("Item")


class Draws:
    """A stream of choices, a pure function of its seed: a number, or words and numbers."""

    def __init__(self, *seed: int | str) -> None:
        self._random = random.Random("/".join(str(part) for part in seed)).random

    def below(self, count: int) -> int:
        """An integer from 0 to count - 1."""
        return int(self._random() * count)

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self._random() < probability

    def pick(self, items: Sequence[Item]) -> Item:
        """One of the items, each alike."""
        return items[int(self._random() * len(items))]

    def pick_by(self, items: Sequence[Item], cumulative: Sequence[int]) -> Item:
        """One of the items by cumulative integer weights."""
        return items[bisect_right(cumulative, int(self._random() * cumulative[-1]))]

    def shuffle(self, items: Sequence[Item]) -> list[Item]:
        """The items in random order, as a new list."""
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            other = self.below(last + 1)
            result[last], result[other] = result[other], result[last]
        return result

    def sample(self, items: Sequence[Item], count: int) -> list[Item]:
        """`count` different places of the sequence, in random order."""
        return self.shuffle(items)[:count]


def checksum(*parts: str) -> int:
    """A number that depends on the words alone, the same everywhere."""
    return zlib.crc32("\t".join(parts).encode())


def zipf_weights(count: int, exponent: float, *seed: int | str) -> list[int]:
    """Cumulative integer weights of `count` items: 1/rank**exponent, the ranks dealt out by seed.

    exponent 0 makes all items alike; 1 is Zipf's law.
    """
    ranks = Draws("zipf", *seed).shuffle(range(1, count + 1))
    return list(accumulate(max(1, round(1_000_000 / rank**exponent)) for rank in ranks))


class Patience:
    """Counts draws that did not work out, so that nobody waits for what cannot be written."""

    def __init__(self, count: int, what: str) -> None:
        self.left, self.what = 400 * (count + 5), what

    def lose(self) -> None:
        """One more draw did not work out.

        Raises:
            ValueError: too many did not.
        """
        self.left -= 1
        if self.left < 0:
            raise ValueError(
                f"{self.what} could not be written: no draw keeps the rules of the split. Use the "
                "full lexicon, add words or wordings, or give the style fewer limits."
            )
