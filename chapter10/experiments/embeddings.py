"""What the page `embeddings` runs: categories (W1), senses (W2), and a word's company (W3).

The model is the shipped one; a seed draws other sentences, and another random start. The static
control has one vector for each character, as CBOW has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Literal

import torch
from torch import Tensor

from chapter10 import probing
from chapter10.bert import Bert, BertForPreTraining
from chapter10.cbow import CBOW, CBOWConfig
from chapter10.claims import Experiment, Measured
from chapter10.data.microworld.senses import Kind
from chapter10.data.microworld.splits import Split
from chapter10.experiments.senses import Uses, category_words, company, sentences
from chapter10.models import shipped
from chapter10.tokenizers import Tokenizer
from chapter10.training.batches import derive_seed, generator

MODEL = "bert-zh-micro"
Start = Literal["bert", "random", "static"]
STARTS: Mapping[Start, str] = {"bert": "BERT", "random": "随机起点", "static": "静态向量"}
KINDS: Mapping[Kind, str] = {"plain": "单句", "mixed": "两意并列"}
COUNT = 240
"""Sentences of 苹果 in a measurement, half of each sense; other words have OTHER_COUNT."""
OTHER_COUNT = 40
OTHERS = (
    "公牛", "灰熊", "雄鹿", "杜鹃", "老鹰", "蚂蚁", "黄蜂", "茉莉", "亚马逊", "小雨", "小雪", "表"
)  # fmt: skip
"""The other words of two senses, as far as OTHER_COUNT sentences can be paired by place."""
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""How much of the context is taken away."""
NEUTRAL = ("这是{}。", "他说起了{}。", "书里写了{}。", "我知道{}。")
"""Sentences that fit a word of any category, so that the context does not give it away."""


@cache
def tokenizer() -> Tokenizer:
    """The shipped model's."""
    return Tokenizer.from_pretrained(shipped(MODEL))


@lru_cache(maxsize=4)
def model(start: Start, seed: int = 0) -> BertForPreTraining:
    """The shipped model, or one of the same shape that has learned nothing.

    Raises:
        ValueError: "static", which is a table and no BERT.
    """
    if start == "static":
        raise ValueError('"static" is a table, not a BERT; choose "bert" or "random".')
    bert = BertForPreTraining.from_pretrained(shipped(MODEL))
    if start == "bert":
        return bert
    with torch.random.fork_rng([]):
        torch.manual_seed(derive_seed("embeddings", "body", seed))
        return BertForPreTraining(bert.config).eval()


def table(seed: int) -> Tensor:
    """(V, H): a CBOW's vectors before training; what training does to them, each token has one."""
    with torch.random.fork_rng([]):
        torch.manual_seed(derive_seed("embeddings", "table", seed))
        return CBOW(CBOWConfig(vocab_size=len(tokenizer()))).word_embeddings.weight.detach()


def body(start: Start, seed: int) -> Bert:
    """The encoder without its heads."""
    return model(start, seed if start == "random" else 0).bert


def vectors(start: Start, located: probing.Located, seed: int) -> Tensor:
    """(1 + L, N, H) of the chosen tokens; for "static" (1, N, H)."""
    if start == "static":
        return probing.static_vectors(table(seed), located)
    return probing.layer_vectors(body(start, seed), located)


# --- W2: the same characters, two senses


@dataclass(frozen=True)
class Senses:
    """By layer, (1 + L,): how well vectors tell the senses of a word apart.

    accuracy: the nearest neighbour of another wording has the same sense; chance 1/2. any_wording:
    the same where the wording may be its own. gap: cosines within minus between senses, centred,
    pairs of different wording only.
    """

    accuracy: Tensor
    any_wording: Tensor
    gap: probing.Gap

    @property
    def best_layer(self) -> int:
        """The layer of the largest gap."""
        return int(self.gap.size.argmax())


def judge_senses(found: Tensor, uses: Uses) -> Senses:
    """Measure vectors (1 + L, N, H) of the sentences, centred by their own mean."""
    alike, labels = probing.cosines(probing.centre(found)), uses.labels
    comparable = uses.comparable
    pairs = torch.arange(len(labels)) // 2
    return Senses(
        probing.leave_one_out(alike, labels, comparable),
        probing.leave_one_out(alike, labels, pairs[:, None] != pairs),
        probing.label_gap(alike, labels, comparable),
    )


@lru_cache(maxsize=256)
def senses(word: str, start: Start, kind: Kind, seed: int, split: Split = "test") -> Senses:
    """The senses of one word in fresh sentences of a split."""
    uses = sentences(word, kind, split, seed, COUNT if word == "苹果" else OTHER_COUNT)
    return judge_senses(vectors(start, uses.locate(tokenizer()), seed), uses)


