"""The gradient of one step: every term of the loss weighs the same, wherever it was computed."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from chapter10.batches import Batch
from chapter10.processes import Processes

Losses = tuple[Tensor, Tensor] | Mapping[str, tuple[Tensor, Tensor]]
"""The summed loss and the number of its terms, or several of them by name."""
LossFunction = Callable[[nn.Module, Batch], Losses]
Autocast = Callable[[], AbstractContextManager[object]]


def named_losses(losses: Losses) -> Mapping[str, tuple[Tensor, Tensor]]:
    """Losses by name; a single one is called ``loss``."""
    return losses if isinstance(losses, Mapping) else {"loss": losses}


def backward(
    model: nn.Module,
    batches: Sequence[Batch],
    loss_fn: LossFunction,
    world: Processes,
    autocast: Autocast = nullcontext,
) -> float | None:
    """Leave the gradient of (sum of all losses / number of all terms) in the parameters.

    Sums and numbers are those of all batches and all processes together, so accumulated batches and
    more processes give what one large batch gives; several losses by name are each divided by their
    own number, then added. model: wrapped in DistributedDataParallel where there are processes.

    Returns that loss; None where no batch has a single term.
    """
    sums: dict[str, float] = {}
    counts: dict[str, float] = {}
    divisors: dict[str, float] = {}
    for number, batch in enumerate(batches):
        share, weight = world.share(batch)
        more = world.size > 1 and number < len(batches) - 1
        with model.no_sync() if more else nullcontext():  # type: ignore[operator]
            with autocast():
                losses = named_losses(loss_fn(model, share))
            if not divisors:
                divisors = _divisors(model, batches[1:], losses, weight, loss_fn, world, autocast)
            parts = [total / divisors[name] for name, (total, _) in losses.items()]
            # DistributedDataParallel takes the mean over processes, and we want the sum.
            (torch.stack(parts).sum() * (weight * world.size)).backward()
        for name, (total, count) in losses.items():
            sums[name] = sums.get(name, 0.0) + weight * float(total.detach())
            counts[name] = counts.get(name, 0.0) + weight * float(count)
    names = sorted(sums)
    totals = world.total([*(sums[name] for name in names), *(counts[name] for name in names)])
    numbers = [max(count, 1.0) for count in totals[len(names) :]]
    if not any(totals[len(names) :]):
        return None
    correction = divisors[names[0]] / numbers[0]
    if correction != 1.0:  # accumulated batches of one loss: see _divisors
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad.mul_(correction)
    return sum(total / count for total, count in zip(totals, numbers, strict=False))


def _divisors(
    model: nn.Module,
    later: Sequence[Batch],
    losses: Mapping[str, tuple[Tensor, Tensor]],
    weight: float,
    loss_fn: LossFunction,
    world: Processes,
    autocast: Autocast,
) -> dict[str, float]:
    """What each summed loss is divided by before its backward pass.

    With one loss, the number of its terms in the first batch: once all are known the gradient is
    corrected by a factor. Several losses have no common factor, so the terms of the later batches
    are counted beforehand, at the price of a forward pass each.
    """
    counts = {name: weight * float(count) for name, (_, count) in losses.items()}
    if len(counts) > 1:
        alone = getattr(model, "module", model)  # no gradient, so nothing for the wrapper to do
        for batch in later:
            share, part = world.share(batch)
            with torch.no_grad(), autocast():
                for name, (_, count) in named_losses(loss_fn(alone, share)).items():
                    counts[name] += part * float(count)
    totals = world.total(list(counts.values()))
    return {name: max(total, 1.0) for name, total in zip(counts, totals, strict=True)}
