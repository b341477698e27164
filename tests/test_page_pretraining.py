"""The page `pretraining`: its baselines count right, and its assertions fail without training."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pages import run_page

from chapter10 import Tokenizer, evidence
from chapter10.experiments import pretraining as page
from chapter10.experiments import pretraining_text
from chapter10.ngrams import BIGRAM, NEIGHBOURS, UNIGRAM, WIDE, ContextCounts
from chapter10.objectives import IGNORE_INDEX
from chapter10.training import History

SEED = 7


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return page.make_tokenizer(SEED)


# --- counting neighbours

CLS, SEP, MASK, A, B, C, D = 1, 2, 3, 4, 5, 6, 7
ROWS = [[CLS, A, B, C, SEP], [CLS, A, B, C, SEP], [CLS, A, D, SEP], [CLS, B, D, D, SEP]]


def guess(windows: Any, row: list[int], min_count: int = 1) -> list[int]:
    ids = torch.tensor([row])
    return ContextCounts(ROWS, windows, min_count).guess(ids, ids == MASK).tolist()


def test_the_commonest_token_is_guessed_without_neighbours() -> None:
    assert guess(UNIGRAM, [CLS, MASK, C, SEP]) == [A]  # A, B and D three times: the smaller id


def test_neighbours_are_looked_at() -> None:
    assert guess(BIGRAM, [CLS, A, MASK, C, SEP]) == [B]
    assert guess(NEIGHBOURS, [CLS, A, MASK, SEP]) == [D]  # between A and the end
    assert guess(WIDE, [CLS, B, MASK, D, SEP]) == [D]


def test_an_unknown_or_masked_context_backs_off() -> None:
    assert guess(NEIGHBOURS, [CLS, MASK, MASK, C, SEP]) == [A, B]  # left of C stands B
    assert guess(NEIGHBOURS, [CLS, C, MASK, A, SEP]) == guess(UNIGRAM, [CLS, MASK, SEP])
    assert guess(NEIGHBOURS, [CLS, A, MASK, SEP], min_count=2) == [B]  # seen once is too rarely


def test_rows_do_not_look_into_one_another() -> None:
    """The padding of a short row is no neighbour, and neither is the next row."""
    ids = torch.tensor([[CLS, A, MASK, SEP, 0, 0], [CLS, A, MASK, C, SEP, 0]])
    assert ContextCounts(ROWS, WIDE).guess(ids, ids == MASK).tolist() == [D, B]


def test_impossible_windows_are_refused() -> None:
    with pytest.raises(ValueError, match=r"the last is \(0, 0\)"):
        ContextCounts(ROWS, [(1, 1)])
    with pytest.raises(ValueError, match="reaches at most 2"):
        ContextCounts(ROWS, [(3, 0), (0, 0)])
    with pytest.raises(ValueError, match="at least one sentence"):
        ContextCounts([], UNIGRAM)
    with pytest.raises(ValueError, match=r"5000.*4096"):
        ContextCounts([[CLS, 5000, SEP]], UNIGRAM)


# --- text and exam


def test_no_held_out_sentence_is_trained_on() -> None:
    known = set(page.training_text(SEED))
    validation, test = (set(page.held_out_texts(s, SEED)) for s in ("validation", "test"))
    assert len(known) > 10_000
    assert min(len(validation), len(test)) > 500
    assert not known & (validation | test)
    assert not validation & test


def test_no_test_sentence_is_of_the_first_draw() -> None:
    """Values of that draw had been seen before the settings stood."""
    seen = pretraining_text.SEEN.read_text(encoding="ascii").split()
    assert len(seen) == len(set(seen)) == 5525
    assert pretraining_text.digest("小龙正在卧室里玩耍。") in seen  # of seed 0
    for seed in (0, SEED):
        texts = page.held_out_texts("test", seed)
        assert not {pretraining_text.digest(text) for text in texts} & set(seen)
        assert len(set(texts)) > page.JUDGED
        # What is left out are sentences of the first draw and no others.
        every = page.sentences(4 * pretraining_text.HELD_OUT, f"second/{seed}", "test")
        gone = [one.text for one in every if one.text not in set(texts)]
        assert {pretraining_text.digest(text) for text in gone} <= set(seen)
    validation = page.sentences(page.JUDGED, SEED, "validation")
    assert list(page.held_out("validation", SEED)[: page.JUDGED]) == validation


def test_shuffling_keeps_characters_and_loses_order() -> None:
    texts = page.training_text(SEED)[:200]
    mixed = page.shuffled(texts, 0)
    assert [sorted(text) for text in mixed] == [sorted(text) for text in texts]
    assert sum(a != b for a, b in zip(mixed, texts, strict=True)) > 190


def test_the_exam_hides_15_percent_behind_masks(tokenizer: Tokenizer) -> None:
    batches = page.exam(tokenizer, "test", SEED, count=300)
    blanks = torch.cat([(b["labels"] != IGNORE_INDEX).flatten() for b in batches])
    ids = torch.cat([b["input_ids"].flatten() for b in batches])
    special = torch.isin(ids, torch.tensor(sorted(tokenizer.special_ids)))
    assert (ids[blanks] == tokenizer.mask_token_id).all()
    assert not (ids[~blanks] == tokenizer.mask_token_id).any()
    assert 0.1 < blanks.sum() / (blanks | ~special).sum() < 0.2


def test_each_character_has_the_tag_of_its_word(tokenizer: Tokenizer) -> None:
    tagged = page.sentences(20, SEED, "train")
    vectors, tags, ids = page.tagged_vectors(page.new_model(tokenizer, 0), tokenizer, tagged)
    assert len(vectors) == len(tags) == len(ids) == sum(len(s.text) for s in tagged)
    assert "".join(map(tokenizer.id_to_token, ids)) == "".join(s.text for s in tagged)
    expected = [t.tag for s in tagged for t in s.tokens for _ in t.text]
    assert tags.tolist() == expected


# --- the head, and where the gradient falls


def test_head_counts_equal_the_models_own(tokenizer: Tokenizer) -> None:
    model = page.new_model(tokenizer, 0)
    counted = page.head_counts(model.config)
    assert sum(counted.values()) == sum(p.numel() for p in model.predictions.parameters())


def test_only_blanks_have_a_gradient(tokenizer: Tokenizer) -> None:
    model, (batch, *_) = page.new_model(tokenizer, 0), page.exam(tokenizer, "test", SEED, count=40)
    gradient = page.logit_gradients(model, tokenizer, batch)
    chosen = batch["labels"] != IGNORE_INDEX
    assert (gradient[chosen] > 0).all()
    assert (gradient[~chosen] == 0).all()
    assert all(parameter.grad is None for parameter in model.parameters())


# --- learning, and checks that fail without it


def test_a_short_training_learns_and_a_watch_remembers(tokenizer: Tokenizer) -> None:
    model = page.new_model(tokenizer, SEED)
    validation = page.exam(tokenizer, "validation", SEED, count=200)
    shown: list[int] = []
    watch = page.Watch(
        tokenizer,
        validation,
        ["这[MASK]裙子。"],
        every=30,
        show=lambda w: shown.append(w.steps[-1]),
    )
    texts = page.training_text(SEED)
    page.pretrain(model, tokenizer, texts, SEED, steps=60, evaluate=watch, eval_every=30)
    assert watch.steps == shown == [0, 30, 60]
    assert watch.losses[-1] < watch.losses[0] - 1
    assert [len(fills) for fills in watch.fills] == [1, 1, 1]


def test_the_claims_fail_for_an_untrained_model(tokenizer: Tokenizer) -> None:
    model, test = page.new_model(tokenizer, SEED), page.exam(tokenizer, "test", SEED)
    for name in ("B4", "B19"):
        with pytest.raises(AssertionError, match=name):
            evidence.check(name, page.masked_accuracy(model, tokenizer, test))


def test_the_page_fails_without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs as it stands, but nothing is learned; the page has to notice."""

    def idle(*inputs: Any, evaluate: Any = None, **options: Any) -> History:
        if evaluate is not None:
            for _ in range(9):
                evaluate(inputs[0])
        return History(losses=[6.2] * 1200)

    monkeypatch.setattr(page, "pretrain", idle)
    failures = run_page("pretraining")
    assert "evidence.check" in "".join(failures)
    assert any("marks[-1]" in cell for cell in failures)
