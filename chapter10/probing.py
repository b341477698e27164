"""What vectors know: the vector of a token after every layer, and how alike vectors are.

The two measures of the page `embeddings` are here: the sense of the nearest neighbour, and the gap
between the cosines within a sense and between senses. Both need vectors freed of what they all
share: contextual vectors lie in a narrow cone (Ethayarajh, "How Contextual are Contextualized Word
Representations?", 2019, https://arxiv.org/abs/1909.00512), so that every cosine is high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from chapter10.bert import Bert
from chapter10.tokenizers import Tokenizer

Span = tuple[int, int]
"""First character and the one after the last, in a text."""
TIE = 1e-6
"""Cosines that differ by less are equal: equal vectors differ by the order of their additions."""


@dataclass(frozen=True)
class Located:
    """Encoded texts, and which tokens of each are asked about.

    input_ids, attention_mask, token_type_ids: (N, T) long. chosen: (N, T) bool, at least one token
    a row.
    """

    input_ids: Tensor
    attention_mask: Tensor
    token_type_ids: Tensor
    chosen: Tensor

    def __len__(self) -> int:
        return len(self.input_ids)


def locate(tokenizer: Tokenizer, texts: Sequence[str], spans: Sequence[Span]) -> Located:
    """Encode texts, and find the tokens that overlap a span of characters of each.

    Raises:
        ValueError: texts and spans differ in number, there are none, or a span holds no token.
    """
    if len(texts) != len(spans) or not texts:
        raise ValueError(
            f"{len(texts)} texts come with {len(spans)} spans; give one span for each of at least "
            "one text."
        )
    batch = tokenizer(list(texts))
    chosen = torch.tensor(
        [
            # A special token has the empty span (0, 0).
            [first < stop and last > start and last > first for first, last in row.offsets]
            for row, (start, stop) in zip(batch.encodings, spans, strict=True)
        ]
    )
    for text, span, row in zip(texts, spans, chosen, strict=True):
        if not row.any():
            raise ValueError(f"There is no token at characters {span} of {text!r}.")
    return Located(batch.input_ids, batch.attention_mask, batch.token_type_ids, chosen)


@torch.no_grad()
def layer_vectors(bert: Bert, located: Located, *, batch_size: int = 64) -> Tensor:
    """(1 + L, N, H) double: the mean over the chosen tokens, as they enter and after every layer.

    Layer 0 is the sum of word, position and segment embeddings, normalised: it knows the place of a
    token in its text, and nothing of the other tokens.
    """
    parts = []
    for at in range(0, len(located), batch_size):
        rows = slice(at, at + batch_size)
        output = bert(
            located.input_ids[rows],
            located.attention_mask[rows],
            located.token_type_ids[rows],
            output_hidden_states=True,
        )
        weights = _weights(located.chosen[rows])
        parts.append(torch.stack([_mean(one, weights) for one in output.hidden_states]))
    return torch.cat(parts, dim=1)


def token_vectors(
    bert: Bert, tokenizer: Tokenizer, texts: Sequence[str], spans: Sequence[Span]
) -> Tensor:
    """(1 + L, N, H): the vectors of a word or character in each text; see `layer_vectors`."""
    return layer_vectors(bert, locate(tokenizer, texts, spans))


def static_vectors(table: Tensor, located: Located) -> Tensor:
    """(1, N, H): the same from a table (V, H) with one vector for each token, such as CBOW's."""
    return _mean(table.detach()[located.input_ids], _weights(located.chosen))[None]


def _weights(chosen: Tensor) -> Tensor:
    """(N, T) bool -> double, adding up to 1 in each row."""
    return chosen.double() / chosen.sum(1, keepdim=True)


def _mean(hidden_states: Tensor, weights: Tensor) -> Tensor:
    return torch.einsum("nth,nt->nh", hidden_states.double(), weights)  # (N, H)


def hide_context(
    located: Located, shares: Sequence[float], mask_token_id: int, draw: torch.Generator
) -> list[Located]:
    """The texts with a share of the tokens around the chosen ones replaced by the mask token.

    Every text has its own random order; what a smaller share hides, a larger one hides too. The
    tokens keep their places, and the special tokens at both ends stay.

    Args:
        shares: between 0 (the text as it is) and 1 (only the chosen tokens are left).

    Raises:
        ValueError: a share outside [0, 1].
    """
    if not all(0 <= share <= 1 for share in shares):
        raise ValueError(f"shares are {list(shares)}; each lies between 0 and 1.")
    present = located.attention_mask.bool()
    last = present.sum(1, keepdim=True) - 1
    places = torch.arange(present.shape[1])
    around = present & ~located.chosen & (places > 0) & (places < last)  # (N, T)
    scores = torch.rand(around.shape, generator=draw).masked_fill(~around, 2.0)
    rank = scores.argsort(1).argsort(1)  # 0 is hidden first
    number = around.sum(1, keepdim=True)
    hidden = [around & (rank < (number * share).round()) for share in shares]
    return [
        replace(located, input_ids=located.input_ids.masked_fill(one, mask_token_id))
        for one in hidden
    ]


