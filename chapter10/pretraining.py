"""Three ways to make a loss out of plain text: what becomes a row, a batch, a loss, a score.

Each objective has ``rows`` (texts -> rows of ids), ``collate`` (rows, generator -> batch) for
:class:`~chapter10.training.Batches`, ``loss`` for :func:`chapter10.training.train`, and ``measure``
for held-out text. Scores over the vocabulary are computed only where there is a label.

Shapes are written B (rows of the batch), T (length of the longest), V (vocabulary).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from chapter10.objectives import (
    IGNORE_INDEX,
    Masking,
    SentencePair,
    corrupt_spans,
    cross_entropy_sum,
    mask_candidates,
    mask_tokens,
    next_segment_pairs,
    next_sentence_pairs,
    next_tokens,
    ordinary_ids,
    segment_documents,
    sentence_order_pairs,
)
from chapter10.tokenizers import Encoding, Tokenizer
from chapter10.training.batches import Batch, generator, pack, pad_rows

Sums = dict[str, tuple[Tensor, Tensor]]
Documents = Sequence[Sequence[str]]
Sentences = Literal["none", "next", "order"]
Unit = Literal["line", "document"]
_BLOCK = 1000  # texts tokenised at once: the library uses its own threads on each block


class Objective(ABC):
    """What pretraining needs to know of an objective.

    name: of its loss, and with ``_accuracy`` of how often the best guess is right.
    """

    name: ClassVar[str]

    @abstractmethod
    def rows(self, documents: Documents) -> Sequence[Any]:
        """Documents, each a list of lines -> rows, which have a length in tokens."""

    @abstractmethod
    def collate(self, rows: list[Any], draw: torch.Generator) -> Batch:
        """Rows -> a batch whose ``labels`` are IGNORE_INDEX where there is no loss."""

    @abstractmethod
    def token_counts(self, rows: Sequence[Any]) -> Tensor:
        """(V,) double: how often each token is to be expected as a label, up to a factor."""

    @abstractmethod
    def predict(self, model: nn.Module, batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
        """What is asked, by name: logits (N, classes) and labels (N,)."""

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch) -> Sums:
        """Summed losses and the numbers of their terms, by name."""

    def measure(self, model: nn.Module, batch: Batch) -> Sums:
        """The losses, and as ``NAME_accuracy`` how often the best guess is right."""
        sums: Sums = {}
        for name, (logits, labels) in self.predict(model, batch).items():
            sums[name] = cross_entropy_sum(logits, labels)
            sums[f"{name}_accuracy"] = ((logits.argmax(-1) == labels).sum(), sums[name][1])
        return sums


@dataclass(frozen=True)
class Row:
    """One row for BERT: ids with their segments and words (-1: none), and the label of a pair."""

    input_ids: list[int]
    token_type_ids: list[int]
    word_ids: list[int]
    label: int = IGNORE_INDEX

    def __len__(self) -> int:
        return len(self.input_ids)


class MaskedLanguageModel(Objective):
    """BERT's objective (Devlin et al. 2019, section 3.1), for a ``BertForPreTraining``.

    Args:
        tokenizer: of style "bert".
        masking: how much is hidden, and how.
        max_length: of a row in tokens; longer lines become several rows, longer pairs are cut.
        sentences: "next" and "order" make pairs and add the loss of telling whether the second text
            follows (NSP), or which came first (SOP; Lan et al. 2020).
        unit: of a row: a "line", or a pair of neighbouring ones; or a "document" in two segments,
            as in both papers. A document of one line has no second segment and no sentence loss.
        joiner: what stands between the lines of a segment: "" in Chinese, " " in English.
        seed: of the choice of pairs and segments.
    """

    name = "masked"

    def __init__(
        self,
        tokenizer: Tokenizer,
        masking: Masking,
        *,
        max_length: int = 128,
        sentences: Sentences = "none",
        unit: Unit = "line",
        joiner: str = "",
        seed: int = 0,
    ) -> None:
        if tokenizer.mask_token_id is None or tokenizer.pad_token_id is None:
            raise ValueError('Masking needs a tokeniser with [MASK] and [PAD], of style "bert".')
        self.tokenizer, self.masking, self.max_length = tokenizer, masking, max_length
        self.sentences, self.unit, self.joiner, self.seed = sentences, unit, joiner, seed
        self.pad_id, self.mask_id = tokenizer.pad_token_id, tokenizer.mask_token_id
        self.replacements = ordinary_ids(tokenizer.vocab_size, tokenizer.special_ids)

    def rows(self, documents: Documents) -> list[Row]:
        """A row for each line (several for a long one), each pair of lines, or each document."""
        draw = generator(self.seed, "pairs")
        if self.unit == "document":
            return self._document_rows(documents, draw)
        if self.sentences == "none":
            lines = [line for document in documents for line in document]
            return [
                _row(encoding) for encoding in _encodings(self.tokenizer, lines, self.max_length)
            ]
        make = next_sentence_pairs if self.sentences == "next" else sentence_order_pairs
        return self._pair_rows(make(documents, draw))

    def _document_rows(self, documents: Documents, draw: torch.Generator) -> list[Row]:
        segmented = segment_documents(documents, draw, self.joiner)
        whole = [segments for segments in segmented if len(segments) == 2]
        if self.sentences == "none":
            pairs = [SentencePair(first=a, second=b, label=IGNORE_INDEX) for a, b in whole]
        elif not whole:
            raise ValueError(
                f"sentences is {self.sentences!r}, but no document has two lines; give longer "
                'documents, or sentences="none".'
            )
        else:
            make = next_segment_pairs if self.sentences == "next" else sentence_order_pairs
            pairs = make(whole, draw)
        single = [segments[0] for segments in segmented if len(segments) == 1]
        rows = [_row(self.tokenizer.encode(text, None, self.max_length)) for text in single]
        return [*self._pair_rows(pairs), *rows]

    def _pair_rows(self, pairs: Iterable[SentencePair]) -> list[Row]:
        return [
            _row(self.tokenizer.encode(pair.first, pair.second, self.max_length), pair.label)
            for pair in pairs
        ]

    def collate(self, rows: list[Row], draw: torch.Generator) -> Batch:
        """Masked input_ids, attention_mask, token_type_ids, labels (B, T); sentence_labels (B,)."""
        input_ids = pad_rows([row.input_ids for row in rows], self.pad_id)
        attention_mask = pad_rows([[1] * len(row) for row in rows], 0)
        masked = mask_tokens(
            input_ids,
            mask_candidates(input_ids, self.tokenizer.special_ids, attention_mask),
            self.masking,
            self.mask_id,
            self.replacements,
            draw,
            pad_rows([row.word_ids for row in rows], -1),
        )
        batch = {
            "input_ids": masked.input_ids,
            "attention_mask": attention_mask,
            "token_type_ids": pad_rows([row.token_type_ids for row in rows], 0),
            "labels": masked.labels,
        }
        if self.sentences != "none":
            batch["sentence_labels"] = torch.tensor([row.label for row in rows])
        return batch

    def token_counts(self, rows: Sequence[Row]) -> Tensor:
        """(V,): every token that may be masked."""
        counts = _count((row.input_ids for row in rows), self.tokenizer.vocab_size)
        counts[sorted(self.tokenizer.special_ids)] = 0
        return counts

    def predict(self, model: nn.Module, batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
        """``masked``, and ``sentence`` where there are pairs."""
        chosen = batch["labels"] != IGNORE_INDEX
        output = self.run(model, batch, prediction_mask=chosen)
        asked = {self.name: (output.prediction_logits, batch["labels"][chosen])}
        if "sentence_labels" in batch:
            asked["sentence"] = (output.seq_relationship_logits, batch["sentence_labels"])
        return asked

    def loss(self, model: nn.Module, batch: Batch) -> Sums:
        """``masked``, and ``sentence`` where there are pairs."""
        output = self.run(model, batch, labels=batch["labels"])
        sums = {self.name: output.prediction_loss}
        if "sentence_labels" in batch:
            asked = output.seq_relationship_logits, batch["sentence_labels"]
            sums["sentence"] = cross_entropy_sum(*asked)
        return sums

    def run(self, model: nn.Module, batch: Batch, **options: Tensor) -> Any:
        """The model's output for a batch."""
        inputs = (batch[name] for name in ("input_ids", "attention_mask", "token_type_ids"))
        return model(*inputs, **options)


