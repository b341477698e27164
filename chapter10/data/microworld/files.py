"""YAML read with line numbers, so that every error names file, line and remedy.

Scalars stay text ("no" is the word no, not False): a lexicon is made of words.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from chapter10.data.errors import MalformedError

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Text(str):
    """A scalar, with the line it stands on."""

    __slots__ = ("line", "path")
    line: int
    path: Path


class Table(dict[Text, Any]):
    """A mapping, with its line and file."""

    line: int
    path: Path


class Items(list[Any]):
    """A list, with its line and file."""

    line: int
    path: Path


Value = Text | Table | Items


class WorldFileError(MalformedError):
    """A file of the micro-world breaks its rules; the message names file, line and remedy."""


def fail(value: Value, problem: str) -> WorldFileError:
    """The error to raise about a value read from a file."""
    return WorldFileError(value.path, value.line, problem)


def read(path: Path) -> Table:
    """The mapping in a YAML file.

    Raises:
        WorldFileError: not YAML, not a mapping, or a key that stands twice.
        FileNotFoundError: no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no {path}; a world's folder needs it (copy the shipped one to start from)."
        )
    try:
        node = yaml.compose(path.read_text("utf-8"), Loader=LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 0
        reason = getattr(error, "problem", None) or "not valid YAML"
        raise WorldFileError(
            path, line, f"{reason}; check colons, commas, brackets and indentation near here"
        ) from error
    value = _value(node, path) if node is not None else Table()
    if not isinstance(value, Table):
        raise WorldFileError(path, 1, "the file must be a mapping of names to entries")
    return value


def _value(node: Any, path: Path) -> Value:
    line = node.start_mark.line + 1
    result: Value
    if isinstance(node, yaml.ScalarNode):
        result = Text(node.value)
    elif isinstance(node, yaml.SequenceNode):
        result = Items(_value(child, path) for child in node.value)
    else:
        result = Table()
        for key_node, value_node in node.value:
            key = _value(key_node, path)
            if not isinstance(key, Text):
                raise WorldFileError(path, line, "a key must be a word")
            if key in result:
                raise WorldFileError(path, key.line, f"{key} stands here twice; keep one of them")
            result[key] = _value(value_node, path)
    result.line, result.path = line, path
    return result


def check_keys(table: Table, allowed: Iterable[str], required: Iterable[str] = ()) -> None:
    """Refuse unknown and missing keys."""
    allowed = tuple(allowed)
    for key in table:
        if key not in allowed:
            raise fail(key, f"unknown key {str(key)!r}; here one may write {', '.join(allowed)}")
    for name in required:
        if name not in table:
            raise fail(table, f"the key {name!r} is missing here; add it")


def as_table(value: Value, what: str) -> Table:
    """The value, which must be a mapping."""
    if not isinstance(value, Table):
        raise fail(value, f"{what} must be a mapping (name: value), one entry a line")
    return value


def as_list(value: Value, what: str) -> list[Text]:
    """The value, which must be a list of words (one word alone will do)."""
    if isinstance(value, Text):
        return [value]
    if not isinstance(value, Items) or not all(isinstance(item, Text) for item in value):
        raise fail(value, f"{what} must be a list of words: [one, two]")
    return list(value)


def as_text(value: Value, what: str) -> Text:
    """The value, which must be a single word or line of text."""
    if not isinstance(value, Text):
        raise fail(value, f"{what} must be a single text")
    return value


def as_flag(value: Value, what: str) -> bool:
    """Whether the value is yes."""
    text = as_text(value, what)
    if text not in ("yes", "no"):
        raise fail(text, f"{what} is {str(text)!r}; write yes or no")
    return text == "yes"
