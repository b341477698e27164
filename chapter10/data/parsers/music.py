"""Tunes in ABC notation (https://abcnotation.com/wiki/abc:standard)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from chapter10.data.errors import MalformedError
from chapter10.data.examples import Tune
from chapter10.data.parsers.text import read_lines

#: The kinds of the Nottingham collection's files; the others are named by place or book.
TYPES = {
    "jigs": "jig",
    "hpps": "hornpipe",
    "morris": "morris",
    "slip": "slip jig",
    "waltzes": "waltz",
    "xmas": "carol",
    "ashover": "ashover",
    "playford": "playford",
}


def read_abc(path: Path) -> Iterator[Tune]:
    """The tunes of a file, from each `X:` to the next.

    Key and metre are those of the header, the last before the music starts; the kind is the
    header's `R:` field, else the collection's, by the file's name.
    """
    kind = "reel" if path.stem.startswith("reels") else TYPES.get(path.stem, path.stem)
    block: list[str] = []
    start = 0
    for number, line in enumerate(read_lines(path), 1):
        if line.startswith("X:"):
            if block:
                yield _tune(path, start, block, kind)
            block, start = [line], number
        elif block:
            block.append(line)
        elif line.strip() and not line.startswith("%"):
            raise MalformedError(
                path, number, f"expected 'X:' to start a tune, found {line[:40]!r}"
            )
    if block:
        yield _tune(path, start, block, kind)


def _tune(path: Path, start: int, block: list[str], kind: str) -> Tune:
    fields: dict[str, str] = {}
    for line in block:
        field = re.match(r"([A-Za-z]):(.*)", line)
        if field:
            fields[field[1]] = field[2].strip()
        elif line.strip() and not line.startswith("%"):
            break  # the music: fields after it change key or metre within the tune
    for name, meaning in (("K", "key"), ("M", "metre")):
        if name not in fields:
            raise MalformedError(path, start, f"the tune {block[0]!r} has no {meaning} ({name}:)")
    return Tune(
        key=fields["K"],
        meter=fields["M"],
        type=fields.get("R", kind).lower(),
        abc="\n".join(block).strip(),
        title=fields.get("T", ""),
    )
