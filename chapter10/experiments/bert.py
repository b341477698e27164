"""What the page `bert` trains (claim B1): does attention find the word that holds the answer?

A language of thirteen-character sentences whose blanks have one right answer, elsewhere in the
sentence. A sentence says first how it is made, 顺 ("forward") or 倒 ("reversed"); then come
six random characters, then the same six again, in the same or in the reversed order::

    顺 春山风鸟日水 春山风鸟日水
    倒 春山风鸟日水 水日鸟风山春

So every character has one partner, the only place that tells what stood in its blank. Where the
partner stands depends on the first character: whoever looks at positions alone cannot put more than
half of the attention there, averaged over the two kinds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from chapter10.bert import BertConfig, BertForPreTraining
from chapter10.claims import Experiment, Measured
from chapter10.objectives import Masking, mask_candidates, mask_tokens, ordinary_ids
from chapter10.tokenizers import Tokenizer
from chapter10.training import History, TrainingConfig, train
from chapter10.training.batches import Batch, generator

FORWARD, REVERSED = "顺", "倒"
CHARACTERS = "天地日月山水火木风云花鸟鱼虫春夏秋冬东西南北"
HALF = 6
"""Characters in each half of a sentence; even, so that no character has the same partner in both
kinds."""
FIRST = 2
"""Position of the first of them, after [CLS] and the kind."""
LENGTH = FIRST + 2 * HALF + 1
"""Tokens of a sentence, with [CLS] and [SEP]."""
CHANCE = 1 / LENGTH
"""Attention on the partner when it is spread evenly."""
POSITION_BOUND = 0.5
"""The most that can fall on the partner when the first character is not looked at."""

STEPS = 800
BATCH_SIZE = 64
SPLITS = ("train", "validation", "test")


def make_tokenizer() -> Tokenizer:
    """Each character a token; BERT's special tokens."""
    return Tokenizer.train([FORWARD + REVERSED + CHARACTERS], kind="character")


@dataclass(frozen=True)
class Sentences:
    """Sentences and the place of the partner of each of their characters.

    input_ids: (B, LENGTH) long. partners: (B, LENGTH) long, -1 where there is none.
    """

    input_ids: Tensor
    partners: Tensor


def find_partners(is_reversed: Tensor) -> Tensor:
    """(B,) bool -> (B, LENGTH) long: where each position's partner stands, -1 where none does."""
    place = torch.arange(2 * HALF)
    partners = torch.full((len(is_reversed), LENGTH), -1)
    partners[:, FIRST:-1] = FIRST + torch.where(
        is_reversed[:, None], 2 * HALF - 1 - place, (place + HALF) % (2 * HALF)
    )
    return partners


