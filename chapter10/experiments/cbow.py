"""What the page `cbow` runs (claim W4): one vector a word, learned by guessing it from around it.

Words of the micro-world, whose lexicon says what is a fruit and what is a tool. Settings were
chosen by how many blanks of other text are guessed right, never by neighbours or analogies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from chapter10.cbow import CBOW, CBOWConfig
from chapter10.claims import Experiment, Measured
from chapter10.experiments.cbow_text import DOCUMENTS, Text, make_text, make_windows
from chapter10.experiments.cbow_words import (
    RELATIONS,
    analogies,
    chance,
    neighbour_share,
    opinion_shares,
    random_vectors,
)
from chapter10.experiments.word_vectors import analogy_scores, count_vectors
from chapter10.objectives import (
    Windows,
    cross_entropy_sum,
    negative_sampling_loss,
    noise_distribution,
)
from chapter10.training import Batch, Batches, History, Losses, TrainingConfig, train
from chapter10.training.batches import derive_seed

Loss = Literal["softmax", "negative"]
LOSSES: Mapping[Loss, str] = {"softmax": "全词表 softmax", "negative": "负采样"}

HIDDEN = 64
NEGATIVES = 5
BATCH = 512
STEPS = 1200
RATES: Mapping[Loss, float] = {"softmax": 5e-2, "negative": 5e-2}


# --- learning


@dataclass(frozen=True)
class Learned:
    """A trained model, the words it knows and how the training went."""

    text: Text
    model: CBOW
    history: History

    @property
    def vectors(self) -> Tensor:
        """(V, H): the vector of every word, whatever stands around it."""
        return self.model.word_embeddings.weight.detach()

    def blanks(self, windows: Windows) -> float:
        """The share of middle words guessed right."""
        with torch.no_grad():
            guesses = torch.cat(
                [self.model(part).logits.argmax(dim=1) for part in windows.context_ids.split(2048)]
            )
        return float((guesses == windows.targets).float().mean())


def softmax_loss(model: nn.Module, batch: Batch) -> Losses:
    """Cross entropy against every word of the vocabulary."""
    return cross_entropy_sum(model(batch["input_ids"]).logits, batch["labels"])


def sampled_loss(model: nn.Module, batch: Batch) -> Losses:
    """The right word against a few drawn ones; the full scores are never computed."""
    assert isinstance(model, CBOW)
    context, targets = model.context(batch["input_ids"]), batch["labels"]
    weight = model.output.weight
    return negative_sampling_loss(context, weight, targets, batch["negatives"]), torch.tensor(
        len(targets)
    )


def make_batches(windows: Windows, noise: Tensor, batch_size: int, seed: int) -> Batches[int]:
    """Windows in random order, each with its wrong answers drawn anew."""

    def collate(rows: list[int], draws: torch.Generator) -> Batch:
        wrong = torch.multinomial(noise, len(rows) * NEGATIVES, replacement=True, generator=draws)
        return {
            "input_ids": windows.context_ids[rows],
            "labels": windows.targets[rows],
            "negatives": wrong.reshape(len(rows), NEGATIVES),
        }

    return Batches(
        range(len(windows.targets)),
        collate,
        batch_size=batch_size,
        seed=seed,
        bucketed=False,
        length=lambda _: 1,
    )


def learn(
    seed: int,
    loss: Loss = "softmax",
    *,
    steps: int = STEPS,
    text: Text | None = None,
    rate: float | None = None,
    progress: bool = False,
) -> Learned:
    """Train a CBOW model on its own text; a function of the arguments alone.

    Raises:
        ValueError: an unknown loss.
    """
    if loss not in get_args(Loss):
        raise ValueError(f"loss is {loss!r}; softmax and negative exist.")
    text = text or make_text(seed)
    windows = make_windows(text, text.rows)
    with torch.random.fork_rng([]):
        torch.manual_seed(derive_seed("cbow", "model", seed))
        model = CBOW(CBOWConfig(vocab_size=len(text.words), hidden_size=HIDDEN))
    batches = make_batches(windows, noise_distribution(text.counts), BATCH, seed)
    config = TrainingConfig(
        steps=steps,
        learning_rate=rate or RATES[loss],
        weight_decay=0.0,
        max_grad_norm=None,
        device="cpu",
        seed=seed,
        progress=progress,
    )
    history = train(model, batches, softmax_loss if loss == "softmax" else sampled_loss, config)
    return Learned(text, model, history)


@lru_cache(maxsize=4)
def learned(seed: int, loss: Loss) -> Learned:
    """`learn` with its own settings, kept for all arms of a seed."""
    return learn(seed, loss)


# --- evidence

ARMS: Mapping[str, Loss] = {f"同类近邻 {title}": loss for loss, title in LOSSES.items()}
CONTROLS = ("同类近邻 随机向量", "同类近邻 机会", "同类近邻 只数同现")
SCORES = ("offset", "nearest to c", "nearest to b")
TITLES: Mapping[str, str] = {
    "offset": "b − a + c",
    "nearest to c": "c 的近邻",
    "nearest to b": "b 的近邻",
}
ANALOGY_ARMS = {
    f"类比 {name} {TITLES[score]}": (name, score)
    for name in (*RELATIONS, "量词")
    for score in SCORES
}
OPINION_ARMS = {
    "褒贬 同方面": "aspect",
    "褒贬 同褒贬": "polarity",
    "褒贬 机会": "chance",
    "褒贬 反面更近": "opposite",
}


def _run(arm: str, seed: int) -> Measured:
    text = make_text(seed)
    if arm in ARMS:
        return Measured(neighbour_share(text, learned(seed, ARMS[arm]).vectors), STEPS)
    if arm == "同类近邻 随机向量":
        return Measured(neighbour_share(text, random_vectors(text, HIDDEN, seed)))
    if arm == "同类近邻 机会":
        return Measured(chance(text))
    if arm == "同类近邻 只数同现":
        windows = make_windows(text, text.rows)
        return Measured(neighbour_share(text, count_vectors(windows, len(text.words))))
    vectors = learned(seed, "softmax").vectors
    if arm in OPINION_ARMS:
        return Measured(opinion_shares(text, vectors)[OPINION_ARMS[arm]], STEPS)
    name, score = ANALOGY_ARMS[arm]
    return Measured(analogy_scores(vectors, analogies(text, name))[score], STEPS)


EXPERIMENTS = {
    "W4": Experiment(
        arms=tuple(ARMS),
        controls=(*CONTROLS, *OPINION_ARMS, *ANALOGY_ARMS),
        run=_run,
        data=f"微世界文本 {DOCUMENTS} 篇，词典给出的类别",
    )
}
