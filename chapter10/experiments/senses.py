"""Sentences with a word of two senses, made so that only the other words can tell the senses apart.

Two cues would give the answer to a model that has learned nothing, and are taken away. Place: a
sense whose word stands early is known from its position; here every place holds as many words of
one sense as of the other. Wording: the nearest sentence is most often the same sentence with
another person in it; here a neighbour has to have another wording.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from chapter10.data.microworld import SenseUse, sense_uses
from chapter10.data.microworld import shipped as world
from chapter10.data.microworld.senses import Kind, ambiguous, load_senses
from chapter10.data.microworld.splits import Split
from chapter10.probing import Located, locate
from chapter10.tokenizers import Tokenizer

DRAWN = 8
"""Sentences drawn for each one used: most have no partner of the other sense at their place."""
LEAST_DRAWN = 640
"""Sentences drawn at least: some words have few wordings with a partner."""
VARIABLE = ("who", "other", "when", "x")
"""Roles that change from sentence to sentence of one wording."""


@dataclass(frozen=True)
class Uses:
    """Sentences in pairs, one of each sense, the word at the same place: 0 and 1, 2 and 3, …"""

    word: str
    uses: tuple[SenseUse, ...]

    @property
    def labels(self) -> list[str]:
        """The sense of the word in each sentence, a lexicon id."""
        return [use.sense for use in self.uses]

    @property
    def texts(self) -> list[str]:
        """The sentences as written."""
        return [use.text for use in self.uses]

    def locate(self, tokenizer: Tokenizer) -> Located:
        """The sentences encoded, the word's tokens marked."""
        return locate(tokenizer, self.texts, [use.span for use in self.uses])

    def locate_evenly(self, tokenizer: Tokenizer) -> Located:
        """The same with blanks after each sentence up to the longest: no length tells the sense."""
        assert tokenizer.mask_token_id is not None  # a BERT's tokeniser has one
        blank = tokenizer.id_to_token(tokenizer.mask_token_id)
        longest = max(map(len, self.texts))
        texts = [text + blank * (longest - len(text)) for text in self.texts]
        return locate(tokenizer, texts, [use.span for use in self.uses])

    @property
    def comparable(self) -> Tensor:
        """(N, N) bool: which sentences may be the neighbour of which.

        Not those of a pair that shares a wording with the own pair. What is left holds, at every
        place, as many of one sense as of the other, and is the same for both sentences of a pair:
        vectors that know only the place are right in 1/2 of all cases, exactly.
        """
        wordings = [wording(use) for use in self.uses]
        foreign = torch.tensor([[one != two for two in wordings] for one in wordings])
        pairs = len(wordings) // 2
        apart = foreign.reshape(pairs, 2, pairs, 2).permute(0, 2, 1, 3).flatten(2).all(-1)
        return apart.repeat_interleave(2, dim=0).repeat_interleave(2, dim=1)


def wording(use: SenseUse) -> str:
    """The clause of the word without what varies: people, times, the word and its companions."""
    tokens = use.sentence.tokens
    ends = [place for place, token in enumerate(tokens) if token.text == "。"]
    first = max((end + 1 for end in ends if end < use.target), default=0)
    last = next(end for end in ends if end >= use.target)
    return " ".join("…" if token.role in VARIABLE else token.text for token in tokens[first:last])


def pair_places(uses: Sequence[SenseUse]) -> list[SenseUse]:
    """Different sentences in pairs, one of each sense with the word at the same place.

    Raises:
        ValueError: the sentences show one sense, or more than two.
    """
    senses = sorted({use.sense for use in uses})
    if len(senses) != 2:
        raise ValueError(f"Pairs need sentences of two senses, not of {senses}.")
    places: dict[int, dict[str, dict[str, SenseUse]]] = defaultdict(lambda: {s: {} for s in senses})
    for use in uses:
        places[use.span[0]][use.sense].setdefault(use.text, use)
    return [
        use
        for place in sorted(places)
        for pair in zip(*(places[place][sense].values() for sense in senses), strict=False)
        for use in pair
    ]


@cache
def sentences(word: str, kind: Kind, split: Split, seed: int, count: int) -> Uses:
    """`count` sentences, half of each sense, paired by place; people are those of the split.

    Pairs that share a wording with every other pair have no neighbour and are left out.

    kind: "plain", one clause; "mixed", a clause about each sense. Wordings are everybody's: with
    those of one split alone each sense would have its own place and only one wording.

    Raises:
        ValueError: an odd count, a word without two senses, or too few pairs.
    """
    if count < 2 or count % 2:
        raise ValueError(f"count is {count}; sentences come in pairs, so give an even number.")
    number, name = max(DRAWN * count, LEAST_DRAWN), f"embeddings/{seed}"
    drawn = sense_uses(
        world("full"), number, (word,), seed=name, split=split, kind=kind, wordings="shared"
    )
    paired = pair_places(drawn)
    if len(paired) < count:
        raise ValueError(
            f"Only {len(paired)} sentences with {word} for {split} can be paired by place, of "
            f"{count} asked for; ask for fewer."
        )
    draw = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(paired) // 2, generator=draw)[: count // 2].tolist()
    found = Uses(word, tuple(paired[2 * pair + side] for pair in chosen for side in (0, 1)))
    near = found.comparable.any(1).tolist()
    return Uses(word, tuple(use for use, kept in zip(found.uses, near, strict=True) if kept))


@cache
def category_words() -> dict[str, tuple[str, ...]]:
    """Group -> its words of one sense, for every group whose words have sentences to show them."""
    lexicon = world("full").lexicon
    many = lexicon.senses()
    found = {
        group: tuple(sorted({word.zh for word in lexicon.groups[group] if word.zh not in many}))
        for group in load_senses(world("full")).shows
    }
    return {group: words for group, words in found.items() if len(words) > 1}


def company(sense: str, word: str) -> tuple[frozenset[str], frozenset[str]]:
    """The first characters of the words of a sense's group, and of its rival's; none in both."""
    groups = {entry.id: entry.group for entry in ambiguous(world("full"))[word]}
    rival = next(group for name, group in groups.items() if name != sense)
    ours, theirs = (
        frozenset(entry.zh[0] for entry in world("full").lexicon.groups[group])
        for group in (groups[sense], rival)
    )
    return ours - theirs, theirs - ours
