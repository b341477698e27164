"""What the page `cbow` runs (claim W4): one vector a word, learned by guessing it from around it.

Words of the micro-world, whose lexicon says what is a fruit and what is a tool. Settings were
chosen by how many blanks of other text are guessed right, never by neighbours or analogies.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from statistics import fmean
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from chapter10.cbow import CBOW, CBOWConfig
from chapter10.claims import Experiment, Measured
from chapter10.data.microworld import corpus, sense_uses
from chapter10.data.microworld import shipped as world
from chapter10.experiments.word_vectors import (
    analogy_scores,
    category_share,
    chance_of_category,
    count_vectors,
    nearest,
)
from chapter10.objectives import (
    Windows,
    context_windows,
    cross_entropy_sum,
    negative_sampling_loss,
    noise_distribution,
)
from chapter10.probing import cosines
from chapter10.probing import same as same_label
from chapter10.training import Batch, Batches, History, Losses, TrainingConfig, train
from chapter10.training.batches import derive_seed, generator

Loss = Literal["softmax", "negative"]
LOSSES: Mapping[Loss, str] = {"softmax": "全词表 softmax", "negative": "负采样"}

DOCUMENTS = 8000
"""Documents of micro-world text to learn from, about 200,000 words."""
SENSES = 1600
"""Sentences with a word of two senses among it, each sense equally often: so CBOW has met both."""
HELD_OUT = 400
"""Documents of other text, for the share of blanks guessed right."""
MIN_COUNT = 5
"""Words seen less often are unknown: they stand in windows, and are never asked for."""
WINDOW = 4
HIDDEN = 64
NEGATIVES = 5
BATCH = 512
STEPS = 1200
RATES: Mapping[Loss, float] = {"softmax": 5e-2, "negative": 5e-2}
PADDING, UNKNOWN = 0, 1
SPECIAL = ("[PAD]", "[UNK]")


# --- text


@dataclass(frozen=True)
class Text:
    """words: id -> word, the special ones first. counts: (V,). rows: sentences as ids."""

    words: tuple[str, ...]
    counts: Tensor
    rows: list[list[int]]

    def ids(self, sentence: Sequence[str]) -> list[int]:
        """A sentence's words as ids; what is not in the vocabulary is `UNKNOWN`."""
        known = _numbers(self.words)
        return [known.get(word, UNKNOWN) for word in sentence]


@lru_cache(maxsize=4)
def _numbers(words: tuple[str, ...]) -> Mapping[str, int]:
    return {word: number for number, word in enumerate(words)}


def sentences(documents: int, seed: int | str) -> list[tuple[str, ...]]:
    """Sentences of pretraining text, cut into words by the world itself."""
    written = corpus(world("full"), documents, seed=f"cbow/{seed}")
    return [sentence.words for document in written for sentence in document]


@lru_cache(maxsize=4)
def make_text(
    seed: int, documents: int = DOCUMENTS, senses: int = SENSES, min_count: int = MIN_COUNT
) -> Text:
    """What a model of that seed learns from; the most frequent word is number 2."""
    both = sense_uses(world("full"), senses, seed=f"cbow/{seed}") if senses else []
    written = sentences(documents, seed) + [use.sentence.words for use in both]
    counted = Counter(word for sentence in written for word in sentence).most_common()
    words = (*SPECIAL, *(word for word, count in counted if count >= min_count))
    text = Text(words, torch.zeros(len(words)).long(), [])
    rows = [text.ids(sentence) for sentence in written]
    counts = torch.bincount(torch.tensor([w for row in rows for w in row]), minlength=len(words))
    return Text(words, counts, rows)


def make_windows(text: Text, rows: Sequence[Sequence[int]], window: int = WINDOW) -> Windows:
    """The windows of sentences whose middle word is in the vocabulary."""
    found = context_windows(rows, window, pad_token_id=PADDING)
    known = found.targets != UNKNOWN
    return Windows(found.context_ids[known], found.targets[known])


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
    return negative_sampling_loss(context, weight, targets, batch["negatives"]), len(targets)


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


def held_out(text: Text) -> Windows:
    """Windows of text that no model learns from."""
    rows = [text.ids(sentence) for sentence in sentences(HELD_OUT, "held out")]
    return make_windows(text, rows)


# --- what the words are: the lexicon's word, never shown to a model


@cache
def categories() -> Mapping[str, str]:
    """Word -> what the world calls its kind (苹果 has two and is left out; 香蕉: 水果)."""
    lexicon = world("full").lexicon
    found: dict[str, set[str]] = {}
    for word in lexicon:
        found.setdefault(word.zh, set()).add(lexicon.kinds.get(word.group, ("", ""))[0])
    return {word: min(kinds) for word, kinds in found.items() if len(kinds) == 1 and min(kinds)}


