"""The models that come with the package: what they promise, and recipes that begin as they did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from chapter10 import BertForPreTraining, Tokenizer
from chapter10.filling import fill
from chapter10.models import shipped
from chapter10.recipes import recipe, shipped_recipes
from chapter10.training import train

MODELS = sorted(path.parent for path in shipped("bert-zh-micro").parent.glob("*/config.json"))
ALL_BYTES = 25_000_000


def test_a_shipped_model_is_found_or_the_names_are_told() -> None:
    with pytest.raises(ValueError, match="there are bert-zh-micro"):
        shipped("bert-zh-mirco")


def test_all_models_together_are_small() -> None:
    sizes = [file.stat().st_size for folder in MODELS for file in folder.iterdir()]
    assert sum(sizes) < ALL_BYTES


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_a_shipped_model_fits_its_promise(folder: Path) -> None:
    assert (folder / "model.safetensors").stat().st_size < 4_000_000
    assert folder.name in shipped_recipes()
    card = (folder / "README.md").read_text(encoding="utf-8")
    for heading in ("数据", "步数", "种子", "时间", "损失", "许可", "用途与局限"):
        assert heading in card
    recorded = json.loads((folder / "training.json").read_text("utf-8"))
    assert f"{recorded['evaluations'][-1]['masked_accuracy']:.3f}" in card
    assert (
        recorded["evaluations"][-1]["masked_accuracy"] > 4 * recorded["baseline"]["masked_accuracy"]
    )


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_a_shipped_model_fills_in_blanks(folder: Path) -> None:
    model, tokenizer = (
        BertForPreTraining.from_pretrained(folder),
        Tokenizer.from_pretrained(folder),
    )
    (guesses,) = fill(model, tokenizer, "小明明天要去图书[MASK]。", top=5)
    assert "馆" in {guess.token for guess in guesses}


@pytest.mark.slow
@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_the_recipe_begins_as_it_did_when_the_model_was_made(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = json.loads((folder / "training.json").read_text("utf-8"))
    first = recorded["losses"]["first"]
    losses: list[float] = []

    def begin(model: Any, batches: Any, loss_fn: Any, config: Any, **options: Any) -> Any:
        def counted(one: Any, batch: Any) -> Any:
            sums = loss_fn(one, batch)
            losses.append(sum((total / max(count, 1)).item() for total, count in sums.values()))
            if len(losses) == len(first):
                raise StopIteration
            return sums

        return train(model, batches, counted, config)

    monkeypatch.setattr(recipe, "train", begin)
    with pytest.raises(StopIteration):
        recipe.pretrain(folder.name, tmp_path)
    assert losses == pytest.approx(first, abs=2e-3)
