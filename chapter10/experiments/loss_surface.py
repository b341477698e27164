"""The training loss on a plane through the space of weights, after Hao et al. (2019).

One direction leads from a start to the end of its fine-tuning. Hao et al. take a second end for the
other one; here it is drawn at random, filter by filter as long as the trained weights (Li et al.
2018, section 4), so that one unit means the same for every start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chapter10.experiments.parts import Weights, weights_of
from chapter10.tasks import Task, TaskModel

ALONG = tuple(np.linspace(-0.5, 1.5, 9).tolist())
"""Where the loss is computed from start (0) to end (1)."""
ACROSS = tuple(np.linspace(-0.8, 0.8, 9).tolist())
"""Where it is computed along the random direction; 1 moves each filter by its own length."""


def random_direction(weights: Weights, seed: int) -> dict[str, Tensor]:
    """A direction drawn at random; each row of a matrix is as long as that of the weights.

    Vectors (biases and norms) do not move.
    """
    draw = torch.Generator().manual_seed(seed)
    found = {}
    for name, weight in weights.items():
        if weight.dim() < 2:
            found[name] = torch.zeros_like(weight)
            continue
        noise = torch.randn(weight.shape, generator=draw)
        found[name] = noise * weight.norm(dim=1, keepdim=True) / noise.norm(dim=1, keepdim=True)
    return found


def surface(
    task: Task[Any, Any, Any],
    model: TaskModel,
    start: Weights,
    end: Weights,
    examples: Sequence[Any],
    seed: int,
) -> np.ndarray:
    """The mean loss of some examples around the start and the end of a training, in nats.

    (9, 9): rows go by `ACROSS`, columns by `ALONG`. The model comes back as it was.
    """
    batch = task.collate(task.training_rows(examples))
    kept = weights_of(model)
    direction = random_direction(end, seed)
    values = np.zeros((len(ACROSS), len(ALONG)))
    with torch.no_grad():
        for row, across in enumerate(ACROSS):
            for column, along in enumerate(ALONG):
                fill(
                    model,
                    {
                        name: origin + along * (end[name] - origin) + across * direction[name]
                        for name, origin in start.items()
                    },
                )
                total, count = task.loss(model, batch)
                values[row, column] = float(total) / float(count)
    fill(model, kept)
    return values


def fill(model: TaskModel, weights: Mapping[str, Tensor]) -> None:
    """Write the weights into the model."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(weights[name])
