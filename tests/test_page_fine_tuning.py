"""The page `fine-tuning`: parts, distances and surfaces are right, and its checks fail without
training; the table of `glue` counts right and refuses what it cannot use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pages import run_page

from chapter10 import GPT, BertConfig, BertForPreTraining, GPTConfig, Tokenizer, evidence, tasks
from chapter10.claims import find_claim
from chapter10.cli import main, make_parser
from chapter10.experiments import downstream, glue, loss_surface, parts
from chapter10.experiments import fine_tuning as page
from chapter10.hub import CheckpointError
from chapter10.models import shipped
from chapter10.plotting import loss_surfaces, panels, part_origins
from chapter10.tasks import MICRO_TASKS, start
from chapter10.tasks.finetuning import learning_rate_for
from chapter10.training import History


def write_bert(folder: Path, positions: int = 160, layers: int = 3) -> Path:
    """A tiny BERT with random weights and the shipped tokeniser."""
    tokenizer = Tokenizer.from_pretrained(shipped(downstream.CHECKPOINT))
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=positions,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    torch.manual_seed(0)
    BertForPreTraining(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Few steps, few examples to validate and test on, and nothing of that is remembered."""
    exam = downstream.exam_examples
    monkeypatch.setattr(downstream, "VALIDATION", 10)
    monkeypatch.setattr(downstream, "steps_for", lambda labels: 4)
    for module in (downstream, glue):
        monkeypatch.setattr(module, "exam_examples", lambda name, which: exam(name, which, 20))
    downstream.baseline_scores.cache_clear()
    yield
    downstream.baseline_scores.cache_clear()


# --- parts, where they come from, how far they move


@pytest.mark.parametrize("name", list(MICRO_TASKS))
def test_every_parameter_is_of_one_part_and_only_the_head_starts_random(
    tiny: Path, name: str
) -> None:
    task = downstream.make_task(name, tiny)
    model = start(task, tiny, seed=0)
    found = parts.parts_of(parts.weights_of(model))
    assert sorted(chain(*found.values())) == sorted(n for n, _ in model.named_parameters())
    pooled = [parts.POOLER] * (name in ("sentiment", "nli"))
    assert list(found) == [*page.PARTS[:-1], *pooled, parts.HEAD]
    origins = parts.origins(model, tiny)
    assert {part for part, origin in origins.items() if origin == "random"} == {parts.HEAD}


def test_a_random_start_copies_nothing_that_was_learned(tiny: Path) -> None:
    model = start(downstream.make_task("sentiment", tiny), tiny, seed=0, pretrained=False)
    assert set(parts.origins(model, tiny).values()) == {"random"}


def test_seeds_change_the_head_and_nothing_else(tiny: Path) -> None:
    task = downstream.make_task("sentiment", tiny)
    one, two = (parts.weights_of(start(task, tiny, seed=seed)) for seed in (0, 1))
    changed = {parts.part_of(name) for name in one if not torch.equal(one[name], two[name])}
    assert changed == {parts.HEAD}


def test_distances_are_shares_of_the_length_at_the_start(tiny: Path) -> None:
    model = start(downstream.make_task("sentiment", tiny), tiny, seed=0)
    before = parts.weights_of(model)
    assert set(parts.moved(before, parts.weights_of(model)).values()) == {0.0}
    with torch.no_grad():
        for name in parts.parts_of(before)["第 2 层"]:
            model.get_parameter(name).mul_(-0.5)
    found = parts.moved(before, parts.weights_of(model))
    assert found.pop("第 2 层") == pytest.approx(1.5)
    assert set(found.values()) == {0.0}


@pytest.mark.parametrize(
    ("variant", "still"),
    [
        ("全部", set()),
        ("最后一层", {parts.EMBEDDINGS, "第 1 层", "第 2 层"}),
        ("只有头", {*page.PARTS[:-1], parts.POOLER}),
    ],
)
def test_frozen_parts_stay_and_all_others_move(
    tiny: Path, few: None, variant: str, still: set[str]
) -> None:
    before: dict[str, torch.Tensor] = {}
    ends: dict[str, float] = {}

    def prepare(model: Any) -> None:
        before.update(parts.weights_of(model))
        parts.freeze(variant)(model)

    def kept(task: Any, model: Any, *rest: Any) -> History:
        batch = task.collate(task.training_rows(rest[0]))
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        task.loss(model, batch)[0].backward()
        optimizer.step()
        ends.update(parts.moved(before, parts.weights_of(model)))
        return History()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(downstream, "fit", kept)
        downstream.train_model(
            "sentiment", "pretrained", 0, labels=16, checkpoint=tiny, rate=0.1, prepare=prepare
        )
    assert {part for part, distance in ends.items() if distance == 0.0} == still


