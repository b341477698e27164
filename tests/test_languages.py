"""Several languages: the text, retrieval with its baselines, and vectors added at a layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr  # type: ignore[import-untyped]

from chapter10 import alignment
from chapter10.bert import BertForPreTraining
from chapter10.data.microworld import World, languages, shipped
from chapter10.data.microworld.languages import CODES, OWN, TWINS, Code, Habits, Row, Rung
from chapter10.experiments import language_vector
from chapter10.experiments import languages as arms
from chapter10.experiments import multilingual as page
from chapter10.recipes import load_recipe, read_documents
from chapter10.recipes.microworld import LanguagesText
from chapter10.tokenizers import Tokenizer

PAIR: tuple[Code, Code] = ("zh", "en")
RUNGS: tuple[Rung, ...] = ("gloss", "slots", "natural")


@pytest.fixture(scope="module")
def world() -> World:
    return shipped("core")


@pytest.fixture(scope="module")
def lesson() -> arms.Lesson:
    return make_lesson(arms.Setting(rows=300, languages=CODES))


def make_lesson(setting: arms.Setting, rows: int = 300) -> arms.Lesson:
    """As `arms.lesson`, from little text."""
    corpora: dict[Code, Sequence[Row]] = {
        code: languages.rows(shipped("core"), code, rows, habits=setting.habits[code])
        for code in setting.languages
    }
    return arms.lesson_with(arms.make_tokenizer(corpora), setting, corpora)


# --- text


def test_a_word_tokeniser_cuts_at_spaces_only(tmp_path: object) -> None:
    tokenizer = Tokenizer.train(["买了 三个 this-room", "小明 买了"], "word", vocab_size=50)
    text = "小明 this-room [MASK] 买了"
    assert tokenizer.tokenize(text) == ["小明", "this-room", "[MASK]", "买了"]
    ids = tokenizer.encode("小明 三个 买了").input_ids
    assert tokenizer.decode(ids) == "小明 三个 买了"
    assert tokenizer.tokenize("昨天") == ["[UNK]"]
    tokenizer.save_pretrained(str(tmp_path))
    again = Tokenizer.from_pretrained(str(tmp_path))
    assert again.encode(text).input_ids == tokenizer.encode(text).input_ids


@pytest.mark.parametrize("rung", RUNGS)
def test_languages_share_no_word(world: World, rung: Rung) -> None:
    corpora = {code: languages.rows(world, code, 300, rung=rung) for code in CODES}
    words = [{word for row in corpora[code] for word in row} for code in CODES]
    assert [{languages.code_of(word) for word in each} for each in words] == [{c} for c in CODES]
    assert all(words)
    assert len(set().union(*words)) == sum(map(len, words))
    assert arms.make_tokenizer(corpora).vocab_size == 5 + sum(map(len, words))


def test_the_third_language_is_the_second_in_other_letters(world: World) -> None:
    (first, second), *_ = languages.same_events(world, ("en", "xx"), 50)
    assert [languages.disguise(word) for word in first.words] == list(second.words)
    words = {
        w for rung in RUNGS for row in languages.rows(world, "en", 300, rung=rung) for w in row
    }
    assert len({languages.disguise(word) for word in words}) == len(words)
    assert not {languages.disguise(word) for word in words} & words


def test_a_common_word_is_refused() -> None:
    with pytest.raises(ValueError, match="zh and en share 苹果"):
        arms.make_tokenizer({"zh": [("苹果", "甜")], "en": [("苹果", "sweet")]})


def frequencies(rows: Sequence[Row]) -> Counter[str]:
    return Counter(word for row in rows for word in row)


def twin_correlation(world: World, habits: dict[Code, Habits]) -> float:
    """Rank correlation of the frequencies of words and their only translations."""
    known = languages.translations(
        languages.same_events(world, PAIR, 1_000, split="pretraining", rung="gloss"), "gloss"
    )
    counts = [
        frequencies(languages.rows(world, code, 1_500, rung="gloss", habits=habits[code]))
        for code in PAIR
    ]
    pairs = [(a, *others) for a, others in known.items() if len(others) == 1]
    return float(spearmanr([[counts[0][a], counts[1][b]] for a, b in pairs]).statistic)


def test_own_habits_take_the_cue_of_frequency_away(world: World) -> None:
    twins, own = (twin_correlation(world, dict(habits)) for habits in (TWINS, OWN))
    assert twins > 0.9
    assert own < twins - 0.2


def test_own_habits_change_lengths_and_places(world: World) -> None:
    means = {
        code: np.mean([len(row) for row in languages.rows(world, code, 400, habits=OWN[code])])
        for code in CODES
    }
    assert means["zh"] + 2 < means["en"]
    assert abs(means["xx"] - means["zh"]) > 2


def test_backwards_reverses_rows_and_not_the_dictionary(world: World) -> None:
    plain = languages.rows(world, "en", 20)
    turned = languages.rows(world, "en", 20, habits=Habits(backwards=True))
    assert [row[::-1] for row in plain] == turned
    assert plain != turned


@pytest.mark.parametrize("rung", RUNGS)
def test_the_dictionary_translates(world: World, rung: Rung) -> None:
    both = languages.same_events(world, PAIR, 800, rung=rung, split="pretraining")
    known = languages.translations(both, rung)
    apple = {"gloss": "apple", "slots": "apples", "natural": "apples"}[rung]
    assert apple in known["苹果"]
    assert not known["苹果"] & known["香蕉"]


def test_categories_hold_in_both_languages(world: World) -> None:
    zh, en = (languages.categories(world, languages.sentences(world, code, 1_500)) for code in PAIR)
    assert zh["苹果"] == zh["香蕉"] == en["apples"] == en["bananas"]
    assert zh["北京"] == en["beijing"] != zh["苹果"]


@pytest.mark.parametrize("sentences", [(0, 1), (3, 2)])
def test_impossible_rows_are_refused(sentences: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="from 1 on"):
        Habits(sentences=sentences)


# --- retrieval


def test_retrieval_counts_right_candidates() -> None:
    similarity = np.array([[0.9, 0.5, 0.1], [0.9, 0.5, 0.1], [0.0, 0.0, 0.0]])
    right = np.array([[1, 0, 0], [0, 0, 1], [0, 0, 0]], dtype=bool)
    found = alignment.retrieval(similarity, right)
    assert found.queries == 2  # nothing is right for the third
    assert found.p1 == pytest.approx(0.5)
    assert found.mrr == pytest.approx((1 + 1 / 3) / 2)
    assert found.chance == pytest.approx(1 / 3)


def test_equal_similarities_are_no_better_than_chance() -> None:
    found = alignment.retrieval(np.zeros((4, 10)), np.eye(4, 10, dtype=bool))
    assert found.p1 == pytest.approx(0.1)
    assert found.mrr < 0.2


def test_bad_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="queries × candidates"):
        alignment.retrieval(np.zeros((2, 3)), np.zeros((3, 2), dtype=bool))
    with pytest.raises(ValueError, match="No query"):
        alignment.retrieval(np.zeros((2, 2)), np.zeros((2, 2), dtype=bool))


@pytest.mark.parametrize(("habits", "least", "most"), [(TWINS, 0.2, 1.0), (OWN, 0.0, 0.2)])
def test_statistics_find_twins(habits: dict[Code, Habits], least: float, most: float) -> None:
    small = make_lesson(arms.Setting(habits=habits, offset=0), 2_000)
    similarity = alignment.statistics_similarity(
        small.corpora["zh"], small.corpora["en"], small.words("zh"), small.words("en")
    )
    found = alignment.retrieval(similarity, page.right_words(small, PAIR))
    assert found.queries > 100
    assert least < found.p1 < most


def test_statistics_of_sentences_find_the_same_sentence() -> None:
    rows = [("a", "b", "c"), ("d", "b"), ("e", "f", "c")]
    words = sorted({word for row in rows for word in row})
    table = alignment.statistics_sentences(np.eye(len(words)), (words, words), rows, rows)
    assert alignment.retrieval(table, np.eye(3, dtype=bool)).p1 == 1


def test_layer_0_of_word_vectors_is_the_embedding(lesson: arms.Lesson) -> None:
    model = arms.new_model(replace_offset(lesson), 0)
    rows = [("小明",), ("小明",)]
    token = lesson.tokenizer.token_to_id("小明") or 0
    batch = lesson.objective.read(rows)
    vectors = alignment.word_vectors(model, [batch], [token])
    with torch.no_grad():
        expected = alignment.hidden_states(model, batch)[:, 0, 1]
    assert torch.allclose(vectors[:, 0], expected, atol=1e-6)
    whole = alignment.sentence_vectors(model, [batch], sorted(lesson.tokenizer.special_ids))
    assert torch.allclose(whole[:, 0], expected, atol=1e-6)


def replace_offset(lesson: arms.Lesson) -> arms.Lesson:
    return replace(lesson, setting=replace(lesson.setting, offset=0))


# --- what languages share


def test_languages_can_have_places_and_special_tokens_of_their_own() -> None:
    setting = arms.Setting(shared_positions=False, shared_specials=False)
    own = make_lesson(setting)
    rows = [own.corpora[code][0] for code in PAIR]
    batch = own.objective.read(rows)
    assert (batch["position_ids"][0] < arms.LENGTH).all()
    assert (batch["position_ids"][1] >= arms.LENGTH).all()
    assert batch["input_ids"][0, 0] == own.tokenizer.cls_token_id
    assert batch["input_ids"][1, 0] == len(own.tokenizer) + (own.tokenizer.cls_token_id or 0)
    model = arms.new_model(own, 0)
    arms.pretrain(model, own, 0, steps=2)
    assert model.config.max_position_embeddings == 2 * arms.LENGTH
    assert len(page.word_retrieval(model, own, PAIR)) == 4


def test_rows_start_anywhere_in_training(lesson: arms.Lesson) -> None:
    ids = lesson.objective.ids(lesson.corpora["zh"][:60])
    batch = lesson.objective.collate(ids, torch.Generator().manual_seed(0))
    assert set(batch["position_ids"][:, 0].tolist()) == set(range(9))


# --- the vector


@pytest.fixture(scope="module")
def model(lesson: arms.Lesson) -> BertForPreTraining:
    found = arms.new_model(lesson, 0)
    arms.pretrain(found, lesson, 0, steps=4)
    return found


def test_a_vector_is_added_at_one_layer_and_only_inside(
    model: BertForPreTraining, lesson: arms.Lesson
) -> None:
    batch = lesson.objective.read(lesson.corpora["en"][:3])
    vector = torch.full((64,), 0.5)
    with torch.no_grad():
        before = alignment.hidden_states(model, batch)
        for layer in range(4):
            with language_vector.added(model, layer, vector):
                inside = alignment.hidden_states(model, batch)
            assert torch.allclose(inside[:layer], before[:layer])
            assert torch.allclose(inside[layer], before[layer] + vector, atol=1e-6)
        assert torch.equal(alignment.hidden_states(model, batch), before)
    with pytest.raises(ValueError, match="layer is 4"), language_vector.added(model, 4, vector):
        pass


def test_fills_count_languages_and_translations(
    model: BertForPreTraining, lesson: arms.Lesson, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = lesson.corpora["en"][:40]
    chinese = torch.tensor(lesson.tokenizer.token_to_id("苹果"))
    guess = lambda model, lesson, batch: chinese.repeat(len(page.answers(batch)))  # noqa: E731
    monkeypatch.setattr(language_vector, "_guesses", guess)
    found = language_vector.fills(model, lesson, "en", "zh", rows, layer=1, vector=torch.zeros(64))
    assert found.switched == 1
    hidden = torch.cat([page.answers(batch) for batch in language_vector.exam(lesson, rows)])
    apples = torch.tensor(lesson.tokenizer.token_to_id("apples"))
    assert found.right == pytest.approx(int((hidden == apples).sum()) / len(hidden))
    assert found.chance < 0.05
    assert found.right <= found.constant < 0.5
    assert found.constant > 2 * found.chance
    assert language_vector.stays(model, lesson, "en", rows) == 0


def test_zero_vector_changes_nothing_and_controls_have_the_same_norm(
    model: BertForPreTraining, lesson: arms.Lesson
) -> None:
    rows = lesson.corpora["en"][:40]
    plain = language_vector.fills(model, lesson, "en", "zh", rows, layer=0, vector=None)
    zero = language_vector.fills(model, lesson, "en", "zh", rows, layer=2, vector=torch.zeros(64))
    assert plain == zero
    vectors = language_vector.language_vectors(model, lesson, "en", "zh", rows_each=50)
    back = language_vector.language_vectors(model, lesson, "zh", "en", rows_each=50)
    assert torch.allclose(vectors, -back, atol=1e-6)
    control = language_vector.random_vectors(vectors, 0)
    assert torch.allclose(control.norm(dim=-1), vectors.norm(dim=-1), rtol=1e-4)
    assert len(
        language_vector.translate(model, lesson, rows[0], layer=1, vector=vectors[1])
    ) == len(rows[0])


def test_the_probe_cannot_learn_words_by_heart(lesson: arms.Lesson) -> None:
    """At layer 0 of a random model nothing but the word itself is there: chance."""
    random = arms.new_model(lesson, 0)
    scores = [
        language_vector.probe_accuracy(random, lesson, PAIR, seed, rows_each=80)[0]
        for seed in range(3)
    ]
    assert 0.35 < float(np.mean(scores)) < 0.65


# --- the recipe


def test_the_recipe_reads_unaligned_rows() -> None:
    recipe = load_recipe("bert-multi-micro")
    assert recipe.data.languages is not None
    small = replace(recipe.data, languages=replace(recipe.data.languages, rows=150))
    sides = read_documents(small)
    lines = [line for document in sides["train"] for line in document]
    assert all(len(document) == 1 for document in sides["train"])
    assert max(len(line.split()) for line in lines) + 2 <= recipe.data.max_length
    with pytest.raises(ValueError, match="there are 2 or 3"):
        LanguagesText(rows=5, languages=4)
