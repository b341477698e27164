"""The page `qa`: what it takes apart is taken apart rightly, and it fails without training."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from invented import invent_rows, shorten_exams
from pages import run_page

from chapter10 import evidence
from chapter10.data.microworld import Asked
from chapter10.experiments import downstream
from chapter10.experiments import qa as page
from chapter10.experiments.downstream import Fitted
from chapter10.models import shipped
from chapter10.tasks import PredictedAnswer, QuestionAnswering, TaskModel, start
from chapter10.training import History

EXAMPLES: tuple[Asked, ...] = downstream.validation_examples("qa", 200)
NEW, KNOWN = EXAMPLES[:100], EXAMPLES[100:]


@pytest.fixture(scope="module")
def task() -> QuestionAnswering:
    made = downstream.make_task("qa")
    assert isinstance(made, QuestionAnswering)
    return made


@pytest.fixture(scope="module")
def model(task: QuestionAnswering) -> TaskModel:
    return start(task, shipped(downstream.CHECKPOINT), seed=0, pretrained=False)


def said(question: Asked, text: str, sentence: int) -> PredictedAnswer:
    place = question.context.index(text, page.sentences(question)[sentence].start)
    return PredictedAnswer(text, place, place + len(text), 0.0)


# --- the texts


def test_every_text_has_four_sentences_and_one_decoy() -> None:
    for one in EXAMPLES:
        bounds = page.sentences(one)
        assert len(bounds) == len(one.candidates) == 4
        assert "".join(one.context[begin:stop] for begin, stop in bounds) == one.context
        texts = [page.candidate_text(one, candidate) for candidate in one.candidates]
        for (begin, stop), text in zip(bounds, texts, strict=True):
            assert text in one.context[begin:stop]
        false = page.decoy(one)
        begin, stop = bounds[false]
        denied = ("没", "差点", "忘了")
        assert any(word in one.context[begin:stop] for word in denied)
        assert texts[one.candidates.index(one.span)] == one.answers[0].text


def test_a_question_without_an_answer_has_no_decoy() -> None:
    without = [one for one in page.with_gaps("validation", 40) if not one.answers]
    assert len(without) == 20
    with pytest.raises(ValueError, match="no answer"):
        page.decoy(without[0])


def test_outcomes_tell_where_an_answer_came_from() -> None:
    for one in EXAMPLES[:40]:
        right, false = one.candidates.index(one.span), page.decoy(one)
        (other, *_) = {0, 1, 2, 3} - {right, false}
        texts = [page.candidate_text(one, candidate) for candidate in one.candidates]
        assert page.outcome(one, said(one, texts[right], right)) == "right"
        assert page.outcome(one, said(one, "。", right)) == "span"
        assert page.outcome(one, said(one, texts[false], false)) == "decoy"
        assert page.outcome(one, said(one, texts[other], other)) == "other"
        assert page.is_candidate(one, said(one, texts[other], other))
        assert not page.is_candidate(one, said(one, "。", other))
    counts = page.outcome_counts(EXAMPLES, [PredictedAnswer("", None, None, 0.0)] * 200)
    assert sum(counts[page.OUTCOMES["other"]]) == 200
    asked = [sum(one.asked == role for one in EXAMPLES) for role in page.ROLES]
    assert counts[page.OUTCOMES["other"]] == asked


def test_baselines_know_the_candidates_and_no_more() -> None:
    def right(answers: list[str]) -> float:
        return downstream.share(downstream.rights("qa", EXAMPLES, answers))

    by_lot = page.random_candidates(EXAMPLES)
    assert by_lot == page.random_candidates(EXAMPLES) != page.random_candidates(EXAMPLES, 1)
    assert 0.12 < right(by_lot) < 0.38
    assert 0.4 < right(page.shared_words(EXAMPLES)) < 0.8
    every = zip(EXAMPLES, page.shared_words(EXAMPLES), strict=True)
    assert all(
        text in [page.candidate_text(one, candidate) for candidate in one.candidates]
        for one, text in every
    )


def test_in_known_wordings_one_word_gives_the_sentence_away() -> None:
    """Of those who count shared words: questions there say 了, as does what did happen."""

    def right(found: tuple[Asked, ...], answers: list[str]) -> float:
        return downstream.share(downstream.rights("qa", found, answers))

    with_le, without = page.shared_words(KNOWN), page.shared_words_but_le(KNOWN)
    assert right(KNOWN, with_le) > right(KNOWN, without) + 0.2
    assert abs(right(NEW, page.shared_words(NEW)) - right(KNOWN, without)) < 0.2


# --- the two distributions


def test_probabilities_cover_the_document_alone(task: QuestionAnswering, model: TaskModel) -> None:
    one = EXAMPLES[0]
    ((reading,),) = page.read(task, model, [one])
    assert "".join(reading.tokens) == one.context
    assert [one.context[begin:stop] for begin, stop in reading.offsets] == reading.tokens
    for side in (reading.start, reading.end):
        assert side.shape == (len(reading.tokens),)
        assert side.sum().item() == pytest.approx(1, abs=1e-5)
    first, last, probability = page.read_answer(reading, task.max_answer_length)
    (predicted,) = task.predict(model, [one])
    assert "".join(reading.tokens[first : last + 1]) == predicted.text
    product = reading.start[first] * reading.end[last]
    assert probability == pytest.approx(product.item(), rel=1e-4)


def test_windows_share_one_softmax_or_have_each_its_own(model: TaskModel) -> None:
    short = QuestionAnswering(downstream.make_task("qa").tokenizer, max_length=80, stride=20)
    (long, *_) = page.joined(EXAMPLES[:3])
    (together,) = page.read(short, model, [long])
    apart = [page.alone(window) for window in together]
    assert len(apart) > 3
    assert sum(one.start.sum().item() for one in together) == pytest.approx(1, abs=1e-5)
    assert [one.end.sum().item() for one in apart] == pytest.approx([1.0] * len(apart), abs=1e-5)
    assert [one.offsets for one in apart] == [one.offsets for one in together]
    (predicted,) = short.predict(model, [long])
    assert page.surest_window(together, short.max_answer_length) == predicted.text


def test_joined_texts_keep_their_answers() -> None:
    found = page.joined(EXAMPLES[:20])
    assert len(found) == 6
    for number, one in enumerate(found):
        (answer,) = one.answers
        assert answer.start is not None
        assert one.context[answer.start :].startswith(answer.text)
        assert one.question == EXAMPLES[3 * number + number % 3].question


def test_separate_maxima_and_their_faults(task: QuestionAnswering, model: TaskModel) -> None:
    one = EXAMPLES[0]
    ((reading,),) = page.read(task, model, [one])
    best = int(reading.start.argmax()), int(reading.end.argmax())  # a token is a character here
    readings = page.read(task, model, EXAMPLES[:3])
    assert page.separate_maxima(readings)[0] == best
    second = page.sentences(one)[1]
    pairs = [(5, 3), (0, second.start), (0, second.start - 1), (second.start, second.start)]
    found = [page.fault(one, pair) for pair in pairs]
    assert found == ["backwards", "across sentences", "none", "none"]
    counts = page.fault_counts([one] * 4, pairs)
    assert counts == {"none": 2, "backwards": 1, "across sentences": 1}


def test_shorter_limits_forbid_longer_spans(task: QuestionAnswering, model: TaskModel) -> None:
    readings = page.read(task, model, EXAMPLES[:20])
    for limit in (1, 4):
        pairs = page.best_pairs(readings, limit)
        assert all(0 <= last - first < limit for first, last in pairs)
    predicted = [(one.start, one.end) for one in task.predict(model, EXAMPLES[:20])]
    whole = page.best_pairs(readings, task.max_answer_length)
    assert predicted == [(first, last + 1) for first, last in whole]


# --- no answer


def test_half_of_the_questions_have_no_answer() -> None:
    found = page.with_gaps("train", 60, 1)
    assert sum(not one.answers for one in found) == 30
    known, new = (page.with_gaps("validation", 40, 0, kind) for kind in ("known", "held out"))
    assert not {one.question for one in known} & {one.question for one in new}
    assert not {one.context for one in found} & {
        one.context for one in page.with_gaps("validation", 60)
    }


def test_refusing_is_learned_by_a_copy(task: QuestionAnswering, model: TaskModel) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    refusing = page.learn_to_refuse(
        Fitted(task, model, History()), 0, labels=32, steps=2, rate=1e-3
    )
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    after = refusing.model.state_dict()
    assert not torch.equal(after["qa_outputs.weight"], before["qa_outputs.weight"])
    assert isinstance(refusing.task, QuestionAnswering)
    assert refusing.task.no_answer
    assert refusing.task.max_answer_length == task.max_answer_length


# --- evidence


def test_roles_and_baselines_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every arm that no other case has; a model that knows nothing but where people are."""

    def rights(name: str, begin: str, labels: int, seed: int, exam: str) -> list[bool]:
        assert labels == downstream.LABELS["qa"]
        return [one.asked == "who" for one in downstream.exam_examples("qa", exam)]

    shorten_exams(monkeypatch, 60)
    monkeypatch.setattr(downstream, "exam_rights", rights)
    run = page.EXPERIMENTS["B15"].run
    for exam in downstream.WORDINGS:
        found = [run(f"预训练·{exam}·{word}", 0).value for word in page.ROLES.values()]
        assert found == [1, 0, 0, 0]
        assert 0 < run(f"随机候选·{exam}", 0).value < run(f"词重合·{exam}", 0).value < 1


# --- the page


def test_the_claim_fails_without_a_gain() -> None:
    with pytest.raises(AssertionError, match="B15"):
        evidence.check("B15", 0.0)


def test_the_page_fails_without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs as it stands, but nothing is learned; the page has to notice."""

    def idle(task: Any, model: Any, *data: Any) -> History:
        return History(losses=[4.5] * 400, evaluations=[{"step": 0, "f1": 0.0}])

    shorten_exams(monkeypatch, 160)
    invent_rows(monkeypatch, "B15", {"领先": 0.1, "预训练": 0.2, "随机起点": 0.1})
    monkeypatch.setattr(downstream, "fit", idle)
    monkeypatch.setattr(page, "train", idle)
    failures = run_page("qa")
    assert any('evidence.check("B15"' in cell for cell in failures)
