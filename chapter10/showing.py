"""A function's own source on a page, so that what is read cannot drift from what is run."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

from IPython.display import Markdown


def show_source(shown: Callable[..., Any] | type) -> Markdown:
    """The source of a function or class as it stands in the package, without its docstring.

    What the docstring says stands in the prose around it and in the API reference. It is Markdown,
    because Jupyter and the book both colour its code to fit light and dark pages.
    """
    source = textwrap.dedent(inspect.getsource(shown))
    lines = source.splitlines()
    node = ast.parse(source).body[0]
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    first = node.body[0]
    if ast.get_docstring(node) is not None and len(node.body) > 1 and first.end_lineno is not None:
        del lines[first.lineno - 1 : first.end_lineno]
        while lines[first.lineno - 1 : first.lineno] == [""]:
            del lines[first.lineno - 1]
    return Markdown("```python\n" + "\n".join(lines) + "\n```")
