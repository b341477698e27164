"""The Unigram language model of subwords (Kudo 2018, section 3.2), the same at every run.

The `tokenizers` library has a trainer for it, whose result differs from run to run with the order
of a hash table. This one uses the library for the heavy work, finding each text's best
segmentation, and does the rest in counts and sorted lists:

1. start from many more pieces than wanted (here those of a BPE);
2. segment the texts; the probability of a piece is its share of all pieces used;
3. drop the pieces whose loss costs the likelihood of the texts least; never single characters;
4. repeat 2 and 3 until the vocabulary has the size asked for.
"""

from __future__ import annotations

import math

import numpy as np
from tokenizers import Tokenizer as Backend
from tokenizers import models

_KEPT_A_ROUND = 0.75  # Kudo's eta: the share of pieces that survives a round
_BATCH = 4096  # texts segmented at once


def unigram_pieces(
    pipeline: Backend, corpus: list[str], seeds: list[str], size: int
) -> list[tuple[str, float]]:
    """At most `size` of the pieces `seeds`, each with its log probability, most probable first.

    `pipeline` brings normaliser and pre-tokeniser; its model is replaced. Single characters among
    the seeds are all kept.
    """
    scores = dict.fromkeys(seeds, -1.0)  # equal at first: the fewest pieces win
    while True:
        for _ in range(2):
            counts = _count(pipeline, corpus, scores)
            # A piece the best segmentation does without counts as half a use, not as impossible.
            total = sum(max(count, 0.5) for count in counts.values())
            scores = {p: math.log(max(count, 0.5) / total) for p, count in counts.items()}
        if len(scores) <= size:
            return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
        single = [piece for piece in scores if len(piece) == 1]
        longer = [piece for piece in scores if len(piece) > 1]
        loss = {p: counts[p] * (scores[p] - _score_without(p, scores)) for p in longer}
        longer.sort(key=lambda piece: (-loss[piece], piece))
        room = max(size, int(_KEPT_A_ROUND * len(scores))) - len(single)
        scores = {piece: scores[piece] for piece in single + longer[:room]}


def _count(pipeline: Backend, corpus: list[str], scores: dict[str, float]) -> dict[str, int]:
    """How often each piece stands in the best segmentations of the corpus."""
    pieces = sorted(scores)
    entries = [("<unk>", 0.0)] + [(piece, scores[piece]) for piece in pieces]
    pipeline.model = models.Unigram(entries, unk_id=0, byte_fallback=False)
    counts = np.zeros(len(entries), dtype=np.int64)
    for start in range(0, len(corpus), _BATCH):
        for found in pipeline.encode_batch_fast(corpus[start : start + _BATCH]):
            np.add.at(counts, found.ids, 1)
    return dict(zip(pieces, counts[1:].tolist(), strict=True))


def _score_without(piece: str, scores: dict[str, float]) -> float:
    """The best log probability of a piece's characters split into other pieces (Viterbi)."""
    best = [0.0] + [-math.inf] * len(piece)
    for end in range(1, len(piece) + 1):
        for start in range(end):
            if end - start < len(piece):
                part = scores.get(piece[start:end], -math.inf)
                best[end] = max(best[end], best[start] + part)
    return best[-1]
