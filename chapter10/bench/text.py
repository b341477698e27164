"""Made-up text to train on: ids alone, in rows of one length or of the lengths that lines have."""

import math
from collections.abc import Callable

import torch

from chapter10.bench.pairs import Family, collate
from chapter10.training.batches import Batch, Batches, generator, pack

ROWS, LENGTH = 16, 64  # a batch of one length
TOKENS = ROWS * LENGTH
SHORTEST, LONGEST, MEDIAN, SPREAD = 4, 128, 28, 0.7  # lines: log-normal, so 35 tokens on average
NUM_LINES = 2_000


def fixed_batch(family: Family, vocab: int) -> Batch:
    """A batch of ``ROWS`` rows of ``LENGTH`` ids."""
    draw = generator("bench", "fixed")
    ids = torch.randint(5, vocab, (ROWS, LENGTH), generator=draw)
    return collate(family, ids.tolist(), draw)


def lines(vocab: int) -> list[list[int]]:
    """Rows of mixed lengths."""
    draw = generator("bench", "lines")
    drawn = torch.randn(NUM_LINES, generator=draw) * SPREAD + math.log(MEDIAN)
    lengths = drawn.exp().long().clamp(SHORTEST, LONGEST).tolist()
    return [torch.randint(5, vocab, (length,), generator=draw).tolist() for length in lengths]


def our_batches(family: Family, rows: list[list[int]]) -> Callable[[int], Batch]:
    """Number -> batch: rows of similar length up to so many tokens; GPT's are packed."""
    rows = pack(rows, LONGEST) if family == "GPT" else rows
    batches = Batches(rows, lambda some, draw: collate(family, some, draw), tokens_per_batch=TOKENS)
    return batches.__getitem__


def reference_batches(family: Family, rows: list[list[int]]) -> Callable[[int], Batch]:
    """Number -> batch: what the reference's Trainer does when asked to group by length, and to pad
    each batch to its longest row. As many rows a batch as hold our number of tokens on average."""
    from transformers.trainer_pt_utils import LengthGroupedSampler

    lengths = [len(row) for row in rows]
    size = round(TOKENS / (sum(lengths) / len(lengths)))
    sampler = LengthGroupedSampler(size, lengths=lengths, generator=generator("bench", "sampler"))
    order = list(sampler)
    chunks = [order[start : start + size] for start in range(0, len(order), size)]

    def batch(number: int) -> Batch:
        chosen = [rows[index] for index in chunks[number % len(chunks)]]
        return collate(family, chosen, generator("bench", "batch", number))

    return batch


def num_real(batch: Batch, family: Family) -> int:
    """Tokens of the text in a batch, padding not counted."""
    written = int((batch["labels"] >= 0).sum()) if family == "T5" else 0
    return int(batch["attention_mask"].sum()) + written
