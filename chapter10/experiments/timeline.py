"""Where the term "self-supervised" comes from (claim S2), and whether what we cite is there.

Every event names its entry in the book's references.bib. The check reads that file itself: the
entry exists, its year is the one drawn, and where the term is said to stand in a title, it does.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

from chapter10.claims import Experiment, Measured
from chapter10.experiments.sizes import NAMED_AFTER, PUBLISHED

BIBLIOGRAPHY = Path(__file__).resolve().parents[2] / "book" / "references.bib"
TERM = re.compile(r"self-?\s?supervis", re.IGNORECASE)

Kind = Literal["idea", "title", "text", "post"]


class Event(NamedTuple):
    """One line of the timeline.

    kind: "idea" (the thing without its name), "title" or "text" (the term stands there), "post".
    """

    year: int
    key: str
    kind: Kind
    words: str


EVENTS = (
    Event(1951, "shannon1951prediction", "idea", "Shannon：猜下一个字母 next letter"),
    Event(1953, "taylor1953cloze", "idea", "Taylor：完形填空 cloze"),
    Event(1990, "schmidhuber1990world", "title", "Schmidhuber：世界模型 world model"),
    Event(1994, "desa1994learning", "text", "de Sa：两种感官互教 two senses"),
    Event(2006, "dahlkamp2006road", "title", "Dahlkamp et al.：激光教摄像头 road"),
    Event(2009, "hadsell2009vision", "text", "Hadsell, …, LeCun：近处教远处 far vision"),
    Event(2016, "pinto2016supersizing", "title", "Pinto & Gupta：自己试抓 grasping"),
    Event(2017, "pathak2017curiosity", "title", "Pathak et al.：预测后果 curiosity"),
    Event(2019, "lecun2019post", "post", "LeCun：“I now call it …”"),
    Event(2020, "lan2020albert", "title", "Lan et al.：语言 ALBERT"),
)


class Entry(NamedTuple):
    """What the bibliography says."""

    year: int
    title: str


def bibliography() -> dict[str, Entry] | None:
    """Key -> year and title of the book's references.bib.

    None where the package stands without its book, or without the book's tools.
    """
    if not BIBLIOGRAPHY.is_file() or find_spec("pybtex") is None:
        return None
    from pybtex.database import parse_file  # type: ignore[import-untyped,unused-ignore]

    entries = parse_file(str(BIBLIOGRAPHY)).entries
    return {
        key: Entry(int(one.fields["year"]), one.fields["title"]) for key, one in entries.items()
    }


def cited_years() -> list[tuple[str, int, int]]:
    """(key, earliest, latest year) of all that timeline, chart and table of names cite.

    The timeline draws the year of the entry itself; the chart the month of the first public
    version, up to two years before the proceedings.
    """
    drawn = [(one.key, one.year, one.year) for one in EVENTS]
    charted = [(one.key, int(one.month[:4]), int(one.month[:4]) + 2) for one in PUBLISHED]
    named = [(key, 2018, 2020) for key in NAMED_AFTER.values()]
    return drawn + charted + named


def resolved_share(
    entries: dict[str, Entry], cited: Sequence[tuple[str, int, int]] | None = None
) -> float:
    """Share of citations whose entry exists and whose year fits what is drawn."""
    cited = cited_years() if cited is None else cited
    good = [key in entries and low <= entries[key].year <= high for key, low, high in cited]
    return sum(good) / len(good)


def titled_share(entries: dict[str, Entry], events: Sequence[Event] = EVENTS) -> float:
    """Share of the events said to have the term in their title whose entry's title has it."""
    titled = [one for one in events if one.kind in ("title", "post")]
    good = [one.key in entries and bool(TERM.search(entries[one.key].title)) for one in titled]
    return sum(good) / len(good)


def _run(arm: str, seed: int) -> Measured:
    entries = bibliography()
    if entries is None:
        raise ValueError("S2 needs the book's references.bib and pybtex: run it in a checkout.")
    if arm == "标题":
        return Measured(titled_share(entries))
    cited, draw = cited_years(), random.Random(seed)
    if arm != "年份":  # the controls break one citation
        at = draw.randrange(len(cited))
        key, low, high = cited[at]
        cited[at] = (key, low - 10, high - 10) if arm == "一处年份写错" else (f"{key}x", low, high)
    return Measured(resolved_share(entries, cited))


CITATIONS = Experiment(
    arms=("年份", "标题"),
    controls=("一处年份写错", "一处键写错"),
    run=_run,
    data="book/references.bib 与本页的时间线、参数图、名字表",
)
