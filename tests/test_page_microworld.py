"""The page `microworld`: its helpers do what they say, its assertions fail on planted faults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import pytest

from chapter10.data import microworld as mw
from chapter10.data.microworld import world
from chapter10.data.microworld.sampling import Sampler
from chapter10.data.microworld.tokens import Sentence, Span, Token
from chapter10.experiments import microworld as page

NOTEBOOK = Path(__file__).resolve().parent.parent / "book" / "microworld.ipynb"
NOT_RUN = ("google.colab", "baseline_scores(", "bars(", "token_rows(", "digest_elsewhere(")


def run_page(only: tuple[str, ...] = (), skipped: tuple[str, ...] = NOT_RUN) -> None:
    """Execute the page's code cells in one namespace; only: the first cell and those with these."""
    namespace: dict[str, Any] = {}
    cells = [c.source for c in nbformat.read(NOTEBOOK, as_version=4).cells if c.cell_type == "code"]
    for source in cells:
        wanted = not only or "use_style()" in source or any(word in source for word in only)
        if wanted and not any(word in source for word in skipped):
            exec(compile(source, "book/microworld.ipynb", "exec"), namespace)
    plt.close("all")


FILES = ("copy_world(",)
WORD = (*FILES, "火龙果: dragon fruit, 苹果")
TEMPLATE = (*FILES, "SHARING =")
SEA = (*FILES, "SEA =")
SPLIT = ("def texts_of",)
TASKS = ("page.tell(", "mw.questions(world, 1")
BYTES = ("digest_elsewhere(",)


def test_the_page_passes_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "digest_elsewhere", page.corpus_digest)
    scores = {name: [0.3] for name in mw_limits()} | {"plain reviews: bag of words": [1.0]}
    monkeypatch.setattr(page, "baseline_scores", lambda *given, **more: scores)
    run_page(skipped=("google.colab",))


def mw_limits() -> dict[str, float]:
    from chapter10.data.microworld.baselines import LIMITS

    return LIMITS


# --- faults, each of which the page has to notice


def expect_failure(cells: tuple[str, ...], skipped: tuple[str, ...] = ("google.colab",)) -> None:
    with pytest.raises(AssertionError):
        run_page(cells, skipped)


def test_the_page_notices_people_of_test_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sampler, "_admits", lambda self, word: True)
    expect_failure(SPLIT)


def test_the_page_notices_deeds_of_test_in_pretraining(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sampler, "does", lambda self, who, verb: True)
    expect_failure(SPLIT)


def test_the_page_notices_offsets_that_miss_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Sentence.offsets.func
    moved = property(lambda self: tuple(Span(a + 1, b + 1) for a, b in real(self)))
    monkeypatch.setattr(Sentence, "offsets", moved)
    expect_failure(TASKS)


def test_the_page_notices_a_word_that_is_never_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "change", lambda path, old, new: None)
    expect_failure(WORD)


def test_the_page_notices_a_mistake_that_is_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "complaint", lambda folder: "")
    expect_failure((*WORD, "mistakes ="))


def test_the_page_notices_shares_that_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = world.chances
    monkeypatch.setattr(world, "chances", lambda shares, style: real(shares, mw.Style()))
    expect_failure(TEMPLATE)


def test_the_page_notices_a_world_that_repeats_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    real = mw.World.sentences
    one: Callable[..., Any] = lambda self, count, *given, **more: (  # noqa: E731
        real(self, 1, *given, **more) * count
    )
    monkeypatch.setattr(mw.World, "sentences", one)
    expect_failure(SEA)


def test_the_page_notices_bytes_that_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "digest_elsewhere", lambda seed: page.corpus_digest(seed + 5))
    expect_failure(BYTES)


@pytest.mark.parametrize(
    ("name", "score"),
    [("sentiment: bag of words", 0.9), ("plain reviews: bag of words", 0.5)],
)
def test_the_page_notices_a_baseline_out_of_bounds(
    name: str, score: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = {known: [0.3] for known in mw_limits()} | {"plain reviews: bag of words": [1.0]}
    monkeypatch.setattr(page, "baseline_scores", lambda *given, **more: scores | {name: [score]})
    expect_failure(("baseline_scores(",))


# --- the helpers


def test_lines_from_numbers_and_cuts(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text("one\n  two: 2\nthree is long\n", "utf-8")
    assert page.lines_from(path, "two", 2, width=6) == "   2    two…\n   3  three…"
    with pytest.raises(ValueError, match="No line of"):
        page.lines_from(path, "four", 1)


def test_change_refuses_what_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text("one", "utf-8")
    page.change(path, "one", "two")
    assert path.read_text("utf-8") == "two"
    with pytest.raises(ValueError, match="does not have"):
        page.change(path, "one", "three")


def test_deeds_and_people_are_read_sentence_by_sentence() -> None:
    tokens = (
        Token("小明", "PROPN", "who", "小明@boy"), Token("吃", "VERB", "verb", "吃@act_on"),
        Token("。", "PUNCT"), Token("小红", "PROPN", "other", "小红@girl"),
        Token("喝", "VERB", "verb", "喝@act_on"), Token("。", "PUNCT"),
    )  # fmt: skip
    sentence = Sentence(tokens, "zh")
    assert page.deeds([sentence]) == {("小明@boy", "吃@act_on")}
    assert page.people([sentence]) == {"小明@boy", "小红@girl"}


def test_digests_are_equal_elsewhere_and_tell_seeds_apart() -> None:
    assert page.corpus_digest(3) == page.digest_elsewhere(3) != page.corpus_digest(4)


def test_one_event_is_told_in_both_languages() -> None:
    told = page.tell(mw.shipped("core"), "act_on", seed=1)
    verb = mw.shipped("core").lexicon.words[told.state["verb"]]
    assert verb.zh in told.chinese.words
    assert verb.english["past"][0].text in told.english.words
