"""The command line: every command helps with an example, every mistake gets one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from chapter10 import GPT, BertConfig, BertForPreTraining, GPTConfig, Tokenizer
from chapter10.cli import main
from chapter10.doctor import examine
from chapter10.filling import fill

COMMANDS = ["pretrain", "finetune", "generate", "fill", "evidence", "bench", "doctor"]
ACTIONS = ["list", "fetch", "verify", "sample"]
TEXTS = ["今天天气很好，我们去公园。", "他昨天买了三个苹果。", "小猫在窗台上睡着了。"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bert")
    tokenizer = Tokenizer.train(TEXTS, kind="character", vocab_size=100, style="bert")
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
    )
    BertForPreTraining(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def gpt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gpt")
    tokenizer = Tokenizer.train(TEXTS, kind="character", vocab_size=100, style="gpt")
    config = GPTConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=32,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    GPT(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("words", [[c] for c in COMMANDS] + [["data", a] for a in ACTIONS])
def test_help_shows_an_example(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*words, "--help"])
    assert stop.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"example: python -m chapter10 {' '.join(words)}" in shown


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "required: COMMAND"),
        (["swim"], "invalid choice: 'swim'"),
        (["fill"], "required: model, text"),
        (["pretrain", "bert", "--steps", "many"], "invalid int value"),
        (["data", "fetch"], "required: name"),
    ],
)
def test_bad_arguments(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fill", "no/such/folder", "x"], "There is no folder"),
        (["pretrain", "no-such-recipe"], "no-such-recipe"),
        (["finetune", "cooking"], "cooking"),
        (["data", "sample", "cmrc2019"], "cmrc2018"),
        (["evidence", "B99"], "B99"),
    ],
)
def test_bad_files_and_names(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error


def test_fill(bert: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fill", str(bert), "今天[MASK]气很[MASK]。", "--top", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + 2 * 3
    assert main(["fill", str(bert), "今天天气很好。"]) == 2
    assert "There is no [MASK]" in capsys.readouterr().err


def test_fills_are_the_models_own(bert: Path) -> None:
    model, tokenizer = BertForPreTraining.from_pretrained(bert), Tokenizer.from_pretrained(bert)
    (guesses,) = fill(model, tokenizer, "小[MASK]在窗台上。", top=len(tokenizer))
    assert sum(guess.probability for guess in guesses) == pytest.approx(1.0, abs=1e-4)
    assert [g.probability for g in guesses] == sorted(
        (g.probability for g in guesses), reverse=True
    )
    batch = tokenizer(["小[MASK]在窗台上。"])
    with torch.no_grad():
        logits = model(
            batch.input_ids, batch.attention_mask, batch.token_type_ids
        ).prediction_logits
    place = batch.input_ids[0].tolist().index(tokenizer.mask_token_id)
    assert guesses[0].token_id == logits[0, place].argmax()
    assert guesses[0].token == tokenizer.id_to_token(guesses[0].token_id)


def test_generate(gpt: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["generate", str(gpt), "今天", "--tokens", "8", "--temperature", "1"]
    outputs = []
    for seed in ("1", "1", "2"):
        assert main([*arguments, "--seed", seed]) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] != outputs[2]
    assert outputs[0].startswith("今天")


def test_data_list_names_every_set(capsys: pytest.CaptureFixture[str]) -> None:
    from chapter10.data import registry

    assert main(["data", "list"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in registry())


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    findings = examine()
    assert {each.subject for each in findings} >= {"python", "torch", "device", "memory", "fonts"}
    assert all(each.remedy for each in findings if each.state != "ok")
    assert main(["doctor"]) == int(any(each.state == "problem" for each in findings))
    assert "python" in capsys.readouterr().out


def test_runs_as_a_module() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "chapter10", "--help"], capture_output=True, text=True, check=True
    )
    assert all(command in run.stdout for command in [*COMMANDS, "data"])
