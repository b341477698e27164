"""Recipes: checked settings, and a whole pretraining in small for each family."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from chapter10 import BertForPreTraining
from chapter10.gpt import GPT
from chapter10.hub import CheckpointError
from chapter10.objectives import IGNORE_INDEX, Masking
from chapter10.pretraining import MaskedLanguageModel, NextToken, SpanDenoising, unigram_baseline
from chapter10.recipes import (
    DataSettings,
    Recipe,
    load_recipe,
    pretrain,
    read_documents,
    shipped_recipes,
)
from chapter10.recipes.settings import SettingsError
from chapter10.t5 import T5
from chapter10.tokenizers import Tokenizer
from chapter10.training import TrainingError
from chapter10.training.batches import Batches

SUBJECTS, VERBS, OBJECTS = "猫狗鸟鱼马牛", "看追等喊找听", "山水花草石云"
LINES = [
    f"{a}在{b}{c}旁边的{d}。" for a in SUBJECTS for b in VERBS for c in OBJECTS for d in "人树"
]
SIZES = {
    "bert": {"intermediate_size": 32, "max_position_embeddings": 16},
    "gpt": {"max_position_embeddings": 16},
    "t5": {"intermediate_size": 32, "head_size": 8},
}


def content(family: str = "bert", **training: Any) -> dict[str, Any]:
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    return {
        "title": "small",
        "family": family,
        "model": {**sizes, **SIZES[family]},
        "tokenizer": {"vocab_size": 200},
        "data": {
            "text": "text.txt",
            "heldout": 0.2,
            "lines_per_document": 4,
            "max_length": 14,
            "tokens_per_batch": 400,
        },
        "training": {"steps": 6, "learning_rate": 0.01, "progress": False, **training},
    }


@pytest.fixture
def write(tmp_path: Path) -> Any:
    (tmp_path / "text.txt").write_text("\n".join([*LINES, LINES[0], LINES[1]]), encoding="utf-8")

    def write(settings: dict[str, Any]) -> Path:
        path = tmp_path / "small.yml"
        path.write_text(yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_are_valid(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.data.text is None or Path(recipe.data.text).is_file()


@pytest.mark.parametrize(
    ("family", "model_class", "loss"),
    [("bert", BertForPreTraining, "masked"), ("gpt", GPT, "next"), ("t5", T5, "spans")],
)
def test_each_family_from_file_to_folder(
    family: str, model_class: Any, loss: str, write: Any, tmp_path: Path
) -> None:
    settings = content(family, steps=40, eval_every=20)
    made = pretrain(write(settings), tmp_path / "out")
    assert made.history.curve()[0] == [0, 20, 40]
    assert made.heldout["loss"] == made.heldout[loss] < made.history.evaluations[0]["loss"] - 0.5
    assert made.baseline.keys() == {loss, f"{loss}_accuracy"}
    assert made.heldout[f"{loss}_accuracy"] >= made.baseline[f"{loss}_accuracy"] > 0
    assert json.loads((tmp_path / "out/results.json").read_text())["baseline"] == made.baseline
    loaded = model_class.from_pretrained(tmp_path / "out")
    tokenizer = Tokenizer.from_pretrained(tmp_path / "out")
    assert loaded.config.vocab_size == len(tokenizer)
    for one, other in zip(loaded.parameters(), made.model.parameters(), strict=True):
        assert torch.equal(one, other)
    stored = load_recipe(tmp_path / "out" / "recipe.yml")
    assert stored == load_recipe(tmp_path / "small.yml")


def test_a_pair_objective_has_both_losses(write: Any, tmp_path: Path) -> None:
    settings = content(steps=4)
    settings["objective"] = {"sentences": "order"}
    settings["data"] |= {"max_length": 16}
    made = pretrain(write(settings), tmp_path / "out")
    assert made.heldout["loss"] == pytest.approx(made.heldout["masked"] + made.heldout["sentence"])
    assert made.heldout["sentence"] == pytest.approx(0.69, abs=0.2)


def test_stopped_and_resumed_is_the_same(write: Any, tmp_path: Path) -> None:
    path = write(content(steps=6, checkpoint_every=2))
    whole = pretrain(path, tmp_path / "whole")
    original = torch.optim.AdamW.step
    calls = iter(range(100))

    def dying(self: Any, closure: None = None) -> None:
        if next(calls) == 3:
            raise KeyboardInterrupt
        original(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim.AdamW, "step", dying)
        with pytest.raises(KeyboardInterrupt):
            pretrain(path, tmp_path / "halves")
    made = pretrain(path, tmp_path / "halves", resume=True)
    for one, other in zip(made.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert made.heldout == whole.heldout


def test_no_line_and_no_document_is_on_both_sides(write: Any, tmp_path: Path) -> None:
    recipe = load_recipe(write(content()))
    sides = read_documents(recipe.data)
    lines = {side: {line for doc in docs for line in doc} for side, docs in sides.items()}
    assert not lines["train"] & lines["heldout"]
    assert lines["train"] | lines["heldout"] == set(LINES)
    assert 0.05 < len(lines["heldout"]) / len(LINES) < 0.4
    part = dataclasses.replace(recipe.data, share=0.5)
    fewer = read_documents(part)
    assert {line for document in fewer["heldout"] for line in document} <= (
        lines["heldout"] | set(LINES[:2])  # which the text has twice
    )
    assert 0.3 < sum(map(len, fewer["train"])) / sum(map(len, sides["train"])) < 0.7


def test_the_tokeniser_sees_training_text_only(write: Any, tmp_path: Path) -> None:
    path = write(content())
    held = read_documents(load_recipe(path).data)["heldout"]
    text = (tmp_path / "text.txt").read_text(encoding="utf-8")
    # A character that occurs in a held-out line only; the sides are dealt by whole documents.
    line = held[0][0]
    (tmp_path / "text.txt").write_text(text.replace(line, line[:-1] + "龘"), encoding="utf-8")
    sides = read_documents(load_recipe(path).data)
    made = pretrain(path, tmp_path / "out")
    seen = {char for document in sides["train"] for line in document for char in line}
    assert (made.tokenizer.token_to_id("龘") is not None) == ("龘" in seen)


# ---- objectives --------------------------------------------------------------------------------


def tokenizer(style: Any) -> Tokenizer:
    return Tokenizer.train(LINES, vocab_size=200, style=style)


def test_masked_rows_are_pieces_of_lines() -> None:
    objective = MaskedLanguageModel(tokenizer("bert"), Masking(ratio=0.5), max_length=8)
    rows = objective.rows([LINES[:3]])
    assert [len(row) for row in rows] == [8, 5] * 3
    batch = objective.collate(rows, torch.Generator().manual_seed(0))
    special = torch.isin(batch["input_ids"], torch.tensor([0, 2, 3]))
    assert not ((batch["labels"] != IGNORE_INDEX) & special).any()
    assert (batch["attention_mask"].sum(1) == torch.tensor([8, 5] * 3)).all()


def test_packed_rows_hold_every_line_with_its_end() -> None:
    tok = tokenizer("gpt")
    rows = NextToken(tok, max_length=10).rows([LINES[:2], LINES[2:5]])
    stream = [token for row in rows for token in row]
    assert stream == [
        token for line in LINES[:5] for token in [*tok.encode(line).input_ids, tok.eos_token_id]
    ]
    assert all(len(row) == 10 for row in rows[:-1])


def test_spans_show_the_decoder_what_came_before() -> None:
    tok = tokenizer("t5")
    objective = SpanDenoising(tok, max_length=20)
    batch = objective.collate(objective.rows([LINES[:4]]), torch.Generator().manual_seed(0))
    assert (batch["decoder_input_ids"][:, 0] == tok.pad_token_id).all()
    kept = batch["labels"][:, :-1] != IGNORE_INDEX
    assert torch.equal(batch["decoder_input_ids"][:, 1:][kept], batch["labels"][:, :-1][kept])


def test_the_baseline_is_the_cross_entropy_of_frequencies() -> None:
    heldout = [{"labels": torch.tensor([[0, 1, IGNORE_INDEX], [0, 0, 2]])}]
    counts = torch.tensor([7.0, 1.0, 0.0], dtype=torch.float64)
    baseline = unigram_baseline(counts, heldout)
    shares = torch.tensor([8 / 11, 2 / 11, 1 / 11], dtype=torch.float64)
    expected = -(3 * shares[0].log() + shares[1].log() + shares[2].log()) / 5
    assert baseline == pytest.approx({"loss": float(expected), "accuracy": 0.6})


def test_no_baseline_counts_special_tokens_that_are_never_asked_for() -> None:
    tok = tokenizer("bert")
    objective = MaskedLanguageModel(tok, Masking(), max_length=16)
    counts = objective.token_counts(objective.rows([LINES]))
    assert counts[sorted(tok.special_ids)].sum() == 0
    assert counts.sum() == sum(len(line) for line in LINES)


def test_a_batch_of_spans_has_its_labels_among_the_expected() -> None:
    objective = SpanDenoising(tokenizer("t5"), max_length=20)
    rows = objective.rows([LINES])
    counts = objective.token_counts(rows)
    batch = Batches(rows, objective.collate, batch_size=50)[0]
    asked = batch["labels"][batch["labels"] != IGNORE_INDEX]
    assert (counts[asked] > 0).all()


# ---- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("training", "lerning_rate", 0.1, r"small\.yml\.training\.lerning_rate is unknown; did you "
         "mean learning_rate"),
        ("training", "steps", "many", r"training\.steps is 'many'; give a whole number"),
        ("training", "steps", True, "steps is True; give a whole number"),
        ("training", "steps", 0, r"small\.yml\.training: steps is 0"),
        ("training", "learning_rate", "fast", "learning_rate is 'fast'; give a number"),
        ("training", "schedule", "stairs", "schedule is 'stairs'; it can be linear, cosine"),
        ("model", "hiden_size", 3, r"model\.hiden_size is unknown; did you mean hidden"),
        ("model", "vocab_size", 3, r"model\.vocab_size is unknown"),
        ("model", "hidden_size", "wide", r"model\.hidden_size is 'wide'"),
        ("model", "num_attention_heads", 3, r"small\.yml: hidden_size 16 cannot be"),
        ("model", "max_position_embeddings", 8, r"data\.max_length is 14, but the model has "
         "positions for 8"),
        ("data", "corpus", "zh_wiki", "give one of the four"),
        ("data", "microworld", {"documents": 9}, "give one of the four"),
        ("data", "microworld", {"documents": 0}, r"data\.microworld: documents is 0"),
        ("data", "microworld", {"documents": 9, "zipf": 7.0}, r"microworld: zipf is 7"),
        ("data", "microworld", {}, r"microworld lacks documents"),
        ("data", "heldout", 1.5, "heldout is 1.5; give a share between 0 and 1"),
        ("tokenizer", "kind", "words", "kind is 'words'; it can be character"),
        ("objective", "density", 0.2, r"objective\.density is unknown; known: masking, sentences"),
        ("objective", "masking", {"ratio": 2}, r"objective\.masking: Masking\.ratio is 2"),
        ("objective", "masking", 3, r"objective\.masking is 3; give a mapping"),
    ],
)  # fmt: skip
def test_wrong_settings_name_file_key_and_remedy(
    section: str, key: str, value: Any, message: str, write: Any
) -> None:
    settings = content()
    settings.setdefault(section, {})[key] = value
    with pytest.raises(SettingsError, match=message):
        load_recipe(write(settings))


def test_missing_sections_and_unknown_families_are_named(write: Any) -> None:
    settings = content()
    del settings["training"]
    with pytest.raises(SettingsError, match=r"small\.yml lacks training"):
        load_recipe(write(settings))
    with pytest.raises(
        SettingsError, match=r"small\.yml\.family is 'elmo'; it can be bert, gpt, t5"
    ):
        load_recipe(write({**content(), "family": "elmo"}))
    with pytest.raises(SettingsError, match=r"small\.yml is unknown|did you mean|known:"):
        load_recipe("bert-zh-tin")


def test_unknown_corpora_and_files_are_named(write: Any, tmp_path: Path) -> None:
    settings = content()
    settings["data"] |= {"corpus": "zh_wikki", "text": None}
    with pytest.raises(SettingsError, match="zh_wikki is unknown; did you mean zh_wiki"):
        load_recipe(write(settings))
    with pytest.raises(SettingsError, match=r"nothing\.yml cannot be read"):
        load_recipe(tmp_path / "nothing.yml")
    (tmp_path / "broken.yml").write_text("a: [1", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"broken\.yml is not valid YAML"):
        load_recipe(tmp_path / "broken.yml")
    settings["data"] |= {"corpus": None, "text": "gone.txt"}
    with pytest.raises(SettingsError, match=r"data\.text names .*gone\.txt, which is no file"):
        load_recipe(write(settings))


def test_one_document_cannot_be_on_two_sides(write: Any) -> None:
    settings = content()
    settings["data"]["lines_per_document"] = None
    with pytest.raises(SettingsError, match="leaves no text for"):
        read_documents(load_recipe(write(settings)).data)


def test_a_folder_of_another_run_is_refused(write: Any, tmp_path: Path) -> None:
    pretrain(write(content(steps=1)), tmp_path / "out")
    with pytest.raises(CheckpointError, match="holds a run already"):
        pretrain(tmp_path / "small.yml", tmp_path / "out")
    with pytest.raises(
        CheckpointError, match=r"training\.learning_rate was 0\.01 and is now 0\.02"
    ):
        pretrain(write(content(steps=1, learning_rate=0.02)), tmp_path / "out", resume=True)
    pretrain(write(content(steps=1, progress=True)), tmp_path / "out", resume=True)


def test_settings_hold_for_recipes_made_in_code() -> None:
    with pytest.raises(ValueError, match="give one of the four"):
        DataSettings()
    assert isinstance(load_recipe("bert-zh-offline"), Recipe)


def test_a_start_that_failed_does_not_claim_the_folder(write: Any, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"Step \d+: the loss is .*No state of this run"):
        pretrain(write(content(learning_rate=1e30, max_grad_norm=None)), tmp_path / "out")
    assert pretrain(write(content(steps=1)), tmp_path / "out").history.steps == [1]


def test_a_recipe_can_read_the_microworld(write: Any) -> None:
    settings = content()
    settings["data"] = {"microworld": {"documents": 60, "size": "core"}, "max_length": 14}
    recipe = load_recipe(write(settings))
    sides = read_documents(recipe.data)
    again = read_documents(recipe.data)
    assert sides == again
    assert 0 < len(sides["heldout"]) < len(sides["train"]) <= 60
    known = {line for document in sides["train"] for line in document}
    assert not known & {line for document in sides["heldout"] for line in document}
