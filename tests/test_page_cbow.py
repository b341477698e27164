"""The page `cbow`: windows and losses are what they say, and its measures count right."""

from __future__ import annotations

import math

import pytest
import torch
from pages import run_page
from torch.nn import functional as F

from chapter10.cbow import CBOW, CBOWConfig
from chapter10.experiments import cbow as page
from chapter10.experiments import cbow_context as context
from chapter10.experiments import cbow_text as material
from chapter10.experiments import cbow_words as lexicon
from chapter10.experiments import word_vectors as vectors
from chapter10.objectives import (
    Windows,
    context_windows,
    negative_sampling_loss,
    noise_distribution,
)
from chapter10.tokenizers import Tokenizer
from chapter10.training import History

# --- windows and losses


def test_windows_by_hand() -> None:
    found = context_windows([[5, 6, 7], [8], [9, 4]], 2)
    assert found.targets.tolist() == [5, 6, 7, 9, 4]  # 8 stands alone
    assert found.context_ids.tolist() == [
        *([0, 0, 6, 7], [0, 5, 7, 0], [5, 6, 0, 0]),
        *([0, 0, 4, 0], [0, 9, 0, 0]),
    ]


def test_no_word_gives_no_window() -> None:
    found = context_windows([[], []], 3)
    assert found.context_ids.shape == (0, 6)
    assert len(found.targets) == 0


def test_impossible_windows_are_refused() -> None:
    with pytest.raises(ValueError, match="window is 0"):
        context_windows([[5, 6]], 0)
    with pytest.raises(ValueError, match="padding"):
        context_windows([[5, 0]], 2)


def test_noise_by_hand() -> None:
    noise = noise_distribution(torch.tensor([0, 1, 16]))
    torch.testing.assert_close(noise, torch.tensor([0, 1 / 9, 8 / 9]))
    assert noise_distribution(torch.tensor([0, 1, 16]), power=0.0).tolist() == [0, 0.5, 0.5]
    with pytest.raises(ValueError, match="no word to draw"):
        noise_distribution(torch.zeros(3))


def test_negative_sampling_by_hand() -> None:
    weight = torch.tensor([[0.0, 0], [1, 0], [0, 2], [3, 3]])
    loss = negative_sampling_loss(
        torch.tensor([[1.0, 1]]), weight, torch.tensor([1]), torch.tensor([[2, 3, 1]])
    )
    # The right word scores 1, the wrong ones 2 and 6; the right one drawn by chance is no error.
    by_hand = math.log1p(math.exp(-1)) + math.log1p(math.exp(2)) + math.log1p(math.exp(6))
    assert loss.item() == pytest.approx(by_hand, rel=1e-6)


def test_negative_sampling_leaves_other_words_alone() -> None:
    model = CBOW(CBOWConfig(vocab_size=9, hidden_size=4))
    torch.nn.init.normal_(model.output.weight)
    batch = {
        "input_ids": torch.tensor([[3, 4, 0, 5]]),
        "labels": torch.tensor([6]),
        "negatives": torch.tensor([[7, 8]]),
    }
    total, count = page.sampled_loss(model, batch)
    assert count == 1
    total.backward()
    learned_from = model.output.weight.grad.abs().sum(dim=1).nonzero()[:, 0].tolist()
    assert learned_from == [6, 7, 8]
    assert model.word_embeddings.weight.grad.abs().sum(dim=1).nonzero()[:, 0].tolist() == [3, 4, 5]


# --- measures of word vectors


def test_neighbours_by_hand() -> None:
    plane = torch.tensor([[1.0, 0], [2, 0.1], [0, 1], [0.1, 3]])
    assert vectors.nearest(plane, 1)[:, 0].tolist() == [1, 0, 3, 2]  # the length does not count
    assert vectors.category_share(plane, "aabb") == 1.0
    assert vectors.category_share(plane, "abab") == 0.0
    assert vectors.category_share(plane, "aabb", top=3) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="between 1 and 3"):
        vectors.nearest(plane, 4)


