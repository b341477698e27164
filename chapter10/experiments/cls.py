"""What the page `cls` runs (claim B11): is the output at [CLS] the summary of its sentence?

A linear classifier reads one vector of each row, had in several ways: from a frozen body, or
trained together with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Literal

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chapter10.bert import Bert
from chapter10.claims import Experiment, Measured
from chapter10.data.microworld.splits import Split
from chapter10.experiments.downstream import (
    BEST_RATES,
    CHECKPOINT,
    LABELS,
    TEST,
    VALIDATION,
    baseline_score,
    converted,
    make_task,
    steps_for,
    training_config,
)
from chapter10.experiments.pooling import POOLINGS, Pooling, SentenceClassifier, vectors
from chapter10.models import shipped
from chapter10.tasks import Task, fit, micro_examples
from chapter10.training import History
from chapter10.training.batches import derive_seed

Start = Literal["order", "mlm", "random"]
STARTS: Mapping[Start, str] = {"order": "填空+句序", "mlm": "只填空", "random": "随机起点"}
"""Where the body comes from: the shipped model, its twin without a sentence objective, or neither.
"""
TWIN = "bert-zh-micro-mlm"
TASKS = {"sentiment": "情感", "nli": "推理"}
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Inverse regularisation strengths of the frozen probe; validation data choose."""


def body(start: Start, seed: int) -> Bert:
    """A fresh copy of a body; the random one is a function of the seed, the others are not."""
    bert = Bert.from_pretrained(shipped(TWIN if start == "mlm" else CHECKPOINT))
    if start != "random":
        return bert
    with torch.random.fork_rng([]):
        torch.manual_seed(derive_seed("cls", "body", seed))
        return Bert(bert.config).eval()


# --- frozen: the vectors stay, a logistic regression reads them


@cache
def examples(name: str, split: Split, seed: int = 0) -> list[Any]:
    """As the task takes them: training examples by the seed, others the same for all.

    There are as many as in the other comparisons of ``downstream``.
    """
    count = {"train": LABELS[name], "validation": VALIDATION, "test": TEST}[split]
    return converted(name, micro_examples(name, split, count, seed if split == "train" else 0))


@lru_cache(maxsize=8)
def held_out_vectors(
    name: str, start: Start, seed: int, split: Split
) -> Mapping[Pooling, np.ndarray]:
    """Those of validation or test examples; only for "random" the seed matters."""
    return vectors(body(start, seed), make_task(name), examples(name, split))


@lru_cache(maxsize=64)
def frozen_scores(
    name: str, start: Start, seed: int, split: Split = "test"
) -> Mapping[Pooling, float]:
    """The accuracy of each pooling when only a logistic regression is trained."""
    body_seed = seed if start == "random" else 0
    known = vectors(body(start, body_seed), make_task(name), examples(name, "train", seed))
    tuning, asked = (
        held_out_vectors(name, start, body_seed, part) for part in ("validation", split)
    )
    truth = {
        part: [one.label for one in examples(name, part, seed)]
        for part in ("train", "validation", split)
    }
    scores: dict[Pooling, float] = {}
    for pooling in POOLINGS:
        probes = [
            make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000)).fit(
                known[pooling], truth["train"]
            )
            for strength in STRENGTHS
        ]
        best = max(probes, key=lambda probe: probe.score(tuning[pooling], truth["validation"]))
        scores[pooling] = float(best.score(asked[pooling], truth[split]))
    return scores


