"""The loss that forgets its scores equals the plain one, gradients included."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from chapter10 import GPT, T5, BertConfig, BertForPreTraining, GPTConfig, T5Config
from chapter10.objectives import IGNORE_INDEX, cross_entropy_sum, loss, vocabulary_loss

SIZES: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


def draw(num_rows: int, bias: bool, scale: float = 1.0) -> list[Tensor | None]:
    """Hidden states, weight, bias of 11 classes."""
    generator = torch.Generator().manual_seed(num_rows)
    shapes = [(num_rows, 4), (11, 4), (11,)]
    tensors: list[Tensor | None] = [
        (torch.randn(shape, generator=generator) * scale).requires_grad_() for shape in shapes
    ]
    return tensors if bias else [*tensors[:2], None]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("num_rows", [1, 3, 7])
def test_gradients_by_differences(
    num_rows: int, bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loss, "ROWS", 3)
    inputs = tuple(
        None if t is None else t.detach().double().requires_grad_() for t in draw(num_rows, bias)
    )
    labels = torch.arange(num_rows) * 5 % 11
    assert torch.autograd.gradcheck(lambda *i: vocabulary_loss(*i, labels)[0], inputs)


@given(num_rows=st.integers(1, 300), share=st.floats(0, 1), scale=st.sampled_from([0.1, 1.0, 30.0]))
def test_equals_the_plain_way(num_rows: int, share: float, scale: float) -> None:
    """Scores up to hundreds apart, any share of positions without a label, other factors."""
    generator = torch.Generator().manual_seed(num_rows)
    labels = torch.randint(0, 11, (num_rows,), generator=generator)
    unlabelled = torch.rand(num_rows, generator=generator) < share
    labels = labels.masked_fill(unlabelled, IGNORE_INDEX)
    results = []
    for ours in (True, False):
        hidden, weight, bias = draw(num_rows, True, scale)
        assert hidden is not None
        assert weight is not None
        assert bias is not None
        if ours:
            total, count = vocabulary_loss(hidden, weight, bias, labels)
        else:
            total, count = cross_entropy_sum(F.linear(hidden, weight, bias), labels)
        (total * 0.3).backward()
        results.append([total, count, hidden.grad, weight.grad, bias.grad])
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-4)


def test_a_hopeless_score_has_a_finite_loss() -> None:
    """Its probability is 0 in floating point, its logarithm would be infinite."""
    hidden = torch.tensor([[1.0]], requires_grad=True)
    weight = torch.tensor([[500.0], [0.0]], requires_grad=True)
    total, _ = vocabulary_loss(hidden, weight, None, torch.tensor([1]))
    assert float(total.detach()) == 500.0


def test_without_gradients_and_in_mixed_precision() -> None:
    hidden, weight, bias = draw(9, True)
    assert hidden is not None
    assert weight is not None
    labels = torch.arange(9)
    exact, _ = vocabulary_loss(hidden, weight, bias, labels)
    with torch.no_grad():
        torch.testing.assert_close(vocabulary_loss(hidden, weight, bias, labels)[0], exact)
    with torch.autocast("cpu", torch.bfloat16):
        rough, _ = vocabulary_loss(hidden, weight, bias, labels)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, rtol=0.02, atol=0.02)
    rough.backward()
    assert weight.grad is not None
    assert weight.grad.isfinite().all()


@pytest.mark.parametrize("name", ["bert", "gpt", "t5"])
def test_models_give_the_loss_of_their_logits(name: str) -> None:
    torch.manual_seed(0)
    ids = torch.randint(5, 40, (2, 6))
    labels = ids.masked_fill(torch.tensor([[1, 0, 0, 1, 0, 0], [1, 1, 1, 1, 0, 1]]).bool(), -100)
    if name == "bert":
        bert = BertForPreTraining(BertConfig(**SIZES)).eval()
        output = bert(ids, labels=labels)
        found, logits = output.prediction_loss, bert(ids).prediction_logits
        assert output.prediction_logits is None
    else:
        if name == "gpt":
            gpt = GPT(GPTConfig(**SIZES, bos_token_id=1, eos_token_id=1)).eval()
            output, logits = gpt(ids, labels=labels), gpt(ids).logits
        else:
            t5 = T5(T5Config(**SIZES, head_size=8)).eval()
            output, logits = t5(ids, None, ids, labels=labels), t5(ids, None, ids).logits
        assert output.logits is None
        found = output.loss
    torch.testing.assert_close(found, cross_entropy_sum(logits, labels))


def test_labels_of_another_shape_are_named() -> None:
    gpt = GPT(GPTConfig(**SIZES, bos_token_id=1, eos_token_id=1))
    ids = torch.randint(5, 40, (2, 6))
    with pytest.raises(ValueError, match=r"labels has shape \(2, 5\).*must be \(2, 6\)"):
        gpt(ids, labels=ids[:, 1:])