def test_chance_is_what_random_vectors_reach() -> None:
    kinds = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    draws = torch.Generator().manual_seed(0)
    found = [
        vectors.category_share(torch.randn(100, 16, generator=draws), kinds) for _ in range(40)
    ]
    assert sum(found) / 40 == pytest.approx(vectors.chance_of_category(kinds), abs=0.02)
    assert vectors.chance_of_category("aab") == pytest.approx(1 / 3)


def test_analogies_by_hand() -> None:
    """a, b, c, d at the corners of a parallelogram, and a word nearer to c than d is."""
    unit = F.normalize(torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 0, 1], [0, 1, 1], [0, -0.3, 1]]))
    scores = vectors.analogy_scores(unit, torch.tensor([[0, 1, 2, 3]]))
    assert scores == {"offset": 1.0, "nearest to c": 0.0, "nearest to b": 1.0}
    with pytest.raises(ValueError, match="no analogy"):
        vectors.analogy_scores(unit, torch.zeros(0, 4).long())


def test_counting_by_hand() -> None:
    windows = Windows(torch.tensor([[1, 0], [2, 2]]), torch.tensor([2, 1]))
    # Pairs (word, around): (2, 1) once, (1, 2) twice; each word has one company only.
    expected = torch.zeros(3, 3)
    expected[2, 1], expected[1, 2] = math.log(3), math.log(3 / 2)
    torch.testing.assert_close(vectors.count_vectors(windows, 3), expected)


# --- the lexicon's truth


def test_kinds_are_the_lexicons_and_ambiguous_words_have_none() -> None:
    kinds = lexicon.categories()
    assert kinds["香蕉"] == "水果"
    assert "苹果" not in kinds
    assert 20 < len(set(kinds.values())) < 40


def test_opinions_have_two_sides_of_like_size() -> None:
    sides = [side for _, side in lexicon.opinions().values()]
    assert 0.4 < sides.count("good") / len(sides) < 0.6
    assert len({aspect for aspect, _ in lexicon.opinions().values()}) == 7


def tiny_text() -> material.Text:
    words = (*material.SPECIAL, "可靠", "结实", "低劣", "宽敞", "爸爸", "妈妈", "爷爷", "奶奶")
    return material.Text(words, torch.ones(len(words)).long(), [[2, 3, 4], [5, 6, 7, 8, 9]])


def test_opinion_shares_by_hand() -> None:
    text, table = tiny_text(), torch.zeros(10, 3)
    # 可靠 and 结实 (build, good) beside each other; 低劣 (build, bad) beside 宽敞 (place, good).
    table[2], table[3] = torch.tensor([1.0, 0, 0]), torch.tensor([1.0, 0.1, 0])
    table[4], table[5] = torch.tensor([0.0, 0, 1]), torch.tensor([0.0, 0.1, 1])
    shares = lexicon.opinion_shares(text, table)
    assert shares["aspect"] == 0.5
    assert shares["polarity"] == 1.0


def test_analogies_ask_for_another_word_than_they_show() -> None:
    text = tiny_text()
    asked = lexicon.analogies(text, "男女")
    assert sorted(asked.tolist()) == [[6, 7, 8, 9], [8, 9, 6, 7]]
    assert lexicon.analogies(text, "反义").shape == (0, 4)


# --- learning


@pytest.mark.parametrize("loss", page.LOSSES)
def test_either_loss_learns_and_is_a_function_of_its_seed(loss: page.Loss) -> None:
    text = tiny_text()
    # 可靠 always stands between 结实 and 低劣.
    text = material.Text(text.words, text.counts, [[3, 2, 4]] * 50 + [[6, 7, 8]] * 50)
    windows = material.make_windows(text, text.rows)
    one = page.learn(0, loss, steps=60, text=text, rate=0.05)
    assert one.blanks(windows) > 0.9
    untrained = CBOW(CBOWConfig(vocab_size=len(text.words)))
    assert page.Learned(text, untrained, History()).blanks(windows) == 0.0
    again = page.learn(0, loss, steps=60, text=text, rate=0.05)
    assert torch.equal(one.vectors, again.vectors)
    other = page.learn(1, loss, steps=60, text=text, rate=0.05)
    assert not torch.equal(one.vectors, other.vectors)


