"""What the page `nli` runs (claim B14): two sentences in, one class out.

Beside the comparison that all four cases share: what a reader of only one of the two sentences, or
of their surface, would get right; which kinds of inference are learned; what happens when the
sentences or their segments change places at test time, or one word of the hypothesis changes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial

import numpy as np
import torch
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor

from chapter10.data.microworld import Inference
from chapter10.experiments import downstream
from chapter10.experiments.downstream import ARMS, KNOWN, LABELS, SERIES, WORDINGS, Fitted
from chapter10.tasks import BASELINES, TextExample, micro_examples
from chapter10.tasks.classification import ClassRow

NAME = "nli"
RELATIONS: Mapping[str, str] = {"entailment": "蕴含", "neutral": "中立", "contradiction": "矛盾"}
KINDS: Mapping[str, str] = {
    "kind_of": "种类",
    "forget": "带没带",
    "taller": "比较",
    "first_then": "先后",
    "given": "给与得",
    "only": "去没去",
    "mood": "心情",
}
"""What must be understood -> how a figure calls it."""


def label_counts(found: Sequence[Inference]) -> np.ndarray:
    """(kinds, relations): how many pairs there are of each."""
    cells = [(pair.kind, pair.label) for pair in found]
    return np.array([[cells.count((kind, label)) for label in RELATIONS] for kind in KINDS])


def one_of_each(found: Sequence[Inference]) -> list[Inference]:
    """The first pair of every kind and relation, in their order."""
    first = {(pair.kind, pair.label): pair for pair in reversed(found)}
    return [first[kind, label] for kind in KINDS for label in RELATIONS if (kind, label) in first]


# --- what needs no reading of both sentences

NEGATIONS = "不没忘"
PREMISE_ONLY: Mapping[str, float] = {
    "kind_of": 1 / 3,
    "forget": 2 / 3,
    "taller": 1 / 3,
    "first_then": 2 / 3,
    "given": 1 / 2,
    "only": 2 / 3,
    "mood": 11 / 18,
}
"""What reading only how the premise is worded gets right where wordings are those of training (the
first three of every list), worked out from ``inference.yml``.

Where neutral premises have wordings of their own, a third of the pairs are recognised by these,
and half of the others guessed. Where all premises are worded alike, one guesses among three. A
denied gift is never neutral (half of a third), one that was made is neutral every second time
(half of two thirds). Of the three ways to tell a mood, two have neutral premises of their own
(2/3 each); the third is like a gift (1/2).
"""


def overlap(pair: Inference) -> float:
    """Share of the hypothesis' different characters that stand in the premise too."""
    characters = set(pair.hypothesis) - {"。"}
    return len(characters & set(pair.premise)) / len(characters)


def surface(pair: Inference) -> list[float]:
    """Overlap, two lengths, and how many characters of negation each sentence has."""
    texts = (pair.premise, pair.hypothesis)
    lengths = [len(text) for text in texts]
    return [overlap(pair), *lengths, *(sum(map(text.count, NEGATIONS)) for text in texts)]


def surface_answers(
    train: Sequence[Inference], validation: Sequence[Inference], test: Sequence[Inference]
) -> list[str]:
    """What a decision tree on :func:`surface` says; its depth is the best on validation pairs."""
    inputs, labels = [surface(pair) for pair in train], [pair.label for pair in train]
    held_out, wanted = [surface(pair) for pair in validation], [pair.label for pair in validation]
    trees = [
        DecisionTreeClassifier(max_depth=depth, random_state=0).fit(inputs, labels)
        for depth in (1, 2, 4, 8)
    ]
    best = max(trees, key=lambda tree: tree.score(held_out, wanted))
    return [str(label) for label in best.predict([surface(pair) for pair in test])]


def premise_answers(
    train: Sequence[Inference], validation: Sequence[Inference], test: Sequence[Inference]
) -> Sequence[str]:
    """What the baseline of the hypothesis alone says when it is shown the premise alone."""
    return BASELINES["second text only"](*map(turned, (train, validation, test)))


SHORTCUTS: Mapping[str, Callable[..., Sequence[str]]] = {
    "只看前提": premise_answers,
    "重叠与否定词": surface_answers,
}
"""Beside the baselines of the case; each learns from what the models learn from:
(train, validation, test) -> answers."""


@lru_cache(maxsize=64)
def shortcut_scores(name: str, seed: int, labels: int) -> Mapping[str, float]:
    """The shares of test pairs that a shortcut gets right, in both exams."""
    train = micro_examples(NAME, "train", labels, seed)
    validation = downstream.validation_examples(NAME, downstream.VALIDATION)
    answers = SHORTCUTS[name]
    exams = {exam: downstream.exam_examples(NAME, exam) for exam in WORDINGS}
    return {
        exam: same_relation(found, answers(train, validation, found))
        for exam, found in exams.items()
    }


# --- the rows that BERT reads, and what else they could have been


def texts(found: Sequence[Inference]) -> list[TextExample]:
    """Premise first, hypothesis second, as BERT reads them."""
    return downstream.converted(NAME, found)


def turned(found: Sequence[Inference]) -> list[TextExample]:
    """Hypothesis first, premise second, under the label of the pair as it was."""
    return [TextExample(pair.hypothesis, pair.premise, pair.label) for pair in found]