def heat_maps(texts: Sequence[str], word: str, start: Start, seed: int = 0) -> Tensor:
    """(1 + L, N, N): cosines of a word's vectors in any texts, centred.

    Raises:
        ValueError: a text without the word.
    """
    missing = [text for text in texts if word not in text]
    if missing:
        raise ValueError(f"{word} is not in {missing[0]!r}; write it into every sentence.")
    spans = [(text.index(word), text.index(word) + len(word)) for text in texts]
    located = probing.locate(tokenizer(), texts, spans)
    return probing.cosines(probing.centre(vectors(start, located, seed)))


# --- W3: the company taken away


@dataclass(frozen=True)
class Company:
    """By share of the context taken away, (len(SHARES),).

    vectors: the nearest neighbour, among sentences left whole, has the same sense. fills: with the
    word blanked too, the guesses for its first character lie more with the words of its sense's
    group than with the rival's. Chance is 1/2 for both.
    """

    vectors: Tensor
    fills: Tensor


@lru_cache(maxsize=64)
def take_company(
    word: str, start: Start, kind: Kind, seed: int, layer: int = -1, split: Split = "test"
) -> Company:
    """Hide more and more of the context of one word, in a random order of each sentence's own."""
    uses = sentences(word, kind, split, seed, COUNT if word == "苹果" else OTHER_COUNT)
    mask = tokenizer().mask_token_id
    assert mask is not None  # a BERT's tokeniser has one
    # Even lengths for the vectors: else the length left after all words are gone tells the sense.
    # The guesses keep the sentences' own, since blanks at the end are unlike any text.
    even, plain = uses.locate_evenly(tokenizer()), uses.locate(tokenizer())
    (whole,) = vectors(start, even, seed)[[layer]]
    mean, labels, comparable = whole.mean(0), uses.labels, uses.comparable
    near = []
    for step in probing.hide_context(even, SHARES, mask, generator("company", word, seed)):
        (found,) = vectors(start, step, seed)[[layer]]
        alike = probing.cosines(found - mean, whole - mean)
        near.append(probing.neighbour_accuracy(alike, labels, labels, comparable))
    steps = probing.hide_context(plain, SHARES, mask, generator("company", word, seed))
    fills = [fill_senses(model(start, seed), step, uses) for step in steps]
    return Company(torch.stack(near), torch.tensor(fills))


@torch.no_grad()
def fill_senses(bert: BertForPreTraining, located: probing.Located, uses: Uses) -> float:
    """The share of sentences whose blanked word is guessed to be of its own group; ties count ½."""
    mask = tokenizer().mask_token_id
    assert mask is not None
    blanked = replace(located, input_ids=located.input_ids.masked_fill(located.chosen, mask))
    first = located.chosen & (located.chosen.cumsum(1) == 1)
    output = bert(
        blanked.input_ids, blanked.attention_mask, blanked.token_type_ids, prediction_mask=first
    )
    guesses = output.prediction_logits.softmax(-1)  # (N, V)
    right = 0.0
    for row, sense in zip(guesses, uses.labels, strict=True):
        ours, theirs = (
            float(row[[tokenizer().token_to_id(c) or 0 for c in sorted(characters)]].mean())
            for characters in company(sense, uses.word)
        )
        right += (ours > theirs) + 0.5 * (ours == theirs)
    return right / len(uses.labels)


# --- W1: categories


@dataclass(frozen=True)
class Categories:
    """Words, their groups, and by layer how often the nearest other word is of the same group.

    A neighbour has no character of the word: 小麦 and 小米 are alike before anything is learned.
    """

    words: tuple[str, ...]
    groups: tuple[str, ...]
    vectors: Tensor
    accuracy: Tensor
    chance: float


@lru_cache(maxsize=8)
def categories(start: Start, seed: int) -> Categories:
    """Each word's mean vector over NEUTRAL sentences; the seed matters for "random" and "static".

    Chance is what a neighbour drawn at random would have.
    """
    pairs = [(word, group) for group, words in category_words().items() for word in words]
    words, groups = (tuple(column) for column in zip(*pairs, strict=True))
    found = []
    for text in NEUTRAL:
        at = text.index("{")
        spans = [(at, at + len(word)) for word in words]
        located = probing.locate(tokenizer(), [text.format(word) for word in words], spans)
        found.append(vectors(start, located, seed))
    mean = torch.stack(found).mean(0)
    alike = probing.cosines(probing.centre(mean))
    foreign = torch.tensor([[set(one).isdisjoint(two) for two in words] for one in words])
    level = torch.zeros(len(words), len(words), dtype=torch.double)
    return Categories(
        words,
        groups,
        mean,
        probing.leave_one_out(alike, groups, foreign),
        float(probing.leave_one_out(level, groups, foreign)),
    )


