"""What the pages on the four cases share: one fine-tuning from each start, and its score.

Labels, steps, learning rates and seeds of every comparison stand here, once. Training examples go
by the seed of a run; validation and test examples are the same for all, and only validation may be
used for choices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from chapter10.claims import Experiment, Measured
from chapter10.data.microworld.splits import Held
from chapter10.models import shipped
from chapter10.tasks import (
    BASELINES,
    MICRO_TASKS,
    Task,
    TaskModel,
    fit,
    micro_examples,
    micro_task,
    start,
)
from chapter10.tokenizers import Tokenizer
from chapter10.training import History, TrainingConfig

CHECKPOINT = "bert-zh-micro"
Start = Literal["pretrained", "scratch"]
STARTS: tuple[Start, ...] = get_args(Start)
ARMS: dict[Start, str] = {"pretrained": "预训练", "scratch": "随机起点"}
BUDGETS = (16, 64, 256, 1024, 4096)
"""Labelled examples of the label efficiency curve."""
CURVES = {"sentiment": BUDGETS, "tagging": BUDGETS, "nli": BUDGETS, "qa": BUDGETS[:-1]}
"""Which of them each task has; with the longest rows, 4,096 questions would take too long."""
LABELS = {"sentiment": 1024, "tagging": 64, "nli": 4096, "qa": 256}
"""For each task the budget at which the starts are compared, chosen on validation data and fixed
before any test score was seen."""
NEW, KNOWN = "新说法", "老说法"
WORDINGS: Mapping[str, Held] = {NEW: "held out", KNOWN: "known"}
"""Two exams for every case: sentences worded as no training example is, and sentences that are
worded like these. People and sentences are new in both; so are the adjectives of reviews."""
SERIES: Mapping[str, tuple[Start, str]] = {
    f"{arm}·{exam}": (begin, exam) for begin, arm in ARMS.items() for exam in WORDINGS
}
"""Who sits which exam -> start and exam: what a page tells apart by groups of examples."""
JUDGED = dict.fromkeys(LABELS, KNOWN)
"""For each task the exam in which the starts are compared, fixed likewise."""
VALIDATION, TEST = 200, 1000
TEST_DRAW = 2
"""Seed of the test examples. Earlier draws were used while the micro-world was being changed."""
SEARCH_SEED = 100
"""Learning rates are chosen with this seed, which no measurement uses."""
RATES = (5e-4, 1e-3, 2e-3)
BEST_RATES: dict[tuple[str, Start], float] = {
    ("sentiment", "pretrained"): 2e-3,
    ("sentiment", "scratch"): 5e-4,
    ("tagging", "pretrained"): 2e-3,
    ("tagging", "scratch"): 5e-4,
    ("nli", "pretrained"): 5e-4,
    ("nli", "scratch"): 5e-4,
    ("qa", "pretrained"): 2e-3,
    ("qa", "scratch"): 2e-3,
}
"""What `search_rate` found, on validation data at the budget of `LABELS`."""


def steps_for(labels: int) -> int:
    """Updates of 16 examples: 100 for few labels, four times through them for many."""
    return max(100, 4 * labels // 16)


def training_config(
    task: Task[Any, Any, Any],
    rate: float,
    steps: int,
    seed: int,
    *,
    evaluations: int = 4,
    progress: bool = False,
) -> TrainingConfig:
    """One fine-tuning: a tenth of the steps to warm up, and the weights best on validation kept."""
    return TrainingConfig(
        steps=steps,
        learning_rate=rate,
        warmup_steps=steps // 10,
        eval_every=max(1, steps // evaluations),
        patience=evaluations + 2,  # never stops early, but keeps the best weights
        monitor=task.measure,
        maximize=True,
        seed=seed,
        device="cpu",
        progress=progress,
    )


@dataclass(frozen=True)
class Fitted:
    """One fine-tuned model. history: its losses, and its scores on validation data."""

    task: Task[Any, Any, Any]
    model: TaskModel
    history: History


def make_task(name: str, checkpoint: Path | str | None = None) -> Task[Any, Any, Any]:
    """One of the four cases, for the tokeniser of a checkpoint, the shipped one by default."""
    return micro_task(name).make(Tokenizer.from_pretrained(checkpoint or shipped(CHECKPOINT)))


def converted(name: str, examples: Sequence[Any]) -> list[Any]:
    """The micro-world's examples as the task takes them."""
    return [micro_task(name).convert(example) for example in examples]


