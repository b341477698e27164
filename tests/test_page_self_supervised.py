"""The page `self-supervised`: pairs come back, controls do not, and its assertions can fail."""

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

from chapter10 import objectives, pairs_widget
from chapter10.experiments import neighbours, sizes, timeline
from chapter10.experiments import self_supervised as page
from chapter10.experiments.tokens import sentences
from chapter10.objectives import IGNORE_INDEX
from chapter10.tokenizers import Tokenizer

NOTEBOOK = Path(__file__).resolve().parent.parent / "book" / "self-supervised.ipynb"
SYMBOLS = page.page_symbols()
# Cells that only draw, need real data or a running kernel.
SKIPPED = ("google.colab", "zh_modern", "pair_controls", "token_rows(")


def run_page() -> None:
    """Execute the page's code cells, without those in SKIPPED, in one namespace."""
    namespace: dict[str, Any] = {"display": lambda *_: None}
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        needed = "import evidence" in cell.source or "ids = symbols" in cell.source
        if cell.cell_type == "code" and (
            needed or not any(word in cell.source for word in SKIPPED)
        ):
            exec(compile(cell.source, "book/self-supervised.ipynb", "exec"), namespace)
    plt.close("all")


def test_the_page_passes_as_it_is() -> None:
    run_page()


# --- faults, each of which the page has to notice

real_mask_tokens = objectives.mask_tokens
real_next_tokens = objectives.next_tokens
real_corrupt_spans = objectives.corrupt_spans
real_corrupt_mass = objectives.corrupt_mass


def labels_lost(*given: Any, **more: Any) -> objectives.MaskedTokens:
    masked = real_mask_tokens(*given, **more)
    return objectives.MaskedTokens(masked.input_ids, torch.full_like(masked.labels, IGNORE_INDEX))


def in_place(ids: Any, *given: Any, **more: Any) -> objectives.MaskedTokens:
    masked = real_mask_tokens(ids, *given, **more)
    ids.copy_(masked.input_ids)
    return masked


def not_shifted(*given: Any, **more: Any) -> objectives.NextTokens:
    shifted = real_next_tokens(*given, **more)
    asked = shifted.labels != IGNORE_INDEX
    return objectives.NextTokens(
        shifted.input_ids, torch.where(asked, shifted.input_ids, shifted.labels)
    )


def last_of_a_span_lost(*given: Any, **more: Any) -> objectives.SpanCorruption:
    inputs, labels = real_corrupt_spans(*given, **more)
    return objectives.SpanCorruption(inputs, torch.cat([labels[:-2], labels[-1:]]))


def fragment_swapped(*given: Any, **more: Any) -> objectives.FragmentMasking:
    example = real_corrupt_mass(*given, **more)
    return example._replace(labels=example.labels.flip(0))


def restored_without_labels(masked: objectives.MaskedTokens) -> Any:
    return masked.input_ids


PAIR_FAULTS: dict[str, Callable[..., Any]] = {
    "mask_tokens": labels_lost,
    "mask_tokens ": in_place,
    "next_tokens": not_shifted,
    "corrupt_spans": last_of_a_span_lost,
    "corrupt_mass": fragment_swapped,
    "restore_masked": restored_without_labels,
}


@pytest.mark.parametrize("name", PAIR_FAULTS)
def test_the_page_notices_a_pair_that_loses_something(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objectives, name.strip(), PAIR_FAULTS[name])
    with pytest.raises(AssertionError):
        run_page()


@pytest.mark.parametrize(
    ("module", "name", "broken"),
    [
        (neighbours, "permute_targets", lambda pairs, draws: pairs),
        (neighbours, "count_pairs", lambda pairs, size: torch.ones(size, size).double()),
        (neighbours, "fit", lambda pairs, validation, size: (torch.ones(size, size).double(), 1.0)),
        (sizes, "gpt_formula", lambda config: 0),
        (sizes, "t5_formula", lambda config: 0),
        (sizes, "bert_formula", lambda config: 0),
        (
            timeline,
            "EVENTS",
            (*timeline.EVENTS, timeline.Event(1989, "lecun2019post", "title", "?")),
        ),
    ],
    ids=[
        "nothing permuted",
        "a table of ones",
        "an untaught learner",
        "GPT",
        "T5",
        "BERT",
        "a wrong year",
    ],
)
def test_the_page_notices_other_faults(
    module: Any, name: str, broken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, broken)
    with pytest.raises(AssertionError):
        run_page()


