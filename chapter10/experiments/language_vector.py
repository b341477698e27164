"""What the page `language-vector` runs (claims M4 and M5): where a model keeps the language.

The models are those of `chapter10.experiments.multilingual`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from chapter10.alignment import hidden_states
from chapter10.bert import BertForPreTraining
from chapter10.data.microworld.languages import Code, Row
from chapter10.experiments.languages import Lesson
from chapter10.experiments.multilingual import (
    answers,
    dictionary,
    exam_objective,
    reading,
)
from chapter10.objectives import IGNORE_INDEX
from chapter10.training import Batches
from chapter10.training.batches import Batch, generator

PROBED = 300
"""Rows of each language that the probe of languages reads."""


def exam(lesson: Lesson, rows: Sequence[Row], seed: int = 0) -> list[Batch]:
    """Batches with 15 % of the words hidden, each time the same ones."""
    objective = exam_objective(lesson)
    ids = objective.ids(rows)
    return Batches(ids, objective.collate, tokens_per_batch=4096, seed=seed).first_epoch()


# --- M4: which language is it?


@torch.no_grad()
def probe_accuracy(
    model: BertForPreTraining,
    lesson: Lesson,
    pair: tuple[Code, Code],
    seed: int = 0,
    *,
    rows_each: int = PROBED,
) -> list[float]:
    """Layer by layer: how often a linear probe tells the language of a word it never met.

    Half of the words of each language are for learning, the other half for judging: no word is in
    two languages, so a probe could otherwise learn the list of words by heart, from any vectors.
    Chance is one half: both languages count alike.
    """
    vectors, numbers, words = [], [], []
    for number, code in enumerate(pair):
        for batch in reading(lesson, lesson.corpora[code][:rows_each]):
            states = hidden_states(model, batch)
            chosen = (
                lesson.objective.language[batch["input_ids"].clamp(max=len(lesson.tokenizer) - 1)]
                >= 0
            )
            vectors.append(states[:, chosen])
            words.append(batch["input_ids"][chosen])
            numbers += [number] * int(chosen.sum())
    states, ids, truth = torch.cat(vectors, 1), torch.cat(words), np.array(numbers)
    order = torch.randperm(len(lesson.tokenizer), generator=generator("probe", seed))
    known = (order[ids] % 2 == 0).numpy()
    return [_probe(layer.numpy(), truth, known) for layer in states]


def _probe(vectors: np.ndarray, truth: np.ndarray, known: np.ndarray) -> float:
    probe = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, max_iter=500, class_weight="balanced")
    ).fit(vectors[known], truth[known])
    right = probe.predict(vectors[~known]) == truth[~known]
    return float(np.mean([right[truth[~known] == number].mean() for number in np.unique(truth)]))


@torch.no_grad()
def stays(model: BertForPreTraining, lesson: Lesson, code: Code, rows: Sequence[Row]) -> float:
    """M4: share of the blanks that are filled with a word of their own language."""
    return fills(model, lesson, code, code, rows, layer=0, vector=None).switched


# --- M5: the vector


@torch.no_grad()
def language_means(
    model: BertForPreTraining, lesson: Lesson, code: Code, rows: Sequence[Row]
) -> Tensor:
    """(L + 1, H): the mean over all words of the rows, [CLS] and [SEP] left out."""
    number = list(lesson.corpora).index(code)
    total: Tensor | None = None
    count = 0
    for batch in reading(lesson, rows):
        ids = batch["input_ids"].clamp(max=len(lesson.tokenizer) - 1)
        states = hidden_states(model, batch)[:, lesson.objective.language[ids] == number]
        total = states.sum(1) if total is None else total + states.sum(1)
        count += states.shape[1]
    if total is None:
        raise ValueError(f"There are no rows of {code}; give at least one.")
    return total / count


def language_vectors(
    model: BertForPreTraining,
    lesson: Lesson,
    source: Code,
    target: Code,
    *,
    rows_each: int = 1_000,
) -> Tensor:
    """(L + 1, H): mean of the target language minus mean of the source, from training rows."""
    means = [
        language_means(model, lesson, code, lesson.corpora[code][:rows_each])
        for code in (target, source)
    ]
    return means[0] - means[1]


def random_vectors(vectors: Tensor, seed: int) -> Tensor:
    """Vectors of the same norms in random directions: the control."""
    drawn = torch.randn(vectors.shape, generator=generator("random direction", seed))
    return drawn / drawn.norm(dim=-1, keepdim=True) * vectors.norm(dim=-1, keepdim=True)


@contextmanager
def added(model: BertForPreTraining, layer: int, vector: Tensor) -> Iterator[None]:
    """Inside, `vector` (H,) is added to every position of a layer; layer 0 is the embedding.

    Raises:
        ValueError: there is no such layer.
    """
    blocks = model.bert.encoder.blocks
    if not 0 <= layer <= len(blocks):
        raise ValueError(f"layer is {layer}; the model has 0, the embedding, to {len(blocks)}.")
    place: nn.Module = model.bert.embeddings if layer == 0 else blocks[layer - 1]

    def add(module: nn.Module, inputs: object, output: object) -> object:
        if isinstance(output, tuple):
            return (output[0] + vector, *output[1:])
        assert isinstance(output, Tensor)
        return output + vector

    hook = place.register_forward_hook(add)
    try:
        yield
    finally:
        hook.remove()


@dataclass(frozen=True)
class Fills:
    """Shares of all blanks. switched: filled with a word of the target language. right: with a
    translation of the hidden word. own: with a translation of what the model fills in when nothing
    is added. chance: `right` for a word of the target language drawn at random. constant: `right`
    for one word of the target language at every blank, the best one in hindsight: a vector that
    only calls up the commonest word gets no more."""

    switched: float
    right: float
    own: float
    chance: float
    constant: float


@torch.no_grad()
def fills(
    model: BertForPreTraining,
    lesson: Lesson,
    source: Code,
    target: Code,
    rows: Sequence[Row],
    *,
    layer: int,
    vector: Tensor | None,
    strength: float = 1.0,
    seed: int = 0,
) -> Fills:
    """M5: fill the blanks of rows of one language while `strength * vector` is added at a layer.

    With the target equal to the source, a word translates itself.
    """
    number = list(lesson.corpora).index(target)
    right = _right(lesson, source, target)  # (V, V) of bool
    switched = matched = guessed = total = 0
    size = max(1, int((lesson.objective.language == number).sum()))
    each = torch.zeros(len(lesson.tokenizer), dtype=torch.long)  # how often each word is right
    for batch in exam(lesson, rows, seed):
        plain = _guesses(model, lesson, batch)
        if vector is None:
            ours = plain
        else:
            with added(model, layer, strength * vector):
                ours = _guesses(model, lesson, batch)
        hidden = answers(batch)
        switched += int((lesson.objective.language[ours] == number).sum())
        matched += int(right[hidden, ours].sum())
        guessed += int(right[plain, ours].sum())
        each += right[hidden].sum(0)
        total += len(hidden)
    return Fills(
        switched=switched / total,
        right=matched / total,
        own=guessed / total,
        chance=int(each.sum()) / size / total,
        constant=int(each.max()) / total,
    )


def _right(lesson: Lesson, source: Code, target: Code) -> Tensor:
    found = torch.zeros(len(lesson.tokenizer), len(lesson.tokenizer), dtype=torch.bool)
    if source == target:
        return found.fill_diagonal_(True)
    for word, others in dictionary(lesson.setting.rung, (source, target)).items():
        for other in others:
            a, b = (lesson.tokenizer.token_to_id(each) for each in (word, other))
            if a is not None and b is not None:
                found[a, b] = True
    return found


def _guesses(model: BertForPreTraining, lesson: Lesson, batch: Batch) -> Tensor:
    """(N,): the likeliest word of every blank; special tokens are no answer."""
    output = lesson.objective.run(model, batch, prediction_mask=batch["labels"] != IGNORE_INDEX)
    return _words(output.prediction_logits, lesson)


def _words(logits: Tensor, lesson: Lesson) -> Tensor:
    kept = logits[..., : len(lesson.tokenizer)].clone()
    kept[..., lesson.objective.language < 0] = -torch.inf
    return kept.argmax(-1)


@torch.no_grad()
def translate(
    model: BertForPreTraining, lesson: Lesson, row: Row, *, layer: int, vector: Tensor
) -> list[str]:
    """Word by word, without a blank: what the model reads at each place once the vector is added.

    The order of the words stays that of the source; that is the limit of the method.
    """
    batch = lesson.objective.read([row])
    with added(model, layer, vector):
        output = lesson.objective.run(model, batch)
    ids = _words(output.prediction_logits[0, 1:-1], lesson)
    return [lesson.tokenizer.id_to_token(int(token)) for token in ids]


def surface(
    model: BertForPreTraining,
    lesson: Lesson,
    source: Code,
    target: Code,
    rows: Sequence[Row],
    strengths: Sequence[float],
    vectors: Tensor,
) -> list[list[Fills]]:
    """Layers × strengths."""
    return [
        [
            fills(model, lesson, source, target, rows, layer=layer, vector=vector, strength=each)
            for each in strengths
        ]
        for layer, vector in enumerate(vectors)
    ]
