"""Next tokens and the loss: what is asked for, what is counted, what has no gradient."""

from __future__ import annotations

import pytest
import torch
from drawing import generator
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chapter10.objectives import (
    IGNORE_INDEX,
    cross_entropy_sum,
    next_tokens,
    restore_next_tokens,
)

PAD = 0


# --- next token -----------------------------------------------------------------------------


def test_each_position_is_asked_for_the_next_token() -> None:
    ids = torch.tensor([[1, 11, 12, 13, 2]])
    inputs, labels = next_tokens(ids)
    assert inputs.tolist() == [[1, 11, 12, 13]]
    assert labels.tolist() == [[11, 12, 13, 2]]
    inputs.zero_()
    labels.zero_()
    assert ids.tolist() == [[1, 11, 12, 13, 2]]


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    left=st.booleans(),
)
def test_padding_on_either_side_has_no_loss(lengths: list[int], left: bool) -> None:
    at = torch.arange(7)
    lengths_column = torch.tensor(lengths)[:, None]
    real = at >= 7 - lengths_column if left else at < lengths_column
    ids = torch.where(real, 10 + at, PAD)
    shifted = next_tokens(ids, real.long())
    if left:  # a lone token at the very end is neither read nor asked for
        assume(min(lengths) > 1)
    # One question fewer than tokens, all of them text, each one more than what is read.
    asked = shifted.labels != IGNORE_INDEX
    assert asked.sum(1).tolist() == [length - 1 for length in lengths]
    assert torch.equal(shifted.labels[asked], shifted.input_ids[asked] + 1)
    assert torch.equal(restore_next_tokens(shifted, PAD), ids)


def test_next_tokens_of_one_token_and_wrong_shapes() -> None:
    shifted = next_tokens(torch.tensor([[5]]))
    assert shifted.input_ids.shape == shifted.labels.shape == (1, 0)
    with pytest.raises(ValueError, match=r"input_ids\[None\]"):
        next_tokens(torch.tensor([5, 6]))
    with pytest.raises(ValueError, match="attention_mask has shape"):
        next_tokens(torch.tensor([[5, 6]]), torch.ones(1, 3))


# --- loss -----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(6, 9), (2, 3, 9)])
def test_the_loss_is_the_sum_over_labels_and_the_rest_has_no_gradient(
    shape: tuple[int, ...],
) -> None:
    logits = torch.randn(shape, generator=generator(0), requires_grad=True)
    labels = torch.tensor([3, IGNORE_INDEX, 0, 8, IGNORE_INDEX, 5]).reshape(shape[:-1])
    total, count = cross_entropy_sum(logits, labels)
    kept = labels != IGNORE_INDEX
    by_hand = -sum(
        row.log_softmax(-1)[label] for row, label in zip(logits[kept], labels[kept], strict=True)
    )
    assert count == 4
    torch.testing.assert_close(total, by_hand)
    total.backward()
    assert logits.grad is not None
    assert (logits.grad[~kept] == 0).all()  # exactly
    assert (logits.grad[kept] != 0).all()


def test_without_labels_the_sum_and_all_gradients_are_zero() -> None:
    logits = torch.randn(2, 3, 9, requires_grad=True)
    total, count = cross_entropy_sum(logits, torch.full((2, 3), IGNORE_INDEX))
    total.backward()
    assert (total.item(), count.item()) == (0.0, 0)
    assert logits.grad is not None
    assert not logits.grad.any()


def test_half_precision_logits_are_summed_in_float32() -> None:
    logits = torch.randn(4_000, 9, generator=generator(1))
    labels = torch.randint(9, (4_000,), generator=generator(2))
    half = logits.bfloat16()
    total, _ = cross_entropy_sum(half, labels)
    assert total.dtype == torch.float32
    exact, _ = cross_entropy_sum(half.double().float(), labels)
    torch.testing.assert_close(total, exact, rtol=1e-6, atol=0)


def test_the_loss_rejects_labels_of_another_shape() -> None:
    with pytest.raises(ValueError, match=r"must be \(2, 3\)"):
        cross_entropy_sum(torch.randn(2, 3, 9), torch.zeros(2, 4, dtype=torch.long))
