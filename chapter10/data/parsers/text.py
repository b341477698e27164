"""Reading lines: plain or `.xz`, strict UTF-8, with line numbers; vocabularies, poems, verses."""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Iterator
from pathlib import Path

from chapter10.data.errors import MalformedError
from chapter10.data.examples import Poem, Verse


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a text file without their ends; `.xz` is unpacked as it is read.

    Only "\\n" and "\\r\\n" end a line: other separators (U+2028, form feed) are text.

    Raises:
        MalformedError: not UTF-8, or a truncated or damaged `.xz`.
    """
    done = 0
    try:
        with lzma.open(path, "rb") if path.suffix == ".xz" else path.open("rb") as stream:
            for raw in stream:
                yield raw.decode("utf-8").removesuffix("\n").removesuffix("\r")
                done += 1
    except UnicodeDecodeError as error:
        raise MalformedError(path, done + 1, f"not UTF-8 ({error})") from error
    except (lzma.LZMAError, EOFError) as error:
        raise MalformedError(path, done + 1, f"the xz stream ends or breaks ({error})") from error


def read_documents(path: Path) -> Iterator[list[str]]:
    """Runs of non-blank lines; a WikiText file (` = Title = ` headings) is cut at its headings."""
    heading = re.compile(r" ?= [^=]+ = ?")
    wikitext = False
    document: list[str] = []
    for line in read_lines(path):
        title = heading.fullmatch(line) is not None
        wikitext = wikitext or title
        ends = title if wikitext else not line.strip()
        if ends and document:
            yield document
            document = []
        if line.strip():
            document.append(line)
    if document:
        yield document


def read_vocabulary(path: Path) -> Iterator[str]:
    """Tokens in the order of their ids: a token a line, merges of a BPE, or a JSON of ids."""
    if path.suffix == ".json":
        ids = json.loads("\n".join(read_lines(path)))
        if sorted(ids.values()) != list(range(len(ids))):
            raise MalformedError(path, 0, "the ids are not 0, 1, 2 … without gaps")
        yield from sorted(ids, key=ids.__getitem__)
        return
    lines = read_lines(path)
    if path.suffix == ".bpe":
        header = next(lines, "")
        if not header.startswith("#version"):
            raise MalformedError(path, 1, f"expected '#version …', found {header[:40]!r}")
    yield from lines


def read_poems(path: Path) -> Iterator[Poem]:
    """`title TAB author TAB text`.

    Upstream keeps tabs in some titles (a poem's motto) and, in linked verse (聯句), between the
    names of its authors; both become spaces.
    """
    for number, line in enumerate(read_lines(path), 1):
        fields = line.split("\t")
        if len(fields) < 3:
            raise MalformedError(
                path, number, f"expected title, author and text, found {len(fields)} column(s)"
            )
        authors = fields[1:-1] if "聯句" in fields[0] else fields[-2:-1]
        title = fields[: -1 - len(authors)]
        yield Poem(" ".join(filter(None, title)), " ".join(authors), fields[-1])


def read_verses(path: Path) -> Iterator[Verse]:
    """`bb.ccc.vvv TAB text`, in order, no verse twice."""
    last = ""
    for number, line in enumerate(read_lines(path), 1):
        verse, tab, text = line.partition("\t")
        if not tab or not re.fullmatch(r"\d\d\.\d{3}\.\d{3}", verse):
            raise MalformedError(
                path, number, f"expected 'bb.ccc.vvv TAB text', found {line[:40]!r}"
            )
        if verse <= last:
            raise MalformedError(path, number, f"verse {verse} comes after {last}")
        last = verse
        yield Verse(verse, text)
