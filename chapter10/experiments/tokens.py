"""What the page `masking` runs on tokenisers (claim B2), on 315 sentences written for this book."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from importlib.resources import files

from chapter10.claims import Experiment, Measured
from chapter10.tokenizers import Tokenizer

KINDS = ("character", "wordpiece", "bpe", "unigram")
VOCAB_SIZE = 1200
"""For the subword tokenisers: about 800 characters, and room for 400 longer pieces."""

_CLAUSE = re.compile(r"[^，。？：；“”！]+")


def sentences() -> list[str]:
    """Everyday Chinese sentences written for this book (CC BY-SA 4.0), 5 to 27 characters long."""
    text = (files("chapter10") / "data" / "sentences_zh.txt").read_text(encoding="utf-8")
    return text.splitlines()


def split_sentences(seed: int, held_out: float = 0.2) -> tuple[list[str], list[str]]:
    """The sentences in random order, cut into a larger part and the share `held_out`."""
    shuffled = random.Random(seed).sample(sentences(), k=len(sentences()))
    cut = round(len(shuffled) * (1 - held_out))
    return shuffled[:cut], shuffled[cut:]


def recombined(texts: Sequence[str], count: int, seed: int) -> list[str]:
    """New sentences of two clauses each: every character is known, the whole is not."""
    clauses = [clause for text in texts for clause in _CLAUSE.findall(text)]
    draw = random.Random(seed)
    return [f"{draw.choice(clauses)}，{draw.choice(clauses)}。" for _ in range(count)]


def round_trip_share(tokenizer: Tokenizer, texts: Sequence[str]) -> float:
    """Share of texts that come back exactly from `decode(encode(text))`."""
    same = [tokenizer.decode(tokenizer.encode(text).input_ids) == text for text in texts]
    return sum(same) / len(same)


def tokens_per_character(tokenizer: Tokenizer, texts: Sequence[str]) -> float:
    """Length of the row the model reads, in tokens for each character of text."""
    return sum(len(tokenizer.tokenize(text)) for text in texts) / sum(map(len, texts))


def piece_ids(text: str, pieces: Tokenizer, offsets: Sequence[tuple[int, int]]) -> list[int]:
    """For each token, given by its offsets, the number of the piece of `pieces` it begins in.

    -1 for a token without text. So a character tokeniser borrows the words of a subword one,
    which `mask_tokens` needs as word_ids: Chinese does not write where a word ends.
    """
    piece_of = {
        at: number
        for number, (start, end) in enumerate(pieces.encode(text).offsets)
        for at in range(start, end)
    }
    return [piece_of[start] if end > start else -1 for start, end in offsets]


def _run_round_trip(arm: str, seed: int) -> Measured:
    """One arm of B2: 500 recombined sentences, or the held-out ones for the controls."""
    if arm in KINDS:
        known = sentences()
        tokenizer = Tokenizer.train(known, kind=arm, vocab_size=VOCAB_SIZE)  # type: ignore[arg-type]
        return Measured(round_trip_share(tokenizer, recombined(known, 500, seed)))
    known, unseen = split_sentences(seed)
    if arm == "character，有生字":
        tokenizer = Tokenizer.train(known, kind="character", vocab_size=VOCAB_SIZE)
    else:
        tokenizer = Tokenizer.train(known, kind="bpe", vocab_size=VOCAB_SIZE, style="gpt")
    return Measured(round_trip_share(tokenizer, unseen))


ROUND_TRIP = Experiment(
    arms=KINDS,
    controls=("character，有生字", "bytes BPE，有生字"),
    run=_run_round_trip,
    data="data/sentences_zh.txt（315 句，本书自写）",
)
