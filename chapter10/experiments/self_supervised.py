"""What the page `self-supervised` runs (claim S1): a text becomes (input, target) pairs and back.

A way takes a text x apart into an input x' and a target x''. Nobody writes a label, so nothing may
be added and nothing lost: from x' and x'' alone, x comes back exactly. The controls lose something
on purpose, and must not come back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from chapter10 import objectives
from chapter10.claims import Experiment, Measured
from chapter10.experiments.masking import character_tokenizer
from chapter10.experiments.sizes import SIZES
from chapter10.experiments.timeline import CITATIONS
from chapter10.experiments.tokens import sentences
from chapter10.objectives import IGNORE_INDEX, Masking
from chapter10.tokenizers import Tokenizer

MASKING = Masking()
SPAN_DENSITY, MEAN_SPAN_LENGTH = 0.3, 2.0
"""T5 takes 15 % and 3; a short sentence would then hardly ever have two spans."""
DRAWS = 4
"""Times each sentence is taken apart for one measurement."""


@dataclass(frozen=True)
class Symbols:
    """What the ways need beside the characters of a text."""

    tokenizer: Tokenizer
    mask_id: int
    begin_id: int
    end_id: int
    ordinary: Tensor
    """(n,) long: every id that may replace a token at random."""
    sentinels: tuple[int, ...]
    """Ids beyond the vocabulary, as T5's <extra_id_0>, <extra_id_1>, …"""

    def name(self, token: int) -> str:
        """How a token is written in a box: □ covered, ▷ begin, ◁ end, ①, ② … for sentinels."""
        if token in self.sentinels:
            number = token - self.sentinels[0]
            return chr(ord("①") + number) if number < 20 else f"<{number}>"
        marks = {self.mask_id: "□", self.begin_id: "▷", self.end_id: "◁"}
        return marks.get(token) or self.tokenizer.id_to_token(token)

    def encode(self, text: str) -> Tensor:
        """(length,) long: the text's characters, without special tokens."""
        return torch.tensor(self.tokenizer.encode(text).input_ids[1:-1], dtype=torch.long)


def make_symbols(tokenizer: Tokenizer) -> Symbols:
    """The symbols of a tokeniser of style bert."""
    ids = (tokenizer.mask_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id)
    if any(one is None for one in ids):
        raise ValueError("This tokeniser has no [MASK], [CLS] or [SEP]; take one of style bert.")
    mask_id, begin_id, end_id = (one for one in ids if one is not None)
    size = len(tokenizer)
    ordinary = objectives.ordinary_ids(size, tokenizer.special_ids)
    sentinels = tuple(range(size, size + 100))
    return Symbols(tokenizer, mask_id, begin_id, end_id, ordinary, sentinels)


@cache
def page_symbols() -> Symbols:
    """Symbols for the book's own sentences, each Chinese character a token."""
    return make_symbols(character_tokenizer())


# --- the ways: (symbols, x, generator) -> pair, and (symbols, pair) -> x


def fill_in(symbols: Symbols, ids: Tensor, draws: torch.Generator) -> objectives.MaskedTokens:
    """BERT: some tokens covered; the targets are what stood there."""
    everywhere = torch.ones_like(ids, dtype=torch.bool)[None]
    return objectives.mask_tokens(
        ids[None], everywhere, MASKING, symbols.mask_id, symbols.ordinary, draws
    )


def next_token(symbols: Symbols, ids: Tensor, draws: torch.Generator) -> objectives.NextTokens:
    """GPT: every token from those before it; the first from the begin token."""
    begin = ids.new_tensor([symbols.begin_id])
    return objectives.next_tokens(torch.cat([begin, ids])[None])


def spans(symbols: Symbols, ids: Tensor, draws: torch.Generator) -> objectives.SpanCorruption:
    """T5: spans gone from the input, listed one after the other as the target."""
    return objectives.corrupt_spans(
        ids,
        symbols.sentinels,
        symbols.end_id,
        draws,
        density=SPAN_DENSITY,
        mean_span_length=MEAN_SPAN_LENGTH,
        anywhere=True,
    )


def mass(symbols: Symbols, ids: Tensor, draws: torch.Generator) -> objectives.FragmentMasking:
    """MASS: one fragment of half the text covered."""
    return objectives.corrupt_mass(ids, symbols.mask_id, draws)


class Way(NamedTuple):
    """One way to take a text apart, and to put it together from the two parts alone."""

    split: Callable[[Symbols, Tensor, torch.Generator], Any]
    restore: Callable[[Symbols, Any], Tensor]


def _restore_next(symbols: Symbols, pair: objectives.NextTokens) -> Tensor:
    return objectives.restore_next_tokens(pair, symbols.tokenizer.pad_token_id or 0)[0, 1:]


