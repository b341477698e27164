"""Fine-tuning by name: splits, starts, what is kept, what is looked at; on data made up here."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from task_samples import CHARACTERS

from chapter10 import (
    BertConfig,
    BertForPreTraining,
    BertForSequenceClassification,
    Tokenizer,
)
from chapter10.cli import main
from chapter10.data import Answer, Examples, LabelledText, NLIExample, Question
from chapter10.tasks import (
    BASELINES,
    TASKS,
    Classification,
    QuestionAnswering,
    TextExample,
    baseline_scores,
    choose,
    finetune,
    finetuning,
    learning_rate_for,
    make_splits,
    start,
)

DATA: dict[tuple[str, str | None], list] = {}


def reviews() -> list[LabelledText]:
    """300 short reviews, 好 in the good ones; some stand there twice."""
    made = [
        LabelledText(f"{'天气雨花'[n % 4]}{n}{'很好' if n % 3 else '真坏'}", int(n % 3 > 0))
        for n in range(300)
    ]
    return made + made[:20]


@pytest.fixture(autouse=True)
def made_up_data(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def load(name: str, split: str | None = None) -> Examples:
        return Examples(DATA[name, split], {"rows left out by the parser": 1})

    monkeypatch.setattr(finetuning, "load", load)
    monkeypatch.setattr(
        finetuning,
        "RANDOM_START",
        replace(
            finetuning.RANDOM_START,
            hidden_size=32,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=64,
        ),
    )
    DATA["waimai_10k", None] = reviews()
    yield
    DATA.clear()


@pytest.fixture
def pretrained(tmp_path: Path) -> Path:
    config = BertConfig(
        vocab_size=CHARACTERS.vocab_size,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=32,
    )
    folder = tmp_path / "pretrained"
    BertForPreTraining(config).save_pretrained(folder)
    CHARACTERS.save_pretrained(folder)
    return folder


def test_a_run_and_what_it_keeps(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = finetune(
            "sentiment", folder=tmp_path, labels=200, steps=150, seed=3, progress=False
        )
    assert result.metrics["accuracy"] == 1.0 > result.baselines["most frequent class"]["accuracy"]
    assert result.examples["train"] == 200
    assert result.notes["repeated examples"] == 20
    assert result.notes["rows left out by the parser"] == 1
    assert [row[0] for row in result.rows()] == ["accuracy", "macro_f1"]
    assert all("character n-grams" in row[2] for row in result.rows())
    record = json.loads((tmp_path / "finetuning.json").read_text())
    assert record["seed"] == 3
    assert record["metrics"] == result.metrics
    assert record["labels"] == ["negative", "positive"]
    model = BertForSequenceClassification.from_pretrained(tmp_path)
    task = Classification(Tokenizer.from_pretrained(tmp_path), record["labels"])
    found = task.predict(model, [TextExample("天气很好"), TextExample("天气真坏")])
    assert [prediction.label for prediction in found] == ["positive", "negative"]


def test_the_same_seed_gives_the_same_run() -> None:
    def run(seed: int) -> finetuning.FineTuning:
        return finetune("sentiment", labels=32, steps=6, seed=seed, progress=False)

    one, again, other = run(1), run(1), run(2)
    assert one.history.losses == again.history.losses
    assert one.metrics == again.metrics
    assert one.history.losses != other.history.losses


def test_no_part_shares_a_text_and_the_test_set_is_the_same_for_all() -> None:
    named = TASKS["sentiment"]
    splits = make_splits(named)
    keys = [{named.key(example) for example in part} for part in (splits.train, splits.test)]
    keys.append({named.key(example) for example in splits.validation})
    assert sum(map(len, keys)) == len(set.union(*keys)) == 300
    task = named.make(CHARACTERS, 64)
    one, two = (choose(task, splits, labels=40, seed=seed) for seed in (1, 2))
    assert (one.test, one.validation) == (two.test, two.validation)
    assert len(one.train) == 40
    assert set(one.train) != set(two.train)
    few = choose(task, splits, labels=10, seed=1)
    assert set(few.train) < set(one.train)  # a larger budget adds labels, it changes none


def test_what_is_in_the_published_test_set_is_not_learned_from() -> None:
    pool = [NLIExample(f"雨{n}", "天", "neutral") for n in range(50)]
    DATA["ocnli", "train"] = [*pool, NLIExample("雨0", "花", "entailment")]
    DATA["ocnli", "dev"] = [NLIExample("雨0", "猫", "contradiction")]
    splits = make_splits(TASKS["nli"])
    assert splits.notes["training examples that are in the test set"] == 2
    assert not any(example.text == "雨0" for example in [*splits.train, *splits.validation])
    assert [example.text for example in splits.test] == ["雨0"]


def test_what_cannot_be_encoded_is_left_out_and_counted() -> None:
    questions = [
        Question(str(n), f"小猫坐在窗台{n}", "在哪？", (Answer("窗台", 4),)) for n in range(60)
    ]
    questions += [
        Question(f"free {n}", f"天气{n}", "在哪？", (Answer("东", None),)) for n in range(60)
    ]
    DATA["cmrc2018", "dev"] = questions
    task = QuestionAnswering(CHARACTERS, max_length=32)
    splits = choose(task, make_splits(TASKS["qa"]), labels=30, seed=0)
    assert len(splits.train) == 30
    assert splits.notes["train examples left out: answer not in its document"] > 0
    assert all(example.answers[0].start is not None for example in splits.train)
    # Without a place an answer can still be scored.
    assert any(example.answers[0].start is None for example in splits.test)
    assert len(splits.test) == len(make_splits(TASKS["qa"]).test)


def test_nothing_usable_is_said() -> None:
    DATA["ocnli", "train"] = [NLIExample(f"雨{n}" * 30, "天", "neutral") for n in range(50)]
    DATA["ocnli", "dev"] = [NLIExample("花", "天", "neutral")]
    task = Classification(CHARACTERS, ("neutral", "other"), max_length=16)
    with pytest.raises(ValueError, match="longer than the model"):
        choose(task, make_splits(TASKS["nli"]), labels=8, seed=0)


def test_the_body_starts_pretrained_and_the_head_random(pretrained: Path) -> None:
    task = TASKS["sentiment"].make(CHARACTERS, 32)
    body = BertForPreTraining.from_pretrained(pretrained).bert.state_dict()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one, again, other = (start(task, pretrained, seed=seed) for seed in (0, 0, 1))
    for model in (one, other):
        for name, tensor in model.bert.state_dict().items():
            torch.testing.assert_close(tensor, body[name], rtol=0, atol=0)
    torch.testing.assert_close(one.classifier.weight, again.classifier.weight, rtol=0, atol=0)
    assert not torch.equal(one.classifier.weight, other.classifier.weight)
    drawn = start(task, None, seed=0)
    assert not torch.equal(
        drawn.bert.embeddings.word_embeddings.weight, one.bert.embeddings.word_embeddings.weight
    )


def test_fine_tuning_a_pretrained_model(pretrained: Path) -> None:
    result = finetune("sentiment", model=pretrained, labels=40, steps=8, progress=False)
    assert result.start == str(pretrained)
    assert result.metrics["accuracy"] > 0


def test_a_tokeniser_of_another_model_is_refused(pretrained: Path) -> None:
    Tokenizer.train(["天气雨花猫", *map(chr, range(0x4E00, 0x4F00))]).save_pretrained(pretrained)
    with pytest.raises(ValueError, match="do not belong together"):
        finetune("sentiment", model=pretrained, labels=8, steps=1, progress=False)


def test_test_examples_are_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights are chosen by validation examples, and test examples change nothing."""
    asked: list[frozenset[TextExample]] = []
    predict = Classification.predict

    def spy(self: Classification, model: torch.nn.Module, examples: list[TextExample]) -> list:
        asked.append(frozenset(examples))
        return predict(self, model, examples)

    monkeypatch.setattr(Classification, "predict", spy)
    result = finetune("sentiment", labels=32, steps=8, progress=False)
    splits = make_splits(TASKS["sentiment"])
    test, validation = frozenset(splits.test), frozenset(splits.validation)
    assert [examples <= test for examples in asked] == [False] * (len(asked) - 1) + [True]
    assert all(examples <= validation for examples in asked[:-1])
    assert len(asked) == len(result.history.evaluations) + 1
    assert result.history.best_step is not None


