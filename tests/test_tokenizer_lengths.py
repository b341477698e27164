"""Tokenisers: truncation, windows over long texts, padding, empty and impossible input."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from tokenizer_samples import MIXED, trained


@given(
    texts=st.lists(MIXED, min_size=1, max_size=4),
    max_length=st.integers(3, 12),
    stride=st.integers(0, 4),
)
def test_windows_cover_the_text_and_overlap(texts: list[str], max_length: int, stride: int) -> None:
    tokenizer = trained("character", "bert")
    assume(stride < max_length - 2)
    batch = tokenizer(texts, max_length=max_length, stride=stride, overflow=True)
    assert batch.input_ids.shape[1] <= max_length
    for sample, text in enumerate(texts):
        rows = [
            encoding
            for encoding, source in zip(batch.encodings, batch.sample_ids, strict=True)
            if source == sample
        ]
        pieces = [
            [i for i, s in zip(r.input_ids, r.sequence_ids, strict=True) if s == 0] for r in rows
        ]
        joined = pieces[0]
        for piece in pieces[1:]:
            assert joined[len(joined) - stride :] == piece[:stride]
            assert len(piece) > stride
            joined = joined + piece[stride:]
        assert joined == tokenizer.encode(text).input_ids[1:-1]
    assert batch.sample_ids == sorted(batch.sample_ids)


@pytest.mark.parametrize("side", ["only_first", "only_second"])
def test_windows_over_one_of_a_pair_keep_the_other(side: str) -> None:
    tokenizer = trained("character", "bert")
    question, document = "小猫去公园", "雨停了，小猫和小狗去公园玩。" * 4
    first, second = (question, document) if side == "only_second" else (document, question)
    batch = tokenizer(
        [first, first],
        [second, second],
        max_length=20,
        truncation=side,  # type: ignore[arg-type]
        stride=3,
        overflow=True,
    )
    cut, kept = (1, 0) if side == "only_second" else (0, 1)
    covered: set[int] = set()
    for encoding in batch.encodings[: len(batch) // 2]:
        kept_text = [
            t for t, s in zip(encoding.tokens, encoding.sequence_ids, strict=True) if s == kept
        ]
        assert kept_text == tokenizer.tokenize(question)
        for (start, end), sequence in zip(encoding.offsets, encoding.sequence_ids, strict=True):
            if sequence == cut:
                covered |= set(range(start, end))
    assert covered == set(range(len(document)))
    assert batch.sample_ids == [0] * (len(batch) // 2) + [1] * (len(batch) // 2)
    assert batch.input_ids.shape == (len(batch), 20)


def test_truncation_strategies() -> None:
    tokenizer = trained("character", "bert")
    first, second = "小猫小猫小猫", "雨雨雨"

    def lengths(**options: Any) -> tuple[int, int]:
        sequences = tokenizer.encode(first, second, **options).sequence_ids
        return sequences.count(0), sequences.count(1)

    assert lengths() == lengths(max_length=12) == lengths(max_length=12, truncation=None) == (6, 3)
    assert lengths(max_length=9) == (3, 3)
    assert lengths(max_length=11, truncation="only_first") == (5, 3)
    assert lengths(max_length=11, truncation="only_second") == (6, 2)


def test_lengths_that_cannot_be_met_are_refused() -> None:
    tokenizer = trained("character", "bert")
    long = "小猫" * 10
    refused: list[tuple[str, dict[str, Any]]] = [
        (
            r"texts\[0\] has 22 tokens, more than max_length=8",
            {"max_length": 8, "truncation": None},
        ),
        ("no room for text", {"max_length": 2}),
        ("choose longest_first", {"truncation": "middle"}),
        ('"only_second" needs pairs', {"truncation": "only_second", "max_length": 8}),
        ("overflow=True needs max_length", {"overflow": True}),
        ("less than the 6 tokens", {"overflow": True, "max_length": 8, "stride": 6}),
        ("at least 0", {"overflow": True, "max_length": 8, "stride": -1}),
        ("only with overflow=True", {"stride": 2, "max_length": 8}),
        ("1 texts but 2 pairs", {"pairs": ["小", "猫"]}),
        ("cuts one of the two", {"pairs": ["小"], "overflow": True, "max_length": 8}),
        ("too long", {"pairs": ["小"], "truncation": "only_second", "max_length": 8}),
        (
            "that max_length=8 leaves",
            {"pairs": ["小"], "truncation": "only_second", "max_length": 8, "overflow": True},
        ),
        ('choose "left" or "right"', {"padding_side": "middle"}),
    ]
    for message, options in refused:
        with pytest.raises(ValueError, match=message):
            tokenizer([long], **options)
    assert len(tokenizer.encode(long)) == 22  # and no refusal leaves a limit behind


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding(side: Any) -> None:
    tokenizer = trained("character", "bert")
    batch = tokenizer(["小猫", "小猫和小狗"], padding_side=side)
    assert batch.input_ids.dtype == batch.attention_mask.dtype == torch.long
    assert batch.input_ids.shape == batch.attention_mask.shape == batch.token_type_ids.shape
    assert len(batch) == 2
    mask = batch.attention_mask[0].tolist()
    assert mask == ([0, 0, 0] + [1] * 4 if side == "left" else [1] * 4 + [0, 0, 0])
    row = batch.input_ids[0]
    assert (row[batch.attention_mask[0] == 0] == tokenizer.pad_token_id).all()
    assert row[batch.attention_mask[0] == 1].tolist() == tokenizer.encode("小猫").input_ids
    assert batch.encodings[0].input_ids == row.tolist()


def test_empty_texts_and_empty_batches() -> None:
    tokenizer = trained("character", "bert")
    assert tokenizer.encode("").tokens == ["[CLS]", "[SEP]"]
    assert tokenizer("").input_ids.tolist() == [[2, 3]]
    assert tokenizer([]).input_ids.shape == (0, 0)
    assert tokenizer([]).input_ids.dtype == torch.long
    assert tokenizer([], [], overflow=True, max_length=9, truncation="only_second").sample_ids == []
    assert tokenizer.decode([]) == ""


def test_ids_outside_the_vocabulary() -> None:
    tokenizer = trained("character", "bert")
    assert tokenizer.token_to_id("没有") is None
    for bad in (-1, len(tokenizer)):
        with pytest.raises(ValueError, match="not in the vocabulary"):
            tokenizer.id_to_token(bad)
    with pytest.raises(ValueError, match="-100"):
        tokenizer.decode([5, -100])
    assert tokenizer.decode(torch.tensor(tokenizer.encode("小猫").input_ids)) == "小猫"