# --- evidence


def _run_categories(arm: str, seed: int) -> Measured:
    start, layer = CATEGORY_ARMS[arm]
    found = categories(start, seed)
    return Measured(float(found.accuracy[layer]) - found.chance)


def _run_senses(arm: str, seed: int) -> Measured:
    word, start, kind, layer, what = SENSE_ARMS[arm]
    found = senses(word, start, kind, seed)
    values = {"accuracy": found.accuracy, "any": found.any_wording, "gap": found.gap.size}[what]
    return Measured(float(values[layer]))


def _run_company(arm: str, seed: int) -> Measured:
    start, what, step = COMPANY_ARMS[arm]
    found = take_company("苹果", start, "plain", seed, LAYER)
    values = found.vectors if what == "vectors" else found.fills
    if step is None:  # the smallest step down, on the way from the whole context to none
        return Measured(float((values[:-1] - values[1:]).min()))
    return Measured(float(values[step]))


LAYER = 2
"""The layer that is judged, chosen on validation sentences."""
ALL_LAYERS = (0, 1, 2, 3)
_CATEGORY_STARTS: Sequence[tuple[Start, Sequence[int]]] = (
    ("bert", ALL_LAYERS), ("random", (0, 3)), ("static", (0,)),
)  # fmt: skip
CATEGORY_ARMS: Mapping[str, tuple[Start, int]] = {
    f"{STARTS[start]} 层 {layer}": (start, layer)
    for start, layers in _CATEGORY_STARTS
    for layer in layers
}
WHATS = {"accuracy": "最近邻", "any": "最近邻（不限说法）", "gap": "差距"}


def _sense_arms() -> dict[str, tuple[str, Start, Kind, int, str]]:
    """苹果 in everything; the other words at the judged layer and the last."""
    fully: Sequence[tuple[Start, Sequence[int]]] = (
        ("bert", (LAYER, 0, 1, 3)), ("random", (LAYER,)), ("static", (0,)),
    )  # fmt: skip
    shortly: Sequence[tuple[Start, Sequence[int]]] = (("bert", (LAYER, 3)), ("random", (LAYER,)))
    chosen: list[tuple[str, Start, Kind, int, str]] = [
        ("苹果", start, kind, layer, what)
        for kind in KINDS
        for start, layers in fully
        for layer in layers
        for what in WHATS
    ]
    for word in OTHERS:
        for start, layers in shortly:
            chosen += [(word, start, "plain", layer, "accuracy") for layer in layers]
    return {
        f"{word} {KINDS[kind]} {STARTS[start]} 层 {layer} {WHATS[what]}": (
            word, start, kind, layer, what,
        )
        for word, start, kind, layer, what in chosen
    }  # fmt: skip


SENSE_ARMS = _sense_arms()
JUDGED = f"苹果 单句 BERT 层 {LAYER} 最近邻"
_LEARNED_OR_NOT: Sequence[Start] = ("bert", "random")
COMPANY_ARMS: Mapping[str, tuple[Start, str, int | None]] = {
    f"{STARTS[start]} {title} {'最小一步' if step is None else f'拿走 {SHARES[step]:.0%}'}": (
        start, what, step,
    )
    for start in _LEARNED_OR_NOT
    for what, title in (("vectors", "向量"), ("fills", "填空"))
    for step in (None, *range(len(SHARES)))
}  # fmt: skip

EXPERIMENTS = {
    "W1": Experiment(
        arms=tuple(CATEGORY_ARMS)[:1],
        controls=tuple(CATEGORY_ARMS)[1:],
        run=_run_categories,
        data="微世界里有意思可分的词，各在四个中性的句子里",
    ),
    "W2": Experiment(
        arms=(JUDGED,),
        controls=tuple(arm for arm in SENSE_ARMS if arm != JUDGED),
        run=_run_senses,
        data=f"微世界的句子，苹果 {COUNT} 句，其余每词 {OTHER_COUNT} 句，位置两两配平",
    ),
    "W3": Experiment(
        arms=tuple(COMPANY_ARMS)[:1],
        controls=tuple(COMPANY_ARMS)[1:],
        run=_run_company,
        data=f"微世界的句子，苹果 {COUNT} 句，上下文一步一步换成 [MASK]",
    ),
}
