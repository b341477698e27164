"""Which examples are learned from when: batch k and its masks are pure functions of (seed, k).

So a run that was killed needs no state of its data to go on: the number of the next step is enough.
Shapes are written B (rows of the batch), T (length of the longest row).
"""

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

import torch
from torch import Tensor

Batch = dict[str, Tensor]
"""What a model is trained on: named tensors, the first dimension of all of them B."""

Example = TypeVar("Example")
POOL = 50
"""How many batches' examples are sorted by length together: neighbours are nearly of one length,
and a batch is still a different draw in each epoch."""


def derive_seed(*names: int | str) -> int:
    """A seed of 63 bits from names such as (seed, "order", epoch), unrelated to its neighbours'."""
    digest = hashlib.blake2b("/".join(map(str, names)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(*names: int | str) -> torch.Generator:
    """A random generator on the CPU that depends on ``names`` alone."""
    return torch.Generator().manual_seed(derive_seed(*names))


def num_tokens(batch: Batch) -> int:
    """How many real tokens a batch holds; padding does not count.

    Counted are the ones of every ``…attention_mask``; without any, the entries of ``input_ids``,
    and without that, the rows.
    """
    masks = [value for name, value in batch.items() if name.endswith("attention_mask")]
    if masks:
        return sum(int(mask.sum()) for mask in masks)
    first = batch.get("input_ids", next(iter(batch.values())))
    return first.numel() if "input_ids" in batch else len(first)


def pad_rows(rows: Sequence[Sequence[int]], value: int) -> Tensor:
    """Rows of integers -> (B, T) long, the short ones filled up with ``value`` on the right."""
    length = max(map(len, rows))
    return torch.tensor([[*row, *[value] * (length - len(row))] for row in rows])


def pack(rows: Iterable[Sequence[int]], length: int) -> list[list[int]]:
    """One stream of all rows, cut every ``length`` tokens: no padding, whatever the rows' lengths.

    For models that read on over the end of a text, as GPT does (Brown et al. 2020, section 2.2).
    Only the last row may be shorter; nothing is dropped but a last row of a single token, which
    has no next one.
    """
    if length < 2:
        raise ValueError(f"length is {length}; a row needs 2 tokens, one to read, one to predict.")
    stream = [token for row in rows for token in row]
    cut = [stream[start : start + length] for start in range(0, len(stream), length)]
    return cut[:-1] if cut and len(cut[-1]) < 2 else cut


class Batches(Generic[Example]):
    """Endless batches over examples, each example once an epoch; ``batches[k]`` is the k-th.

    Examples of similar length stand together ("length-bucketed"), so that little is padded.

    Args:
        examples: anything with a length in tokens; lists of ids for instance.
        collate: (examples of one batch, generator) -> Batch. All randomness, as of masks, must
            come from the generator; it differs from batch to batch, and so from epoch to epoch.
        batch_size: rows of each batch (the last of an epoch may have fewer); or instead
        tokens_per_batch: as many rows as B * T, padding included, stays within.
        seed: another seed, another order and other masks.
        bucketed: False takes the examples in random order ("plain padding").
        length: length of an example, when that is not ``len``.

    Raises:
        ValueError: no examples, or one longer than ``tokens_per_batch``.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        collate: Callable[[list[Example], torch.Generator], Batch],
        *,
        batch_size: int | None = None,
        tokens_per_batch: int | None = None,
        seed: int = 0,
        bucketed: bool = True,
        length: Callable[[Example], int] = len,  # type: ignore[assignment]
    ) -> None:
        if not len(examples):
            raise ValueError("There are no examples to make batches of; give at least one.")
        size = batch_size if tokens_per_batch is None else tokens_per_batch
        if size is None or size < 1 or (batch_size is not None and tokens_per_batch is not None):
            raise ValueError(
                f"batch_size is {batch_size}, tokens_per_batch is {tokens_per_batch}; "
                "give one of the two, at least 1."
            )
        self.examples, self.collate, self.seed = examples, collate, seed
        self.batch_size, self.tokens_per_batch = batch_size, tokens_per_batch
        self.bucketed = bucketed
        self.lengths = [length(example) for example in examples]
        longest = max(range(len(examples)), key=self.lengths.__getitem__)
        if tokens_per_batch is not None and self.lengths[longest] > tokens_per_batch:
            raise ValueError(
                f"Example {longest} has {self.lengths[longest]} tokens, more than tokens_per_batch "
                f"{tokens_per_batch}; cut it, or allow more."
            )
        self._starts = [0]  # number of each epoch's first batch
        self._plan: tuple[int, list[list[int]]] = (-1, [])

    @property
    def fingerprint(self) -> dict[str, int | bool | str | None]:
        """What must be the same for a killed run to go on with the same batches."""
        lengths = hashlib.blake2b(str(self.lengths).encode(), digest_size=8).hexdigest()
        return {
            "examples": len(self.examples),
            "lengths": lengths,
            "batch_size": self.batch_size,
            "tokens_per_batch": self.tokens_per_batch,
            "seed": self.seed,
            "bucketed": self.bucketed,
        }

    def __getitem__(self, index: int) -> Batch:
        rows = [self.examples[number] for number in self.numbers(index)]
        return self.collate(rows, generator(self.seed, "batch", index))

    def numbers(self, index: int) -> list[int]:
        """Which examples batch ``index`` holds."""
        if index < 0:
            raise IndexError(f"Batches are counted from 0; {index} was asked for.")
        while index >= self._starts[-1]:
            epoch = len(self._starts) - 1
            self._starts.append(self._starts[-1] + len(self._epoch(epoch)))
        epoch = bisect_right(self._starts, index) - 1
        return self._epoch(epoch)[index - self._starts[epoch]]

    def first_epoch(self) -> list[Batch]:
        """Every example once, with fixed masks: what a held-out loss is measured on."""
        return [self[index] for index in range(len(self._epoch(0)))]

    def _epoch(self, epoch: int) -> list[list[int]]:
        """The examples' numbers of each batch; those of the last epoch asked for are kept."""
        if self._plan[0] != epoch:
            self._plan = (epoch, self._cut(epoch))
        return self._plan[1]

    def _cut(self, epoch: int) -> list[list[int]]:
        draw = generator(self.seed, "order", epoch)
        order = torch.randperm(len(self.examples), generator=draw).tolist()
        if not self.bucketed:
            return self._fill(order)
        mean = sum(self.lengths) / len(self.lengths)
        rows = self.batch_size or max(1, int((self.tokens_per_batch or 1) / max(mean, 1)))
        by_length: list[int] = []
        for start in range(0, len(order), rows * POOL):
            pool = sorted(order[start : start + rows * POOL], key=self.lengths.__getitem__)
            # Every other pool runs down, so that the batch across a border is of one length too.
            by_length += pool if len(by_length) // (rows * POOL) % 2 == 0 else pool[::-1]
        cut = self._fill(by_length)
        return [cut[i] for i in torch.randperm(len(cut), generator=draw).tolist()]

    def _fill(self, order: list[int]) -> list[list[int]]:
        """Cut an order into batches, each as full as its size allows."""
        cut: list[list[int]] = []
        longest = 0
        for number in order:
            longest = max(longest, self.lengths[number])
            if self.batch_size is not None:
                full = not cut or len(cut[-1]) == self.batch_size
            else:
                full = not cut or (len(cut[-1]) + 1) * longest > (self.tokens_per_batch or 0)
            if full:
                cut.append([])
                longest = self.lengths[number]
            cut[-1].append(number)
        return cut
