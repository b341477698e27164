"""What a model is worth on text it was not trained on: means over fixed batches."""

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from chapter10.training.batches import Batch
from chapter10.training.gradients import LossFunction, LossModule


def heldout_means(
    batches: Sequence[Batch],
    measure: Callable[[nn.Module, Batch], Mapping[str, tuple[Tensor, Tensor]]],
) -> Callable[[nn.Module], dict[str, float]]:
    """An ``evaluate`` for :func:`train`: mean values over fixed batches, masks and all, without
    gradients.

    Args:
        batches: the same at every evaluation.
        measure: (model, batch) -> {name: (sum, count)}; the mean is over all batches together, NaN
            where there was nothing to count.
    """
    if not batches:
        raise ValueError("There are no held-out batches; hold back some examples.")

    def evaluate(model: nn.Module) -> dict[str, float]:
        device = next(model.parameters()).device
        sums: dict[str, float] = {}
        counts: dict[str, float] = {}
        for batch in batches:
            moved = {name: tensor.to(device) for name, tensor in batch.items()}
            with torch.no_grad():
                measured = measure(model, moved)
            for name, (total, count) in measured.items():
                sums[name] = sums.get(name, 0.0) + float(total)
                counts[name] = counts.get(name, 0.0) + float(count)
        return {n: sums[n] / counts[n] if counts[n] else math.nan for n in sums}

    return evaluate


def heldout_loss(
    batches: Sequence[Batch], loss_fn: LossFunction
) -> Callable[[nn.Module], dict[str, float]]:
    """An ``evaluate`` for :func:`train`: ``loss``, and where it has several parts also each."""
    means = heldout_means(batches, lambda model, batch: LossModule(model, loss_fn)(batch))

    def evaluate(model: nn.Module) -> dict[str, float]:
        parts = means(model)
        return {**parts, "loss": sum(parts.values())}

    return evaluate
