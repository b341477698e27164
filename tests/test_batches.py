"""Batches: which examples come when, how they are padded and packed."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from training_samples import PAD, collate, rows

from chapter10.training.batches import Batches, num_tokens, pack, pad_rows


@given(
    lengths=st.lists(st.integers(1, 30), min_size=1, max_size=200),
    budget=st.integers(30, 200),
    bucketed=st.booleans(),
    seed=st.integers(0, 3),
)
def test_every_example_comes_once_an_epoch_and_no_batch_is_over_budget(
    lengths: list[int], budget: int, bucketed: bool, seed: int
) -> None:
    examples = [[1] * length for length in lengths]
    batches = Batches(examples, collate, tokens_per_batch=budget, bucketed=bucketed, seed=seed)
    number = 0
    for _ in range(2):
        seen: list[int] = []
        while len(seen) < len(examples):
            numbers = batches.numbers(number)
            assert len(numbers) * max(lengths[i] for i in numbers) <= budget
            seen += numbers
            number += 1
        assert sorted(seen) == list(range(len(examples)))


def test_a_batch_depends_on_seed_and_number_only() -> None:
    forward = Batches(rows(), collate, tokens_per_batch=60, seed=3)
    in_order = [forward[i] for i in range(40)]
    jumping = Batches(rows(), collate, tokens_per_batch=60, seed=3)
    for i in (39, 0, 17, 17, 2):
        assert all(torch.equal(jumping[i][name], in_order[i][name]) for name in in_order[i])
    other = Batches(rows(), collate, tokens_per_batch=60, seed=4)
    assert any(other.numbers(i) != forward.numbers(i) for i in range(3))


def test_order_and_masks_differ_from_epoch_to_epoch() -> None:
    batches = Batches([[1, 2, 3, 4, 5, 6, 7, 8]] * 4, collate, batch_size=4, seed=0)
    assert not torch.equal(batches[0]["labels"], batches[1]["labels"])
    many = Batches(rows(), collate, batch_size=6)
    assert many.numbers(0) != many.numbers(10)


def test_batch_size_fills_every_batch_but_the_last() -> None:
    batches = Batches(rows(23), collate, batch_size=5)
    sizes = sorted(len(batches.numbers(i)) for i in range(5))
    assert sizes == [3, 5, 5, 5, 5]


def test_buckets_pad_less_than_random_order() -> None:
    examples = [[1] * (1 + 97 * i % 64) for i in range(2000)]
    share = {}
    for bucketed in (True, False):
        batches = Batches(examples, collate, tokens_per_batch=512, bucketed=bucketed)
        first = [batches[i] for i in range(40)]
        share[bucketed] = sum(map(num_tokens, first)) / sum(b["input_ids"].numel() for b in first)
    assert share[True] > 0.9
    assert share[False] < 0.75


@given(st.lists(st.lists(st.integers(0, 9), max_size=9), max_size=20), st.integers(2, 7))
def test_packing_loses_nothing(texts: list[list[int]], length: int) -> None:
    packed = pack(texts, length)
    stream = [token for text in texts for token in text]
    flat = [token for row in packed for token in row]
    assert flat == stream[: len(flat)]
    assert len(stream) - len(flat) <= 1
    assert all(len(row) == length for row in packed[:-1])


def test_padding_is_not_counted() -> None:
    ids = pad_rows([[1, 2, 3], [4]], PAD)
    assert num_tokens({"input_ids": ids, "attention_mask": (ids != PAD).long()}) == 4
    both = {"attention_mask": torch.ones(1, 3), "decoder_attention_mask": torch.ones(1, 2)}
    assert num_tokens({"input_ids": torch.zeros(1, 3), **both}) == 5


@pytest.mark.parametrize(
    ("examples", "options", "message"),
    [
        ([], {"batch_size": 2}, "no examples"),
        ([[1]], {}, "give one of the two"),
        ([[1]], {"batch_size": 2, "tokens_per_batch": 3}, "give one of the two"),
        ([[1], [1] * 9], {"tokens_per_batch": 8}, "Example 1 has 9 tokens"),
    ],
)
def test_impossible_batches_are_refused(
    examples: list[list[int]], options: dict[str, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Batches(examples, collate, **options)
