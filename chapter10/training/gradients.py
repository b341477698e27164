"""The gradient of one step: every term of the loss weighs the same, wherever it was computed."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from chapter10.training.batches import Batch
from chapter10.training.processes import Processes

Losses = tuple[Tensor, Tensor] | Mapping[str, tuple[Tensor, Tensor]]
"""The summed loss and the number of its terms, or several of them by name."""
LossFunction = Callable[[nn.Module, Batch], Losses]


class LossModule(nn.Module):
    """A model and its loss in one module: batch -> {name: (sum, number of terms)}.

    DistributedDataParallel must see which parameters the *loss* depends on: BERT
    computes its pooler in any case, and without a next-sentence loss nothing flows back to it.
    """

    def __init__(self, model: nn.Module, loss_fn: LossFunction) -> None:
        super().__init__()
        self.model, self.loss_fn = model, loss_fn

    def forward(self, batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
        """Losses by name; a single one is called ``loss``."""
        losses = self.loss_fn(self.model, batch)
        return dict(losses) if isinstance(losses, Mapping) else {"loss": losses}


def backward(
    losses_of: nn.Module,
    batches: Sequence[Batch],
    world: Processes,
    autocast: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> float | None:
    """Leave the gradient of (sum of all losses / number of all terms) in the parameters.

    Sums and numbers are those of all batches and all processes together, so accumulated batches and
    more processes give what one large batch gives; several losses by name are each divided by their
    own number, then added.

    Args:
        losses_of: a :class:`LossModule`, in DistributedDataParallel where there are processes.
        batches: of one step, whole; each process takes its rows.
        world: this process among the others.
        autocast: a context for the forward pass.

    Returns that loss; None where no batch has a single term.
    """
    sums: dict[str, float] = {}
    counts: dict[str, float] = {}
    divisors: dict[str, float] = {}
    for number, batch in enumerate(batches):
        share, weight = world.share(batch)
        more = world.size > 1 and number < len(batches) - 1
        with losses_of.no_sync() if more else nullcontext():  # type: ignore[operator]
            with autocast():
                losses = losses_of(share)
            for name, (total, count) in losses.items():
                sums[name] = sums.get(name, 0.0) + weight * float(total.detach())
                counts[name] = counts.get(name, 0.0) + weight * float(count)
            if not divisors:
                divisors = _divisors(losses_of, batches[1:], counts, world, autocast)
            parts = [total / divisors[name] for name, (total, _) in losses.items()]
            # DistributedDataParallel takes the mean over processes, and we want the sum.
            (torch.stack(parts).sum() * (weight * world.size)).backward()
    totals = world.total([*sums.values(), *counts.values()])
    if not any(totals[len(sums) :]):
        return None
    numbers = [max(count, 1.0) for count in totals[len(sums) :]]
    correction = next(iter(divisors.values())) / numbers[0]
    if correction != 1.0:  # accumulated batches of one loss: see _divisors
        for parameter in losses_of.parameters():
            if parameter.grad is not None:
                parameter.grad.mul_(correction)
    return sum(total / count for total, count in zip(totals, numbers, strict=False))


def _divisors(
    losses_of: nn.Module,
    later: Sequence[Batch],
    first: Mapping[str, float],
    world: Processes,
    autocast: Callable[[], AbstractContextManager[object]],
) -> dict[str, float]:
    """What each summed loss is divided by before its backward pass.

    With one loss, the number of its terms in the first batch: once all are known the gradient is
    corrected by a factor. Several losses have no common factor, so the terms of the later batches
    are counted beforehand, at the price of a forward pass each.
    """
    counts = dict(first)
    if len(counts) > 1:
        alone = getattr(losses_of, "module", losses_of)  # nothing to synchronise without gradients
        for batch in later:
            share, weight = world.share(batch)
            with torch.no_grad(), autocast():
                for name, (_, count) in alone(share).items():
                    counts[name] += weight * float(count)
    totals = world.total(list(counts.values()))
    return {name: max(total, 1.0) for name, total in zip(counts, totals, strict=True)}
