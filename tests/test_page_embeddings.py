"""The page `embeddings`: cues that are no meaning are balanced away, and the measures see nothing
where nothing was learned."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch

from chapter10 import probing
from chapter10.data.microworld import SenseUse
from chapter10.data.microworld.tokens import Sentence, Token
from chapter10.experiments import embeddings as page
from chapter10.experiments import senses as lib

SEED = 100


@pytest.fixture(scope="module", autouse=True)
def few() -> Any:
    """Fewer sentences: the page's own number takes longer and shows the same."""
    patch = pytest.MonkeyPatch()
    patch.setattr(page, "COUNT", 60)
    caches = (page.senses, page.take_company)
    for cached in caches:
        cached.cache_clear()
    yield
    patch.undo()
    for cached in caches:
        cached.cache_clear()


@pytest.fixture(scope="module")
def uses() -> lib.Uses:
    return lib.sentences("苹果", "plain", "validation", SEED, 60)


def made(words: str, target: int, sense: str) -> SenseUse:
    """A sentence of words; the target has role x and "小明" role who."""
    tokens = tuple(
        Token(word, "NOUN", "x", sense)
        if place == target
        else Token(word, "NOUN", "who" if word == "小明" else "")
        for place, word in enumerate(words.split())
    )
    return SenseUse(Sentence(tokens, "zh"), tokens[target].text, sense, target, "plain")


def test_a_wording_is_the_clause_without_what_varies() -> None:
    use = made("小明 吃 苹果 。 小明 走 了 。", 2, "f")
    assert lib.wording(use) == "… 吃 …"
    assert lib.wording(made("小明 走 了 。 小明 吃 苹果 。", 6, "f")) == "… 吃 …"


def test_places_are_paired() -> None:
    one, two = made("吃 苹果 。", 1, "f"), made("去 苹果 。", 1, "c")
    late = made("小明 吃 苹果 。", 2, "f")
    assert lib.pair_places([late, one, two, one]) == [two, one]
    with pytest.raises(ValueError, match="two senses"):
        lib.pair_places([one, late])


def test_sentences_are_balanced_different_and_of_their_split(uses: lib.Uses) -> None:
    assert len(set(uses.texts)) == 60
    assert set(Counter(uses.labels).values()) == {30}
    for one, two in zip(uses.uses[::2], uses.uses[1::2], strict=True):
        assert one.span == two.span
        assert one.sense != two.sense
    other = lib.sentences("苹果", "plain", "test", SEED, 60)
    assert not set(uses.texts) & set(other.texts)
    assert lib.sentences("苹果", "plain", "validation", SEED + 1, 60) != uses
    with pytest.raises(ValueError, match="even number"):
        lib.sentences("苹果", "plain", "validation", SEED, 5)


def test_neighbours_are_of_another_wording_and_balanced(uses: lib.Uses) -> None:
    comparable = uses.comparable
    labels, places = uses.labels, [use.span[0] for use in uses.uses]
    for row, use in enumerate(uses.uses):
        found = [uses.uses[at] for at in comparable[row].nonzero()[:, 0].tolist()]
        assert found
        assert all(lib.wording(one) != lib.wording(use) for one in found)
        counts = Counter((one.span[0], one.sense) for one in found)
        for place, sense in counts:
            rival = next(one for one in set(labels) if one != sense)
            assert counts[place, sense] == counts[place, rival], places[row]


def test_place_alone_is_at_chance(uses: lib.Uses) -> None:
    """A vector that holds the place, and one that is always the same, are at 1/2 exactly."""
    places = torch.tensor([[float(use.span[0]), 1.0] for use in uses.uses], dtype=torch.double)
    for vectors in (places, torch.ones(60, 2, dtype=torch.double)):
        assert page.judge_senses(vectors[None], uses).accuracy.tolist() == [0.5]


def test_a_wording_alone_fools_only_the_measure_that_allows_it(uses: lib.Uses) -> None:
    wordings = [lib.wording(use) for use in uses.uses]
    kinds = sorted(set(wordings))
    vectors = torch.eye(len(kinds), dtype=torch.double)[[kinds.index(one) for one in wordings]]
    found = page.judge_senses(vectors[None], uses)
    assert float(found.any_wording) > 0.9
    assert float(found.accuracy) < 0.6


def test_the_model_tells_senses_apart_and_controls_do_not() -> None:
    found = page.senses("苹果", "bert", "plain", SEED, "validation")
    assert float(found.accuracy[0]) == 0.5
    assert float(found.accuracy[page.LAYER]) > 0.9
    assert float(found.gap.size[page.LAYER]) > 0.15
    start = page.senses("苹果", "random", "plain", SEED, "validation")
    assert float(start.gap.size.max()) < 0.15
    static = page.senses("苹果", "static", "plain", SEED, "validation")
    assert static.accuracy.tolist() == [0.5]
    assert float(static.gap.size) == pytest.approx(0)


def test_company_taken_away_leaves_nothing() -> None:
    found = page.take_company("苹果", "bert", "plain", SEED, page.LAYER, "validation")
    assert found.vectors[0] > 0.9
    assert found.vectors[-1] == 0.5  # only its place is left
    assert found.fills[0] > 0.6
    assert float(found.fills[-1]) == pytest.approx(0.5, abs=0.1)


def test_company_is_of_one_group_only() -> None:
    fruit, firms = lib.company("苹果@fruit", "苹果")
    assert fruit
    assert firms
    assert not fruit & firms
    assert lib.company("苹果@company", "苹果") == (firms, fruit)
    assert "苹" not in fruit | firms  # in both


def test_categories_share_no_character() -> None:
    found = page.categories("static", SEED)
    assert found.vectors.shape[:2] == (1, len(found.words))
    assert set(Counter(found.groups)) == set(lib.category_words())
    assert 0.02 < found.chance < 0.2
    assert abs(float(found.accuracy) - found.chance) < 0.1


def test_heat_maps_are_of_the_word_asked_for() -> None:
    texts = ["小明吃了苹果。", "苹果的股票涨了。", "妈妈买了苹果。"]
    found = page.heat_maps(texts, "苹果", "bert")
    assert found.shape == (4, 3, 3)
    spans = [(4, 6), (0, 2), (4, 6)]
    raw = probing.token_vectors(page.body("bert", 0), page.tokenizer(), texts, spans)
    torch.testing.assert_close(found, probing.cosines(probing.centre(raw)))
    with pytest.raises(ValueError, match="not in '小明走了"):
        page.heat_maps(["小明走了。"], "苹果", "bert")
    with pytest.raises(ValueError, match="not a BERT"):
        page.model("static")


def test_every_arm_is_run_once() -> None:
    for claim, arms in (
        ("W1", page.CATEGORY_ARMS), ("W2", page.SENSE_ARMS), ("W3", page.COMPANY_ARMS),
    ):  # fmt: skip
        experiment = page.EXPERIMENTS[claim]
        assert {*experiment.arms, *experiment.controls} == set(arms)
        with pytest.raises(KeyError):
            experiment.run("no such arm", 0)
