"""Sentence pairs, T5's span corruption, MASS and BART's corruptions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from drawing import all_alike, generator, within_sigmas
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from chapter10.objectives import (
    IGNORE_INDEX,
    SpanCorruption,
    corrupt_delete,
    corrupt_infill,
    corrupt_mask,
    corrupt_mass,
    corrupt_permute,
    corrupt_rotate,
    corrupt_spans,
    restore_mass,
    restore_spans,
)

MASK, EOS = 4, 1
SENTINELS = list(range(200, 100, -1))  # descending, as in T5's own vocabulary


def text(length: int) -> Tensor:
    """Distinct ids, so that every token tells where it came from."""
    return torch.arange(1000, 1000 + length)


# --- T5 -------------------------------------------------------------------------------------


def t5_sides(ids: Tensor, noise: np.ndarray, sentinels: Sequence[int]) -> tuple[list, list]:
    """T5's definition on a boolean noise mask: a run becomes one sentinel, on either side."""

    def one_side(hidden: np.ndarray) -> list[int]:
        side: list[int] = []
        runs = 0
        for at, token in enumerate(ids.tolist()):
            if not hidden[at]:
                side.append(token)
            elif at == 0 or not hidden[at - 1]:
                side.append(sentinels[runs])
                runs += 1
        return [*side, EOS]

    return one_side(noise), one_side(~noise)


def noise_mask(ids: Tensor, corruption: SpanCorruption) -> np.ndarray:
    return ~np.isin(ids.numpy(), corruption.input_ids.numpy())


@pytest.mark.parametrize("sentinels", [SENTINELS, SENTINELS[::-1]])
@pytest.mark.parametrize("length", [2, 3, 17, 30, 31, 64, 512])
def test_both_sides_follow_t5_s_definition(length: int, sentinels: list[int]) -> None:
    ids = text(length)
    for seed in range(5):
        corruption = corrupt_spans(ids, sentinels, EOS, generator(seed))
        noise = noise_mask(ids, corruption)
        inputs, labels = t5_sides(ids, noise, sentinels)
        assert corruption.input_ids.tolist() == inputs
        assert corruption.labels.tolist() == labels
        # The counts of random_spans_noise_mask, and its order: kept first, noise last.
        count = min(max(round(length * 0.15), 1), length - 1)
        assert noise.sum() == count
        starts = np.diff(noise.astype(int), prepend=0) == 1
        assert starts.sum() == max(round(count / 3), 1)
        assert not noise[0]
        assert noise[-1]


@pytest.mark.parametrize(("anywhere", "kinds"), [(False, 3 * 4), (True, 3 * 15)])
def test_every_division_into_spans_is_as_likely(anywhere: bool, kinds: int) -> None:
    # 9 tokens, 4 of noise in 2 spans: C(3,1) * C(4,1) masks; anywhere C(3,1) * C(6,2).
    ids, draw = text(9), generator(0)
    seen: Counter[tuple[int, ...]] = Counter()
    for _ in range(4_000):
        corruption = corrupt_spans(
            ids, SENTINELS, EOS, draw, density=0.44, mean_span_length=2.0, anywhere=anywhere
        )
        # Spans never touch, so the noise mask tells them apart.
        seen[tuple(noise_mask(ids, corruption).tolist())] += 1
    assert all_alike(seen, kinds)


def test_short_texts_are_random_only_with_anywhere() -> None:
    ids = text(20)

    def masks(anywhere: bool) -> set[bytes]:
        draw = generator(0)
        return {
            noise_mask(ids, corrupt_spans(ids, SENTINELS, EOS, draw, anywhere=anywhere)).tobytes()
            for _ in range(300)
        }

    assert len(masks(anywhere=False)) == 1  # T5's own: always the last three tokens
    assert len(masks(anywhere=True)) == 18  # every place for a span of three


@settings(max_examples=150, deadline=None)
@given(
    content=st.lists(st.integers(300, 310), max_size=60),
    density=st.floats(0.01, 0.99),
    mean=st.floats(1, 8),
    anywhere=st.booleans(),
    ascending=st.booleans(),
    seed=st.integers(0, 99),
)
def test_spans_are_put_back_exactly(
    content: list[int], density: float, mean: float, anywhere: bool, ascending: bool, seed: int
) -> None:
    ids = torch.tensor(content, dtype=torch.long)
    before = ids.clone()
    sentinels = SENTINELS[::-1] if ascending else SENTINELS
    corruption = corrupt_spans(
        ids, sentinels, EOS, generator(seed), density=density, mean_span_length=mean,
        anywhere=anywhere,
    )  # fmt: skip
    assert torch.equal(restore_spans(corruption, sentinels, EOS), before)
    assert torch.equal(ids, before)
    used = [token for token in corruption.input_ids.tolist() if token in sentinels]
    assert used == sentinels[: len(used)]  # each once, in the order given
    assert [token for token in corruption.labels.tolist() if token in sentinels] == used
    assert (len(used) > 0) == (len(ids) > 1)