# --- how alike


def centre(vectors: Tensor, mean: Tensor | None = None) -> Tensor:
    """(…, N, H) minus what they share: their own mean, or a given one of shape (…, H)."""
    mean = vectors.mean(-2) if mean is None else mean
    return vectors - mean[..., None, :]


def cosines(vectors: Tensor, others: Tensor | None = None) -> Tensor:
    """(…, N, H), (…, M, H) -> (…, N, M): the cosine of each with each; a zero vector's is 0."""
    one = F.normalize(vectors, dim=-1)
    two = one if others is None else F.normalize(others, dim=-1)
    return one @ two.transpose(-1, -2)


def anisotropy(vectors: Tensor) -> Tensor:
    """(…, N, H) -> (…): the mean cosine of two different vectors; 0 if they point anywhere alike.

    Raises:
        ValueError: fewer than two vectors.
    """
    count = vectors.shape[-2]
    if count < 2:
        raise ValueError(f"There is {count} vector; a mean over pairs needs at least two.")
    units = F.normalize(vectors, dim=-1)
    total = units.sum(-2).square().sum(-1) - units.square().sum((-1, -2))
    return total / (count * (count - 1))


def neighbour_accuracy(
    similarities: Tensor,
    labels: Sequence[str],
    other_labels: Sequence[str],
    allowed: Tensor | None = None,
) -> Tensor:
    """(…, N, M) -> (…): how often the nearest of M others has the label of the one asked about.

    Ties are broken at random: k nearest of which j have the right label count j/k, which is the
    mean over all ways to break them. With equal vectors everywhere (CBOW) the result is therefore
    the share of the label, exactly.

    Args:
        similarities: how alike each one asked about is to each other.
        labels: N.
        other_labels: M.
        allowed: (N, M) bool, which others may be the neighbour; all where it is None.

    Raises:
        ValueError: labels do not fit, or one asked about has no other to be near to.
    """
    if similarities.shape[-2:] != (len(labels), len(other_labels)):
        raise ValueError(
            f"similarities of shape {tuple(similarities.shape)} come with {len(labels)} and "
            f"{len(other_labels)} labels; give one for each row and one for each column."
        )
    if allowed is None:
        allowed = torch.ones(similarities.shape[-2:], dtype=torch.bool)
    if not allowed.any(1).all():
        raise ValueError("Some row may have no neighbour at all; allow at least one for each.")
    candidates = similarities.masked_fill(~allowed, -torch.inf)
    nearest = candidates >= candidates.amax(-1, keepdim=True) - TIE  # (…, N, M)
    right = (nearest & same(labels, other_labels)).sum(-1) / nearest.sum(-1)
    return right.double().mean(-1)


def leave_one_out(
    similarities: Tensor, labels: Sequence[str], allowed: Tensor | None = None
) -> Tensor:
    """`neighbour_accuracy` within one set: (…, N, N), each among all the others."""
    others = ~torch.eye(len(labels), dtype=torch.bool)
    allowed = others if allowed is None else allowed & others
    return neighbour_accuracy(similarities, labels, labels, allowed)


@dataclass(frozen=True)
class Gap:
    """Mean cosines (…) of two different vectors: of the same label, and of different labels."""

    within: Tensor
    between: Tensor

    @property
    def size(self) -> Tensor:
        """within - between; 0 where the label leaves no trace."""
        return self.within - self.between


def label_gap(similarities: Tensor, labels: Sequence[str]) -> Gap:
    """(…, N, N) -> the mean cosine within labels and between them, none with itself.

    Raises:
        ValueError: no two of the same label, or no two of different ones.
    """
    alike = same(labels, labels)
    within = alike & ~torch.eye(len(labels), dtype=torch.bool)
    if not within.any() or alike.all():
        raise ValueError(
            "A gap needs two vectors of the same label and two of different labels, not "
            f"{sorted(labels)}."
        )
    return Gap(similarities[..., within].mean(-1), similarities[..., ~alike].mean(-1))


def same(labels: Sequence[str], others: Sequence[str]) -> Tensor:
    """(N, M) bool: whether two labels are equal."""
    return torch.tensor([[one == two for two in others] for one in labels])
