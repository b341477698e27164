"""What the page `cls` runs (claim B11): is the output at [CLS] the summary of its sentence?

A linear classifier reads one vector of each row, had in several ways: from a frozen body, or
trained together with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chapter10.bert import Bert
from chapter10.claims import Experiment, Measured
from chapter10.data.microworld import make_documents, reviews
from chapter10.data.microworld import shipped as world
from chapter10.data.microworld.sentiment import KINDS
from chapter10.data.microworld.splits import Split
from chapter10.experiments.downstream import (
    TEST,
    TEST_DRAW,
    VALIDATION,
    steps_for,
    training_config,
)
from chapter10.experiments.pooling import POOLINGS, Pooling, SentenceClassifier, vectors
from chapter10.models import shipped
from chapter10.objectives import sentence_order_pairs
from chapter10.tasks import BASELINES, Classification, TextExample, fit
from chapter10.tasks.micro import first_different
from chapter10.tokenizers import Tokenizer
from chapter10.training import History
from chapter10.training.batches import derive_seed, generator

Start = Literal["order", "mlm", "random"]
STARTS: Mapping[Start, str] = {"order": "填空+句序", "mlm": "只填空", "random": "随机起点"}
"""Where the body comes from: the shipped model with a sentence objective, its twin without one, or
neither."""
MODELS: Mapping[Start, str] = {"order": "bert-zh-micro-sop", "mlm": "bert-zh-micro"}
STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Inverse regularisation strengths of the frozen probe; validation data choose."""
RATE = 1e-3
"""Learning rate of fine-tuning, found for [CLS] on validation data and used for every pooling."""
MANY = 256
"""The larger of the two budgets of labels for fine-tuning; the smaller is the question's own."""


# --- two questions about whole rows


@dataclass(frozen=True, kw_only=True)
class Question:
    """A class for each row.

    title: on the page. labels: the classes. budget: labelled examples to learn from. write: (how
    many, seed, split) -> as many examples or somewhat more.
    """

    title: str
    labels: Sequence[str]
    budget: int
    write: Callable[[int, str, Split], list[TextExample]]


def _kinds(count: int, seed: str, split: Split) -> list[TextExample]:
    """How a review says its verdict: plainly, by negation, contrast, choice or degree."""
    # The ways of saying it are the same in all splits; people and adjectives are not.
    written = reviews(world("full"), count, seed=seed, split=split, wordings="shared")
    return [TextExample(review.text, label=review.category) for review in written]


def _orders(count: int, seed: str, split: Split) -> list[TextExample]:
    """Two neighbouring sentences of a story, in their order or swapped."""
    draw = generator("cls", split, seed)
    neighbours = []
    for document in make_documents(world("full"), count, seed=seed, split=split):
        texts = [sentence.text for sentence in document.sentences]
        if len(texts) > 1:
            at = int(torch.randint(len(texts) - 1, (), generator=draw))
            neighbours.append(texts[at : at + 2])
    return [
        TextExample(pair.first, pair.second, ORDERS[pair.label])
        for pair in sentence_order_pairs(neighbours, draw)
    ]


ORDERS = ("right", "swapped")
QUESTIONS: Mapping[str, Question] = {
    "kind": Question(title="说法", labels=KINDS, budget=64, write=_kinds),
    "order": Question(title="先后", labels=ORDERS, budget=256, write=_orders),
}


@cache
def examples(
    name: str, split: Split, seed: int = 0, labels: int | None = None
) -> list[TextExample]:
    """`labels` training examples by the seed, the question's budget by default; validation and test
    examples are the same for all. Each text once."""
    count = {"train": labels or QUESTIONS[name].budget, "validation": VALIDATION, "test": TEST}[
        split
    ]
    written = QUESTIONS[name].write(
        count + count // 2 + 20,
        f"cls/{seed}" if split == "train" else f"cls/held out/{TEST_DRAW}",
        split,
    )
    return first_different(
        written, count, lambda one: (one.text, one.pair), f"{name!r} for {split}"
    )


def make_task(name: str) -> Classification:
    """For the tokeniser that the shipped model and its twin share."""
    tokenizer = Tokenizer.from_pretrained(shipped(MODELS["order"]))
    return Classification(tokenizer, QUESTIONS[name].labels, max_length=160)


def body(start: Start, seed: int) -> Bert:
    """A fresh copy of a body; the random one is a function of the seed, the others are not."""
    bert = Bert.from_pretrained(shipped(MODELS.get(start, MODELS["order"])))
    if start != "random":
        return bert
    with torch.random.fork_rng([]):
        torch.manual_seed(derive_seed("cls", "body", seed))
        return Bert(bert.config).eval()


# --- frozen: the vectors stay, a logistic regression reads them


@lru_cache(maxsize=8)
def held_out_vectors(
    name: str, start: Start, seed: int, split: Split
) -> Mapping[Pooling, np.ndarray]:
    """Those of validation or test examples; only for "random" the seed matters."""
    return vectors(body(start, seed), make_task(name), examples(name, split))


@lru_cache(maxsize=64)
def frozen_scores(
    name: str, start: Start, seed: int, split: Split = "test"
) -> Mapping[Pooling, float]:
    """The accuracy of each pooling when only a logistic regression is trained."""
    body_seed = seed if start == "random" else 0
    known = vectors(body(start, body_seed), make_task(name), examples(name, "train", seed))
    tuning, asked = (
        held_out_vectors(name, start, body_seed, part) for part in ("validation", split)
    )
    truth = {
        part: [one.label for one in examples(name, part, seed)]
        for part in ("train", "validation", split)
    }
    scores: dict[Pooling, float] = {}
    for pooling in POOLINGS:
        probes = [
            make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000)).fit(
                known[pooling], truth["train"]
            )
            for strength in STRENGTHS
        ]
        best = max(probes, key=lambda probe: probe.score(tuning[pooling], truth["validation"]))
        scores[pooling] = float(best.score(asked[pooling], truth[split]))
    return scores


