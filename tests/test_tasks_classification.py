"""Cases 1 and 3: rows, errors, loss, prediction, scores, baselines; a rule that is learned."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from task_samples import ALPHABET, CHARACTERS, losses_one_by_one, tiny_model

from chapter10.objectives import IGNORE_INDEX
from chapter10.tasks import Classification, ExampleError, TextExample, baseline_scores, fit
from chapter10.training import TrainingConfig

LABELS = ("bad", "good")
TASK = Classification(CHARACTERS, LABELS, max_length=24)
CLS, SEP = CHARACTERS.cls_token_id, CHARACTERS.sep_token_id
words = st.text(ALPHABET, min_size=1, max_size=9)
examples = st.lists(
    st.builds(TextExample, words, st.none() | words, st.sampled_from(LABELS)),
    min_size=1,
    max_size=5,
)


def test_a_sentence_and_a_pair() -> None:
    one, two = TASK.encode([TextExample("雨", None, "bad"), TextExample("雨", "天气", "good")])
    rain, sky, air = map(CHARACTERS.token_to_id, "雨天气")
    assert one.input_ids == [CLS, rain, SEP]
    assert one.token_type_ids == [0, 0, 0]
    assert two.input_ids == [CLS, rain, SEP, sky, air, SEP]
    assert two.token_type_ids == [0, 0, 0, 1, 1, 1]
    assert (one.label, two.label) == (0, 1)


def test_a_typed_special_token_is_text() -> None:
    (row,) = TASK.encode([TextExample("雨[SEP]天")], targets=False)
    assert row.input_ids.count(SEP) == 1
    assert row.label == IGNORE_INDEX


@pytest.mark.parametrize(
    ("example", "problem", "sentence"),
    [
        (TextExample("  ", None, "bad"), "empty text", "text is empty"),
        (TextExample("雨", " ", "bad"), "empty text", "pair is empty"),
        (TextExample("雨" * 23, None, "bad"), "longer than the model", "25 tokens"),
        (TextExample("雨" * 12, "雨" * 10, "bad"), "longer than the model", "a row holds 24"),
        (TextExample("雨", None, "awful"), "label outside the set", "bad, good"),
        (TextExample("雨"), "no label", "no label"),
    ],
)
def test_bad_examples(example: TextExample, problem: str, sentence: str) -> None:
    good = TextExample("雨", None, "good")
    with pytest.raises(ExampleError, match="Example 1 ") as caught:
        TASK.encode([good, example])
    assert sentence in str(caught.value)
    assert (caught.value.index, caught.value.problem) == (1, problem)
    assert TASK.usable([good, example, good], 9) == ([good, good], {problem: 1})
    assert TASK.usable([good, example, good], 1) == ([good], {})


def test_the_longest_row_fits_and_reviews_may_be_cut() -> None:
    (row,) = TASK.encode([TextExample("雨" * 22, None, "bad")])
    assert len(row) == 24
    cutting = Classification(CHARACTERS, LABELS, max_length=24, truncate=True)
    (row,) = cutting.encode([TextExample("雨" * 50, None, "bad")])
    assert len(row) == 24
    assert row.input_ids[-1] == SEP


@pytest.mark.parametrize("labels", [("one",), ("a", "b", "a")])
def test_bad_labels(labels: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="labels"):
        Classification(CHARACTERS, labels)


@given(examples)
def test_padding_changes_no_loss(batch: list[TextExample]) -> None:
    model = tiny_model(TASK)
    rows = TASK.encode(batch)
    tensors = TASK.collate(rows)
    for place, row in enumerate(rows):
        padding = [0] * (tensors["input_ids"].shape[1] - len(row))
        assert tensors["input_ids"][place].tolist() == row.input_ids + padding
        assert tensors["token_type_ids"][place].tolist() == row.token_type_ids + padding
        assert tensors["attention_mask"][place].tolist() == [1] * len(row) + padding
    total, count = TASK.loss(model, tensors)
    alone, number = losses_one_by_one(TASK, model, rows)
    assert int(count) == number == len(batch)
    assert total.item() == pytest.approx(alone, abs=1e-4)


def test_predictions_come_in_order_and_ask_for_no_label() -> None:
    model = tiny_model(TASK).train()
    texts = ["雨" * n for n in (9, 1, 20, 4, 15)]
    together = TASK.predict(model, [TextExample(text) for text in texts])
    assert model.training
    for text, prediction in zip(texts, together, strict=True):
        (alone,) = TASK.predict(model, [TextExample(text)])
        assert prediction.probabilities == pytest.approx(alone.probabilities, abs=1e-5)
        assert sum(prediction.probabilities) == pytest.approx(1, abs=1e-5)
        best = prediction.probabilities.index(max(prediction.probabilities))
        assert prediction.label == LABELS[best]


def test_scores_by_hand() -> None:
    given_labels = ["bad", "bad", "bad", "good"]
    found = TASK.score_answers(
        [TextExample("雨", None, label) for label in given_labels], ["bad", "bad", "good", "good"]
    )
    # bad: P 2/2, R 2/3, F1 4/5. good: P 1/2, R 1/1, F1 2/3.
    assert found == pytest.approx({"accuracy": 3 / 4, "macro_f1": (4 / 5 + 2 / 3) / 2})
    with pytest.raises(ExampleError, match="Example 0"):
        TASK.score_answers([TextExample("雨", None, "awful")], ["bad"])


def draw(count: int, seed: int) -> list[TextExample]:
    """A text is good where 好 stands, unless 不 stands somewhere before it: order counts."""
    random_source = random.Random(seed)
    found = []
    for _ in range(count):
        marks = random_source.choice(["好", "不好", "好不", "不"])
        fill = random_source.choices("天气雨花窗猫", k=6)
        places = sorted(random_source.sample(range(8), len(marks)))
        for mark, place in zip(marks, places, strict=True):
            fill.insert(place, mark)
        text = "".join(fill)
        no, yes = text.find("不"), text.find("好")
        good = yes >= 0 and not 0 <= no < yes
        found.append(TextExample(text, None, LABELS[good]))
    return found


def test_learns_what_order_says() -> None:
    train, validation, test = draw(400, 1), draw(60, 2), draw(300, 3)
    model = tiny_model(TASK)
    before = TASK.evaluate(model, test)["accuracy"]
    config = TrainingConfig(steps=160, learning_rate=3e-3, warmup_steps=10, progress=False)
    fit(TASK, model, train, validation, config)
    majority = baseline_scores("most frequent class", TASK, train, validation, test)["accuracy"]
    assert TASK.evaluate(model, test)["accuracy"] > 0.9 > max(majority, before) + 0.1


def test_baselines() -> None:
    train = [TextExample("天好", None, "good")] * 3 + [TextExample("天坏", None, "bad")]
    test = [TextExample("很好", None, "good"), TextExample("很坏", None, "bad")]
    majority = baseline_scores("most frequent class", TASK, train, train, test)
    assert majority == pytest.approx({"accuracy": 1 / 2, "macro_f1": (2 / 3 + 0) / 2})
    assert baseline_scores("character n-grams", TASK, train, train, test)["accuracy"] == 1.0
    assert baseline_scores("character n-grams", TASK, train[:3], train, test) == majority


def test_a_pairs_texts_are_told_apart_by_n_grams() -> None:
    """好 is good in the second text and bad in the first: one bag for both could not know, nor
    could either text alone."""
    pairs = [("雨", "好", "good"), ("雨", "坏", "bad"), ("好", "猫", "bad"), ("坏", "猫", "good")]
    examples = [TextExample(*pair) for pair in pairs] * 5
    scores = baseline_scores("character n-grams", TASK, examples, examples, examples)
    assert scores["accuracy"] == 1.0
    hidden = [TextExample(text, "猫", label) for text, _, label in pairs] * 5
    blind = baseline_scores("second text only", TASK, hidden, hidden, hidden)
    assert blind["accuracy"] == 0.5


def test_gradients_reach_body_and_head() -> None:
    model = tiny_model(TASK)
    total, _ = TASK.loss(model, TASK.collate(TASK.encode(draw(4, 0))))
    total.backward()
    used = CHARACTERS.token_to_id("好")
    assert model.classifier.weight.grad.abs().sum() > 0
    assert model.bert.encoder is not None
    assert all(p.grad is not None for p in model.bert.encoder.parameters())
    words = model.bert.embeddings.word_embeddings.weight.grad
    assert torch.equal(words[CHARACTERS.pad_token_id], torch.zeros(words.shape[1]))
    assert words[used].abs().sum() > 0
