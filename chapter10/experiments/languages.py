"""One BERT for several languages: text, tokeniser, objective and training of each arm.

Nothing but filling in blanks, on text of `chapter10.data.microworld.languages`. The pages
`multilingual` and `language-vector` measure what comes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from chapter10.bert import BertConfig, BertForPreTraining
from chapter10.data.microworld import shipped as world
from chapter10.data.microworld.languages import (
    OWN,
    TWINS,
    Code,
    Habits,
    Row,
    Rung,
    code_of,
    rows,
)
from chapter10.data.microworld.splits import Split
from chapter10.objectives import Masking
from chapter10.pretraining import MaskedLanguageModel
from chapter10.pretraining import Row as Ids
from chapter10.tokenizers import Tokenizer
from chapter10.training import Batches, History, TrainingConfig, train
from chapter10.training.batches import Batch, derive_seed, pad_rows

LENGTH = 48
"""Positions of one language; the longest row of the slot register has half as many."""
BATCH_TOKENS = 2_048
STEPS = 2_400
RATE = 2e-3
EXAM = Masking(ratio=0.15, mask_share=1.0, random_share=0.0, keep_share=0.0)
ROWS, HELD_OUT = 12_000, 400
"""Training rows of each language, and held-out rows of each."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One arm: the text, and what the languages share beside it.

    shared_positions, shared_specials: False gives each language its own position embeddings, or
    its own [CLS], [SEP] and [MASK] (Dufter & Schütze 2020). offset: each row starts at a place
    from 0 to so many, so that absolute places say little. masking: random replacement draws from
    all languages. width, layers, init: of the model.
    """

    rung: Rung = "slots"
    languages: tuple[Code, ...] = ("zh", "en")
    habits: Mapping[Code, Habits] = field(default_factory=lambda: dict(OWN), hash=False)
    shared_positions: bool = True
    shared_specials: bool = True
    offset: int = 8
    rows: int = ROWS
    masking: Masking = field(default_factory=lambda: Masking(ratio=0.3))
    width: int = 64
    layers: int = 3
    init: float = 0.02

    def __post_init__(self) -> None:
        if len(self.languages) < 2 or len(set(self.languages)) < len(self.languages):
            raise ValueError(f"languages is {self.languages}; give two or more different ones.")


def backwards(setting: Setting, code: Code = "en") -> Mapping[Code, Habits]:
    """The habits of a setting, one language with its words in reversed order."""
    return {**setting.habits, code: replace(setting.habits[code], backwards=True)}


ARMS: Mapping[str, Setting] = {
    "各有习惯": Setting(),
    "孪生习惯": Setting(habits=TWINS, offset=0),
    "词序颠倒": Setting(habits=backwards(Setting())),
    "位置不共享": Setting(shared_positions=False),
    "特殊词元不共享": Setting(shared_specials=False),
    "没有随机替换": Setting(masking=Masking(ratio=0.3, mask_share=0.9, random_share=0.0)),
    "大模型": Setting(width=256),
    "换词中文": Setting(rung="gloss"),
    "自然语言": Setting(rung="natural"),
    "三种语言": Setting(languages=("zh", "en", "xx")),
}


# --- text


@cache
def text(setting_key: str, code: Code, split: Split, seed: int) -> tuple[Row, ...]:
    """Rows of one arm's language, written once."""
    setting = ARMS[setting_key]
    count = setting.rows if split == "pretraining" else HELD_OUT
    made = rows(
        world("core"),
        code,
        count,
        rung=setting.rung,
        habits=setting.habits[code],
        seed=f"multilingual/{seed}",
        split=split,
    )
    return tuple(row for row in made if len(row) + 2 + setting.offset <= LENGTH)


def make_tokenizer(corpora: Mapping[Code, Sequence[Row]]) -> Tokenizer:
    """Every word of the text is a token.

    Raises:
        ValueError: two languages have a word in common.
    """
    words = {code: {word for row in corpus for word in row} for code, corpus in corpora.items()}
    codes = list(words)
    for number, code in enumerate(codes):
        for other in codes[number + 1 :]:
            if both := sorted(words[code] & words[other]):
                raise ValueError(
                    f"{code} and {other} share {', '.join(both[:5])}; their words must differ."
                )
    size = 5 + sum(map(len, words.values()))
    spaced = (" ".join(row) for corpus in corpora.values() for row in corpus)
    return Tokenizer.train(spaced, kind="word", vocab_size=size)


def languages_of(tokenizer: Tokenizer, codes: Sequence[Code]) -> Tensor:
    """(V,): the number of each token's language, -1 for special tokens."""
    return torch.tensor(
        [
            -1 if token in tokenizer.special_ids else codes.index(code_of(word))
            for token in range(len(tokenizer))
            for word in [tokenizer.id_to_token(token)]
        ]
    )


# --- the objective: BERT's, and what each language has for itself


