"""The page `nli`: its baselines read what they say, its changes change that only, its checks fail
without fine-tuning."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from pages import run_page

from chapter10.experiments import downstream, wordings
from chapter10.experiments import nli as page
from chapter10.experiments.downstream import Fitted
from chapter10.experiments.wordings import contrast, familiar_pairs, is_familiar
from chapter10.models import shipped
from chapter10.tasks import start
from chapter10.training import History

SEED = 7
VALIDATION = page.pairs("validation", 200)


def untrained(seed: int = SEED) -> Fitted:
    """The model before fine-tuning: a pretrained body, a random head."""
    task = downstream.make_task("nli")
    model = start(task, shipped(downstream.CHECKPOINT), seed=seed)
    return Fitted(task, model, History(losses=[]))


def idle(name: str, begin: str, seed: int, **options: Any) -> Fitted:
    """A training in which nothing is learned."""
    return untrained(seed)


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    return untrained()


# --- the data


def test_labels_are_balanced_in_every_kind() -> None:
    counts = page.label_counts(page.pairs("train", 500, SEED))
    assert counts.shape == (7, 3)
    assert counts.sum() == 500
    assert counts.min() > 0.5 * 500 / 21
    assert counts.max() < 1.5 * 500 / 21


def test_one_of_each_is_one_of_each() -> None:
    found = page.one_of_each(page.pairs("train", 500, SEED))
    wanted = [(kind, label) for kind in page.KINDS for label in page.RELATIONS]
    assert [(pair.kind, pair.label) for pair in found] == wanted


def test_overlap_and_surface_count_characters() -> None:
    pair = page.Inference("小林忘了带伞。", "小林没带伞。", "entailment", "forget")
    assert page.overlap(pair) == pytest.approx(4 / 5)  # 没 is new, the full stop does not count
    assert page.surface(pair) == [pytest.approx(4 / 5), 7, 6, 1, 1]


def test_the_two_exams_differ_in_their_wordings_alone() -> None:
    train, new = page.pairs("train", 500, SEED), VALIDATION
    known = familiar_pairs("validation", 100)
    assert len(set(known)) == 100
    assert all(map(is_familiar, [*train, *known]))
    assert not any(map(is_familiar, new))
    people = [
        {
            token.text
            for pair in found
            for token in pair.premise_sentence.tokens
            if token.role in ("who", "other", "third")
        }
        for found in (train, known, new)
    ]
    assert not people[0] & (people[1] | people[2])
    assert page.label_counts(known).sum() == 100


def test_more_familiar_pairs_than_there_are_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordings, "is_familiar", lambda pair: False)
    with pytest.raises(ValueError, match="validation has 0 familiar pairs, of 7"):
        familiar_pairs("validation", 7)


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


def test_every_pair_can_be_turned_and_turned_back() -> None:
    opposite = {"entailment": "contradiction", "contradiction": "entailment"}
    for pair in (*page.pairs("train", 200, SEED), *VALIDATION):
        turned = contrast(pair)
        assert turned.premise == pair.premise
        assert turned.hypothesis != pair.hypothesis
        assert turned.label == opposite.get(pair.label, "neutral")
        assert abs(len(turned.hypothesis) - len(pair.hypothesis)) <= 1
        assert contrast(turned) == pair


def test_the_change_is_the_one_that_turns_the_label() -> None:
    """In the kind of comparisons the truth can be read off the hypothesis' own words."""
    for pair in VALIDATION:
        sentences = pair.hypothesis_sentence, contrast(pair).hypothesis_sentence
        words, now = (sentence.words for sentence in sentences)
        if pair.kind == "taller":
            said, turned = (
                [token.text for token in sentence.tokens if token.role in ("who", "third")]
                for sentence in sentences
            )
            assert said == turned[::-1]
            assert sorted(words) == sorted(now)
        else:
            assert pair.kind == "first_then" or len(set(words) ^ set(now)) <= 3


def test_what_the_grammar_does_not_write_cannot_be_turned() -> None:
    pair = VALIDATION[0]
    other = next(one for one in VALIDATION if one.kind != pair.kind)
    with pytest.raises(ValueError, match="No pattern of kind"):
        contrast(dataclasses.replace(pair, kind=other.kind))


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
    answers = [pair.label if pair.kind == "taller" else "" for pair in VALIDATION]
    found = page.by_kind(VALIDATION, answers)
    assert found == {kind: float(kind == "taller") for kind in page.KINDS}


def test_by_label_counts_each_relation_by_itself() -> None:
    found = page.by_label(VALIDATION, ["neutral"] * len(VALIDATION))
    assert found == {"entailment": 0.0, "neutral": 1.0, "contradiction": 0.0}


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every training idle, and exams of 40."""
    monkeypatch.setattr(downstream, "train_model", idle)
    monkeypatch.setattr(page, "TEST", 40)
    monkeypatch.setattr(page, "LABELS", 256)
    page.test_answers.cache_clear()
    page.shortcut_scores.cache_clear()
    yield
    page.test_answers.cache_clear()
    page.shortcut_scores.cache_clear()


@pytest.mark.usefixtures("_small")
def test_every_arm_runs() -> None:
    experiment = page.EXPERIMENTS["B14"]
    assert experiment.arms == ("领先", "领先·老说法")
    values = {arm: experiment.run(arm, 0).value for arm in (*experiment.arms, *experiment.controls)}
    assert values["领先"] == values["领先·老说法"] == 0  # both starts are the same idle model
    assert values["预训练 4096"] == values["预训练 16"]
    with pytest.raises(ValueError, match="no arm '预训练 17'"):
        experiment.run("预训练 17", 0)
    kinds = [values[f"预训练·老说法·{kind}"] for kind in page.KINDS.values()]
    assert min(kinds) <= values["预训练 4096·老说法"] <= max(kinds)


# --- the page


def test_the_shortcut_is_worked_out_right() -> None:
    """A reader of premises alone comes near the numbers that the page works out."""
    train, known = page.pairs("train", 1000, SEED), page.pairs("train", 500, SEED + 1)
    found = page.by_kind(known, page.premise_answers(train, VALIDATION, known))
    for kind, expected in page.PREMISE_ONLY.items():
        assert abs(found[kind] - expected) < 0.2, (kind, found[kind])
    means = [sum(shares.values()) / len(page.KINDS) for shares in (found, page.PREMISE_ONLY)]
    assert means[0] == pytest.approx(means[1], abs=0.06)


def test_the_page_fails_without_fine_tuning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs as it stands, but the model does not learn; the page has to notice."""
    monkeypatch.setattr(downstream, "train_model", idle)
    monkeypatch.setattr(page, "LABELS", 500)  # for the shortcuts, to be quick
    monkeypatch.setattr(page, "TEST", 300)
    page.shortcut_scores.cache_clear()
    failures = run_page("nli")
    page.shortcut_scores.cache_clear()
    assert any("evidence.check" in cell for cell in failures)
