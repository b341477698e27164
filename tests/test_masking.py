"""Masking: statistics over 100,000 tokens, and what is never touched."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from drawing import generator, within_sigmas
from hypothesis import given, settings
from hypothesis import strategies as st

from chapter10.objectives import (
    MaskedTokens,
    Masking,
    mask_candidates,
    mask_tokens,
    num_to_choose,
    ordinary_ids,
    restore_masked,
)

PAD, CLS, SEP, MASK, VOCAB = 0, 2, 3, 4, 25
SPECIALS = {0, 1, 2, 3, 4}
REPLACEMENTS = ordinary_ids(VOCAB, SPECIALS)
UNITS = ("token", "word", "span")


def batch(rows: int, length: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """[CLS] text [SEP] text [SEP] padding: ids, candidates and word_ids."""
    draw = generator(seed)
    ids = torch.randint(len(SPECIALS), VOCAB, (rows, length), generator=draw)
    ends = torch.randint(length // 2, length, (rows, 1), generator=draw)
    at = torch.arange(length)
    ids[:, 0] = CLS
    ids[:, length // 3] = SEP
    ids = ids.masked_fill(at == ends, SEP).masked_fill(at > ends, PAD)
    new_word = torch.rand(rows, length, generator=draw) < 0.4
    word_ids = new_word.long().cumsum(1)
    # The numbers start again in the second sentence, as tokenizers count them.
    word_ids = word_ids - word_ids[:, length // 3, None] * (at > length // 3)
    candidates = mask_candidates(ids, SPECIALS, at <= ends)
    return ids, candidates, word_ids.masked_fill(~candidates, -1)


def mask(
    ids: torch.Tensor,
    candidates: torch.Tensor,
    words: torch.Tensor,
    seed: int = 0,
    **kwargs: object,
) -> MaskedTokens:
    masking = Masking(**kwargs)  # type: ignore[arg-type]
    return mask_tokens(ids, candidates, masking, MASK, REPLACEMENTS, generator(seed), words)


def words_of(candidates: list[bool], word_ids: list[int]) -> list[list[int]]:
    """The positions of each word of a row, one token at a time: the oracle for whole words."""
    words: list[list[int]] = []
    for at, candidate in enumerate(candidates):
        if not candidate:
            continue
        if words and words[-1][-1] == at - 1 and word_ids[at] == word_ids[at - 1]:
            words[-1].append(at)
        else:
            words.append([at])
    return words


# --- which positions ------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("ratio", [0.15, 0.4, 1.0])
def test_specials_and_padding_are_never_chosen_or_written(unit: str, ratio: float) -> None:
    ids, candidates, words = batch(400, 250)
    assert ids.numel() >= 100_000
    masked = mask(ids, candidates, words, unit=unit, ratio=ratio)
    assert masked.prediction_mask.any()
    assert not (masked.prediction_mask & ~candidates).any()
    untouched = ~masked.prediction_mask
    assert torch.equal(masked.input_ids[untouched], ids[untouched])
    assert torch.equal(masked.labels[masked.prediction_mask], ids[masked.prediction_mask])


@pytest.mark.parametrize("unit", UNITS)
def test_every_row_has_exactly_the_documented_number_of_units(unit: str) -> None:
    ids, candidates, words = batch(200, 60)
    chosen = mask(ids, candidates, words, unit=unit, ratio=0.2).prediction_mask
    for row in range(len(ids)):
        if unit == "token":
            units = [[at] for at in candidates[row].nonzero().flatten().tolist()]
        else:
            units = words_of(candidates[row].tolist(), words[row].tolist())
        taken = [all(chosen[row, unit]) for unit in units]
        # All pieces of a word together, or none.
        assert [any(chosen[row, unit]) for unit in units] == taken
        assert sum(taken) == max(1, round(0.2 * len(units)))


def test_spans_without_words_take_exactly_the_number_of_tokens() -> None:
    ids, candidates, _ = batch(200, 60)
    masked = mask_tokens(
        ids, candidates, Masking(unit="span"), MASK, REPLACEMENTS, generator(0), word_ids=None
    )
    assert torch.equal(masked.prediction_mask.sum(1), num_to_choose(candidates.sum(1), 0.15))


def test_num_to_choose_is_bert_s_rule() -> None:
    counts = torch.tensor([0, 1, 3, 10, 20, 100])
    assert num_to_choose(counts, 0.15).tolist() == [0, 1, 1, 2, 3, 15]
    assert num_to_choose(counts, 0.0).tolist() == [0] * 6
    assert num_to_choose(counts, 1.0).tolist() == counts.tolist()


@pytest.mark.parametrize("unit", ["token", "word"])
def test_each_unit_is_as_likely_as_any_other(unit: str) -> None:
    # One row 20,000 times: words of 1, 2, 3, 4 tokens, twice, in a row with specials around.
    sizes = [1, 2, 3, 4, 4, 3, 2, 1]
    word = torch.repeat_interleave(torch.arange(8), torch.tensor(sizes))
    words = torch.cat([torch.tensor([-1]), word, torch.tensor([-1, -1])]).expand(20_000, -1)
    candidates = words >= 0
    ids = torch.where(candidates, 7, PAD)
    chosen = mask(ids, candidates, words, unit=unit, ratio=0.25).prediction_mask
    counts = chosen.sum(0)[candidates[0]].tolist()
    assert all(within_sigmas(count, 20_000, 0.25) for count in counts), counts


def test_spans_are_as_long_as_spanbert_s() -> None:
    # Rows so long that spans seldom meet: 30 of 4,000 tokens.
    ids = torch.full((700, 4_000), 7)
    every = torch.ones_like(ids, dtype=torch.bool)
    masking = Masking(unit="span", ratio=0.0075)
    chosen = mask_tokens(ids, every, masking, MASK, REPLACEMENTS, generator(3)).prediction_mask
    runs = (chosen & ~F.pad(chosen, (1, 0))[:, :-1]).sum().item()
    chances = [0.2 * 0.8**length for length in range(10)]
    chances = [chance / sum(chances) for chance in chances]
    mean = sum(length * chance for length, chance in enumerate(chances, start=1))
    assert mean == pytest.approx(3.8, abs=0.01)  # the figure in the paper
    # How many spans it takes to spend a budget, the last one cut to fit.
    spans = [0.0]
    for budget in range(1, 31):
        rest = enumerate(chances, start=1)
        spans.append(1 + sum(chance * spans[max(0, budget - length)] for length, chance in rest))
    assert runs == pytest.approx(700 * spans[30], rel=0.03)


def test_short_spans_follow_the_geometric_law_exactly() -> None:
    # Two lengths, a budget of two: one run of two is a span of length 2, or two of 1 that touch.
    ids = torch.full((50_000, 20), 7)
    candidates = torch.ones_like(ids, dtype=torch.bool)
    masking = Masking(unit="span", ratio=0.1, span_stop=0.2, max_span_length=2)
    chosen = mask_tokens(ids, candidates, masking, MASK, REPLACEMENTS, generator(4)).prediction_mask
    touching = (chosen[:, 1:] & chosen[:, :-1]).any(1).sum().item()
    # Anchor at the last token: length 2 is cut to 1. P(2) = .8 / 1.8 among the other 19.
    two = 0.8 / 1.8 * 19 / 20
    # Else a second anchor: beside the first one. Enumerate (first, length, second).
    touch = two
    for first in range(20):
        single = 1.0 if first == 19 else 1.0 / 1.8
        for second in set(range(20)) - {first}:
            # A second span of length 2 adds its first free token, the anchor, and stops.
            touch += single / 20 / 19 * (abs(second - first) == 1)
    assert within_sigmas(touching, len(ids), touch)


def test_spans_never_cross_a_special_token() -> None:
    # Ten candidates, a special token between any two: long spans must still take one token each,
    # so that the two chosen ones are neighbours by chance only: 9 of 45 pairs.
    ids = torch.tensor([[7, SEP] * 10]).expand(20_000, -1)
    candidates = mask_candidates(ids, SPECIALS)
    masking = Masking(unit="span", ratio=0.2, span_stop=1e-6, max_span_length=10)
    masked = mask_tokens(ids, candidates, masking, MASK, REPLACEMENTS, generator(5))
    chosen = masked.prediction_mask[:, ::2]
    assert (chosen.sum(1) == 2).all()
    neighbours = (chosen[:, 1:] & chosen[:, :-1]).any(1).sum().item()
    assert within_sigmas(neighbours, 20_000, 0.2)


def test_a_word_is_a_run_of_candidates() -> None:
    # One word whose middle piece may not be chosen: its two ends are two units.
    ids = torch.tensor([[7, 1, 8]]).expand(500, -1)
    words = torch.zeros_like(ids)
    chosen = mask(ids, mask_candidates(ids, SPECIALS), words, unit="word", ratio=0.5)
    assert (chosen.prediction_mask.sum(1) == 1).all()


def test_words_of_two_sentences_with_the_same_number_are_two_words() -> None:
    ids = torch.tensor([[CLS, 7, 7, SEP, 8, 8, SEP]]).expand(500, -1)
    words = torch.tensor([[-1, 0, 0, -1, 0, 0, -1]]).expand(500, -1)
    chosen = mask(ids, mask_candidates(ids, SPECIALS), words, unit="word", ratio=0.5)
    assert (chosen.prediction_mask.sum(1) == 2).all()
    assert chosen.prediction_mask[:, 1].any()
    assert chosen.prediction_mask[:, 4].any()


# --- what a chosen position shows -----------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("shares", [(0.8, 0.1, 0.1), (0.5, 0.2, 0.3), (0.0, 1.0, 0.0)])
def test_the_three_shares(unit: str, shares: tuple[float, float, float]) -> None:
    mask_share, random_share, keep_share = shares
    ids = torch.randint(5, VOCAB, (1_100, 1_000), generator=generator(1))
    every = torch.ones_like(ids, dtype=torch.bool)
    words = torch.arange(1_000).expand_as(ids) // 2
    # Words draw token by token; a span shares one draw, so spans of one token count draws here.
    settings = {"unit": unit, "max_span_length": 1, "ratio": 0.2 if unit == "span" else 0.15}
    masked = mask(
        ids, every, words if unit == "word" else None,  # type: ignore[arg-type]
        seed=2, mask_share=mask_share, random_share=random_share, keep_share=keep_share, **settings,
    )  # fmt: skip
    chosen = masked.prediction_mask
    total = int(chosen.sum())
    assert total >= 100_000
    shown, original = masked.input_ids[chosen], ids[chosen]
    same = random_share / len(REPLACEMENTS)  # a random token that happens to be the old one
    assert within_sigmas(int((shown == MASK).sum()), total, mask_share)
    assert within_sigmas(int((shown == original).sum()), total, keep_share + same)
    changed = int(((shown != MASK) & (shown != original)).sum())
    assert within_sigmas(changed, total, random_share - same)


def test_with_one_replacement_the_unchanged_share_is_exact() -> None:
    # V = 1 and a text of that very token: every random one looks kept.
    ids = torch.full((1_000, 1_000), 7)
    every = torch.ones_like(ids, dtype=torch.bool)
    masked = mask_tokens(ids, every, Masking(), MASK, torch.tensor([7]), generator(6))
    chosen = masked.prediction_mask
    assert within_sigmas(int((masked.input_ids[chosen] == 7).sum()), int(chosen.sum()), 0.2)
    assert set(masked.input_ids.unique().tolist()) == {MASK, 7}


def test_random_tokens_are_uniform_and_never_special() -> None:
    ids = torch.full((1_000, 150), 7)
    every = torch.ones_like(ids, dtype=torch.bool)
    masking = Masking(ratio=1.0, mask_share=0.0, random_share=1.0, keep_share=0.0)
    shown = mask_tokens(ids, every, masking, MASK, REPLACEMENTS, generator(7)).input_ids
    counts = shown.flatten().bincount(minlength=VOCAB)
    assert counts[sorted(SPECIALS)].sum() == 0
    share = 1 / len(REPLACEMENTS)
    assert all(within_sigmas(n, shown.numel(), share) for n in counts[len(SPECIALS) :].tolist())


@pytest.mark.parametrize("shares", [(1.0, 0.0, 0.0), (0.9, 0.1, 0.0), (0.7, 0.0, 0.3)])
def test_a_share_of_zero_is_never_drawn(shares: tuple[float, float, float]) -> None:
    ids = torch.full((300, 1_000), 7)
    every = torch.ones_like(ids, dtype=torch.bool)
    masking = Masking(ratio=1.0, mask_share=shares[0], random_share=shares[1], keep_share=shares[2])
    shown = mask_tokens(ids, every, masking, MASK, torch.tensor([9]), generator(8)).input_ids
    assert [bool((shown == token).any()) for token in (MASK, 9, 7)] == [s > 0 for s in shares]


def test_a_span_shares_one_draw() -> None:
    ids = torch.full((2_000, 12), 7)
    every = torch.ones_like(ids, dtype=torch.bool)
    # The longest span is the whole budget and by far the likeliest: most rows hold one span.
    masking = Masking(unit="span", ratio=0.25, span_stop=1e-6, max_span_length=3, mask_share=0.5,
                      random_share=0.5, keep_share=0.0)  # fmt: skip
    masked = mask_tokens(ids, every, masking, MASK, torch.tensor([9]), generator(9))
    one_run = masked.prediction_mask.unfold(1, 3, 1).all(-1).any(1)
    mixed = (masked.input_ids == MASK).any(1) & (masked.input_ids == 9).any(1)
    # Spans of 1 + 2 that touch may differ; drawn token by token, 3 in 4 of these rows would.
    assert mixed[one_run].float().mean() < 0.4
    per_token = mask_tokens(
        ids,
        every,
        replace(masking, unit="token", ratio=0.25),
        MASK,
        torch.tensor([9]),
        generator(9),
    )
    mixed = (per_token.input_ids == MASK).any(1) & (per_token.input_ids == 9).any(1)
    assert mixed.float().mean() > 0.7


# --- purity ---------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", UNITS)
def test_nothing_is_written_in_place(unit: str) -> None:
    ids, candidates, words = batch(50, 40)
    before = [tensor.clone() for tensor in (ids, candidates, words, REPLACEMENTS)]
    masked = mask(ids, candidates, words, unit=unit, ratio=0.5)
    for old, now in zip(before, (ids, candidates, words, REPLACEMENTS), strict=True):
        assert torch.equal(old, now)
    # Nor may a later write to the result reach the input.
    masked.input_ids.zero_()
    masked.labels.zero_()
    assert torch.equal(before[0], ids)


@pytest.mark.parametrize("unit", UNITS)
def test_the_same_generator_state_gives_the_same_masks(unit: str) -> None:
    ids, candidates, words = batch(50, 40)
    torch.manual_seed(1)
    first = mask(ids, candidates, words, seed=11, unit=unit)
    torch.manual_seed(2)  # the global generator plays no part
    second = mask(ids, candidates, words, seed=11, unit=unit)
    other = mask(ids, candidates, words, seed=12, unit=unit)
    assert torch.equal(first.input_ids, second.input_ids)
    assert torch.equal(first.labels, second.labels)
    assert not torch.equal(first.labels, other.labels)


@pytest.mark.parametrize("unit", UNITS)
def test_shares_do_not_move_the_positions(unit: str) -> None:
    # So that an ablation over shares compares the same positions.
    ids, candidates, words = batch(50, 40)
    bert = mask(ids, candidates, words, unit=unit)
    other = mask(
        ids, candidates, words, unit=unit, mask_share=1.0, random_share=0.0, keep_share=0.0
    )
    assert torch.equal(bert.labels, other.labels)


# --- edges ----------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.lists(st.integers(0, VOCAB - 1), min_size=6, max_size=6), max_size=4),
    ratio=st.floats(0, 1),
    unit=st.sampled_from(UNITS),
    seed=st.integers(0, 99),
)
def test_the_labels_always_restore_the_text(
    rows: list[list[int]], ratio: float, unit: str, seed: int
) -> None:
    ids = torch.tensor(rows, dtype=torch.long).reshape(len(rows), 6)
    candidates = mask_candidates(ids, SPECIALS)
    words = torch.tensor([0, 0, 1, 1, 1, -1]).expand_as(ids)
    masked = mask(ids, candidates, words, seed=seed, unit=unit, ratio=ratio)
    assert torch.equal(restore_masked(masked), ids)
    assert torch.equal(masked.prediction_mask.any(1), candidates.any(1) & (ratio > 0))
    assert not torch.isin(masked.labels, torch.tensor(sorted(SPECIALS))).any()


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("shape", [(0, 0), (2, 0), (0, 5), (1, 1)])
def test_empty_and_tiny_batches(unit: str, shape: tuple[int, int]) -> None:
    ids = torch.full(shape, 7)
    masked = mask(ids, torch.ones(shape, dtype=torch.bool), torch.zeros_like(ids), unit=unit)
    assert masked.input_ids.shape == masked.labels.shape == shape
    assert masked.prediction_mask.all()  # a row of one token hides it


def test_mask_candidates_and_ordinary_ids() -> None:
    ids = torch.tensor([[CLS, 7, 1, SEP, PAD, 8]])
    attention = torch.tensor([[1, 1, 1, 1, 0, 0]])
    assert mask_candidates(ids, SPECIALS, attention).tolist() == [[False, True] + [False] * 4]
    assert mask_candidates(ids, []).all()
    assert ordinary_ids(8, {0, 5}).tolist() == [1, 2, 3, 4, 6, 7]
    assert ordinary_ids(3, set()).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"ratio": 1.5}, "ratio is 1.5"),
        ({"mask_share": 0.9}, "add up to 1"),
        ({"keep_share": -0.1, "mask_share": 1.0}, "keep_share is -0.1"),
        ({"unit": "sentence"}, "it can be token, word, span"),
        ({"span_stop": 0.0}, "span_stop is 0.0"),
        ({"max_span_length": 0}, "at least 1"),
        ({"ratio": float("nan")}, "ratio is nan"),
    ],
)
def test_masking_rejects_impossible_values(wrong: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Masking(**wrong)  # type: ignore[arg-type]


def test_mask_tokens_says_what_does_not_fit() -> None:
    ids, candidates, words = batch(2, 12)

    def call(**changed: object) -> None:
        arguments = {"input_ids": ids, "candidates": candidates, "masking": Masking(unit="word"),
                     "mask_token_id": MASK, "replacement_ids": REPLACEMENTS,
                     "generator": generator(0), "word_ids": words}  # fmt: skip
        mask_tokens(**(arguments | changed))  # type: ignore[arg-type]

    call()
    for changed, says in (
        ({"input_ids": ids[0]}, r"must be \(batch, length\)"),
        ({"candidates": candidates.long()}, "must be bool"),
        ({"candidates": candidates[:, 1:]}, "of the shape of input_ids"),
        ({"replacement_ids": torch.tensor([MASK, 7])}, "never a special"),
        ({"replacement_ids": torch.tensor([], dtype=torch.long)}, "n >= 1"),
        ({"word_ids": None}, "needs word_ids"),
        ({"word_ids": words[:, 1:]}, "word_ids has shape"),
    ):
        with pytest.raises(ValueError, match=says):
            call(**changed)
