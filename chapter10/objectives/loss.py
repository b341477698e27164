"""The loss all objectives share: cross entropy where there is a label, nothing elsewhere."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

IGNORE_INDEX = -100
"""Label of a position without a loss, as in ``torch.nn.functional.cross_entropy``."""


def cross_entropy_sum(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Summed cross entropy in nats, and how many labels it is the sum of.

    logits: (batch, length, classes) or (n, classes), of any floating type; computed in float32.
    labels: (batch, length) or (n,) long; IGNORE_INDEX where there is no loss: such positions add
        exactly nothing, neither to the sum nor to any gradient.

    The sum, not the mean, so that batches, accumulated steps and processes can be added up and
    divided once by all labels together; a mean of means would weight a short batch's tokens more.
    Without any label the sum is 0 and so are all gradients.

    Raises ValueError where labels do not have one entry for each row of logits.
    """
    if labels.shape != logits.shape[:-1]:
        raise ValueError(
            f"labels has shape {tuple(labels.shape)} beside logits {tuple(logits.shape)}; it must "
            f"be {tuple(logits.shape[:-1])}, one class for each row of logits."
        )
    flat_logits = logits.reshape(-1, logits.shape[-1]).float()  # (N, V)
    flat_labels = labels.reshape(-1)  # (N,)
    total = F.cross_entropy(flat_logits, flat_labels, ignore_index=IGNORE_INDEX, reduction="sum")
    return total, (flat_labels != IGNORE_INDEX).sum()