def make_sentences(
    tokenizer: Tokenizer, count: int, split: str, draws: torch.Generator
) -> Sentences:
    """Random sentences of one split; no half-sentence of one split can occur in another.

    The sum of a half's ids decides where it belongs: 0 modulo 5 to the test, 1 to the validation,
    the rest to the training sentences.
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}; it can be {', '.join(SPLITS)}.")
    ids = torch.tensor([tokenizer.token_to_id(char) for char in CHARACTERS])
    remainders = {"test": [0], "validation": [1], "train": [2, 3, 4]}[split]
    halves = torch.empty(0, HALF, dtype=torch.long)
    while len(halves) < count:
        drawn = ids[torch.randint(len(ids), (2 * count + 50, HALF), generator=draws)]
        chosen = torch.isin(drawn.sum(1) % 5, torch.tensor(remainders))
        halves = torch.cat([halves, drawn[chosen]])[:count]  # (B, HALF)
    is_reversed = torch.randint(2, (count,), generator=draws).bool()
    kinds = torch.tensor([tokenizer.token_to_id(FORWARD), tokenizer.token_to_id(REVERSED)])
    ends = torch.tensor([[tokenizer.cls_token_id, tokenizer.sep_token_id]]).expand(count, 2)
    seconds = torch.where(is_reversed[:, None], halves.flip(1), halves)
    parts = [ends[:, :1], kinds[is_reversed.long()][:, None], halves, seconds, ends[:, 1:]]
    return Sentences(torch.cat(parts, dim=1), find_partners(is_reversed))


def encode(tokenizer: Tokenizer, sentence: str) -> Tensor:
    """The ids (LENGTH,) of a reader's own sentence, with [CLS] and [SEP].

    The page shows what is wrong with a sentence to its reader, hence in Chinese.

    Raises:
        ValueError: not 顺 or 倒 and twelve of the language's characters.
    """
    wrong = sorted(set(sentence[1:]) - set(CHARACTERS))
    if sentence[:1] not in (FORWARD, REVERSED) or len(sentence) != 1 + 2 * HALF or wrong:
        raise ValueError(
            f"“{sentence}”不是 {FORWARD} 或 {REVERSED} 加 {2 * HALF} 个字；这 {2 * HALF} 个字从"
            f"“{CHARACTERS}”里选。"
        )
    return tokenizer([sentence]).input_ids[0]


class TrainingSentences:
    """Batch k: new sentences and new blanks, a pure function of (seed, k). A BatchSource."""

    def __init__(self, tokenizer: Tokenizer, seed: int) -> None:
        self.tokenizer, self.seed = tokenizer, seed
        # Only [MASK]: with 80/10/10 this small language needs longer and shows the same.
        self.masking = Masking(mask_share=1.0, random_share=0.0, keep_share=0.0)
        kinds = {tokenizer.token_to_id(FORWARD), tokenizer.token_to_id(REVERSED)}
        self.never = tokenizer.special_ids | {one for one in kinds if one is not None}

    def __getitem__(self, index: int, /) -> Batch:
        draws = generator(self.seed, "bert", index)
        ids = make_sentences(self.tokenizer, BATCH_SIZE, "train", draws).input_ids
        masked = mask_tokens(
            ids,
            mask_candidates(ids, self.never),
            self.masking,
            mask_id(self.tokenizer),
            ordinary_ids(len(self.tokenizer), self.never),
            draws,
        )
        return {"input_ids": masked.input_ids, "labels": masked.labels}


def mask_id(tokenizer: Tokenizer) -> int:
    """The id of [MASK], which a tokeniser of style bert always has."""
    assert tokenizer.mask_token_id is not None
    return tokenizer.mask_token_id


def new_model(tokenizer: Tokenizer, seed: int) -> BertForPreTraining:
    """A BERT with 2 layers of 4 heads and 64 numbers a vector, at its random start.

    Its start is wider than BERT's (0.1 instead of 0.02): a narrow model learns faster from there.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return BertForPreTraining(
            BertConfig(
                vocab_size=len(tokenizer),
                hidden_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                intermediate_size=256,
                max_position_embeddings=LENGTH,
                hidden_dropout_prob=0.0,
                attention_probs_dropout_prob=0.0,
                initializer_range=0.1,
            )
        ).eval()


