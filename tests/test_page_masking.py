"""The page `masking`: its experiments count right, and its assertions fail on broken code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chapter10 import Bert, masking_widget, objectives
from chapter10.experiments import masking as page
from chapter10.experiments import tokens
from chapter10.objectives import IGNORE_INDEX, MaskedTokens, Masking
from chapter10.showing import show_source
from chapter10.tokenizers import Tokenizer

NOTEBOOK = Path(__file__).resolve().parent.parent / "book" / "masking.ipynb"
# Slow cells that assert nothing about the code under test, or only draw.
SKIPPED = ("sizes = [", "detection_curve", "google.colab", "masking_sliders", "token_rows(")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return page.character_tokenizer()


def run_page() -> None:
    """Execute the page's code cells, without its slow ones, in one namespace."""
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    namespace: dict[str, Any] = {}
    for cell in cells:
        if cell.cell_type == "code" and (
            not any(word in cell.source for word in SKIPPED) or "tokenizers = {" in cell.source
        ):
            exec(compile(cell.source, "book/masking.ipynb", "exec"), namespace)
    plt.close("all")


def test_the_page_passes_as_it_is() -> None:
    run_page()


# --- faults, each of which the page has to notice

real_mask_tokens = objectives.mask_tokens
real_candidates = objectives.mask_candidates
real_forward = Bert.forward


def wrong_shares(ids: Any, candidates: Any, masking: Masking, *rest: Any, **more: Any) -> Any:
    if masking == page.BERT_MASKING:
        masking = page.PLANTED
    return real_mask_tokens(ids, candidates, masking, *rest, **more)


def in_place(ids: Any, *rest: Any, **more: Any) -> MaskedTokens:
    masked = real_mask_tokens(ids, *rest, **more)
    ids.copy_(masked.input_ids)
    return masked


def every_token_for_itself(
    ids: Any, candidates: Any, masking: Masking, *rest: Any, **more: Any
) -> MaskedTokens:
    generator = next(x for x in (*rest, *more.values()) if isinstance(x, torch.Generator))
    chosen = candidates & (torch.rand(ids.shape, generator=generator) < masking.ratio)
    return real_mask_tokens(ids, chosen, replace(masking, ratio=1.0), *rest, **more)


def labels_everywhere(ids: Any, *rest: Any, **more: Any) -> MaskedTokens:
    masked = real_mask_tokens(ids, *rest, **more)
    return MaskedTokens(masked.input_ids, ids.clone())


def everything_is_a_candidate(ids: Any, *_: Any) -> Any:
    return torch.ones_like(ids, dtype=torch.bool)


def padding_is_seen(self: Bert, input_ids: Any, attention_mask: Any = None, **more: Any) -> Any:
    return real_forward(self, input_ids, None, **more)


def deaf(self: Bert, input_ids: Any, attention_mask: Any = None, **more: Any) -> Any:
    return real_forward(self, torch.zeros_like(input_ids), attention_mask, **more)


