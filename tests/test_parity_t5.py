"""Our T5 equals the reference library's, version 1.0 and 1.1: outputs, gradients, files, ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from reference import (
    assert_equal_gradients,
    load_ours,
    randomize,
    reference_model,
    token_batch,
)
from safetensors.torch import load_file, save_file

from chapter10 import T5, T5Config
from chapter10.attention import relative_position_bucket
from chapter10.generation import generate

TINY: dict[str, Any] = {
    "vocab_size": 61,
    "d_model": 24,
    "d_kv": 6,
    "d_ff": 40,
    "num_layers": 2,
    "num_heads": 3,
    "relative_attention_num_buckets": 8,
    "relative_attention_max_distance": 12,
    "decoder_start_token_id": 0,
}
V1_1 = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}
CONFIGS: dict[str, dict[str, Any]] = {
    "v1.0": {},
    "v1.1": V1_1,
    "one head": {"num_heads": 1, "d_kv": 16},
    "fewer decoder layers": {"num_layers": 3, "num_decoder_layers": 1},
    "more decoder layers": {"num_layers": 1, "num_decoder_layers": 2},
    "published buckets": {
        "relative_attention_num_buckets": 32,
        "relative_attention_max_distance": 128,
    },
    **{act: {"feed_forward_proj": act} for act in ("gelu", "silu", "gated-silu", "gated-relu")},
}
TOLERANCE = 1e-4


def make_batch(side: str) -> dict[str, torch.Tensor]:
    encoder = token_batch(TINY["vocab_size"], [9, 1, 17], side)
    decoder = token_batch(TINY["vocab_size"], [6, 15, 2], "right", seed=2)
    return {**encoder, **{f"decoder_{key}": value for key, value in decoder.items()}}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("side", ["left", "right"])
def test_outputs_and_gradients(name: str, side: str, tmp_path: Path) -> None:
    config = {**TINY, **CONFIGS[name]}
    reference = reference_model("T5ForConditionalGeneration", tmp_path, **config)
    ours = load_ours(T5, tmp_path)
    batch = make_batch(side)
    words = batch["decoder_attention_mask"].bool()
    expected, actual = reference(**batch), ours(**batch)
    torch.testing.assert_close(
        actual.logits[words], expected.logits[words], atol=TOLERANCE, rtol=TOLERANCE
    )
    weights = torch.randn_like(expected.logits[words]) / words.sum()
    (actual.logits[words] * weights).sum().backward()
    (expected.logits[words] * weights).sum().backward()
    assert_equal_gradients(ours, reference, tolerance=TOLERANCE)


def test_hidden_states_and_attentions(tmp_path: Path) -> None:
    reference = reference_model("T5ForConditionalGeneration", tmp_path, **TINY)
    reference.set_attn_implementation("eager")
    ours, batch = load_ours(T5, tmp_path), make_batch("right")
    asked = {"output_hidden_states": True, "output_attentions": True}
    with torch.no_grad():
        expected, actual = reference(**batch, **asked), ours(**batch, **asked)
    encoder_words = batch["attention_mask"].bool()
    decoder_words = batch["decoder_attention_mask"].bool()
    for part, words in (("encoder", encoder_words), ("decoder", decoder_words)):
        states = getattr(actual, f"{part}_hidden_states"), expected[f"{part}_hidden_states"]
        for left, right in zip(*states, strict=True):
            torch.testing.assert_close(left[words], right[words], atol=TOLERANCE, rtol=TOLERANCE)
    for field, words in (
        ("encoder_attentions", encoder_words),
        ("decoder_attentions", decoder_words),
        ("cross_attentions", decoder_words),
    ):
        for left, right in zip(getattr(actual, field), expected[field], strict=True):
            rows = words[:, None, :, None].expand_as(right)
            torch.testing.assert_close(left[rows], right[rows], atol=TOLERANCE, rtol=TOLERANCE)


@pytest.mark.parametrize("name", CONFIGS)
def test_reference_loads_what_we_save(name: str, tmp_path: Path) -> None:
    reference = reference_model(
        "T5ForConditionalGeneration", tmp_path / "a", **{**TINY, **CONFIGS[name]}
    )
    ours = load_ours(T5, tmp_path / "a")
    randomize(ours, seed=3)
    ours.save_pretrained(tmp_path / "b")
    back, info = type(reference).from_pretrained(tmp_path / "b", output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    batch = make_batch("right")
    with torch.no_grad():
        actual, expected = ours(**batch).logits, back.eval()(**batch).logits
    torch.testing.assert_close(actual, expected, atol=TOLERANCE, rtol=TOLERANCE)


def test_v1_1_keeps_an_output_matrix_of_its_own(tmp_path: Path) -> None:
    """The published v1.1 checkpoints are untied; the reference library must keep them so."""
    config = T5Config(
        vocab_size=61,
        hidden_size=24,
        head_size=6,
        intermediate_size=40,
        num_hidden_layers=2,
        num_attention_heads=3,
        feed_forward_proj="gated-gelu",
        tie_word_embeddings=False,
    )
    ours = T5(config).eval()
    ours.save_pretrained(tmp_path)
    back = transformers.T5ForConditionalGeneration.from_pretrained(tmp_path).eval()
    batch = make_batch("right")
    with torch.no_grad():
        torch.testing.assert_close(
            ours(**batch).logits, back(**batch).logits, atol=TOLERANCE, rtol=TOLERANCE
        )
    again = load_ours(T5, tmp_path)
    assert not again.config.tie_word_embeddings
    assert not again.config.scaled
    assert not torch.equal(again.lm_head.weight, again.word_embeddings.weight)


@pytest.mark.parametrize("name", [name for name in CONFIGS if name != "more decoder layers"])
def test_greedy_ids(name: str, tmp_path: Path) -> None:
    """(With more decoder than encoder layers the reference library's own ``generate`` fails.)"""
    config = {**TINY, **CONFIGS[name]}
    reference = reference_model("T5ForConditionalGeneration", tmp_path, **config)
    ours = load_ours(T5, tmp_path)
    batch = token_batch(TINY["vocab_size"], [9, 1, 17], "right")
    expected = reference.generate(**batch, max_new_tokens=30, do_sample=False)
    actual = generate(ours, **batch, max_new_tokens=30)
    assert actual.tolist() == expected.tolist()


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("num_buckets", "max_distance"), [(32, 128), (8, 12), (16, 20)])
def test_position_buckets(bidirectional: bool, num_buckets: int, max_distance: int) -> None:
    attention = transformers.models.t5.modeling_t5.T5Attention
    distances = torch.arange(-300, 301)
    options = {"num_buckets": num_buckets, "max_distance": max_distance}
    expected = attention._relative_position_bucket(distances, bidirectional, **options)
    actual = relative_position_bucket(distances, bidirectional=bidirectional, **options)
    assert torch.equal(actual, expected)


def test_mt5_is_a_t5(tmp_path: Path) -> None:
    """Multilingual T5 is version 1.1 under another name (Xue et al. 2021)."""
    reference = reference_model("MT5ForConditionalGeneration", tmp_path, **{**TINY, **V1_1})
    ours, batch = load_ours(T5, tmp_path), make_batch("right")
    words = batch["decoder_attention_mask"].bool()
    with torch.no_grad():
        actual, expected = ours(**batch).logits, reference(**batch).logits
    torch.testing.assert_close(actual[words], expected[words], atol=TOLERANCE, rtol=TOLERANCE)


def test_copies_of_the_embeddings_in_old_files_are_understood(tmp_path: Path) -> None:
    """The published t5-small stores its word embeddings three times."""
    reference_model("T5ForConditionalGeneration", tmp_path, **TINY)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    for part in ("encoder", "decoder"):
        tensors[f"{part}.embed_tokens.weight"] = tensors["shared.weight"].clone()
    bias = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
    tensors[bias] = torch.zeros(8, 3)
    save_file(tensors, path)
    assert load_ours(T5, tmp_path).config.tie_word_embeddings
