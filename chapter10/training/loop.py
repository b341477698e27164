"""One training loop, for pretraining and fine-tuning, in one process or many, killed and resumed.

Everything random at step k (the batch, its masks, dropout) is a pure function of (seed, k). So the
state of a run is the model, the optimiser, the number of the step and what was noted on the way.
"""

import dataclasses
import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from chapter10.hub import CheckpointError
from chapter10.training.batches import Batch, derive_seed, num_tokens
from chapter10.training.config import TrainingConfig
from chapter10.training.gradients import LossFunction, LossModule, backward
from chapter10.training.history import History
from chapter10.training.processes import Processes, processes
from chapter10.training.snapshots import (
    fill_model,
    fill_optimizer,
    model_tensors,
    optimizer_tensors,
    read_snapshot,
    remove_leftovers,
    write_snapshot,
)


class TrainingError(RuntimeError):
    """Training cannot go on; the message says at which step, why, and what would do."""


class BatchSource(Protocol):
    """Anything that has a batch for every number, such as :class:`~chapter10.training.Batches`."""

    def __getitem__(self, index: int, /) -> Batch: ...


HISTORY_FILE = "history.jsonl"
# What may differ when a run is taken up again: it has no influence on the result.
_FREE = ("checkpoint_every", "device", "progress")


def train(
    model: nn.Module,
    batches: BatchSource,
    loss_fn: LossFunction,
    config: TrainingConfig,
    *,
    evaluate: Callable[[nn.Module], Mapping[str, float]] | None = None,
    folder: str | Path | None = None,
    resume: bool = False,
) -> History:
    """Train a model in place; it comes back in evaluation mode, on the device where it was.

    Args:
        batches: ``batches[k]`` is the k-th batch, always the same one. Under ``torchrun`` every
            process takes its rows of it.
        loss_fn: (model, batch) -> (sum, count), or several by name, whose means are added. The sums
            and counts of all accumulated batches and all processes are added up before dividing, so
            that every term weighs the same.
        evaluate: the model, in evaluation mode and without gradients -> named numbers.
        folder: where the run's state is kept; None keeps nothing.
        resume: go on from the state in ``folder``; where there is none yet, start.

    Raises:
        TrainingError: a batch without any loss, a loss that is no number, a full disk.
        CheckpointError: ``folder`` holds the state of another run, or a damaged one.
    """
    if resume and folder is None:
        raise ValueError("resume needs the folder that holds the state of the run.")
    if config.patience is not None and evaluate is None:
        raise ValueError(
            f"patience is {config.patience}, but there is no evaluation to be patient about; "
            "give evaluate."
        )
    home = next(model.parameters()).device
    cuda = list(range(torch.cuda.device_count()))
    with processes(config.device) as world, torch.random.fork_rng(cuda):
        run = _Run(model.to(world.device), batches, loss_fn, config, world, evaluate)
        run.folder = Path(folder) if folder is not None else None
        run.start(resume)
        try:
            return run.run()
        finally:
            model.to(home).eval()


