"""The training loss on a plane through the space of weights, as Hao et al. (2019) draw it.

The plane holds a start and the ends of two fine-tunings from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from chapter10.experiments.downstream import Start, train_model
from chapter10.experiments.fine_tuning import LABELS, Weights, weights_of
from chapter10.tasks import Task, TaskModel

TICKS = tuple(np.linspace(-0.5, 1.5, 9).tolist())
"""Where the loss is computed, along each direction; 0 is the start, 1 the trained end."""


@dataclass(frozen=True)
class Plane:
    """A plane through three points in the space of weights: a start and two trained ends."""

    start: Weights
    first: Weights
    second: Weights

    def at(self, along: float, across: float) -> dict[str, Tensor]:
        """start + along · (first − start) + across · (second − start)."""
        return {
            name: origin
            + along * (self.first[name] - origin)
            + across * (self.second[name] - origin)
            for name, origin in self.start.items()
        }

    def lengths(self) -> tuple[float, float, float]:
        """How long the two directions are, and the cosine of the angle between them."""
        one, other = (
            torch.cat([(end[name] - self.start[name]).flatten() for name in self.start])
            for end in (self.first, self.second)
        )
        cosine = F.cosine_similarity(one, other, dim=0)
        return float(one.norm()), float(other.norm()), float(cosine)


def surface(
    task: Task[Any, Any, Any], model: TaskModel, plane: Plane, examples: Sequence[Any]
) -> np.ndarray:
    """The mean loss of the examples over the plane, in nats.

    (9, 9): rows go across (towards the second end), columns along. The model comes back as it was.
    """
    batch = task.collate(task.training_rows(examples))
    kept = weights_of(model)
    values = np.zeros((len(TICKS), len(TICKS)))
    with torch.no_grad():
        for row, across in enumerate(TICKS):
            for column, along in enumerate(TICKS):
                _fill(model, plane.at(along, across))
                total, count = task.loss(model, batch)
                values[row, column] = float(total) / float(count)
    _fill(model, kept)
    return values


def _fill(model: TaskModel, weights: Weights) -> None:
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])


def second_end(name: str, begin: Start, seed: int, beginning: Weights) -> dict[str, Tensor]:
    """The end of another fine-tuning from the same start, head included, on other examples."""
    fitted = train_model(
        name, begin, seed, labels=LABELS, prepare=lambda model: _fill(model, beginning)
    )
    return weights_of(fitted.model)
