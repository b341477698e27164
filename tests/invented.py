"""What stands in for long measurements in tests of what a page asserts of its own model: rows of
evidence as they might have been stored, and short exams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from chapter10 import evidence
from chapter10.experiments import downstream


def invent_rows(monkeypatch: pytest.MonkeyPatch, claim: str, values: Mapping[str, float]) -> None:
    """Give a claim five equal rows of every arm of its experiment.

    values: the beginning of an arm's name -> its value, the first that fits; others have 0.5.
    """
    experiment = evidence.find_experiment(claim)
    assert experiment is not None
    rows: list[dict[str, Any]] = []
    for arm in (*experiment.arms, *experiment.controls):
        value = next((given for start, given in values.items() if arm.startswith(start)), 0.5)
        rows += [{"arm": arm, "seed": seed, "value": value} for seed in range(evidence.SEEDS)]
    stored = evidence.load_rows

    def load_rows(name: str, *folder: Any) -> list[dict[str, Any]]:
        return rows if name == claim else stored(name, *folder)

    monkeypatch.setattr(evidence, "load_rows", load_rows)


def shorten_exams(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Both exams of every case have so many examples."""
    whole = downstream.exam_examples

    def exam_examples(name: str, exam: str = downstream.NEW) -> tuple[Any, ...]:
        return whole(name, exam, count)

    monkeypatch.setattr(downstream, "exam_examples", exam_examples)
