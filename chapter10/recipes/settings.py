"""Settings files: YAML into frozen dataclasses, with errors that name the file and the key."""

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

Settings = TypeVar("Settings")


class SettingsError(ValueError):
    """A settings file cannot be used; the message names the file, the key and what would do."""


def read_settings(path: Path) -> dict[str, Any]:
    """The content of a YAML file.

    Raises:
        SettingsError: no such file, no YAML, or no mapping of keys to values.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{path} holds no settings; write lines such as `key: value`.")
    return content


def build(cls: type[Settings], content: Any, where: str) -> Settings:
    """A dataclass from a mapping; nested dataclasses from nested mappings.

    Args:
        cls: a dataclass.
        content: field -> value, as YAML gives them.
        where: the file and the key so far, for messages.

    Raises:
        SettingsError: an unknown or missing key, a value of another type, or one that the
            dataclass itself rejects.
    """
    if not isinstance(content, Mapping):
        raise SettingsError(f"{where} is {content!r}; give a mapping of keys to values.")
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in content:
        check_key(str(key), fields, where)
    required = [
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    if missing := [name for name in required if name not in content]:
        raise SettingsError(f"{where} lacks {', '.join(missing)}; add it.")
    try:
        return cls(**convert_fields(cls, content, where))
    except SettingsError:
        raise
    except ValueError as error:
        raise SettingsError(f"{where}: {error}") from error


def convert_fields(cls: type, content: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Each value as the field of ``cls`` with its name asks for; see :func:`convert`."""
    hints = typing.get_type_hints(cls)
    return {key: convert(value, hints[key], f"{where}.{key}") for key, value in content.items()}


def check_key(key: str, known: typing.Iterable[str], where: str) -> None:
    """Raise SettingsError for a key that is not known, with the nearest ones that are."""
    known = list(known)
    if key not in known:
        near = difflib.get_close_matches(key, known, n=2, cutoff=0.6)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}."
        raise SettingsError(f"{where}.{key} is unknown; {hint}")


def convert(value: Any, wanted: Any, where: str) -> Any:
    """A YAML value as the annotation ``wanted`` asks for.

    Raises:
        SettingsError: it is of another type.
    """
    origin, choices = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in (types.UnionType, typing.Union):
        if value is None and type(None) in choices:
            return None
        (wanted,) = [choice for choice in choices if choice is not type(None)]
        return convert(value, wanted, where)
    if origin is Mapping and isinstance(value, Mapping):
        return value
    if origin is Literal:
        if value in choices:
            return value
        raise SettingsError(f"{where} is {value!r}; it can be {', '.join(map(str, choices))}.")
    if origin is tuple and isinstance(value, list) and len(value) == len(choices):
        pairs = zip(value, choices, strict=True)
        return tuple(convert(part, choice, where) for part, choice in pairs)
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
        return build(wanted, value, where)
    if wanted is float and not isinstance(value, bool):
        try:
            return float(value)  # YAML reads 1e-3, without a point, as text
        except (TypeError, ValueError):
            pass
    elif isinstance(wanted, type) and type(value) is wanted:
        return value
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    raise SettingsError(f"{where} is {value!r}; give {names.get(wanted, str(wanted))}.")


def plain(value: Any) -> Any:
    """Nested settings as YAML knows them."""
    if isinstance(value, Mapping):
        return {name: plain(part) for name, part in value.items()}
    return list(value) if isinstance(value, tuple) else value


def flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as ``section.key``."""
    found: dict[str, Any] = {}
    for name, value in content.items():
        inner = isinstance(value, Mapping)
        found |= flat(value, f"{prefix}{name}.") if inner else {f"{prefix}{name}": value}
    return found
