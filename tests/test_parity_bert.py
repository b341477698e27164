"""Our BERT and ALBERT equal the reference library's: outputs, gradients, files, both ways."""

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

from chapter10 import (
    Bert,
    BertConfig,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)

TINY: dict[str, Any] = {
    "vocab_size": 61,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "max_position_embeddings": 24,
}
BERT_CONFIGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "one head": {"num_attention_heads": 1},
    "one layer": {"num_hidden_layers": 1},
    "one segment": {"type_vocab_size": 1},
    "three segments": {"type_vocab_size": 3},
    "untied": {"tie_word_embeddings": False},
    "eps": {"layer_norm_eps": 1e-5},
    "pad elsewhere": {"pad_token_id": 5},
    **{
        act: {"hidden_act": act}
        for act in ("relu", "silu", "gelu_new", "gelu_pytorch_tanh", "tanh")
    },
}
ALBERT_CONFIGS: dict[str, dict[str, Any]] = {
    "albert": {"embedding_size": 12},
    "albert two groups": {"embedding_size": 12, "num_hidden_layers": 4, "num_hidden_groups": 2},
    "albert wide embedding": {"embedding_size": 24, "hidden_act": "gelu"},
}
CASES = [("Bert", name) for name in BERT_CONFIGS] + [("Albert", name) for name in ALBERT_CONFIGS]
TOLERANCE = 1e-5


def make_pair(
    family: str, name: str, head: str, ours: Any, folder: Path, **more: Any
) -> tuple[Any, Any]:
    config = {**TINY, **{**BERT_CONFIGS, **ALBERT_CONFIGS}[name], **more}
    reference = reference_model(f"{family}{head}", folder, **config)
    return load_ours(ours, folder), reference


def make_batch(lengths: list[int], side: str, num_segments: int) -> dict[str, torch.Tensor]:
    batch = token_batch(TINY["vocab_size"], lengths, side)
    segments = torch.arange(max(lengths)) * num_segments // max(lengths)
    return {**batch, "token_type_ids": segments.expand(len(lengths), -1)}


@pytest.mark.parametrize(("family", "name"), CASES)
@pytest.mark.parametrize("side", ["left", "right"])
def test_encoder(family: str, name: str, side: str, tmp_path: Path) -> None:
    ours, reference = make_pair(family, name, "Model", Bert, tmp_path)
    reference.set_attn_implementation("eager")  # the only one that returns attentions
    batch = make_batch([7, 1, 11], side, ours.config.type_vocab_size)
    words = batch["attention_mask"].bool()
    asked = {"output_hidden_states": True, "output_attentions": True}
    with torch.no_grad():
        expected, fast, slow = reference(**batch, **asked), ours(**batch), ours(**batch, **asked)
    for actual in (fast, slow):
        for field in ("last_hidden_state",):
            torch.testing.assert_close(
                getattr(actual, field)[words],
                expected[field][words],
                atol=TOLERANCE,
                rtol=TOLERANCE,
            )
    first = words[:, 0]  # with left padding the first position is padding
    torch.testing.assert_close(
        fast.pooler_output[first], expected.pooler_output[first], atol=TOLERANCE, rtol=TOLERANCE
    )
    assert len(slow.hidden_states) == len(expected.hidden_states)
    for actual_layer, layer in zip(slow.hidden_states, expected.hidden_states, strict=True):
        torch.testing.assert_close(
            actual_layer[words], layer[words], atol=TOLERANCE, rtol=TOLERANCE
        )
    for actual_layer, layer in zip(slow.attentions, expected.attentions, strict=True):
        rows = words[:, None, :, None].expand_as(layer)
        torch.testing.assert_close(actual_layer[rows], layer[rows], atol=TOLERANCE, rtol=TOLERANCE)


@pytest.mark.parametrize(("family", "name"), CASES)
@pytest.mark.parametrize("side", ["left", "right"])
def test_pretraining_outputs_and_gradients(
    family: str, name: str, side: str, tmp_path: Path
) -> None:
    ours, reference = make_pair(family, name, "ForPreTraining", BertForPreTraining, tmp_path)
    batch = make_batch([9, 4, 13], side, ours.config.type_vocab_size)
    words = batch["attention_mask"].bool()
    first = words[:, 0]
    expected, actual = reference(**batch), ours(**batch)
    sentence_logits = expected.get("seq_relationship_logits", expected.get("sop_logits"))
    pairs = [
        (actual.prediction_logits[words], expected.prediction_logits[words]),
        (actual.seq_relationship_logits[first], sentence_logits[first]),
    ]
    for left, right in pairs:
        torch.testing.assert_close(left, right, atol=TOLERANCE, rtol=TOLERANCE)

    weights = [torch.randn_like(left) / left.numel() for left, _ in pairs]
    sum((left * w).sum() for (left, _), w in zip(pairs, weights, strict=True)).backward()
    sum((right * w).sum() for (_, right), w in zip(pairs, weights, strict=True)).backward()
    assert_equal_gradients(ours, reference, tolerance=TOLERANCE)


