"""The page `nli`: its baselines read what they say, its changes change that only, its checks fail
without fine-tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest

from chapter10.data.microworld.tokens import Sentence, Token
from chapter10.experiments import downstream
from chapter10.experiments import nli as page
from chapter10.experiments.downstream import Fitted
from chapter10.models import shipped
from chapter10.tasks import start
from chapter10.training import History

NOTEBOOK = Path(__file__).resolve().parent.parent / "book" / "nli.ipynb"
SEED = 7
VALIDATION = page.pairs("validation", 200)


def untrained(seed: int = SEED) -> Fitted:
    """The model before fine-tuning: a pretrained body, a random head."""
    task = downstream.make_task("nli")
    model = start(task, shipped(downstream.CHECKPOINT), seed=seed)
    return Fitted(task, model, History(losses=[]))


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return untrained()


# --- the data


def test_labels_are_balanced_in_every_kind() -> None:
    counts = page.label_counts(page.pairs("train", 1000, SEED))
    assert counts.shape == (7, 3)
    assert counts.sum() == 1000
    assert counts.min() > 0.6 * 1000 / 21
    assert counts.max() < 1.4 * 1000 / 21


def test_one_of_each_is_one_of_each() -> None:
    found = page.one_of_each(page.pairs("train", 1000, SEED))
    wanted = [(kind, label) for kind in page.KINDS for label in page.RELATIONS]
    assert [(pair.kind, pair.label) for pair in found] == wanted


def test_overlap_and_surface_count_characters() -> None:
    pair = page.Inference("小林忘了带伞。", "小林没带伞。", "entailment", "forget")
    assert page.overlap(pair) == pytest.approx(4 / 5)  # 没 is new, the full stop does not count
    assert page.surface(pair) == [pytest.approx(4 / 5), 7, 6, 1, 1]


def test_no_hypothesis_of_the_test_is_worded_as_in_training() -> None:
    """What the page says of new wordings."""

    def wording(pair: page.Inference) -> set[str]:
        return {"着", "拿到", "更", "早", "美滋滋"} & {
            token.text for token in pair.hypothesis_sentence.tokens
        }

    of_test = page.pairs("test", 300)
    assert all(map(wording, [p for p in of_test if p.kind in ("taller", "first_then", "mood")]))
    assert not any(map(wording, page.pairs("train", 300, SEED)))


# --- shortcuts


def test_shortcuts_see_only_their_own_part() -> None:
    """A label that stands in one sentence is found by who reads it, and by nobody else."""

    def marked(count: int, where: str) -> list[page.Inference]:
        labels = list(page.RELATIONS)
        found = []
        for number in range(count):
            sign = "甲乙丙"[number % 3]
            premise, hypothesis = ("天" + sign, "地") if where == "premise" else ("天", "地" + sign)
            found.append(page.Inference(premise, hypothesis, labels[number % 3]))
        return found

    told, hidden = ([marked(60, where)] * 3 for where in ("premise", "hypothesis"))
    assert page.same_relation(told[2], page.premise_answers(*told)) == 1.0
    assert page.same_relation(hidden[2], page.premise_answers(*hidden)) == pytest.approx(1 / 3)
    assert page.same_relation(told[2], page.surface_answers(*told)) == pytest.approx(1 / 3)


# --- changed rows


def test_each_change_changes_that_only(fitted: Fitted) -> None:
    (usual, swapped, flipped, zeros) = (
        page.rows_of(fitted, VALIDATION[:5], change) for change in page.CHANGES
    )
    for row, turned, other, none in zip(usual, swapped, flipped, zeros, strict=True):
        assert sorted(row.input_ids) == sorted(turned.input_ids)
        assert row.input_ids != turned.input_ids
        assert {0, 1} == set(turned.token_type_ids)
        assert row.input_ids == other.input_ids == none.input_ids
        flips = zip(row.token_type_ids, other.token_type_ids, strict=True)
        assert all(before + after == 1 for before, after in flips)
        assert none.token_type_ids == [0] * len(row)
        assert row.label == turned.label == other.label == none.label


def test_changed_answers_are_the_tasks_own_where_nothing_is_changed(fitted: Fitted) -> None:
    predictions = fitted.task.predict(fitted.model, page.texts(VALIDATION[:40]))
    answers = page.changed_answers(fitted, VALIDATION[:40], "照常")
    assert answers == [prediction.label for prediction in predictions]


# --- contrast pairs


def test_every_held_out_pair_can_be_turned_and_turned_back() -> None:
    opposite = {"entailment": "contradiction", "contradiction": "entailment"}
    for pair in page.pairs("validation", 600):
        turned = page.contrast(pair)
        assert turned.premise == pair.premise
        assert turned.hypothesis != pair.hypothesis
        assert turned.label == opposite.get(pair.label, "neutral")
        assert abs(len(turned.hypothesis) - len(pair.hypothesis)) <= 1


@pytest.mark.parametrize(
    ("kind", "said", "turned"),
    [
        ("taller", "和/ADP 小辉 比/VERB ，/PUNCT 奶奶 更/ADV 胖/ADJ 。", "和奶奶比，小辉更胖。"),
        (
            "first_then",
            "星期一 农民 写/VERB 作业 比/ADP 做操/VERB 早/ADJ 。",
            "星期一农民做操比写作业早。",
        ),
        ("kind_of", "昨天 小慧 吃/VERB 的/PART 没有/VERB 饭菜 。", "昨天小慧吃的有饭菜。"),
        ("only", "小梅 昨天 到/VERB 过/AUX 药店 。", "小梅昨天没到过药店。"),
    ],
)
def test_one_change_turns_the_hypothesis_round(kind: str, said: str, turned: str) -> None:
    words = [[*word.split("/"), "NOUN"][:2] for word in said.split()]
    sentence = Sentence(tuple(Token(text, tag) for text, tag in words), "zh")
    pair = page.Inference("", sentence.text, "entailment", kind, sentence, sentence)
    assert page.contrast(pair).hypothesis == turned
    assert page.contrast(pair).label == "contradiction"


def test_other_wordings_cannot_be_turned() -> None:
    with pytest.raises(ValueError, match="give a pair of the splits validation or test"):
        page.contrast(next(p for p in page.pairs("train", 100, SEED) if p.kind == "forget"))


# --- attention


def test_crossing_attention_is_a_share_and_falls_on_the_premise(fitted: Fitted) -> None:
    pair = VALIDATION[0]
    tokens, weights = page.attention(fitted, pair)
    first, second = page.places(pair)
    assert "".join(tokens[first]) == pair.premise
    assert "".join(tokens[second]) == pair.hypothesis
    assert weights.sum(-1).numpy() == pytest.approx(1.0, abs=1e-5)
    shares = page.crossing(fitted, VALIDATION[:3])
    config = fitted.model.config
    assert shares.shape == (config.num_hidden_layers, config.num_attention_heads)
    assert ((shares > 0) & (shares < 1)).all()


# --- evidence


def test_by_kind_counts_each_kind_by_itself() -> None:
    right = [pair.kind == "taller" for pair in VALIDATION]
    found = page.by_kind(right, VALIDATION)
    assert found == {kind: float(kind == "taller") for kind in page.KINDS}


def test_by_label_counts_each_relation_by_itself() -> None:
    found = page.by_label(VALIDATION, ["neutral"] * len(VALIDATION))
    assert found == {"entailment": 0.0, "neutral": 1.0, "contradiction": 0.0}


def test_arms_are_named_once_and_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arms beside those of all cases; the model is untrained, so every value is near chance."""
    monkeypatch.setattr(page, "fitted", lambda begin, seed: untrained(seed))
    monkeypatch.setattr(page, "TEST", 100)
    experiment = page.EXPERIMENTS["B14"]
    assert experiment.arms == ("领先",)
    assert {"预训练·比较", "随机起点·心情", "预训练·调换两句", "只看前提"} < set(
        experiment.controls
    )
    values = [experiment.run(arm, 0).value for arm in ("预训练·段号对调", "预训练·先后")]
    assert np.mean(values) < 0.6


# --- the page


def test_the_page_fails_without_fine_tuning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs as it stands, but neither model learns; the page has to notice."""

    def idle(name: str, begin: str, seed: int, **options: Any) -> Fitted:
        return untrained(seed)

    monkeypatch.setattr(downstream, "train_model", idle)
    failures = run_page()
    assert "evidence.check" in "".join(failures)


def run_page() -> list[str]:
    """Execute the page's code cells one after the other; return those whose assertion failed."""
    namespace: dict[str, Any] = {"display": lambda *shown: None}
    failed = []
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        if cell.cell_type != "code" or "google.colab" in cell.source:
            continue
        try:
            exec(compile(cell.source, "book/nli.ipynb", "exec"), namespace)
        except AssertionError:
            failed.append(cell.source)
    plt.close("all")
    return failed