def test_spans_say_what_is_wrong() -> None:
    ids = text(40)
    for changed, says in (
        ({"density": 0.0}, "density is 0.0"),
        ({"density": 1.0}, "density is 1.0"),
        ({"mean_span_length": 0.5}, "mean_span_length is 0.5"),
        ({"sentinel_ids": [99]}, "2 spans but 1 sentinels"),
        ({"sentinel_ids": [1003, 99]}, "hold a sentinel"),
        ({"ids": ids[None]}, "1-D long"),
        ({"ids": ids.float()}, "1-D long"),
    ):
        arguments = {"ids": ids, "sentinel_ids": SENTINELS, "eos_id": EOS}
        with pytest.raises(ValueError, match=says):
            corrupt_spans(**(arguments | changed), generator=generator(0))  # type: ignore[arg-type]
    corruption = corrupt_spans(ids, SENTINELS, EOS, generator(0))
    with pytest.raises(ValueError, match="no span for the sentinel 200"):
        restore_spans(corruption._replace(labels=torch.tensor([EOS])), SENTINELS, EOS)
    with pytest.raises(ValueError, match="must end with"):
        restore_spans(corruption._replace(labels=corruption.labels[:-1]), SENTINELS, EOS)


# --- MASS -----------------------------------------------------------------------------------


def test_mass_hides_one_fragment_and_asks_for_nothing_else() -> None:
    ids, draw = text(9), generator(0)
    begins: Counter[tuple[int, ...]] = Counter()
    for _ in range(2_000):
        example = corrupt_mass(ids, MASK, draw)
        hidden = (example.input_ids == MASK).nonzero().flatten().tolist()
        begin = hidden[0]
        begins[(begin,)] += 1
        assert hidden == list(range(begin, begin + 4))  # round(4.5), half to even
        assert torch.equal(example.labels != IGNORE_INDEX, example.input_ids == MASK)
        expected = [MASK] * 9
        expected[begin + 1 : begin + 4] = ids[begin : begin + 3].tolist()
        assert example.decoder_input_ids.tolist() == expected
        assert torch.equal(restore_mass(example), ids)
    assert all_alike(begins, 6)
    assert torch.equal(ids, text(9))


@pytest.mark.parametrize(("length", "ratio", "hidden"), [(0, 0.5, 0), (1, 0.5, 1), (5, 0.0, 0),
                                                          (5, 1.0, 5), (5, 0.01, 1)])  # fmt: skip
def test_mass_at_the_edges(length: int, ratio: float, hidden: int) -> None:
    example = corrupt_mass(text(length), MASK, generator(0), ratio)
    assert (example.labels != IGNORE_INDEX).sum() == hidden
    assert (example.decoder_input_ids != MASK).sum() == max(0, hidden - 1)
    assert torch.equal(restore_mass(example), text(length))


# --- BART -----------------------------------------------------------------------------------

BART: dict[str, Callable[[Tensor, torch.Generator], tuple[Tensor, Tensor]]] = {
    "mask": lambda ids, draw: corrupt_mask(ids, MASK, draw),
    "delete": lambda ids, draw: corrupt_delete(ids, draw),
    "permute": lambda ids, draw: corrupt_permute(ids, [1004, 1011], draw),
    "rotate": lambda ids, draw: corrupt_rotate(ids, draw),
    "infill": lambda ids, draw: corrupt_infill(ids, MASK, draw),
}


@pytest.mark.parametrize("name", BART)
@pytest.mark.parametrize("length", [0, 1, 2, 20])
def test_bart_keeps_the_original_and_writes_to_nothing(name: str, length: int) -> None:
    ids = text(length)
    example = BART[name](ids, generator(3))
    again = BART[name](ids, generator(3))
    assert torch.equal(example[0], again[0])
    assert torch.equal(example[1], ids)
    example[0].fill_(9)
    example[1].fill_(9)
    assert torch.equal(ids, text(length))


def test_token_masking_hides_exactly_the_share_everywhere_alike() -> None:
    ids, draw = text(10), generator(0)
    hidden = torch.stack([corrupt_mask(ids, MASK, draw).input_ids == MASK for _ in range(10_000)])
    assert (hidden.sum(1) == 3).all()
    assert all(within_sigmas(count, 10_000, 0.3) for count in hidden.sum(0).tolist())


def test_token_deletion_keeps_the_order_of_the_rest() -> None:
    ids, draw = text(10), generator(0)
    counts = torch.zeros(10, dtype=torch.long)
    for _ in range(5_000):
        left = corrupt_delete(ids, draw).input_ids
        assert len(left) == 7
        assert (left.diff() > 0).all()
        counts += torch.isin(ids, left)
    assert all(within_sigmas(count, 5_000, 0.7) for count in counts.tolist())
    assert len(corrupt_delete(ids, draw, ratio=1.0).input_ids) == 1
    assert torch.equal(corrupt_delete(ids, draw, ratio=0.0).input_ids, ids)