# --- fine-tuned: the body learns too


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned model and how its training went."""

    task: Task[Any, Any, Any]
    model: SentenceClassifier
    history: History

    def score(self, name: str, split: Split = "test") -> float:
        """The share of right answers."""
        return self.task.evaluate(self.model, examples(name, split))["accuracy"]


def fine_tune(
    name: str,
    start: Start,
    pooling: Pooling,
    seed: int,
    *,
    rate: float | None = None,
    progress: bool = False,
) -> Tuned:
    """Body and head learn together, with the steps and rates of ``downstream``; the rate is the one
    found for [CLS] on this task, for every pooling."""
    task = make_task(name)
    with torch.random.fork_rng([]):
        torch.manual_seed(derive_seed("cls", "head", seed))
        model = SentenceClassifier(body(start, seed), pooling, task.num_labels, task.tokenizer)
    rate = rate or BEST_RATES[name, "scratch" if start == "random" else "pretrained"]
    config = training_config(task, rate, steps_for(LABELS[name]), seed, progress=progress)
    known = examples(name, "train", seed)
    return Tuned(task, model, fit(task, model, known, examples(name, "validation"), config))


@lru_cache(maxsize=256)
def tuned_score(name: str, start: Start, pooling: Pooling, seed: int) -> float:
    """Accuracy on test examples after one fine-tuning."""
    return fine_tune(name, start, pooling, seed).score(name)


# --- evidence

GAP = "[CLS] − 平均"
FROZEN, TUNED = "冻结", "微调"
MARGIN = 0.05
"""By how much a fine-tuned [CLS] has to beat the character n-grams, so that equally bad readouts
do not count as equally good."""
BASELINES = ("most frequent class", "character n-grams")


def _frozen_arms() -> dict[str, tuple[str, Start, Pooling]]:
    """Every pooling from every start on both tasks."""
    return {
        f"{FROZEN} {TASKS[name]} {STARTS[start]} {POOLINGS[pooling]}": (name, start, pooling)
        for name in TASKS
        for start in STARTS
        for pooling in POOLINGS
        if pooling != "pooler" or start == "order"
    }


def _tuned_arms() -> dict[str, tuple[Start, Pooling]]:
    """On sentiment: every pooling of the two trained bodies, two of the random one."""
    chosen: dict[Start, Sequence[Pooling]] = {
        "order": ("cls", "pooler", "mean", "max", "token"),
        "mlm": ("cls", "mean", "max", "token"),
        "random": ("cls", "mean"),
    }
    return {
        f"{TUNED} {STARTS[start]} {POOLINGS[pooling]}": (start, pooling)
        for start, poolings in chosen.items()
        for pooling in poolings
    }


FROZEN_ARMS, TUNED_ARMS = _frozen_arms(), _tuned_arms()
BASELINE_ARMS = {
    f"{TASKS[name]} {baseline}": (name, baseline) for name in TASKS for baseline in BASELINES
}


def _run(arm: str, seed: int) -> Measured:
    """One arm of B11: the two gaps are judged, the accuracies stand beside them."""
    steps = steps_for(LABELS["sentiment"])
    if arm == f"{TUNED} {GAP}":
        ours, mean = (
            tuned_score("sentiment", "order", pooling, seed) for pooling in ("cls", "mean")
        )
        return Measured(ours - mean, steps)
    if arm == f"{FROZEN} {GAP}":
        scores = frozen_scores("sentiment", "order", seed)
        return Measured(scores["cls"] - scores["mean"])
    if arm in TUNED_ARMS:
        start, pooling = TUNED_ARMS[arm]
        return Measured(tuned_score("sentiment", start, pooling, seed), steps)
    if arm in FROZEN_ARMS:
        name, start, pooling = FROZEN_ARMS[arm]
        return Measured(frozen_scores(name, start, seed)[pooling])
    return Measured(baseline_score(*BASELINE_ARMS[arm], seed))


EXPERIMENTS = {
    "B11": Experiment(
        arms=(f"{TUNED} {GAP}", f"{FROZEN} {GAP}"),
        controls=(*TUNED_ARMS, *FROZEN_ARMS, *BASELINE_ARMS),
        run=_run,
        data=f"微世界的情感（{LABELS['sentiment']} 个标注）与推理（{LABELS['nli']} 个），"
        f"测试 {TEST} 例；微调只做情感",
    )
}
