"""The micro-world: what it writes, that it can be repeated, and that test data stay apart."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from chapter10.data import microworld as mw
from chapter10.data.microworld.lexicon import TAGS
from chapter10.data.microworld.splits import combination_split, sentence_split
from chapter10.data.microworld.tokens import PUNCTUATION
from chapter10.data.microworld.world import SHIPPED

LEARNING, HELD_OUT = "train", ("validation", "test")


@pytest.fixture(scope="module")
def world() -> mw.World:
    return mw.shipped()


def plain(sentence: mw.Sentence) -> str:
    return "".join(word.lower() for word in sentence.words if word not in PUNCTUATION)


@pytest.fixture(scope="module")
def pretraining(world: mw.World) -> dict[str, set[str]]:
    return {
        language: {plain(s) for doc in mw.corpus(world, 12000, language, seed=1) for s in doc}
        for language in ("zh", "en")
    }


# What it writes


def test_core_and_full_lexicon_are_as_large_as_promised(world: mw.World) -> None:
    assert min(world.lexicon.count("zh"), world.lexicon.count("en")) >= 1500
    core = mw.World("core")
    for language in ("zh", "en"):
        corpus = mw.corpus(core, 15_000, language)  # type: ignore[arg-type]
        assert 500 <= len({w.lower() for doc in corpus for s in doc for w in s.words}) <= 700


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_token_has_a_tag_and_offsets_point_at_it(world: mw.World, language: str) -> None:
    for doc in mw.corpus(world, 400, language, seed=3):
        for sentence in doc:
            for token, span in zip(sentence.tokens, sentence.offsets, strict=True):
                assert sentence.text[span.start : span.end] == token.text
                assert token.tag in TAGS
            assert sentence.tokens[-1].tag == "PUNCT"
            if language == "en":
                assert sentence.text[0].isupper()
                assert "  " not in sentence.text


def test_english_articles_fit_the_sound_that_follows(world: mw.World) -> None:
    for sentence in world.sentences(4000, "en", seed=2):
        for first, second in zip(sentence.words, sentence.words[1:], strict=False):
            if first.lower() in ("a", "an"):
                sounds = second[0].lower() in "aeiou" or second.startswith("hour")
                assert (first.lower() == "an") == sounds or second.startswith(("uni", "use", "one"))


def test_a_measure_word_fits_its_noun(world: mw.World) -> None:
    for sentence in world.sentences(4000, "zh", seed=2):
        for i, token in enumerate(sentence.tokens[1:], 1):
            word = world.lexicon.words.get(token.sense)
            counted = sentence.tokens[i - 1]
            if (
                word is not None
                and "measure" in word.facts
                and counted.role == token.role == "what"
            ):
                before = [
                    t.text for t in sentence.tokens[:i] if t.role == "what" and t.tag == "NOUN"
                ]
                if before and sentence.tokens[i - 2].tag in ("NUM", "DET"):
                    assert before[-1] == word.fact("measure")


def test_verbs_go_only_with_what_their_entry_allows(world: mw.World) -> None:
    words = world.lexicon.words
    for sentence in world.sentences(3000, "zh", seed=4):
        roles = {
            t.role: words[t.sense]
            for t in sentence.tokens
            if t.sense and t.role in ("verb", "what", "where") and t.tag != "ADJ"
        }
        if {"verb", "what"} <= set(roles) and "what" in roles["verb"].lists:
            assert roles["what"] in world.lexicon.group(roles["verb"].lists["what"])
        if {"verb", "where"} <= set(roles) and "where" in roles["verb"].lists:
            assert roles["where"] in world.lexicon.group(roles["verb"].lists["where"])


# Repeating it


def test_same_seed_same_bytes_in_another_process(world: mw.World) -> None:
    code = (
        "from chapter10.data import microworld as m; import hashlib;"
        "w=m.World('core'); t=[s.text for d in m.corpus(w,300,seed=7) for s in d];"
        "t+=[r.text for r in m.reviews(w,60,seed=7)]+[q.context for q in m.questions(w,40,seed=7)];"
        "print(hashlib.sha256('|'.join(t).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed, "PATH": ""},
            cwd=SHIPPED.parents[2], capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(digests) == 1
    assert mw.corpus(world, 50, seed=1) != mw.corpus(world, 50, seed=2)


def test_fifty_thousand_sentences_in_less_than_ten_cpu_seconds(world: mw.World) -> None:
    start = time.process_time()
    world.sentences(10_000, "zh", seed=9)
    assert time.process_time() - start < 2.0


# Keeping test data apart


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("split", HELD_OUT)
def test_no_held_out_sentence_is_in_any_text_for_learning(
    world: mw.World, pretraining: dict[str, set[str]], language: str, split: str
) -> None:
    def sentences(split: str) -> set[str]:
        found = [r.sentence for r in mw.reviews(world, 300, language, split=split)]
        for pair in mw.inferences(world, 300, language, split=split):
            found += [pair.premise_sentence, pair.hypothesis_sentence]
        for doc in mw.make_documents(world, 300, language, split=split):
            found += doc.sentences
        texts = {plain(s) for s in found}
        texts |= {
            "".join(w.lower() for w in t.tokens if w not in PUNCTUATION)
            for t in mw.ambiguous_words(world, 300, language, split=split)
        }
        if language == "zh":
            texts |= {plain(use.sentence) for use in mw.sense_uses(world, 200, split=split)}
        for question in mw.questions(world, 200, language, split=split, unanswerable=0.2):
            texts |= split_context(question)
        return texts

    held_out = sentences(split)
    assert len(held_out) > 800
    assert not held_out & sentences("train")
    assert not held_out & pretraining[language]


def split_context(question: mw.Asked) -> set[str]:
    found, current = set(), ""
    for token in question.context_sentence.tokens:
        if token.text in ("。", "."):
            found.add(current)
            current = ""
        elif token.text not in PUNCTUATION:
            current += token.text.lower()
    return found


def test_people_of_test_are_in_no_training_example(world: mw.World) -> None:
    def people(split: str) -> set[str]:
        tokens = [t for r in mw.reviews(world, 400, split=split) for t in r.sentence.tokens]
        for q in mw.questions(world, 200, split=split):
            tokens += q.context_sentence.tokens
        for pair in mw.inferences(world, 200, split=split):
            tokens += pair.premise_sentence.tokens
        for doc in mw.make_documents(world, 200, split=split):
            tokens += [t for s in doc.sentences for t in s.tokens]
        roles = ("who", "other", "third", "friend")
        return {t.sense for t in tokens if t.role in roles and t.sense}

    assert not people("test") & people("train")
    assert not people("validation") & people("train")


def test_adjectives_and_wordings_of_test_reviews_are_in_no_training_review(world: mw.World) -> None:
    def adjectives(split: str) -> set[str]:
        return {a for r in mw.reviews(world, 600, split=split) for a in r.aspects}

    assert not adjectives("test") & adjectives("train")


def test_a_verb_and_its_thing_belong_to_one_split() -> None:
    world = mw.shipped()
    for split in ("train", *HELD_OUT):
        for question in mw.questions(world, 60, split=split):
            deeds: dict[str, str] = {}
            for token in question.context_sentence.tokens:
                if token.role in ("verb", "what") and token.tag != "ADJ" and token.sense:
                    deeds[token.role] = token.sense
                if token.text == "。":
                    assert combination_split(deeds["verb"], deeds["what"]) == split
                    deeds = {}


def test_single_sentences_of_pretraining_are_training_sentences(world: mw.World) -> None:
    for sentence in world.sentences(500, seed=5):
        assert sentence_split(sentence.words) == "train"


# Styles


def test_styles_set_frequency_position_and_length_apart(world: mw.World) -> None:
    def counts(style: mw.Style) -> Counter[str]:
        return Counter(w for s in world.sentences(3000, seed=1, style=style) for w in s.words)

    steep = counts(mw.Style(zipf=1.2, frequency_seed=1))
    other = counts(mw.Style(zipf=1.2, frequency_seed=2))
    names = [w.zh for w in world.lexicon.groups["named"]]
    even = counts(mw.Style())
    assert max(steep[n] for n in names) > 4 * max(even[n] for n in names)
    assert max(names, key=steep.__getitem__) != max(names, key=other.__getitem__)

    def share_first(p: float) -> float:
        found = world.sentences(1500, seed=1, style=mw.Style(time_first=p))
        timed = [s for s in found if any(t.role == "when" for t in s.tokens)]
        return sum(s.tokens[0].role == "when" for s in timed) / len(timed)

    assert share_first(0.9) > share_first(0.1) + 0.4
    short = world.sentences(300, seed=1, style=mw.Style(max_words=8))
    assert max(len(s.words) for s in short) <= 8


@pytest.mark.parametrize(
    "options", [{"zipf": -1}, {"time_first": 2}, {"min_words": 9, "max_words": 3}]
)
def test_an_impossible_style_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="is"):
        mw.Style(**options)  # type: ignore[arg-type]


# Files a teacher edits


@pytest.fixture
def own_world(tmp_path: Path) -> Path:
    for part in ("lexicon", "grammar"):
        shutil.copytree(SHIPPED / part, tmp_path / part)
    return tmp_path


def change(path: Path, old: str, new: str) -> int:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    return text[: text.index(old)].count("\n") + 1


def test_a_word_of_ones_own_turns_up(own_world: Path) -> None:
    change(own_world / "lexicon" / "food.yml", "苹果: apple,", "苹果: apple, 火龙果: dragon fruit,")
    world = mw.World("core", own_world)
    texts = [s.text for s in world.sentences(6000)]
    assert any("火龙果" in text for text in texts)


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("lexicon/food.yml", "tag: NOUN", "tag: NUON", "part of speech"),
        ("lexicon/food.yml", "measure: 个", "mesure: 个", "unknown key"),
        ("lexicon/verbs.yml", "what: [fruit, snack, dish]", "what: [friut]", "no word belongs"),
        ("lexicon/sets.yml", "kite_like: [风筝", "kite_like: [纸鸢", "no lexicon file has"),
        ("grammar/sentences.yml", "{who.pron} 不 想", "{whom} 不 想", "no role is called"),
        ("grammar/sentences.yml", "{what.np} 。\"", "{what.npp} 。\"", "asks for the form"),
        ("grammar/sentences.yml", "share: 40", "share: many", "whole number"),
        ("grammar/stories.yml", "if: good", "if: great", "no turn"),
        ("grammar/stories.yml", "不见 了/PART 。\"]", "不翼而飞 了/PART 。\"]", "file has"),
        ("grammar/cycles.yml", "share: 3", "share: 3\n  share: 3", "stands here twice"),
        ("grammar/stories.yml", "when: past}", "when: room}", "is no moment"),
        ("grammar/inference.yml", "when: past}", "when: fruit}", "is no moment"),
        ("lexicon/time.yml", "  is: [moment]\n  core: {昨天", "  core: {昨天", "is no moment"),
        ("grammar/days.yml", "zh: [", "zh: [[", "check colons"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_file_line_and_remedy(
    own_world: Path, name: str, old: str, new: str, says: str
) -> None:
    line = change(own_world / name, old, new)
    with pytest.raises(mw.WorldFileError, match=says) as caught:
        mw.inferences(mw.World("full", own_world), 1)
    assert str(own_world / name) in str(caught.value)
    if "check colons" not in says:
        assert abs(caught.value.line - line) <= 2