FAULTS: dict[str, tuple[str, Callable[..., Any]]] = {
    "81/10/9": ("mask_tokens", wrong_shares),
    "corruption in place": ("mask_tokens", in_place),
    "no fixed number": ("mask_tokens", every_token_for_itself),
    "labels everywhere": ("mask_tokens", labels_everywhere),
    "specials and padding are candidates": ("mask_candidates", everything_is_a_candidate),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_page_notices_broken_masking(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, broken = FAULTS[fault]
    monkeypatch.setattr(objectives, name, broken)
    monkeypatch.setattr(page, name, broken)
    with pytest.raises(AssertionError):
        run_page()


@pytest.mark.parametrize("broken", [padding_is_seen, deaf])
def test_the_page_notices_a_broken_model(
    broken: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bert, "forward", broken)
    with pytest.raises(AssertionError):
        run_page()


def test_the_page_notices_a_broken_tokenizer(monkeypatch: pytest.MonkeyPatch) -> None:
    decode = Tokenizer.decode
    monkeypatch.setattr(Tokenizer, "decode", lambda self, ids, **more: decode(self, ids[:-2]))
    with pytest.raises(AssertionError):
        run_page()


# --- the experiments


def test_sentences_are_many_different_and_short() -> None:
    found = tokens.sentences()
    assert len(found) >= 300
    assert len(set(found)) == len(found)
    assert all(5 <= len(text) <= 27 and text == text.strip() for text in found)


@given(seed=st.integers(0, 10_000))
def test_split_loses_and_repeats_nothing(seed: int) -> None:
    kept, held_out = tokens.split_sentences(seed)
    assert sorted(kept + held_out) == sorted(tokens.sentences())


def test_recombined_sentences_are_new() -> None:
    found = tokens.recombined(tokens.sentences(), 200, seed=3)
    assert found == tokens.recombined(tokens.sentences(), 200, seed=3)
    assert len(set(found) - set(tokens.sentences())) > 190


@given(text=st.sampled_from(tokens.sentences()))
def test_piece_ids_follow_the_pieces(text: str) -> None:
    bpe = _bpe()
    encoded = page.character_tokenizer().encode(text)
    pieces = bpe.encode(text).offsets
    for (start, end), number in zip(
        encoded.offsets, tokens.piece_ids(text, bpe, encoded.offsets), strict=True
    ):
        if start == end:
            assert number == -1
        else:
            assert pieces[number][0] <= start < pieces[number][1]


_trained: list[Tokenizer] = []


def _bpe() -> Tokenizer:
    if not _trained:
        _trained.append(Tokenizer.train(tokens.sentences(), kind="bpe", vocab_size=1200))
    return _trained[0]


def test_counts_of_a_corruption_done_by_hand(tokenizer: Tokenizer) -> None:
    batch = page.make_batch(tokenizer, ["你好。", "我们在北京看电影。"])
    ids, labels = batch.input_ids.clone(), torch.full_like(batch.input_ids, IGNORE_INDEX)
    mask_id = tokenizer.mask_token_id
    assert mask_id is not None
    for row, column in ((0, 1), (1, 1), (1, 8), (1, 9)):
        labels[row, column] = batch.input_ids[row, column]
    ids[0, 1] = mask_id
    ids[1, 8] = tokenizer.token_to_id("果") or 0
    ids[1, 9] = mask_id
    ids[0, 4] = mask_id  # the first row's [SEP]: forbidden
    found = page.observe(batch, MaskedTokens(ids, labels), mask_id)
    assert found == page.Observed(
        candidates=12, chosen=4, mask=2, changed=1, unchanged=1, first_half=2, forbidden=1
    )
    assert (found + found).chosen == 8
    kinds = page.token_kinds(batch.input_ids, MaskedTokens(ids, labels), mask_id)
    assert kinds[1][1] == "keep"
    assert kinds[1][8] == "random"
    assert kinds[0][1] == "mask"
    assert kinds[0][0] == "plain"


def test_expectations_agree_with_many_draws(tokenizer: Tokenizer) -> None:
    """Their standard deviations too: squared deviations of independent draws average 1."""
    batch = page.make_batch(tokenizer, tokens.sentences()[:60])
    masking = Masking(ratio=0.3, mask_share=0.5, random_share=0.3, keep_share=0.2)
    replacements = len(tokenizer) - len(tokenizer.special_ids)
    expected = page.expected_counts(batch.candidates, masking, replacements, draws=1)
    corrupt = page.corruptor(tokenizer, batch, masking)
    generator = torch.Generator().manual_seed(1)
    mask_id = tokenizer.mask_token_id or 0
    found = [
        page.deviations(page.count_draws(corrupt, batch, mask_id, 1, generator), expected)
        for _ in range(600)
    ]
    for name in expected:
        values = torch.tensor([one[name] for one in found])
        assert abs(values.mean()) < 3 / 600**0.5
        assert abs(values.square().mean() - 1) < 4 * (2 / 600) ** 0.5


def test_a_share_of_nothing_may_not_occur(tokenizer: Tokenizer) -> None:
    batch = page.make_batch(tokenizer, tokens.sentences()[:20])
    all_mask = Masking(mask_share=1.0, random_share=0.0, keep_share=0.0)
    expected = page.expected_counts(batch.candidates, all_mask, 700, draws=1)
    generator = torch.Generator().manual_seed(0)
    counted = page.count_draws(
        page.corruptor(tokenizer, batch, Masking()), batch, tokenizer.mask_token_id or 0, 1,
        generator,
    )  # fmt: skip
    assert abs(page.deviations(counted, expected)["changed"]) == page.IMPOSSIBLE


def test_planted_shares_are_those_of_the_two_step_bug() -> None:
    """First 10 % random, then nine tenths of the rest [MASK]."""
    generator = torch.Generator().manual_seed(0)
    n = 200_000
    swapped = torch.rand(n, generator=generator) < 0.1
    masked = ~swapped & (torch.rand(n, generator=generator) < 0.9)
    for found, wanted in (
        (masked, page.PLANTED.mask_share),
        (swapped, page.PLANTED.random_share),
        (~masked & ~swapped, page.PLANTED.keep_share),
    ):
        assert abs(found.double().mean() - wanted) < 3 * (wanted * (1 - wanted) / n) ** 0.5


def test_detection_grows_with_the_number_of_tokens(tokenizer: Tokenizer) -> None:
    batch = page.make_batch(tokenizer, tokens.sentences())
    curve = page.detection_curve(
        tokenizer, batch, page.BERT_MASKING, page.PLANTED, [1, 64], trials=8, seed=5
    )
    assert curve[0] < 0.5
    assert curve[1] == 1.0


def test_a_tokenizer_without_mask_is_refused() -> None:
    gpt = Tokenizer.train(tokens.sentences(), kind="character", style="gpt")
    with pytest.raises(ValueError, match="has no \\[MASK\\]"):
        page.corruptor(gpt, page.make_batch(gpt, ["你好。"]), Masking())


# --- what the page shows


def test_sliders_redraw_with_shares_that_add_up(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[str, Masking, int]] = []
    monkeypatch.setattr(
        masking_widget, "corrupted_html", lambda _, *given: drawn.append(given) or ""
    )
    box = masking_widget.masking_sliders(tokenizer, "你好。")
    sentence, ratio, mask, swap, seed = box.children[0].children
    ratio.value, mask.value, swap.value, seed.value = 40, 50, 20, 3
    sentence.value = "再见。"
    text, masking, used_seed = drawn[-1]
    assert (text, used_seed, masking.ratio) == ("再见。", 3, 0.4)
    assert masking.mask_share == pytest.approx(0.5)
    assert masking.random_share == pytest.approx(0.1)
    first = drawn[0][1]
    assert [first.mask_share, first.random_share, first.keep_share] == pytest.approx(
        [0.8, 0.1, 0.1]
    )


def test_the_corrupted_sentence_shows_every_fate_and_escapes(tokenizer: Tokenizer) -> None:
    text = "今天晚上，我们在北京看电影。"
    html = masking_widget.corrupted_html(tokenizer, text, Masking(ratio=1.0), seed=1)
    assert "14 / 14" in html
    assert html.count("<small>&nbsp;") == 2  # [CLS] and [SEP] alone stay without a word
    assert "0 / 0" in masking_widget.corrupted_html(tokenizer, "", Masking(), seed=0)
    kept = Masking(mask_share=0.0, random_share=0.0, keep_share=1.0)
    assert "<b>" not in masking_widget.corrupted_html(tokenizer, "<b>", kept, seed=0)


def test_shown_source_is_the_code_without_its_docstring() -> None:
    shown = show_source(objectives.num_to_choose).data
    assert shown.startswith("```python\ndef num_to_choose(")
    assert "wanted.clamp(min=1)" in shown
    assert "BERT's rule" not in shown
