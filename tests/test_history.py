"""The history that the page `self-supervised` tells: its citations, sizes and figures."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
from matplotlib.figure import Figure

from chapter10 import plotting
from chapter10.experiments import sizes, timeline
from chapter10.gpt import GPTConfig
from chapter10.plotting import history
from chapter10.t5 import T5Config

NOTEBOOK = Path(__file__).resolve().parent.parent / "book" / "self-supervised.ipynb"


# --- citations


def test_all_that_is_cited_is_in_the_bibliography() -> None:
    entries = timeline.bibliography()
    assert entries is not None
    assert timeline.resolved_share(entries) == 1.0
    assert timeline.titled_share(entries) == 1.0
    prose = "\n".join(
        cell.source
        for cell in nbformat.read(NOTEBOOK, as_version=4).cells
        if cell.cell_type == "markdown"
    )
    keys = {
        key for group in re.findall(r"\{cite:[pt]\}`([^`]+)`", prose) for key in group.split(",")
    }
    assert keys <= set(entries)
    assert {key for key, _, _ in timeline.cited_years()} <= keys


@pytest.mark.parametrize("arm", timeline.CITATIONS.controls)
def test_one_wrong_citation_is_noticed(arm: str) -> None:
    for seed in range(5):
        assert timeline.CITATIONS.run(arm, seed).value < 1.0


def test_a_title_without_the_term_is_noticed() -> None:
    entries = timeline.bibliography()
    assert entries is not None
    shannon = timeline.EVENTS[0]
    assert timeline.titled_share(entries, [shannon._replace(kind="title")]) == 0.0


def test_the_term_stands_in_titles_older_than_the_post() -> None:
    post = next(one for one in timeline.EVENTS if one.kind == "post")
    assert sum(one.kind == "title" and one.year < post.year for one in timeline.EVENTS) >= 3
    assert [one.year for one in timeline.EVENTS] == sorted(one.year for one in timeline.EVENTS)


def test_without_its_book_the_package_has_no_bibliography(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(timeline, "BIBLIOGRAPHY", tmp_path / "references.bib")
    assert timeline.bibliography() is None
    with pytest.raises(ValueError, match="in a checkout"):
        timeline.CITATIONS.run("年份", 0)


# --- sizes


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (GPTConfig(), 124_439_808),
        (T5Config(), 60_506_624),
        (GPTConfig(hidden_size=1600, num_hidden_layers=48, num_attention_heads=25), 1_557_611_200),
    ],
)
def test_formulas_of_known_models(config: sizes.AnyConfig, expected: int) -> None:
    assert sizes.formula(config) == sizes.count(config) == expected


@pytest.mark.parametrize("family", sizes.FAMILIES)
def test_formula_and_count_agree_and_a_wrong_layer_shows(family: str) -> None:
    assert sizes.largest_gap(family, seed=11) == 0
    assert sizes.largest_gap(family, seed=11, wrong=1) > 0


def test_published_numbers_are_rounded_counts() -> None:
    for one in sizes.PUBLISHED:
        if one.config is not None:
            assert abs(sizes.count(one.config) / one.printed - 1) < sizes.ROUNDING, one.name
    assert [one.date for one in sizes.PUBLISHED] == sorted(one.date for one in sizes.PUBLISHED)
    assert sizes.PUBLISHED[0].date == pytest.approx(2018.125)
    named = {one.key for one in sizes.PUBLISHED if one.sesame}
    assert named <= set(sizes.NAMED_AFTER.values())


# --- what the page shows

FIGURES: dict[str, Callable[[], Figure]] = {
    "family": history.learning_family,
    "timeline": lambda: history.timeline(
        [history.Moment(one.year, one.kind, one.words) for one in timeline.EVENTS],
        {"idea": "想法", "title": "标题", "text": "正文", "post": "帖子"},
    ),
    "sizes": lambda: history.sizes_by_year(
        [
            history.Size(one.name, one.date, one.printed, one.sesame, one.checked, 10**9)
            for one in sizes.PUBLISHED
        ],
        {"本书": 1e5},
    ),
    "pairs": lambda: plotting.token_rows(
        [["□", "▷", "◁", "①", "⑳", "·"]], ["x′，x″"], kinds=[["mask"] * 6]
    ),
}


@pytest.fixture
def _style() -> Iterator[None]:
    with plt.rc_context():
        plotting.use_style()
        yield


@pytest.mark.usefixtures("_style")
@pytest.mark.parametrize("name", FIGURES)
def test_figures_draw_without_a_missing_glyph(name: str, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FIGURES[name]().savefig(tmp_path / "figure.png")


@pytest.mark.usefixtures("_style")
def test_a_moment_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\['odd'\]; choose from idea"):
        history.timeline([history.Moment(2000, "odd", "")], {"idea": ""})


@pytest.mark.usefixtures("_style")
def test_hollow_marks_are_those_not_checked() -> None:
    shown = [
        history.Size("甲", 2018.5, 1e8, True, True, None),
        history.Size("乙", 2019.5, 1e9, True, False, None),
    ]
    axes = history.sizes_by_year(shown, {}).axes[0]
    faces = [line.get_markerfacecolor() for line in axes.lines[:2]]
    assert faces == [plotting.COLORS["control"], plotting.COLORS["card"]]
