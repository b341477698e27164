"""The micro-world's tasks: labels are true, balanced, and not given away."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score, roc_auc_score

from chapter10.data import microworld as mw
from chapter10.data.microworld import baselines
from chapter10.data.microworld.asking import load_questions
from chapter10.data.microworld.sentiment import HARD


@pytest.fixture(scope="module")
def world() -> mw.World:
    return mw.shipped()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_needs_no_understanding_scores_low(world: mw.World, language: str) -> None:
    scores = baselines.report(world, language, count=900, seed=1)  # type: ignore[arg-type]
    for name, limit in baselines.LIMITS.items():
        if name in scores:
            assert scores[name] <= limit, (name, scores[name])
    assert scores["sentiment: majority"] == pytest.approx(0.5)
    assert scores["entailment: majority"] == pytest.approx(1 / 3)


def test_the_bag_of_words_can_learn_what_is_plain(world: mw.World) -> None:
    """A control: the same baseline does well where the words do tell."""
    texts, labels = {}, {}
    for split in ("train", "validation", "test"):
        found = mw.reviews(world, 600, split="train", seed=split, kinds=("plain",))
        texts[split] = [r.sentence.spaced for r in found]
        labels[split] = [r.label for r in found]
    assert baselines.bag_of_words(texts, labels) > 0.95


@pytest.mark.parametrize("language", ["zh", "en"])
def test_position_and_length_say_nothing_of_a_review(world: mw.World, language: str) -> None:
    found = mw.reviews(world, 3000, language, kinds=HARD)
    labels = [r.label for r in found]
    length = [len(r.sentence.tokens) for r in found]
    place = [next(i for i, t in enumerate(r.sentence.tokens) if t.role == "first") for r in found]
    for feature in (length, place):
        assert abs(roc_auc_score(labels, feature) - 0.5) < 0.05
        assert mutual_info_score(labels, feature) < 0.02


def test_every_hard_kind_uses_good_and_bad_words_alike(world: mw.World) -> None:
    found = mw.reviews(world, 2000, kinds=HARD)
    feel = {w.id: w.fact("feel") for w in world.lexicon}
    for kind in HARD:
        first = [feel[r.aspects[0]] == "+" for r in found if r.category == kind]
        labels = [r.label for r in found if r.category == kind]
        assert sum(labels) == len(labels) / 2
        if kind != "negation":  # negation turns one word round: the word predicts the opposite
            assert abs(np.corrcoef(first, labels)[0, 1]) < 0.1


def test_labels_of_entailment_meet_every_hypothesis_alike(world: mw.World) -> None:
    found = mw.inferences(world, 2100)
    assert set(Counter(p.label for p in found).values()) == {700}
    negated = [
        any(t.text in ("没", "没有", "不") for t in p.hypothesis_sentence.tokens) for p in found
    ]
    assert mutual_info_score([p.label for p in found], negated) < 0.01


def test_a_comparison_means_what_it_says(world: mw.World) -> None:
    """The label is computed again from the order that the premise gives."""
    for pair in mw.inferences(world, 300, kinds=("taller",), wordings="shared"):
        above = set(_order(pair.premise_sentence))
        for a, b in list(above):
            above |= {(a, d) for c, d in above if c == b}
        (claim,) = _order(pair.hypothesis_sentence)
        label = (
            "entailment" if claim in above
            else "contradiction" if claim[::-1] in above else "neutral"
        )  # fmt: skip
        assert label == pair.label, (pair.premise, pair.hypothesis)


def _order(sentence: mw.Sentence) -> list[tuple[str, str]]:
    """(who is more, who is less) for every clause."""
    pairs = []
    clauses: list[list[mw.Token]] = [[]]
    for token in sentence.tokens:
        if token.text in ("，", "。") and any(t.sense for t in clauses[-1] if t.role == "like"):
            clauses.append([])
        else:
            clauses[-1].append(token)
    for clause in clauses:
        people = [t.text for t in clause if t.role in ("who", "other", "third")]
        words = [t.text for t in clause]
        if len(people) == 2:
            swap = "没有" in words or words[0] == "和"
            pairs.append((people[1], people[0]) if swap else (people[0], people[1]))
    return pairs


@pytest.mark.parametrize("language", ["zh", "en"])
def test_answers_are_where_they_are_said_to_be(world: mw.World, language: str) -> None:
    found = mw.questions(world, 400, language, unanswerable=0.25)
    assert sum(not q.answers for q in found) == 100
    for question in found:
        for answer in question.answers:
            assert answer.start is not None
            end = answer.start + len(answer.text)
            assert question.context[answer.start : end] == answer.text
            tokens = question.context_sentence.tokens[question.span[0] : question.span[1] + 1]
            assert {t.role for t in tokens} == {question.asked}
        assert (question.span is None) == (not question.answers)


def words_by_role(sentence: mw.Sentence) -> list[dict[str, set[str]]]:
    """For each clause that ends in a full stop: role -> its words."""
    found: list[dict[str, set[str]]] = [{}]
    for token in sentence.tokens:
        if token.text in ("。", "."):
            found.append({})
        elif token.role:
            found[-1].setdefault(token.role, set()).add(token.text)
    return found


@pytest.mark.parametrize("unanswerable", [0.0, 1.0])
def test_only_an_answerable_question_has_an_answer(world: mw.World, unanswerable: float) -> None:
    """What agrees with all that a question names: the decoy, and the answer where there is one."""
    for question in mw.questions(world, 200, unanswerable=unanswerable):
        named = words_by_role(question.question_sentence)[0]
        agreeing = [
            clause
            for clause in words_by_role(question.context_sentence)
            if all(words <= clause.get(role, set()) for role, words in named.items())
        ]
        assert len(agreeing) == (1 if unanswerable else 2), question


def test_answers_stand_anywhere(world: mw.World) -> None:
    found = mw.questions(world, 1200)
    places = Counter(q.candidates.index(q.span) for q in found)
    assert all(0.2 < places[i] / len(found) < 0.3 for i in range(4))
    assert set(Counter(q.asked for q in found).values()) == {300}


def test_an_unanswerable_question_has_the_same_words_in_its_text(world: mw.World) -> None:
    def shared(q: mw.Asked) -> float:
        wanted = {t.text for t in q.question_sentence.tokens if t.role}
        return len(wanted & set(q.context_sentence.words)) / max(1, len(wanted))

    found = mw.questions(world, 800, unanswerable=0.5)
    labels = [bool(q.answers) for q in found]
    assert abs(roc_auc_score(labels, [shared(q) for q in found]) - 0.5) < 0.15


@pytest.mark.parametrize("kind", ["plain", "mixed"])
def test_senses_are_balanced_and_at_least_six_words_have_two(world: mw.World, kind: str) -> None:
    words = mw.ambiguous(world)
    assert {"苹果", "小米", "杜鹃"} <= set(words)
    assert len(words) >= 6
    assert len(mw.ambiguous(mw.World("core"))) >= 6
    found = mw.sense_uses(world, 40, ("苹果",), kind=kind)  # type: ignore[arg-type]
    assert set(Counter(use.sense for use in found).values()) == {20}
    for use in found:
        assert use.text[use.span.start : use.span.end] == "苹果"


def test_mixed_senses_have_balanced_positions(world: mw.World) -> None:
    found = mw.sense_uses(world, 800, ("苹果",), kind="mixed")
    company = [use.sense.endswith("company") for use in found]
    first_half = [use.target < len(use.sentence.tokens) / 2 for use in found]
    assert abs(np.corrcoef(company, first_half)[0, 1]) < 0.1


@pytest.mark.parametrize(("language", "words"), [("zh", 12), ("en", 6)])
def test_words_of_several_tags(world: mw.World, language: str, words: int) -> None:
    found = mw.ambiguous_words(world, 600, language)
    tags: dict[str, set[str]] = {}
    for example in found:
        tags.setdefault(example.tokens[example.target].lower(), set()).add(
            example.tags[example.target]
        )
    assert len(tags) >= words
    assert all(len(each) > 1 for each in tags.values())


@pytest.mark.parametrize("order", ["story", "day", "round"])
def test_documents_keep_their_order(world: mw.World, order: str) -> None:
    documents = mw.make_documents(world, 60, orders=(order,))  # type: ignore[arg-type]
    wraps = 0
    for document in documents:
        assert len(document.sentences) >= 3
        steps = len(world.grammar.stories[document.name].steps)
        for a, b in pairwise(document.places):
            if order == "round":
                assert b == (a + 1) % steps
                wraps += b < a
            else:
                assert a < b
    if order == "round":
        starts = Counter(document.places[0] for document in documents)
        assert len(starts) > 3
        assert wraps > 10


def test_a_round_never_comes_back_and_names_everybody(world: mw.World) -> None:
    for document in mw.make_documents(world, 80, orders=("round",)):
        assert len(set(document.places)) == len(document.places)
        named = {
            token.sense
            for sentence in document.sentences
            for token in sentence.tokens
            if token.sense and "person" in world.lexicon.words[token.sense].kinds
        }
        assert named == {
            word for word in document.state.values() if "person" in world.lexicon.words[word].kinds
        }


def test_a_day_says_he_or_she_where_only_pretraining_reads_it(world: mw.World) -> None:
    def repeats(split: str) -> float:
        days = mw.make_documents(world, 60, split=split, orders=("day",))  # type: ignore[arg-type]
        later = [sentence for day in days for sentence in day.sentences[1:]]
        said = [any(t.role == "who" and t.tag == "PRON" for t in s.tokens) for s in later]
        assert not any(t.tag == "PRON" for d in days for t in d.sentences[0].tokens)
        return sum(said) / len(said)

    assert repeats("test") == repeats("train") == 0
    assert 0.5 < repeats("pretraining") < 0.9


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_single_word_marks_what_did_not_happen(world: mw.World, language: str) -> None:
    """A word that only decoys have, or only true sentences, stands in less than half of them."""
    grammar = load_questions(world)
    words = [
        [
            {p.text for _, pieces in w.parts for p in pieces if isinstance(p, mw.Token)}
            for w in wordings[language]  # type: ignore[index]
        ]
        for wordings in (grammar.tell, grammar.decoy)
    ]
    for these, those in (words, words[::-1]):
        alone = set().union(*these) - set().union(*those)
        assert alone
        assert all(sum(word in each for each in these) < len(these) / 2 for word in alone)


def test_gloss_is_the_chinese_one_for_one(world: mw.World) -> None:
    forward: dict[str, str] = {}
    for sentence in world.sentences(2000, seed=3):
        glossed = mw.gloss(sentence, world.lexicon)
        assert len(glossed.words) == len(sentence.words)
        for a, b in zip(sentence.words, glossed.words, strict=True):
            assert forward.setdefault(a, b) == b
    assert len(set(forward.values())) == len(forward)
    with pytest.raises(ValueError, match="Chinese"):
        mw.gloss(world.sentences(1, "en")[0], world.lexicon)


def test_slots_are_parallel(world: mw.World) -> None:
    for chinese, english in mw.slot_pairs(world, 300):
        assert [t.role for t in chinese.tokens if t.sense] == [
            t.role for t in english.tokens if t.sense
        ]
        assert len(chinese.tokens) == len(english.tokens)


def test_parallel_sentences_are_about_the_same_words(world: mw.World) -> None:
    for chinese, english in mw.parallel_sentences(world, 100):
        who = [
            {t.sense for t in s.tokens if t.role == "verb" and t.sense} for s in (chinese, english)
        ]
        assert who[0] == who[1]
    entries = mw.dictionary(world)
    assert len({zh for zh, _, _ in entries}) == len(entries) == len({en for _, en, _ in entries})


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda w: mw.reviews(w, 2, split="dev"), "there are pretraining"),
        (lambda w: mw.reviews(w, 2, kinds=("sarcasm",)), "plain"),
        (lambda w: mw.inferences(w, 2, kinds=("magic",)), "kind_of"),
        (lambda w: mw.sense_uses(w, 2, ("香蕉",)), "no two senses"),
        (lambda w: mw.questions(w, 2, unanswerable=2), "share"),
        (lambda w: mw.make_documents(w, 2, orders=("saga",)), "story, day and round"),
        (lambda w: mw.Mix(stories=90), "make it 100"),
    ],
)
def test_what_cannot_be_written_is_refused(world: mw.World, call: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call(world)  # type: ignore[operator]