WAYS: Mapping[str, Way] = {
    "填空 fill-in": Way(fill_in, lambda _, pair: objectives.restore_masked(pair)[0]),
    "下一个 next token": Way(next_token, _restore_next),
    "还原片段 spans": Way(
        spans, lambda s, pair: objectives.restore_spans(pair, s.sentinels, s.end_id)
    ),
    "还原半句 MASS": Way(mass, lambda _, pair: objectives.restore_mass(pair)),
}
FILL_IN, NEXT, SPANS, MASS = WAYS


# --- controls: something is lost, so the same check must fail


def no_targets(symbols: Symbols, ids: Tensor, draws: torch.Generator) -> objectives.MaskedTokens:
    """The fill-in input, its targets thrown away."""
    pair = fill_in(symbols, ids, draws)
    return objectives.MaskedTokens(pair.input_ids, torch.full_like(pair.labels, IGNORE_INDEX))


def shuffled(symbols: Symbols, ids: Tensor, draws: torch.Generator) -> Tensor:
    """All tokens in a random order, and no target that remembers the old one."""
    return ids[torch.randperm(len(ids), generator=draws)]


def no_places(symbols: Symbols, ids: Tensor, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """Half of the tokens deleted; the target lists them in order, but not where they stood."""
    gone = torch.randperm(len(ids), generator=draws)[: len(ids) // 2].sort().values
    stays = torch.ones_like(ids, dtype=torch.bool).index_fill(0, gone, False)
    return ids[stays], ids[gone]


CONTROLS: Mapping[str, Way] = {
    "目标丢了 no targets": Way(no_targets, WAYS[FILL_IN].restore),
    "只打乱 shuffled": Way(shuffled, lambda _, pair: pair),
    "不记位置 no places": Way(no_places, lambda _, pair: torch.cat(pair)),
}


def comes_back(way: Way, symbols: Symbols, ids: Tensor, draws: torch.Generator) -> bool:
    """Whether a text comes back exactly from its two parts; the text is not touched by it."""
    before = ids.clone()
    restored = way.restore(symbols, way.split(symbols, ids, draws))
    return torch.equal(restored, before) and torch.equal(ids, before)


def restored_share(way: Way, symbols: Symbols, texts: list[str], seed: int) -> float:
    """Share of DRAWS · len(texts) pairs from which the text comes back exactly."""
    draws = torch.Generator().manual_seed(seed)
    back = [
        comes_back(way, symbols, symbols.encode(text), draws)
        for _ in range(DRAWS)
        for text in texts
    ]
    return sum(back) / len(back)


# --- looking at pairs


class Row(NamedTuple):
    """One row of boxes: its label, its tokens, and what `plotting.token_rows` calls their kinds."""

    label: str
    tokens: list[str]
    kinds: list[str]


def pair_rows(symbols: Symbols, name: str, ids: Tensor, draws: torch.Generator) -> list[Row]:
    """x' and x'' of one text as two rows; a position without a target is shown as a dot."""
    pair = WAYS[name].split(symbols, ids, draws)
    inputs, targets = pair.input_ids.flatten(), pair.labels.flatten()
    return [
        Row(
            f"{name}，x′",
            [symbols.name(token) for token in inputs.tolist()],
            _input_kinds(symbols, name, inputs, targets),
        ),
        Row(
            f"{name}，x″",
            ["·" if token == IGNORE_INDEX else symbols.name(token) for token in targets.tolist()],
            [_target_kind(symbols, token) for token in targets.tolist()],
        ),
    ]


def _input_kinds(symbols: Symbols, name: str, inputs: Tensor, targets: Tensor) -> list[str]:
    kinds = []
    for place, token in enumerate(inputs.tolist()):
        if token == symbols.mask_id or token in symbols.sentinels:
            kinds.append("mask")
        elif token in (symbols.begin_id, symbols.end_id):
            kinds.append("special")
        elif name == FILL_IN and targets[place] != IGNORE_INDEX:
            kinds.append("keep" if token == targets[place] else "random")
        else:
            kinds.append("plain")
    return kinds


def _target_kind(symbols: Symbols, token: int) -> str:
    if token == IGNORE_INDEX:
        return "plain"
    if token in symbols.sentinels:
        return "mask"
    return "special" if token == symbols.end_id else "focus"


def num_labels(symbols: Symbols, name: str, ids: Tensor, draws: torch.Generator) -> int:
    """Characters of the text that have to be predicted; sentinels and ends do not count."""
    labels = WAYS[name].split(symbols, ids, draws).labels
    own = (labels != IGNORE_INDEX) & (labels != symbols.end_id)
    return int((own & (labels < symbols.sentinels[0])).sum())


def _run_restored(arm: str, seed: int) -> Measured:
    """One arm of S1: all sentences of the book, DRAWS times."""
    ways = {**WAYS, **CONTROLS}
    return Measured(restored_share(ways[arm], page_symbols(), sentences(), seed))


EXPERIMENTS = {
    "S1": Experiment(
        arms=tuple(WAYS),
        controls=tuple(CONTROLS),
        run=_run_restored,
        data=f"data/sentences_zh.txt（315 句，本书自写），每句拆 {DRAWS} 次",
    ),
    "S2": CITATIONS,
    "S3": SIZES,
}
