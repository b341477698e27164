"""What the page `sentiment` runs (claim B12): case 1, one sequence in, one class out.

Everything about an answer is told by one number, the log-odds z of "positive": the score of that
class minus the score of the other. The probability is sigmoid(z), the answer is z > 0, the loss of
a positive review is log(1 + exp(-z)).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from chapter10.data.microworld import Review, shipped
from chapter10.data.microworld import reviews as write_reviews
from chapter10.experiments.downstream import (
    ARMS,
    KNOWN,
    LABELS,
    NEW,
    STARTS,
    VALIDATION,
    case_experiment,
    converted,
    exam_examples,
    exam_rights,
    judged,
    rights,
    share,
    tuned,
    validation_examples,
)
from chapter10.tasks import BASELINES, Classification, TextExample, micro_examples
from chapter10.tasks.classification import ClassRow

NAME = "sentiment"
KIND_NAMES = {
    "plain": "直说",
    "negation": "否定",
    "contrast": "转折",
    "choice": "取舍",
    "intensity": "轻重",
}
"""The kinds of review, as the page calls them."""
BAG, BAG_NAME = "character n-grams", "词袋"
JUDGES = (*ARMS.values(), BAG_NAME)
"""Who sits the exams."""
SEEN, SEEN_COUNT = "词也见过", 400
"""An easier exam beside the two that all cases have: only its sentences are new."""
EXAMS = (SEEN, KNOWN, NEW)


# --- data


def wording(review: Review) -> str:
    """A review with its fillers taken out: the sentence pattern it was made from."""
    return "".join(f"{{{t.role}}}" if t.role else t.text for t in review.sentence.tokens)


def words_of(review: Review, *roles: str) -> set[str]:
    """The words that fill these roles, as written."""
    return {token.text for token in review.sentence.tokens if token.role in roles}


def adjectives(review: Review) -> set[str]:
    """The one or two words that judge, as written."""
    return words_of(review, "first", "second")


def in_training(train: Sequence[Review], test: Sequence[Review]) -> dict[str, tuple[int, int]]:
    """What of the test reviews occurs in training reviews: (how many different ones, how many of
    these also in training).

    An adjective is a word about one aspect; "as written" asks only whether the characters are the
    same, so that a word known from another aspect counts as seen.
    """
    parts = {
        "整句 sentence": lambda review: {review.text},
        "句式 wording": lambda review: {wording(review)},
        "人物 person": lambda review: words_of(review, "who"),
        "形容词（分方面） adjective": lambda review: set(review.aspects),
        "形容词（只看字） as written": adjectives,
    }
    found = {}
    for name, take in parts.items():
        known, asked = (set().union(*map(take, reviews)) for reviews in (train, test))
        found[name] = (len(asked), len(asked & known))
    return found


@lru_cache(maxsize=32)
def exam_reviews(exam: str, labels: int, seed: int) -> Sequence[Review]:
    """The reviews of one of EXAMS. Those of SEEN (at most SEEN_COUNT) are other sentences with the
    adjectives and wordings of the training reviews; those of the others are the same for all."""
    if exam != SEEN:
        return exam_examples(NAME, exam)
    train = micro_examples(NAME, "train", labels, seed)
    texts, wordings = ({take(one) for one in train} for take in (lambda one: one.text, wording))
    words = {word for review in train for word in review.aspects}
    drawn = micro_examples(NAME, "train", 4 * SEEN_COUNT, f"{SEEN} {seed}")
    found = [
        review
        for review in drawn
        if review.text not in texts
        and wording(review) in wordings
        and words.issuperset(review.aspects)
    ]
    return found[:SEEN_COUNT]


def plain_reviews(count: int, seed: int | str, but: Sequence[Review] = ()) -> list[Review]:
    """Reviews of training that say plainly what is good or bad, without the sentences of others."""
    texts = {review.text for review in but}
    drawn = write_reviews(shipped("full"), count, seed=seed, kinds=("plain",))
    return [review for review in drawn if review.text not in texts]


def unseen(train: Sequence[Review], test: Sequence[Review]) -> list[bool]:
    """For each test review whether none of its adjectives is written in any training review."""
    known = set().union(*map(adjectives, train))
    return [not adjectives(review) & known for review in test]


def counts(reviews: Sequence[Review]) -> dict[str, tuple[int, int]]:
    """Kind -> how many (bad, good) reviews."""
    found = Counter((review.category, review.label) for review in reviews)
    return {name: (found[kind, 0], found[kind, 1]) for kind, name in KIND_NAMES.items()}


# --- answers


def log_odds(task: Classification, model: nn.Module, texts: Sequence[str]) -> Tensor:
    """(N,): the score of "positive" minus that of "negative" for each text."""
    return row_odds(task, model, task.encode([TextExample(text) for text in texts], targets=False))


def row_odds(task: Classification, model: nn.Module, rows: Sequence[ClassRow]) -> Tensor:
    """(N,): the same for rows of ids."""
    return torch.stack([scores[1] - scores[0] for (scores,) in task.outputs(model, rows)])


def right(odds: Tensor, reviews: Sequence[Review]) -> list[bool]:
    """For each review whether the likelier class is its label."""
    return [
        (z > 0) == (review.label == 1) for z, review in zip(odds.tolist(), reviews, strict=True)
    ]


def bag_right(
    train: Sequence[Review], validation: Sequence[Review], test: Sequence[Review]
) -> list[bool]:
    """The same for the bag of words: runs of one to three characters, their order forgotten."""
    parts = (converted(NAME, part) for part in (train, validation, test))
    return rights(NAME, test, BASELINES[BAG](*parts))


@lru_cache(maxsize=8)
def bag_rights(labels: int, seed: int) -> Mapping[str, list[bool]]:
    """Exam -> :func:`bag_right` after learning from the reviews that the models learn from."""
    train = micro_examples(NAME, "train", labels, seed)
    exams = {exam: exam_reviews(exam, labels, seed) for exam in EXAMS}
    test = [review for part in exams.values() for review in part]
    found = iter(bag_right(train, validation_examples(NAME, VALIDATION), test))
    return {exam: [next(found) for _ in part] for exam, part in exams.items()}


def by_kind(reviews: Sequence[Review], judgements: Sequence[bool]) -> dict[str, list[bool]]:
    """The judgements of each kind of review."""
    found: dict[str, list[bool]] = {name: [] for name in KIND_NAMES.values()}
    for review, judgement in zip(reviews, judgements, strict=True):
        found[KIND_NAMES[review.category]].append(judgement)
    return found


def losses(odds: Tensor, reviews: Sequence[Review]) -> Tensor:
    """(N,): minus the log of the probability that each review's label got, in nats."""
    labels = torch.tensor([float(review.label) for review in reviews])
    return binary_cross_entropy_with_logits(odds, labels, reduction="none")


