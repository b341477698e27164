"""Case 4: windows, targets, the best span, no answer, errors; answers that are learned."""

from __future__ import annotations

import math
import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from task_samples import CHARACTERS, Pointer, losses_one_by_one, pointer, tiny_model

from chapter10.data import Answer, Question
from chapter10.objectives import IGNORE_INDEX
from chapter10.tasks import ExampleError, QuestionAnswering, baseline_scores, best_span, fit
from chapter10.training import TrainingConfig

TASK = QuestionAnswering(CHARACTERS, max_length=20, stride=5, max_answer_length=6)
characters = st.text("小猫坐在窗台上看着外的雨天气", min_size=1, max_size=40)


def ask(
    document: str, question: str = "雨在？", *answers: str | tuple[str, int | None]
) -> Question:
    found = [a if isinstance(a, tuple) else (a, document.find(a)) for a in answers]
    return Question("q", document, question, tuple(Answer(*answer) for answer in found))


@st.composite
def questions(draw: st.DrawFn) -> Question:
    document = draw(characters)
    start = draw(st.integers(0, len(document) - 1))
    end = draw(st.integers(start + 1, min(len(document), start + 6)))
    return ask(document, "雨在？", (document[start:end], start))


@given(questions())
def test_windows_cover_the_document_and_overlap(question: Question) -> None:
    windows = TASK.encode([question], targets=False)
    covered: list[int] = []
    for number, window in enumerate(windows):
        assert len(window) <= 20
        assert window.input_ids[:5] == windows[0].input_ids[:5]  # [CLS] and the question, [SEP]
        places = [offset[0] for offset in window.offsets if offset is not None]
        assert places == list(range(places[0], places[0] + len(places)))
        if number:
            assert places[0] == covered[-1] - 4  # five tokens shared
        covered += [place for place in places if place not in covered]
        inside = [offset is not None for offset in window.offsets]
        assert inside == [False] * 5 + [True] * len(places) + [False]
        assert window.token_type_ids == [0] * 5 + [1] * (len(places) + 1)
    assert covered == list(range(len(question.context)))


@given(questions())
def test_targets_decode_to_the_answer(question: Question) -> None:
    answer = question.answers[0]
    rows = TASK.encode([question])
    assert TASK.training_rows([question]) == [row for row in rows if row.start != IGNORE_INDEX]
    assert TASK.training_rows([question])
    begin, stop = answer.start, answer.start + len(answer.text)
    for row in rows:
        places = [offset[0] for offset in row.offsets if offset is not None]
        whole = {begin, stop - 1} <= set(places)
        assert (row.start != IGNORE_INDEX) == (row.end != IGNORE_INDEX) == whole
        if whole:
            assert question.context[row.offsets[row.start][0] : row.offsets[row.end][1]] == (
                answer.text
            )


scores = st.floats(-9, 9, width=32) | st.just(float("-inf"))


@given(
    st.lists(st.tuples(scores, scores, st.booleans()), min_size=1, max_size=9), st.integers(1, 9)
)
def test_the_best_span_is_the_best_of_all(
    rows: list[tuple[float, float, bool]], max_length: int
) -> None:
    start, end = (torch.tensor([row[side] for row in rows]) for side in (0, 1))
    allowed = torch.tensor([row[2] for row in rows])
    if not allowed.any():
        with pytest.raises(ValueError, match="0 positions"):
            best_span(start, end, allowed, max_length)
        return
    span = best_span(start, end, allowed, max_length)
    possible = [
        (first, last)
        for first in range(len(rows))
        for last in range(first, min(len(rows), first + max_length))
        if allowed[first] and allowed[last]
    ]
    assert (span.start, span.end) in possible
    best = max(float(start[first] + end[last]) for first, last in possible)
    assert span.score == pytest.approx(best)


def test_best_start_and_best_end_alone_make_no_span() -> None:
    start = torch.tensor([0.0, 1.0, 2.0, 5.0])
    end = torch.tensor([0.0, 4.0, 3.0, 1.0])
    naive = int(start.argmax()), int(end.argmax())
    assert naive == (3, 1)  # the end before the start
    everywhere = torch.ones(4, dtype=torch.bool)
    span = best_span(start, end, everywhere, 4)
    assert (span.start, span.end, span.score) == (3, 3, 6.0)
    assert best_span(start - 9 * (start > 4), end, everywhere, 1).start == 1
    with pytest.raises(ValueError, match="max_length is 0"):
        best_span(start, end, everywhere, 0)
    with pytest.raises(ValueError, match="same length"):
        best_span(start, end[:3], everywhere, 4)


