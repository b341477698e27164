"""Execute the notebooks of the book, store their outputs, and tell which of these are stale.

The book is built from stored outputs, so somebody has to know when they no longer belong to the
code. A page is stale when one of these has changed since its last execution:

- its code cells (prose may change freely);
- a module of ``chapter10`` that it imports, directly or through other modules. A name taken from a
  package, as in ``from chapter10 import Bert``, stands for the module that defines it, so that work
  on T5 does not make the page on BERT stale. ``import chapter10`` stands for everything that the
  package re-exports;
- a data file of the package whose name, or whose folder's name, stands as a string in that code
  (``"fonts"``);
- ``book/evidence/B1.json`` where the page's code names ``"B1"``.

One hash over all of them is kept in the notebook's metadata under ``chapter10``, beside what the
execution cost::

    {"source_hash": "…", "cpu_seconds": 41.2, "peak_memory_mb": 512, "executed_with": {…}}

Run it as ``python tools/notebooks.py`` (the stale pages) or ``python tools/notebooks.py --all``.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import hashlib
import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import version
from pathlib import Path

import nbformat
import psutil
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "chapter10"
KEY = "chapter10"
"""Where a notebook's metadata keeps the hash and the cost."""

MAX_CPU_SECONDS = 90
"""What a page may take on one thread: a reader waits for it."""
MAX_MEMORY_MB = 1500
"""What a page may hold at its peak: Binder gives 2 GB, its own server included."""
CELL_TIMEOUT = 300
"""Seconds of wall-clock time for one cell, as for nbval."""


def find_pages(root: Path = ROOT) -> list[Path]:
    """Return every notebook of the book, in alphabetical order."""
    return sorted(
        p for p in (root / "book").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts
    )


def use_one_thread() -> None:
    """Give kernels started from here one thread, so that sums are taken in one order everywhere."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = "1"


# --- what a page depends on


@cache
def parse_file(path: Path) -> ast.Module:
    """Return the syntax tree of a file, read once in a run."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def _code(page: nbformat.NotebookNode) -> list[str]:
    return [c.source for c in page.cells if c.cell_type == "code" and c.source.strip()]


def _page_tree(page: nbformat.NotebookNode) -> ast.Module:
    """Parse all code cells; IPython first turns ``%magics`` and ``!commands`` into Python."""
    transform = TransformerManager().transform_cell
    return ast.parse("\n".join(transform(source) for source in _code(page)))


