"""What the book claims (``claims.yml``), and what an experiment must offer to test a claim.

The file is committed before a claim's experiment runs, so that nobody fits a threshold to a result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import yaml

Direction = Literal[">=", "<="]
Status = Literal["open", "measured"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One row of the syllabus.

    id: "B3". page: the page's file name without its ending. text: the claim, in Chinese.
    measure: what is measured, in Chinese, or None where that is not yet decided.
    threshold, direction: the one-sided bound that every judged arm has to keep, ">=" or "<=".
    status: "open" (nothing measured yet) or "measured".
    """

    id: str
    page: str
    text: str
    measure: str | None = None
    threshold: float | None = None
    direction: Direction | None = None
    status: Status = "open"

    def __post_init__(self) -> None:
        given = [x is not None for x in (self.measure, self.threshold, self.direction)]
        if any(given) != all(given):
            raise ValueError(
                f"Claim {self.id} gives only some of measure, threshold and direction; "
                "it needs all three, or none while it is open."
            )
        if self.status not in get_args(Status):
            raise ValueError(
                f"Claim {self.id} has status {self.status!r}; open and measured exist."
            )
        if self.status == "measured" and self.measure is None:
            raise ValueError(f"Claim {self.id} is measured, so it needs measure and threshold.")
        if self.direction is not None and self.direction not in get_args(Direction):
            raise ValueError(f"Claim {self.id} has direction {self.direction!r}; >= and <= exist.")

    def holds(self, value: float) -> bool:
        """Whether a value keeps the bound. NaN never does."""
        if self.threshold is None:
            raise ValueError(f"Claim {self.id} has no threshold yet; write one into claims.yml.")
        return value >= self.threshold if self.direction == ">=" else value <= self.threshold


class Measured(NamedTuple):
    """What one run of an experiment found."""

    value: float
    """In the units of the claim's measure."""
    steps: int = 0
    """Training steps taken, 0 where nothing is trained."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """How a claim is measured; ``chapter10/experiments/<page>.py`` lists its own as EXPERIMENTS.

    arms: what the threshold judges, every one of them.
    controls: what stands beside them and is shown, not judged: baselines, planted faults.
    run: (arm or control, seed) -> Measured; the page calls the same function.
    data: what was measured on, with its hash where it is a file.
    """

    arms: tuple[str, ...]
    run: Callable[[str, int], Measured]
    controls: tuple[str, ...] = ()
    data: str

    def __post_init__(self) -> None:
        names = self.arms + self.controls
        if not self.arms or len(set(names)) < len(names):
            raise ValueError(
                f"Experiment has arms {self.arms} and controls {self.controls}; "
                "it needs at least one arm, and every name once."
            )


@cache
def load_claims() -> Mapping[str, Claim]:
    """Every claim of the book by id, in the order of the syllabus."""
    # Not named by a string: a page's outputs hang on its own book/evidence/<ID>.json, which repeats
    # the threshold, and not on the claims of other pages (see tools/notebooks.py).
    path = Path(__file__).with_suffix(".yml")
    with path.open(encoding="utf-8") as file:
        entries = yaml.safe_load(file)
    return {name: Claim(id=name, **entry) for name, entry in entries.items()}


def find_claim(name: str) -> Claim:
    """The claim with this id; ValueError where there is none."""
    claims = load_claims()
    if name not in claims:
        raise ValueError(f"There is no claim {name!r}; the ids are {', '.join(claims)}.")
    return claims[name]
