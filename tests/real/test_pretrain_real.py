"""A few hundred steps on real Chinese text: the held-out loss falls well below the baseline."""

import dataclasses
from pathlib import Path

import pytest
import torch

from chapter10 import BertForPreTraining
from chapter10.recipes import load_recipe, pretrain, read_documents
from chapter10.tokenizers import Tokenizer

pytestmark = [pytest.mark.real, pytest.mark.slow]


def test_bert_learns_real_chinese(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = load_recipe("bert-zh-tiny")
    training = dataclasses.replace(
        recipe.training, steps=400, eval_every=100, device="cpu", progress=False
    )
    recipe = dataclasses.replace(
        recipe, training=training, data=dataclasses.replace(recipe.data, share=0.04)
    )
    sides = read_documents(recipe.data)
    train, heldout = ({line for document in sides[side] for line in document} for side in sides)
    assert not train & heldout
    assert len(heldout) > 100

    made = pretrain(recipe, tmp_path)
    with capsys.disabled():
        print(
            f"\n{len(train):,} lines of training, {len(heldout):,} held out, cross entropy in nats"
        )
        for step, loss in zip(*made.history.curve(), strict=True):
            print(f"  step {step:>4}: held-out loss {loss:.3f}")
        print(f"  frequencies alone: {made.baseline['masked']:.3f}; accuracy", end=" ")
        print(
            f"{made.heldout['masked_accuracy']:.3f} against {made.baseline['masked_accuracy']:.3f}"
        )
    _, losses = made.history.curve()
    assert losses[-1] < made.baseline["masked"] - 0.3
    assert losses[-1] == min(losses)
    assert made.heldout["masked_accuracy"] > made.baseline["masked_accuracy"] + 0.05

    # What was saved is what was trained: the same best guesses for a held-out line.
    model = BertForPreTraining.from_pretrained(tmp_path)
    tokenizer = Tokenizer.from_pretrained(tmp_path)
    ids = tokenizer([sorted(heldout)[0]], max_length=64).input_ids
    with torch.no_grad():
        expected = made.model(ids).prediction_logits
        torch.testing.assert_close(model(ids).prediction_logits, expected)