class _Modules:
    """The modules of the package, by dotted name, and how imports lead from one to the next."""

    def __init__(self, root: Path) -> None:
        self.paths: dict[str, Path] = {}
        for path in sorted((root / PACKAGE).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            self.paths[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path

    def _base(self, node: ast.ImportFrom, importer: str | None) -> str:
        """Return the absolute dotted name that ``from … import`` takes names from."""
        if node.level == 0 or importer is None:
            return node.module or ""
        parts = importer.split(".")
        up = node.level - (self.paths[importer].name == "__init__.py")
        return ".".join(parts[: len(parts) - up] + ([node.module] if node.module else []))

    def _origin(self, base: str, name: str) -> str:
        """Return the module that defines `name`, following re-exports in ``__init__.py``."""
        if f"{base}.{name}" in self.paths:
            return f"{base}.{name}"
        if base in self.paths and self.paths[base].name == "__init__.py":
            for node in ast.walk(parse_file(self.paths[base])):
                if isinstance(node, ast.ImportFrom):
                    for alias in node.names:
                        source = self._base(node, base)
                        if (alias.asname or alias.name) == name and source != base:
                            return self._origin(source, alias.name)
        return base

    def imported(self, tree: ast.Module, importer: str | None = None) -> set[str]:
        """Return the package's modules that a piece of code imports, anywhere in it."""
        names: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._base(node, importer)
                names.update(self._origin(base, alias.name) for alias in node.names)
        return {name for name in names if name in self.paths and name != importer}

    def reachable(self, tree: ast.Module) -> list[str]:
        """Return all modules that a page's code leads to, sorted."""
        seen: set[str] = set()
        todo = self.imported(tree)
        while todo:
            name = todo.pop()
            seen.add(name)
            todo |= self.imported(parse_file(self.paths[name]), name) - seen
        return sorted(seen)


def _words(trees: Iterable[ast.Module]) -> set[str]:
    """Return every string constant of the code, and its parts between slashes."""
    constants = (
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return {part for constant in constants for part in constant.split("/")}


def dependencies(page: nbformat.NotebookNode, root: Path = ROOT) -> list[Path]:
    """Return the files besides the page itself whose change makes the page's outputs stale."""
    modules = _Modules(root)
    tree = _page_tree(page)
    sources = [modules.paths[name] for name in modules.reachable(tree)]
    words = _words([tree, *map(parse_file, sources)])
    package = root / PACKAGE
    data = [
        path
        for path in package.rglob("*")
        if path.is_file()
        and path.suffix not in {".py", ".pyc"}
        and words.intersection(path.relative_to(package).parts)
    ]
    evidence = [p for p in (root / "book" / "evidence").glob("*.json") if p.stem in _words([tree])]
    return sorted({*sources, *data, *evidence})


def source_hash(page: nbformat.NotebookNode, root: Path = ROOT) -> str:
    """Return the hash of a page's code cells and of everything in `dependencies`."""
    digest = hashlib.sha256(json.dumps(_code(page)).encode())
    for path in dependencies(page, root):
        digest.update(path.relative_to(root).as_posix().encode())
        # Lines end in \r\n in a Windows checkout; data files are hashed as they are.
        content = path.read_bytes()
        digest.update(content.replace(b"\r\n", b"\n") if path.suffix == ".py" else content)
    return digest.hexdigest()


def why_stale(path: Path, root: Path = ROOT) -> str | None:
    """Return why a page has to be executed again, or None where its stored outputs are good."""
    page = nbformat.read(path, as_version=4)
    cells = [
        cell
        for cell in page.cells
        if cell.cell_type == "code"
        and cell.source.strip()
        and "skip-execution" not in cell.metadata.get("tags", [])
    ]
    if any(cell.execution_count is None for cell in cells):
        return "a code cell has never been executed"
    if any(output.output_type == "error" for cell in cells for output in cell.outputs):
        return "an error is stored among its outputs"
    stored = page.metadata.get(KEY, {}).get("source_hash")
    if stored is None:
        return "it was not executed by `make notebooks`"
    if stored != source_hash(page, root):
        return (
            "its code, or package code or data that it uses, has changed since its last execution"
        )
    return None


# --- execution


def page_usage(pid: int) -> tuple[float, int]:
    """Return the CPU seconds and the peak resident memory (MB, 10⁶ bytes) of a kernel's process.

    Linux and Windows know a process's peak. macOS tells only the present size, a lower bound.
    """
    process = psutil.Process(pid)
    times, memory = process.cpu_times(), process.memory_info()
    peak = getattr(memory, "peak_wset", memory.rss)
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        peak = int(line.split()[1]) * 1024
    return round(times.user + times.system, 1), round(peak / 1e6)


def execute(path: Path, root: Path = ROOT) -> tuple[float, int]:
    """Execute a page in its own folder, store outputs, hash and cost in it, and return the cost.

    The file is replaced at once and only after success, so an interrupted or failed run leaves it
    as it was.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    page = nbformat.read(path, as_version=4)
    page.metadata.pop("widgets", None)  # else the state of widgets of earlier runs piles up
    usage: list[tuple[float, int]] = []

    def measure(**_: object) -> None:  # after every cell; once all are done, the kernel is gone
        usage.append(page_usage(client.km.provisioner.pid))

    client = NotebookClient(
        page,
        kernel_name="python3",
        timeout=CELL_TIMEOUT,
        record_timing=False,  # times of day would change the file at every execution
        coalesce_streams=True,  # a progress bar is one line, as it stood at its end
        resources={"metadata": {"path": str(path.parent)}},
        on_cell_executed=measure,
    )
    client.execute()
    cpu_seconds, peak_memory_mb = usage[-1]
    page.metadata[KEY] = {
        "source_hash": source_hash(page, root),
        "cpu_seconds": cpu_seconds,
        "peak_memory_mb": peak_memory_mb,
        "executed_with": {
            "python": platform.python_version(),
            PACKAGE: version(PACKAGE),
            "torch": version("torch"),
        },
    }
    partial = path.with_suffix(".ipynb.part")
    partial.write_text(nbformat.writes(page) + "\n", encoding="utf-8")
    partial.replace(path)
    return cpu_seconds, peak_memory_mb


def over_budget(cpu_seconds: float, peak_memory_mb: float) -> str | None:
    """Return a sentence about what a page takes too much of, or None."""
    if cpu_seconds > MAX_CPU_SECONDS:
        return f"takes {cpu_seconds} CPU seconds; a page may take {MAX_CPU_SECONDS}"
    if peak_memory_mb > MAX_MEMORY_MB:
        return f"takes {peak_memory_mb} MB at its peak; a page may take {MAX_MEMORY_MB} MB"
    return None


def _report(path: Path) -> Iterator[str]:
    """Execute one page; yield a sentence for each thing that is wrong with it."""
    name = path.relative_to(ROOT).as_posix()
    try:
        cpu_seconds, peak_memory_mb = execute(path)
    except CellExecutionError as error:
        yield f"{name}: a cell failed, the stored page is unchanged.\n{error}"
        return
    print(f"{name}: {cpu_seconds} CPU seconds, {peak_memory_mb} MB at its peak", flush=True)
    if problem := over_budget(cpu_seconds, peak_memory_mb):
        yield f"{name}: {problem}."


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(
        description="Execute the book's notebooks and store outputs; by default the stale ones.",
        epilog="Example: python tools/notebooks.py book/bert.ipynb",
    )
    parser.add_argument(
        "pages", nargs="*", type=Path, help="notebooks to look at (default: all of the book)"
    )
    parser.add_argument(
        "--all", action="store_true", help="execute them whether they are stale or not"
    )
    parser.add_argument(
        "--check", action="store_true", help="execute nothing; exit 1 where one is stale"
    )
    parser.add_argument(
        "--jobs", type=int, default=2, help="pages executed at the same time (default: 2)"
    )
    options = parser.parse_args(arguments)
    pages = [path.resolve() for path in options.pages] or find_pages()
    if missing := [str(path) for path in pages if not path.is_file()]:
        parser.error(
            f"there is no notebook {', '.join(missing)}; name files such as book/bert.ipynb"
        )
    reasons = {path: why_stale(path) for path in pages}
    for path, reason in reasons.items():
        print(
            f"{path.relative_to(ROOT).as_posix()}: {reason or 'outputs are up to date'}", flush=True
        )
    if options.check:
        return int(any(reasons.values()))
    use_one_thread()
    stale = [path for path, reason in reasons.items() if options.all or reason]
    with ThreadPoolExecutor(max_workers=options.jobs) as pool:
        problems = [line for lines in pool.map(lambda p: list(_report(p)), stale) for line in lines]
    print("\n".join(problems), file=sys.stderr)
    return int(bool(problems))


if __name__ == "__main__":
    if sys.platform == "win32":  # zmq's sockets need this loop there
        asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())
    sys.exit(main())
