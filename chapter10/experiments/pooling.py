"""One vector for a whole row, in several ways, and how much [CLS] has to do with the others.

Reimers and Gurevych 2019, section 3, call it pooling: the vector at [CLS], the mean or the maximum
of all of them. Here a token at random stands beside these.

Shapes are written B (batch), T (length), H (hidden size), L (layers), A (heads).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from chapter10.bert import Bert, BertForPreTraining, BertOutput
from chapter10.bert_tasks import ClassifierOutput
from chapter10.dropout import Dropout
from chapter10.objectives import cross_entropy_sum
from chapter10.tasks import Task
from chapter10.tokenizers import Tokenizer
from chapter10.training.batches import Batch

Pooling = Literal["cls", "pooler", "mean", "max", "token"]
POOLINGS: Mapping[Pooling, str] = {
    "cls": "[CLS]",
    "pooler": "pooler",
    "mean": "平均",
    "max": "最大",
    "token": "随机一字",
}
"""How they are called on the page. pooler: [CLS] after BERT's own linear map and tanh."""


def words(input_ids: Tensor, attention_mask: Tensor, special_ids: Tensor) -> Tensor:
    """(B, T) of bool: what is neither padding nor one of ``special_ids``, [CLS] and [SEP]."""
    return attention_mask.bool() & ~torch.isin(input_ids, special_ids)


def pool(pooling: Pooling, output: BertOutput, input_ids: Tensor, chosen: Tensor) -> Tensor:
    """The vector (B, H) of each row.

    Args:
        pooling: cls and pooler take the first position; mean, max and token look at words only.
        output: of the body.
        input_ids: (B, T). Which token "token" takes is a function of them: it looks random, and is
            the same in every batch and epoch.
        chosen: (B, T) of bool, the words.
    """
    hidden_states = output.last_hidden_state  # (B, T, H)
    if pooling == "cls":
        return hidden_states[:, 0]
    if pooling == "pooler":
        assert output.pooler_output is not None
        return output.pooler_output
    number = chosen.sum(1)  # (B,)
    if pooling == "mean":
        return (hidden_states * chosen[..., None]).sum(1) / number[:, None]
    if pooling == "max":
        return hidden_states.masked_fill(~chosen[..., None], -torch.inf).amax(1)
    picked = (input_ids * chosen).sum(1) % number  # the picked-th word, counted from 0
    place = (chosen.cumsum(1) == picked[:, None] + 1).int().argmax(1)  # (B,)
    return hidden_states[torch.arange(len(place)), place]


class SentenceClassifier(nn.Module):
    """BERT, one vector of each row, and a linear map of it to classes.

    Args:
        bert: the body; with a pooler where ``pooling`` is "pooler".
        pooling: how the one vector is had.
        num_labels: classes.
        tokenizer: whose [CLS] and [SEP] are no words.

    Raises:
        ValueError: no such pooling, or a pooler is wanted that the body has not got.
    """

    special_ids: Tensor

    def __init__(self, bert: Bert, pooling: Pooling, num_labels: int, tokenizer: Tokenizer) -> None:
        super().__init__()
        if pooling not in get_args(Pooling):
            raise ValueError(f"pooling is {pooling!r}; it can be {', '.join(get_args(Pooling))}.")
        if pooling == "pooler" and bert.pooler is None:
            raise ValueError("The body has no pooler; make it with add_pooling_layer=True.")
        self.bert, self.pooling = bert, pooling
        self.dropout = Dropout(bert.config.hidden_dropout_prob)
        self.classifier = nn.Linear(bert.config.hidden_size, num_labels)
        nn.init.normal_(self.classifier.weight, std=bert.config.initializer_range)
        nn.init.zeros_(self.classifier.bias)
        self.register_buffer("special_ids", special_ids(tokenizer), persistent=False)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor
    ) -> ClassifierOutput:
        """Three (B, T) -> logits (B, num_labels)."""
        output = self.bert(input_ids, attention_mask, token_type_ids)
        chosen = words(input_ids, attention_mask, self.special_ids)
        vectors = pool(self.pooling, output, input_ids, chosen)
        return ClassifierOutput(self.classifier(self.dropout(vectors)))


