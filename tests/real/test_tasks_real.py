"""The downstream tasks on real text: every example encoded, tiny models trained and compared.

The models start from random weights and see few labels, so they beat what needs no understanding
only where surface cues suffice (sentiment, tags). On inference and questions they do not, which
the printed figures say; there the invariants of the pipeline are what is tested.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from chapter10 import BertForTokenClassification, Tokenizer
from chapter10.data import Question, TaggedSentence, load
from chapter10.objectives import IGNORE_INDEX
from chapter10.tasks import TASKS, FineTuning, QuestionAnswering, finetune, make_splits

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("real_data")]


@pytest.fixture(scope="module")
def bert_vocabulary(real_data: Path) -> Tokenizer:
    return Tokenizer.from_bert_vocab(real_data / "bert-base-chinese" / "vocab.txt", lowercase=True)


def report(result: FineTuning) -> None:
    """Print what was measured (`pytest -s` or a failure shows it)."""
    print(f"\n{result.task}, {result.examples}, {result.steps} steps, left out: {result.notes}")
    for row in result.rows():
        print("  ", *row)


def check(result: FineTuning, *, labels: int, tests: int) -> None:
    report(result)
    assert result.examples["train"] == labels
    assert result.examples["test"] >= tests
    assert set(result.baselines) == set(TASKS[result.task].baselines)
    for scores in (result.metrics, *result.baselines.values()):
        assert all(0 <= value <= 1 for value in scores.values())


def share_of_first_loss(result: FineTuning) -> float:
    """The mean loss of the last five steps over that of the first five."""
    losses = result.history.losses
    return sum(losses[-5:]) / sum(losses[:5])


@pytest.mark.parametrize("name", ["sentiment", "tagging", "nli", "qa"])
def test_parts_share_no_text(name: str) -> None:
    named, splits = TASKS[name], make_splits(TASKS[name])
    parts = [
        {named.key(example) for example in part}
        for part in (splits.train, splits.validation, splits.test)
    ]
    assert all(parts)
    assert len(set.union(*parts)) == sum(map(len, parts))


def test_sentiment() -> None:
    result = finetune("sentiment", labels=1000, steps=100, progress=False)
    check(result, labels=1000, tests=1000)
    assert share_of_first_loss(result) < 0.9
    majority = result.baselines["most frequent class"]
    assert result.metrics["accuracy"] > majority["accuracy"] + 0.05
    assert result.metrics["macro_f1"] > majority["macro_f1"] + 0.2
    ngrams = result.baselines["character n-grams"]["accuracy"]
    assert ngrams > majority["accuracy"] + 0.05


def test_tagging(tmp_path: Path) -> None:
    result = finetune("tagging", labels=450, steps=150, folder=tmp_path, progress=False)
    check(result, labels=450, tests=500)
    assert share_of_first_loss(result) < 0.7
    tag = result.baselines["most frequent tag"]["accuracy"]
    assert result.metrics["accuracy"] > tag + 0.2
    assert result.baselines["most frequent tag of the word"]["accuracy"] > tag + 0.2
    # What was saved gives the same scores again.
    task = TASKS["tagging"].make(Tokenizer.from_pretrained(tmp_path), 256)
    model = BertForTokenClassification.from_pretrained(tmp_path)
    again = task.evaluate(model, load("ud_zh_gsdsimp", "test"))
    assert again == pytest.approx(dict(result.metrics), abs=1e-3)


def test_nli() -> None:
    """In this time a random start learns nothing that holds for new pairs; few pairs it can learn
    by heart, which shows that the gradient reaches it."""
    assert share_of_first_loss(finetune("nli", labels=32, steps=120, progress=False)) < 0.5
    result = finetune("nli", labels=1000, steps=60, progress=False)
    check(result, labels=1000, tests=1000)
    # OCNLI's hypotheses give some labels away (Hu et al. 2020, section 4).
    hypothesis_only = result.baselines["second text only"]["accuracy"]
    assert hypothesis_only > result.baselines["most frequent class"]["accuracy"]


def test_question_answering() -> None:
    result = finetune("qa", labels=250, steps=40, progress=False)
    check(result, labels=250, tests=300)
    assert share_of_first_loss(result) < 1
    assert result.baselines["first sentence"]["f1"] > 0.05


def test_every_word_of_the_treebank_has_a_token(bert_vocabulary: Tokenizer) -> None:
    task = TASKS["tagging"].make(bert_vocabulary, 512)
    sentences: list[TaggedSentence] = [
        *load("ud_zh_gsdsimp", "dev"),
        *load("ud_zh_gsdsimp", "test"),
    ]
    shared = words = 0
    for sentence, row in zip(sentences, task.encode(sentences), strict=True):
        assert len(row.positions) == len(sentence.tokens)
        shared += len(row.positions) - len(set(row.positions))
        words += len(row.positions)
        assert sum(label != IGNORE_INDEX for label in row.labels) == len(set(row.positions))
    print(f"\n{shared} of {words} words share a token with the word before")
    assert shared < 0.01 * words


def test_answers_survive_encoding(bert_vocabulary: Tokenizer) -> None:
    task = QuestionAnswering(bert_vocabulary, max_length=256)
    questions: list[Question] = list(load("cmrc2018", "dev"))[::3]
    seen = Counter[str]()
    kept, problems = task.usable(questions, len(questions))
    for question in kept:
        (answer, *_) = [each for each in question.answers if each.start is not None]
        for row in task.training_rows([question]):
            first, last = row.offsets[row.start], row.offsets[row.end]
            assert first is not None
            assert last is not None
            text = question.context[first[0] : last[1]]
            assert answer.text.strip() in text
            seen["same" if text == answer.text else "wider"] += 1
    print(f"\n{len(kept)} of {len(questions)} questions, windows {dict(seen)}, {dict(problems)}")
    assert set(problems) <= {"answer not in its document", "answer longer than a window"}
    assert len(kept) > 0.9 * len(questions)
    assert seen["same"] > 0.97 * seen.total()
