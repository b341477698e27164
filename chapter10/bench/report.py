"""What is measured, in which order, and the rows that come out."""

import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from chapter10.bench import text
from chapter10.bench.arithmetic import large_product, training_operations
from chapter10.bench.memory import SIDES, peak_memory
from chapter10.bench.pairs import (
    FAMILIES,
    LOSSES,
    Family,
    Shape,
    pair,
    trainer,
)
from chapter10.generation import generate
from chapter10.training.batches import Batch

BOOK, MEDIUM, LARGE = Shape(2, 64, 600), Shape(2, 128, 8_000), Shape(4, 256, 8_000)
SHAPES = (BOOK, Shape(3, 64, 600), MEDIUM, LARGE)
NEW_TOKENS = 128
Step = Callable[[], float]
"""Does some work and says how much it was."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison: what was measured, on which model, both results, and how many times as good
    ours is. ``peak``: operations a second of a large matrix product; ``peak_share``: what part of
    it ours reached."""

    measure: str
    unit: str
    model: str
    ours: float
    reference: float
    lower_is_better: bool = False
    peak: float | None = None
    peak_share: float | None = None

    @property
    def ratio(self) -> float:
        """Above 1, ours is better."""
        ratio = self.ours / self.reference
        return 1 / ratio if self.lower_is_better else ratio


def bench(*, rounds: int = 9) -> Iterator[Row]:
    """Measure everything, each figure the median of ``rounds``, in a few minutes.

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
    for shape, family in itertools.product(SHAPES, FAMILIES):
        yield training(family, shape, rounds)
    for shape, family in itertools.product((BOOK, MEDIUM), FAMILIES):
        yield mixed_lengths(family, shape, rounds)
    for shape, family in itertools.product((BOOK, MEDIUM, LARGE), FAMILIES):
        yield forward(family, shape, rounds)
    writers: tuple[Family, ...] = ("GPT", "T5")
    for shape, family, rows in itertools.product((MEDIUM, LARGE), writers, (1, 8)):
        yield generation(family, shape, rows, rounds)
    for shape, family in itertools.product((BOOK, MEDIUM, LARGE), FAMILIES):
        sides = [peak_memory(side, family, shape) for side in SIDES]
        if None not in sides:
            megabytes = [side / 1e6 for side in sides if side is not None]
            yield _row("peak memory", "MB", family, shape, megabytes, lower_is_better=True)


def training(family: Family, shape: Shape, rounds: int) -> Row:
    """Tokens a second on rows of one length; a large matrix product takes its turn as well."""
    batch = text.fixed_batch(family, shape.vocab)
    sides = [_learner(family, side, lambda _: batch) for side in _sides(family, shape)]
    *speeds, peak = race(*sides, large_product, rounds=rounds)
    operations = training_operations(family, shape, text.ROWS, text.LENGTH)
    share = speeds[0] / text.TOKENS * operations / peak
    return _row(
        "training, one length", "tokens/s", family, shape, speeds, peak=peak, peak_share=share
    )


def mixed_lengths(family: Family, shape: Shape, rounds: int) -> Row:
    """Tokens a second, padding not counted, on rows of many lengths; batching included."""
    rows = text.lines(shape.vocab)
    batches = text.our_batches(family, rows), text.reference_batches(family, rows)
    both = zip(_sides(family, shape), batches, strict=True)
    speeds = race(
        *(_learner(family, side, some) for side, some in both), rounds=rounds, seconds=0.5
    )
    return _row("training, mixed lengths", "tokens/s", family, shape, speeds)


def forward(family: Family, shape: Shape, rounds: int) -> Row:
    """Milliseconds for all scores of one row."""
    batch = {name: value[:1] for name, value in text.fixed_batch(family, shape.vocab).items()}
    ours, reference = pair(family, shape)
    inputs = {"input_ids": batch["input_ids"]}
    if family == "T5":
        inputs["decoder_input_ids"] = ours.shift_right(batch["labels"])

    def call(model: Any) -> Step:
        @torch.no_grad()
        def step() -> float:
            model(**inputs)
            return 1e-3  # so that the work of one call takes as long as it takes milliseconds

        return step

    speeds = race(call(ours), call(reference), rounds=rounds)
    times = [1 / speed for speed in speeds]
    return _row("forward, 1 row", "ms", family, shape, times, lower_is_better=True)


def generation(family: Family, shape: Shape, rows: int, rounds: int) -> Row:
    """Tokens a second of cached greedy generation; both must write the same ids."""
    ours, reference = pair(family, shape)
    prompt = text.fixed_batch("GPT", shape.vocab)["input_ids"][:rows, :16]
    mask = torch.ones_like(prompt)
    written: list[torch.Tensor] = []

    def our_step() -> float:
        written[:1] = [generate(ours, prompt, mask, max_new_tokens=NEW_TOKENS)]
        return rows * _num_new(written[0], family)

    def reference_step() -> float:
        written[1:] = [
            reference.generate(
                prompt, attention_mask=mask, max_new_tokens=NEW_TOKENS, do_sample=False
            )
        ]
        return rows * _num_new(written[1], family)

    speeds = race(our_step, reference_step, rounds=rounds)
    if not torch.equal(*written):
        raise RuntimeError(f"{family}, {shape}: the two sides generated different ids.")
    return _row(f"generation, {rows} rows", "tokens/s", family, shape, speeds)


def race(*steps: Step, rounds: int, seconds: float = 0.15) -> list[float]:
    """Median work a second of steps that take turns of so many ``seconds``.

    On one thread these are seconds of processor time, which other programs hardly disturb.
    """
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    speeds: list[list[float]] = [[] for _ in steps]
    for number in range(rounds + 1):
        for step, found in zip(steps, speeds, strict=True):
            start, work, spent = clock(), 0.0, 0.0
            while spent < seconds:
                work += step()
                spent = clock() - start
            if number:  # the first round warms up
                found.append(work / spent)
    return [statistics.median(found) for found in speeds]


def _sides(family: Family, shape: Shape) -> list[Callable[[Batch], None]]:
    models = pair(family, shape)
    return [trainer(family, *side) for side in zip(models, LOSSES, strict=True)]


def _learner(
    family: Family, update: Callable[[Batch], None], batches: Callable[[int], Batch]
) -> Step:
    """One update from the next batch; the work is its tokens."""
    numbers = itertools.count()

    def step() -> float:
        batch = batches(next(numbers))
        update(batch)
        return text.num_real(batch, family)

    return step


def _num_new(ids: torch.Tensor, family: Family) -> int:
    return ids.shape[1] - (16 if family == "GPT" else 1)


def _row(measure: str, unit: str, family: Family, shape: Shape, sides: Any, **options: Any) -> Row:
    ours, reference = sides
    return Row(
        measure=measure,
        unit=unit,
        model=f"{family}, {shape}",
        ours=ours,
        reference=reference,
        **options,
    )
