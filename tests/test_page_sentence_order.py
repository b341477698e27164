"""The page `sentence-order`: its pairs and baselines count right, and it fails without training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pages import run_page

from chapter10 import evidence
from chapter10.experiments import downstream, sentence_downstream
from chapter10.experiments import sentence_order as page
from chapter10.experiments.sentence_baselines import BASELINES, baseline_answers
from chapter10.objectives import SentencePair
from chapter10.plotting.sentences import cross_tests, embedding_sum
from chapter10.tasks import MICRO_TASKS
from chapter10.training import History

SEED = 7


# --- pairs


def test_half_of_the_pairs_follow_and_the_others_do_not() -> None:
    true = {tuple(two) for two in page.neighbours(page.documents("validation", SEED))}
    for question in page.QUESTIONS:
        asked = page.ask(question, "validation", SEED)
        assert len(asked) > 800
        labels = [one.pair.label for one in asked]
        assert 0.44 < np.mean(labels) < 0.56
        follows = [(one.pair.first, one.pair.second) in true for one in asked]
        kept = [yes for yes, label in zip(follows, labels, strict=True) if label == 0]
        changed = [yes for yes, label in zip(follows, labels, strict=True) if label == 1]
        assert all(kept)
        assert np.mean(changed) < 0.02  # a random sentence may by chance be the true one


def test_swapped_pairs_are_neighbours_the_other_way_round() -> None:
    true = {tuple(two) for two in page.neighbours(page.documents("validation", SEED))}
    swapped = [one.pair for one in page.ask("SOP", "validation", SEED) if one.pair.label == 1]
    assert all((pair.second, pair.first) in true for pair in swapped)


def test_each_pair_knows_the_kind_of_its_document() -> None:
    asked = page.ask("NSP", "validation", SEED)
    assert {one.kind for one in asked} == set(page.KINDS)
    for one in page.of_kind(asked, "day"):
        assert "点，" in one.pair.first  # the clock
    parts = [page.of_kind(asked, kind) for kind in page.KINDS]
    assert sum(map(len, parts)) == len(asked)


def test_no_held_out_person_is_in_a_document_that_is_trained_on() -> None:
    def people(split: Any) -> set[str]:
        found = page.documents(split, SEED)
        return {w for one in found for r, w in one.state.items() if r.startswith(("who", "other"))}

    assert people("test")
    assert not people("pretraining") & (people("test") | people("validation"))


# --- baselines


def pairs_of(words: list[tuple[str, str, int]]) -> list[SentencePair]:
    return [SentencePair(first=a, second=b, label=label) for a, b, label in words] * 20


CASES = {
    "只看长度": [("春春春", "夏", 0), ("春", "夏夏夏", 1)],
    "共有的字": [
        ("甲乙", "乙甲", 0),
        ("甲乙", "丙丁", 1),
        ("丙丁", "丁丙", 0),
        ("丙丁", "乙甲", 1),
    ],
    "只看第二句": [("甲", "丙", 0), ("甲", "丁", 1)],
    "词与位置": [("甲", "乙", 0), ("乙", "甲", 1)],
    "同一话题": [
        ("甲乙", "甲丙", 0),
        ("丁戊", "丁己", 0),
        ("甲乙", "丁己", 1),
        ("丁戊", "甲丙", 1),
    ],
}


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_finds_what_it_looks_at(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chapter10.experiments.sentence_baselines.TOPICS", 3)
    pairs = pairs_of(CASES[name])
    assert baseline_answers(name, pairs, pairs, pairs) == [pair.label for pair in pairs]


@pytest.mark.parametrize("name", ["只看长度", "共有的字", "只看第二句"])
def test_a_baseline_is_blind_to_the_rest(name: str) -> None:
    """Order of two like sentences is seen by none of these."""
    pairs = pairs_of([("甲乙丙", "丙乙甲", 0), ("丙乙甲", "甲乙丙", 1)])
    if name == "只看第二句":
        pairs = pairs_of([("甲乙", "丙丁", 0), ("丙丁", "丙丁", 1)])
    right = [
        answer == pair.label
        for answer, pair in zip(baseline_answers(name, pairs, pairs, pairs), pairs, strict=True)
    ]
    assert np.mean(right) == 0.5


def test_topics_cannot_tell_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chapter10.experiments.sentence_baselines.TOPICS", 3)
    pairs = pairs_of([("甲乙", "丙丁", 0), ("丙丁", "甲乙", 1), ("乙丙", "丁戊", 0)])
    answers = baseline_answers("同一话题", pairs, pairs, pairs)
    assert answers[0] == answers[1]


def test_baselines_refuse_what_they_cannot_learn_from() -> None:
    pairs = pairs_of([("甲", "乙", 0)])
    with pytest.raises(ValueError, match="the same label"):
        baseline_answers("只看长度", pairs, pairs, pairs)
    with pytest.raises(ValueError, match="There is no baseline"):
        baseline_answers("长度", pairs, pairs, pairs)


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_the_slowest_baseline_learns_to_its_end() -> None:
    """300 iterations were too few for these pairs."""
    assert 0.4 < page.baseline_accuracy("只看第二句", "NSP", 0) < 0.6


def test_the_kinds_of_a_baseline_add_up_to_its_whole() -> None:
    asked = page.ask("SOP", "test", SEED)
    counts = [len(page.of_kind(asked, kind)) for kind in page.KINDS]
    parts = [page.baseline_accuracy("只看长度", "SOP", SEED, kind) for kind in page.KINDS]
    assert len(set(parts)) == len(parts)
    whole = page.baseline_accuracy("只看长度", "SOP", SEED)
    assert np.average(parts, weights=counts) == pytest.approx(whole)


# --- model


def test_heads_start_random_by_seed_and_the_body_as_it_was() -> None:
    one, same, other = (page.new_model(seed) for seed in (0, 0, 1))
    assert torch.equal(one.seq_relationship.weight, same.seq_relationship.weight)
    assert not torch.equal(one.seq_relationship.weight, other.seq_relationship.weight)
    body, body_too = one.bert.encoder.state_dict(), other.bert.encoder.state_dict()
    assert all(torch.equal(body[name], body_too[name]) for name in body)


def test_scores_are_the_models_own_and_do_not_depend_on_the_batch() -> None:
    model, tokenizer = page.new_model(0), page.load_tokenizer()
    pairs = [one.pair for one in page.ask("SOP", "validation", SEED)[:5]]
    together = page.scores(model, pairs)
    assert together.shape == (5, 2)
    alone = torch.cat([page.scores(model, [pair]) for pair in pairs])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)
    batch = tokenizer([pairs[0].first], [pairs[0].second])
    with torch.no_grad():
        own = model(batch.input_ids, batch.attention_mask, batch.token_type_ids)
    torch.testing.assert_close(own.seq_relationship_logits, alone[:1])


def test_a_few_steps_of_every_objective_run_and_a_watch_remembers() -> None:
    watch = page.Watch(page.watched("NSP", SEED)[:20])
    history = page.pretrain(page.new_model(0), "NSP", SEED, steps=2, evaluate=watch, eval_every=1)
    assert len(history.losses) == 2
    assert watch.steps == [0, page.EVERY, 2 * page.EVERY]
    assert page.objective("MLM").sentences == "none"


def test_the_judged_difference() -> None:
    # Lan et al. 2020, table 5
    albert = page.leads({"NSP": 0.905, "SOP": 0.52}, {"NSP": 0.789, "SOP": 0.865})
    assert albert == pytest.approx(0.269)


# --- afterwards


def test_every_task_is_learned_for_as_long_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def train_model(name: str, begin: str, seed: int, **options: Any) -> str:
        asked.append({"name": name, "begin": begin, "seed": seed, **options})
        return "fitted"

    def judged(name: str, fitted: str, examples: Any) -> list[bool]:
        assert (fitted, len(examples)) == ("fitted", sentence_downstream.JUDGED)
        return [True, True, True, False]

    monkeypatch.setattr(downstream, "train_model", train_model)
    monkeypatch.setattr(downstream, "judged", judged)
    for name, task in page.TASKS.items():
        assert page.downstream_score.__wrapped__(page.TWIN, name, 3) == 0.75
        found = asked.pop()
        assert (found["name"], found["begin"], found["seed"]) == (name, "pretrained", 3)
        assert (found["labels"], found["steps"]) == (task.labels, task.steps)
        assert found["checkpoint"].name == page.TWIN


def test_without_bert_sits_the_same_exam_with_as_many_labels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def baseline_scores(name: str, baseline: str, seed: int, labels: int) -> dict[str, float]:
        assert baseline in MICRO_TASKS[name].baselines
        assert labels == page.TASKS[name].labels
        return {page.TASKS[name].exam: 0.25, "another": 0.5}

    monkeypatch.setattr(downstream, "baseline_scores", baseline_scores)
    for arm in page.WITHOUT:
        assert page.EXPERIMENTS["B7"].run(arm, 0).value == 0.25


# --- figures


def test_figures_refuse_what_does_not_fit() -> None:
    assert embedding_sum(["[CLS]", "春", "[SEP]"], [0, 0, 0]).axes
    with pytest.raises(ValueError, match="give 0 or 1"):
        embedding_sum(["[CLS]", "春"], [0])
    with pytest.raises(ValueError, match="give 0 or 1"):
        embedding_sum(["[CLS]", "春"], [0, 2])
    with pytest.raises(ValueError, match="one label for each row"):
        cross_tests({"a": [[0.5, 0.5]]}, ["NSP", "SOP"], ["NSP", "SOP"])


# --- checks that fail without learning


def test_the_claim_fails_for_an_untrained_head() -> None:
    with pytest.raises(AssertionError, match="B6"):
        evidence.check("B6", page.accuracy(page.new_model(SEED), page.ask("NSP", "test", SEED)))


def test_the_page_fails_without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs as it stands, but nothing is learned; the page has to notice."""

    def idle(*inputs: Any, evaluate: Any = None, **options: Any) -> History:
        if evaluate is not None:
            for _ in range(0, page.STEPS + 1, page.EVERY):
                evaluate(inputs[0])
        return History(losses=[2.0] * page.STEPS)

    monkeypatch.setattr(page, "pretrain", idle)
    failures = run_page("sentence-order")
    assert any('check("B6"' in cell for cell in failures)