@given(st.lists(questions(), min_size=1, max_size=4), st.integers(0, 3))
def test_predicted_spans_are_always_valid(batch: list[Question], seed: int) -> None:
    model = tiny_model(TASK, seed, initializer_range=0.5)
    for question, found in zip(batch, TASK.predict(model, batch), strict=True):
        assert found.start is not None
        assert found.text == question.context[found.start : found.end]
        assert 1 <= len(found.text) <= 6
        assert found.score <= 1e-5  # a sum of log probabilities


def test_the_question_is_no_answer_and_windows_are_compared() -> None:
    """The highest scores stand in the question; in the document, in its last window."""
    document = "小猫坐在窗台上" * 4 + "红楼梦，天"
    assert len(TASK.encode([ask(document, "甲乙？")], targets=False)) > 2
    model = pointer({"甲": 9, "红": 5, "小": 2}, {"乙": 9, "梦": 5, "猫": 2})
    (found,) = TASK.predict(model, [ask(document, "甲乙？")])
    assert found.text == "红楼梦"
    assert document[found.start : found.end] == "红楼梦"


def test_windows_share_one_softmax() -> None:
    """Normalised by itself, a window whose other tokens are worth nothing would seem surer."""
    task = QuestionAnswering(CHARACTERS, max_length=13, stride=0, max_answer_length=1)
    document = "红小小小小小小" + "楼猫猫猫猫猫猫"
    worth = {"红": 4.0, "楼": 3.0, "小": 3.5, "猫": -9.0}
    question = ask(document, "雨在？")
    assert len(task.encode([question], targets=False)) == 2
    (found,) = task.predict(pointer(worth, worth), [question])
    assert found.text == "红"


@given(st.lists(questions(), min_size=1, max_size=3))
def test_padding_changes_no_loss_and_no_gradient_leaves_the_document(batch: list[Question]) -> None:
    rows = TASK.training_rows(batch)
    tensors = TASK.collate(rows)
    inside = [[offset is not None for offset in row.offsets] for row in rows]
    for mask, row in zip(tensors["candidates"].tolist(), inside, strict=True):
        assert mask == row + [False] * (len(mask) - len(row))
    model = tiny_model(TASK)
    total, count = TASK.loss(model, tensors)
    alone, number = losses_one_by_one(TASK, model, rows)
    assert int(count) == number == len(rows)
    assert total.item() == pytest.approx(alone, abs=1e-3)
    looked_up = pointer({}, {})
    TASK.loss(looked_up, tensors)[0].backward()
    outside = {token for row in rows for token in row.input_ids[:5]} - {
        token
        for row, mask in zip(rows, inside, strict=True)
        for token, here in zip(row.input_ids, mask, strict=True)
        if here
    }
    gradient = looked_up.worth.grad
    assert gradient.isfinite().all()
    assert not gradient[:, [*outside, CHARACTERS.pad_token_id]].any()


def test_loss_by_hand() -> None:
    """Equal scores over a document of four tokens: ln 4 for the start and for the end."""
    tensors = TASK.collate(TASK.training_rows([ask("小猫坐在", "雨在？", "坐")]))
    total, count = TASK.loss(pointer({}, {}), tensors)
    assert (total.item(), int(count)) == (pytest.approx(math.log(4)), 1)
    for worth in (({"坐": math.log(3)}, {}), ({}, {"坐": math.log(3)})):  # 3 / (3 + 1 + 1 + 1)
        total, _ = TASK.loss(pointer(*worth), tensors)
        assert total.item() == pytest.approx((math.log(4) + math.log(2)) / 2)


def test_one_window_that_sees_an_answer_is_enough() -> None:
    """Windows without the answer are sure that it is not there, and right."""
    task = QuestionAnswering(CHARACTERS, max_length=13, stride=0, no_answer=True)

    class Sure(Pointer):
        def forward(self, input_ids: torch.Tensor, *inputs: torch.Tensor) -> object:
            output = super().forward(input_ids, *inputs)
            blind = ~(input_ids == CHARACTERS.token_to_id("红")).any(1)
            for logits in (output.start_logits, output.end_logits):
                logits.data[blind, 0] = 9.0
            return output

    worth = {CHARACTERS.token_to_id("红"): 5.0}
    model = Sure(worth, worth, CHARACTERS.vocab_size)
    seen = ask("小小小小小小小红猫猫", "雨在？")
    assert len(task.encode([seen], targets=False)) == 2
    assert task.predict(model, [seen])[0].text == "红"
    assert task.predict(model, [ask("小小小小小小小猫猫", "雨在？")])[0].start is None


