"""Claims, their rows and verdicts, and the page generated from them."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from chapter10 import evidence
from chapter10.claims import Claim, Experiment, Measured, find_claim, load_claims
from chapter10.spread import prediction_interval, summarise

ROOT = Path(__file__).resolve().parent.parent
IDS = [
    *(f"S{i}" for i in range(1, 4)),
    *(f"B{i}" for i in range(1, 20)),
    *(f"W{i}" for i in range(1, 8)),
    *(f"M{i}" for i in range(1, 6)),
    *(f"G{i}" for i in range(1, 7)),
    *(f"X{i}" for i in range(1, 6)),
]
"""Every id of the syllabus: no claim is dropped."""

CLAIM = Claim(id="T1", page="test", text="一条说法。", measure="量", threshold=2.0, direction=">=")


@pytest.fixture
def experiment(monkeypatch: pytest.MonkeyPatch) -> Callable[[Experiment], None]:
    """Put a claim T1 and an experiment for it into the book."""
    monkeypatch.setattr(evidence, "find_claim", lambda name: CLAIM)

    def install(one: Experiment) -> None:
        monkeypatch.setattr(evidence, "find_experiment", lambda name: one)

    return install


def steady(arm: str, seed: int) -> Measured:
    return Measured(3.0 + seed / 10 if arm == "main" else 1.0, steps=7)


STEADY = Experiment(arms=("main",), controls=("scratch",), run=steady, data="生成的")


# --- claims


def test_no_id_of_the_syllabus_is_missing() -> None:
    assert sorted(load_claims()) == sorted(IDS)


def test_every_claim_is_said_in_chinese_and_has_a_page() -> None:
    for claim in load_claims().values():
        assert any("一" <= char <= "鿿" for char in claim.text), claim.id
        assert claim.text.endswith("。"), claim.id
        assert claim.page.replace("-", "").isalnum(), claim.id


def test_status_tells_which_claims_have_rows() -> None:
    measured = {path.stem for path in (ROOT / "book" / "evidence").glob("*.json")}
    assert measured == {name for name, claim in load_claims().items() if claim.status == "measured"}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"threshold": 1.0}, "needs all three"),
        ({"measure": "量", "threshold": 1.0, "direction": "=="}, "direction '=='"),
        ({"status": "done"}, "status 'done'"),
        ({"status": "measured"}, "needs measure and threshold"),
    ],
)
def test_impossible_claims_are_refused(wrong: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Claim(id="T1", page="test", text="。", **wrong)  # type: ignore[arg-type]


def test_bounds_are_one_sided() -> None:
    assert CLAIM.holds(2.0)
    assert CLAIM.holds(1e9)
    assert not CLAIM.holds(1.999)
    assert not CLAIM.holds(math.nan)
    below = Claim(id="T2", page="t", text="。", measure="量", threshold=2.0, direction="<=")
    assert below.holds(-1e9)
    assert not below.holds(2.001)
    with pytest.raises(ValueError, match="no threshold yet"):
        Claim(id="T3", page="t", text="。").holds(1.0)


def test_unknown_ids_are_named() -> None:
    with pytest.raises(ValueError, match="no claim 'B99'"):
        find_claim("B99")


def test_experiments_need_distinct_arms() -> None:
    with pytest.raises(ValueError, match="every name once"):
        Experiment(arms=("a",), controls=("a",), run=steady, data="")
    with pytest.raises(ValueError, match="at least one arm"):
        Experiment(arms=(), run=steady, data="")


# --- spread


def test_intervals_cover_as_often_as_they_say() -> None:
    """Over 4,000 draws of five seeds: the mean in 95 %, the sixth value in 99.9 %."""
    draws = np.random.default_rng(0).normal(3.0, 2.0, size=(4000, 6))
    inside_mean = inside_next = 0
    for values in draws.tolist():
        found = summarise(values[:5])
        inside_mean += found.low <= 3.0 <= found.high
        interval = prediction_interval(values[:5])
        assert interval is not None
        inside_next += interval[0] <= values[5] <= interval[1]
    assert abs(inside_mean / 4000 - 0.95) < 3 * (0.95 * 0.05 / 4000) ** 0.5
    assert abs(inside_next / 4000 - 0.999) < 3 * (0.999 * 0.001 / 4000) ** 0.5


def test_few_values_have_no_spread() -> None:
    assert prediction_interval([1.0]) is None
    assert summarise([4.0]) == (1, 4.0, 4.0, 4.0)
    interval = prediction_interval([0.1 + 0.2, 0.3, 0.3])
    assert interval is not None
    assert interval[0] <= 0.3 <= interval[1]
    with pytest.raises(ValueError, match="at least one"):
        summarise([])


@pytest.mark.parametrize(
    ("arms", "verdict"),
    [
        ([[2.0, 3.0], [2.5]], "supported"),
        ([[2.0, 3.0], [1.0]], "partly"),
        ([[1.0, 1.5], [0.0]], "not at this scale"),
    ],
)
def test_verdicts(arms: list[list[float]], verdict: str) -> None:
    assert evidence.judge(CLAIM, arms) == verdict


# --- runs


def test_values_are_those_of_the_rows_by_arm(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"arm": arm, "value": value} for arm, value in (("a", 1.0), ("b", 2.0), ("a", 3.0))]
    monkeypatch.setattr(evidence, "load_rows", lambda name: rows if name == "B1" else [])
    assert evidence.load_values("B1") == {"a": [1.0, 3.0], "b": [2.0]}
    assert evidence.load_values("B2") == {}


def test_rows_are_kept_and_judged(tmp_path: Path, experiment: Callable[[Experiment], None]) -> None:
    experiment(STEADY)
    assert evidence.run(["T1"], seeds=3, folder=tmp_path) == {"T1": "supported"}
    record = json.loads((tmp_path / "T1.json").read_text(encoding="utf-8"))
    assert [(row["arm"], row["seed"]) for row in record["rows"]] == [
        (arm, seed) for seed in range(3) for arm in ("main", "scratch")
    ]
    assert set(record["rows"][0]) == {"arm", "seed", "measure", "value", "steps", "cpu_seconds"}
    assert record["summary"]["main"]["mean"] == pytest.approx(3.1)
    assert record["summary"]["main"]["judged"]
    assert not record["summary"]["scratch"]["judged"]
    assert (record["id"], record["threshold"], record["direction"]) == ("T1", 2.0, ">=")


def test_a_stopped_run_goes_on_where_it_stopped(
    tmp_path: Path, experiment: Callable[[Experiment], None]
) -> None:
    calls: list[tuple[str, int]] = []

    def stops(arm: str, seed: int) -> Measured:
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append((arm, seed))
        return steady(arm, seed)

    def goes_on(arm: str, seed: int) -> Measured:
        calls.append((arm, seed))
        return steady(arm, seed)

    experiment(Experiment(arms=("main",), controls=("scratch",), run=stops, data="生成的"))
    with pytest.raises(KeyboardInterrupt):
        evidence.run(["T1"], seeds=3, folder=tmp_path)
    assert len(evidence.load_rows("T1", tmp_path)) == 3
    experiment(Experiment(arms=("main",), controls=("scratch",), run=goes_on, data="生成的"))
    evidence.run(["T1"], seeds=3, folder=tmp_path)
    assert len(calls) == len(set(calls)) == 6
    assert list(tmp_path.iterdir()) == [tmp_path / "T1.json"]  # nothing partial is left


def test_rows_of_something_else_are_not_mixed_in(
    tmp_path: Path, experiment: Callable[[Experiment], None]
) -> None:
    experiment(STEADY)
    evidence.run(["T1"], seeds=1, folder=tmp_path)
    experiment(Experiment(arms=("main",), run=steady, data="别的数据"))
    with pytest.raises(ValueError, match="delete the file to measure anew"):
        evidence.run(["T1"], seeds=2, folder=tmp_path)


def test_refusals_say_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not got an experiment"):
        evidence.run(["W5"], folder=tmp_path)
    with pytest.raises(ValueError, match="no claim 'Q1'"):
        evidence.run(["Q1"], folder=tmp_path)
    with pytest.raises(ValueError, match="at least 1"):
        evidence.run(["B2"], seeds=0, folder=tmp_path)
    with pytest.raises(ValueError, match="There is no folder"):
        evidence.run(["B2"], folder=tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["B2", "B3"])
def test_stored_rows_come_out_again(name: str, tmp_path: Path) -> None:
    """The first seed, measured anew, gives the committed values."""
    evidence.run([name], seeds=1, folder=tmp_path)
    stored = {row["arm"]: row["value"] for row in evidence.load_rows(name) if row["seed"] == 0}
    for row in evidence.load_rows(name, tmp_path):
        assert row["value"] == pytest.approx(stored[row["arm"]], rel=1e-6), row["arm"]


def test_the_planted_fault_fails_the_threshold_on_every_seed() -> None:
    claim = find_claim("B3")
    planted = [row["value"] for row in evidence.load_rows("B3") if "81/10/9" in row["arm"]]
    assert len(planted) >= 5
    assert not any(claim.holds(value) for value in planted)


# --- in a page


def test_check_asserts_and_warns(
    tmp_path: Path,
    experiment: Callable[[Experiment], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    experiment(STEADY)
    evidence.run(["T1"], seeds=5, folder=tmp_path)
    monkeypatch.setattr(evidence, "rows_path", lambda name, folder=None: tmp_path / f"{name}.json")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evidence.check("T1", 3.2)
    assert "T1 ✓ 3.2 >= 2" in capsys.readouterr().out
    with pytest.warns(evidence.EvidenceWarning, match="outside"):
        evidence.check("T1", 9.0)
    with pytest.raises(AssertionError, match=r"T1: 量: not 1\.9 >= 2"):
        evidence.check("T1", 1.9)
    with pytest.raises(AssertionError):
        evidence.check("T1", math.nan)
    with pytest.warns(evidence.EvidenceWarning):
        evidence.check("T1", 3.2, arm="scratch")
    with pytest.raises(ValueError, match="no rows of arm 'else'"):
        evidence.check("T1", 3.2, arm="else")


def test_check_without_rows_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An installed package has no book beside it; the threshold holds all the same."""
    monkeypatch.setattr(evidence, "BOOK", tmp_path)
    evidence.check("B3", 2.0)
    assert "no stored rows" in capsys.readouterr().out
    with pytest.raises(AssertionError):
        evidence.check("B3", 3.1)


