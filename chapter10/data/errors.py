"""What can go wrong with data; each message says what was found and what would do."""

from __future__ import annotations

from pathlib import Path


class DataError(Exception):
    """The base of every error of `chapter10.data`."""


class UnknownDatasetError(DataError, ValueError):
    """No set, or no split of a set, has the given name."""


class MissingFileError(DataError, FileNotFoundError):
    """A file is not in the cache."""


class CorruptFileError(DataError, ValueError):
    """A file's content is not what the registry says: truncated, changed, or another file."""


class DownloadError(DataError, OSError):
    """A file could not be fetched: no network, a dead address, no space, no right to write."""


class MalformedError(DataError, ValueError):
    """A file does not keep to its format.

    `path` is the file, `line` the line number from 1 (0 where the file as a whole is meant).
    """

    def __init__(self, path: Path | str, line: int, problem: str) -> None:
        self.path, self.line, self.problem = path, line, problem
        where = f"{path}, line {line}" if line else f"{path}"
        super().__init__(f"{where}: {problem}")
