"""Pairs of sentences with a label: next sentence prediction (BERT), sentence order (ALBERT).

Both papers pair segments, runs of sentences that fill a row; :func:`segment_documents` makes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch

Documents = Sequence[Sequence[str]]
"""A document is its sentences in order."""


@dataclass(frozen=True, kw_only=True)
class SentencePair:
    """Two sentences and whether the second is what followed the first.

    label: 0 = it followed (IsNext, right order), 1 = it did not (random, swapped), the convention
        of the reference library's next_sentence_label and sentence_order_label.
    """

    first: str
    second: str
    label: int


def next_sentence_pairs(documents: Documents, generator: torch.Generator) -> list[SentencePair]:
    """One pair for every two neighbouring sentences: half keep the next one, half a random one.

    Each pair draws for itself, with probability 1/2 (BERT, section 3.1). The random sentence comes
    from another document: first the document, each non-empty one alike, then one of its sentences
    alike, as in BERT's create_pretraining_data.py. It may by chance read like the true one, where
    documents share sentences.

    Raises ValueError with fewer than two documents that have a sentence.
    """
    _check_documents(documents)
    filled = [number for number, document in enumerate(documents) if len(document) > 0]
    if len(filled) < 2:
        raise ValueError(
            f"next_sentence_pairs got {len(filled)} document(s) with sentences; a random sentence "
            "comes from another document, so give it at least two."
        )
    place = {number: at for at, number in enumerate(filled)}
    pairs = []
    for number, document in enumerate(documents):
        for first, following in pairwise(document):
            label = _draw(2, generator)
            if label == 1:
                # Skip over this document: every other one keeps the same chance.
                other = _draw(len(filled) - 1, generator)
                other += other >= place[number]
                sentences = documents[filled[other]]
                following = sentences[_draw(len(sentences), generator)]
            pairs.append(SentencePair(first=first, second=following, label=label))
    return pairs


def sentence_order_pairs(documents: Documents, generator: torch.Generator) -> list[SentencePair]:
    """One pair for every two neighbouring sentences, half of them swapped (ALBERT, section 3.1).

    Each pair draws for itself, with probability 1/2. Both sentences are of one document, so the
    topic gives nothing away: that is what makes it harder than next sentence prediction.
    """
    _check_documents(documents)
    pairs = []
    for document in documents:
        for first, second in pairwise(document):
            label = _draw(2, generator)
            if label == 1:
                first, second = second, first
            pairs.append(SentencePair(first=first, second=second, label=label))
    return pairs


def segment_documents(
    documents: Documents, generator: torch.Generator, joiner: str = ""
) -> list[list[str]]:
    """Each document as two segments, cut at a random one of its sentence boundaries.

    Every boundary is as likely as any other. A document of one sentence keeps it, an empty one
    stays empty.

    joiner: what stands between the sentences of a segment: "" in Chinese, " " in English.
    """
    _check_documents(documents)
    segmented = []
    for document in documents:
        if len(document) < 2:
            segmented.append(list(document))
            continue
        cut = 1 + _draw(len(document) - 1, generator)
        segmented.append([joiner.join(document[:cut]), joiner.join(document[cut:])])
    return segmented


def next_segment_pairs(documents: Documents, generator: torch.Generator) -> list[SentencePair]:
    """One pair for each document of two segments: half keep the second, half another document's.

    Each pair draws for itself, with probability 1/2 (BERT, section 3.1). The random segment is the
    second one of another document, each alike: it ends a document as the true one does, so that
    beginnings and ends give nothing away. It may by chance read like the true one.

    documents: from :func:`segment_documents`; those without a second segment give no pair.

    Raises ValueError with fewer than two documents of two segments.
    """
    _check_documents(documents)
    whole = [document for document in documents if len(document) == 2]
    if len(whole) < 2:
        raise ValueError(
            f"next_segment_pairs got {len(whole)} document(s) of two segments; a random segment "
            "comes from another document, so give it at least two."
        )
    pairs = []
    for at, (first, second) in enumerate(whole):
        label = _draw(2, generator)
        if label == 1:
            # Skip over this document: every other one keeps the same chance.
            other = _draw(len(whole) - 1, generator)
            other += other >= at
            second = whole[other][1]
        pairs.append(SentencePair(first=first, second=second, label=label))
    return pairs


def restore_order(pair: SentencePair) -> tuple[str, str]:
    """The two sentences of a sentence order pair as they stood in the text."""
    return (pair.second, pair.first) if pair.label == 1 else (pair.first, pair.second)


def _draw(choices: int, generator: torch.Generator) -> int:
    return int(torch.randint(choices, (), generator=generator))


def _check_documents(documents: Documents) -> None:
    for document in documents:
        if isinstance(document, str):
            raise ValueError(
                f"a document is the text {document[:20]!r}; it must be a list of its sentences."
            )
