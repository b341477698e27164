"""From two rows of scores to a span that can be an answer (Devlin et al. 2019, section 4.2)."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Span:
    """First and last position, both inside, and the sum of their scores."""

    start: int
    end: int
    score: float


def best_span(start: Tensor, end: Tensor, allowed: Tensor, max_length: int) -> Span:
    """The span with the highest start score + end score among those that can be an answer.

    Both ends are at allowed positions, the end is not before the start, and the span is at most
    ``max_length`` positions long. The best start and the best end taken by themselves may break all
    of that: the end before the start, a span over half the document.

    Args:
        start, end: (T,) scores, as log probabilities or logits.
        allowed: (T,) bool.

    Raises:
        ValueError: no position is allowed, ``max_length`` is below 1, or shapes differ.
    """
    if not start.shape == end.shape == allowed.shape or start.dim() != 1:
        raise ValueError(
            f"start, end and allowed have the shapes {tuple(start.shape)}, {tuple(end.shape)} and "
            f"{tuple(allowed.shape)}; give three of the same length."
        )
    if max_length < 1 or not allowed.any():
        raise ValueError(
            f"No span can be chosen: max_length is {max_length} and {int(allowed.sum())} positions "
            "are allowed; each is at least 1."
        )
    possible = allowed[:, None] & allowed[None, :]  # (T, T): row = start, column = end
    possible = possible.triu().tril(max_length - 1)
    sums = start[:, None] + end[None, :]
    # A score of -inf is still better than a span that cannot be.
    sums = sums.clamp(min=torch.finfo(sums.dtype).min / 2)
    sums = sums.masked_fill(~possible, -torch.inf)
    first, last = divmod(int(sums.argmax()), len(start))
    return Span(first, last, float(start[first] + end[last]))
