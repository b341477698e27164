"""Pairs of sentences: inference (OCNLI's JSON lines, e-SNLI's files) and translation (Tatoeba)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from chapter10.data.errors import MalformedError
from chapter10.data.examples import NLIExample, ParallelPair
from chapter10.data.parsers.text import read_lines

LABELS = ("entailment", "neutral", "contradiction")


def read_ocnli(path: Path, notes: Counter[str]) -> Iterator[NLIExample]:
    """JSON lines; rows labelled "-" (annotators disagree) are left out and counted in `notes`."""
    for number, line in enumerate(read_lines(path), 1):
        try:
            row = json.loads(line)
            premise, hypothesis, label = row["sentence1"], row["sentence2"], row["label"]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise MalformedError(
                path, number, f"not a JSON object with sentence1, sentence2, label ({error!r})"
            ) from error
        if label == "-":
            notes['rows labelled "-" (no agreement) left out'] += 1
            continue
        _check_label(path, number, label)
        yield NLIExample(premise, hypothesis, label)


def read_esnli(premises: Path, hypotheses: Path, labels: Path) -> Iterator[NLIExample]:
    """Three files of the same length, a premise, a hypothesis and a label a line."""
    columns = [list(read_lines(path)) for path in (premises, hypotheses, labels)]
    lengths = [len(column) for column in columns]
    if len(set(lengths)) != 1:
        raise MalformedError(
            labels, min(lengths) + 1, f"its files have {lengths} lines, which should be equal"
        )
    for number, (premise, hypothesis, label) in enumerate(zip(*columns, strict=True), 1):
        _check_label(labels, number, label)
        yield NLIExample(premise.strip(), hypothesis.strip(), label)


def read_tatoeba(path: Path) -> Iterator[ParallelPair]:
    """`English TAB Chinese TAB attribution`."""
    for number, line in enumerate(read_lines(path), 1):
        fields = line.split("\t")
        if len(fields) != 3 or not all(field.strip() for field in fields):
            raise MalformedError(
                path, number, f"expected 'source TAB target TAB attribution', found {line[:60]!r}"
            )
        yield ParallelPair(*fields)


def _check_label(path: Path, number: int, label: object) -> None:
    if label not in LABELS:
        raise MalformedError(path, number, f"label {label!r} is none of {', '.join(LABELS)}")
