"""Members of zip archives."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from chapter10.data.errors import MalformedError

#: What the zipfile module raises for a truncated or damaged archive.
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError)


def member_names(path: Path) -> list[str]:
    """The names of a zip's members.

    Raises:
        MalformedError: no whole zip.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except DAMAGED as error:
        raise MalformedError(path, 0, f"not a whole zip archive ({error})") from error


def member_text(path: Path, name: str) -> str:
    """A member as text.

    Raises:
        MalformedError: no whole zip, no such member, a damaged one, or not UTF-8.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(name).decode("utf-8")
    except KeyError as error:
        raise MalformedError(path, 0, f"no member {name!r}") from error
    except DAMAGED as error:
        raise MalformedError(path, 0, f"not a whole zip archive ({error})") from error
    except UnicodeDecodeError as error:
        raise MalformedError(f"{path}!{name}", 0, f"not UTF-8 ({error})") from error