def test_the_gap_is_the_smaller_of_the_whole_run_and_its_end() -> None:
    assert page.quarters([4.0, 2.0, 1.0, 1.0, 0.5, 0.5, 0.0, 0.5]) == [3.0, 1.0, 0.5, 0.25]
    assert page.gap([1, 1, 1, 1], [2, 2, 2, 1.25]) == pytest.approx(0.25)  # the end
    assert page.gap([1, 1, 1, 0], [1, 1, 1, 1]) == pytest.approx(0.25)  # the whole
    assert page.gap([2, 2, 2, 2], [1, 1, 1, 1]) == -1


@pytest.mark.parametrize("variant", parts.VARIANTS)
def test_gradients_arrive_where_the_variant_says_and_are_cleared(tiny: Path, variant: str) -> None:
    task = downstream.make_task("sentiment", tiny)
    model = start(task, tiny, seed=0)
    parts.freeze(variant)(model)
    examples = downstream.converted(
        "sentiment", downstream.micro_examples("sentiment", "train", 10, 0)
    )
    found = parts.gradients(task, model, examples)
    assert {part: length > 0 for part, length in found.items()} == {
        part: parts.VARIANTS[variant](part) for part in found
    }
    assert all(parameter.grad is None for parameter in model.parameters())


# --- the loss on a plane


