"""The tasks on which the page `sentence-order` asks what a question about two sentences was for.

One is about two sentences, as ALBERT's argument is (Lan et al. 2020), the other about single words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chapter10.experiments import downstream

JUDGED = 500
"""Test examples of a task; its learning rate is that of `downstream`."""


@dataclass(frozen=True, kw_only=True)
class Downstream:
    """Labelled examples, updates of 16 of them, which of the two exams, a classical baseline."""

    title: str
    labels: int
    steps: int
    exam: str
    baseline: str


TASKS: Mapping[str, Downstream] = {
    "nli": Downstream(
        title="推理",
        labels=4_096,
        steps=256,
        exam=downstream.KNOWN,
        baseline="character n-grams",
    ),
    "tagging": Downstream(
        title="词性",
        labels=downstream.LABELS["tagging"],
        steps=downstream.steps_for(downstream.LABELS["tagging"]),
        exam=downstream.JUDGED["tagging"],
        baseline="most frequent tag of the word",
    ),
}
"""Inference sees every example once: on validation data as good as a quarter of them seen four
times. Its exam is in known wordings: in new ones nobody was better than chance, so nothing could
be compared."""


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
    examples = downstream.exam_examples(task, asked.exam, JUDGED)
    return downstream.share(downstream.judged(task, fitted, examples))


def without_bert(task: str, seed: int) -> float:
    """The score in the same exam of the baseline that learns from as many examples."""
    asked = TASKS[task]
    return downstream.baseline_scores(task, asked.baseline, seed, asked.labels)[asked.exam]
