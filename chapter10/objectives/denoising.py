"""Corrupt a text for an encoder, let a decoder restore it: T5's spans, MASS, BART's five ways.

Every function takes one text's content: a 1-D long tensor of ids without padding and special
tokens (add those to what comes back), so that neither can ever be chosen. Nothing is written to.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from chapter10.objectives.loss import IGNORE_INDEX
from chapter10.objectives.masking import num_to_choose


class SpanCorruption(NamedTuple):
    """T5's two sides, 1-D long, each ending with the end-of-sequence token."""

    input_ids: Tensor
    """The text, one sentinel in the place of each span."""
    labels: Tensor
    """Each sentinel, followed by the span it stands for."""


class FragmentMasking(NamedTuple):
    """MASS: all three (length,) long, position by position."""

    input_ids: Tensor
    """What the encoder reads: the text with the fragment masked."""
    decoder_input_ids: Tensor
    """What the decoder reads, already shifted: the fragment without its last token, else masks."""
    labels: Tensor
    """The fragment, IGNORE_INDEX elsewhere."""


class Denoising(NamedTuple):
    """BART: a corrupted text and the whole original, 1-D long, maybe of different lengths."""

    input_ids: Tensor
    labels: Tensor


def corrupt_spans(
    ids: Tensor,
    sentinel_ids: Sequence[int],
    eos_id: int,
    generator: torch.Generator,
    density: float = 0.15,
    mean_span_length: float = 3.0,
    anywhere: bool = False,
) -> SpanCorruption:
    """T5's span corruption (Raffel et al. 2020, section 3.1.4; random_spans_noise_mask).

    round(n * density) of the n tokens are noise, at least 1 and at most n - 1, in
    round(noise / mean_span_length) spans (at least 1); kept and noise spans alternate, every
    division into lengths of at least 1 alike. The i-th span becomes ``sentinel_ids[i]``, in the
    order given. Both sides end with eos_id. A text of fewer than two tokens stays whole.

    anywhere: T5 begins with a kept span and ends with noise, so up to 30 tokens (at the defaults)
        its single span is always the last one and nothing is random. That never matters in T5's
        512 tokens; for single sentences ``anywhere=True`` lets a text begin with noise and end
        with kept tokens.

    Raises ValueError for a density outside (0, 1), a mean below 1, a sentinel among the ids, or
    fewer sentinels than spans.
    """
    _check_ids(ids)
    if not 0.0 < density < 1.0:
        raise ValueError(f"density is {density}; a share of the tokens between 0 and 1 is hidden.")
    if mean_span_length < 1.0:
        raise ValueError(f"mean_span_length is {mean_span_length}; a span has at least 1 token.")
    sentinels = torch.tensor(list(sentinel_ids), dtype=torch.long, device=ids.device)
    if torch.isin(ids, sentinels).any():
        raise ValueError("the ids hold a sentinel; the text could not be told from its gaps.")
    lengths = _span_lengths(len(ids), density, mean_span_length, anywhere, generator)
    pieces = ids.split(lengths)  # kept, noise, kept, … kept
    kept, noise = pieces[0::2], pieces[1::2]
    if len(noise) > len(sentinels):
        raise ValueError(
            f"{len(noise)} spans but {len(sentinels)} sentinels; give more sentinels, a lower "
            "density or a longer mean_span_length."
        )
    eos = ids.new_tensor([eos_id])
    inputs, labels = [kept[0]], []
    for sentinel, hidden, following in zip(sentinels.split(1), noise, kept[1:], strict=False):
        inputs += [sentinel, following]
        labels += [sentinel, hidden]
    return SpanCorruption(torch.cat([*inputs, eos]), torch.cat([*labels, eos]))