class Multilingual(MaskedLanguageModel):
    """Fill in the blank; places and special tokens as the setting says.

    language: (V,), see `languages_of`. A row's language is that of its first word.
    """

    def __init__(self, tokenizer: Tokenizer, language: Tensor, setting: Setting) -> None:
        super().__init__(tokenizer, setting.masking, max_length=LENGTH)
        self.language, self.setting = language, setting

    @property
    def vocab_size(self) -> int:
        """Of the model: own special tokens stand behind the vocabulary."""
        extra = 0 if self.setting.shared_specials else 5 * (len(self.setting.languages) - 1)
        return len(self.tokenizer) + extra

    @property
    def positions(self) -> int:
        """Of the model."""
        return LENGTH * (1 if self.setting.shared_positions else len(self.setting.languages))

    def collate(self, rows: list[Ids], draw: torch.Generator) -> Batch:
        """As in the base class, with position_ids (B, T)."""
        batch = super().collate(rows, draw)
        starts = torch.randint(self.setting.offset + 1, (len(rows),), generator=draw)
        return self._own(batch, rows, starts)

    def read(self, rows: Sequence[Row]) -> Batch:
        """Rows as they stand, without blanks, all from the middle of the possible starts."""
        ids = self.ids(rows)
        input_ids = pad_rows([row.input_ids for row in ids], self.pad_id)
        batch = {
            "input_ids": input_ids,
            "attention_mask": pad_rows([[1] * len(row) for row in ids], 0),
            "token_type_ids": torch.zeros_like(input_ids),
        }
        return self._own(batch, ids, torch.full((len(ids),), self.setting.offset // 2))

    def ids(self, rows: Sequence[Row]) -> list[Ids]:
        """Token ids, one row each."""
        return self.rows([[" ".join(row) for row in rows]])

    def _own(self, batch: Batch, rows: Sequence[Ids], starts: Tensor) -> Batch:
        number = self.language[torch.tensor([row.input_ids[1] for row in rows])]  # (B,)
        places = torch.arange(batch["input_ids"].shape[1])[None] + starts[:, None]
        if not self.setting.shared_positions:
            places = places + LENGTH * number[:, None]
        batch["position_ids"] = places
        if not self.setting.shared_specials:
            ids = batch["input_ids"]
            special = torch.isin(ids, torch.tensor(sorted(self.tokenizer.special_ids)))
            moved = special & (ids != self.pad_id) & (number[:, None] > 0)
            shift = len(self.tokenizer) + 5 * (number[:, None] - 1)
            batch["input_ids"] = torch.where(moved, ids + shift, ids)
        return batch

    def run(self, model: nn.Module, batch: Batch, **options: Tensor) -> Any:
        """The model's output for a batch."""
        return super().run(model, batch, position_ids=batch["position_ids"], **options)


@dataclass(frozen=True)
class Lesson:
    """An arm's text and tokeniser for one seed, with the objective that uses them."""

    setting: Setting
    corpora: Mapping[Code, Sequence[Row]]
    tokenizer: Tokenizer
    objective: Multilingual

    def words(self, code: Code) -> list[str]:
        """The language's words, the most frequent first."""
        number = list(self.corpora).index(code)
        ids = (self.objective.language == number).nonzero().flatten().tolist()
        return [self.tokenizer.id_to_token(token) for token in ids]


@lru_cache(maxsize=4)
def lesson(arm: str, seed: int) -> Lesson:
    """What one arm learns from."""
    setting = ARMS[arm]
    corpora = {code: text(arm, code, "pretraining", seed) for code in setting.languages}
    return lesson_with(make_tokenizer(corpora), setting, corpora)


def lesson_with(
    tokenizer: Tokenizer, setting: Setting, corpora: Mapping[Code, Sequence[Row]]
) -> Lesson:
    """For a tokeniser that exists already, as that of a checkpoint."""
    language = languages_of(tokenizer, setting.languages)
    return Lesson(setting, corpora, tokenizer, Multilingual(tokenizer, language, setting))


def new_model(lesson: Lesson, seed: int) -> BertForPreTraining:
    """Random weights, a pure function of the seed."""
    setting = lesson.setting
    config = BertConfig(
        vocab_size=lesson.objective.vocab_size,
        hidden_size=setting.width,
        num_hidden_layers=setting.layers,
        num_attention_heads=4,
        intermediate_size=4 * setting.width,
        max_position_embeddings=lesson.objective.positions,
        initializer_range=setting.init,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    with torch.random.fork_rng([]):
        torch.manual_seed(derive_seed("multilingual", seed))
        return BertForPreTraining(config).eval()


def pretrain(
    model: BertForPreTraining,
    lesson: Lesson,
    seed: int,
    *,
    steps: int = STEPS,
    evaluate: Callable[[nn.Module], dict[str, float]] | None = None,
    eval_every: int | None = None,
    progress: bool = False,
) -> History:
    """Train the model in place; rows of all languages stand mixed in every batch."""
    objective = lesson.objective
    ids = [row for corpus in lesson.corpora.values() for row in objective.ids(corpus)]
    batches = Batches(ids, objective.collate, tokens_per_batch=BATCH_TOKENS, seed=seed)
    config = TrainingConfig(
        steps=steps,
        learning_rate=RATE,
        warmup_steps=steps // 20,
        eval_every=eval_every,
        seed=seed,
        device="cpu",
        progress=progress,
    )
    return train(model, batches, objective.loss, config, evaluate=evaluate)
