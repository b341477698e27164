"""Case 2: which token speaks for a word, errors, loss, scores; a word tagged by its context."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from task_samples import (
    ALPHABET,
    CHARACTERS,
    PIECES,
    UNIGRAM,
    losses_one_by_one,
    tagged,
    tiny_model,
)

from chapter10 import Tokenizer
from chapter10.data import TaggedSentence
from chapter10.objectives import IGNORE_INDEX
from chapter10.tasks import ExampleError, Tagging, align, baseline_scores, fit
from chapter10.training import TrainingConfig

TAGS = ("NOUN", "VERB", "X")
TASK = Tagging(CHARACTERS, TAGS, max_length=24)
latin = st.sampled_from(["players", "gpt", "again", "well", "2010", "unheard"])
words = st.tuples(st.text(ALPHABET, min_size=1, max_size=4) | latin, st.sampled_from(TAGS))
sentences = st.lists(words, min_size=1, max_size=6).map(lambda pairs: tagged(*pairs))


@given(sentences, st.sampled_from([CHARACTERS, PIECES, UNIGRAM]))
def test_every_word_has_a_token_and_nothing_else_has_a_loss(
    sentence: TaggedSentence, tokenizer: Tokenizer
) -> None:
    task = Tagging(tokenizer, TAGS, max_length=100)
    (row,) = task.encode([sentence])
    offsets = tokenizer.encode(sentence.text, literal=True).offsets
    assert len(row.positions) == len(sentence.tokens)
    assert len(row.labels) == len(row.input_ids)
    learned: dict[int, str] = {}
    for (start, end), tag, position in zip(
        sentence.offsets, sentence.tags, row.positions, strict=True
    ):
        first, last = offsets[position]
        assert first < end
        assert last > start
        if tokenizer is not UNIGRAM:  # no token over two words: the first piece it is
            assert first == start
        learned.setdefault(position, tag)
    assert {
        position: TAGS[label] for position, label in enumerate(row.labels) if label != IGNORE_INDEX
    } == learned


def test_the_first_piece_speaks_for_the_word() -> None:
    pieces = PIECES.tokenize("players")
    assert len(pieces) > 1
    (row,) = Tagging(PIECES, TAGS).encode([tagged(("雨", "NOUN"), ("players", "VERB"))])
    assert row.labels == [
        IGNORE_INDEX,
        0,
        1,
        *[IGNORE_INDEX] * (len(pieces) - 1),
        IGNORE_INDEX,
    ]


def test_align_by_hand() -> None:
    # "don't go" as do + n't + go; tokens don, ', t, go between two of the template.
    tokens = [(0, 0), (0, 3), (3, 4), (4, 5), (6, 8), (0, 0)]
    assert align([(0, 5), (0, 5), (6, 8)], tokens) == [1, 2, 4]
    # Two words in one token share it; a word without a token has none.
    assert align([(0, 1), (1, 2), (2, 3)], [(0, 2)]) == [0, 0, None]


def test_words_that_share_a_token_learn_the_first_ones_tag() -> None:
    assert "小猫" in "".join(UNIGRAM.tokenize("小猫"))
    sentence = tagged(("小", "X"), ("猫", "NOUN"))
    (row,) = Tagging(UNIGRAM, TAGS).encode([sentence])
    known = [label for label in row.labels if label != IGNORE_INDEX]
    shared = row.positions[0] == row.positions[1]
    assert known == ([2] if shared else [2, 0])
    assert shared, "the sample tokeniser no longer has a token for 小猫"


@pytest.mark.parametrize(
    ("changes", "problem", "sentence"),
    [
        ({"tags": ("NOUN",)}, "tag sequence of another length", "2 words but 1 tags"),
        ({"tags": ("NOUN", "NOUM")}, "label outside the set", "'NOUM'"),
        ({"text": " ", "tokens": (), "offsets": (), "tags": ()}, "empty text", "no words"),
        ({"offsets": ((0, 1),)}, "words without places", "1 offsets"),
        (
            {"text": "雨\u200b", "tokens": ("雨", "\u200b")},
            "word without a token",
            repr("\u200b"),
        ),
        (
            {"text": "雨" * 23, "offsets": ((0, 1), (1, 23))},
            "longer than the model",
            "25 tokens",
        ),
    ],
)
def test_bad_examples(changes: dict, problem: str, sentence: str) -> None:
    good = tagged(("雨", "NOUN"), ("看", "VERB"))
    with pytest.raises(ExampleError, match="Example 1 ") as caught:
        TASK.encode([good, replace(good, **changes)])
    assert sentence in str(caught.value)
    assert caught.value.problem == problem


@given(st.lists(sentences, min_size=1, max_size=4))
def test_padding_has_no_loss(batch: list[TaggedSentence]) -> None:
    task = Tagging(CHARACTERS, TAGS, max_length=64)
    rows = task.encode(batch)
    tensors = task.collate(rows)
    padding = tensors["attention_mask"] == 0
    assert (tensors["labels"][padding] == IGNORE_INDEX).all()
    model = tiny_model(task)
    total, count = task.loss(model, tensors)
    alone, number = losses_one_by_one(task, model, rows)
    assert int(count) == number == sum(len(sentence.tokens) for sentence in batch)
    assert total.item() == pytest.approx(alone, abs=1e-3)


def test_predict_reads_each_words_own_token() -> None:
    task = Tagging(PIECES, TAGS, max_length=40)
    sentence = tagged(("players", "NOUN"), ("雨", "X"), ("again", "VERB"))
    model = tiny_model(task)
    (row,) = task.encode([sentence])
    with torch.no_grad():
        logits = task.logits(model, task.collate([row]))[0][0]  # (T, C)
    wanted = tuple(TAGS[int(logits[position].argmax())] for position in row.positions)
    longer = tagged(*[("雨", "X")] * 30)
    assert task.predict(model, [longer, replace(sentence, tags=())])[1] == wanted


def test_scores_by_hand() -> None:
    sentences = [tagged(("雨", "NOUN"), ("看", "VERB")), tagged(("花", "NOUN"), ("花", "VERB"))]
    found = [("NOUN", "NOUN"), ("NOUN", "VERB")]
    # NOUN: P 2/3, R 1, F1 4/5. VERB: P 1, R 1/2, F1 2/3. X does not occur.
    assert TASK.score(sentences, found) == pytest.approx(
        {"accuracy": 3 / 4, "macro_f1": (4 / 5 + 2 / 3) / 2}
    )
    assert TASK.per_tag(sentences, found) == pytest.approx({"NOUN": 4 / 5, "VERB": 2 / 3})


def test_entities_count_whole() -> None:
    task = Tagging(CHARACTERS, ("O", "B-LOC", "I-LOC"))
    sentence = tagged(("北", "B-LOC"), ("京", "I-LOC"), ("雨", "O"), ("东", "B-LOC"))
    half = ("B-LOC", "O", "O", "B-LOC")  # 1 of 2 found is right, 1 of 2 given is found
    assert task.score([sentence], [half])["entity_f1"] == pytest.approx(1 / 2)
    assert "entity_f1" not in TASK.score([tagged(("雨", "X"))], [("X",)])


def test_baselines() -> None:
    train = [tagged(("雨", "NOUN"), ("花", "VERB"), ("花", "NOUN"), ("花", "VERB"), ("看", "VERB"))]
    test = [tagged(("雨", "NOUN"), ("花", "NOUN"), ("东", "VERB"))]
    one = baseline_scores("most frequent tag", TASK, train, [], test)
    each = baseline_scores("most frequent tag of the word", TASK, train, [], test)
    assert one["accuracy"] == pytest.approx(1 / 3)
    assert each["accuracy"] == pytest.approx(2 / 3)


def draw(count: int, seed: int) -> list[TaggedSentence]:
    """花 is a verb before 钱 and a noun before 开: the word alone does not say."""
    random_source = random.Random(seed)
    found = []
    for _ in range(count):
        before = [(word, "X") for word in random_source.choices("很真着在", k=2)]
        pair = random_source.choice(
            [(("花", "VERB"), ("钱", "NOUN")), (("花", "NOUN"), ("开", "VERB"))]
        )
        found.append(tagged(*before, *pair))
    return found


def test_learns_a_tag_from_context() -> None:
    train, validation, test = draw(200, 1), draw(20, 2), draw(100, 3)
    model = tiny_model(TASK)
    assert TASK.evaluate(model, test)["accuracy"] < 0.9
    fit(
        TASK, model, train, validation, TrainingConfig(steps=60, learning_rate=3e-3, progress=False)
    )
    words = baseline_scores("most frequent tag of the word", TASK, train, validation, test)[
        "accuracy"
    ]
    assert TASK.evaluate(model, test)["accuracy"] > 0.98 > words + 0.05
