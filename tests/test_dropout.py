"""Our dropout drops what it should, as often as it should, and each entry for itself."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from chapter10.attention import Attention
from chapter10.dropout import Dropout, dropout

N = 400_000


@pytest.mark.parametrize("probability", [0.1, 0.3, 0.5, 0.95])
def test_share_and_mean(probability: float) -> None:
    dropped = dropout(torch.ones(N), probability)
    share = float((dropped == 0).float().mean())
    error = (probability * (1 - probability) / N) ** 0.5
    assert abs(share - probability) <= 4 * error + 2**-17
    assert abs(float(dropped.mean()) - 1) <= 4 * (probability / (1 - probability) / N) ** 0.5
    kept = dropped[dropped != 0]
    torch.testing.assert_close(
        kept, torch.full_like(kept, 1 / (1 - probability)), rtol=1e-3, atol=0
    )


def test_entries_are_independent() -> None:
    """Also the four that share a draw: none of the lags 1 to 8 correlates."""
    zero = (dropout(torch.ones(N), 0.3) == 0).double() - 0.3
    for lag in range(1, 9):
        correlation = float((zero[lag:] * zero[:-lag]).mean() / (0.3 * 0.7))
        assert abs(correlation) <= 4 / N**0.5


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 5, 7), (4, 4)])
def test_gradient_follows_the_same_entries(shape: tuple[int, ...]) -> None:
    states = torch.rand(shape) + 1
    states.requires_grad_()
    dropped = dropout(states, 0.4)
    dropped.sum().backward()
    assert states.grad is not None
    torch.testing.assert_close(dropped, states * states.grad)
    assert states.grad.unique().numel() <= 2


def test_off_repeatable_and_extreme() -> None:
    states = torch.randn(100)
    assert dropout(states, 0.0) is states
    module = Dropout(0.5).eval()
    assert isinstance(module, nn.Dropout)
    assert module(states) is states
    found = []
    for _ in range(2):
        torch.manual_seed(3)
        found.append(module.train()(states))
    assert torch.equal(*found)
    assert not torch.equal(found[0], module(states))
    assert dropout(states, 0.999999).isfinite().all()


def test_attention_drops_weights_in_training_only() -> None:
    attention = Attention(8, 2, 4, dropout=0.5)
    states = torch.randn(2, 5, 8)
    calm = attention.eval()(states)[0]
    torch.testing.assert_close(attention(states, output_attentions=True)[0], calm)
    attention.train()
    draws = torch.stack([attention(states)[0] for _ in range(4000)])
    assert attention(states)[1] is None
    error = draws.std(dim=0) / 4000**0.5
    assert ((draws.mean(dim=0) - calm).abs() <= 5 * error).all()
    assert (draws.std(dim=0) > 1e-3).all()
