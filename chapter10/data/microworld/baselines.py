"""What one scores without understanding: majority, bag of words, most frequent tag, shared words.

    python -m chapter10.data.microworld.baselines

Every classifier is tuned on validation data and scored on test. Understanding is claimed only where
these stay low; `LIMITS` says how low, and the tests hold the world to it.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from chapter10.data.microworld.asking import questions
from chapter10.data.microworld.examples import Asked, Inference, Review, Tagged
from chapter10.data.microworld.inference import inferences
from chapter10.data.microworld.senses import ambiguous, sense_uses
from chapter10.data.microworld.sentiment import HARD, reviews
from chapter10.data.microworld.splits import Held, Split
from chapter10.data.microworld.tagging import ambiguous_words
from chapter10.data.microworld.tokens import Language
from chapter10.data.microworld.world import World, shipped

LIMITS = {
    "sentiment: bag of words": 0.60,
    "sentiment: length and position": 0.57,
    "entailment: hypothesis only": 0.40,
    "entailment: premise only": 0.50,
    "entailment: both as bags": 0.55,
    "entailment: shared words": 0.45,
    "tags: most frequent": 0.60,
    "questions: first candidate": 0.35,
    "questions: most shared words": 0.60,
    "senses: bag of words": 0.62,
    "senses: position": 0.60,
}
"""The most each may score on test, fixed before any model was trained. Chance is 1/2 for sentiment
and senses, 1/3 for entailment, 1/4 for questions."""

STRENGTHS = (0.01, 0.1, 1.0, 10.0)
Texts = dict[Split, list[Any]]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def report(
    world: World | None = None,
    language: Language = "zh",
    count: int = 1200,
    seed: int = 0,
    wordings: Held = "held out",
) -> dict[str, float]:
    """The test score of every baseline; `count` examples to train on, half as many to test."""
    world = world or shipped()
    sizes = {"train": count, "validation": count // 2, "test": count // 2}

    def make(write: Callable[..., list[Any]], **options: Any) -> Texts:
        options |= {"seed": seed, "wordings": wordings}
        return {s: write(world, sizes[s], language, split=s, **options) for s in SPLITS}

    scores: dict[str, float] = {}
    scores |= _sentiment(make(reviews, kinds=HARD))
    scores |= _entailment(make(inferences))
    scores |= _tags(make(ambiguous_words))
    scores |= _questions(make(questions)["test"])
    if language == "zh":
        scores |= _senses(world, sizes, seed)
    return scores


def _sentiment(texts: Texts) -> dict[str, float]:
    def words(review: Review) -> str:
        return review.sentence.spaced

    def place(review: Review) -> list[float]:
        places = [i for i, t in enumerate(review.sentence.tokens) if t.role in ("first", "second")]
        return [len(review.sentence.tokens), len(review.text), places[0], places[-1]]

    labels = {split: [r.label for r in found] for split, found in texts.items()}
    bags = {split: [words(r) for r in found] for split, found in texts.items()}
    places = {split: [place(r) for r in found] for split, found in texts.items()}
    return {
        "sentiment: majority": _majority(labels),
        "sentiment: bag of words": bag_of_words(bags, labels),
        "sentiment: bag of words and pairs": bag_of_words(bags, labels, pairs=True),
        "sentiment: length and position": numbers(places, labels),
    }


def _entailment(texts: Texts) -> dict[str, float]:
    def both(pair: Inference) -> str:
        first = " ".join("p_" + word for word in pair.premise_sentence.words)
        return first + " " + " ".join("h_" + word for word in pair.hypothesis_sentence.words)

    def shared(pair: Inference) -> list[float]:
        premise, hypothesis = pair.premise_sentence.words, pair.hypothesis_sentence.words
        common = set(premise) & set(hypothesis)
        return [len(common), len(common) / len(set(hypothesis)), len(premise), len(hypothesis)]

    labels = {split: [p.label for p in found] for split, found in texts.items()}
    return {
        "entailment: majority": _majority(labels),
        "entailment: hypothesis only": bag_of_words(
            {s: [p.hypothesis_sentence.spaced for p in found] for s, found in texts.items()}, labels
        ),
        "entailment: premise only": bag_of_words(
            {s: [p.premise_sentence.spaced for p in found] for s, found in texts.items()}, labels
        ),
        "entailment: both as bags": bag_of_words(
            {s: [both(p) for p in found] for s, found in texts.items()}, labels
        ),
        "entailment: shared words": numbers(
            {s: [shared(p) for p in found] for s, found in texts.items()}, labels
        ),
    }


def _tags(texts: Texts) -> dict[str, float]:
    counts: dict[str, Counter[str]] = {}
    for example in texts["train"]:
        counts.setdefault(_word(example), Counter())[example.tags[example.target]] += 1
    right = [
        counts[_word(example)].most_common(1)[0][0] == example.tags[example.target]
        for example in texts["test"]
        if _word(example) in counts
    ]
    return {"tags: most frequent": sum(right) / len(right)}


def _word(example: Tagged) -> str:
    return example.tokens[example.target].lower()


def _questions(asked: Sequence[Asked]) -> dict[str, float]:
    total = len(asked)
    return {
        "questions: first candidate": sum(q.candidates[0] == q.span for q in asked) / total,
        "questions: last candidate": sum(q.candidates[-1] == q.span for q in asked) / total,
        "questions: most shared words": sum(most_shared(q) == q.span for q in asked) / total,
    }


def most_shared(question: Asked) -> tuple[int, int]:
    """The candidate in the sentence that shares most words with the question."""
    tokens = question.context_sentence.tokens
    wanted = {t.text.lower() for t in question.question_sentence.tokens if t.tag != "PUNCT"}
    ends = [i for i, t in enumerate(tokens) if t.text in ("。", ".")]
    starts = [0, *(end + 1 for end in ends)]
    common = [
        len(wanted & {t.text.lower() for t in tokens[a:b]})
        for a, b in zip(starts, ends, strict=False)
    ]
    return question.candidates[common.index(max(common))]


def _senses(world: World, sizes: dict[str, int], seed: int) -> dict[str, float]:
    """Each word for itself, then the mean over words; half the senses' sentences are mixed ones."""
    bags, places = [], []
    for word in ambiguous(world):
        texts = {
            s: sense_uses(world, sizes[s] // 6, (word,), seed=seed, split=s, kind="mixed")
            for s in SPLITS
        }
        labels = {s: [use.sense for use in found] for s, found in texts.items()}
        others = {s: [use.sentence.spaced for use in found] for s, found in texts.items()}
        spots = {
            s: [[use.target, len(use.sentence.tokens)] for use in found]
            for s, found in texts.items()
        }
        bags.append(bag_of_words(others, labels))
        places.append(numbers(spots, labels))
    return {
        "senses: bag of words": sum(bags) / len(bags),
        "senses: position": sum(places) / len(places),
    }


def _majority(labels: dict[Split, list[Any]]) -> float:
    most = Counter(labels["train"]).most_common(1)[0][0]
    return sum(label == most for label in labels["test"]) / len(labels["test"])


def bag_of_words(
    texts: dict[Split, list[str]], labels: dict[Split, list[Any]], *, pairs: bool = False
) -> float:
    """Test accuracy of logistic regression on the set of words (with pairs: also neighbours)."""
    from sklearn.feature_extraction.text import CountVectorizer

    bag = CountVectorizer(
        token_pattern=r"[^ ]+", binary=True, ngram_range=(1, 2) if pairs else (1, 1)
    )
    bag.fit(texts["train"])
    return _tuned({split: bag.transform(found) for split, found in texts.items()}, labels)


def numbers(rows: dict[Split, Any], labels: dict[Split, list[Any]]) -> float:
    """Test accuracy of a decision tree on a few numbers such as length and position."""
    from sklearn.tree import DecisionTreeClassifier

    def fit(depth: int) -> Any:
        tree = DecisionTreeClassifier(max_depth=depth, random_state=0)
        return tree.fit(rows["train"], labels["train"])

    fitted = [fit(depth) for depth in (1, 3, 8)]
    best = max(fitted, key=lambda one: one.score(rows["validation"], labels["validation"]))
    return float(best.score(rows["test"], labels["test"]))


def _tuned(rows: dict[Split, Any], labels: dict[Split, list[Any]]) -> float:
    from sklearn.linear_model import LogisticRegression

    fitted = [
        LogisticRegression(C=c, max_iter=500).fit(rows["train"], labels["train"]) for c in STRENGTHS
    ]
    best = max(fitted, key=lambda one: one.score(rows["validation"], labels["validation"]))
    return float(best.score(rows["test"], labels["test"]))


def print_report(language: Language = "zh") -> None:
    """Print every baseline's score beside the most it may be."""
    for name, score in report(language=language).items():
        limit = f"  at most {LIMITS[name]:.2f}" if name in LIMITS else ""
        print(f"{name:40s} {score:.3f}{limit}")


if __name__ == "__main__":
    for one in sys.argv[1:] or ["zh", "en"]:
        print(one)
        print_report(one)  # type: ignore[arg-type]
