"""``import chapter10`` adds little to ``import torch``: what is heavy waits until it is used."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, torch
before = set(sys.modules)
import chapter10
print(*sorted(set(sys.modules) - before))
"""
# Each costs tens of milliseconds or more; none is needed before a figure, a download, a score.
HEAVY = {"transformers", "matplotlib", "sklearn", "scipy", "pandas", "huggingface_hub", "pooch"}
HEAVY |= {"yaml", "rich", "ipywidgets", "IPython", "tqdm", "seqeval", "sacrebleu"}


def test_nothing_heavy_is_imported() -> None:
    command = [sys.executable, "-c", PROGRAM]
    added = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert not HEAVY & {name.partition(".")[0] for name in added}
    assert "chapter10.bert" in added
    assert len(added) < 60, added
