"""The tasks on which the page `sentence-order` asks what a question about two sentences was for.

One is about two sentences, as ALBERT's argument is (Lan et al. 2020), the other about single words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chapter10.experiments import downstream

JUDGED = 500
"""Test examples of a task; its exam and its learning rate are those of `downstream`."""


@dataclass(frozen=True, kw_only=True)
class Downstream:
    """Labelled examples, updates of 16 of them, and the name of a classical baseline."""

    title: str
    labels: int
    steps: int
    baseline: str


TASKS: Mapping[str, Downstream] = {
    "nli": Downstream(title="推理", labels=4_096, steps=256, baseline="character n-grams"),
    "tagging": Downstream(
        title="词性",
        labels=downstream.LABELS["tagging"],
        steps=downstream.steps_for(downstream.LABELS["tagging"]),
        baseline="most frequent tag of the word",
    ),
}
"""Inference sees every example once, to save time."""


def fine_tuned(checkpoint: Path, task: str, seed: int) -> float:
    """The share of right answers on test examples after fine-tuning a checkpoint."""
    asked = TASKS[task]
    fitted = downstream.train_model(
        task,
        "pretrained",
        seed,
        labels=asked.labels,
        checkpoint=checkpoint,
        steps=asked.steps,
        evaluations=2,
    )
    examples = downstream.exam_examples(task, downstream.JUDGED[task], JUDGED)
    return downstream.share(downstream.judged(task, fitted, examples))


def without_bert(task: str, seed: int) -> float:
    """The score in the same exam of the baseline that learns from as many examples."""
    asked = TASKS[task]
    scores = downstream.baseline_scores(task, asked.baseline, seed, asked.labels)
    return scores[downstream.JUDGED[task]]