def test_n_grams_are_tuned_on_validation_examples_alone() -> None:
    task = TASKS["sentiment"].make(CHARACTERS, 32)
    splits = make_splits(TASKS["sentiment"])
    test = list(splits.test)
    flipped = [replace(e, label="negative" if e.label == "positive" else "positive") for e in test]
    given = task, splits.train, splits.validation
    straight = baseline_scores("character n-grams", *given, test)["accuracy"]
    turned = baseline_scores("character n-grams", *given, flipped)["accuracy"]
    assert straight + turned == pytest.approx(1)


def test_every_named_task_is_whole() -> None:
    for name, named in TASKS.items():
        task = named.make(CHARACTERS, 64)
        assert task.max_length == 64
        assert set(named.baselines) <= set(BASELINES), name
        assert named.title.startswith("Case ")


def test_learning_rate_falls_with_width() -> None:
    small, base = BertConfig(hidden_size=128, num_attention_heads=4), BertConfig()
    assert learning_rate_for(small) > learning_rate_for(base) == pytest.approx(3e-5)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["finetune", "sentimant"], "Did you mean sentiment"),
        (["finetune", "qa", "--labels", "1"], "at least 2"),
        (["finetune", "qa", "--steps", "0"], "steps is 0"),
        (["finetune", "qa", "--model", "no/such/folder"], "no folder"),
    ],
)
def test_the_command_line_says_what_is_wrong(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error


def test_the_command_line_prints_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["finetune", "sentiment", "--labels", "20", "--steps", "2"]
    assert main([*arguments, "--folder", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "accuracy" in printed
    assert "most frequent class" in printed
    assert (tmp_path / "out" / "model.safetensors").is_file()
