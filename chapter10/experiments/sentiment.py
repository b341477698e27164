"""What the page `sentiment` runs (claim B12): case 1, one sequence in, one class out.

Everything about an answer is told by one number, the log-odds z of "positive": the score of that
class minus the score of the other. The probability is sigmoid(z), the answer is z > 0, the loss of
a positive review is log(1 + exp(-z)).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from chapter10.data.microworld import Review
from chapter10.experiments.downstream import (
    case_experiment,
    converted,
    rights,
)
from chapter10.tasks import BASELINES, Classification, TextExample
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
BAG = "character n-grams"


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
    return _log_odds(task, model, task.encode([TextExample(text) for text in texts], targets=False))


def _log_odds(task: Classification, model: nn.Module, rows: Sequence[ClassRow]) -> Tensor:
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


# --- occlusion


@dataclass(frozen=True)
class Occlusion:
    """One text, its log-odds z, and for each token z minus the z without it.

    A positive effect: the token spoke for "positive", with it hidden z falls.
    """

    tokens: tuple[str, ...]
    odds: float
    effects: tuple[float, ...]


def occlude(task: Classification, model: nn.Module, text: str) -> Occlusion:
    """Replace one token after the other by [MASK], and see how the log-odds change.

    Li et al. 2016 (arXiv 1612.08220) erase words; a [MASK] keeps the other tokens in their places.
    [CLS] and [SEP] are left alone, and so not listed.
    """
    (row,) = task.encode([TextExample(text)], targets=False)
    ids, mask = row.input_ids, task.tokenizer.mask_token_id
    assert mask is not None  # a tokeniser of style "bert" has one
    inner = range(1, len(ids) - 1)
    hidden = [[*ids[:at], mask, *ids[at + 1 :]] for at in inner]
    rows = [ClassRow(one, row.token_type_ids, row.label) for one in (ids, *hidden)]
    whole, *without = _log_odds(task, model, rows).tolist()
    return Occlusion(
        tuple(task.tokenizer.id_to_token(ids[at]) for at in inner),
        whole,
        tuple(whole - one for one in without),
    )


EXPERIMENTS = {"B12": case_experiment(NAME)}