def restore_spans(corruption: SpanCorruption, sentinel_ids: Sequence[int], eos_id: int) -> Tensor:
    """Put every span back in its sentinel's place: the original ids, exactly.

    Raises ValueError where a side does not end with eos_id or a sentinel has no span.
    """
    inputs, labels = corruption.input_ids.tolist(), corruption.labels.tolist()
    if inputs[-1:] != [eos_id] or labels[-1:] != [eos_id]:
        raise ValueError(f"both sides must end with the end-of-sequence token {eos_id}.")
    sentinels = frozenset(sentinel_ids)
    spans: dict[int, list[int]] = {}
    current: list[int] = []
    for token in labels[:-1]:
        if token in sentinels:
            current = spans.setdefault(token, [])
        else:
            current.append(token)
    restored: list[int] = []
    for token in inputs[:-1]:
        if token in sentinels and token not in spans:
            raise ValueError(f"the labels have no span for the sentinel {token} of the input.")
        restored += spans[token] if token in sentinels else [token]
    return corruption.input_ids.new_tensor(restored)


def corrupt_mass(
    ids: Tensor, mask_token_id: int, generator: torch.Generator, ratio: float = 0.5
) -> FragmentMasking:
    """MASS (Song et al. 2019, section 3.2): hide one fragment, the decoder predicts only that.

    The fragment has round(ratio * n) tokens, at least one, and any start is as likely. The decoder
    sees the tokens before the one it predicts within the fragment and masks everywhere else, so it
    must turn to the encoder for the rest. Always ``[MASK]``; the paper's experiments mix in BERT's
    10 % random and 10 % kept tokens.
    """
    size = _share(ids, ratio)
    begin = _draw(len(ids) - size + 1, generator)
    fragment = slice(begin, begin + size)
    inputs, labels = ids.clone(), torch.full_like(ids, IGNORE_INDEX)
    decoder_inputs = torch.full_like(ids, mask_token_id)
    inputs[fragment] = mask_token_id
    labels[fragment] = ids[fragment]
    decoder_inputs[begin + 1 : begin + size] = ids[begin : max(begin, begin + size - 1)]
    return FragmentMasking(inputs, decoder_inputs, labels)


def restore_mass(example: FragmentMasking) -> Tensor:
    """The original (length,) ids: the labels where there are any, the input elsewhere."""
    return torch.where(example.labels != IGNORE_INDEX, example.labels, example.input_ids)


def corrupt_mask(
    ids: Tensor, mask_token_id: int, generator: torch.Generator, ratio: float = 0.3
) -> Denoising:
    """BART's token masking (Lewis et al. 2020, section 2.2): ``[MASK]`` at random positions.

    Exactly round(ratio * n), at least one; all sets of positions alike.
    """
    hidden = torch.randperm(len(ids), generator=generator)[: _share(ids, ratio)]
    inputs = ids.clone()
    inputs[hidden.to(ids.device)] = mask_token_id
    return Denoising(inputs, ids.clone())


def corrupt_delete(ids: Tensor, generator: torch.Generator, ratio: float = 0.3) -> Denoising:
    """BART's token deletion: the model must also find out where something is missing.

    Exactly round(ratio * n) tokens go, at least one, but one always stays to be read.
    """
    deleted = min(_share(ids, ratio), max(len(ids) - 1, 0))
    stays = torch.randperm(len(ids), generator=generator)[deleted:].sort().values
    return Denoising(ids[stays.to(ids.device)], ids.clone())


def corrupt_permute(
    ids: Tensor, sentence_end_ids: Sequence[int], generator: torch.Generator
) -> Denoising:
    """BART's sentence permutation: sentences in a random order, every order alike.

    A sentence ends after a token of sentence_end_ids (full stops); what follows the last one is a
    sentence too. The order may by chance be the old one; with one sentence it always is.
    """
    _check_ids(ids)
    ends = torch.tensor(list(sentence_end_ids), dtype=torch.long, device=ids.device)
    cuts = (torch.isin(ids, ends).nonzero().flatten() + 1).tolist()
    sentences = [part for part in ids.tensor_split(cuts) if len(part)]
    order = torch.randperm(len(sentences), generator=generator).tolist()
    shuffled = torch.cat([ids[:0], *(sentences[number] for number in order)])
    return Denoising(shuffled, ids.clone())


