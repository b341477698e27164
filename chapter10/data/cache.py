"""The cache of downloaded files: where it is, what is in it, and how a file gets there.

A file in the cache with the right hash is used without writing anything, so the cache may be
read-only. A file with another hash is never used and never overwritten: the error says what was
found. What is downloaded becomes visible under its name only after its hash was found right
(pooch downloads to a temporary name, checks, then moves).
"""

from __future__ import annotations

import errno
import hashlib
import lzma
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from chapter10.data.errors import CorruptFileError, DataError, DownloadError, MissingFileError
from chapter10.data.registry import DataFile, Dataset, find

#: Names the cache folder; without it pooch's folder for this user's caches is taken.
CACHE_VARIABLE = "CHAPTER10_DATA"

#: pooch's interface: downloader(url, temporary file, pooch object).
Downloader = Callable[[str, str, Any], None]

#: (path, size, time of change, registered hash) -> found hash: `load` hashes a file once a process.
_verified: dict[tuple[str, int, int, str], str] = {}


@dataclass(frozen=True, kw_only=True)
class FileReport:
    """What the cache holds of one file; `remedy` is empty where `state` is "ok"."""

    file: DataFile
    path: Path
    state: Literal["ok", "missing", "corrupt"]
    found_size: int | None = None
    found_sha256: str | None = None
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class VerifyReport:
    """What the cache holds of a set."""

    dataset: Dataset
    files: tuple[FileReport, ...]

    @property
    def ok(self) -> bool:
        """Whether every file is present with the right hash."""
        return all(report.state == "ok" for report in self.files)


