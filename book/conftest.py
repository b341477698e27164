"""Hold each page that nbval runs to its memory limit and to twice the CPU time it declares."""

from __future__ import annotations

import nbformat
import pytest
from notebooks import KEY, MAX_MEMORY_MB, page_usage, use_one_thread

SMALLEST_DECLARED_TIME = 15.0
"""CPU seconds. Below this, starting Python and importing torch decide, not the page."""

use_one_thread()


def _cell_file(item: pytest.Item | None) -> pytest.Collector | None:
    """Return the notebook that a test is a cell of."""
    return item.parent if item is not None and hasattr(item.parent, "kernel") else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """After a page's last cell, before nbval stops its kernel, look at what the page has cost."""
    page = _cell_file(item)
    if page is None or page is _cell_file(nextitem):
        return
    cpu_seconds, peak_memory_mb = page_usage(page.kernel.km.provisioner.pid)
    declared = nbformat.read(page.path, as_version=4).metadata.get(KEY, {}).get("cpu_seconds", 0.0)
    allowed = 2 * max(declared, SMALLEST_DECLARED_TIME)
    if cpu_seconds > allowed:
        pytest.fail(
            f"{page.name} took {cpu_seconds} CPU seconds: it declares {declared}, "
            f"so {allowed} are allowed"
        )
    if peak_memory_mb > MAX_MEMORY_MB:
        pytest.fail(
            f"{page.name} took {peak_memory_mb} MB at its peak; a page may take {MAX_MEMORY_MB} MB"
        )
