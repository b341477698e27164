"""How far values measured with several seeds lie apart: means, intervals, and the next value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from scipy import stats  # type: ignore[import-untyped]

PREDICTION_LEVEL = 0.999
INTERVAL_LEVEL = 0.95


class Summary(NamedTuple):
    """One arm over its seeds."""

    n: int
    mean: float
    low: float
    """Lower end of the 95 % interval of the mean (Student's t); equal to mean where n is 1."""
    high: float


def summarise(values: Sequence[float]) -> Summary:
    """Mean and its 95 % interval over seeds; ValueError without values."""
    if not values:
        raise ValueError("summarise was given no value; it needs at least one.")
    n, mean = len(values), math.fsum(values) / len(values)
    half = _t(INTERVAL_LEVEL, n) * _deviation(values) / math.sqrt(n) if n > 1 else 0.0
    return Summary(n, mean, mean - half, mean + half)


def prediction_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Where one more value of the same kind falls with 99.9 %; None below two values.

    mean ± t(n - 1) · s · sqrt(1 + 1/n): the spread of one value, and that of the mean.
    """
    n = len(values)
    if n < 2:
        return None
    half = _t(PREDICTION_LEVEL, n) * _deviation(values) * math.sqrt(1 + 1 / n)
    mean = math.fsum(values) / n
    slack = 1e-9 * max(1.0, abs(mean))  # equal values have no spread, and sums their rounding
    return mean - half - slack, mean + half + slack


def _t(level: float, n: int) -> float:
    """Student's t for a two-sided interval from n values."""
    return float(stats.t.ppf((1 + level) / 2, n - 1))


def _deviation(values: Sequence[float]) -> float:
    """The sample standard deviation."""
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((x - mean) ** 2 for x in values) / (len(values) - 1))
