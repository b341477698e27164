"""Files of saved models: found in a folder or on the hub, written whole or not at all."""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


class CheckpointError(ValueError):
    """A saved model or tokeniser cannot be used; the message says why and what would do."""


def find_file(name_or_folder: str | os.PathLike[str], filename: str) -> Path:
    """Path of one file of a saved model.

    Args:
        name_or_folder: a folder, or a name on the hub such as ``bert-base-chinese``. The hub is
            asked through ``huggingface_hub``, which keeps a cache and honours ``HF_ENDPOINT``.
        filename: for instance ``config.json``.

    Raises:
        CheckpointError: no such folder, file or hub name, or no network.
    """
    folder = Path(name_or_folder)
    if folder.is_dir():
        if not (folder / filename).is_file():
            there = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
            raise CheckpointError(f"{folder} holds no {filename}; it holds {there}.")
        return folder / filename
    name = os.fspath(name_or_folder)
    if folder.is_absolute() or name.startswith(".") or name.count("/") > 1:
        raise CheckpointError(f"There is no folder {name}.")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(hf_hub_download(name, filename))
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        raise CheckpointError(
            f"{name} is no folder here, and its {filename} could not be fetched from the hub "
            f"({type(error).__name__}). Check the name and the network; HF_ENDPOINT names a mirror."
        ) from error


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then move it there in one step.

    A killed run leaves the old file or the new one, never half of one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        write(temporary)
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would hide the file from other users
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write ``content`` as indented UTF-8 JSON, whole or not at all."""
    text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        CheckpointError: the file is not JSON, or holds no object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path} is not readable as JSON ({error}).") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not an object.")
    return content