def cache_dir() -> Path:
    """The cache folder: `CHAPTER10_DATA`, else the user's cache folder for this package."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named).expanduser()
    import pooch

    return Path(pooch.os_cache("chapter10"))


def verify(dataset: str | Dataset) -> VerifyReport:
    """Hashes every file of a set in the cache; writes nothing, downloads nothing."""
    dataset = find(dataset)
    return VerifyReport(
        dataset=dataset, files=tuple(_report(dataset, file, again=True) for file in dataset.files)
    )


def local_paths(dataset: str | Dataset, split: str | None = None) -> dict[str, Path]:
    """The files of a split that lie in the cache, hash checked: path in the registry -> file.

    Raises:
        MissingFileError, CorruptFileError: with the remedy; nothing is downloaded.
    """
    dataset = find(dataset)
    _, files = dataset.files_of(split)
    paths = {}
    for file in files:
        report = _report(dataset, file)
        if report.state != "ok":
            raise _error(report)
        paths[file.path] = report.path
    return paths


def fetch(
    dataset: str | Dataset, *, downloader: Downloader | None = None, progress: bool = False
) -> list[Path]:
    """Makes sure that every file of a set is in the cache, downloading or building what is not.

    Args:
        dataset: a name of the registry, or a `Dataset`.
        downloader: replaces pooch's own, which takes http(s) addresses.
        progress: a progress bar on standard error.

    Returns:
        The files, in the registry's order.

    Raises:
        CorruptFileError: a file in the cache, or what was downloaded, has another hash.
        DownloadError: no network, a dead address, no space, a cache that cannot be written.
        MissingFileError: the set has no address and cannot be built.
    """
    dataset = find(dataset)
    paths = []
    for file in dataset.files:
        report = _report(dataset, file)
        if report.state == "corrupt":
            raise _error(report)
        if report.state == "missing":
            if file.url is not None:
                download(file.url, report.path, file, downloader=downloader, progress=progress)
            elif dataset.recipe is not None:
                from chapter10.data.rebuild import rebuild

                rebuild(file, dataset.recipe, cache_dir(), downloader=downloader, progress=progress)
            else:
                raise _error(report)
        paths.append(report.path)
    return paths


def download(
    url: str,
    target: Path,
    file: DataFile | None,
    *,
    downloader: Downloader | None = None,
    progress: bool = False,
) -> None:
    """Downloads `url` to `target`; with `file` its hash is checked before the name appears."""
    import pooch
    import requests

    known_hash = None if file is None else f"sha256:{file.sha256}"
    client = pooch.create(
        path=target.parent, base_url="", registry={target.name: known_hash}, urls={target.name: url}
    )
    elsewhere = (
        f"Or put the file at {target} by hand, or let {CACHE_VARIABLE} name a folder that has it."
    )
    try:
        client.fetch(target.name, downloader=downloader, progressbar=progress)
    except requests.HTTPError as error:
        raise DownloadError(f"{url} was refused by the server: {error}. {elsewhere}") from error
    except requests.RequestException as error:
        raise DownloadError(
            f"{url} could not be downloaded: {error}. Is there a network, and is a proxy needed "
            f"(HTTPS_PROXY)? {elsewhere}"
        ) from error
    except ValueError as error:
        raise CorruptFileError(
            f"what came from {url} is not the registered file, and was not kept: {error} "
            f"Try again: the transfer may have been cut short or changed on the way. {elsewhere}"
        ) from error
    except OSError as error:
        raise write_error(error, target, file.size if file else None) from error


def sha256_of(path: Path, *, unpack: bool = False) -> str:
    """The sha256 of a file, or of the text inside an `.xz`."""
    digest = hashlib.sha256()
    with lzma.open(path) if unpack else path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _report(dataset: Dataset, file: DataFile, *, again: bool = False) -> FileReport:
    path = cache_dir() / file.path
    if not path.is_file():
        return FileReport(
            file=file, path=path, state="missing", remedy=_remedy_missing(dataset, file)
        )
    status = path.stat()
    key = (str(path), status.st_size, status.st_mtime_ns, file.sha256)
    known = None if again else _verified.get(key)
    found = known or sha256_of(path)
    if known or found == file.sha256 or _holds_the_text(path, file):
        _verified[key] = found
        return FileReport(
            file=file, path=path, state="ok", found_size=status.st_size, found_sha256=found
        )
    return FileReport(
        file=file,
        path=path,
        state="corrupt",
        found_size=status.st_size,
        found_sha256=found,
        remedy=f"Delete or rename it; {_remedy_missing(dataset, file)}",
    )


def _holds_the_text(path: Path, file: DataFile) -> bool:
    """Another xz packs the same text into other bytes: then the text's own hash decides."""
    if file.sha256_unpacked is None:
        return False
    try:
        return sha256_of(path, unpack=True) == file.sha256_unpacked
    except (lzma.LZMAError, EOFError):
        return False


def _remedy_missing(dataset: Dataset, file: DataFile) -> str:
    place = (
        f"put it at {cache_dir() / file.path}, or let {CACHE_VARIABLE} name a folder that has it"
    )
    if file.url is None and dataset.recipe is None:
        return (
            f"{dataset.name} has no address and cannot be built here ({dataset.unbuildable}): "
            f"if you have the file (sha256 {file.sha256}), {place}."
        )
    return f"get it with `python -m chapter10 data fetch {dataset.name}`; or {place}."


def _error(report: FileReport) -> DataError:
    file = report.file
    if report.state == "missing":
        return MissingFileError(f"{report.path} is not there; {report.remedy}")
    return CorruptFileError(
        f"{report.path} is not the registered file: expected {file.size} bytes with sha256 "
        f"{file.sha256}, found {report.found_size} bytes with sha256 {report.found_sha256}. "
        f"{report.remedy}"
    )


def write_error(error: OSError, target: Path, size: int | None) -> DownloadError:
    """Says in a sentence why `target` (of `size` bytes, where known) could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        needed = "" if size is None else f" ({size} bytes are needed)"
        return DownloadError(
            f"no space left for {target}{needed}; nothing was kept. Make room, or let "
            f"{CACHE_VARIABLE} name a folder on another disk."
        )
    return DownloadError(
        f"{target} could not be written: {error}. Let {CACHE_VARIABLE} name a folder that may be "
        "written."
    )
