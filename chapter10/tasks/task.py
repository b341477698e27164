"""What every downstream task has: examples -> rows -> a batch -> a loss; predictions -> a score.

Shapes are written B (rows of the batch), T (length of the longest), C (classes).
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from chapter10.bert_tasks import (
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)
from chapter10.tokenizers import Tokenizer
from chapter10.training.batches import Batch, pad_rows

Example = TypeVar("Example")
Prediction = TypeVar("Prediction")
TaskModel = BertForSequenceClassification | BertForTokenClassification | BertForQuestionAnswering


class Row(Protocol):
    """One row for BERT: ids and segments, and a length in tokens."""

    @property
    def input_ids(self) -> list[int]:
        """Ids of the tokens."""

    @property
    def token_type_ids(self) -> list[int]:
        """Segment of each token."""

    def __len__(self) -> int: ...


AnyRow = TypeVar("AnyRow", bound=Row)


class ExampleError(ValueError):
    """An example cannot be used; the message says which one and why.

    ``problem`` is the kind of fault in a few words, the same for all examples that have it.
    """

    def __init__(self, index: int, text: str, problem: str, detail: str) -> None:
        self.index, self.problem = index, problem
        shown = text if len(text) <= 30 else f"{text[:30]}…"
        super().__init__(f"Example {index} ({shown!r}): {detail}")


class Task(ABC, Generic[Example, AnyRow, Prediction]):
    """A downstream task for a BERT with one linear map on top (Devlin et al. 2019, figure 4).

    Class attributes: ``model_class``, the model it is for; ``measure``, the score that says how
    good a model is, higher is better.

    Args:
        tokenizer: of style "bert". Special tokens typed in a text are read as plain text.
        max_length: of a row in tokens, at most what the model has positions for.
    """

    model_class: ClassVar[type[TaskModel]]
    measure: ClassVar[str]

    def __init__(self, tokenizer: Tokenizer, max_length: int) -> None:
        if tokenizer.pad_token_id is None or tokenizer.cls_token_id is None:
            raise ValueError('A task needs a tokeniser with [PAD] and [CLS], of style "bert".')
        self.tokenizer, self.max_length = tokenizer, max_length
        self.pad_id = tokenizer.pad_token_id

    @property
    @abstractmethod
    def num_labels(self) -> int:
        """How many numbers the head gives for each thing it judges."""

    @abstractmethod
    def encode(self, examples: Sequence[Example], *, targets: bool = True) -> list[AnyRow]:
        """Rows of the examples, in order; without ``targets`` nothing is asked of their labels.

        Raises:
            ExampleError: an example that cannot be encoded without losing what the task needs.
        """

    @abstractmethod
    def targets(self, rows: Sequence[AnyRow]) -> Batch:
        """What the loss compares with: IGNORE_INDEX where there is no loss."""

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Summed cross entropy in nats and the number of its terms, for ``training.train``."""

    @abstractmethod
    def predict(self, model: nn.Module, examples: Sequence[Example]) -> list[Prediction]:
        """The model's answer to each example; labels are not looked at."""

    @abstractmethod
    def score(
        self, examples: Sequence[Example], predictions: Sequence[Prediction]
    ) -> dict[str, float]:
        """Measures between 0 and 1 by name, ``measure`` among them."""

    @abstractmethod
    def score_answers(
        self, examples: Sequence[Example], answers: Sequence[Any]
    ) -> dict[str, float]:
        """:meth:`score` of bare answers (labels, tags, texts), such as a baseline's."""

    def training_rows(self, examples: Sequence[Example]) -> list[AnyRow]:
        """Rows to learn from: all that have a loss."""
        return self.encode(examples)

    def collate(self, rows: Sequence[AnyRow], draw: torch.Generator | None = None) -> Batch:
        """Rows -> ``input_ids``, ``attention_mask``, ``token_type_ids`` (B, T) and the targets."""
        ones = [[1] * len(row) for row in rows]
        return {
            "input_ids": pad_rows([row.input_ids for row in rows], self.pad_id),
            "attention_mask": pad_rows(ones, 0),
            "token_type_ids": pad_rows([row.token_type_ids for row in rows], 0),
            **self.targets(rows),
        }

    def evaluate(self, model: nn.Module, examples: Sequence[Example]) -> dict[str, float]:
        """The scores of the model's predictions."""
        return self.score(examples, self.predict(model, examples))

    def usable(
        self, examples: Sequence[Example], limit: int, *, targets: bool = True
    ) -> tuple[list[Example], Counter[str]]:
        """The first ``limit`` examples that can be encoded, and how many before them cannot, by
        problem."""
        kept: list[Example] = []
        problems = Counter[str]()
        for example in examples:
            if len(kept) == limit:
                break
            try:
                self.encode([example], targets=targets)
            except ExampleError as error:
                problems[error.problem] += 1
            else:
                kept.append(example)
        return kept, problems

    def outputs(
        self, model: nn.Module, rows: Sequence[AnyRow], batch_size: int = 32
    ) -> list[tuple[Tensor, ...]]:
        """What the head gives for each row, on the CPU; entries for padding are still there."""
        device = next(model.parameters()).device
        found: list[tuple[Tensor, ...]] = [()] * len(rows)
        order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
        was_training = model.training
        model.eval()
        with torch.no_grad():
            for start in range(0, len(order), batch_size):
                numbers = order[start : start + batch_size]
                batch = self.collate([rows[number] for number in numbers])
                moved = {name: tensor.to(device) for name, tensor in batch.items()}
                logits = [part.float().cpu() for part in self.logits(model, moved)]
                for place, number in enumerate(numbers):
                    found[number] = tuple(part[place] for part in logits)
        model.train(was_training)
        return found

    def logits(self, model: nn.Module, batch: Batch) -> tuple[Tensor, ...]:
        """The head's outputs, the first dimension of each B."""
        return (self.forward(model, batch).logits,)

    @staticmethod
    def forward(model: nn.Module, batch: Batch) -> Any:
        """Call the model on a batch."""
        return model(batch["input_ids"], batch["attention_mask"], batch["token_type_ids"])


def label_numbers(labels: Sequence[str]) -> Mapping[str, int]:
    """Class -> its number in the head.

    Raises:
        ValueError: fewer than two classes, or one named twice.
    """
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise ValueError(f"labels is {list(labels)}; give at least two, each once.")
    return {label: number for number, label in enumerate(labels)}


def check_label(index: int, text: str, label: str | None, known: Mapping[str, int]) -> int:
    """The number of a label.

    Raises:
        ExampleError: no label, or one that is not in the set.
    """
    if label is None:
        raise ExampleError(index, text, "no label", "it has no label to learn from; give one.")
    if label not in known:
        raise ExampleError(
            index,
            text,
            "label outside the set",
            f"its label is {label!r}; the task knows {', '.join(known)}.",
        )
    return known[label]
