"""Sphinx extension: docstrings as this project writes them, read by autodoc and Napoleon.

Parameters and fields are described as lines of ``name: what it is``; here they become a list.
An attribute's docstring is prose, whatever colon stands in its first line.
"""

from __future__ import annotations

import re
from itertools import groupby

from sphinx.application import Sphinx

FIELD = re.compile(r"([A-Za-z_]\w*(?:, [A-Za-z_]\w*)*): (?=\S)")


def list_fields(lines: list[str]) -> list[str]:
    """Turn each paragraph that consists of ``name: text`` lines into a bullet list."""
    listed: list[str] = []
    for empty, group in groupby(lines, key=lambda line: not line.strip()):
        paragraph = list(group)
        flush = [line for line in paragraph if not line[:1].isspace()]
        if not empty and flush and all(map(FIELD.match, flush)):
            paragraph = [
                "- " + FIELD.sub(r"**\1**: ", line, count=1)
                if line in flush
                else "  " + line.strip()
                for line in paragraph
            ]
        listed += paragraph
    return listed


def process_docstring(
    _app: Sphinx, what: str, _name: str, _obj: object, _options: object, lines: list[str]
) -> None:
    """Run before Napoleon on the docstring of each documented object."""
    if what in {"attribute", "data", "property"}:
        # Napoleon would read "shape (batch, length): ..." as a type; it leaves a comment alone.
        lines[:0] = ["..", ""]
    elif what != "module":
        lines[:] = list_fields(lines)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the step; called by Sphinx."""
    app.connect("autodoc-process-docstring", process_docstring, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
