"""The parts of a task's model: where their numbers come from, which get gradients, how far they go.

Of the page `fine-tuning` (claim B8). The parts have Chinese names, as the page shows them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from chapter10.bert import Bert
from chapter10.formats import is_head
from chapter10.tasks import Task, TaskModel

HEAD, POOLER, EMBEDDINGS = "任务头", "池化层", "嵌入"

Weights = Mapping[str, Tensor]


def part_of(name: str) -> str:
    """Which part of a task's model a parameter belongs to, as the page names it."""
    if is_head(name):
        return HEAD
    if "pooler." in name:
        return POOLER
    if "embeddings." in name:
        return EMBEDDINGS
    number = next(piece for piece in name.split(".") if piece.isdigit())
    return f"第 {int(number) + 1} 层"


def parts_of(names: Iterable[str]) -> dict[str, list[str]]:
    """The names of the parameters of each part, from the input up."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(part_of(name), []).append(name)
    return found


def weights_of(model: TaskModel) -> dict[str, Tensor]:
    """A copy of every parameter, by name."""
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def origins(model: TaskModel, checkpoint: Path | str) -> dict[str, str]:
    """For each part whether its numbers are those of the checkpoint: "copied" or "random"."""
    body = dict(Bert.from_pretrained(checkpoint).named_parameters())

    def copied(name: str, weight: Tensor) -> bool:
        given = body.get(name.removeprefix("bert."))
        return given is not None and torch.equal(weight, given)

    now = dict(model.named_parameters())
    return {
        part: "copied" if all(copied(name, now[name]) for name in names) else "random"
        for part, names in parts_of(now).items()
    }


def moved(before: Weights, after: Weights) -> dict[str, float]:
    """For each part the distance from its start, as a share of its length at the start.

    Both are Euclidean, over all numbers of the part.
    """
    return {
        part: _length(after[n] - before[n] for n in names) / _length(before[n] for n in names)
        for part, names in parts_of(before).items()
    }


def _length(tensors: Iterable[Tensor]) -> float:
    """Of all their numbers as one vector."""
    return math.hypot(*(float(tensor.norm()) for tensor in tensors))


VARIANTS: Mapping[str, Callable[[str], bool]] = {
    "全部": lambda part: True,
    "最后一层": lambda part: part not in (EMBEDDINGS, "第 1 层", "第 2 层"),
    "只有头": lambda part: part == HEAD,
}
"""Variant -> whether a part gets gradients; the last of three layers, the pooler and the head."""


def freeze(variant: str) -> Callable[[TaskModel], None]:
    """For ``train_model(prepare=…)``: gradients only for the parts of a variant."""
    trained = VARIANTS[variant]

    def prepare(model: TaskModel) -> None:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(trained(part_of(name)))

    return prepare


def gradients(
    task: Task[Any, Any, Any], model: TaskModel, examples: Sequence[Any]
) -> dict[str, float]:
    """For each part the length of the gradient of the mean loss; 0 where none arrives."""
    model.zero_grad()
    total, count = task.loss(model, task.collate(task.training_rows(examples)))
    (total / count).backward()
    found = {
        name: torch.zeros(()) if parameter.grad is None else parameter.grad.clone()
        for name, parameter in model.named_parameters()
    }
    model.zero_grad()
    return {part: _length(found[name] for name in names) for part, names in parts_of(found).items()}