@cache
def opinions() -> Mapping[str, tuple[str, str]]:
    """Adjective of a review -> (what it judges, "good" or "bad"); those of one meaning only."""
    lexicon = world("full").lexicon
    found: dict[str, set[tuple[str, str]]] = {}
    for word in lexicon:
        aspect, _, polarity = word.group.rpartition("_")
        if (
            word.tag == "ADJ"
            and polarity in ("good", "bad")
            and f"{aspect}_aspect" in {*lexicon.groups}
        ):
            found.setdefault(word.zh, set()).add((aspect, polarity))
    return {word: min(kinds) for word, kinds in found.items() if len(kinds) == 1}


RELATIONS: Mapping[str, Sequence[tuple[str, str]]] = {
    "男女": (
        *(("他", "她"), ("爸爸", "妈妈"), ("爷爷", "奶奶"), ("叔叔", "阿姨")),
        *(("哥哥", "姐姐"), ("弟弟", "妹妹"), ("表哥", "表妹")),
    ),
    "反义": (("大", "小"), ("高", "矮"), ("胖", "瘦"), ("新", "旧")),
}
"""Pairs for analogies that the lexicon does not list; "量词" comes from it."""


@cache
def relations() -> Mapping[str, tuple[tuple[str, str], ...]]:
    """`RELATIONS` and nouns with their measure words: 书 : 本."""
    lexicon = world("full").lexicon
    measured = {
        word.zh: word.fact("measure")
        for word in lexicon
        if word.zh in categories() and word.fact("measure") not in ("", "-")
    }
    return {
        **{name: tuple(pairs) for name, pairs in RELATIONS.items()},
        "量词": tuple(measured.items()),
    }


# --- how the vectors do


def known_rows(text: Text, wanted: Sequence[str]) -> tuple[list[str], list[int]]:
    """Those of the words that are in the vocabulary, and their ids."""
    numbers = _numbers(text.words)
    kept = [word for word in wanted if word in numbers]
    return kept, [numbers[word] for word in kept]


def neighbour_share(text: Text, vectors: Tensor, top: int = 1) -> float:
    """Share of the `top` nearest words of a known kind that are of the word's own kind."""
    kinds = categories()
    words, rows = known_rows(text, list(kinds))
    return category_share(vectors[rows], [kinds[word] for word in words], top)


def chance(text: Text) -> float:
    """`neighbour_share` of vectors that say nothing."""
    words, _ = known_rows(text, list(categories()))
    return chance_of_category([categories()[word] for word in words])


def opinion_shares(text: Text, vectors: Tensor) -> dict[str, float]:
    """Of each opinion's nearest opinion: share that judges the same thing, and the same way.

    "polarity" counts only neighbours that judge the same thing. "chance": a neighbour of the same
    aspect picked at random is of the same polarity so often (a little below one half). "opposite":
    share of opinions whose opposites of the same aspect are nearer, on average, than words of the
    same polarity about other things.
    """
    known = opinions()
    words, rows = known_rows(text, list(known))
    near = nearest(vectors[rows], 1)[:, 0].tolist()
    pairs = [(known[word], known[words[other]]) for word, other in zip(words, near, strict=True)]
    same = [(one, two) for one, two in pairs if one[0] == two[0]]
    close = cosines(vectors[rows])
    aspect, side = (
        same_label(names, names) for names in zip(*map(known.__getitem__, words), strict=True)
    )
    against, with_it = aspect & ~side, ~aspect & side
    nearer = (close * against).sum(1) / against.sum(1) > (close * with_it).sum(1) / with_it.sum(1)
    counted = Counter(known[word] for word in words)
    aspects = Counter(known[word][0] for word in words)
    by_chance = [
        (counted[known[word]] - 1) / (aspects[known[word][0]] - 1)
        for word in words
        if aspects[known[word][0]] > 1
    ]
    return {
        "aspect": len(same) / len(pairs),
        "polarity": fmean(one == two for one, two in same) if same else math.nan,
        "chance": fmean(by_chance),
        "opposite": float(nearer.double().mean()),
    }


def analogies(text: Text, name: str, most: int = 400) -> Tensor:
    """(n, 4): up to `most` questions a : b = c : d of a relation as ids, b and d different."""
    known = set(text.words)
    pairs = [pair for pair in relations()[name] if known.issuperset(pair)]
    asked = [(*p, *q) for p in pairs for q in pairs if p[1] != q[1] and p[0] != q[0]]
    order = torch.randperm(len(asked), generator=generator("cbow", "analogies", name)).tolist()
    numbers = _numbers(text.words)
    rows = [[numbers[word] for word in asked[at]] for at in order[:most]]
    return torch.tensor(rows, dtype=torch.long).reshape(-1, 4)


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


def random_vectors(text: Text, seed: int) -> Tensor:
    """(V, H): vectors that no one trained."""
    shape = len(text.words), HIDDEN
    return torch.randn(*shape, generator=generator("cbow", "random", seed))


def _run(arm: str, seed: int) -> Measured:
    text = make_text(seed)
    if arm in ARMS:
        return Measured(neighbour_share(text, learned(seed, ARMS[arm]).vectors), STEPS)
    if arm == "同类近邻 随机向量":
        return Measured(neighbour_share(text, random_vectors(text, seed)))
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
