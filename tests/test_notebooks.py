"""Stored outputs: none is stale or missing, and staleness follows the code that a page uses."""

from __future__ import annotations

from pathlib import Path

import nbformat
import notebooks
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PAGES = notebooks.find_pages()
ALL_PAGES_CPU_SECONDS = 20 * 60


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_no_stored_output_is_stale_or_missing(page: Path) -> None:
    reason = notebooks.why_stale(page)
    assert reason is None, f"{page.name}: {reason}; run `make notebooks`"


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_page_keeps_to_its_budget(page: Path) -> None:
    cost = nbformat.read(page, as_version=4).metadata[notebooks.KEY]
    assert notebooks.over_budget(cost["cpu_seconds"], cost["peak_memory_mb"]) is None


def test_there_are_pages_and_all_together_keep_to_their_budget() -> None:
    assert PAGES
    pages = [nbformat.read(page, as_version=4) for page in PAGES]
    assert sum(p.metadata[notebooks.KEY]["cpu_seconds"] for p in pages) <= ALL_PAGES_CPU_SECONDS


SOURCES = {
    "chapter10/__init__.py": "from chapter10.bert import Bert\nfrom .t5 import T5\n",
    "chapter10/core.py": "WIDTH = 8\n",
    "chapter10/bert.py": "from chapter10 import core\nBert = core.WIDTH\n",
    "chapter10/t5.py": "from .core import WIDTH\nT5 = WIDTH\n",
    "chapter10/plots.py": "FONT = 'fonts/a.otf'\n",
    "chapter10/text/__init__.py": "from ..text.reader import read\n",
    "chapter10/text/reader.py": "def read():\n    from .deep import lazily\n    return lazily\n",
    "chapter10/text/deep.py": "lazily = 1\n",
    "chapter10/fonts/a.otf": "glyphs",
    "chapter10/recipes/small.yml": "steps: 1",
    "book/evidence/B1.json": "{}",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project in the layout of ours."""
    for name, text in SOURCES.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("print(1)", set()),
        ("import numpy as np\n%matplotlib inline\n!pip list", set()),
        ("from chapter10 import Bert", {"chapter10/bert.py", "chapter10/core.py"}),
        ("from chapter10 import T5", {"chapter10/t5.py", "chapter10/core.py"}),
        ("from chapter10.t5 import T5", {"chapter10/t5.py", "chapter10/core.py"}),
        ("import chapter10.core as core", {"chapter10/core.py"}),
        ("def f():\n    import chapter10.core", {"chapter10/core.py"}),
        (
            "import chapter10",
            {
                "chapter10/__init__.py",
                "chapter10/bert.py",
                "chapter10/core.py",
                "chapter10/t5.py",
            },
        ),
        ("from chapter10 import plots", {"chapter10/plots.py", "chapter10/fonts/a.otf"}),
        (
            "from chapter10.text import read",
            {"chapter10/text/reader.py", "chapter10/text/deep.py"},
        ),
        ("run('small.yml')", {"chapter10/recipes/small.yml"}),
        ("check('B1', .5)", {"book/evidence/B1.json"}),
    ],
)
def test_a_page_depends_on_what_its_code_leads_to(
    project: Path, code: str, expected: set[str]
) -> None:
    page = new_notebook(cells=[new_code_cell(code)])
    found = notebooks.dependencies(page, project)
    assert {path.relative_to(project).as_posix() for path in found} == expected


@pytest.mark.parametrize(
    ("changed", "stale"),
    [
        ("chapter10/bert.py", True),
        ("chapter10/core.py", True),
        ("chapter10/t5.py", False),
        ("chapter10/fonts/a.otf", False),
    ],
)
def test_only_a_change_in_what_it_uses_changes_the_hash(
    project: Path, changed: str, stale: bool
) -> None:
    page = new_notebook(cells=[new_code_cell("from chapter10 import Bert")])
    before = notebooks.source_hash(page, project)
    with (project / changed).open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    notebooks.parse_file.cache_clear()
    assert (notebooks.source_hash(page, project) != before) is stale


def test_prose_may_change_and_code_may_not(project: Path) -> None:
    page = new_notebook(cells=[new_markdown_cell("prose"), new_code_cell("1 + 1")])
    before = notebooks.source_hash(page, project)
    page.cells[0].source = "other prose"
    assert notebooks.source_hash(page, project) == before
    page.cells[1].source = "1 + 2"
    assert notebooks.source_hash(page, project) != before


def _write(project: Path, *code: str) -> Path:
    path = project / "book" / "page.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(source) for source in code]), path)
    return path


def test_execution_stores_outputs_and_cost_and_runs_in_the_pages_folder(project: Path) -> None:
    path = _write(project, "from pathlib import Path\nPath('evidence').is_dir()", "x = 21", "2 * x")
    assert notebooks.why_stale(path, project) == "a code cell has never been executed"
    cpu_seconds, peak_memory_mb = notebooks.execute(path, project)
    page = nbformat.read(path, as_version=4)
    assert page.cells[0].outputs[0].data["text/plain"] == "True"
    assert page.cells[2].outputs[0].data["text/plain"] == "42"
    assert page.metadata[notebooks.KEY]["cpu_seconds"] == cpu_seconds > 0
    assert page.metadata[notebooks.KEY]["peak_memory_mb"] == peak_memory_mb > 10
    assert notebooks.why_stale(path, project) is None
    page.cells[2].source = "3 * x"
    nbformat.write(page, path)
    assert "has changed" in (notebooks.why_stale(path, project) or "")


def test_the_peak_is_the_kernels_own(project: Path) -> None:
    allocate = "block = bytearray(400_000_000)\nblock[::4096] = bytes([1]) * len(block[::4096])"
    path = _write(project, allocate, "del block")
    _, peak_memory_mb = notebooks.execute(path, project)
    if Path("/proc/self/status").exists():
        assert 400 < peak_memory_mb < 700
        assert notebooks.over_budget(1.0, peak_memory_mb) is None
    assert "1600 MB" in (notebooks.over_budget(1.0, 1600) or "")
    assert "91 CPU seconds" in (notebooks.over_budget(91, 100) or "")


def test_a_failing_page_stays_as_it_was(project: Path) -> None:
    path = _write(project, "1 / 0")
    before = path.read_bytes()
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        notebooks.execute(path, project)
    assert path.read_bytes() == before
    assert list(path.parent.glob("*.part")) == []


def test_a_stored_error_and_a_foreign_execution_count_as_stale(project: Path) -> None:
    path = _write(project, "1")
    page = nbformat.read(path, as_version=4)
    page.cells[0].execution_count = 1
    nbformat.write(page, path)
    assert "make notebooks" in (notebooks.why_stale(path, project) or "")
    page.cells[0].outputs = [nbformat.v4.new_output("error", ename="E", evalue="", traceback=[])]
    nbformat.write(page, path)
    assert "error" in (notebooks.why_stale(path, project) or "")


def test_the_command_line_names_a_notebook_that_is_not_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as stopped:
        notebooks.main(["book/nothing.ipynb"])
    assert stopped.value.code == 2
    assert "nothing.ipynb" in capsys.readouterr().err
