"""What a model knows of a review, asked in two ways that need no label: by its cloze test before
fine-tuning, and by hiding tokens from it afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from chapter10.bert import BertForPreTraining
from chapter10.data.microworld import Review
from chapter10.experiments.sentiment import right, row_odds, words_of
from chapter10.tasks import Classification, TextExample
from chapter10.tasks.classification import ClassRow
from chapter10.tokenizers import Tokenizer

# --- without labels

CONSEQUENCES: Mapping[str, tuple[str, str]] = {
    "给了[MASK]颗星。": ("五", "一"),
    "给了[MASK]分。": ("高", "低"),
    "说[MASK]值。": ("很", "不"),
}
"""What people do after a review, with one blank: what fills it after a good one, after a bad one.
Pretraining text has such sentences; no label is needed to ask for them."""
SOMEBODY = "小明"


@torch.no_grad()
def cloze_odds(
    model: BertForPreTraining, tokenizer: Tokenizer, reviews: Sequence[Review], batch: int = 64
) -> Tensor:
    """(N,): the log-odds of "positive" by how a pretrained model fills the blanks of CONSEQUENCES,
    added up. The reviewer, or SOMEBODY, is who does these things."""
    model.eval()
    odds = torch.zeros(len(reviews))
    for sentence, words in CONSEQUENCES.items():
        good, bad = (tokenizer.encode(word).input_ids[1] for word in words)
        for first in range(0, len(reviews), batch):
            some = reviews[first : first + batch]
            after = [min(words_of(review, "who"), default=SOMEBODY) + sentence for review in some]
            rows = tokenizer([review.text for review in some], after)
            blank = rows.input_ids == tokenizer.mask_token_id  # (B, T), one in each row
            scores = model(
                rows.input_ids, rows.attention_mask, rows.token_type_ids, prediction_mask=blank
            ).prediction_logits  # (B, V)
            odds[first : first + batch] += scores[:, good] - scores[:, bad]
    return odds


def cloze_right(
    model: BertForPreTraining,
    tokenizer: Tokenizer,
    unlabelled: Sequence[Review],
    reviews: Sequence[Review],
) -> list[bool]:
    """For each review whether its blanks are filled as its label says.

    Some words are likelier everywhere; so half of the unlabelled reviews are taken to be good.
    """
    usual = cloze_odds(model, tokenizer, unlabelled).median()
    return right(cloze_odds(model, tokenizer, reviews) - usual, reviews)


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
    whole, *without = row_odds(task, model, rows).tolist()
    return Occlusion(
        tuple(task.tokenizer.id_to_token(ids[at]) for at in inner),
        whole,
        tuple(whole - one for one in without),
    )


def flips(
    task: Classification, model: nn.Module, texts: Sequence[str], hidden: Sequence[str]
) -> list[bool]:
    """For each text whether the answer changes when all its characters in `hidden` are [MASK]."""
    mask = task.tokenizer.mask_token_id
    assert mask is not None
    whole = task.encode([TextExample(text) for text in texts], targets=False)
    parts = []
    for row, characters in zip(whole, hidden, strict=True):
        ids = set(task.tokenizer.encode(characters, literal=True).input_ids[1:-1])
        kept = [mask if token in ids else token for token in row.input_ids]
        parts.append(ClassRow(kept, row.token_type_ids, row.label))
    before, after = (row_odds(task, model, rows) > 0 for rows in (whole, parts))
    return (before != after).tolist()
