"""Pretraining on whole documents: their rows, labels and losses, alone and from a recipe."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from drawing import generator, within_sigmas

from chapter10 import BertConfig, BertForPreTraining
from chapter10.objectives import IGNORE_INDEX, Masking
from chapter10.pretraining import MaskedLanguageModel, Row
from chapter10.recipes import load_recipe, pretrain
from chapter10.recipes.settings import SettingsError
from chapter10.tokenizers import Tokenizer

# A document's sentences carry its own letter and their place: "a0。", "a1。", ...
LETTERS = "abcdefghijklmnopqrst"
DOCUMENTS = [[f"{letter}{place}。" for place in range(5)] for letter in LETTERS]
SINGLE = [[f"{letter}9。"] for letter in LETTERS[:6]]
TOKENIZER = Tokenizer.train([line for text in DOCUMENTS + SINGLE for line in text], vocab_size=200)


def objective(**options: Any) -> MaskedLanguageModel:
    return MaskedLanguageModel(TOKENIZER, Masking(ratio=0.3), unit="document", **options)


def segments(row: Row) -> list[str]:
    """The texts of the two segments of a row, without the special tokens."""
    pairs = list(zip(row.input_ids, row.token_type_ids, strict=True))
    texts = [TOKENIZER.decode([i for i, kind in pairs if kind == wanted]) for wanted in (0, 1)]
    return [text.replace(" ", "") for text in texts if text]


def places(text: str) -> list[int]:
    return [int(sentence[1]) for sentence in text.split("。") if sentence]


def test_a_row_is_a_document_in_order_between_special_tokens() -> None:
    rows = objective().rows(DOCUMENTS + SINGLE)
    assert len(rows) == len(DOCUMENTS) + len(SINGLE)
    ends = TOKENIZER.sep_token_id
    for row, document in zip(rows, DOCUMENTS + SINGLE, strict=True):
        assert "".join(segments(row)) == "".join(document)
        assert (row.input_ids[0], row.input_ids[-1]) == (TOKENIZER.cls_token_id, ends)
        assert row.input_ids.count(ends) == len(segments(row)) == min(2, len(document))
        assert row.label == IGNORE_INDEX
    batch = objective().collate(rows, generator(0))
    assert "sentence_labels" not in batch


def test_order_swaps_half_of_the_documents_and_labels_them() -> None:
    rows = [
        row
        for seed in range(200)
        for row in objective(sentences="order", seed=seed).rows(DOCUMENTS)
    ]
    assert within_sigmas(sum(row.label for row in rows), len(rows), 0.5)
    for row in rows:
        first, second = segments(row)
        assert len({*(first + second)} & {*LETTERS}) == 1
        read = places(first + second)
        assert (read == [*range(5)]) == (row.label == 0)
        assert (places(second + first) == [*range(5)]) == (row.label == 1)


def test_next_takes_the_end_of_another_document_and_never_of_the_same() -> None:
    rows = [
        row
        for seed in range(200)
        for row in objective(sentences="next", seed=seed).rows(DOCUMENTS + SINGLE)
        if row.label != IGNORE_INDEX
    ]
    assert len(rows) == 200 * len(DOCUMENTS)
    assert within_sigmas(sum(row.label for row in rows), len(rows), 0.5)
    for row in rows:
        first, second = segments(row)
        assert (first[0] != second[0]) == (row.label == 1)
        assert (places(first)[0], places(second)[-1]) == (0, 4)
        assert row.label == 1 or places(first + second) == list(range(5))


@pytest.mark.parametrize("sentences", ["none", "next", "order"])
@pytest.mark.parametrize("max_length", [5, 9, 13])
def test_rows_depend_on_the_seed_alone_and_keep_the_length(sentences: Any, max_length: int) -> None:
    options = {"sentences": sentences, "max_length": max_length}
    rows = objective(**options, seed=3).rows(DOCUMENTS + SINGLE)
    assert rows == objective(**options, seed=3).rows(DOCUMENTS + SINGLE)
    assert rows != objective(**options, seed=4).rows(DOCUMENTS + SINGLE)
    assert max(map(len, rows)) == max_length  # 13: whole documents


def test_documents_of_one_sentence_have_no_sentence_loss() -> None:
    task = objective(sentences="order")
    rows = task.rows(DOCUMENTS + SINGLE)
    single = [row for row in rows if row.label == IGNORE_INDEX]
    assert [segments(row) for row in single] == SINGLE
    config = BertConfig(
        vocab_size=TOKENIZER.vocab_size,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    model = BertForPreTraining(config).eval()
    mixed = task.collate(rows, generator(0))
    assert int(task.loss(model, mixed)["sentence"][1]) == len(DOCUMENTS)
    batch = task.collate(single, generator(0))
    losses = task.loss(model, batch)
    total, count = losses["sentence"]
    assert (total.item(), int(count)) == (0.0, 0)
    assert [float(value) for value in task.measure(model, batch)["sentence_accuracy"]] == [0, 0]
    total.backward()
    gradient = model.seq_relationship.weight.grad
    assert gradient is None or not gradient.any()
    assert int(losses["masked"][1]) > 0


def test_a_sentence_loss_needs_documents_of_two_sentences() -> None:
    with pytest.raises(ValueError, match="no document has two lines"):
        objective(sentences="order").rows(SINGLE)
    assert len(objective().rows([*SINGLE, []])) == len(SINGLE)


def test_the_joiner_stands_between_sentences() -> None:
    texts = [["the cat ran", "it hid", "we saw it"]]
    tokenizer = Tokenizer.train(texts[0], vocab_size=60, kind="wordpiece")
    masking = Masking()
    rows = MaskedLanguageModel(tokenizer, masking, unit="document", joiner=" ").rows(texts)
    assert tokenizer.decode(rows[0].input_ids) == " ".join(texts[0])
    glued = MaskedLanguageModel(tokenizer, masking, unit="document").rows(texts)
    assert tokenizer.decode(glued[0].input_ids) != " ".join(texts[0])


def test_a_recipe_trains_on_documents(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "title": "documents",
        "family": "bert",
        "model": {
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "max_position_embeddings": 64,
        },
        "tokenizer": {"vocab_size": 600},
        "data": {
            "microworld": {"documents": 300, "size": "core"},
            "heldout": 0.2,
            "max_length": 64,
            "tokens_per_batch": 400,
        },
        "objective": {"unit": "document", "sentences": "order"},
        "training": {"steps": 20, "learning_rate": 0.01, "progress": False},
    }
    path = tmp_path / "documents.yml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    made = pretrain(path, tmp_path / "out")
    assert made.history.steps[-1] == 20
    assert made.heldout["masked"] < made.history.evaluations[0]["masked"] - 0.5
    assert made.heldout["loss"] == pytest.approx(made.heldout["masked"] + made.heldout["sentence"])
    assert torch.tensor(made.history.losses).isfinite().all()
    assert load_recipe(tmp_path / "out" / "recipe.yml") == load_recipe(path)
    path.write_text(yaml.safe_dump({**settings, "objective": {"unit": "page"}}), encoding="utf-8")
    with pytest.raises(SettingsError, match="unit is 'page'; it can be line, document"):
        load_recipe(path)