def rows_of(fitted: Fitted, found: Sequence[Inference], change: str) -> list[ClassRow]:
    """Rows of the pairs with one of :data:`CHANGES` made to them."""
    rows = fitted.task.encode(turned(found) if change == "调换两句" else texts(found))
    segments = CHANGES[change]
    return [
        dataclasses.replace(row, token_type_ids=[segments(one) for one in row.token_type_ids])
        for row in rows
    ]


CHANGES: Mapping[str, Callable[[int], int]] = {
    "照常": lambda segment: segment,
    "调换两句": lambda segment: segment,
    "段号对调": lambda segment: 1 - segment,
    "段号全是 0": lambda segment: 0,
}
"""What is done to a row -> the segment that a token then has."""


def answers_to(fitted: Fitted, rows: Sequence[ClassRow]) -> list[str]:
    """The likeliest relation of each row."""
    found = fitted.task.outputs(fitted.model, rows)
    return [tuple(RELATIONS)[int(logits.argmax())] for (logits,) in found]


def changed_answers(fitted: Fitted, found: Sequence[Inference], change: str) -> list[str]:
    """What the model says of the pairs after one of :data:`CHANGES`."""
    return answers_to(fitted, rows_of(fitted, found, change))


# --- who looks across the [SEP]


def attention(fitted: Fitted, pair: Inference) -> tuple[list[str], Tensor]:
    """The tokens of the row (T), and the weights of every head (layers, heads, T, T)."""
    task, (row,) = fitted.task, fitted.task.encode(texts([pair]))
    batch = task.collate([row])
    with torch.no_grad():
        output = fitted.model(
            batch["input_ids"],
            batch["attention_mask"],
            batch["token_type_ids"],
            output_attentions=True,
        )
    tokens = [task.tokenizer.id_to_token(number) for number in row.input_ids]
    return tokens, torch.cat(output.attentions)


def crossing(fitted: Fitted, found: Sequence[Inference]) -> np.ndarray:
    """(layers, heads): of the attention of the hypothesis, how much falls on the premise.

    Characters only, on both sides; the mean over characters and pairs.
    """
    shares = []
    for pair in found:
        _, weights = attention(fitted, pair)
        first, second = places(pair)
        shares.append(weights[:, :, second][..., first].sum(-1).mean(-1))
    return torch.stack(shares).mean(0).numpy()


def places(pair: Inference) -> tuple[slice, slice]:
    """Where the characters of premise and hypothesis stand in a row, special tokens left out."""
    first = 1 + len(pair.premise)
    return slice(1, first), slice(first + 1, first + 1 + len(pair.hypothesis))


# --- evidence: beside what all cases measure, by kind, and with changed rows


def hypothesis_only(seed: int) -> float:
    """What BERT gets right that learns from hypotheses alone and is shown nothing else."""

    def alone(example: TextExample) -> TextExample:
        return TextExample(example.pair or "", label=example.label)

    blind = downstream.train_model(NAME, "pretrained", seed, show=alone)
    test = downstream.exam_examples(NAME, KNOWN)
    shown = [alone(example) for example in texts(test)]
    return same_relation(test, [one.label for one in blind.task.predict(blind.model, shown)])


def by_kind(found: Sequence[Inference], right: Sequence[bool]) -> dict[str, float]:
    """The share of right answers in every kind."""
    kinds = [pair.kind for pair in found]
    return {kind: _share_where(kinds, kind, right) for kind in KINDS}


def by_label(found: Sequence[Inference], right: Sequence[bool]) -> dict[str, float]:
    """Of the pairs of each relation the share that is called so."""
    labels = [pair.label for pair in found]
    return {label: _share_where(labels, label, right) for label in RELATIONS}


def _share_where(groups: Sequence[str], group: str, right: Sequence[bool]) -> float:
    return downstream.share([yes for one, yes in zip(groups, right, strict=True) if one == group])


def same_relation(found: Sequence[Inference], answers: Sequence[str]) -> float:
    """The share of pairs whose label the answers name."""
    return downstream.share(downstream.rights(NAME, found, answers))


def _shortcut_score(name: str, exam: str, seed: int) -> float:
    return shortcut_scores(name, seed, LABELS[NAME])[exam]


def _kind_score(series: str, kind: str, seed: int) -> float:
    return downstream.group_score(NAME, series, lambda pair: pair.kind == kind, seed)


def _changed_score(change: str, seed: int) -> float:
    fitted = downstream.tuned(NAME, "pretrained", LABELS[NAME], seed)
    test = downstream.exam_examples(NAME, KNOWN)
    return same_relation(test, changed_answers(fitted, test, change))


EXPERIMENTS = {
    "B14": downstream.case_experiment(
        NAME,
        {
            f"{name}·{exam}": partial(_shortcut_score, name, exam)
            for name in SHORTCUTS
            for exam in WORDINGS
        }
        | {f"{ARMS['pretrained']}·只读假设": hypothesis_only}
        | {
            f"{ARMS['pretrained']}·{change}": partial(_changed_score, change)
            for change in list(CHANGES)[1:]
        }
        | {
            f"{series}·{name}": partial(_kind_score, series, kind)
            for series in SERIES
            for kind, name in KINDS.items()
        },
    )
}
