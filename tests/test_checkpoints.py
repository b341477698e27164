"""Saved models: nothing half written, nothing loaded that does not fit, every refusal explained."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from chapter10 import (
    CBOW,
    GPT,
    T5,
    Bert,
    BertConfig,
    BertForPreTraining,
    BertForSequenceClassification,
    CBOWConfig,
    CheckpointError,
    GPTConfig,
    T5Config,
)
from chapter10.hub import write_whole

CONFIG = BertConfig(
    vocab_size=30,
    hidden_size=12,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=16,
    max_position_embeddings=10,
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    BertForPreTraining(CONFIG).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def edit_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def edit_tensors(folder: Path, **changes: torch.Tensor | None) -> None:
    path = folder / "model.safetensors"
    tensors = {**load_file(path), **changes}
    save_file({key: value for key, value in tensors.items() if value is not None}, path)


MODELS = [
    BertForPreTraining(CONFIG),
    GPT(GPTConfig(vocab_size=30, hidden_size=12, num_hidden_layers=1, num_attention_heads=2)),
    T5(
        T5Config(
            vocab_size=30,
            hidden_size=12,
            head_size=6,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
        )
    ),
    CBOW(CBOWConfig(vocab_size=30, hidden_size=12)),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_round_trip(model: Any, dtype: torch.dtype, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path, dtype=dtype)
    assert sorted(os.listdir(tmp_path)) == ["config.json", "model.safetensors"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back = type(model).from_pretrained(tmp_path)
    assert back.config.to_reference() == model.config.to_reference()
    assert not back.training
    for name, parameter in model.named_parameters():
        stored = back.get_parameter(name)
        assert stored.dtype == torch.float32
        assert torch.equal(stored, parameter.to(dtype).float())


def test_fields_can_be_changed_when_loading(saved: Path) -> None:
    with pytest.warns(UserWarning, match="start at random: classifier"):
        model = BertForSequenceClassification.from_pretrained(saved, num_labels=5)
    assert model.classifier.weight.shape == (5, 12)
    trained = Bert.from_pretrained(saved)
    for name, parameter in trained.named_parameters():
        assert torch.equal(parameter, model.bert.get_parameter(name))


def test_old_names_of_norms_are_understood(saved: Path) -> None:
    """The first published BERTs call them gamma and beta."""
    expected = Bert.from_pretrained(saved).embeddings.norm.weight
    name = "bert.embeddings.LayerNorm"
    tensors = load_file(saved / "model.safetensors")
    edit_tensors(
        saved,
        **{
            f"{name}.weight": None,
            f"{name}.bias": None,
            f"{name}.gamma": tensors[f"{name}.weight"] + 1,
            f"{name}.beta": tensors[f"{name}.bias"],
        },
    )
    assert torch.equal(Bert.from_pretrained(saved).embeddings.norm.weight, expected + 1)


@pytest.mark.parametrize("size", [0, 5, 100, -1])
def test_truncated_weights(saved: Path, size: int) -> None:
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CheckpointError, match="no complete safetensors file"):
        Bert.from_pretrained(saved)


def test_pickle_is_no_model(saved: Path) -> None:
    torch.save({"weight": torch.zeros(2)}, saved / "model.safetensors")
    with pytest.raises(CheckpointError, match="no complete safetensors file"):
        Bert.from_pretrained(saved)


def test_missing_files(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    with pytest.raises(
        CheckpointError, match=r"holds no model\.safetensors; it holds config\.json"
    ):
        Bert.from_pretrained(saved)
    with pytest.raises(CheckpointError, match="There is no folder"):
        Bert.from_pretrained(saved / "elsewhere")


def test_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def refuse(*args: str) -> str:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    with pytest.raises(CheckpointError, match="HF_ENDPOINT"):
        Bert.from_pretrained("bert-base-chinese")


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff"])
def test_broken_config(saved: Path, text: str) -> None:
    (saved / "config.json").write_bytes(text.encode("latin1"))
    with pytest.raises(CheckpointError, match=r"config\.json"):
        Bert.from_pretrained(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "gpt2"}, "type 'gpt2'; Bert loads 'bert', 'albert'"),
        ({"model_type": None}, "type None"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"is_decoder": True}, "is_decoder"),
        ({"hidden_size": 24}, r"stored with shape \(30, 12\)"),
        ({"num_hidden_layers": 3}, "lacks 16 parameters"),
        ({"num_hidden_layers": 1}, "no place"),
        ({"hidden_act": "swoosh"}, "choose from"),
    ],
)
def test_config_that_does_not_fit(saved: Path, changes: dict[str, Any], message: str) -> None:
    edit_config(saved, **changes)
    with pytest.raises(ValueError, match=message):
        Bert.from_pretrained(saved)


def test_half_a_head_is_an_error(saved: Path) -> None:
    edit_tensors(saved, **{"cls.predictions.transform.dense.bias": None})
    with pytest.raises(CheckpointError, match=r"lacks 1 parameters.*predictions\.dense\.bias"):
        BertForPreTraining.from_pretrained(saved)
    Bert.from_pretrained(saved)  # has no use for that head


def test_a_failed_save_leaves_the_old_file(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in saved.iterdir()}

    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_whole(saved / "model.safetensors", fail)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before


def test_masks_stored_in_old_gpt2_files_are_understood(tmp_path: Path) -> None:
    """The hub's gpt2 holds its causal masks beside the parameters; a stray bias is no mask."""
    MODELS[1].save_pretrained(tmp_path)
    mask = torch.ones(1, 1, 8, 8)
    edit_tensors(tmp_path, **{"transformer.h.0.attn.bias": mask})
    edit_tensors(tmp_path, **{"transformer.h.0.attn.masked_bias": torch.tensor(-1e4)})
    GPT.from_pretrained(tmp_path)
    edit_tensors(tmp_path, **{"transformer.h.7.attn.c_attn.bias": torch.zeros(36)})
    with pytest.raises(CheckpointError, match="no place"):
        GPT.from_pretrained(tmp_path)