def train_model(
    name: str,
    begin: Start,
    seed: int,
    *,
    labels: int | None = None,
    checkpoint: Path | str | None = None,
    rate: float | None = None,
    steps: int | None = None,
    evaluations: int = 4,
    prepare: Callable[[TaskModel], None] = lambda model: None,
    watch: Callable[[TaskModel], None] = lambda model: None,
    show: Callable[[Any], Any] = lambda example: example,
    progress: bool = False,
) -> Fitted:
    """Fine-tune on `labels` examples drawn by the seed; the weights best on validation are kept.

    Args:
        name: of the task.
        begin: from the checkpoint, or from random weights of the same sizes.
        seed: of the training examples, their order, the head, and the random start.
        labels: how many training examples; by default the task's of `LABELS`.
        checkpoint: a folder or a name on the hub; the shipped one by default.
        rate: learning rate; by default the one that the search found for task and start.
        steps: updates; by default as many as `steps_for` says.
        evaluations: on validation data, spread over the training.
        prepare: called on the model before it is trained, to freeze parts of it, say.
        watch: called on the model at each evaluation.
        show: an example as the task takes it -> what the model is shown, to hide parts of it, say.
        progress: show a bar.
    """
    checkpoint = checkpoint or shipped(CHECKPOINT)
    task = make_task(name, checkpoint)
    model = start(task, checkpoint, seed=seed, pretrained=begin == "pretrained")
    prepare(model)
    labels = labels or LABELS[name]
    steps = steps or steps_for(labels)
    config = training_config(
        task,
        rate or BEST_RATES[name, begin],
        steps,
        seed,
        evaluations=evaluations,
        progress=progress,
    )
    parts = (micro_examples(name, "train", labels, seed), validation_examples(name, VALIDATION))
    train, chosen_by = ([show(one) for one in converted(name, part)] for part in parts)
    return Fitted(task, model, fit(task, model, train, chosen_by, config, watch))


def validation_examples(name: str, count: int) -> tuple[Any, ...]:
    """As many in new wordings as in known ones; they choose weights, rates and budgets."""
    half = count // 2
    return tuple(
        example
        for wordings in WORDINGS.values()
        for example in micro_examples(name, "validation", half, 0, wordings)
    )


def exam_examples(name: str, exam: str = NEW, count: int = TEST) -> tuple[Any, ...]:
    """The test examples of an exam."""
    return micro_examples(name, "test", count, TEST_DRAW, WORDINGS[exam])


def judged(name: str, fitted: Fitted, examples: Sequence[Any]) -> list[bool]:
    """For each example of the micro-world whether the model is right."""
    predictions = fitted.task.predict(fitted.model, converted(name, examples))
    return rights(name, examples, map(micro_task(name).answer, predictions))


def rights(name: str, examples: Sequence[Any], answers: Iterable[Any]) -> list[bool]:
    """For each example of the micro-world whether the answer is right."""
    right = micro_task(name).right
    return [right(one, answer) for one, answer in zip(examples, answers, strict=True)]


def share(judgements: Sequence[bool]) -> float:
    """Of those that are right."""
    return sum(judgements) / len(judgements)


@lru_cache(maxsize=16)
def tuned(name: str, begin: Start, labels: int, seed: int) -> Fitted:
    """A model after one fine-tuning; those asked for last are kept."""
    return train_model(name, begin, seed, labels=labels)


