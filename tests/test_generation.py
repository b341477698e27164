"""Generation: the cache changes nothing, drawing follows the probabilities, refusals explained."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from chapter10 import GPT, T5, GPTConfig, T5Config
from chapter10.generation import choose, generate

GPT_MODEL = GPT(
    GPTConfig(
        vocab_size=50,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        max_position_embeddings=40,
        initializer_range=0.5,
        bos_token_id=1,
        eos_token_id=1,
        pad_token_id=0,
    )
).eval()
T5_MODEL = T5(
    T5Config(
        vocab_size=50,
        hidden_size=24,
        head_size=8,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=3,
        initializer_factor=2.0,
    )
).eval()


def greedy_without_cache(model: Any, prompt: torch.Tensor, steps: int) -> torch.Tensor:
    if isinstance(model, GPT):
        written = prompt
        for _ in range(steps):
            written = torch.cat([written, model(written).logits[:, -1:].argmax(-1)], dim=1)
        return written
    written = torch.zeros_like(prompt[:, :1])
    for _ in range(steps):
        logits = model(prompt, decoder_input_ids=written).logits
        written = torch.cat([written, logits[:, -1:].argmax(-1)], dim=1)
    return written


@pytest.mark.parametrize("model", [GPT_MODEL, T5_MODEL], ids=["GPT", "T5"])
@pytest.mark.parametrize("batch", [1, 4])
def test_cache_changes_nothing(model: Any, batch: int) -> None:
    prompt = torch.randint(2, 50, (batch, 5))
    with torch.no_grad():
        expected = greedy_without_cache(model, prompt, 25)
    actual = generate(model, prompt, max_new_tokens=25)
    for row, full in zip(actual.tolist(), expected.tolist(), strict=True):
        start = len(row) - 25 if len(row) > 25 else 0
        end = row.index(1, start) + 1 if 1 in row[start:] else len(row)
        assert row[:end] == full[:end]
        assert set(row[end:]) <= {0}, "after its end a row holds padding only"


def test_left_padding_changes_nothing() -> None:
    short, long = torch.randint(2, 50, (1, 3)), torch.randint(2, 50, (1, 6))
    batch = torch.cat([torch.cat([torch.zeros(1, 3, dtype=torch.long), short], dim=1), long])
    mask = (batch != 0).long()
    together = generate(GPT_MODEL, batch, mask, max_new_tokens=10)
    alone = generate(GPT_MODEL, short, max_new_tokens=10)
    length = alone.shape[1] - 3
    assert together[0, 6 : 6 + length].tolist() == alone[0, 3:].tolist()


def test_drawing_follows_the_probabilities() -> None:
    logits = torch.tensor([[0.0, 1.0, 2.0, -1.0]])
    generator = torch.Generator().manual_seed(0)
    n = 20_000
    for temperature, top_k in ((1.0, None), (0.5, None), (2.0, 2)):
        expected = (logits / temperature).softmax(-1)[0]
        if top_k:
            expected = torch.where(logits[0] >= 1.0, expected, 0) / expected[[1, 2]].sum()
        drawn = choose(logits.expand(n, -1), temperature, top_k, generator)
        shares = drawn.bincount(minlength=4) / n
        error = (expected * (1 - expected) / n).sqrt()
        assert ((shares - expected).abs() <= 4 * error).all()


def test_same_generator_same_text() -> None:
    prompt = torch.randint(2, 50, (2, 4))
    texts = [
        generate(
            GPT_MODEL,
            prompt,
            max_new_tokens=20,
            temperature=1.0,
            generator=torch.Generator().manual_seed(seed),
        ).tolist()
        for seed in (1, 1, 2)
    ]
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"max_new_tokens": 5, "temperature": -1.0}, "temperature"),
        ({"max_new_tokens": 5, "top_k": 0}, "top_k"),
        ({"max_new_tokens": 50}, "need 54 positions, but the model has 40"),
    ],
)
def test_impossible_settings_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generate(GPT_MODEL, torch.randint(2, 50, (1, 4)), **options)
