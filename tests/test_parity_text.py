"""From text to text: our tokeniser, model and generation give the reference library's words."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from reference import randomize

from chapter10 import GPT, T5, GPTConfig, T5Config, Tokenizer
from chapter10.generation import generate

TEXTS = [
    "今天天气很好，我们去公园看花。",
    "他昨天买了三个苹果，又买了 two books。",
    "The cat sleeps on the warm window sill.",
    "下雨了，街上的人都打着伞走得很快。",
]
SIZES = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 32,
}


@pytest.mark.parametrize("kind", ["character", "bpe", "unigram"])
def test_gpt_writes_the_same_text(kind: str, tmp_path: Path) -> None:
    tokenizer = Tokenizer.train(TEXTS, kind=kind, vocab_size=400, style="gpt")
    special = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "max_position_embeddings": 64,
    }
    config = GPTConfig(vocab_size=len(tokenizer), initializer_range=0.2, **SIZES, **special)
    model = GPT(config).eval()
    torch.nn.init.normal_(model.position_embeddings.weight, std=2.0)  # so that the text varies
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    reference = transformers.AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    reference_tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    written = set()
    for prompt in ("今天", "他昨天买了", "The cat"):
        ids = tokenizer([prompt]).input_ids
        expected_ids = reference_tokenizer(prompt, return_tensors="pt")["input_ids"]
        assert ids.tolist() == expected_ids.tolist()
        actual = generate(model, ids, max_new_tokens=20)[0]
        expected = reference.generate(expected_ids, max_new_tokens=20, do_sample=False)[0]
        assert actual.tolist() == expected.tolist()
        text = tokenizer.decode(actual)
        assert text == reference_tokenizer.decode(expected, skip_special_tokens=True)
        written |= set(actual[ids.shape[1] :].tolist())
    assert len(written) > 4, "the text hardly varies; the test says little"


def test_t5_writes_the_same_text(tmp_path: Path) -> None:
    tokenizer = Tokenizer.train(TEXTS, kind="unigram", vocab_size=400, style="t5", sentinels=5)
    model = T5(T5Config(vocab_size=len(tokenizer), head_size=8, **SIZES)).eval()
    randomize(model, scale=0.5)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    reference = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path).eval()
    reference_tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    batch = tokenizer(TEXTS)
    assert torch.equal(
        batch.input_ids, reference_tokenizer(TEXTS, padding=True, return_tensors="pt")["input_ids"]
    )
    actual = generate(model, batch.input_ids, batch.attention_mask, max_new_tokens=20)
    expected = reference.generate(
        batch.input_ids, attention_mask=batch.attention_mask, max_new_tokens=20, do_sample=False
    )
    assert [tokenizer.decode(row) for row in actual] == reference_tokenizer.batch_decode(
        expected, skip_special_tokens=True
    )
