"""Sentiment: CSV with label and review, the same in a zip, a file for each class."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from chapter10.data.errors import MalformedError
from chapter10.data.examples import LabelledText
from chapter10.data.parsers.archive import member_names, member_text
from chapter10.data.parsers.text import read_lines

EMPTY = "rows with an empty review left out"


def read_reviews(path: Path, notes: Counter[str]) -> Iterator[LabelledText]:
    """A CSV whose header has `label` (0 or 1), `review` and perhaps `cat`."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedError(path, 0, f"not UTF-8 ({error})") from error
    return parse_reviews(text, path, notes)


def read_reviews_zip(path: Path, notes: Counter[str]) -> Iterator[LabelledText]:
    """The one CSV of a zip."""
    names = [name for name in member_names(path) if name.endswith(".csv")]
    if len(names) != 1:
        raise MalformedError(path, 0, f"expected one .csv inside, found {names}")
    return parse_reviews(member_text(path, names[0]), f"{path}!{names[0]}", notes)


def parse_reviews(text: str, path: Path | str, notes: Counter[str]) -> Iterator[LabelledText]:
    """Rows of a CSV text; an empty review is counted in `notes` and left out."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    try:
        header = next(reader, [])
        if not {"label", "review"} <= set(header):
            raise MalformedError(path, 1, f"the header {header} lacks label or review")
        for row in reader:
            if len(row) != len(header):
                raise MalformedError(
                    path, reader.line_num, f"{len(row)} columns, the header has {len(header)}"
                )
            fields = dict(zip(header, row, strict=True))
            if fields["label"] not in ("0", "1"):
                raise MalformedError(
                    path, reader.line_num, f"label {fields['label']!r} is neither 0 nor 1"
                )
            review = fields["review"].replace("\ufeff", "").strip()
            if not review:
                notes[EMPTY] += 1
                continue
            yield LabelledText(review, int(fields["label"]), fields.get("cat", ""))
    except csv.Error as error:
        raise MalformedError(path, reader.line_num, f"not CSV ({error})") from error


def read_class_files(positive: Path, negative: Path, notes: Counter[str]) -> Iterator[LabelledText]:
    """A file of positive and one of negative texts, a text a line, repeated lines once.

    A text that stands in both files has no label: it is left out. Repeats, blank lines and such
    contradictions are counted in `notes`.
    """
    sides = {
        label: [line.strip() for line in read_lines(path)]
        for label, path in ((1, positive), (0, negative))
    }
    both = set(sides[1]) & set(sides[0]) - {""}
    notes["texts in both classes left out"] += len(both)
    for label, lines in sides.items():
        yield from _unique(lines, label, both, notes)


def _unique(
    lines: Iterable[str], label: int, excluded: set[str], notes: Counter[str]
) -> Iterator[LabelledText]:
    seen: set[str] = set()
    for line in lines:
        if not line:
            notes["blank lines left out"] += 1
        elif line in seen:
            notes["repeated lines left out"] += 1
        else:
            seen.add(line)
            if line not in excluded:
                yield LabelledText(line, label)


def read_polarity_zip(path: Path) -> Iterator[LabelledText]:
    """Pang and Lee's `rt-polarity.pos` and `.neg` in a zip, a snippet a line."""
    for label, ending in ((1, "pos"), (0, "neg")):
        name = f"sentence_polarity/rt-polarity.{ending}"
        lines = member_text(path, name).split("\n")
        if lines[-1] == "":
            lines.pop()
        for number, line in enumerate(lines, 1):
            if not line.strip():
                raise MalformedError(f"{path}!{name}", number, "a blank line")
            yield LabelledText(line.strip(), label)
