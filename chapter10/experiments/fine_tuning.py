"""What the page `fine-tuning` runs (claims B8, B9 and B10): one body, two starts, four tasks.

One fine-tuning of each task from each start serves all three claims: how far each part moved, how
the loss fell, what it scored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from chapter10.claims import Experiment, Measured
from chapter10.experiments.downstream import (
    ARMS,
    GAIN,
    JUDGED,
    LABELS,
    RATES,
    SEARCH_SEED,
    STARTS,
    TEST,
    Fitted,
    Start,
    exam_examples,
    judged,
    share,
    steps_for,
    train_model,
    validation_examples,
)
from chapter10.experiments.glue import Line, baseline_line
from chapter10.experiments.parts import (
    EMBEDDINGS,
    HEAD,
    VARIANTS,
    Weights,
    freeze,
    moved,
    weights_of,
)
from chapter10.tasks import MICRO_TASKS

MAIN = "tagging"
"""The task whose parts and variants are looked at; its training is the shortest."""
TITLES = {"sentiment": "情感", "tagging": "词性", "nli": "推理", "qa": "问答"}
"""The tasks as the page and the stored rows name them."""
QUARTERS = 4
"""The training losses of a run are averaged over so many parts of it."""

VARIANT_TRIED = (*RATES, 5e-3, 1e-2)
VARIANT_RATES = {"最后一层": 5e-3, "只有头": 1e-2}
"""Of these what `search_variant_rate` found for the frozen variants."""


# --- one fine-tuning, and what is kept of it


@dataclass(frozen=True)
class Tuned:
    """A fine-tuned model, which has the weights best on validation data, and the weights before
    the first step and after the last one."""

    fitted: Fitted
    start: Weights
    end: Weights

    @property
    def losses(self) -> list[float]:
        """Of every step, in nats."""
        return self.fitted.history.losses


def tune(name: str, begin: Start, seed: int, variant: str = "全部") -> Tuned:
    """One fine-tuning at the budget of the task."""
    seen: list[Weights] = []
    fitted = train_model(
        name,
        begin,
        seed,
        rate=VARIANT_RATES.get(variant),
        prepare=freeze(variant),
        watch=lambda model: seen.append(weights_of(model)),
    )
    return Tuned(fitted, seen[0], seen[-1])


def search_variant_rate(variant: str) -> float:
    """The rate of `VARIANT_TRIED` that is best on validation data of `MAIN`; it prints."""
    scores = {}
    for rate in VARIANT_TRIED:
        fitted = train_model(MAIN, "pretrained", SEARCH_SEED, rate=rate, prepare=freeze(variant))
        scores[rate] = share(judged(MAIN, fitted, validation_examples(MAIN, TEST)))
        print(f"{variant} {rate:.0e} {scores[rate]:.3f}", flush=True)
    return max(VARIANT_TRIED, key=lambda rate: scores[rate])


def quarters(losses: Sequence[float]) -> list[float]:
    """The mean loss of each quarter of a run, in nats."""
    return [float(part.mean()) for part in np.array_split(np.array(losses), QUARTERS)]


@dataclass(frozen=True)
class Outcome:
    """quarters: see `quarters`. score: in the judged exam. moved: see `moved`."""

    quarters: Sequence[float]
    score: float
    moved: Mapping[str, float]


@lru_cache(maxsize=128)
def outcome(name: str, begin: Start, seed: int, variant: str = "全部") -> Outcome:
    """What is kept of a fine-tuning; one run serves all three claims."""
    tuned = tune(name, begin, seed, variant)
    return Outcome(
        quarters=quarters(tuned.losses),
        score=share(judged(name, tuned.fitted, exam_examples(name, JUDGED[name]))),
        moved=moved(tuned.start, tuned.end),
    )


def gap(pretrained: Sequence[float], scratch: Sequence[float]) -> float:
    """How far the loss from scratch lies above the other, from the quarters of both, in nats.

    The smaller of two gaps: over the whole run (falls faster) and over its end (ends lower).
    """
    gaps = np.array(scratch) - np.array(pretrained)
    return float(min(gaps.mean(), gaps[-1]))


# --- evidence: the same functions over seeds

PARTS = (EMBEDDINGS, "第 1 层", "第 2 层", "第 3 层", HEAD)
MODEL_ROWS = {ARMS[begin]: begin for begin in STARTS}
BASELINE_ROWS = {"词袋": "bag of words", "最常见": "majority"}


def _named(title: str) -> str:
    return next(name for name, known in TITLES.items() if known == title)


def _steps(name: str) -> int:
    return steps_for(LABELS[name])


def _run_distance(arm: str, seed: int) -> Measured:
    """One arm of B8: TASK and TASK·随机起点 are the part that moved least. START·PART, 冻结的主体
    and VARIANT·分数 are of `MAIN`."""
    title, _, what = arm.partition("·")
    if title in TITLES.values():
        name, begin = _named(title), STARTS[bool(what)]
        return Measured(min(outcome(name, begin, seed).moved.values()), _steps(name))
    steps = _steps(MAIN)
    if title in MODEL_ROWS:
        return Measured(outcome(MAIN, MODEL_ROWS[title], seed).moved[what], steps)
    if arm == "冻结的主体":
        found = outcome(MAIN, "pretrained", seed, "只有头").moved
        return Measured(max(value for part, value in found.items() if part != HEAD), steps)
    return Measured(outcome(MAIN, "pretrained", seed, title).score, steps)


def _run_loss(arm: str, seed: int) -> Measured:
    """One arm of B9: TASK is the gap, TASK·START·QUARTER the mean loss there."""
    title, *rest = arm.split("·")
    name = _named(title)
    runs = {begin: outcome(name, begin, seed).quarters for begin in STARTS}
    steps = _steps(name)
    if not rest:
        return Measured(gap(runs["pretrained"], runs["scratch"]), steps)
    return Measured(runs[MODEL_ROWS[rest[0]]][int(rest[1]) - 1], steps)


def model_line(row: str, seed: int) -> Line:
    """The scores of a start on every task."""
    begin = MODEL_ROWS[row]
    return Line(row, {name: outcome(name, begin, seed).score for name in MICRO_TASKS})


def _run_glue(arm: str, seed: int) -> Measured:
    """One arm of B10: the lead of the pretrained start, or the average of a row, ROW·TASK."""
    steps = sum(map(_steps, TITLES))
    if arm == GAIN:
        rivals = (model_line(ARMS["scratch"], seed), baseline_line("bag of words", seed))
        best = max(rival.average for rival in rivals)
        lead = model_line(ARMS["pretrained"], seed).average - best
        return Measured(lead, steps)
    row, _, title = arm.partition("·")
    if row in MODEL_ROWS:
        line, steps = model_line(row, seed), _steps(_named(title)) if title else steps
    else:
        line, steps = baseline_line(BASELINE_ROWS[row], seed), 0
    return Measured(line.scores[_named(title)] if title else line.average, steps)


_BUDGETS = "、".join(f"{title} {LABELS[name]}（{JUDGED[name]}）" for name, title in TITLES.items())
_DATA = f"微世界，标注 {_BUDGETS}"
_ROWS = (*MODEL_ROWS, *BASELINE_ROWS)

EXPERIMENTS = {
    "B8": Experiment(
        arms=tuple(TITLES.values()),
        controls=(
            *(f"{title}·随机起点" for title in TITLES.values()),
            *(f"{row}·{part}" for row in MODEL_ROWS for part in PARTS),
            "冻结的主体",
            *(f"{variant}·分数" for variant in VARIANTS),
        ),
        run=_run_distance,
        data=_DATA + f"；按部分的距离和分数是{TITLES[MAIN]}任务的，测试 {TEST} 例",
    ),
    "B9": Experiment(
        arms=tuple(TITLES.values()),
        controls=tuple(
            f"{title}·{row}·{quarter}"
            for title in TITLES.values()
            for row in MODEL_ROWS
            for quarter in range(1, QUARTERS + 1)
        ),
        run=_run_loss,
        data=_DATA + "；训练损失",
    ),
    "B10": Experiment(
        arms=(GAIN,),
        controls=(*_ROWS, *(f"{row}·{title}" for row in _ROWS for title in TITLES.values())),
        run=_run_glue,
        data=_DATA + f"，测试 {TEST} 例",
    ),
}