def test_permutation_moves_whole_sentences_in_every_order() -> None:
    # Three sentences, the last without its full stop.
    ids, draw = torch.tensor([11, 12, 5, 13, 6, 14, 15]), generator(0)
    seen: Counter[tuple[int, ...]] = Counter()
    for _ in range(3_000):
        seen[tuple(corrupt_permute(ids, [5, 6], draw).input_ids.tolist())] += 1
    assert (11, 12, 5, 14, 15, 13, 6) in seen
    assert all_alike(seen, 6)
    assert torch.equal(corrupt_permute(ids, [], draw).input_ids, ids)
    stops = torch.tensor([5, 5, 5])  # a full stop alone is a sentence
    assert torch.equal(corrupt_permute(stops, [5], draw).input_ids, stops)


def test_rotation_begins_at_every_token_alike() -> None:
    ids, draw = text(7), generator(0)
    begins: Counter[tuple[int, ...]] = Counter()
    for _ in range(3_000):
        rotated = corrupt_rotate(ids, draw).input_ids
        begin = int(rotated[0]) - 1000
        assert torch.equal(rotated, ids.roll(-begin))
        begins[(begin,)] += 1
    assert all_alike(begins, 7)


def gaps(ids: Tensor, corrupted: Tensor) -> list[int]:
    """How many tokens each mask stands for, where it is told: masks that touch share a gap."""
    sizes: list[int] = []
    position, pending = 0, False
    for token in [*corrupted.tolist(), 1000 + len(ids)]:
        if token == MASK:
            pending = True
            continue
        if pending:
            sizes.append(token - 1000 - position)
        position, pending = token - 1000 + 1, False
    return sizes


def test_infilling_hides_exactly_the_share_and_keeps_the_order() -> None:
    ids, draw = text(40), generator(0)
    counts = torch.zeros(40, dtype=torch.long)
    for _ in range(3_000):
        corrupted = corrupt_infill(ids, MASK, draw).input_ids
        kept = corrupted[corrupted != MASK]
        assert len(kept) == 28
        assert (kept.diff() > 0).all()
        assert sum(gaps(ids, corrupted)) == 12
        counts += torch.isin(ids, kept)
    # Anywhere in the text, but an end has one side only from which a span can reach it.
    assert all(within_sigmas(count, 3_000, 0.7) for count in counts[12:28].tolist())


def test_infilling_draws_poisson_lengths_with_insertions() -> None:
    # One long text: few spans are cut (the last one only), and masks that touch are few.
    ids, draw = text(2_000), generator(1)
    spans = lengths = empty = 0
    for _ in range(60):
        corrupted = corrupt_infill(ids, MASK, draw, ratio=0.05).input_ids
        sizes = gaps(ids, corrupted)
        spans += int((corrupted == MASK).sum())
        lengths += sum(sizes)
        empty += sizes.count(0)
    assert lengths == 60 * 100
    # Mean 3 (a cut span shortens it by about 1 %), and e^-3 of them are empty: insertions.
    assert lengths / spans == pytest.approx(3.0, rel=0.04)
    assert empty / spans == pytest.approx(math.exp(-3), abs=0.02)
    assert empty > 0


def test_infilling_at_the_edges() -> None:
    ids = text(5)
    for seed in range(20):
        everything = corrupt_infill(ids, MASK, generator(seed), ratio=1.0).input_ids
        assert set(everything.tolist()) == {MASK}
        assert torch.equal(corrupt_infill(ids, MASK, generator(seed), ratio=0.0).input_ids, ids)
    with pytest.raises(ValueError, match="mean_span_length is 0"):
        corrupt_infill(ids, MASK, generator(0), mean_span_length=0.0)


@settings(max_examples=100, deadline=None)
@given(
    length=st.integers(0, 30), ratio=st.floats(0, 1), mean=st.floats(1, 6), seed=st.integers(0, 99)
)
def test_infilling_never_loses_or_doubles_a_token(
    length: int, ratio: float, mean: float, seed: int
) -> None:
    ids = text(length)
    example = corrupt_infill(ids, MASK, generator(seed), ratio, mean)
    kept = example.input_ids[example.input_ids != MASK].tolist()
    hidden = length - len(kept)
    assert kept == sorted(set(kept))
    assert hidden == (min(length, max(1, round(ratio * length))) if ratio > 0 else 0)
    assume(hidden > 0)
    assert (example.input_ids == MASK).any()


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan")])
def test_ratios_outside_0_to_1_are_named(ratio: float) -> None:
    ids, draw = text(5), generator(0)
    for call in (
        lambda: corrupt_mask(ids, MASK, draw, ratio),
        lambda: corrupt_delete(ids, draw, ratio),
        lambda: corrupt_infill(ids, MASK, draw, ratio),
        lambda: corrupt_mass(ids, MASK, draw, ratio),
    ):
        with pytest.raises(ValueError, match="share of the tokens between 0 and 1"):
            call()
