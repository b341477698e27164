"""Tokenisers as files: the reference library and ours load what the other saved."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import transformers
from huggingface_hub.errors import LocalEntryNotFoundError
from hypothesis import given
from hypothesis import strategies as st
from tokenizer_samples import ALL, MIXED, NASTY, ROLES, TEXTS, trained
from transformers import AutoTokenizer

from chapter10.hub import CheckpointError
from chapter10.tokenizers import Tokenizer


def agree(ours: Tokenizer, reference: Any) -> None:
    """The same ids, segments, roles and decoded text over plain and nasty strings."""
    for role in ROLES:
        assert getattr(ours, f"{role}_token_id") == getattr(reference, f"{role}_token_id"), role
    assert len(ours) == len(reference)
    texts = TEXTS[:6] + NASTY
    for text in texts:
        expected = reference(text, return_offsets_mapping=True, return_special_tokens_mask=True)
        encoding = ours.encode(text)
        assert encoding.input_ids == expected["input_ids"]
        assert encoding.offsets == expected["offset_mapping"]
        assert encoding.special_tokens_mask == expected["special_tokens_mask"]
        for skip in (True, False):
            assert ours.decode(encoding.input_ids, skip) == reference.decode(
                encoding.input_ids, skip_special_tokens=skip
            )
    pad_left = {"padding": True, "padding_side": "left"} if ours.pad_token_id is not None else {}
    expected = reference(texts[:6], texts[6:12], truncation=True, max_length=16, **pad_left)
    if pad_left:
        batch = ours(texts[:6], texts[6:12], max_length=16, padding_side="left")
        assert batch.input_ids.tolist() == expected["input_ids"]
        assert batch.attention_mask.tolist() == expected["attention_mask"]
        if "token_type_ids" in expected:
            assert batch.token_type_ids.tolist() == expected["token_type_ids"]
    else:
        rows = [
            ours.encode(a, b, 16).input_ids for a, b in zip(texts[:6], texts[6:12], strict=True)
        ]
        assert rows == expected["input_ids"]


@pytest.mark.parametrize(("kind", "style"), ALL)
def test_the_reference_library_loads_what_we_save(kind: str, style: str, tmp_path: Path) -> None:
    tokenizer = trained(kind, style)
    tokenizer.save_pretrained(tmp_path)
    agree(tokenizer, AutoTokenizer.from_pretrained(tmp_path))
    again = Tokenizer.from_pretrained(tmp_path)
    agree(again, AutoTokenizer.from_pretrained(tmp_path))
    assert again.special_ids == tokenizer.special_ids
    assert again.sentinel_ids == tokenizer.sentinel_ids
    # Beside a model's config.json, as in a checkpoint, nothing changes.
    model_type = {"bert": "bert", "gpt": "gpt2", "t5": "t5"}[style]
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    agree(tokenizer, AutoTokenizer.from_pretrained(tmp_path))
    reference = AutoTokenizer.from_pretrained(tmp_path)
    reference.save_pretrained(tmp_path / "theirs")
    agree(Tokenizer.from_pretrained(tmp_path / "theirs"), reference)


def bert_vocab(folder: Path) -> Path:
    characters = sorted(set("".join(TEXTS).lower()) - {" "})
    tokens = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters]
    tokens += [f"##{c}" for c in characters] + ["play", "##ing", "##er"]
    path = folder / "vocab.txt"
    path.write_text("\n".join(tokens) + "\n", encoding="utf-8")
    return path


def gpt2_files(folder: Path) -> tuple[Path, Path]:
    model = json.loads(trained("bpe", "gpt")._pipeline.backend.to_str())["model"]
    vocab = [t for t in model["vocab"] if not t.startswith("<") or len(t) == 1]
    vocab.append("<|endoftext|>")
    encoder, merges = folder / "vocab.json", folder / "merges.txt"
    encoder.write_text(json.dumps({token: i for i, token in enumerate(vocab)}), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in model["merges"])]
    merges.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return encoder, merges


def reference_tokenizer(name: str, folder: Path) -> Any:
    unigram = json.loads(trained("unigram", "t5")._pipeline.backend.to_str())["model"]["vocab"]
    if name == "bert":
        return transformers.BertTokenizer(vocab=str(bert_vocab(folder)), do_lower_case=True)
    if name == "bert-cased":
        return transformers.BertTokenizer(vocab=str(bert_vocab(folder)), do_lower_case=False)
    if name == "gpt2":
        vocab, merges = gpt2_files(folder)
        return transformers.GPT2Tokenizer(vocab=str(vocab), merges=str(merges))
    if name == "t5":
        return transformers.T5Tokenizer(vocab=[tuple(entry) for entry in unigram], extra_ids=7)
    head = [("<pad>", 0.0), ("<unk>", 0.0), ("[CLS]", 0.0), ("[SEP]", 0.0), ("[MASK]", 0.0)]
    return transformers.AlbertTokenizer(vocab=head + [tuple(entry) for entry in unigram[3:]])


@pytest.mark.parametrize("name", ["bert", "bert-cased", "gpt2", "t5", "albert"])
def test_we_load_what_the_reference_library_saves(name: str, tmp_path: Path) -> None:
    reference = reference_tokenizer(name, tmp_path)
    saved = tmp_path / "saved"
    reference.save_pretrained(saved)
    ours = Tokenizer.from_pretrained(saved)
    agree(ours, reference)
    if name == "t5":
        assert ours.sentinel_ids == [
            reference.convert_tokens_to_ids(f"<extra_id_{n}>") for n in range(7)
        ]
    elif (
        name != "albert"
    ):  # roles are known where tokenizer_config.json says nothing, as on the hub
        (saved / "tokenizer_config.json").write_text("{}")
        agree(Tokenizer.from_pretrained(saved), reference)
    ours.save_pretrained(tmp_path / "again")
    agree(Tokenizer.from_pretrained(tmp_path / "again"), reference)
    agree(ours, AutoTokenizer.from_pretrained(tmp_path / "again"))


@pytest.mark.parametrize("lowercase", [True, False])
def test_vocab_txt_alone(lowercase: bool, tmp_path: Path) -> None:
    path = bert_vocab(tmp_path)
    reference = transformers.BertTokenizer(vocab=str(path), do_lower_case=lowercase)
    agree(Tokenizer.from_bert_vocab(path, lowercase=lowercase), reference)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lowercase}))
    agree(Tokenizer.from_pretrained(tmp_path), reference)
    Tokenizer.from_pretrained(tmp_path).save_pretrained(tmp_path / "saved")
    agree(Tokenizer.from_pretrained(tmp_path / "saved"), reference)
    agree(Tokenizer.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path / "saved"))


def test_vocab_json_and_merges_alone(tmp_path: Path) -> None:
    reference = reference_tokenizer("gpt2", tmp_path)
    tokenizer = Tokenizer.from_pretrained(tmp_path)
    agree(tokenizer, reference)
    # No padding token: the end token fills, and the mask hides it.
    batch = tokenizer(["a", "a b c"])
    assert tokenizer.pad_token_id is None
    assert batch.input_ids[0, -1] == tokenizer.eos_token_id
    assert batch.attention_mask[0].tolist()[-1] == 0
    assert tokenizer.encode("").input_ids == []


@given(texts=st.lists(MIXED, min_size=1, max_size=4))
def test_a_batch_is_its_texts_one_by_one(texts: list[str]) -> None:
    tokenizer = trained("wordpiece", "bert")
    batch = tokenizer(texts)
    for row, mask, text in zip(batch.input_ids, batch.attention_mask, texts, strict=True):
        assert row[mask == 1].tolist() == tokenizer.encode(text).input_ids


def test_saving_again_writes_the_same_bytes_and_leaves_no_other_file(tmp_path: Path) -> None:
    def digest(folder: Path) -> dict[str, str]:
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}

    tokenizer = trained("unigram", "t5")
    tokenizer.save_pretrained(tmp_path / "a")
    tokenizer(["小猫", "雨"], max_length=2, literal=True)  # how a text was cut is not saved
    tokenizer.save_pretrained(tmp_path / "a")
    Tokenizer.from_pretrained(tmp_path / "a").save_pretrained(tmp_path / "b")
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert set(digest(tmp_path / "a")) == {
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
    }


def test_a_tokenizer_can_be_copied_as_worker_processes_do() -> None:
    tokenizer = trained("wordpiece", "bert")
    again = copy.deepcopy(tokenizer)
    assert again.encode(TEXTS[2]).input_ids == tokenizer.encode(TEXTS[2]).input_ids


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe"])
def test_corrupt_files_are_named(file: str, content: bytes, tmp_path: Path) -> None:
    trained("character", "bert").save_pretrained(tmp_path)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(CheckpointError, match=file):
        Tokenizer.from_pretrained(tmp_path)


def test_missing_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match="holds no tokeniser"):
        Tokenizer.from_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="no folder"):
        Tokenizer.from_pretrained(tmp_path / "absent")
    with pytest.raises(CheckpointError, match=r"no file .*vocab\.txt"):
        Tokenizer.from_bert_vocab(tmp_path / "vocab.txt", lowercase=True)
    (tmp_path / "vocab.txt").write_text("a\nb\n")
    with pytest.raises(CheckpointError, match=r"lacks \[CLS\]"):
        Tokenizer.from_pretrained(tmp_path)
    (tmp_path / "vocab.txt").unlink()
    encoder, merges = gpt2_files(tmp_path)
    merges.write_text("#version: 0.2\nno such pair of tokens\n")
    with pytest.raises(CheckpointError, match=r"merges\.txt is corrupt"):
        Tokenizer.from_gpt2_files(encoder, merges)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="HF_ENDPOINT"):
        Tokenizer.from_pretrained("no-one/no-such-model")


def test_a_hub_name_is_fetched_file_by_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bert_vocab(tmp_path).parent  # an old model: vocab.txt and nothing else
    asked = []

    def hf_hub_download(name: str, file: str) -> str:
        asked.append((name, file))
        if not (folder / file).exists():
            raise LocalEntryNotFoundError(file)
        return str(folder / file)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", hf_hub_download)
    tokenizer = Tokenizer.from_pretrained("some-one/old-bert")
    assert tokenizer.tokenize("playing") == ["play", "##ing"]
    assert ("some-one/old-bert", "vocab.txt") in asked