def test_the_surface_holds_start_and_end_and_leaves_the_model_alone(tiny: Path) -> None:
    task = downstream.make_task("sentiment", tiny)
    model = start(task, tiny, seed=0)
    before = parts.weights_of(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    after = parts.weights_of(model)
    examples = downstream.converted(
        "sentiment", downstream.micro_examples("sentiment", "train", 20, 0)
    )
    values = loss_surface.surface(task, model, before, after, examples, 0)
    assert values.shape == (len(loss_surface.ACROSS), len(loss_surface.ALONG))
    assert all(torch.equal(after[name], weight) for name, weight in parts.weights_of(model).items())

    def loss() -> float:
        total, count = task.loss(model, task.collate(task.training_rows(examples)))
        return float(total.detach()) / float(count)

    middle = loss_surface.ACROSS.index(0.0)
    assert values[middle, loss_surface.ALONG.index(1.0)] == pytest.approx(loss(), abs=1e-5)
    loss_surface.fill(model, before)
    assert values[middle, loss_surface.ALONG.index(0.0)] == pytest.approx(loss(), abs=1e-5)
    assert np.ptp(values) > 0


def test_a_random_direction_is_as_long_as_the_weights_row_by_row() -> None:
    weights = {"matrix": torch.randn(5, 7), "bias": torch.randn(5)}
    found = loss_surface.random_direction(weights, 3)
    torch.testing.assert_close(found["matrix"].norm(dim=1), weights["matrix"].norm(dim=1))
    assert not found["bias"].any()
    again, other = (loss_surface.random_direction(weights, seed) for seed in (3, 4))
    assert torch.equal(found["matrix"], again["matrix"])
    assert not torch.equal(found["matrix"], other["matrix"])


# --- micro-GLUE


def test_an_average_weighs_every_task_the_same() -> None:
    assert glue.Line("x", {"a": 0.2, "b": 0.4, "c": 0.9}).average == pytest.approx(0.5)


def test_the_table_has_the_checkpoint_and_its_baselines(
    tiny: Path, few: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["glue", str(tiny), "--labels", "4"]) == 0
    shown = capsys.readouterr().out
    header, *rows = shown.splitlines()
    assert header.split()[-5:] == [*MICRO_TASKS, "average"]
    assert [row.split()[0] for row in rows] == [tiny.name, "majority", "bag"]
    for row in rows:
        *scores, average = map(float, row.split()[-5:])
        assert len(scores) == 4
        assert average == pytest.approx(sum(scores) / 4, abs=0.002)
        assert all(0 <= score <= 1 for score in scores)


def test_a_row_is_what_the_same_fine_tunings_score(tiny: Path, few: None) -> None:
    first, *_ = glue.micro_glue(tiny, labels=4, scratch=True)
    assert first.name == f"{tiny.name}, random weights"
    rate = learning_rate_for(BertConfig(vocab_size=9, hidden_size=16, num_attention_heads=2))
    fitted = downstream.train_model("tagging", "scratch", 0, labels=4, checkpoint=tiny, rate=rate)
    exam = downstream.exam_examples("tagging", downstream.JUDGED["tagging"])
    right = downstream.judged("tagging", fitted, exam)
    assert first.scores["tagging"] == downstream.share(right)


def test_each_baseline_row_takes_the_tasks_own_baselines_in_the_judged_exam(few: None) -> None:
    taken: dict[str, list[str]] = {}

    def noted(name: str, baseline: str, seed: int, labels: int) -> dict[str, float]:
        taken.setdefault(name, []).append(baseline)
        judged = downstream.JUDGED[name]
        return {exam: float(exam == judged) for exam in downstream.WORDINGS}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(glue, "baseline_scores", noted)
        lines = [glue.baseline_line(row, 0) for row in glue.BASELINES]
    assert [line.average for line in lines] == [1, 1]
    assert {name: chosen[0] for name, chosen in taken.items()} == {
        name: task.baselines[0] for name, task in MICRO_TASKS.items()
    }
    assert taken["tagging"][1] == "most frequent tag of the word"
    assert taken["nli"][1] == taken["sentiment"][1] == "character n-grams"


def test_only_models_as_large_as_the_shipped_one_have_the_rates_found_for_it(tiny: Path) -> None:
    assert glue.rate_for(shipped(downstream.CHECKPOINT)) is None
    assert glue.rate_for(shipped("bert-zh-micro-sop")) is None
    assert glue.rate_for(tiny) == 5e-4  # as deep, and narrower


def write_gpt(folder: Path) -> Path:
    config = GPTConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    GPT(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("make", "words", "sentence"),
    [
        (lambda folder: folder / "no" / "such", [], "There is no folder"),
        (lambda folder: folder, [], "holds no config.json"),
        (write_gpt, [], "holds a model of type 'gpt2'; micro-GLUE takes 'bert' and 'albert'"),
        (lambda folder: write_bert(folder, 128), [], "positions for 128 tokens"),
        (write_bert, ["--labels", "1"], "labels is 1; give at least 2"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(
    make: Callable[[Path], Path],
    words: list[str],
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["glue", str(make(tmp_path)), *words]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error


def test_a_broken_file_is_refused(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match="not readable as JSON"):
        glue.micro_glue(tmp_path)


def test_by_default_each_task_has_its_own_budget() -> None:
    assert make_parser().parse_args(["glue", "x"]).labels is None
    asked: list[tuple[str, int]] = []

    def noted(name: str, baseline: str, seed: int, labels: int) -> dict[str, float]:
        asked.append((name, labels))
        return dict.fromkeys(downstream.WORDINGS, 0.0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(glue, "baseline_scores", noted)
        glue.baseline_line("majority", 0)
        glue.baseline_line("majority", 0, labels=4)
    assert asked == [*downstream.LABELS.items(), *((name, 4) for name in downstream.LABELS)]


# --- figures


def test_figures_refuse_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="are no parts"):
        part_origins({"a": "copied"}, {"all": ["b"]}, "in", "out")
    with pytest.raises(ValueError, match="are no origins"):
        part_origins({"a": "borrowed"}, {"all": ["a"]}, "in", "out")
    with pytest.raises(ValueError, match=r"\(2, 3\)"):
        loss_surfaces({"x": np.ones((3, 2))}, (0, 0.5, 1), (0, 1))


def test_panels_share_one_scale_and_one_legend() -> None:
    series = {"a": [1.0, 2.0], "b": [[0.0, 5.0], [0.0, 3.0]]}
    figure = panels(
        {title: ([1, 2], series) for title in ("p", "q", "r")},
        x_label="x",
        y_label="y",
        baselines={"q": {"line": 4.0}},
    )
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title() for axes in shown] == ["p", "q", "r"]
    assert len({axes.get_ylim() for axes in shown}) == 1
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "line"]


# --- the page


def test_the_claims_fail_where_nothing_was_learned() -> None:
    with pytest.raises(AssertionError, match="B8"):
        evidence.check("B8", 0.0)
    with pytest.raises(AssertionError, match="B9"):
        evidence.check("B9", page.gap([0.7] * 4, [0.7] * 4))
    assert not find_claim("B10").holds(0.0)


def test_the_page_fails_without_pretraining_and_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs as it stands, but bodies start random and nothing is learned; the page has to
    notice either."""

    def idle(
        task: Any, model: Any, train: Any, validation: Any, config: Any, watch: Any
    ) -> History:
        watch(model)
        scores = [{"step": step, task.measure: 0.5} for step in (0, config.steps)]
        return History(losses=[0.7] * config.steps, evaluations=scores)

    def random_start(task: Any, model: Any, *, seed: int, pretrained: bool = True) -> Any:
        return start(task, model, seed=seed, pretrained=False)

    monkeypatch.setattr(downstream, "fit", idle)
    for module in (downstream, tasks):
        monkeypatch.setattr(module, "start", random_start)
    failures = run_page("fine-tuning")
    for sentence in (
        'assert set(origins.values()) == {"copied"}',  # the random start
        'evidence.check("B8"',  # and without training
        "assert early[",
        "assert values[middle, at_end] <",
        'assert score_of[page.MAIN]["pretrained"] >',
    ):
        assert any(sentence in cell for cell in failures), sentence
