"""The word in the middle from the words around it (CBOW), and a cheaper loss than full softmax."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Windows(NamedTuple):
    """context_ids: (N, 2 * window), left to right, padding outside the row. targets: (N,)."""

    context_ids: Tensor
    targets: Tensor


def context_windows(
    rows: Sequence[Sequence[int]], window: int, *, pad_token_id: int = 0
) -> Windows:
    """Every word of every row with up to `window` words on either side, none from another row.

    A word alone in its row has no context and is left out. (The original program draws a width
    from 1 to `window` for each word; here it is always the full one.)

    Raises:
        ValueError: window below 1, or padding among the words.
    """
    if window < 1:
        raise ValueError(f"window is {window}; give at least 1 word on either side.")
    if any(pad_token_id in row for row in rows):
        raise ValueError(f"A row holds {pad_token_id}, which is padding; leave it out.")
    gap = [pad_token_id] * window
    stream = gap + [word for row in rows for word in (*row, *gap)]
    if len(stream) <= 2 * window:  # no word at all
        return Windows(torch.zeros(0, 2 * window).long(), torch.zeros(0).long())
    around = torch.tensor(stream).unfold(0, 2 * window + 1, 1)
    context_ids = torch.cat([around[:, :window], around[:, window + 1 :]], dim=1)  # (·, 2 window)
    targets = around[:, window]
    kept = (targets != pad_token_id) & (context_ids != pad_token_id).any(dim=1)
    return Windows(context_ids[kept], targets[kept])


def noise_distribution(counts: Tensor, power: float = 0.75) -> Tensor:
    """(V,): how likely each word is drawn as a wrong answer, P(w) ∝ count(w) ** power.

    Mikolov et al., "Distributed Representations of Words and Phrases" (2013), section 2.2.
    """
    weights = counts.double() ** power
    weights[counts == 0] = 0.0  # 0 ** 0 is 1
    if not weights.sum() > 0:
        raise ValueError("All counts are 0; there is no word to draw.")
    return (weights / weights.sum()).float()


def negative_sampling_loss(
    context: Tensor, output_weight: Tensor, targets: Tensor, negatives: Tensor
) -> Tensor:
    """Sum over the batch of -log σ(u·c) - Σ log σ(-v·c): is it this word, or one drawn at random?

    context: (B, H). output_weight: (V, H), a row for each word. targets: (B,), the right words, u.
    negatives: (B, K), words drawn from the noise, v; those that happen to be right do not count.

    Mikolov et al., "Distributed Representations of Words and Phrases" (2013), equation 4, with the
    mean of the words around in the place of one word.
    """
    right = (F.embedding(targets, output_weight) * context).sum(dim=-1)  # (B,)
    wrong = F.embedding(negatives, output_weight) @ context[:, :, None]  # (B, K, 1)
    losses = F.logsigmoid(-wrong[..., 0]).masked_fill(negatives == targets[:, None], 0.0)  # (B, K)
    return -(F.logsigmoid(right).sum() + losses.sum())