def test_the_page_notices_a_missing_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = timeline.bibliography()
    assert entries is not None
    monkeypatch.setattr(
        timeline,
        "bibliography",
        lambda: {key: one for key, one in entries.items() if key != "zaheer2020bigbird"},
    )
    with pytest.raises(AssertionError, match="S2"):
        run_page()


# --- pairs

texts = st.lists(st.integers(5, 700), min_size=1, max_size=40)


@pytest.mark.parametrize("name", page.WAYS)
@given(ids=texts, seed=st.integers(0, 10_000))
def test_any_text_comes_back(name: str, ids: list[int], seed: int) -> None:
    draws = torch.Generator().manual_seed(seed)
    assert page.comes_back(page.WAYS[name], SYMBOLS, torch.tensor(ids), draws)


@pytest.mark.parametrize("name", page.CONTROLS)
def test_controls_hardly_ever_come_back(name: str) -> None:
    for seed in range(3):
        share = page.restored_share(page.CONTROLS[name], SYMBOLS, sentences()[:100], seed)
        assert share < 0.05


def test_without_targets_only_untouched_sentences_come_back() -> None:
    """The few that do are those whose chosen tokens all stayed as they were."""
    kept = replace(page.MASKING, mask_share=0.0, random_share=0.0, keep_share=1.0)
    ids = SYMBOLS.encode(sentences()[0])
    draws = torch.Generator().manual_seed(0)
    way = page.CONTROLS["目标丢了 no targets"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "MASKING", kept)
        assert page.comes_back(way, SYMBOLS, ids, draws)
        patch.setattr(page, "MASKING", replace(kept, mask_share=1.0, keep_share=0.0))
        assert not page.comes_back(way, SYMBOLS, ids, draws)


@pytest.mark.parametrize(
    ("name", "expected"),
    [(page.FILL_IN, 3), (page.NEXT, 20), (page.SPANS, 6), (page.MASS, 10)],
)
def test_labels_are_counted_in_characters(name: str, expected: int) -> None:
    ids = torch.arange(10, 30)
    for seed in range(20):
        assert page.num_labels(SYMBOLS, name, ids, torch.Generator().manual_seed(seed)) == expected


@given(text=st.sampled_from(sentences()), seed=st.integers(0, 1000))
def test_rows_show_the_pair(text: str, seed: int) -> None:
    ids = SYMBOLS.encode(text)
    for name in page.WAYS:
        draws = torch.Generator().manual_seed(seed)
        asked, target = page.pair_rows(SYMBOLS, name, ids, draws)
        labels = page.num_labels(SYMBOLS, name, ids, torch.Generator().manual_seed(seed))
        assert target.kinds.count("focus") == labels
        for row in (asked, target):
            assert len(row.tokens) == len(row.kinds)
            assert set(row.kinds) <= {"plain", "special", "mask", "random", "keep", "focus"}
        if name == page.NEXT:
            assert "".join(target.tokens) == text
            assert "".join(asked.tokens) == "▷" + text[:-1]


def test_a_tokenizer_without_mask_is_refused() -> None:
    gpt = Tokenizer.train(["你好。"], kind="character", style="gpt")
    with pytest.raises(ValueError, match="style bert"):
        page.make_symbols(gpt)


# --- counting


def small_pairs(seed: int = 0, count: int = 200, size: int = 7) -> neighbours.Pairs:
    draws = torch.Generator().manual_seed(seed)
    return neighbours.Pairs(*torch.randint(size, (2, count), generator=draws))


