"""What CBOW cannot do and BERT can: tell the order around a word, and a word's two senses apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from chapter10.bert import Bert, BertForPreTraining
from chapter10.data.microworld import SenseUse, sense_uses
from chapter10.data.microworld import shipped as world
from chapter10.data.microworld.splits import Split
from chapter10.experiments.cbow import Learned
from chapter10.experiments.cbow_text import HELD_OUT, WINDOW, Text, sentences
from chapter10.models import shipped
from chapter10.objectives import Windows
from chapter10.probing import centre, cosines, leave_one_out, same, token_vectors
from chapter10.tokenizers import Tokenizer
from chapter10.training.batches import generator

BERT = "bert-zh-micro"
USES = 320
"""Sentences with a word of two senses."""


# --- the order of the window


def shuffle_windows(windows: Windows, draws: torch.Generator) -> Windows:
    """The same words around each middle word, in a random order (padding moves along)."""
    order = torch.rand(windows.context_ids.shape, generator=draws).argsort(dim=1)
    return Windows(windows.context_ids.gather(1, order), windows.targets)


@dataclass(frozen=True)
class Blanks:
    """input_ids, attention_mask: (N, T), one blank a row at `places` (N,). answers: (N,)."""

    input_ids: Tensor
    attention_mask: Tensor
    places: Tensor
    answers: Tensor


def make_blanks(tokenizer: Tokenizer, texts: Sequence[str], draws: torch.Generator) -> Blanks:
    """One character of each text covered, with at least `WINDOW` characters on either side.

    Texts too short for that are left out.

    Raises:
        ValueError: every text is too short.
    """
    kept = [text for text in texts if len(tokenizer.encode(text)) >= 2 * WINDOW + 3]
    if not kept:
        raise ValueError(f"No text has {2 * WINDOW + 1} characters; give a longer one.")
    encoded = tokenizer(kept)
    lengths = encoded.attention_mask.sum(dim=1)  # with [CLS] and [SEP]
    free = lengths - 2 * WINDOW - 2  # places that have a whole window
    places = 1 + WINDOW + (torch.rand(len(kept), generator=draws) * free).long()
    rows = torch.arange(len(kept))
    answers = encoded.input_ids[rows, places]
    input_ids = encoded.input_ids.clone()
    input_ids[rows, places] = tokenizer.mask_token_id or 0
    return Blanks(input_ids, encoded.attention_mask, places, answers)


def shuffle_around(blanks: Blanks, draws: torch.Generator) -> Blanks:
    """The `WINDOW` characters on either side of each blank in a random order; the rest stays."""
    steps = torch.tensor([step for step in range(-WINDOW, WINDOW + 1) if step])
    around = blanks.places[:, None] + steps  # (N, 2 WINDOW)
    order = torch.rand(around.shape, generator=draws).argsort(dim=1)
    moved = blanks.input_ids.gather(1, around.gather(1, order))
    input_ids = blanks.input_ids.scatter(1, around, moved)
    return Blanks(input_ids, blanks.attention_mask, blanks.places, blanks.answers)


@torch.no_grad()
def bert_blanks(model: BertForPreTraining, blanks: Blanks, batch_size: int = 64) -> float:
    """The share of covered characters that BERT guesses right."""
    right = 0
    for at in range(0, len(blanks.answers), batch_size):
        rows = slice(at, at + batch_size)
        ids, places = blanks.input_ids[rows], blanks.places[rows]
        asked = torch.zeros_like(ids, dtype=torch.bool)
        asked[torch.arange(len(ids)), places] = True
        output = model(ids, blanks.attention_mask[rows], prediction_mask=asked)
        right += int((output.prediction_logits.argmax(dim=-1) == blanks.answers[rows]).sum())
    return right / len(blanks.answers)


def bert_order(seed: int) -> dict[str, float]:
    """What the shipped BERT guesses right of the held-out text, as written and shuffled."""
    folder = shipped(BERT)
    model, tokenizer = BertForPreTraining.from_pretrained(folder), Tokenizer.from_pretrained(folder)
    texts = ["".join(words) for words in sentences(HELD_OUT, "held out")]
    blanks = make_blanks(tokenizer, texts, generator("cbow", "blanks", seed))
    shuffled = shuffle_around(blanks, generator("cbow", "shuffle", seed))
    return {"as written": bert_blanks(model, blanks), "shuffled": bert_blanks(model, shuffled)}


# --- two senses of one word


@lru_cache(maxsize=4)
def uses(split: Split, seed: int, count: int = USES) -> list[SenseUse]:
    """Sentences with a word of two senses, each sense equally often; people of that split."""
    # Held out, each sense would have a single wording, and the place of the word would tell it.
    return sense_uses(world("full"), count, seed=f"cbow/{seed}", split=split, wordings="shared")


def wording(use: SenseUse) -> tuple[str, ...]:
    """The words that the pattern brings along; the others are its fillers."""
    return tuple(token.text for token in use.sentence.tokens if not token.role)


def word_vectors(learned: Learned, asked: Sequence[SenseUse]) -> Tensor:
    """(n, H): CBOW's vector of each ambiguous word, the same in all its sentences."""
    words = [use.word for use in asked]
    return learned.vectors[_known(learned.text, words)]


