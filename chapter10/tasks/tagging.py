"""Case 2: a tag for each word, from the output at each token (Devlin et al. 2019, figure 4 (d)).

Words and tokens are not the same: a word of several tokens is judged by its first, and the others
have no loss (Devlin et al. 2019, section 5.3: "the representation of the first sub-token").
"""

from collections.abc import Sequence
from dataclasses import dataclass

from seqeval.metrics import f1_score as entity_f1_score
from sklearn.metrics import accuracy_score, f1_score
from torch import Tensor, nn

from chapter10.bert_tasks import BertForTokenClassification
from chapter10.data import TaggedSentence
from chapter10.objectives import IGNORE_INDEX, cross_entropy_sum
from chapter10.tasks.task import ExampleError, Task, check_label, label_numbers
from chapter10.tokenizers import Tokenizer
from chapter10.training.batches import Batch, pad_rows


@dataclass(frozen=True)
class TagRow:
    """One row for BERT; ``positions[i]`` is the token that speaks for word i, ``labels`` the number
    of its tag there, IGNORE_INDEX at all other tokens."""

    input_ids: list[int]
    token_type_ids: list[int]
    labels: list[int]
    positions: list[int]

    def __len__(self) -> int:
        return len(self.input_ids)


def align(words: Sequence[tuple[int, int]], tokens: Sequence[tuple[int, int]]) -> list[int | None]:
    """For each word the number of the token that speaks for it; None where it has no token.

    It is the one that covers the word's first character. Where that one speaks for an earlier word
    already ("don't" is two words of one range), it is the next token inside the word; where there
    is none (one token over two words), they share the token.

    Args:
        words, tokens: (start, end) in characters of the same text, in order; a token of no width
            comes from no text.
    """
    taken: set[int] = set()
    found: list[int | None] = []
    for start, end in words:
        inside = [
            number
            for number, (first, last) in enumerate(tokens)
            if first < last and first < end and last > start
        ]
        free = [number for number in inside if number not in taken]
        choice = next(iter(free or inside), None)
        if choice is not None:
            taken.add(choice)
        found.append(choice)
    return found


class Tagging(Task[TaggedSentence, TagRow, tuple[str, ...]]):
    """Which tag each word of a sentence has.

    A sentence that is longer than the model is an error: cut off, its last words would have no tag.

    Args:
        labels: the names of the tags.
    """

    model_class = BertForTokenClassification
    measure = "accuracy"

    def __init__(
        self, tokenizer: Tokenizer, labels: Sequence[str], *, max_length: int = 128
    ) -> None:
        super().__init__(tokenizer, max_length)
        self.labels, self.numbers = tuple(labels), label_numbers(labels)

    @property
    def num_labels(self) -> int:
        """One score a tag."""
        return len(self.labels)

    def encode(self, examples: Sequence[TaggedSentence], *, targets: bool = True) -> list[TagRow]:
        """One row a sentence."""
        return [self._row(index, example, targets) for index, example in enumerate(examples)]

    def _row(self, index: int, example: TaggedSentence, targets: bool) -> TagRow:
        text = example.text
        if not text.strip() or not example.tokens:
            raise ExampleError(index, text, "empty text", "it has no words; leave it out.")
        if len(example.offsets) != len(example.tokens):
            raise ExampleError(
                index,
                text,
                "words without places",
                f"it has {len(example.tokens)} words but {len(example.offsets)} offsets; give one "
                "(start, end) for each word.",
            )
        encoding = self.tokenizer.encode(text, literal=True)
        if len(encoding) > self.max_length:
            raise ExampleError(
                index,
                text,
                "longer than the model",
                f"it has {len(encoding)} tokens, and a row holds {self.max_length}; cut it at a "
                "comma, or use a model with more positions.",
            )
        # The template's tokens have the range (0, 0): no word is theirs.
        positions = []
        for word, found in zip(
            example.tokens, align(example.offsets, encoding.offsets), strict=True
        ):
            if found is None:
                raise ExampleError(
                    index,
                    text,
                    "word without a token",
                    f"the tokeniser makes nothing of its word {word!r}; take it out.",
                )
            positions.append(found)
        labels = [IGNORE_INDEX] * len(encoding)
        if targets:
            # Of the words that share a token the first one's tag is learned.
            pairs = zip(positions, self._tags(index, example), strict=True)
            for position, number in reversed(list(pairs)):
                labels[position] = number
        return TagRow(encoding.input_ids, encoding.token_type_ids, labels, positions)

    def _tags(self, index: int, example: TaggedSentence) -> list[int]:
        if len(example.tags) != len(example.tokens):
            raise ExampleError(
                index,
                example.text,
                "tag sequence of another length",
                f"it has {len(example.tokens)} words but {len(example.tags)} tags; give one for "
                "each word.",
            )
        return [check_label(index, example.text, tag, self.numbers) for tag in example.tags]

    def targets(self, rows: Sequence[TagRow]) -> Batch:
        """``labels``: (B, T), IGNORE_INDEX at padding too."""
        return {"labels": pad_rows([row.labels for row in rows], IGNORE_INDEX)}

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Cross entropy of the tags; one term a word."""
        return cross_entropy_sum(self.forward(model, batch).logits, batch["labels"])

    def predict(
        self, model: nn.Module, examples: Sequence[TaggedSentence]
    ) -> list[tuple[str, ...]]:
        """A tag for each word of each sentence."""
        rows = self.encode(examples, targets=False)
        best = [logits.argmax(-1) for (logits,) in self.outputs(model, rows)]  # each (T,)
        return [
            tuple(self.labels[int(numbers[position])] for position in row.positions)
            for row, numbers in zip(rows, best, strict=True)
        ]

    def score(
        self, examples: Sequence[TaggedSentence], predictions: Sequence[tuple[str, ...]]
    ) -> dict[str, float]:
        """Accuracy over all words, F1 averaged over the tags that occur; for BIO tags also the F1
        of whole entities."""
        return self.score_answers(examples, predictions)

    def score_answers(
        self, examples: Sequence[TaggedSentence], answers: Sequence[Sequence[str]]
    ) -> dict[str, float]:
        """:meth:`score`: a model's predictions are bare tags already."""
        given, predicted = self._flat(examples, answers)
        occurring = sorted(set(given))
        macro = f1_score(given, predicted, labels=occurring, average="macro", zero_division=0)
        scores = {"accuracy": float(accuracy_score(given, predicted)), "macro_f1": float(macro)}
        if all(label == "O" or label[:2] in ("B-", "I-") for label in self.labels):
            tags = [list(example.tags) for example in examples]
            found = [list(answer) for answer in answers]
            scores["entity_f1"] = float(entity_f1_score(tags, found, zero_division=0))
        return scores

    def per_tag(
        self, examples: Sequence[TaggedSentence], predictions: Sequence[Sequence[str]]
    ) -> dict[str, float]:
        """F1 of each tag that occurs in the examples."""
        given, predicted = self._flat(examples, predictions)
        occurring = sorted(set(given))
        values = f1_score(given, predicted, labels=occurring, average=None, zero_division=0)
        return dict(zip(occurring, map(float, values), strict=True))

    def _flat(
        self, examples: Sequence[TaggedSentence], predictions: Sequence[Sequence[str]]
    ) -> tuple[list[str], list[str]]:
        for index, example in enumerate(examples):
            self._tags(index, example)
        given = [tag for example in examples for tag in example.tags]
        return given, [tag for prediction in predictions for tag in prediction]
