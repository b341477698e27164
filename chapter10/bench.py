"""How fast our models train beside the reference library's: same sizes, data, dropout, threads.

The two take turns within one process, so that a machine that slows down slows both; what counts
is the ratio. Both do what they do by default: ours computes vocabulary scores only where there is
a loss, the reference at every position.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from chapter10.bert import BertConfig, BertForPreTraining
from chapter10.checkpoints import PretrainedModel
from chapter10.gpt import GPT, GPTConfig
from chapter10.objectives import IGNORE_INDEX, cross_entropy_sum
from chapter10.t5 import T5, T5Config

SHAPES = ((2, 64, 600), (2, 128, 8000), (4, 256, 8000))  # layers, hidden size, vocabulary
BATCH, LENGTH, MASKED = 16, 64, 0.15
Step = Callable[[], Tensor]


@dataclass(frozen=True)
class Row:
    """Training speed of one model: tokens a second, ours, the reference's, and their ratio."""

    model: str
    ours: float
    reference: float

    @property
    def ratio(self) -> float:
        """How many times as fast ours is."""
        return self.ours / self.reference


def bench(*, rounds: int = 5, steps: int = 4) -> Iterator[Row]:
    """Measure every model and shape; each row is the median over ``rounds``.

    Raises:
        ModuleNotFoundError: the reference library is not installed.
    """
    try:
        import transformers
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "bench compares with the transformers library: pip install transformers"
        ) from error
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    for layers, hidden, vocab in SHAPES:
        for name, make in (("BERT", _bert), ("GPT", _gpt), ("T5", _t5)):
            ours, reference = make(layers, hidden, vocab)
            speeds = race(ours, reference, rounds=rounds, steps=steps, tokens=BATCH * LENGTH)
            yield Row(f"{name} {layers} layers, {hidden} wide, {vocab:,} words", *speeds)


def race(
    ours: Step, reference: Step, *, rounds: int, steps: int, tokens: int
) -> tuple[float, float]:
    """Median tokens a second of two training steps that take turns."""
    speeds: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for step, found in zip((ours, reference), speeds, strict=True):
            start = time.perf_counter()
            for _ in range(steps):
                step()
            if number:  # the first round warms up
                found.append(steps * tokens / (time.perf_counter() - start))
    return statistics.median(speeds[0]), statistics.median(speeds[1])


def training_step(model: nn.Module, loss: Callable[[], Tensor]) -> Step:
    """Forward, backward and update, with the optimiser that both sides share."""
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def step() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        value = loss()
        value.backward()
        optimizer.step()
        return value.detach()

    return step


def reference_of(model: PretrainedModel) -> Any:
    """The reference library's model with the same weights."""
    import transformers

    name = model.architectures[model.config.model_type]
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return getattr(transformers, name).from_pretrained(os.fspath(folder))


def _ids(vocab: int) -> Tensor:
    return torch.randint(5, vocab, (BATCH, LENGTH), generator=torch.Generator().manual_seed(0))


def _sizes(layers: int, hidden: int, vocab: int) -> dict[str, int]:
    return {
        "vocab_size": vocab,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": hidden // 32,
        "intermediate_size": 4 * hidden,
    }


def _mean_loss(logits: Tensor, labels: Tensor) -> Tensor:
    total, count = cross_entropy_sum(logits, labels)
    return total / count


def _bert(layers: int, hidden: int, vocab: int) -> tuple[Step, Step]:
    model = BertForPreTraining(
        BertConfig(**_sizes(layers, hidden, vocab), max_position_embeddings=LENGTH)  # type: ignore[arg-type]
    )
    reference = reference_of(model)
    ids = _ids(vocab)
    masked = torch.rand(ids.shape, generator=torch.Generator().manual_seed(1)) < MASKED
    labels = ids.masked_fill(~masked, IGNORE_INDEX)
    sentence = torch.zeros(BATCH, dtype=torch.long)

    def loss() -> Tensor:
        output = model(ids, labels=labels)
        order = _mean_loss(output.seq_relationship_logits, sentence)
        total, count = output.prediction_loss
        return total / count + order

    def reference_loss() -> Tensor:
        return reference(ids, labels=labels, next_sentence_label=sentence).loss

    return training_step(model, loss), training_step(reference, reference_loss)


def _gpt(layers: int, hidden: int, vocab: int) -> tuple[Step, Step]:
    special = {"bos_token_id": 1, "eos_token_id": 1, "max_position_embeddings": LENGTH}
    model = GPT(GPTConfig(**_sizes(layers, hidden, vocab), **special))  # type: ignore[arg-type]
    reference = reference_of(model)
    ids = _ids(vocab)

    def loss() -> Tensor:
        total, count = model(ids[:, :-1], labels=ids[:, 1:]).loss
        return total / count

    def reference_loss() -> Tensor:
        return reference(ids, labels=ids).loss

    return training_step(model, loss), training_step(reference, reference_loss)


def _t5(layers: int, hidden: int, vocab: int) -> tuple[Step, Step]:
    model = T5(T5Config(**_sizes(layers, hidden, vocab), head_size=32))  # type: ignore[arg-type]
    reference = reference_of(model)
    ids = _ids(vocab)
    source, target = (part.contiguous() for part in ids.split([LENGTH * 3 // 4, LENGTH // 4], 1))

    def loss() -> Tensor:
        total, count = model(source, None, model.shift_right(target), labels=target).loss
        return total / count

    def reference_loss() -> Tensor:
        return reference(input_ids=source, labels=target).loss

    return training_step(model, loss), training_step(reference, reference_loss)