def context_vectors(learned: Learned, asked: Sequence[SenseUse]) -> Tensor:
    """(n, H): the mean of the vectors around the word, CBOW's own summary of its company."""
    rows = []
    for use in asked:
        ids = learned.text.ids(use.sentence.words)
        before, after = ids[max(0, use.target - WINDOW) : use.target], ids[use.target + 1 :]
        around = [*before, *after[:WINDOW]]
        rows.append(around + [0] * (2 * WINDOW - len(around)))
    with torch.no_grad():
        return learned.model.context(torch.tensor(rows))


def bert_vectors(bert: Bert, tokenizer: Tokenizer, asked: Sequence[SenseUse]) -> Tensor:
    """(1 + L, n, H): BERT's vector of the last character of each ambiguous word (苹果: 果)."""
    spans = [(use.span.end - 1, use.span.end) for use in asked]
    return token_vectors(bert, tokenizer, [use.text for use in asked], spans)


def sense_accuracy(vectors: Tensor, asked: Sequence[SenseUse]) -> Tensor:
    """(…, n, H) -> (…): is the nearest use of the same word, in another wording, of the same sense?

    Each word's vectors are centred for themselves; ties count as drawn at random, so that equal
    vectors get `sense_chance` exactly.
    """
    centred = torch.zeros_like(vectors, dtype=torch.double)
    for form in {use.word for use in asked}:
        rows = [number for number, use in enumerate(asked) if use.word == form]
        centred[..., rows, :] = centre(vectors[..., rows, :].double())
    # Rounding must not turn equal vectors into directions.
    centred = centred.masked_fill(centred.abs() < 1e-6, 0.0)
    return leave_one_out(cosines(centred), [use.sense for use in asked], _comparable(asked))


def sense_chance(asked: Sequence[SenseUse]) -> float:
    """`sense_accuracy` of vectors that say nothing; below ½, since the own wording is left out."""
    alike = torch.ones(len(asked), len(asked))
    return float(leave_one_out(alike, [use.sense for use in asked], _comparable(asked)))


def _comparable(asked: Sequence[SenseUse]) -> Tensor:
    forms = [use.word for use in asked]
    wordings = [" ".join(wording(use)) for use in asked]
    return same(forms, forms) & ~same(wordings, wordings)


def _known(text: Text, words: Sequence[str]) -> list[int]:
    ids = text.ids(words)
    unknown = sorted({word for word, number in zip(words, ids, strict=True) if number == 1})
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not in the vocabulary; take more text.")
    return ids