def fill_loss(model: torch.nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Summed cross entropy at the blanks, and how many there are."""
    total, count = model(batch["input_ids"], labels=batch["labels"]).prediction_loss
    return total, count


def train_model(
    model: BertForPreTraining,
    tokenizer: Tokenizer,
    seed: int,
    *,
    steps: int = STEPS,
    progress: bool = False,
) -> History:
    """Teach a model, in place, to fill blanks of the language."""
    config = TrainingConfig(
        steps=steps,
        learning_rate=2e-3,
        warmup_steps=steps // 10,
        seed=seed,
        device="cpu",
        progress=progress,
    )
    return train(model, TrainingSentences(tokenizer, seed), fill_loss, config)


@dataclass(frozen=True)
class Blanks:
    """Held-out sentences with one blank each.

    input_ids: (B, LENGTH). rows: 0 … B - 1. blanks, partners: (B,), the position of the blank and
    of its partner. answers: (B,), the id that stood in the blank.
    """

    input_ids: Tensor
    rows: Tensor
    blanks: Tensor
    partners: Tensor
    answers: Tensor


def make_blanks(tokenizer: Tokenizer, count: int, split: str, seed: int) -> Blanks:
    """Sentences of a split, each with a blank at a random place."""
    draws = generator(seed, "bert", split)
    sentences = make_sentences(tokenizer, count, split, draws)
    rows = torch.arange(count)
    places = torch.randint(FIRST, LENGTH - 1, (count,), generator=draws)
    ids = sentences.input_ids.clone()
    ids[rows, places] = mask_id(tokenizer)
    answers = sentences.input_ids[rows, places]
    return Blanks(ids, rows, places, sentences.partners[rows, places], answers)


@torch.no_grad()
def partner_attention(model: BertForPreTraining, blanks: Blanks) -> Tensor:
    """Mean attention from the blank to its partner: (layers, heads), each in [0, 1]."""
    attentions = model(blanks.input_ids, output_attentions=True).attentions
    assert attentions is not None
    shares = [layer[blanks.rows, :, blanks.blanks, blanks.partners] for layer in attentions]
    return torch.stack(shares).mean(1)  # (layers, B, heads) -> (layers, heads)


@torch.no_grad()
def blank_maps(model: BertForPreTraining, tokenizer: Tokenizer, input_ids: Tensor) -> Tensor:
    """Attention maps of one sentence (LENGTH,) whose characters are blanked in turn.

    Returns (layers, heads, LENGTH, LENGTH): row i is where position i looks while it is the blank
    itself. [CLS], 顺 or 倒, and [SEP] are never blanks; their rows come from the whole sentence.
    """
    every = torch.arange(LENGTH)
    rows = input_ids.repeat(LENGTH, 1)
    rows[every[FIRST:-1], every[FIRST:-1]] = mask_id(tokenizer)
    attentions = model(rows, output_attentions=True).attentions
    assert attentions is not None
    maps = torch.stack(attentions)  # (layers, LENGTH, heads, LENGTH, LENGTH)
    return maps[:, every, :, every].permute(1, 2, 0, 3)  # from (LENGTH, layers, heads, LENGTH)


@torch.no_grad()
def fill_accuracy(model: BertForPreTraining, blanks: Blanks) -> float:
    """Share of the blanks filled with the right character."""
    here = torch.zeros_like(blanks.input_ids, dtype=torch.bool)
    here[blanks.rows, blanks.blanks] = True
    filled = model(blanks.input_ids, prediction_mask=here).prediction_logits.argmax(-1)
    return (filled == blanks.answers).double().mean().item()


def best_head(shares: Tensor) -> tuple[int, int]:
    """(layer, head) with the largest of (layers, heads) numbers."""
    layer, head = divmod(int(shares.argmax()), shares.shape[1])
    return layer, head


def partner_share(model: BertForPreTraining, tokenizer: Tokenizer, blanks: Blanks) -> float:
    """What B1 measures: the attention from blank to partner, of the head that looked there most on
    validation sentences."""
    layer, head = best_head(partner_attention(model, make_blanks(tokenizer, 512, "validation", 0)))
    return partner_attention(model, blanks)[layer, head].item()


def hide_kind(blanks: Blanks, tokenizer: Tokenizer) -> Blanks:
    """The same sentences, their first character hidden too: 顺 or 倒 can no longer be read."""
    ids = blanks.input_ids.clone()
    ids[:, FIRST - 1] = mask_id(tokenizer)
    return replace(blanks, input_ids=ids)


def break_pairs(blanks: Blanks, tokenizer: Tokenizer, seed: int) -> Blanks:
    """The same sentences, every character but 顺 or 倒, the blank and its partner drawn anew: the
    other pairs can no longer be read."""
    ids = torch.tensor([tokenizer.token_to_id(char) for char in CHARACTERS])
    picks = torch.randint(len(ids), blanks.input_ids.shape, generator=generator(seed, "break"))
    broken = blanks.input_ids.clone()
    broken[:, FIRST:-1] = ids[picks][:, FIRST:-1]
    for places in (blanks.blanks, blanks.partners):
        broken[blanks.rows, places] = blanks.input_ids[blanks.rows, places]
    return replace(blanks, input_ids=broken)


@cache
def _trained(seed: int) -> BertForPreTraining:
    """One training serves all arms of a seed."""
    tokenizer = make_tokenizer()
    model = new_model(tokenizer, seed)
    train_model(model, tokenizer, seed)
    return model


def _run(arm: str, seed: int) -> Measured:
    tokenizer = make_tokenizer()
    test = make_blanks(tokenizer, 1024, "test", seed)
    if arm == "random start":
        return Measured(partner_share(new_model(tokenizer, seed), tokenizer, test))
    if arm == "kind hidden":
        test = hide_kind(test, tokenizer)
    if arm == "pairs broken":
        test = break_pairs(test, tokenizer, seed)
    return Measured(partner_share(_trained(seed), tokenizer, test), STEPS)


EXPERIMENTS = {
    "B1": Experiment(
        arms=("trained",),
        controls=("random start", "kind hidden", "pairs broken"),
        run=_run,
        data="顺倒语（程序随机生成），测试 1024 句，半句不与训练重复",
    ),
}
