"""Tokenisers, tiny models and examples that the tests of downstream tasks share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from chapter10 import BertConfig, Tokenizer
from chapter10.bert_tasks import QuestionAnsweringOutput
from chapter10.data import TaggedSentence
from chapter10.tasks import Task
from chapter10.tasks.task import TaskModel

ALPHABET = "小猫坐在窗台上看着外的雨天气真好坏不很花钱开了红楼梦北京东西南甲乙丙丁，。？！"
TEXTS = [ALPHABET, "The players were playing 2010 gpt again and again, well-known."]
CHARACTERS = Tokenizer.train(TEXTS, "character", lowercase=True)
# Few entries: Latin words fall into pieces.
PIECES = Tokenizer.train(TEXTS, "wordpiece", vocab_size=110, lowercase=True)
# One token may hold several Chinese characters.
UNIGRAM = Tokenizer.train(["小猫坐在窗台上。小猫看着窗外的雨。"] * 20, "unigram", vocab_size=40)


def tiny_model(task: Task, seed: int = 0, hidden_size: int = 32, **changes: object) -> TaskModel:
    """A small random model for a task, without dropout, in evaluation mode."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=task.tokenizer.vocab_size,
        hidden_size=hidden_size,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=2 * hidden_size,
        max_position_embeddings=task.max_length,
        num_labels=task.num_labels,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **changes,
    )
    return task.model_class(config).eval()


def tagged(*words: tuple[str, str]) -> TaggedSentence:
    """A sentence of (word, tag); Latin words stand apart."""
    text, offsets = "", []
    for word, _ in words:
        if text and text[-1].isascii() and word.isascii():
            text += " "
        offsets.append((len(text), len(text) + len(word)))
        text += word
    return TaggedSentence(
        tuple(word for word, _ in words), tuple(tag for _, tag in words), text, tuple(offsets)
    )


class Pointer(nn.Module):
    """Stands in for a trained model: the score of a position is what its token is worth."""

    def __init__(self, start: dict[int, float], end: dict[int, float], size: int) -> None:
        super().__init__()
        self.worth = nn.Parameter(torch.zeros(2, size))
        with torch.no_grad():
            for row, known in enumerate((start, end)):
                for token, value in known.items():
                    self.worth[row, token] = value

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor,
    ) -> QuestionAnsweringOutput:
        """Look up each token's worth."""
        return QuestionAnsweringOutput(self.worth[0][input_ids], self.worth[1][input_ids])


def pointer(
    start: dict[str, float], end: dict[str, float], tokenizer: Tokenizer = CHARACTERS
) -> Pointer:
    """A :class:`Pointer` by tokens."""

    def ids(known: dict[str, float]) -> dict[int, float]:
        found = {tokenizer.token_to_id(token): value for token, value in known.items()}
        assert None not in found
        return found

    return Pointer(ids(start), ids(end), tokenizer.vocab_size)


def losses_one_by_one(task: Task, model: nn.Module, rows: Sequence) -> tuple[float, int]:
    """Summed loss and number of terms of rows that are never padded."""
    parts = [task.loss(model, task.collate([row])) for row in rows]
    return sum(float(total.detach()) for total, _ in parts), sum(int(count) for _, count in parts)
