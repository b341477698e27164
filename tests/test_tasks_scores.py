"""Exact match and F1 on answers worked out by hand, and beside a second, plainer computation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from task_samples import ALPHABET

from chapter10.tasks import answer_f1, exact_match
from chapter10.tasks.answer_scores import segments

CHINESE = [
    # prediction, answers, exact match, F1
    ("北京", ["北京"], 1, 1.0),
    ("北京大学", ["北京"], 0, 2 * 2 / (4 + 2)),
    ("《红楼梦》", ["红楼梦"], 1, 1.0),  # punctuation does not count
    ("甲乙丙丁", ["甲丙丁"], 0, 2 * 2 / (4 + 3)),  # 丙丁: a run, not a subsequence (甲丙丁)
    ("2010年5月", ["2010年"], 0, 2 * 2 / (4 + 2)),  # 2010 is one segment
    ("3-5个", ["35个"], 1, 1.0),  # what stands beside a dropped sign grows together, as there
    ("用 GPT 写", ["用 gpt 写"], 1, 1.0),
    ("用GPT", ["用 gpt"], 0, 1.0),  # a space counts for exact match alone
    ("梦", ["东", "红楼梦", "西"], 0, 2 * 1 / (1 + 3)),  # the best of several answers
    ("东", ["西"], 0, 0.0),
    ("等等…", ["等等"], 0, 2 * 2 / (3 + 2)),  # … is not on the script's list
    ("", ["东"], 0, 0.0),
]
ENGLISH = [
    ("The Eiffel Tower", ["eiffel tower!"], 1, 1.0),
    ("in the Eiffel tower", ["Eiffel tower"], 0, 2 * 2 / (3 + 2)),
    ("tower Eiffel", ["Eiffel tower"], 0, 1.0),  # a bag: order does not count
    ("big big dog", ["big dog dog"], 0, 2 * 2 / (3 + 3)),
    ("another theory", ["other ory"], 0, 0.0),  # articles are whole words
    ("", [""], 1, 1.0),
    ("dog", [""], 0, 0.0),
]


@pytest.mark.parametrize(("prediction", "answers", "exact", "f1"), CHINESE)
def test_chinese(prediction: str, answers: list[str], exact: int, f1: float) -> None:
    assert exact_match(prediction, answers, "zh") == exact
    assert answer_f1(prediction, answers, "zh") == pytest.approx(f1)


@pytest.mark.parametrize(("prediction", "answers", "exact", "f1"), ENGLISH)
def test_english(prediction: str, answers: list[str], exact: int, f1: float) -> None:
    assert exact_match(prediction, answers, "en") == exact
    assert answer_f1(prediction, answers, "en") == pytest.approx(f1)


def test_segments() -> None:
    assert segments(" 他用iPhone 6s，花了3,999.5元(约$600) ") == [
        *"他用",
        "iphone",
        "6s",
        *"花了",
        "3,999.5",
        "元",
        "(",
        "约",
        "$",
        "600",
        ")",
    ]


def longest_run(ours: list[str], theirs: list[str]) -> int:
    """The official script's table, cell by cell."""
    best = 0
    table = [[0] * (len(theirs) + 1) for _ in range(len(ours) + 1)]
    for i, one in enumerate(ours):
        for j, other in enumerate(theirs):
            if one == other:
                table[i + 1][j + 1] = table[i][j] + 1
                best = max(best, table[i + 1][j + 1])
    return best


@given(st.text(ALPHABET[:9], min_size=1, max_size=40), st.text(ALPHABET[:9], min_size=1))
def test_f1_beside_the_scripts_table(prediction: str, answer: str) -> None:
    run = longest_run(list(prediction), list(answer))
    precision, recall = run / len(prediction), run / len(answer)
    wanted = 2 * precision * recall / (precision + recall) if run else 0.0
    assert answer_f1(prediction, [answer]) == pytest.approx(wanted)


@pytest.mark.parametrize("answers", [[], "北京"])
def test_bad_answers(answers: list[str]) -> None:
    with pytest.raises(ValueError, match="answers is"):
        answer_f1("北京", answers)


def test_unknown_language() -> None:
    with pytest.raises(ValueError, match="zh, en"):
        exact_match("x", ["x"], "fr")  # type: ignore[arg-type]