def worst(odds: Tensor, reviews: Sequence[Review], count: int) -> list[int]:
    """The places of the reviews with the highest loss, the worst first."""
    return losses(odds, reviews).argsort(descending=True)[:count].tolist()


# --- over seeds


def judge_rights(judge: str, exam: str, labels: int, seed: int) -> Sequence[bool]:
    """For each review of an exam whether one of JUDGES is right after learning from labels."""
    if judge == BAG_NAME:
        return bag_rights(labels, seed)[exam]
    (begin,) = (one for one in STARTS if ARMS[one] == judge)
    if exam == SEEN:
        return judged(NAME, tuned(NAME, begin, labels, seed), exam_reviews(exam, labels, seed))
    return exam_rights(NAME, begin, labels, seed, exam)


@lru_cache(maxsize=32)
def kind_shares(judge: str, exam: str, labels: int, seed: int) -> Mapping[str, float]:
    """Kind -> the share that a judge gets right of it."""
    judgements = judge_rights(judge, exam, labels, seed)
    kinds = by_kind(exam_reviews(exam, labels, seed), judgements)
    return {kind: share(found) for kind, found in kinds.items()}


def _kind_share(judge: str, exam: str, kind: str, seed: int) -> float:
    return kind_shares(judge, exam, LABELS[NAME], seed)[kind]


EXPERIMENTS = {
    "B12": case_experiment(
        NAME,
        {
            f"{judge}·{exam}·{kind}": partial(_kind_share, judge, exam, kind)
            for judge in JUDGES
            for exam in EXAMS
            for kind in KIND_NAMES.values()
        },
    )
}
