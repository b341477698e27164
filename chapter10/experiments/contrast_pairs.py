"""Pairs of premise and hypothesis, the hypothesis turned round: what a contrast set is made of.

After Gardner et al. (2020), https://aclanthology.org/2020.findings-emnlp.117/.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from chapter10.data.microworld import Inference, shipped
from chapter10.data.microworld.inference import load_inference
from chapter10.data.microworld.patterns import Pattern, Piece, Slot
from chapter10.data.microworld.tokens import Sentence, Token

OPPOSITE = {"entailment": "contradiction", "contradiction": "entailment", "neutral": "neutral"}
"""The label after the hypothesis has been turned round."""


def contrast(pair: Inference) -> Inference:
    """The pair with its hypothesis turned round: yes into no, before into after, more into less.

    Entailment becomes contradiction and the other way round; neutral stays neutral.

    Raises:
        ValueError: a hypothesis that the grammar does not write.
    """
    hypothesis = load_inference(shipped("full"))[pair.kind].hypothesis
    said = _collapsed(token.role or token.text for token in pair.hypothesis_sentence.tokens)
    for side, other in (("yes", "no"), ("no", "yes")):
        for pattern, turned in zip(hypothesis[side]["zh"], hypothesis[other]["zh"], strict=True):
            if _wording(pattern) == said:
                sentence = _filled(turned, pair.hypothesis_sentence)
                label = OPPOSITE[pair.label]
                return Inference(
                    pair.premise, sentence.text, label, pair.kind, pair.premise_sentence, sentence
                )
    raise ValueError(f"No pattern of kind {pair.kind!r} writes {pair.hypothesis!r}.")


def _wording(pattern: Pattern) -> tuple[str, ...]:
    """The words of the pattern, and a role's name for whatever fills a slot."""
    return _collapsed(
        piece.role if isinstance(piece, Slot) else piece.text for piece in _pieces(pattern)
    )


def _collapsed(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name, _ in groupby(names))


def _pieces(pattern: Pattern) -> list[Piece]:
    return [piece for _, pieces in pattern.parts for piece in pieces]


def _filled(pattern: Pattern, like: Sentence) -> Sentence:
    """The pattern with the words that fill the same roles in another sentence."""
    tokens: list[Token] = []
    for piece in _pieces(pattern):
        if isinstance(piece, Slot):
            tokens += [token for token in like.tokens if token.role == piece.role]
        else:
            tokens.append(piece)
    return Sentence(tuple(tokens), "zh")
