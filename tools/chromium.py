"""Find the Chromium that browser tests drive; as a script: print it, or say that there is none."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """Return the path of a Chromium: CHAPTER10_CHROMIUM's, or the first of `NAMES` on the path."""
    named = os.environ.get("CHAPTER10_CHROMIUM")
    if named:
        return named if Path(named).is_file() else None
    return next((found for name in NAMES if (found := shutil.which(name))), None)


if __name__ == "__main__":
    if path := find_chromium():
        print(f"browser tests use {path}")
    else:
        print(
            "SKIP browser tests: no Chromium here. Install one, or name it in CHAPTER10_CHROMIUM.",
            file=sys.stderr,
        )
        sys.exit(1)
