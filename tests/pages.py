"""Pages of the book as the tests of their assertions run them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import pytest

BOOK = Path(__file__).resolve().parent.parent / "book"


def run_page(name: str) -> list[str]:
    """Execute the code cells of a page, "pretraining", one after the other in this process.

    Returns the cells whose assertion failed; any other error is raised. Where the page is not yet
    written its test is skipped, and says so.
    """
    if not (BOOK / f"{name}.ipynb").is_file():
        pytest.skip(f"the page {name} is not yet written")
    namespace: dict[str, Any] = {"display": lambda *shown: None}
    failed = []
    for cell in nbformat.read(BOOK / f"{name}.ipynb", as_version=4).cells:
        if cell.cell_type != "code" or "google.colab" in cell.source:
            continue
        try:
            exec(compile(cell.source, f"book/{name}.ipynb", "exec"), namespace)
        except AssertionError:
            failed.append(cell.source)
    plt.close("all")
    return failed