def make_optimizer(model: nn.Module, config: TrainingConfig) -> torch.optim.AdamW:
    """AdamW that pulls matrices and embeddings towards 0, but no bias and no norm."""
    learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not learned:
        raise ValueError("The model has no parameter that may be trained.")
    groups = [
        {"params": [p for p in learned if p.dim() >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in learned if p.dim() < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=config.learning_rate,
        betas=config.betas,
        eps=config.epsilon,
        fused=True,
    )


class _Run:
    """One call of :func:`train`."""

    def __init__(
        self,
        model: nn.Module,
        batches: BatchSource,
        loss_fn: LossFunction,
        config: TrainingConfig,
        world: Processes,
        evaluate: Callable[[nn.Module], Mapping[str, float]] | None,
    ) -> None:
        self.model, self.batches, self.config = model, batches, config
        self.world, self.evaluate = world, evaluate
        self.folder: Path | None = None
        self.losses_of: nn.Module = LossModule(model, loss_fn)
        if world.size > 1:
            self.losses_of = DistributedDataParallel(self.losses_of, find_unused_parameters=True)
        self.optimizer = make_optimizer(model, config)
        self.history = History()
        self.best: dict[str, Tensor] = {}
        self.waited = 0
        self.saved_at: int | None = None
        wanted = config.precision == "bfloat16" or (
            config.precision == "auto"
            and world.device.type == "cuda"
            and torch.cuda.is_bf16_supported()
        )
        self.autocast = lambda: torch.autocast(world.device.type, torch.bfloat16, enabled=wanted)

    @property
    def done(self) -> int:
        """How many updates were made."""
        return len(self.history.steps)

    def start(self, resume: bool) -> None:
        """Take up the state in the folder, if that is wanted and there is one."""
        if self.folder is None:
            return
        if self.world.rank == 0:
            remove_leftovers(self.folder)
        snapshot = read_snapshot(self.folder)
        if snapshot is None:
            return
        if not resume:
            raise CheckpointError(
                f"{self.folder} holds the state of a run already; resume=True goes on with it, or "
                "give another folder."
            )
        groups, state = snapshot
        self._check_same("config", state["config"])
        self._check_same("data", state["data"])
        fill_model(self.model, groups["model"])
        fill_optimizer(self.model, self.optimizer, groups.get("optimizer", {}))
        self.history = History(**state["history"])
        self.best, self.waited = groups.get("best", {}), state["waited"]
        self.saved_at = self.done

    def run(self) -> History:
        """Make the updates that are left."""
        config, history = self.config, self.history
        self.optimizer.zero_grad(set_to_none=True)  # the caller may have left a gradient
        if self.done == 0:
            self.judge()
        began, before, seen = time.monotonic(), history.seconds, (history.tokens or [0])[-1]
        silent = not config.progress or self.world.rank > 0
        with tqdm(
            total=config.steps, initial=self.done, unit="step", mininterval=0.5, disable=silent
        ) as bar:
            while self.done < config.steps and not history.stopped_early:
                self.update(self.done)
                last = self.done == config.steps
                if last or (config.eval_every and self.done % config.eval_every == 0):
                    self.judge()
                last = last or history.stopped_early
                seconds = time.monotonic() - began
                history.seconds = before + seconds
                if last or (config.checkpoint_every and self.done % config.checkpoint_every == 0):
                    self.save()
                rate = (history.tokens[-1] - seen) / max(seconds, 1e-9)
                bar.set_postfix_str(
                    f"loss {history.losses[-1]:.3f}, {rate:,.0f} tokens/s", refresh=False
                )
                bar.update()
        if self.best:
            fill_model(self.model, self.best)
        return history

    def update(self, step: int) -> None:
        """One update of the weights, noted in the history."""
        config, history = self.config, self.history
        torch.manual_seed(derive_seed(config.seed, "step", step, self.world.rank))
        numbers = range(step * config.accumulate, (step + 1) * config.accumulate)
        batches = [self.batches[number] for number in numbers]
        self.losses_of.train()
        loss = backward(self.losses_of, batches, self.world, self.autocast)
        if loss is None:
            raise TrainingError(
                f"Step {step + 1}: no position of its batch has a loss. Look at how labels "
                f"are made, or leave out examples too short to have any. {self._last_good()}"
            )
        parameters = [p for p in self.model.parameters() if p.grad is not None]
        norm = float(nn.utils.clip_grad_norm_(parameters, config.max_grad_norm or math.inf))
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise TrainingError(
                f"Step {step + 1}: the loss is {loss} and the gradient's length {norm}. Lower the "
                f"learning rate ({config.learning_rate:g}), warm up longer, or cut the gradient "
                f"(max_grad_norm). {self._last_good()}"
            )
        rate = config.learning_rate_at(step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        history.steps.append(step + 1)
        history.losses.append(loss)
        history.learning_rates.append(rate)
        history.tokens.append((history.tokens or [0])[-1] + sum(map(num_tokens, batches)))

    def judge(self) -> None:
        """Evaluate, remember the best weights, see whether it is time to stop."""
        if self.evaluate is None:
            return
        config, history = self.config, self.history
        better = False
        if self.world.rank == 0:
            self.model.eval()
            with torch.no_grad(), self.autocast():
                values = {name: float(value) for name, value in self.evaluate(self.model).items()}
            history.evaluations.append({"step": self.done, **values})
            better = self._is_better(values)
        if config.patience is None:
            return
        (better,) = self.world.from_first([better])
        self.waited = 0 if better else self.waited + 1
        if better:
            history.best_step = self.done
            self.best = {
                name: tensor.detach().cpu().clone()
                for name, tensor in model_tensors(self.model).items()
            }
        history.stopped_early = self.waited >= config.patience and self.done < config.steps

    def _is_better(self, values: Mapping[str, float]) -> bool:
        monitor, history = self.config.monitor, self.history
        if self.config.patience is None:
            return False
        if monitor not in values:
            raise ValueError(f"monitor is {monitor!r}; the evaluation gives {', '.join(values)}.")
        if history.best_step is None:
            return True
        earlier = dict(zip(*history.curve(monitor), strict=True))[history.best_step]
        better = values[monitor] > earlier if self.config.maximize else values[monitor] < earlier
        return better

    def save(self) -> None:
        """Write the run's state, and the history by itself for whoever wants to read it."""
        if self.folder is None or self.world.rank > 0:
            return
        groups = {
            "model": model_tensors(self.model),
            "optimizer": optimizer_tensors(self.model, self.optimizer),
            "best": self.best,
        }
        state = {
            "config": dataclasses.asdict(self.config),
            "data": getattr(self.batches, "fingerprint", {}),
            "history": dataclasses.asdict(self.history),
            "waited": self.waited,
        }
        try:
            write_snapshot(self.folder, groups, state)
            self.history.save(self.folder / HISTORY_FILE)
        except (OSError, SafetensorError) as error:
            raise TrainingError(
                f"Step {self.done}: the state could not be written to {self.folder} ({error}). "
                f"Make room there, or give another folder. {self._last_good()}"
            ) from error
        self.saved_at = self.done

    def _last_good(self) -> str:
        if self.saved_at is None:
            return "No state of this run was saved."
        return (
            f"The state after step {self.saved_at} stays in {self.folder}; resume goes on from it."
        )

    def _check_same(self, what: str, there: Mapping[str, Any]) -> None:
        """Refuse to go on with another configuration or other data than the run began with."""
        now: Mapping[str, Any] = (
            dataclasses.asdict(self.config)
            if what == "config"
            else getattr(self.batches, "fingerprint", {})
        )
        here = json.loads(json.dumps(now))
        for name in sorted(here.keys() | there.keys()):
            if name not in _FREE and here.get(name) != there.get(name):
                raise CheckpointError(
                    f"{self.folder} holds a run with {what} {name} = {there.get(name)!r}; now it "
                    f"is {here.get(name)!r}. Set it back to resume, or start in another folder."
                )
