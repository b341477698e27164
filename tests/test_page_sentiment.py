"""The page `sentiment`: what it counts is right, and its assertions fail without training."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.figure import Figure
from pages import run_page
from torch import nn

from chapter10 import BertForPreTraining, Tokenizer, evidence
from chapter10.data.microworld import Review, reviews
from chapter10.data.microworld import shipped as shipped_world
from chapter10.experiments import downstream
from chapter10.experiments import sentiment as page
from chapter10.experiments import sentiment_probes as probes
from chapter10.models import shipped
from chapter10.plotting import use_style
from chapter10.plotting.judgements import token_effects
from chapter10.tasks import Classification, TaskModel, micro_examples, start
from chapter10.tasks.task import ExampleError
from chapter10.training import History

SEED = 7
LABELS = downstream.LABELS["sentiment"]


@pytest.fixture(scope="module")
def task() -> Classification:
    made = downstream.make_task("sentiment")
    assert isinstance(made, Classification)
    return made


@pytest.fixture(scope="module")
def model(task: Classification) -> TaskModel:
    return start(task, shipped("bert-zh-micro"), seed=SEED)


@pytest.fixture(scope="module")
def train() -> Sequence[Review]:
    return micro_examples("sentiment", "train", 1024, SEED)


@pytest.fixture(scope="module")
def test() -> Sequence[Review]:
    return downstream.exam_examples("sentiment", downstream.NEW)


# --- data


@pytest.mark.parametrize("exam", [downstream.NEW, downstream.KNOWN])
def test_nothing_of_a_test_review_is_trained_on(exam: str, train: Sequence[Review]) -> None:
    reviews = page.exam_reviews(exam, 1024, SEED)
    found = page.in_training(train, reviews)
    sentences, wordings, people, adjectives, written = found.values()
    assert sentences == (downstream.TEST, 0)
    assert people[1] == adjectives[1] == 0
    assert min(people[0], adjectives[0]) >= 20
    assert wordings == {downstream.NEW: (16, 0), downstream.KNOWN: (48, 48)}[exam]
    assert written[1] <= 4  # a word for one aspect may be trained on for another: said on the page


def test_the_easier_exam_has_new_sentences_only() -> None:
    train = micro_examples("sentiment", "train", LABELS, SEED)
    exam = page.exam_reviews(page.SEEN, LABELS, SEED)
    assert len({review.text for review in exam}) == page.SEEN_COUNT
    sentences, wordings, _, adjectives, _ = page.in_training(train, exam).values()
    assert sentences[1] == 0
    assert wordings[0] == wordings[1]
    assert adjectives[0] == adjectives[1]
    assert page.exam_reviews(page.SEEN, LABELS, SEED + 1) != exam


def test_what_is_shared_is_noticed(train: Sequence[Review], test: Sequence[Review]) -> None:
    assert all(many == known for many, known in page.in_training(train, train).values())
    world = shipped_world("full")
    shared = reviews(world, 60, seed=0, split="test", wordings="shared")
    assert page.in_training(train, shared)["句式 wording"][1] > 0
    assert not any(page.unseen(train, train))
    new = page.unseen(train, test)
    known = {word for review in train for word in page.adjectives(review)}
    assert new == [not any(word in known for word in page.adjectives(one)) for one in test]
    assert 0.6 * len(test) < sum(new) < len(test)


def test_fillers_are_taken_out_of_a_wording(train: Sequence[Review]) -> None:
    assert len({page.wording(review) for review in train}) == 48  # 8 lists with 6 for training
    for review in train[:50]:
        assert not any(word in page.wording(review) for word in page.adjectives(review))
        assert len(page.adjectives(review)) == (1 + (review.category not in ("plain", "negation")))


def test_counts_are_of_kinds_and_labels(test: Sequence[Review]) -> None:
    found = page.counts(test)
    assert sum(map(sum, found.values())) == len(test)
    assert found["否定"][1] == sum(r.category == "negation" and r.label == 1 for r in test)


# --- answers


def test_log_odds_are_those_of_the_tasks_own_answers(
    task: Classification, model: TaskModel, test: Sequence[Review]
) -> None:
    some = test[:60]
    odds = page.log_odds(task, model, [review.text for review in some])
    predictions = task.predict(model, downstream.converted("sentiment", some))
    good = [prediction.probabilities[1] for prediction in predictions]
    assert odds.sigmoid().tolist() == pytest.approx(good, abs=1e-5)
    answers = [prediction.label for prediction in predictions]
    assert page.right(odds, some) == downstream.rights("sentiment", some, answers)


def test_losses_and_the_worst(test: Sequence[Review]) -> None:
    good, bad = (next(r for r in test if r.label == label) for label in (1, 0))
    odds = torch.tensor([2.0, -2.0, 2.0, 0.0])
    found = page.losses(odds, [good, good, bad, bad])
    easy, hard = math.log(1 + math.exp(-2)), math.log(1 + math.exp(2))
    assert found.tolist() == pytest.approx([easy, hard, hard, math.log(2)])
    assert set(page.worst(odds, [good, good, bad, bad], 2)) == {1, 2}
    assert page.right(odds, [good, good, bad, bad]) == [True, False, False, True]


def test_a_bag_of_words_learns_what_words_tell(train: Sequence[Review]) -> None:
    """Told what words mean, it knows plain reviews, is wrong on negation, and guesses the rest."""
    plain = page.plain_reviews(700, SEED, train)
    assert {review.category for review in plain} == {"plain"}
    assert not {review.text for review in plain} & {review.text for review in train}
    kinds = page.by_kind(train, page.bag_right(plain, page.plain_reviews(100, "choice"), train))
    found = {kind: downstream.share(judgements) for kind, judgements in kinds.items()}
    assert found["直说"] > 0.9
    assert found["否定"] < 0.1
    assert all(0.3 < found[kind] < 0.7 for kind in ("转折", "取舍", "轻重"))


def test_the_bags_judgements_are_those_of_the_stored_baseline() -> None:
    rights = page.bag_rights(LABELS, SEED)
    score = downstream.baseline_scores("sentiment", page.BAG, SEED, LABELS)
    assert list(rights) == list(page.EXAMS)
    for exam in (downstream.NEW, downstream.KNOWN):
        assert downstream.share(rights[exam]) == score[exam]
        assert page.judge_rights(page.BAG_NAME, exam, LABELS, SEED) == rights[exam]
    kinds = page.kind_shares(page.BAG_NAME, page.SEEN, LABELS, SEED)
    assert kinds["直说"] == page.EXPERIMENTS["B12"].run(f"词袋·{page.SEEN}·直说", SEED).value


def test_judges_are_the_trained_models(
    task: Classification, model: TaskModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def untrained(*asked: Any) -> downstream.Fitted:
        assert asked == ("sentiment", "pretrained", LABELS, SEED)
        return downstream.Fitted(task, model, History())

    monkeypatch.setattr(page, "tuned", untrained)
    exam = page.exam_reviews(page.SEEN, LABELS, SEED)
    found = page.judge_rights("预训练", page.SEEN, LABELS, SEED)
    assert found == page.right(page.log_odds(task, model, [one.text for one in exam]), exam)


def test_judgements_go_to_their_kinds(test: Sequence[Review]) -> None:
    found = page.by_kind(test, [review.category == "choice" for review in test])
    assert [all(one) for one in found.values()] == [False, False, False, True, False]
    assert sum(map(len, found.values())) == len(test)


# --- without labels, and with words hidden


def test_the_cloze_test_reads_the_blank_after_each_review(
    test: Sequence[Review], task: Classification
) -> None:
    """Reviews come back in order, in batches of any size; a fair coin where nothing is learned."""
    pretrained = BertForPreTraining.from_pretrained(shipped("bert-zh-micro"))
    some = test[:20]
    odds = probes.cloze_odds(pretrained, task.tokenizer, some)
    again = [probes.cloze_odds(pretrained, task.tokenizer, [one]).item() for one in some]
    assert odds.tolist() == pytest.approx(again, abs=1e-3)
    judgements = probes.cloze_right(pretrained, task.tokenizer, some, some)
    assert judgements == page.right(odds - odds.median(), some)
    torch.manual_seed(SEED)
    blank = BertForPreTraining(pretrained.config)
    guessed = probes.cloze_right(blank, task.tokenizer, test[:200], test[200:400])
    assert 0.35 < downstream.share(guessed) < 0.65


def test_words_that_fill_the_blanks_are_single_tokens(task: Classification) -> None:
    for sentence, words in probes.CONSEQUENCES.items():
        assert sentence.count("[MASK]") == 1
        assert [len(task.tokenizer.encode(word)) for word in words] == [3, 3]


class OneToken(nn.Module):
    """Says "positive" with log-odds 3 where a token occurs, -1 elsewhere."""

    def __init__(self, token_id: int) -> None:
        super().__init__()
        self.token_id, self.weight = token_id, nn.Parameter(torch.zeros(1))

    def forward(self, input_ids: torch.Tensor, *rest: torch.Tensor) -> Any:
        odds = torch.where((input_ids == self.token_id).any(-1), 3.0, -1.0)
        return type("Output", (), {"logits": torch.stack([torch.zeros_like(odds), odds], -1)})


def test_occlusion_finds_the_token_that_decides(task: Classification) -> None:
    tokenizer: Tokenizer = task.tokenizer
    (token,) = tokenizer.encode("好").input_ids[1:-1]
    once = probes.occlude(task, OneToken(token), "这家店好看。")
    assert once.tokens == tuple("这家店好看。")
    assert (once.odds, once.effects) == (3.0, (0, 0, 0, 4, 0, 0))
    twice = probes.occlude(task, OneToken(token), "好店好看。")  # each stands in for the other
    assert (twice.odds, twice.effects) == (3.0, (0, 0, 0, 0, 0))
    with pytest.raises(ExampleError, match="empty"):
        probes.occlude(task, OneToken(token), " ")


def test_answers_flip_where_all_that_decides_is_hidden(task: Classification) -> None:
    (token,) = task.tokenizer.encode("好").input_ids[1:-1]
    texts = ["好店好看。", "这家店。", "好店好看。"]
    assert probes.flips(task, OneToken(token), texts, ["好", "好店", "店看"]) == [
        True,
        False,
        False,
    ]


def test_occlusion_leaves_the_model_as_it_was(task: Classification, model: TaskModel) -> None:
    text = "这家面馆的菜并不油腻。"
    one = probes.occlude(task, model, text)
    assert one.odds == pytest.approx(page.log_odds(task, model, [text]).item(), abs=1e-5)
    ids = task.tokenizer.encode(text).input_ids
    ids[2] = task.tokenizer.mask_token_id or 0
    logits = model(torch.tensor([ids])).logits[0]
    assert one.effects[1] == pytest.approx(one.odds - (logits[1] - logits[0]).item(), abs=1e-4)


# --- figures


def drawn(figure: Figure, path: Path) -> list[str]:
    """The texts of the first axes, after drawing without a warning, of a missing glyph say."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(path / "figure.png")
    return [text.get_text() for text in figure.axes[0].texts]


