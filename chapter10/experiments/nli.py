"""What the page `nli` runs (claim B14): two sentences in, one class out.

Beside the comparison that all four cases share: what a reader of only one of the two sentences, or
of their surface, would get right; which kinds of inference are learned; what happens when the
sentences or their segments change places at test time, or one word of the hypothesis changes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import numpy as np
import torch
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor

from chapter10.claims import Measured
from chapter10.data.microworld import Inference
from chapter10.data.microworld.splits import Split
from chapter10.experiments import downstream
from chapter10.experiments.downstream import ARMS, TEST, VALIDATION, Fitted, Start
from chapter10.tasks import BASELINES, TextExample, micro_examples
from chapter10.tasks.classification import ClassRow

NAME = "nli"
LABELS = downstream.LABELS[NAME]
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


def pairs(split: Split, count: int, seed: int | str = 0) -> tuple[Inference, ...]:
    """`count` different pairs of premise and hypothesis."""
    return micro_examples(NAME, split, count, seed)


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


def shortcut_score(name: str, seed: int) -> float:
    """The share of test pairs that a shortcut gets right; it learns from what the models do."""
    test = pairs("test", TEST)
    answers = SHORTCUTS[name](pairs("train", LABELS, seed), pairs("validation", VALIDATION), test)
    return downstream.share(downstream.rights(NAME, test, answers))


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
    segments: Callable[[int], int] = CHANGES[change]
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


# --- one change of the hypothesis that turns the label round

# Said yes and said no, in the wordings that only validation and test have.
_SIDES: Mapping[str, tuple[str, str]] = {
    "kind_of": ("的有", "的没有"),
    "forget": ("是带着", "是没带"),
    "given": ("拿到了", "没拿到"),
    "only": ("到过", "没到过"),
    "mood": ("心里美滋滋的", "心里不美滋滋"),
}
_OPPOSITE = {"entailment": "contradiction", "contradiction": "entailment", "neutral": "neutral"}


def contrast(pair: Inference) -> Inference:
    """The pair with its hypothesis turned round: yes into no, before into after, more into less.

    Entailment becomes contradiction and the other way round; neutral stays neutral.

    Raises:
        ValueError: a hypothesis that is worded otherwise; only held-out wordings can be turned.
    """
    words = [token.text for token in pair.hypothesis_sentence.tokens]
    if pair.kind == "first_then" and "早" in words:  # … 跑步 比 下棋 早
        start = [token.tag for token in pair.hypothesis_sentence.tokens].index("VERB")
        middle, end = words.index("比"), words.index("早")
        words = [*words[:start], *words[middle + 1 : end], "比", *words[start:middle], *words[end:]]
    elif pair.kind == "taller" and words[0] == "和":  # 和 小明 比 ， 小红 更 高
        words[1], words[4] = words[4], words[1]
    text = "".join(words)
    if pair.kind in _SIDES:
        yes, no = _SIDES[pair.kind]
        text = text.replace(no, yes) if no in text else text.replace(yes, no)
    if text == pair.hypothesis:
        raise ValueError(
            f"{pair.hypothesis!r} has no held-out wording of kind {pair.kind!r}; "
            "give a pair of the splits validation or test."
        )
    return Inference(pair.premise, text, _OPPOSITE[pair.label], pair.kind, pair.premise_sentence)


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


@lru_cache(maxsize=2)
def fitted(begin: Start, seed: int) -> Fitted:
    """The model of one start at `LABELS` labels."""
    return downstream.train_model(NAME, begin, seed)


def hypothesis_only(seed: int) -> float:
    """What BERT gets right on test that learns from hypotheses alone and is shown nothing else."""

    def alone(example: TextExample) -> TextExample:
        return TextExample(example.pair or "", label=example.label)

    blind = downstream.train_model(NAME, "pretrained", seed, show=alone)
    test = pairs("test", TEST)
    shown = [alone(example) for example in texts(test)]
    return same_relation(test, [one.label for one in blind.task.predict(blind.model, shown)])


def by_kind(judgements: Sequence[bool], found: Sequence[Inference]) -> dict[str, float]:
    """The share of right answers in every kind."""
    return {
        kind: downstream.share(
            [right for right, pair in zip(judgements, found, strict=True) if pair.kind == kind]
        )
        for kind in KINDS
    }


def by_label(found: Sequence[Inference], answers: Sequence[str]) -> dict[str, float]:
    """Of the pairs of each relation the share that is called so."""
    return {
        label: downstream.share(
            [
                answer == label
                for pair, answer in zip(found, answers, strict=True)
                if pair.label == label
            ]
        )
        for label in RELATIONS
    }


def same_relation(found: Sequence[Inference], answers: Sequence[str]) -> float:
    """The share of pairs whose label the answers name."""
    return downstream.share(downstream.rights(NAME, found, answers))


_CASE = downstream.case_experiment(NAME)
_BY_KIND = {
    f"{ARMS[begin]}·{name}": (begin, kind)
    for begin in downstream.STARTS
    for kind, name in KINDS.items()
}
_BLIND = f"{ARMS['pretrained']}·只读假设"
_CHANGED = {f"{ARMS['pretrained']}·{change}": change for change in CHANGES if change != "照常"}


def _run(arm: str, seed: int) -> Measured:
    """One arm of B14."""
    test = pairs("test", TEST)
    steps = downstream.steps_for(LABELS)
    if arm in _BY_KIND:
        begin, kind = _BY_KIND[arm]
        answers = changed_answers(fitted(begin, seed), test, "照常")
        return Measured(by_kind(downstream.rights(NAME, test, answers), test)[kind], steps)
    if arm in _CHANGED:
        answers = changed_answers(fitted("pretrained", seed), test, _CHANGED[arm])
        return Measured(same_relation(test, answers), steps)
    if arm == _BLIND:
        return Measured(hypothesis_only(seed), steps)
    if arm in SHORTCUTS:
        return Measured(shortcut_score(arm, seed))
    return _CASE.run(arm, seed)


EXPERIMENTS = {
    "B14": dataclasses.replace(
        _CASE, controls=(*_CASE.controls, *SHORTCUTS, _BLIND, *_CHANGED, *_BY_KIND), run=_run
    )
}