def corrupt_rotate(ids: Tensor, generator: torch.Generator) -> Denoising:
    """BART's document rotation: the text begins at a random token, each of the n alike."""
    _check_ids(ids)
    begin = _draw(max(len(ids), 1), generator)
    return Denoising(torch.cat([ids[begin:], ids[:begin]]), ids.clone())


def corrupt_infill(
    ids: Tensor,
    mask_token_id: int,
    generator: torch.Generator,
    ratio: float = 0.3,
    mean_span_length: float = 3.0,
) -> Denoising:
    """BART's text infilling: whole spans become one ``[MASK]`` each; the model guesses how long.

    Span lengths are Poisson(mean_span_length) until exactly round(ratio * n) tokens, at least one,
    are hidden (the last span is cut to fit). A span of length 0 inserts a mask where nothing is
    missing. All arrangements of the spans among the kept tokens are alike.

    Raises ValueError for a mean below 1.
    """
    budget = _share(ids, ratio)
    if mean_span_length < 1.0:
        raise ValueError(f"mean_span_length is {mean_span_length}; it must be at least 1.")
    lengths: list[int] = []
    rate = torch.tensor(mean_span_length)
    while (left := budget - sum(lengths)) > 0:
        lengths.append(min(left, int(torch.poisson(rate, generator=generator))))
    # Slots are kept tokens and spans. The last length is never 0: which span gets it is random.
    slots = torch.randperm(len(ids) - budget + len(lengths), generator=generator).tolist()
    span_at = dict(zip(slots, lengths, strict=False))
    mask = ids.new_tensor([mask_token_id])
    pieces, position = [ids[:0]], 0
    for slot in range(len(slots)):
        length = span_at.get(slot)
        pieces.append(ids[position : position + 1] if length is None else mask)
        position += 1 if length is None else length
    return Denoising(torch.cat(pieces), ids.clone())


def _span_lengths(
    length: int, density: float, mean: float, anywhere: bool, generator: torch.Generator
) -> list[int]:
    """Lengths of kept, noise, kept, … kept spans; the last kept one is 0 in T5's own way."""
    if length < 2:
        return [length]
    noise = min(max(round(length * density), 1), length - 1)
    kept = length - noise
    # T5 has no upper limit, and breaks where the kept tokens are too few to part the spans.
    spans = min(max(round(noise / mean), 1), kept)
    if anywhere:
        # Both ends may be empty: parts of at least 1 out of two tokens more, then take these off.
        kept_lengths = _segment(kept + 2, spans + 1, generator)
        kept_lengths[0] -= 1
        kept_lengths[-1] -= 1
    else:
        kept_lengths = [*_segment(kept, spans, generator), 0]
    noise_lengths = [*_segment(noise, spans, generator), 0]
    pairs = zip(kept_lengths, noise_lengths, strict=True)
    return [size for pair in pairs for size in pair][:-1]


def _segment(items: int, parts: int, generator: torch.Generator) -> list[int]:
    """Divide items into parts of at least 1; every division alike (T5's random_segmentation)."""
    cuts = torch.randperm(items - 1, generator=generator)[: parts - 1].sort().values + 1
    edges = [0, *cuts.tolist(), items]
    return [right - left for left, right in pairwise(edges)]


def _share(ids: Tensor, ratio: float) -> int:
    """How many of the ids are hidden, by the rule of ``num_to_choose``."""
    _check_ids(ids)
    if not 0.0 <= ratio <= 1.0:
        raise ValueError(f"ratio is {ratio}; it is a share of the tokens between 0 and 1.")
    return int(num_to_choose(torch.tensor(len(ids)), ratio))


def _draw(choices: int, generator: torch.Generator) -> int:
    return int(torch.randint(choices, (), generator=generator))


def _check_ids(ids: Tensor) -> None:
    if ids.dim() != 1 or ids.dtype != torch.long:
        raise ValueError(
            f"ids is {ids.dtype} of shape {tuple(ids.shape)}; give one text, a 1-D long tensor."
        )
