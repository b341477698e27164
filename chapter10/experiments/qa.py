"""What the page `qa` runs (claim B15): two vectors say where in a text the answer begins and ends.

The comparison of the two starts is that of :mod:`chapter10.experiments.downstream`; here are the
parts of the task that the page takes apart: the two distributions, the pair of separate maxima,
windows, questions without an answer, and where wrong answers come from.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Literal, get_args

import torch
from torch import Tensor

from chapter10.data import Answer, Question
from chapter10.data.microworld import Asked, questions, shipped
from chapter10.data.microworld.baselines import most_shared
from chapter10.data.microworld.splits import Held, Split
from chapter10.data.microworld.tokens import Sentence, Span
from chapter10.experiments import downstream
from chapter10.experiments.downstream import SERIES, WORDINGS, Fitted
from chapter10.tasks import (
    PredictedAnswer,
    QuestionAnswering,
    TaskModel,
    Window,
    best_span,
)
from chapter10.tasks.finetuning import BATCH_SIZE
from chapter10.tasks.micro import MAX_ANSWER, MAX_LENGTH
from chapter10.training import Batches, TrainingConfig, train

NAME = "qa"
ROLES = {"who": "谁", "what": "什么", "where": "哪儿", "when": "什么时候"}
Outcome = Literal["right", "span", "decoy", "other"]
OUTCOMES: dict[Outcome, str] = {
    "right": "答对 right",
    "span": "句子对，片段错 wrong span",
    "decoy": "没有发生的那句 decoy",
    "other": "别的句子 other",
}
Fault = Literal["none", "backwards", "across sentences"]


# --- the texts, whose truth is known


def sentences(question: Asked) -> list[Span]:
    """Where each sentence of the text stands, its full stop included."""
    ends = [stop + 1 for stop, character in enumerate(question.context) if character == "。"]
    return [Span(*pair) for pair in zip([0, *ends[:-1]], ends, strict=True)]


def sentence_at(question: Asked, place: int) -> int:
    """The number of the sentence that holds a character of the text."""
    return next(i for i, (_, stop) in enumerate(sentences(question)) if place < stop)


def candidate_text(question: Asked, candidate: tuple[int, int]) -> str:
    """The stretch of text from the first to the last token of a candidate."""
    offsets = question.context_sentence.offsets
    return question.context[offsets[candidate[0]].start : offsets[candidate[1]].end]


def decoy(question: Asked) -> int:
    """The number of the sentence that differs from the answer's in the asked role alone, and says
    what did not happen.

    Raises:
        ValueError: the question has no answer, or there is no such sentence.
    """
    if question.span is None:
        raise ValueError(f"{question.question!r} has no answer; then nothing is beside it.")
    roles: list[dict[str, str]] = [{} for _ in question.candidates]
    number = 0
    for token in question.context_sentence.tokens:
        if token.role and token.role != question.asked:
            roles[number][token.role] = token.sense
        number += token.text == "。"
    right = question.candidates.index(question.span)
    same = [i for i, found in enumerate(roles) if found == roles[right] and i != right]
    if len(same) != 1:
        raise ValueError(f"{len(same)} sentences are like the answer's in {question.context!r}.")
    return same[0]


def outcome(question: Asked, predicted: PredictedAnswer) -> Outcome:
    """Whether an answer is right, and if not, where it was taken from (by its first character)."""
    if downstream.rights(NAME, [question], [predicted.text])[0]:
        return "right"
    if predicted.start is None or not question.answers or question.answers[0].start is None:
        return "other"
    found = sentence_at(question, predicted.start)
    if found == sentence_at(question, question.answers[0].start):
        return "span"
    return "decoy" if found == decoy(question) else "other"


def outcome_counts(
    examples: Sequence[Asked], predictions: Sequence[PredictedAnswer]
) -> dict[str, list[int]]:
    """For each outcome how often it occurred, one number for each role in the order of `ROLES`."""
    pairs = [
        (one.asked, outcome(one, found)) for one, found in zip(examples, predictions, strict=True)
    ]
    return {name: [pairs.count((role, kind)) for role in ROLES] for kind, name in OUTCOMES.items()}


def is_candidate(question: Asked, predicted: PredictedAnswer) -> bool:
    """Whether an answer is, to the character, a stretch of the asked kind, be it the wrong one."""
    return predicted.text in [candidate_text(question, one) for one in question.candidates]


# --- answers without understanding; both even know the four candidates


def random_candidates(examples: Sequence[Asked], seed: int = 0) -> list[str]:
    """One of the four candidates by lot."""
    draws = random.Random(f"qa/{seed}")
    return [candidate_text(one, draws.choice(one.candidates)) for one in examples]


def shared_words(examples: Sequence[Asked], seed: int = 0) -> list[str]:
    """The candidate in the sentence that shares most words with the question; no lot is drawn."""
    return [candidate_text(one, most_shared(one)) for one in examples]


def shared_words_but_le(examples: Sequence[Asked], seed: int = 0) -> list[str]:
    """:func:`shared_words`, the 了 of the question not counted: it marks what did happen."""
    kept = []
    for one in examples:
        tokens = tuple(token for token in one.question_sentence.tokens if token.text != "了")
        kept.append(replace(one, question_sentence=Sentence(tokens, "zh")))
    return shared_words(kept)


KNOWING: Mapping[str, Callable[[Sequence[Asked], int], list[str]]] = {
    "随机候选": random_candidates,
    "词重合": shared_words,
    "词重合不算了": shared_words_but_le,
}
"""By their names in the evidence: (questions, seed) -> answers."""


# --- the two distributions, and what can go wrong with them


@dataclass(frozen=True)
class Reading:
    """One window: the probabilities of start and end for each token of the document.

    tokens: as the text has them. offsets: where they stand in the document. start, end: (n,), each
    sums to 1 over all windows that share its softmax.
    """

    tokens: list[str]
    offsets: list[tuple[int, int]]
    start: Tensor
    end: Tensor


def read(
    task: QuestionAnswering, model: TaskModel, examples: Sequence[Question]
) -> list[list[Reading]]:
    """For each question the probabilities over its document, window by window.

    All windows share one softmax, as in `QuestionAnswering.predict`.
    """
    windows = task.encode(examples, targets=False)
    outputs = [_inside(*pair) for pair in zip(windows, task.outputs(model, windows), strict=True)]
    found: list[list[Reading]] = []
    for index, question in enumerate(examples):
        mine = [i for i, window in enumerate(windows) if window.example == index]
        totals = [torch.cat([outputs[i][side] for i in mine]).logsumexp(0) for side in (0, 1)]
        readings = []
        for i in mine:
            start, end = (side - top for side, top in zip(outputs[i], totals, strict=True))
            offsets = [offset for offset in windows[i].offsets if offset is not None]
            tokens = [question.context[begin:stop] for begin, stop in offsets]
            readings.append(Reading(tokens, offsets, start.exp(), end.exp()))
        found.append(readings)
    return found


def alone(reading: Reading) -> Reading:
    """The window as it would be with a softmax of its own."""
    start, end = reading.start / reading.start.sum(), reading.end / reading.end.sum()
    return replace(reading, start=start, end=end)


def _inside(window: Window, logits: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Logits of the document's tokens alone."""
    kept = torch.tensor([offset is not None for offset in window.offsets])
    start, end = (side[: len(window)][kept] for side in logits)
    return start, end