@lru_cache(maxsize=64)
def baseline_score(name: str, baseline: str, labels: int, seed: int) -> float:
    """The accuracy of a classical baseline that learns from as many labels."""
    parts = [
        examples(name, "train", seed, labels),
        *(examples(name, part) for part in ("validation", "test")),
    ]
    answers = BASELINES[baseline](*parts)
    return make_task(name).score_answers(parts[-1], answers)["accuracy"]


# --- fine-tuned: the body learns too


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned model and how its training went."""

    task: Classification
    model: SentenceClassifier
    history: History

    def score(self, name: str, split: Split = "test") -> float:
        """The share of right answers."""
        return self.task.evaluate(self.model, examples(name, split))["accuracy"]


def fine_tune(
    name: str,
    start: Start,
    pooling: Pooling,
    seed: int,
    *,
    labels: int | None = None,
    rate: float = RATE,
    progress: bool = False,
) -> Tuned:
    """Body and head learn together; steps and schedule are those of the other cases."""
    task = make_task(name)
    with torch.random.fork_rng([]):
        torch.manual_seed(derive_seed("cls", "head", seed))
        model = SentenceClassifier(body(start, seed), pooling, task.num_labels, task.tokenizer)
    known = examples(name, "train", seed, labels)
    config = training_config(task, rate, steps_for(len(known)), seed, progress=progress)
    return Tuned(task, model, fit(task, model, known, examples(name, "validation"), config))


@lru_cache(maxsize=256)
def tuned_score(start: Start, pooling: Pooling, labels: int, seed: int) -> float:
    """Accuracy on test examples of "kind" after one fine-tuning."""
    return fine_tune("kind", start, pooling, seed, labels=labels).score("kind")


# --- evidence

FROZEN, TUNED, GAP = "冻结", "微调", "[CLS] − 平均"
FEW = QUESTIONS["kind"].budget
FLOOR = 0.7
"""What a fine-tuned [CLS] has to reach on "kind" (chance 0.2): else two bad readouts would count as
equally good."""
TAUGHT = 0.05
"""By how much the frozen [CLS] of the model that learned sentence order has to beat that of its
twin on "order"."""


def _tuned_arms() -> dict[str, tuple[Start, Pooling, int]]:
    """On "kind": the shipped body with every pooling, fewer ones of the others and with MANY."""
    chosen: Sequence[tuple[Start, int, Sequence[Pooling]]] = (
        ("order", FEW, ("cls", "pooler", "mean", "max", "token")),
        ("mlm", FEW, ("cls", "mean", "token")),
        ("random", FEW, ("cls",)),
        ("order", MANY, ("cls", "mean", "token")),
    )
    return {
        f"{TUNED} {labels} {STARTS[start]} {POOLINGS[pooling]}": (start, pooling, labels)
        for start, labels, poolings in chosen
        for pooling in poolings
    }


TUNED_ARMS = _tuned_arms()
FROZEN_ARMS: Mapping[str, tuple[str, Start, Pooling]] = {
    f"{FROZEN} {question.title} {STARTS[start]} {POOLINGS[pooling]}": (name, start, pooling)
    for name, question in QUESTIONS.items()
    for start in STARTS
    for pooling in POOLINGS
    if pooling != "pooler"
}
BASELINE_ARMS = {
    f"{QUESTIONS[name].title} {labels} {baseline}": (name, baseline, labels)
    for name, labels in (("kind", FEW), ("kind", MANY), ("order", QUESTIONS["order"].budget))
    for baseline in ("most frequent class", "character n-grams")
}


def _run(arm: str, seed: int) -> Measured:
    """One arm of B11: the gaps are judged, the accuracies stand beside them."""
    if arm == f"{FROZEN} {GAP}":
        scores = frozen_scores("kind", "order", seed)
        return Measured(scores["cls"] - scores["mean"])
    if arm.endswith(GAP):
        labels = int(arm.split()[1])
        ours, mean = (tuned_score("order", pooling, labels, seed) for pooling in ("cls", "mean"))
        return Measured(ours - mean, steps_for(labels))
    if arm in TUNED_ARMS:
        start, pooling, labels = TUNED_ARMS[arm]
        return Measured(tuned_score(start, pooling, labels, seed), steps_for(labels))
    if arm in FROZEN_ARMS:
        name, start, pooling = FROZEN_ARMS[arm]
        return Measured(frozen_scores(name, start, seed)[pooling])
    return Measured(baseline_score(*BASELINE_ARMS[arm], seed))


EXPERIMENTS = {
    "B11": Experiment(
        arms=(f"{TUNED} {MANY} {GAP}", f"{TUNED} {FEW} {GAP}", f"{FROZEN} {GAP}"),
        controls=(*TUNED_ARMS, *FROZEN_ARMS, *BASELINE_ARMS),
        run=_run,
        data=f"微世界评论的说法（冻结 {FEW} 个标注，微调 {FEW} 与 {MANY} 个）与故事里两句的先后"
        f"（冻结，{QUESTIONS['order'].budget} 个标注），测试 {TEST} 例",
    )
}
