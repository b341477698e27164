"""Micro-GLUE (claim B10): the four cases on the micro-world as one table, one average a model.

GLUE (Wang et al. 2018) fine-tunes a model on each of its tasks and averages their scores. This is
the same on a small scale, for any BERT that brings its own tokeniser; of each task's two exams it
takes the one that its page judges by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chapter10.bert import BertConfig
from chapter10.bert_tasks import BertForSequenceClassification
from chapter10.checkpoints import CONFIG_FILE
from chapter10.experiments.downstream import (
    CHECKPOINT,
    JUDGED,
    LABELS,
    Start,
    baseline_scores,
    exam_examples,
    judged,
    share,
    train_model,
)
from chapter10.hub import CheckpointError, find_file, read_json
from chapter10.models import shipped
from chapter10.tasks import MICRO_TASKS
from chapter10.tasks.finetuning import learning_rate_for
from chapter10.tasks.micro import MAX_LENGTH

BASELINES = {"majority": 0, "bag of words": 1}
"""Row of the table -> which of a task's baselines; the last one where a task has fewer."""


@dataclass(frozen=True)
class Line:
    """One row of the table: who, and the share of right answers on each task."""

    name: str
    scores: Mapping[str, float]

    @property
    def average(self) -> float:
        """The mean over the tasks, each weighing the same."""
        return sum(self.scores.values()) / len(self.scores)


def micro_glue(
    checkpoint: Path | str, *, scratch: bool = False, labels: int | None = None, seed: int = 0
) -> list[Line]:
    """A row for the checkpoint, fine-tuned on each task, and one for each baseline.

    Args:
        checkpoint: a folder or a name on the hub with a BERT and its tokeniser.
        scratch: take only the sizes and the tokeniser of the checkpoint, and random weights.
        labels: training examples of each task; by default each has a budget of its own, `LABELS` of
            :mod:`chapter10.experiments.downstream`.
        seed: of these examples, of their order, and of what starts random.

    Raises:
        ValueError: fewer than 2 labels.
        CheckpointError: the checkpoint cannot be used; the message says why.
    """
    if labels is not None and labels < 2:
        raise ValueError(f"labels is {labels}; give at least 2 examples to learn from.")
    rate = rate_for(checkpoint)
    begin: Start = "scratch" if scratch else "pretrained"
    scores = {}
    for name in MICRO_TASKS:
        fitted = train_model(name, begin, seed, labels=labels, checkpoint=checkpoint, rate=rate)
        scores[name] = share(judged(name, fitted, exam_examples(name, JUDGED[name])))
    title = Path(checkpoint).name + (", random weights" if scratch else "")
    return [Line(title, scores), *(baseline_line(row, seed, labels) for row in BASELINES)]


def baseline_line(row: str, seed: int, labels: int | None = None) -> Line:
    """The scores of a row of `BASELINES`, from the same labels as the models."""
    scores = {}
    for name, task in MICRO_TASKS.items():
        number = min(BASELINES[row], len(task.baselines) - 1)
        found = baseline_scores(name, task.baselines[number], seed, labels or LABELS[name])
        scores[name] = found[JUDGED[name]]
    return Line(row, scores)


def rate_for(checkpoint: Path | str) -> float | None:
    """The learning rate for a checkpoint; None stands for the rates that were searched with the
    shipped one, and serves every model of its depth and width.

    Raises:
        CheckpointError: it is no BERT, or has too few positions for the texts.
    """
    content = read_json(find_file(checkpoint, CONFIG_FILE))
    families = BertForSequenceClassification.architectures
    if content.get("model_type") not in families:
        raise CheckpointError(
            f"{checkpoint} holds a model of type {content.get('model_type')!r}; micro-GLUE takes "
            f"{' and '.join(map(repr, families))}."
        )
    config = BertConfig.from_reference(content, frozenset())
    if config.max_position_embeddings < MAX_LENGTH:
        raise CheckpointError(
            f"{checkpoint} has positions for {config.max_position_embeddings} tokens; the "
            f"micro-world's texts need {MAX_LENGTH}."
        )
    searched = read_json(shipped(CHECKPOINT) / CONFIG_FILE)
    if all(content[size] == searched[size] for size in ("num_hidden_layers", "hidden_size")):
        return None
    return learning_rate_for(config)
