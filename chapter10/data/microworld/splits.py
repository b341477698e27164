"""What belongs to which split: entities, patterns, combinations, and every single sentence.

Nothing is stored: each rule is a function of the words themselves, so it holds across seeds, sizes
and machines.

- A *sentence* belongs to test or validation by its checksum, else to training. Test and validation
  examples are made of their own sentences only, so that no test sentence stands in pretraining or
  fine-tuning text.
- The sentences of *documents* go by people instead: every sentence of a test story names somebody,
  and the people of test stories are in no training or pretraining story.
- An *entity* (a person) and a *pattern* belong to a split by their place in their list, a
  *combination* (two words) by its checksum. Fine-tuning examples use only those of their split;
  pretraining text uses all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeVar, get_args

from chapter10.data.microworld.draws import checksum
from chapter10.data.microworld.tokens import PUNCTUATION, Token

Split = Literal["pretraining", "train", "validation", "test"]
Held = Literal["held out", "known", "shared"]
"""Whose wordings an example may have: its own split's, those of training, or everybody's."""
Item = TypeVar("Item")

SENTENCE_BUCKETS = 6
COMBINATION_BUCKETS = 5
PLACES = 5


def check_split(split: str) -> None:
    """Refuse what is no split."""
    if split not in get_args(Split):
        raise ValueError(f"split is {split!r}; there are {', '.join(get_args(Split))}.")


def sentence_split(words: Sequence[str]) -> Split:
    """Where a sentence belongs, by its words in small letters, without punctuation."""
    kept = [word.lower() for word in words if word not in PUNCTUATION]
    return _by_bucket(checksum("".join(kept)) % SENTENCE_BUCKETS)


def admits_sentence(split: Split, tokens: Sequence[Token]) -> bool:
    """Whether a sentence may stand in a text of that split."""
    return sentence_split([token.text for token in tokens]) == (
        "train" if is_open(split) else split
    )


def combination_split(*words: str) -> Split:
    """Where a combination of words belongs."""
    return _by_bucket(checksum(*words) % COMBINATION_BUCKETS)


def admits_combination(split: Split, *words: str) -> bool:
    """Whether an example of that split may combine these words; pretraining text may anything."""
    return split == "pretraining" or combination_split(*words) == split


def admits_deed(split: Split, who: str, verb: str) -> bool:
    """Whether somebody may do something in a text of that split.

    Half of everybody's deeds are kept out of pretraining text; questions of validation and test,
    each about its own people, are about these.
    """
    held_out = checksum(who, verb) % 2 == 0
    return {"pretraining": not held_out, "train": True}.get(split, held_out)


def of_split(items: Sequence[Item], split: Split) -> Sequence[Item]:
    """The entities or patterns of a list that a split may use, by their places in the list.

    Of every five the fourth is for validation and the fifth for test. In a list of three or four
    the last one serves validation and test alike; shorter lists hold nothing out.
    """
    if split == "pretraining" or len(items) < 3:
        return items
    if len(items) < PLACES:
        return items[:-1] if split == "train" else items[-1:]
    return [item for place, item in enumerate(items) if place_split(place) == split]


def place_split(place: int) -> Split:
    """The split of a place in a list of five or more."""
    return {PLACES - 2: "validation", PLACES - 1: "test"}.get(place % PLACES, "train")  # type: ignore[return-value]


def choose(items: Sequence[Item], split: Split, wordings: Held) -> Sequence[Item]:
    """The patterns of a list that an example of the split may have."""
    if wordings == "shared":
        return items
    return of_split(items, "train" if wordings == "known" else split)


def is_open(split: Split) -> bool:
    """Whether a split is for learning: pretraining or fine-tuning."""
    return split in ("pretraining", "train")


def _by_bucket(bucket: int) -> Split:
    return "test" if bucket == 0 else "validation" if bucket == 1 else "train"