def read_answer(reading: Reading, max_length: int) -> tuple[int, int, float]:
    """The best span of one window: first token, last token, product of their probabilities."""
    everywhere = torch.ones(len(reading.tokens), dtype=torch.bool)
    span = best_span(reading.start.log(), reading.end.log(), everywhere, max_length)
    return span.start, span.end, float(torch.tensor(span.score).exp())


def separate_maxima(readings: Sequence[Sequence[Reading]]) -> list[tuple[int, int]]:
    """For each question the likeliest start and the likeliest end, each taken by itself.

    As places of characters in the text: the first of the start's token, the last of the end's. Of a
    long document only the first window is looked at.
    """
    return [
        _places(reading, int(reading.start.argmax()), int(reading.end.argmax()))
        for reading, *_ in readings
    ]


def best_pairs(readings: Sequence[Sequence[Reading]], max_length: int) -> list[tuple[int, int]]:
    """For each question the best span of at most so many tokens, in the same form."""
    return [_places(reading, *read_answer(reading, max_length)[:2]) for reading, *_ in readings]


def _places(reading: Reading, first: int, last: int) -> tuple[int, int]:
    return reading.offsets[first][0], reading.offsets[last][1] - 1


def fault(question: Asked, pair: tuple[int, int]) -> Fault:
    """Why a start and an end make no answer, if they do not: backwards, or over a full stop."""
    if pair[1] < pair[0]:
        return "backwards"
    across = sentence_at(question, pair[0]) != sentence_at(question, pair[1])
    return "across sentences" if across else "none"


