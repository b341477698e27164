"""Add up the JUnit reports of a folder into one line, ``N passed, N failed, N skipped``."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree


def summary(folder: Path) -> str:
    """Return the line; a test that failed in its set-up or teardown counts as failed."""
    total = failed = skipped = 0
    for report in sorted(folder.glob("*.xml")):
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            total += int(suite.get("tests", 0))
            failed += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped += int(suite.get("skipped", 0))
    return f"{total - failed - skipped} passed, {failed} failed, {skipped} skipped"


if __name__ == "__main__":
    folder, status = Path(sys.argv[1]), int(sys.argv[2])
    print(summary(folder) if status == 0 else f"{summary(folder)} (stopped with status {status})")