def test_figure_of_token_effects(tmp_path: Path) -> None:
    use_style()
    long = list("天地日月" * 6)
    effects = [1.25, -0.5, 0.01, *[0.0] * 21]
    texts = drawn(token_effects([(long, effects)], ["一"], meaning="单位"), tmp_path)
    assert {"+1.2", "−0.5", "0"} <= set(texts)
    assert texts.count("天") == 6
    with pytest.raises(ValueError, match="one number for each token"):
        token_effects([(long, [1.0])], ["一"], meaning="单位")


# --- checks that fail without learning


def test_the_claim_fails_for_an_untrained_model(
    task: Classification, model: TaskModel, test: Sequence[Review]
) -> None:
    """A head that was not trained is as good as the random start's."""
    other = start(task, shipped("bert-zh-micro"), seed=SEED, pretrained=False)
    texts = [review.text for review in test]
    scores = [
        downstream.share(page.right(page.log_odds(task, one, texts), test))
        for one in (model, other)
    ]
    with pytest.raises(AssertionError, match="B12"):
        evidence.check("B12", scores[0] - scores[1])


def test_the_page_fails_without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs as it stands, but nothing is learned; the page has to notice."""

    def idle(*inputs: Any, **options: Any) -> History:
        return History(losses=[math.log(2)] * 100)

    monkeypatch.setattr(downstream, "fit", idle)
    failures = run_page("sentiment")
    assert 'evidence.check("B12"' in "".join(failures)