def fault_counts(examples: Sequence[Asked], pairs: Sequence[tuple[int, int]]) -> dict[Fault, int]:
    """How often each fault occurs."""
    found = [fault(one, pair) for one, pair in zip(examples, pairs, strict=True)]
    return {name: found.count(name) for name in get_args(Fault)}


# --- documents longer than a window


def joined(examples: Sequence[Asked], texts: int = 3) -> list[Question]:
    """Each `texts` neighbouring texts made one document; a question of each in turn is asked."""
    found = []
    for first in range(0, len(examples) - texts + 1, texts):
        group = examples[first : first + texts]
        asked = (first // texts) % texts
        one = group[asked]
        before = sum(len(earlier.context) for earlier in group[:asked])
        answers = tuple(
            Answer(answer.text, before + answer.start)
            for answer in one.answers
            if answer.start is not None
        )
        document = "".join(each.context for each in group)
        found.append(Question(one.id, document, one.question, answers))
    return found


def surest_window(readings: Sequence[Reading], max_length: int) -> str:
    """The answer of the window that gives its best span the highest probability."""
    found = [(read_answer(reading, max_length), reading) for reading in readings]
    (first, last, _), reading = max(found, key=lambda pair: pair[0][2])
    return "".join(reading.tokens[first : last + 1])


# --- questions without an answer

WITHOUT = 0.5
"""The share of questions whose text does not tell."""


@lru_cache(maxsize=8)
def with_gaps(
    split: Split, count: int, seed: int = 0, wordings: Held = "held out"
) -> tuple[Asked, ...]:
    """`count` questions, half of them without an answer."""
    found = questions(
        shipped("full"),
        count,
        seed=f"gaps/{seed}",
        split=split,
        unanswerable=WITHOUT,
        wordings=wordings,
    )
    return tuple(found)


def learn_to_refuse(
    fitted: Fitted, seed: int, *, labels: int, steps: int, rate: float, progress: bool = False
) -> Fitted:
    """A copy of a fine-tuned model that learns on, from questions of which half have no answer."""
    task = QuestionAnswering(
        fitted.task.tokenizer,
        max_length=MAX_LENGTH,
        max_answer_length=MAX_ANSWER,
        no_answer=True,
    )
    model = copy.deepcopy(fitted.model)
    config = TrainingConfig(
        steps=steps,
        learning_rate=rate,
        warmup_steps=steps // 10,
        seed=seed,
        device="cpu",
        progress=progress,
    )
    rows = task.training_rows(with_gaps("train", labels, seed))
    batches = Batches(rows, task.collate, batch_size=BATCH_SIZE, seed=seed)
    history = train(model, batches, task.loss, config)
    return Fitted(task, model, history)


# --- evidence


def _role_score(series: str, role: str, seed: int) -> float:
    return downstream.group_score(NAME, series, lambda one: one.asked == role, seed)


def _knowing_score(name: str, exam: str, seed: int) -> float:
    examples = downstream.exam_examples(NAME, exam)
    return downstream.share(downstream.rights(NAME, examples, KNOWING[name](examples, seed)))


EXPERIMENTS = {
    "B15": downstream.case_experiment(
        NAME,
        {
            f"{name}·{exam}": partial(_knowing_score, name, exam)
            for name in KNOWING
            for exam in WORDINGS
        }
        | {
            f"{series}·{word}": partial(_role_score, series, role)
            for series in SERIES
            for role, word in ROLES.items()
        },
    )
}
