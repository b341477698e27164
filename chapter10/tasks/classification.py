"""Cases 1 and 3: one class for a sentence, or for a pair of them, from [CLS].

Devlin et al. 2019, figure 4 (a) and (b): the pair is one row, ``[CLS] A [SEP] B [SEP]``, told apart
by [SEP] and by the segment of each token.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from sklearn.metrics import accuracy_score, f1_score
from torch import Tensor, nn

from chapter10.bert_tasks import BertForSequenceClassification
from chapter10.objectives import IGNORE_INDEX, cross_entropy_sum
from chapter10.tasks.task import ExampleError, Task, check_label, label_numbers
from chapter10.tokenizers import Tokenizer
from chapter10.training.batches import Batch


@dataclass(frozen=True)
class TextExample:
    """A sentence, or with ``pair`` two of them; ``label`` is None where only asked about."""

    text: str
    pair: str | None = None
    label: str | None = None


@dataclass(frozen=True)
class ClassRow:
    """One row for BERT; ``label`` is the number of the class or IGNORE_INDEX."""

    input_ids: list[int]
    token_type_ids: list[int]
    label: int

    def __len__(self) -> int:
        return len(self.input_ids)


@dataclass(frozen=True)
class ClassPrediction:
    """The likeliest class; ``probabilities`` are those of all classes, in the task's order."""

    label: str
    probabilities: tuple[float, ...]


class Classification(Task[TextExample, ClassRow, ClassPrediction]):
    """Which class a sentence or a pair belongs to.

    Args:
        labels: the names of the classes.
        truncate: cut texts that are too long at their end. Reviews may lose their end; a premise or
            a hypothesis may not, so by default a long text is an error.
    """

    model_class = BertForSequenceClassification
    measure = "accuracy"

    def __init__(
        self,
        tokenizer: Tokenizer,
        labels: Sequence[str],
        *,
        max_length: int = 128,
        truncate: bool = False,
    ) -> None:
        super().__init__(tokenizer, max_length)
        self.labels, self.truncate = tuple(labels), truncate
        self.numbers = label_numbers(labels)

    @property
    def num_labels(self) -> int:
        """One score a class."""
        return len(self.labels)

    def encode(self, examples: Sequence[TextExample], *, targets: bool = True) -> list[ClassRow]:
        """One row an example."""
        return [self._row(index, example, targets) for index, example in enumerate(examples)]

    def _row(self, index: int, example: TextExample, targets: bool) -> ClassRow:
        for name, text in (("text", example.text), ("pair", example.pair)):
            if text is not None and not text.strip():
                raise ExampleError(index, text, "empty text", f"its {name} is empty; leave it out.")
        cut = self.max_length if self.truncate else None
        encoding = self.tokenizer.encode(example.text, example.pair, cut, literal=True)
        if len(encoding) > self.max_length:
            raise ExampleError(
                index,
                example.text,
                "longer than the model",
                f"it has {len(encoding)} tokens, and a row holds {self.max_length}; shorten it, "
                "use a model with more positions, or (where its end does not matter) truncate.",
            )
        label = IGNORE_INDEX
        if targets:
            label = check_label(index, example.text, example.label, self.numbers)
        return ClassRow(encoding.input_ids, encoding.token_type_ids, label)

    def targets(self, rows: Sequence[ClassRow]) -> Batch:
        """``labels``: (B,)."""
        return {"labels": torch.tensor([row.label for row in rows])}

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Cross entropy of the class; one term a row."""
        return cross_entropy_sum(self.forward(model, batch).logits, batch["labels"])

    def predict(self, model: nn.Module, examples: Sequence[TextExample]) -> list[ClassPrediction]:
        """The likeliest class of each example."""
        rows = self.encode(examples, targets=False)
        predictions = []
        for (logits,) in self.outputs(model, rows):
            probabilities = logits.softmax(-1)
            label = self.labels[int(probabilities.argmax())]
            predictions.append(ClassPrediction(label, tuple(probabilities.tolist())))
        return predictions

    def score(
        self, examples: Sequence[TextExample], predictions: Sequence[ClassPrediction]
    ) -> dict[str, float]:
        """Accuracy, and F1 averaged over the classes ("macro")."""
        return self.score_answers(examples, [prediction.label for prediction in predictions])

    def score_answers(
        self, examples: Sequence[TextExample], answers: Sequence[str]
    ) -> dict[str, float]:
        """:meth:`score` of bare labels, such as a baseline's."""
        for index, example in enumerate(examples):
            check_label(index, example.text, example.label, self.numbers)
        given = [example.label for example in examples]
        macro = f1_score(given, answers, labels=self.labels, average="macro", zero_division=0)
        return {"accuracy": float(accuracy_score(given, answers)), "macro_f1": float(macro)}
