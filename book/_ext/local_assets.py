"""Sphinx extension: the pinned browser libraries are in place before static files are copied."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.errors import ConfigError

FETCH = Path(__file__).resolve().parents[2] / "tools" / "fetch_assets.py"


def fetch_assets(_app: Sphinx, _config: Config) -> None:
    """Run ``tools/fetch_assets.py``, so that a bare ``jupyter-book build .`` works too."""
    done = subprocess.run([sys.executable, str(FETCH)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigError(done.stderr.strip())


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the step; called by Sphinx."""
    app.connect("config-inited", fetch_assets)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
