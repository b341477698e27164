"""Builds a corpus that has no address of its own from the upstream archive it was made from.

The archive of a repository at a commit is downloaded once into `archives/` of the cache (it may
be deleted afterwards), its text members are read in path order, and the text is written packed to
the corpus's place. GitHub does not promise the bytes of an archive, so it is the text built from it
that is checked: unless its sha256 is the registered one, nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from chapter10.data.cache import CACHE_VARIABLE, Downloader, download, write_error
from chapter10.data.errors import CorruptFileError, MalformedError
from chapter10.data.parsers.archive import DAMAGED
from chapter10.data.registry import DataFile, Recipe


def rebuild(
    file: DataFile,
    recipe: Recipe,
    cache: Path,
    *,
    downloader: Downloader | None = None,
    progress: bool = False,
) -> Path:
    """Writes `file` into the cache from the recipe's archive, which is downloaded if need be.

    Raises:
        CorruptFileError: the archive is no zip, or the text built from it is not the registered
            one; no file is left at the corpus's place.
        MalformedError: a member of the archive does not keep to its format.
        DownloadError: as `cache.download`, or no space for the result.
    """
    archive = cache / recipe.archive
    if not archive.is_file():
        download(recipe.url, archive, None, downloader=downloader, progress=progress)
    target = cache / file.path
    try:
        with zipfile.ZipFile(archive) as members:
            found = _write_packed(RECIPES[recipe.name](members), target, file.sha256_unpacked)
    except DAMAGED as error:
        raise CorruptFileError(
            f"{archive} is not a whole zip archive ({error}): delete it and fetch again."
        ) from error
    except OSError as error:
        raise write_error(error, target, file.size) from error
    if found != file.sha256_unpacked:
        raise CorruptFileError(
            f"the text built from {recipe.repository} at {recipe.commit} is not the registered "
            f"one: expected sha256 {file.sha256_unpacked}, built {found}; nothing was kept. If "
            f"{archive} was put there by hand, delete it and fetch again; else bring the file "
            f"itself: put it at {target}, or let {CACHE_VARIABLE} name a folder that has it."
        )
    return target


def _write_packed(lines: Iterator[str], target: Path, expected: str | None) -> str:
    """Packs the lines to a temporary file, which takes the target's name if the hash is right."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".building-", suffix=".xz")
    try:
        with os.fdopen(handle, "wb") as raw, lzma.open(raw, "wb") as packed:
            for line in lines:
                data = f"{line}\n".encode()
                digest.update(data)
                packed.write(data)
        if digest.hexdigest() == expected:
            os.replace(name, target)
    finally:
        Path(name).unlink(missing_ok=True)
    return digest.hexdigest()


def _members(archive: zipfile.ZipFile, pattern: str) -> list[str]:
    """Names whose part below the archive's top folder matches, in path order."""
    wanted = re.compile(pattern)
    return sorted(name for name in archive.namelist() if wanted.fullmatch(name.partition("/")[2]))


def _text(archive: zipfile.ZipFile, name: str) -> str:
    try:
        return archive.read(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MalformedError(name, 0, f"not UTF-8 ({error})") from error


def tang_poems(archive: zipfile.ZipFile) -> Iterator[str]:
    """Title, author and verses of every poem in `poet.tang.*.json`, tab-separated."""
    for name in _members(archive, r"(?:json|全唐诗)/poet\.tang\.\d+\.json"):
        try:
            for poem in json.loads(_text(archive, name)):
                yield "\t".join((poem["title"], poem["author"], "".join(poem["paragraphs"])))
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise MalformedError(name, 0, f"not a list of poems ({error!r})") from error


def bible_en(archive: zipfile.ZipFile) -> Iterator[str]:
    """The King James text: a file a book, `Chapter n` headings, `[verse] text` lines."""
    for book, name in enumerate(_members(archive, r"ShenJingJava/kjvtemp/\d\d\.txt"), 1):
        chapter = 0
        for line in _text(archive, name).splitlines():
            if heading := re.fullmatch(r"\s*Chapter (\d+)\s*", line):
                chapter = int(heading[1])
            elif verse := re.match(r"\[(\d+)\]\s*(.*)", line):
                yield f"{book:02d}.{chapter:03d}.{int(verse[1]):03d}\t{' '.join(verse[2].split())}"


def bible_zh(archive: zipfile.ZipFile) -> Iterator[str]:
    """The Union Version: a file a book, `<Chapter number>` with `<Line number>` verses."""
    for name in _members(archive, r"ShenJingJava/data/hhb/hhb\d\d\.xml"):
        try:
            book = ElementTree.fromstring(_text(archive, name).encode())
        except ElementTree.ParseError as error:
            raise MalformedError(name, error.position[0], f"not XML ({error})") from error
        for chapter in book.iter("Chapter"):
            for verse in chapter.iter("Line"):
                numbers = (book.get("number"), chapter.get("number"), verse.get("number"))
                text = " ".join((verse.text or "").split())
                if text:
                    yield f"{numbers[0]:0>2}.{numbers[1]:0>3}.{numbers[2]:0>3}\t{text}"


def classical_modern(archive: zipfile.ZipFile, side: str) -> Iterator[str]:
    """One side of every chapter which has both `source.txt` and `target.txt`, a sentence a line."""
    names = set(archive.namelist())
    other = {"source": "target", "target": "source"}[side]
    for name in _members(archive, rf"双语数据/.+/{side}\.txt"):
        if name.removesuffix(f"{side}.txt") + f"{other}.txt" in names:
            for line in _text(archive, name).splitlines():
                yield line.strip()


RECIPES: dict[str, Callable[[zipfile.ZipFile], Iterator[str]]] = {
    "tang_poems": tang_poems,
    "bible_en": bible_en,
    "bible_zh": bible_zh,
    "classical_modern_source": lambda archive: classical_modern(archive, "source"),
    "classical_modern_target": lambda archive: classical_modern(archive, "target"),
}
