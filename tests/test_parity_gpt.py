"""Our GPT equals the reference library's GPT-2: outputs, gradients, files, generated ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from reference import (
    assert_equal_gradients,
    load_ours,
    randomize,
    reference_model,
    token_batch,
)

from chapter10 import GPT
from chapter10.generation import generate

TINY: dict[str, Any] = {
    "vocab_size": 61,
    "n_embd": 24,
    "n_layer": 2,
    "n_head": 3,
    "n_positions": 40,
    "bos_token_id": 1,
    "eos_token_id": 1,
    "pad_token_id": 0,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "one head": {"n_head": 1},
    "one layer": {"n_layer": 1},
    "inner size": {"n_inner": 40},
    "untied": {"tie_word_embeddings": False},
    **{act: {"activation_function": act} for act in ("relu", "silu", "gelu", "tanh")},
}
TOLERANCE = 1e-5


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("side", ["left", "right"])
def test_outputs_and_gradients(name: str, side: str, tmp_path: Path) -> None:
    reference = reference_model("GPT2LMHeadModel", tmp_path, **{**TINY, **CONFIGS[name]})
    reference.set_attn_implementation("eager")
    ours = load_ours(GPT, tmp_path)
    batch = token_batch(TINY["vocab_size"], [9, 1, 13], side)
    words = batch["attention_mask"].bool()
    asked = {"output_hidden_states": True, "output_attentions": True}
    expected, fast, slow = reference(**batch, **asked), ours(**batch), ours(**batch, **asked)
    for actual in (fast, slow):
        torch.testing.assert_close(
            actual.logits[words], expected.logits[words], atol=TOLERANCE, rtol=TOLERANCE
        )
    for left, right in zip(slow.hidden_states, expected.hidden_states, strict=True):
        torch.testing.assert_close(left[words], right[words], atol=TOLERANCE, rtol=TOLERANCE)
    for left, right in zip(slow.attentions, expected.attentions, strict=True):
        rows = words[:, None, :, None].expand_as(right)
        torch.testing.assert_close(left[rows], right[rows], atol=TOLERANCE, rtol=TOLERANCE)

    weights = torch.randn_like(expected.logits[words]) / words.sum()
    (fast.logits[words] * weights).sum().backward()
    (expected.logits[words] * weights).sum().backward()
    assert_equal_gradients(ours, reference, tolerance=TOLERANCE)


@pytest.mark.parametrize("name", CONFIGS)
def test_reference_loads_what_we_save(name: str, tmp_path: Path) -> None:
    reference = reference_model("GPT2LMHeadModel", tmp_path / "a", **{**TINY, **CONFIGS[name]})
    ours = load_ours(GPT, tmp_path / "a")
    randomize(ours, seed=3)
    ours.save_pretrained(tmp_path / "b")
    back, info = type(reference).from_pretrained(tmp_path / "b", output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    batch = token_batch(TINY["vocab_size"], [8, 8], "right")
    with torch.no_grad():
        actual, expected = ours(**batch).logits, back.eval()(**batch).logits
    torch.testing.assert_close(actual, expected, atol=TOLERANCE, rtol=TOLERANCE)


def test_loads_a_body_saved_without_its_head(tmp_path: Path) -> None:
    """The hub's gpt2 is such a file: no prefix, and a tied output matrix that is not stored."""
    body = reference_model("GPT2Model", tmp_path, **TINY)
    ours = load_ours(GPT, tmp_path)
    batch = token_batch(TINY["vocab_size"], [8, 8], "right")
    with torch.no_grad():
        actual = ours(**batch).last_hidden_state
        expected = body(**batch).last_hidden_state
    torch.testing.assert_close(actual, expected, atol=TOLERANCE, rtol=TOLERANCE)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("lengths", [[5], [7, 3, 6]])
def test_greedy_ids(name: str, lengths: list[int], tmp_path: Path) -> None:
    config = {**TINY, **CONFIGS[name]}
    reference = reference_model("GPT2LMHeadModel", tmp_path, scale=1.0, **config)  # ids vary
    ours = load_ours(GPT, tmp_path)
    batch = token_batch(TINY["vocab_size"], lengths, "left")
    expected = reference.generate(**batch, max_new_tokens=30, do_sample=False)
    actual = generate(ours, **batch, max_new_tokens=30)
    assert actual.tolist() == expected.tolist()
    assert len(set(actual[0, lengths[0] :].tolist())) > 2, (
        "the generated ids hardly vary; the test says little"
    )