class NextToken(Objective):
    """GPT's objective: every token from those before it, on one packed stream without padding.

    Args:
        tokenizer: of style "gpt"; its end token stands after every line.
        max_length: tokens of a row.
    """

    name = "next"

    def __init__(self, tokenizer: Tokenizer, *, max_length: int = 128) -> None:
        if tokenizer.eos_token_id is None:
            raise ValueError('Packing needs a tokeniser with an end token, of style "gpt".')
        self.tokenizer, self.max_length, self.eos_id = tokenizer, max_length, tokenizer.eos_token_id

    def rows(self, documents: Documents) -> list[list[int]]:
        """All lines as one stream, cut every ``max_length`` tokens."""
        lines = [line for document in documents for line in document]
        ids = (encoding.input_ids for encoding in _encodings(self.tokenizer, lines))
        return pack(([*row, self.eos_id] for row in ids), self.max_length)

    def collate(self, rows: list[list[int]], draw: torch.Generator) -> Batch:
        """input_ids, attention_mask, labels: (B, T - 1)."""
        attention_mask = pad_rows([[1] * len(row) for row in rows], 0)
        shifted = next_tokens(pad_rows(rows, self.eos_id), attention_mask)
        return {
            "input_ids": shifted.input_ids,
            "attention_mask": attention_mask[:, :-1],
            "labels": shifted.labels,
        }

    def token_counts(self, rows: Sequence[list[int]]) -> Tensor:
        """(V,): every token."""
        return _count(rows, self.tokenizer.vocab_size)

    def predict(self, model: nn.Module, batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
        """``next``: the token after each position but the padding."""
        chosen = batch["labels"] != IGNORE_INDEX
        output = model(batch["input_ids"], batch["attention_mask"], prediction_mask=chosen)
        return {self.name: (output.logits, batch["labels"][chosen])}

    def loss(self, model: nn.Module, batch: Batch) -> Sums:
        """``next``."""
        output = model(batch["input_ids"], batch["attention_mask"], labels=batch["labels"])
        return {self.name: output.loss}


class SpanDenoising(Objective):
    """T5's objective (Raffel et al. 2020, section 3.1.4): write the spans that were cut out.

    Args:
        tokenizer: of style "t5", with sentinels.
        start_id: what the decoder reads first.
        max_length: of a row in tokens, the end token not counted.
        density, mean_span_length: share of tokens cut out, and in how long pieces.
    """

    name = "spans"

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        start_id: int = 0,
        max_length: int = 128,
        density: float = 0.15,
        mean_span_length: float = 3.0,
    ) -> None:
        if tokenizer.eos_token_id is None or tokenizer.pad_token_id is None:
            raise ValueError('Spans need a tokeniser with an end and a padding token: style "t5".')
        self.tokenizer, self.max_length, self.start_id = tokenizer, max_length, start_id
        self.eos_id, self.pad_id = tokenizer.eos_token_id, tokenizer.pad_token_id
        self.density, self.mean_span_length = density, mean_span_length

    def rows(self, documents: Documents) -> list[list[int]]:
        """The ids of each line, in pieces, without the end token; a lone token has no span."""
        lines = [line for document in documents for line in document]
        rows = (
            [token for token in encoding.input_ids if token not in self.tokenizer.special_ids]
            for encoding in _encodings(self.tokenizer, lines, self.max_length + 1)
        )
        return [row for row in rows if len(row) > 1]

    def collate(self, rows: list[list[int]], draw: torch.Generator) -> Batch:
        """input_ids, attention_mask: (B, T); decoder_input_ids, decoder_attention_mask, labels."""
        pairs = [
            corrupt_spans(
                torch.tensor(row),
                self.tokenizer.sentinel_ids,
                self.eos_id,
                draw,
                self.density,
                self.mean_span_length,
                anywhere=True,
            )
            for row in rows
        ]
        inputs = [pair.input_ids.tolist() for pair in pairs]
        labels = [pair.labels.tolist() for pair in pairs]
        return {
            "input_ids": pad_rows(inputs, self.pad_id),
            "attention_mask": pad_rows([[1] * len(row) for row in inputs], 0),
            "decoder_input_ids": pad_rows(
                [[self.start_id, *row[:-1]] for row in labels], self.pad_id
            ),
            "decoder_attention_mask": pad_rows([[1] * len(row) for row in labels], 0),
            "labels": pad_rows(labels, IGNORE_INDEX),
        }

    def token_counts(self, rows: Sequence[list[int]]) -> Tensor:
        """(V,): the tokens by the share that is cut out, the sentinels by one drawing."""
        size, specials = self.tokenizer.vocab_size, sorted(self.tokenizer.special_ids)
        drawn = self.collate(list(rows), generator("counts"))["labels"]
        counts = _count(rows, size) * self.density
        counts[specials] = _count([drawn[drawn != IGNORE_INDEX].tolist()], size)[specials]
        return counts

    def predict(self, model: nn.Module, batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
        """``spans``: every token of the output, sentinels among them."""
        chosen = batch["labels"] != IGNORE_INDEX
        output = self.run(model, batch, prediction_mask=chosen)
        return {self.name: (output.logits, batch["labels"][chosen])}

    def loss(self, model: nn.Module, batch: Batch) -> Sums:
        """``spans``."""
        return {self.name: self.run(model, batch, labels=batch["labels"]).loss}

    def run(self, model: nn.Module, batch: Batch, **options: Tensor) -> Any:
        """The model's output for a batch."""
        sides = ("input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask")
        return model(*(batch[name] for name in sides), **options)


def unigram_baseline(token_counts: Tensor, heldout: Sequence[Batch]) -> dict[str, float]:
    """What can be had without looking at any context: guess by frequency alone.

    Args:
        token_counts: (V,), of the training rows; one is added, so that no token is impossible.
        heldout: the batches on which the model is judged.

    Returns:
        ``loss``, the cross entropy of the held-out labels in nats, and ``accuracy``, the share of
        the commonest token among them.
    """
    counts = token_counts + 1
    asked = torch.cat([batch["labels"][batch["labels"] != IGNORE_INDEX] for batch in heldout])
    return {
        "loss": float(-(counts / counts.sum()).log()[asked].mean()),
        "accuracy": float((asked == counts.argmax()).double().mean()),
    }


def _count(rows: Iterable[Sequence[int]], vocab_size: int) -> Tensor:
    """(V,) double: how often each id occurs."""
    ids = torch.tensor([token for row in rows for token in row], dtype=torch.long)
    return torch.bincount(ids, minlength=vocab_size).double()


def _row(encoding: Encoding, label: int = IGNORE_INDEX) -> Row:
    """A row without the padding that the tokeniser's batch gave it."""
    length = sum(encoding.attention_mask)
    words = [-1 if word is None else word for word in encoding.word_ids[:length]]
    return Row(encoding.input_ids[:length], encoding.token_type_ids[:length], words, label)


def _encodings(
    tokenizer: Tokenizer, lines: Sequence[str], max_length: int | None = None
) -> Iterator[Encoding]:
    """Every line tokenised; with a ``max_length``, the long ones in several pieces."""
    for start in range(0, len(lines), _BLOCK):
        block = list(lines[start : start + _BLOCK])
        if max_length is None:
            yield from (tokenizer.encode(line) for line in block)
        else:
            yield from tokenizer(block, max_length=max_length, overflow=True).encodings