@lru_cache(maxsize=256)
def exam_rights(name: str, begin: Start, labels: int, seed: int, exam: str) -> Sequence[bool]:
    """For each test example of an exam whether the model is right after one fine-tuning."""
    return judged(name, tuned(name, begin, labels, seed), exam_examples(name, exam))


def group_score(name: str, series: str, belongs: Callable[[Any], bool], seed: int) -> float:
    """The share of right answers among the test examples of one group, at the budget of `LABELS`.

    Args:
        name: of the task.
        series: one of `SERIES`.
        belongs: the micro-world's example -> whether it is of the group.
        seed: of the fine-tuning.
    """
    begin, exam = SERIES[series]
    right = exam_rights(name, begin, LABELS[name], seed, exam)
    pairs = zip(exam_examples(name, exam), right, strict=True)
    return share([yes for one, yes in pairs if belongs(one)])


def search_rate(name: str, begin: Start) -> float:
    """The learning rate of `RATES` with the best validation score; the same search for each start.

    It prints what each scored, in new and in known wordings.
    """
    scores = {}
    examples = validation_examples(name, TEST)
    for rate in RATES:
        right = judged(name, train_model(name, begin, SEARCH_SEED, rate=rate), examples)
        scores[rate] = share(right)
        new, known = share(right[: TEST // 2]), share(right[TEST // 2 :])
        print(f"{name:10s} {begin:10s} {rate:.0e} {new:.3f} {known:.3f}", flush=True)
    return max(RATES, key=lambda rate: scores[rate])


@lru_cache(maxsize=64)
def baseline_scores(name: str, baseline: str, seed: int, labels: int) -> Mapping[str, float]:
    """The scores of a classical baseline, in both exams, that learns from the models' labels."""
    train = converted(name, micro_examples(name, "train", labels, seed))
    validation = converted(name, validation_examples(name, VALIDATION))
    scores = {}
    for exam in WORDINGS:
        test = exam_examples(name, exam)
        answers = BASELINES[baseline](train, validation, converted(name, test))
        scores[exam] = share(rights(name, test, answers))
    return scores


GAIN = "领先"


def case_experiment(
    name: str, more: Mapping[str, Callable[[int], float]] | None = None
) -> Experiment:
    """What the page on a case measures: how many points the pretrained start gains at the budget of
    `LABELS` in the exam of `JUDGED`; the scores of both starts at every budget, and of the
    classical baselines, in both exams, stand beside it.

    more: further controls of the page, name -> seed -> value.
    """
    labels, more = LABELS[name], more or {}
    curve = {
        f"{ARMS[begin]} {count}·{exam}": (begin, count, exam)
        for begin in STARTS
        for count in CURVES[name]
        for exam in WORDINGS
    }
    classical = {
        f"{baseline}·{exam}": (baseline, exam)
        for baseline in MICRO_TASKS[name].baselines
        for exam in WORDINGS
    }

    def score(begin: Start, count: int, exam: str, seed: int) -> float:
        return share(exam_rights(name, begin, count, seed, exam))

    def run(arm: str, seed: int) -> Measured:
        if arm == GAIN:
            one, other = (score(begin, labels, JUDGED[name], seed) for begin in STARTS)
            return Measured(one - other, steps_for(labels))
        if arm in curve:
            begin, count, exam = curve[arm]
            return Measured(score(begin, count, exam, seed), steps_for(count))
        if arm in classical:
            baseline, exam = classical[arm]
            return Measured(baseline_scores(name, baseline, seed, labels)[exam])
        return Measured(more[arm](seed))

    return Experiment(
        arms=(GAIN,),
        controls=(*curve, *classical, *more),
        run=run,
        data=f"微世界，{labels} 个标注（曲线 {CURVES[name][0]}–{CURVES[name][-1]}），"
        f"{'、'.join(WORDINGS)}测试各 {TEST} 例",
    )