def special_ids(tokenizer: Tokenizer) -> Tensor:
    """(2,): the ids of [CLS] and [SEP]."""
    return torch.tensor([tokenizer.cls_token_id, tokenizer.sep_token_id])


def vectors(
    bert: Bert, task: Task[Any, Any, Any], asked: Sequence[Any]
) -> dict[Pooling, np.ndarray]:
    """(N, H) of each pooling, from one pass through the frozen body."""
    rows, ends = task.encode(asked, targets=False), special_ids(task.tokenizer)
    found: dict[Pooling, list[Tensor]] = {pooling: [] for pooling in POOLINGS}
    with torch.no_grad():
        for at in range(0, len(rows), 64):
            batch = task.collate(rows[at : at + 64])
            ids, mask = batch["input_ids"], batch["attention_mask"]
            output = bert(ids, mask, batch["token_type_ids"])
            chosen = words(ids, mask, ends)
            for pooling, parts in found.items():
                parts.append(pool(pooling, output, ids, chosen))
    return {pooling: torch.cat(parts).numpy() for pooling, parts in found.items()}


# --- attention to and from [CLS], and where its gradient comes from


@dataclass(frozen=True)
class ClsAttention:
    """Shares of attention, each (L, A), averaged over rows.

    to_words, to_itself, to_sep: where [CLS] looks; the three add up to 1. from_words: how much of
    a word's attention falls on [CLS], averaged over the words of a row. uniform: what to_words
    and from_words would be if all looked everywhere alike.
    """

    to_words: Tensor
    to_itself: Tensor
    to_sep: Tensor
    from_words: Tensor
    uniform: tuple[float, float]


def cls_attention(bert: Bert, task: Task[Any, Any, Any], asked: Sequence[Any]) -> ClsAttention:
    """How [CLS] looks at a row and is looked at, by layer and head."""
    sums: list[Tensor] = []  # of (4, L, A)
    even = []
    for row in task.encode(asked, targets=False):  # one at a time: no padding
        batch = task.collate([row])
        ids, mask = batch["input_ids"], batch["attention_mask"]
        with torch.no_grad():
            output = bert(ids, mask, batch["token_type_ids"], output_attentions=True)
        weights = torch.cat(output.attentions)  # (L, A, T, T): [query, key]
        (chosen,) = words(ids, mask, special_ids(task.tokenizer))
        first = weights[:, :, 0]  # (L, A, T), where [CLS] looks
        to_words, to_itself = first[..., chosen].sum(-1), first[..., 0]
        from_words = weights[:, :, chosen, 0].mean(-1)
        sums.append(torch.stack([to_words, to_itself, 1 - to_words - to_itself, from_words]))
        even.append((float(chosen.float().mean()), 1 / len(row)))
    to_words, to_itself, to_sep, from_words = torch.stack(sums).mean(0)
    share, one = np.mean(even, axis=0).tolist()
    return ClsAttention(to_words, to_itself, to_sep, from_words, uniform=(share, one))


def cls_gradients(model: BertForPreTraining, batch: Batch) -> dict[str, list[float]]:
    """For each loss of pretraining the length of its gradient in the vector at [CLS], averaged over
    rows, after the embeddings (layer 0) and after each layer."""
    inputs = (batch[name] for name in ("input_ids", "attention_mask", "token_type_ids"))
    output = model(*inputs, labels=batch["labels"], output_hidden_states=True)
    losses = {
        "masked": output.prediction_loss[0],
        "sentence": cross_entropy_sum(output.seq_relationship_logits, batch["sentence_labels"])[0],
    }
    found = {}
    for name, loss in losses.items():
        gradients = torch.autograd.grad(loss, output.hidden_states, retain_graph=True)
        found[name] = [float(one[:, 0].norm(dim=-1).mean()) for one in gradients]
    return found