def test_no_answer_points_to_cls() -> None:
    task = QuestionAnswering(CHARACTERS, max_length=20, stride=5, no_answer=True)
    document = "小猫坐在窗台上看着雨" * 2 + "红楼梦"
    unanswerable, answerable = ask(document), ask(document, "雨在？", "红楼梦")
    assert {(row.start, row.end) for row in task.encode([unanswerable])} == {(0, 0)}
    *without, last = task.encode([answerable])
    assert {(row.start, row.end) for row in without} == {(0, 0)}
    assert last.start > 0
    assert task.collate([last])["candidates"][0, 0]
    sure = pointer({"[CLS]": 1, "红": 5}, {"[CLS]": 1, "梦": 5})
    doubtful = pointer({"[CLS]": 7, "红": 5}, {"[CLS]": 7, "梦": 5})
    assert task.predict(sure, [answerable])[0].text == "红楼梦"
    (none,) = task.predict(doubtful, [answerable])
    assert (none.text, none.start, none.end) == ("", None, None)
    assert task.score([unanswerable], [none]) == {"exact_match": 1.0, "f1": 1.0}
    assert TASK.predict(doubtful, [answerable])[0].text == "红楼梦"  # must answer


@pytest.mark.parametrize(
    ("question", "problem", "sentence"),
    [
        (ask("小猫坐在", "雨？", ("坐", 1)), "answer not in its document", "at character 1"),
        (ask("小猫坐在", "雨？", ("坐", -2)), "answer not in its document", "'坐'"),
        (ask("小猫坐在", "雨？", ("花", None)), "answer not in its document", "'花'"),
        (ask("小猫坐在", "雨？"), "answer not in its document", "no_answer=True"),
        (ask("小猫", " ", "猫"), "empty text", "question is empty"),
        (ask(" \n", "雨？", "猫"), "empty text", "document is empty"),
        (ask("\u200b", "雨？", "\u200b"), "empty text", "nothing of its document"),
        (ask("小猫", "雨" * 12, "猫"), "longer than the model", "12 tokens"),
        (ask("小猫" * 20, "雨在？", "小猫" * 8), "answer longer than a window", "16 tokens"),
        (ask("小\u200b猫", "雨？", "\u200b"), "answer without a token", "no token"),
    ],
)
def test_bad_examples(question: Question, problem: str, sentence: str) -> None:
    good = ask("小猫坐在", "雨？", "坐")
    with pytest.raises(ExampleError, match="Example 1 ") as caught:
        TASK.encode([good, question])
    assert sentence in str(caught.value)
    assert caught.value.problem == problem


def test_the_first_answer_that_stands_in_the_document_is_learned() -> None:
    (row,) = TASK.training_rows([ask("小猫坐在", "雨？", ("花", None), "坐在")])
    assert (row.offsets[row.start], row.offsets[row.end]) == ((2, 3), (3, 4))


def test_an_answer_that_ends_inside_a_token_is_widened_to_it() -> None:
    (row,) = TASK.training_rows([ask("在again的", "雨？", "aga")])
    assert row.offsets[row.start] == row.offsets[row.end] == (1, 6)


@pytest.mark.parametrize("options", [{"stride": 16}, {"stride": -1}, {"max_answer_length": 0}])
def test_bad_options(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        QuestionAnswering(CHARACTERS, max_length=20, **options)


def test_first_sentence() -> None:
    batch = [ask("小猫坐。雨，天气。", "雨？", "小猫"), ask("天气\n雨", "雨？", "雨")]
    scores = baseline_scores("first sentence", TASK, [], [], batch)
    assert scores == pytest.approx({"exact_match": 0, "f1": (2 * 2 / 5 + 0) / 2})


def draw(count: int, seed: int) -> list[Question]:
    """甲在东，乙在北京，丙在西: the answer stands after the one who is asked for, at any place."""
    random_source = random.Random(seed)
    found = []
    for _ in range(count):
        people = random_source.sample("甲乙丙", 3)
        places = random_source.sample(["东", "西", "南", "北京", "窗台", "楼上"], 3)
        document = "，".join(f"{who}在{where}" for who, where in zip(people, places, strict=True))
        who, where = random_source.choice(list(zip(people, places, strict=True)))
        found.append(ask(document, f"{who}？", (where, document.index(who) + 2)))
    return found


def test_learns_to_look_for_what_is_asked() -> None:
    train, validation, test = draw(600, 1), draw(30, 2), draw(200, 3)
    task = QuestionAnswering(CHARACTERS, max_length=24, stride=4)
    model = tiny_model(task, hidden_size=64, initializer_range=0.1)
    before = task.evaluate(model, test)["f1"]
    config = TrainingConfig(steps=600, learning_rate=2e-3, warmup_steps=10, progress=False)
    fit(task, model, train, validation, config)
    blind = baseline_scores("first sentence", task, train, validation, test)["f1"]
    after = task.evaluate(model, test)
    assert after["exact_match"] > 0.8
    assert after["f1"] > max(before, blind) + 0.3
