"""The same model twice, ours and the reference library's, with the same weights.

Shapes are written B (rows), T (length), S (length of T5's input), H (hidden size), V (vocabulary).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from chapter10.bert import BertConfig, BertForPreTraining
from chapter10.checkpoints import PretrainedConfig, PretrainedModel
from chapter10.gpt import GPT, GPTConfig
from chapter10.objectives import IGNORE_INDEX, cross_entropy_sum
from chapter10.t5 import T5, T5Config
from chapter10.training.batches import Batch, pad_rows

Family = Literal["BERT", "GPT", "T5"]
FAMILIES: tuple[Family, ...] = ("BERT", "GPT", "T5")
MODELS: dict[Family, type[PretrainedModel]] = {"BERT": BertForPreTraining, "GPT": GPT, "T5": T5}
POSITIONS = 256
HEAD_SIZE = 32
MASKED = 0.15  # BERT's blanks among all positions (Devlin et al. 2019, section 3.1)
READ = 0.75  # T5 reads this share of a row and writes the rest


@dataclass(frozen=True)
class Shape:
    """Sizes of a model: layers (T5: on either side), hidden size, words."""

    layers: int
    hidden: int
    vocab: int

    def __str__(self) -> str:
        return f"{self.layers} layers, {self.hidden} wide, {self.vocab:,} words"


def config_of(family: Family, shape: Shape) -> PretrainedConfig:
    """Our configuration; dropout is every family's default, 0.1."""
    sizes: dict[str, Any] = {
        "vocab_size": shape.vocab,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.hidden // HEAD_SIZE,
        "intermediate_size": 4 * shape.hidden,
    }
    if family == "BERT":
        return BertConfig(**sizes, max_position_embeddings=POSITIONS)
    if family == "GPT":
        ends: dict[str, Any] = {"bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0}
        return GPTConfig(**sizes, **ends, max_position_embeddings=POSITIONS)
    return T5Config(**sizes, head_size=HEAD_SIZE)


def our_model(family: Family, shape: Shape) -> Any:
    """Our model, random."""
    return MODELS[family](config_of(family, shape))


def reference_model(family: Family, shape: Shape) -> Any:
    """The reference library's model of the same configuration, random."""
    import transformers

    config = config_of(family, shape)
    model_class = getattr(transformers, MODELS[family].architectures[config.model_type])
    content = {name: value for name, value in config.to_reference().items() if name != "model_type"}
    return model_class(model_class.config_class(**content))


def pair(family: Family, shape: Shape) -> tuple[Any, Any]:
    """Our model and the reference's, with the same weights, in evaluation mode."""
    torch.manual_seed(0)
    ours, reference = our_model(family, shape), reference_model(family, shape)
    reference.load_state_dict(ours.reference_tensors(), strict=False)
    reference.tie_weights()
    return ours.eval(), reference.eval()


def collate(family: Family, rows: list[list[int]], draw: torch.Generator) -> Batch:
    """Rows of ids -> input_ids, attention_mask, labels for both sides; BERT: and sentence labels.

    BERT and GPT: all (B, T). T5: the input (B, S), the labels (B, T).
    """
    if family == "T5":
        cut = [max(1, int(len(row) * READ)) for row in rows]
        labels = [row[at:] for row, at in zip(rows, cut, strict=True)]
        rows = [row[:at] for row, at in zip(rows, cut, strict=True)]
        targets = pad_rows(labels, IGNORE_INDEX)
    else:
        targets = pad_rows(rows, IGNORE_INDEX)
    batch = {
        "input_ids": pad_rows(rows, 0),
        "attention_mask": pad_rows([[1] * len(row) for row in rows], 0),
    }
    if family == "BERT":
        blank = torch.rand(targets.shape, generator=draw) < MASKED
        blank[:, 0] = True  # no batch without a loss
        targets = targets.masked_fill(~blank, IGNORE_INDEX)
        batch["next_sentence_label"] = torch.zeros(len(rows), dtype=torch.long)
    return {**batch, "labels": targets}


def our_loss(family: Family, model: Any, batch: Batch) -> Tensor:
    """Mean cross entropy, as the objectives of :mod:`chapter10.pretraining` have it."""
    input_ids, attention_mask, labels = (batch[name] for name in _INPUTS)
    if family == "BERT":
        output = model(input_ids, attention_mask, labels=labels)
        total, count = output.prediction_loss
        order, rows = cross_entropy_sum(
            output.seq_relationship_logits, batch["next_sentence_label"]
        )
        return total / count + order / rows
    if family == "GPT":
        output = model(input_ids[:, :-1], attention_mask[:, :-1], labels=labels[:, 1:])
    else:
        output = model(input_ids, attention_mask, model.shift_right(labels), labels=labels)
    total, count = output.loss
    return total / count


def reference_loss(family: Family, model: Any, batch: Batch) -> Tensor:
    """The same number by the reference library."""
    loss: Tensor = model(**batch).loss
    return loss


_INPUTS = ("input_ids", "attention_mask", "labels")
LOSSES = (our_loss, reference_loss)


def trainer(
    family: Family, model: nn.Module, loss: Callable[[Family, Any, Batch], Tensor]
) -> Callable[[Batch], None]:
    """One update from one batch: forward, backward, and the AdamW that both sides use."""
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def update(batch: Batch) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss(family, model, batch).backward()
        optimizer.step()

    return update
