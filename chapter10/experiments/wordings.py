"""The wordings of pairs of premise and hypothesis: told apart, kept to those of training, turned.

A wording is a pattern of ``grammar/inference.yml`` with its slots left open. Fine-tuning has the
first three of five; validation pairs have the fourth, test pairs the fifth (``microworld.splits``).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import groupby

from chapter10.data.microworld import Inference, inferences, shipped
from chapter10.data.microworld.inference import InferenceKind, load_inference
from chapter10.data.microworld.patterns import Pattern, Piece, Slot
from chapter10.data.microworld.splits import Split, of_split
from chapter10.data.microworld.tokens import Sentence, Token

OPPOSITE = {"entailment": "contradiction", "contradiction": "entailment", "neutral": "neutral"}
"""The label after the hypothesis has been turned round."""
_SIDES = ("yes", "no", "open")
Wording = tuple[str, ...]


def wording(sentence: Sentence) -> Wording:
    """The words of the pattern, and a role's name for whatever fills a slot."""
    return _collapsed(token.role or token.text for token in sentence.tokens)


def _wording_of(pattern: Pattern) -> Wording:
    return _collapsed(
        piece.role if isinstance(piece, Slot) else piece.text for piece in _pieces(pattern)
    )


def _collapsed(names: Iterator[str]) -> Wording:
    return tuple(name for name, _ in groupby(names))


def _pieces(pattern: Pattern) -> list[Piece]:
    return [piece for _, pieces in pattern.parts for piece in pieces]


def _kinds() -> dict[str, InferenceKind]:
    return dict(load_inference(shipped("full")))


@cache
def training_wordings() -> frozenset[tuple[str, Wording]]:
    """(kind, wording) of all premises and hypotheses that fine-tuning may see."""
    return frozenset(
        (name, _wording_of(pattern))
        for name, kind in _kinds().items()
        for sides in (kind.premise, kind.hypothesis)
        for side in _SIDES
        if side in sides
        for pattern in of_split(sides[side]["zh"], "train")
    )


def is_familiar(pair: Inference) -> bool:
    """Whether both sentences are worded as training pairs are."""
    sentences = (pair.premise_sentence, pair.hypothesis_sentence)
    return all((pair.kind, wording(one)) in training_wordings() for one in sentences)


@lru_cache(maxsize=8)
def familiar_pairs(split: Split, count: int) -> tuple[Inference, ...]:
    """`count` different pairs with the people and sentences of a split, worded as in training.

    Raises:
        ValueError: the micro-world does not write so many.
    """
    written = inferences(shipped("full"), 4 * count, split=split, wordings="shared")
    unique = {(pair.premise, pair.hypothesis): pair for pair in reversed(written)}
    found = tuple(pair for pair in reversed(unique.values()) if is_familiar(pair))[:count]
    if len(found) < count:
        raise ValueError(f"{split} has {len(found)} familiar pairs, of {count}; ask for fewer.")
    return found


def contrast(pair: Inference) -> Inference:
    """The pair with its hypothesis turned round: yes into no, before into after, more into less.

    Entailment becomes contradiction and the other way round; neutral stays neutral.

    Raises:
        ValueError: a hypothesis that the grammar does not write.
    """
    hypothesis = _kinds()[pair.kind].hypothesis
    said = wording(pair.hypothesis_sentence)
    for side, other in (("yes", "no"), ("no", "yes")):
        for pattern, turned in zip(hypothesis[side]["zh"], hypothesis[other]["zh"], strict=True):
            if _wording_of(pattern) == said:
                sentence = _filled(turned, pair.hypothesis_sentence)
                label = OPPOSITE[pair.label]
                return Inference(
                    pair.premise, sentence.text, label, pair.kind, pair.premise_sentence, sentence
                )
    raise ValueError(f"No pattern of kind {pair.kind!r} writes {pair.hypothesis!r}.")


def _filled(pattern: Pattern, like: Sentence) -> Sentence:
    """The pattern with the words that fill the same roles in another sentence."""
    tokens: list[Token] = []
    for piece in _pieces(pattern):
        if isinstance(piece, Slot):
            tokens += [token for token in like.tokens if token.role == piece.role]
        else:
            tokens.append(piece)
    return Sentence(tuple(tokens), "zh")
