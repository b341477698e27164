"""Members of zip archives."""

from __future__ import annotations

import zipfile
from pathlib import Path

from chapter10.data.errors import MalformedError


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
    except zipfile.BadZipFile as error:
        raise MalformedError(path, 0, f"not a whole zip archive ({error})") from error
    except UnicodeDecodeError as error:
        raise MalformedError(f"{path}!{name}", 0, f"not UTF-8 ({error})") from error