def test_unknown_losses_are_refused() -> None:
    with pytest.raises(ValueError, match="softmax and negative"):
        page.learn(0, "hinge", text=tiny_text())  # type: ignore[arg-type]


def test_the_text_has_both_senses_and_no_held_out_sentence() -> None:
    text = material.make_text(3, documents=60, senses=64, min_count=1)
    assert text.words[:2] == material.SPECIAL
    assert text.counts[2] == text.counts.max()
    assert int(text.counts.sum()) == sum(map(len, text.rows))
    assert "苹果" in text.words
    rare = material.make_text(3, documents=60, senses=64, min_count=5)
    assert len(rare.words) < len(text.words)
    assert material.UNKNOWN not in material.make_windows(rare, rare.rows).targets
    assert rare.counts[material.UNKNOWN] > 0


# --- order and senses


def learned_once() -> page.Learned:
    text = material.make_text(3, documents=60, senses=128, min_count=1)
    return page.learn(3, steps=20, text=text)


def test_shuffled_windows_change_no_score() -> None:
    one = learned_once()
    windows = material.make_windows(one.text, one.text.rows[:50])
    shuffled = context.shuffle_windows(windows, torch.Generator().manual_seed(0))
    assert not torch.equal(shuffled.context_ids, windows.context_ids)
    assert torch.equal(shuffled.context_ids.sort().values, windows.context_ids.sort().values)
    left, right = (one.model(w.context_ids).logits for w in (windows, shuffled))
    torch.testing.assert_close(left, right, atol=1e-5, rtol=1e-4)


def test_blanks_have_a_whole_window_and_only_it_is_shuffled() -> None:
    texts = ["甲乙丙丁戊己庚辛壬癸子丑", "甲乙丙", "子丑寅卯辰巳午未申"]
    tokenizer = Tokenizer.train(texts, kind="character")
    blanks = context.make_blanks(tokenizer, texts, torch.Generator().manual_seed(1))
    assert len(blanks.answers) == 2  # the second text is too short
    shuffled = context.shuffle_around(blanks, torch.Generator().manual_seed(2))
    for before, after, place in zip(
        blanks.input_ids.tolist(), shuffled.input_ids.tolist(), blanks.places.tolist(), strict=True
    ):
        assert before[place] == after[place] == tokenizer.mask_token_id
        low, high = place - context.WINDOW, place + context.WINDOW + 1
        assert low >= 1
        assert before[:low] + before[high:] == after[:low] + after[high:]
        assert before != after
        assert sorted(before) == sorted(after)
    with pytest.raises(ValueError, match="No text has 9"):
        context.make_blanks(tokenizer, ["甲乙"], torch.Generator())


def test_a_static_vector_is_at_chance_exactly_and_a_telling_one_is_not() -> None:
    one = learned_once()
    asked = [use for use in context.uses("validation", 5, 96) if use.word in one.text.words]
    static = context.word_vectors(one, asked)
    chance = context.sense_chance(asked)
    assert float(context.sense_accuracy(static, asked)) == pytest.approx(chance, abs=1e-12)
    assert 0.3 < chance < 0.5
    senses = sorted({use.sense for use in asked})
    telling = F.one_hot(torch.tensor([senses.index(use.sense) for use in asked])).float()
    assert float(context.sense_accuracy(telling, asked)) == 1.0
    assert context.context_vectors(one, asked).shape == (len(asked), page.HIDDEN)


def test_a_word_that_was_never_read_is_refused() -> None:
    one = page.Learned(tiny_text(), CBOW(CBOWConfig(vocab_size=10)), History())
    with pytest.raises(ValueError, match="not in the vocabulary"):
        context.word_vectors(one, context.uses("validation", 5, 32))


def test_the_page_fails_without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs as it stands, but nothing learns."""
    monkeypatch.setattr(page, "train", lambda *inputs, **options: History(losses=[7.0]))
    page.learned.cache_clear()
    failures = "".join(run_page("cbow"))
    page.learned.cache_clear()
    assert "blanks(held_out) > 0.5" in failures
    assert 'shares[page.LOSSES["softmax"]]' in failures