# --- the committed rows and the page


def test_stored_records_agree_with_the_claims() -> None:
    for path in sorted((ROOT / "book" / "evidence").glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        claim, experiment = find_claim(path.stem), evidence.find_experiment(path.stem)
        assert experiment is not None, path.name
        assert (record["page"], record["claim"]) == (claim.page, claim.text), path.name
        assert (record["measure"], record["threshold"], record["direction"]) == (
            claim.measure,
            claim.threshold,
            claim.direction,
        ), path.name
        assert record["data"] == experiment.data, path.name
        rows = [(row["arm"], row["seed"]) for row in record["rows"]]
        seeds = {seed for _, seed in rows}
        assert len(rows) == len(set(rows)), path.name
        assert len(seeds) >= 5, path.name
        assert set(rows) == {
            (arm, seed) for arm in experiment.arms + experiment.controls for seed in seeds
        }, path.name
        judged = [
            [r["value"] for r in record["rows"] if r["arm"] == arm] for arm in experiment.arms
        ]
        assert record["verdict"] == evidence.judge(claim, judged), path.name


def test_the_page_is_what_the_rows_say() -> None:
    text = (ROOT / "book" / "evidence.md").read_text(encoding="utf-8")
    assert text == evidence.page_text(), "run evidence.write_page()"


def test_the_page_lists_every_id_and_links_only_to_pages_there_are() -> None:
    text = evidence.page_text()
    for name in IDS:
        assert f"* - {name}\n" in text or f"* - [{name}](#evidence-{name.lower()})\n" in text
    for target in {part.split("`")[0] for part in text.split("{doc}`")[1:]}:
        found = [ROOT / "book" / f"{target}{ending}" for ending in (".md", ".ipynb")]
        assert any(path.is_file() for path in found), target
    assert evidence.OPEN in text


def test_an_empty_book_lists_everything_as_open(tmp_path: Path) -> None:
    (tmp_path / "book" / "evidence").mkdir(parents=True)
    text = evidence.page_text(tmp_path / "book")
    assert text.count(f"  - {evidence.OPEN}\n") == len(IDS)
    assert "{doc}" not in text
    path = evidence.write_page(tmp_path / "book")
    assert path.read_text(encoding="utf-8") == text
