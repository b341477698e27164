"""Published vocabularies: the ids of the reference tokenisers over thousands of real lines."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import transformers
from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

from chapter10.tokenizers import Tokenizer

pytestmark = pytest.mark.real

LINES = 1000  # of each corpus
CORPORA = ("zh_wiki", "zh_web", "zh_classical", "en_wiki", "tang_shi", "bible_en")
NASTY = [
    "",
    " ",
    "\n\t\r\x00\x01\ufeff\ufffd",
    "e\u0301 é ﬁ Ａ①½ İSTANBUL ẞ Σς",
    "👩‍👩‍👧‍👦🇨🇳😀 \u202e右\u200b左\u2028\u3000",
    "𠀀𪚥丽〇々 한국어 ひらがな カタカナ हिन्दी עברית العربية ไทย",
    "[MASK]和[CLS] [SEP][PAD][UNK]<|endoftext|>[mask]",
    "## ##s # it's I'LL 'tis ''  ...  --",
    "a" * 101,
    "\ue000\U0010ffff\U000e0001",
]


def lines(real_data: Path) -> Iterator[str]:
    for name in CORPORA:
        path = next((real_data / "corpora").glob(f"{name}.*.xz"))
        with lzma.open(path, "rt", encoding="utf-8") as file:
            yield from islice((line.rstrip("\n") for line in file if line.strip()), LINES)
    yield from NASTY


def same_ids(ours: Tokenizer, reference: Any, texts: list[str]) -> None:
    expected = reference(texts, return_offsets_mapping=True)
    batch = [ours.encode(text) for text in texts]
    decoded = reference.batch_decode(expected["input_ids"][::10], skip_special_tokens=True)
    for text, encoding, ids, offsets in zip(
        texts, batch, expected["input_ids"], expected["offset_mapping"], strict=True
    ):
        assert encoding.input_ids == ids, text
        assert encoding.offsets == offsets, text
    for encoding, text in zip(batch[::10], decoded, strict=True):
        assert ours.decode(encoding.input_ids) == text
    firsts, seconds = texts[:500], texts[-500:]  # Chinese with English
    pairs = reference(firsts, seconds, truncation=True, max_length=64)
    for first, second, ids in zip(firsts, seconds, pairs["input_ids"], strict=True):
        assert ours.encode(first, second, max_length=64).input_ids == ids


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("name", ["bert-base-chinese", "bert-base-uncased"])
def test_bert_vocabularies(name: str, lowercase: bool, real_data: Path) -> None:
    vocab = real_data / name / "vocab.txt"
    ours = Tokenizer.from_bert_vocab(vocab, lowercase=lowercase)
    reference = transformers.BertTokenizer(vocab=str(vocab), do_lower_case=lowercase)
    assert len(ours) == len(reference) == {"bert-base-chinese": 21128}.get(name, 30522)
    same_ids(ours, reference, list(lines(real_data)))


def test_bert_ids_are_those_of_the_original_python_code(real_data: Path) -> None:
    # Another implementation, not only another wrapper of the same library. They differ on
    # characters for private use, which the original drops.
    vocab = real_data / "bert-base-chinese" / "vocab.txt"
    ours = Tokenizer.from_bert_vocab(vocab, lowercase=True)
    original = BertTokenizerLegacy(str(vocab), do_lower_case=True)
    for text in list(lines(real_data))[:-1:4]:
        assert ours.encode(text).input_ids == original(text)["input_ids"], text


def test_gpt2_vocabulary(real_data: Path) -> None:
    encoder, merges = real_data / "gpt2" / "encoder.json", real_data / "gpt2" / "vocab.bpe"
    ours = Tokenizer.from_gpt2_files(encoder, merges)
    reference = transformers.GPT2Tokenizer(vocab=str(encoder), merges=str(merges))
    assert len(ours) == len(reference) == 50257
    texts = list(lines(real_data))
    same_ids(ours, reference, texts)
    # Bytes lose nothing.
    for text in texts:
        assert ours.decode(ours.encode(text, literal=True).input_ids) == text


def test_saved_published_vocabularies_stay_the_same(real_data: Path, tmp_path: Path) -> None:
    texts = list(lines(real_data))[::4]
    bert = Tokenizer.from_bert_vocab(real_data / "bert-base-chinese" / "vocab.txt", lowercase=True)
    gpt2 = Tokenizer.from_gpt2_files(
        real_data / "gpt2" / "encoder.json", real_data / "gpt2" / "vocab.bpe"
    )
    for model_type, tokenizer in (("bert", bert), ("gpt2", gpt2)):
        folder = tmp_path / model_type
        tokenizer.save_pretrained(folder)
        (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
        reference = transformers.AutoTokenizer.from_pretrained(folder)
        same_ids(tokenizer, reference, texts)
        same_ids(Tokenizer.from_pretrained(folder), reference, texts)


@pytest.mark.parametrize("kind", ["character", "wordpiece", "bpe", "unigram"])
def test_round_trip_of_real_text(kind: Any, real_data: Path) -> None:
    texts = [text for text in lines(real_data) if text.strip()][: 2 * LINES]
    style = "gpt" if kind == "bpe" else "bert"
    tokenizer = Tokenizer.train(texts[:800], kind, vocab_size=8000, style=style)
    whole = 0
    for text in texts:
        ids = tokenizer.encode(text, literal=True).input_ids
        if tokenizer.unk_token_id not in ids:
            assert tokenizer.decode(ids) == tokenizer.normalize(text)
            whole += 1
    assert whole > len(texts) // 5
    if kind == "bpe":
        assert whole == len(texts)