HEADS = [
    ("ForSequenceClassification", BertForSequenceClassification),
    ("ForTokenClassification", BertForTokenClassification),
    ("ForQuestionAnswering", BertForQuestionAnswering),
]


@pytest.mark.parametrize(("head", "ours_class"), HEADS)
@pytest.mark.parametrize(("family", "name"), [("Bert", "plain"), ("Albert", "albert")])
def test_heads_both_ways(
    family: str, name: str, head: str, ours_class: Any, tmp_path: Path
) -> None:
    num_labels = 2 if "Question" in head else 3
    ours, reference = make_pair(
        family, name, head, ours_class, tmp_path / "a", num_labels=num_labels
    )
    batch = make_batch([5, 8], "right", 2)
    words = batch["attention_mask"].bool()
    randomize(ours, seed=5)
    ours.save_pretrained(tmp_path / "b")
    back = type(reference).from_pretrained(tmp_path / "b").eval()
    with torch.no_grad():
        actual, expected = ours(**batch), back(**batch)
    fields = ("logits",) if "Question" not in head else ("start_logits", "end_logits")
    for field in fields:
        left, right = getattr(actual, field), expected[field]
        if "Sequence" not in head:
            left, right = left[words], right[words]
        torch.testing.assert_close(left, right, atol=TOLERANCE, rtol=TOLERANCE)


@pytest.mark.parametrize(("family", "name"), CASES)
def test_reference_loads_what_we_save(family: str, name: str, tmp_path: Path) -> None:
    ours, reference = make_pair(family, name, "ForPreTraining", BertForPreTraining, tmp_path / "a")
    randomize(ours, seed=3)
    ours.save_pretrained(tmp_path / "b")
    back, info = type(reference).from_pretrained(tmp_path / "b", output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    batch = make_batch([6, 9], "right", ours.config.type_vocab_size)
    with torch.no_grad():
        actual, expected = ours(**batch), back.eval()(**batch)
    torch.testing.assert_close(
        actual.prediction_logits, expected.prediction_logits, atol=TOLERANCE, rtol=TOLERANCE
    )


def test_auto_model_loads_the_encoder(tmp_path: Path) -> None:
    ours = Bert(BertConfig(**TINY)).eval()
    ours.save_pretrained(tmp_path)
    back = transformers.AutoModel.from_pretrained(tmp_path)
    batch = make_batch([6, 9], "right", 2)
    with torch.no_grad():
        left, right = ours(**batch).last_hidden_state, back(**batch).last_hidden_state
    words = batch["attention_mask"].bool()
    torch.testing.assert_close(left[words], right[words], atol=TOLERANCE, rtol=TOLERANCE)


def test_dropout_is_where_the_reference_has_it(tmp_path: Path) -> None:
    """In training mode, with dropout, the means over many draws agree; without, they differ."""
    torch.manual_seed(0)
    config = {**TINY, "hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.3}
    reference = reference_model("BertModel", tmp_path, **config).train()
    ours = load_ours(Bert, tmp_path).train()
    batch = make_batch([6], "right", 2)
    draws = 3000
    many = {key: value.expand(draws, -1) for key, value in batch.items()}
    with torch.no_grad():
        samples = [model(**many).last_hidden_state for model in (ours, reference)]
        still = ours.eval()(**batch).last_hidden_state
    error = (samples[0].var(0) / draws + samples[1].var(0) / draws).sqrt()
    scores = (samples[0].mean(0) - samples[1].mean(0)) / error
    assert scores.abs().max() < 4.5, "the means of our dropout and the reference's differ"
    spread = samples[0].std(0).mean() / samples[1].std(0).mean()
    assert 0.97 < spread < 1.03
    assert ((samples[0].mean(0) - still).abs() / error).max() > 4.5, "dropout did nothing"
