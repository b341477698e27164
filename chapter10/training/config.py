"""How a model is trained: every number of :func:`chapter10.training.train` in one place."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

Schedule = Literal["linear", "cosine", "constant"]
Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a model is trained.

    steps: updates of the weights.
    learning_rate: its highest value, after ``warmup_steps`` of rise; then it falls to 0 along a
        line or a cosine, or stays, as ``schedule`` says.
    weight_decay: for matrices and embeddings, never for biases and norms.
    accumulate: batches summed up to one step.
    max_grad_norm: longer gradients are cut to this length; None never.
    eval_every, checkpoint_every: in steps; None means only at the end.
    patience: stop after so many evaluations without a better ``monitor`` (lower is better, unless
        ``maximize``), and take the best weights; None never stops early.
    precision: "auto" is bfloat16 on CUDA, float32 elsewhere.
    device: "auto", or a name such as "cpu".
    """

    steps: int
    learning_rate: float = 1e-3
    schedule: Schedule = "linear"
    warmup_steps: int = 0
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    max_grad_norm: float | None = 1.0
    accumulate: int = 1
    eval_every: int | None = None
    patience: int | None = None
    monitor: str = "loss"
    maximize: bool = False
    checkpoint_every: int | None = None
    precision: Precision = "auto"
    device: str = "auto"
    seed: int = 0
    progress: bool = True

    def __post_init__(self) -> None:
        for name in ("steps", "accumulate", "eval_every", "patience", "checkpoint_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; give a whole number of at least 1.")
        for name in ("learning_rate", "epsilon", "max_grad_norm"):
            value = getattr(self, name)
            if value is not None and not (0 < value < math.inf):
                raise ValueError(f"{name} is {value}; give a number above 0.")
        if not 0 <= self.warmup_steps <= self.steps:
            raise ValueError(
                f"warmup_steps is {self.warmup_steps}; it lies between 0 and steps, {self.steps}."
            )
        if self.weight_decay < 0 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(
                f"weight_decay is {self.weight_decay}, betas are {self.betas}; a decay is at least "
                "0, and each beta lies in [0, 1)."
            )
        for name, choices in (("schedule", get_args(Schedule)), ("precision", get_args(Precision))):
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name} is {getattr(self, name)!r}; it can be {', '.join(choices)}."
                )

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of the update number ``step``, counted from 0."""
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        if self.schedule == "constant":
            return self.learning_rate
        done = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        if self.schedule == "linear":
            return self.learning_rate * (1 - done)
        return self.learning_rate * (1 + math.cos(math.pi * done)) / 2
