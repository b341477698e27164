"""What all tests share: one thread, repeatable examples, files, real data, a browser."""

from __future__ import annotations

import lzma
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib
import pytest
import torch
from chromium import find_chromium
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the processes that tests start
matplotlib.use("Agg")

# The same examples at every run: a red build can be repeated. No deadline: CI machines stutter.
settings.register_profile("chapter10", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("chapter10")


def _missing_browser() -> str | None:
    """Return why browser tests cannot run here, or None."""
    if find_chromium() is None:
        return "no Chromium here; install one, or name it in CHAPTER10_CHROMIUM"
    if not (ROOT / "_build" / "html" / "index.html").is_file():
        return "the book is not built; run `make test-browser`, which builds it"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip browser tests without a browser; under CHAPTER10_BROWSER=require they fail instead."""
    browser_tests = [item for item in items if item.get_closest_marker("browser")]
    if not browser_tests or os.environ.get("CHAPTER10_BROWSER") == "require":
        return
    if reason := _missing_browser():
        for item in browser_tests:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True)
def _seed() -> Iterator[None]:
    """Seed torch for each test and put its state back, so that no test depends on another."""
    state = torch.get_rng_state()
    torch.manual_seed(0)
    yield
    torch.set_rng_state(state)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of the Chromium that browser tests drive."""
    path = find_chromium()
    if path is None:
        pytest.fail("CHAPTER10_BROWSER=require, and there is no Chromium here")
    return path


@pytest.fixture(scope="session")
def book_html() -> Path:
    """Return the folder of the built pages."""
    folder = ROOT / "_build" / "html"
    if not (folder / "index.html").is_file():
        pytest.fail(f"the book is not built: there is no {folder / 'index.html'}; run `make book`")
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real data, or skip loudly where CHAPTER10_DATA names none."""
    named = os.environ.get("CHAPTER10_DATA")
    if not named:
        pytest.skip("SKIP: no real data; CHAPTER10_DATA does not name its folder")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"CHAPTER10_DATA names {folder}, which is not a folder")
    return folder


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function (content, name) -> the path of a new file, compressed where it is .xz."""

    def writer(content: str | bytes, name: str = "file.txt") -> Path:
        path = tmp_path / name
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(lzma.compress(data) if name.endswith(".xz") else data)
        return path

    return writer


@pytest.fixture
def pack(tmp_path: Path) -> Callable[..., Path]:
    """Return a function {name: content} -> the path of a new zip archive."""

    def packer(members: dict[str, str]) -> Path:
        path = tmp_path / "file.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path

    return packer
