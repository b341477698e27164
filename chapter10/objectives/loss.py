"""The loss all objectives share: cross entropy where there is a label, nothing elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

IGNORE_INDEX = -100
"""Label of a position without a loss, as in ``torch.nn.functional.cross_entropy``."""
ROWS = 128
"""Positions whose scores over the vocabulary are in memory at the same time: enough for a full
speed matrix product, few enough (4 MB for 8,000 words) to stay in the processor's cache."""


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


def vocabulary_loss(
    hidden_states: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    transform: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """What ``cross_entropy_sum(linear(hidden_states, weight, bias), labels)`` returns, sooner.

    Scores of all positions at once, with their softmax and both gradients, are by far the largest
    tensors of a small model; here only those of ``ROWS`` positions exist at a time.

    hidden_states: (…, H). weight: (V, H). bias: (V,) or None.
    labels: (…) long; IGNORE_INDEX where there is no loss.
    transform: what happens to each position before the matrix, (N, any) -> (N, H); it is applied
        only where there is a label.

    Raises ValueError where the shapes do not go together.
    """
    hidden_states, labels = _at_labels(hidden_states, labels)  # (N, H), (N,)
    if transform is not None:
        hidden_states = transform(hidden_states)
    if not torch.is_grad_enabled() or torch.is_autocast_enabled(hidden_states.device.type):
        return cross_entropy_sum(F.linear(hidden_states, weight, bias), labels)
    total = _LinearCrossEntropy.apply(hidden_states, weight, bias, labels)
    return total, torch.tensor(len(labels), device=labels.device)


def _at_labels(hidden_states: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The positions with a label: (…, H) and (…) -> (N, H) and (N,)."""
    if labels.shape != hidden_states.shape[:-1]:
        raise ValueError(
            f"labels has shape {tuple(labels.shape)} beside hidden states "
            f"{tuple(hidden_states.shape)}; it must be {tuple(hidden_states.shape[:-1])}. Give "
            "labels or a prediction_mask, not both."
        )
    chosen = labels != IGNORE_INDEX
    if bool(chosen.all()):  # GPT without padding: nothing to copy
        return hidden_states.flatten(0, -2), labels.flatten()
    return hidden_states[chosen], labels[chosen]


class _LinearCrossEntropy(torch.autograd.Function):
    """Loss and gradients in one pass over the rows: the gradient of the scores z of one position
    is softmax(z) - onehot(label), known as soon as z is, so that z can be forgotten."""

    @staticmethod
    def forward(
        ctx: Any, hidden_states: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor
    ) -> Tensor:
        total = hidden_states.new_zeros(())
        to_hidden, to_weight = torch.empty_like(hidden_states), torch.zeros_like(weight)
        to_bias = None if bias is None else torch.zeros_like(bias)
        for start in range(0, len(labels), ROWS):
            rows = slice(start, start + ROWS)
            label = labels[rows, None]  # (R, 1)
            scores = F.linear(hidden_states[rows], weight, bias)  # (R, V)
            gradient = scores.softmax(dim=-1)  # (R, V)
            # log of the sum of exp(scores), from the largest, whose exp was already taken
            normaliser = scores.amax(dim=-1) - gradient.amax(dim=-1).log()  # (R,)
            total += (normaliser - scores.gather(1, label)[:, 0]).sum()
            gradient.scatter_add_(1, label, gradient.new_full(label.shape, -1.0))
            torch.mm(gradient, weight, out=to_hidden[rows])
            to_weight.addmm_(gradient.T, hidden_states[rows])
            if to_bias is not None:
                to_bias += gradient.sum(dim=0)
        ctx.save_for_backward(to_hidden, to_weight, to_bias)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, factor: Tensor) -> tuple[Tensor | None, ...]:
        gradients = ctx.saved_tensors
        return *(None if each is None else each * factor for each in gradients), None