def test_a_table_counts_each_pair_once_and_its_chances_add_up() -> None:
    pairs = small_pairs()
    counts = neighbours.count_pairs(pairs, 7)
    for x in range(7):
        for y in range(7):
            assert counts[x, y] == ((pairs.inputs == x) & (pairs.targets == y)).sum()
    for strength in (0.5, 8.0, 1e6):
        every = [
            neighbours.probability(
                counts, strength, neighbours.Pairs(torch.tensor([3]), torch.tensor([y]))
            )
            for y in range(7)
        ]
        assert float(torch.stack(every).sum()) == pytest.approx(1.0)


def test_permuting_keeps_everything_but_who_belongs_to_whom() -> None:
    pairs = small_pairs()
    permuted = neighbours.permute_targets(pairs, torch.Generator().manual_seed(1))
    assert torch.equal(permuted.inputs, pairs.inputs)
    assert torch.equal(permuted.targets.sort().values, pairs.targets.sort().values)
    assert not torch.equal(permuted.targets, pairs.targets)


def test_a_rule_is_learned_and_noise_is_not() -> None:
    """Targets that follow from inputs cost almost nothing; random ones as much as frequencies."""
    draws = torch.Generator().manual_seed(0)
    inputs = torch.randint(5, (600,), generator=draws)
    rule = neighbours.Pairs(inputs, (inputs * 2) % 5)
    counts, strength = neighbours.fit(rule, rule, 5)
    assert neighbours.surprise(counts, strength, rule) < 0.1
    noise, unseen = small_pairs(1, 2000, 5), small_pairs(2, 2000, 5)
    counts, strength = neighbours.fit(noise, unseen, 5)
    assert abs(neighbours.surprise(counts, strength, unseen) - torch.tensor(5.0).log()) < 0.02


def test_parts_share_no_sentence_and_too_many_are_refused() -> None:
    parts = neighbours.book_parts(3)
    assert sorted(text for part in parts for text in part) == sorted(sentences())
    assert [len(part) for part in parts] == [202, 50, 63]
    with pytest.raises(ValueError, match="203 sentences; there are 202"):
        neighbours.learning_curve(SYMBOLS.tokenizer, parts, [203], 0)


def test_likeliest_followers_are_those_seen() -> None:
    tokenizer = Tokenizer.train(["甲乙丙"], kind="character")
    counts = neighbours.count_pairs(
        neighbours.make_pairs(tokenizer, ["甲乙", "甲乙", "甲丙"]), len(tokenizer)
    )
    assert neighbours.likeliest(counts, tokenizer, "甲") == "乙丙"


# --- the control of the page


def test_a_readers_pair_comes_back_and_is_escaped() -> None:
    for name in page.WAYS:
        html = pairs_widget.pair_html("我爱<b>苹果，鰻鱼。", name, seed=1)
        assert "✓" in html
        assert "<b>" not in html
    assert "9 / 9" in pairs_widget.pair_html("我昨天买了个苹果。", page.NEXT, 0)
    with pytest.raises(ValueError, match="至少两个字"):
        pairs_widget.pair_html(" 我 ", page.NEXT, 0)
    with pytest.raises(ValueError, match="没有“甲”这种做法"):
        pairs_widget.pair_html("我爱你", "甲", 0)


def test_the_widget_says_when_nothing_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objectives, "restore_masked", restored_without_labels)
    assert "✗" in pairs_widget.pair_html("我昨天买了一个苹果。", page.FILL_IN, 0)


def test_controls_redraw(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[str, str, int]] = []
    monkeypatch.setattr(pairs_widget, "pair_html", lambda *given: drawn.append(given) or "")
    box = pairs_widget.pair_controls("我爱你。")
    sentence, way, seed = box.children[0].children
    seed.value, way.value, sentence.value = 7, page.SPANS, "你爱我。"
    assert drawn[0] == ("我爱你。", page.NEXT, 0)
    assert drawn[-1] == ("你爱我。", page.SPANS, 7)
