"""Pairs for next sentence prediction and sentence order prediction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest
from drawing import all_alike, generator, within_sigmas
from hypothesis import given
from hypothesis import strategies as st

from chapter10.objectives import (
    SentencePair,
    next_segment_pairs,
    next_sentence_pairs,
    restore_order,
    segment_documents,
    sentence_order_pairs,
)


def documents(count: int, sentences: int) -> list[list[str]]:
    return [[f"{number}:{line}" for line in range(sentences)] for number in range(count)]


def where(sentence: str) -> tuple[int, int]:
    number, line = sentence.split(":")
    return int(number), int(line)


def test_next_sentences_are_half_the_next_half_from_another_document() -> None:
    pairs = next_sentence_pairs(documents(20, 501), generator(0))
    assert len(pairs) == 10_000
    assert within_sigmas(sum(pair.label for pair in pairs), len(pairs), 0.5)
    for pair in pairs:
        (number, line), (other, following) = where(pair.first), where(pair.second)
        assert (other == number) == (pair.label == 0)
        assert pair.label == 1 or following == line + 1
    # Each other document, and each of its sentences, is as likely as any other.
    random_ones = [where(pair.second) for pair in pairs if pair.label == 1]
    assert all_alike(Counter((number,) for number, _ in random_ones), 20)
    assert all_alike(Counter((line % 3,) for _, line in random_ones), 3)


def test_next_sentences_take_each_other_document_alike_whatever_its_length() -> None:
    uneven = [["0:0", "0:1"] * 5000, [], ["2:0"], [f"3:{line}" for line in range(50)]]
    pairs = next_sentence_pairs(uneven, generator(1))
    drawn = [where(p.second)[0] for p in pairs if p.label == 1 and where(p.first)[0] == 0]
    assert within_sigmas(drawn.count(2), len(drawn), 0.5)
    assert set(drawn) == {2, 3}


def test_sentence_order_swaps_half_and_stays_in_its_document() -> None:
    texts = documents(20, 501)
    pairs = sentence_order_pairs(texts, generator(0))
    assert len(pairs) == 10_000
    assert within_sigmas(sum(pair.label for pair in pairs), len(pairs), 0.5)
    for pair in pairs:
        (number, line), (other, following) = where(pair.first), where(pair.second)
        assert other == number
        assert following - line == (1 if pair.label == 0 else -1)
    neighbours = [pair for lines in texts for pair in pairwise(lines)]
    assert [restore_order(pair) for pair in pairs] == neighbours


@pytest.mark.parametrize("make", [next_sentence_pairs, sentence_order_pairs])
def test_pairs_depend_on_the_generator_alone(make: Callable[..., list[SentencePair]]) -> None:
    texts = documents(3, 20)
    assert make(texts, generator(4)) == make(texts, generator(4)) != make(texts, generator(5))
    assert texts == documents(3, 20)
    assert make([["a"], ["b"]], generator(0)) == []  # no neighbours, no pairs
    with pytest.raises(ValueError, match="list of its sentences"):
        make(["今天天气很好。", "明天呢?"], generator(0))


@pytest.mark.parametrize("texts", [[], [["a", "b"]], [["a", "b"], []]])
def test_next_sentences_need_two_documents(texts: list[list[str]]) -> None:
    with pytest.raises(ValueError, match="at least two"):
        next_sentence_pairs(texts, generator(0))


# --- whole documents in two segments --------------------------------------------------------


@given(
    lengths=st.lists(st.integers(0, 6), max_size=8),
    seed=st.integers(0, 1000),
    joiner=st.sampled_from(["|", " "]),
)
def test_segments_are_whole_documents_cut_between_two_sentences(
    lengths: list[int], seed: int, joiner: str
) -> None:
    texts = [[f"{number}:{line}" for line in range(n)] for number, n in enumerate(lengths)]
    segmented = segment_documents(texts, generator(seed), joiner)
    assert segmented == segment_documents(texts, generator(seed), joiner)
    for document, segments in zip(texts, segmented, strict=True):
        assert len(segments) == min(len(document), 2)
        assert all(segments)
        assert joiner.join(segments) == joiner.join(document)


def test_every_boundary_is_cut_alike() -> None:
    segmented = segment_documents([list("abcde")] * 4000, generator(0))
    assert all_alike(Counter((len(first),) for first, _ in segmented), 4)
    assert segmented != segment_documents([list("abcde")] * 4000, generator(1))


def test_next_segments_are_half_the_own_half_the_end_of_another_document() -> None:
    texts = [[f"{number}:0", f"{number}:1"] for number in range(10)] + [["10:0"], []]
    pairs = [pair for seed in range(1000) for pair in next_segment_pairs(texts, generator(seed))]
    assert len(pairs) == 10_000
    assert within_sigmas(sum(pair.label for pair in pairs), len(pairs), 0.5)
    for pair in pairs:
        (number, line), (other, following) = where(pair.first), where(pair.second)
        assert (line, following) == (0, 1)
        assert (other == number) == (pair.label == 0)
    of_first = [where(p.second)[0] for p in pairs if p.label == 1 and where(p.first)[0] == 0]
    assert set(of_first) == set(range(1, 10))
    assert all_alike(Counter((number,) for number in of_first), 9)


def test_segments_refuse_what_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match=r"got 1 document.*at least two"):
        next_segment_pairs([["a", "b"], ["c"]], generator(0))
    with pytest.raises(ValueError, match="list of its sentences"):
        segment_documents(["今天天气很好。"], generator(0))
