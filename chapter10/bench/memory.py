"""Peak memory of training, each side in a process of its own, above what it held before.

What a side imports is loaded before, so what is counted is the model, its optimiser and three
updates.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import torch

from chapter10.bench.pairs import (
    Family,
    Shape,
    our_loss,
    our_model,
    reference_loss,
    reference_model,
    trainer,
)
from chapter10.bench.text import fixed_batch

SIDES = ("ours", "reference")
UPDATES = 3
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_memory(side: str, family: Family, shape: Shape) -> float | None:
    """Bytes, or None where the system does not tell (it does on Linux)."""
    if not _RESET.exists():
        return None
    arguments = map(str, (side, family, shape.layers, shape.hidden, shape.vocab))
    program = "from chapter10.bench.memory import main; main()"
    command = [sys.executable, "-c", program, *arguments, str(torch.get_num_threads())]
    quiet = {**os.environ, "TRANSFORMERS_VERBOSITY": "error"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=quiet)
    return float(done.stdout)


def rise(side: str, family: Family, shape: Shape) -> int:
    """Train a little; by how much memory rose at its highest, in bytes."""
    warm = torch.optim.AdamW([torch.zeros(1, requires_grad=True)], fused=True)
    warm.step()  # libraries that the first update loads
    batch = fixed_batch(family, shape.vocab)
    make, loss = (our_model, our_loss) if side == "ours" else (reference_model, reference_loss)
    trainer(family, make(family, Shape(1, 32, 100)), loss)  # imports what the model needs
    _RESET.write_text("5")  # the highest so far is forgotten
    before = _status("VmRSS")
    update = trainer(family, make(family, shape), loss)
    for _ in range(UPDATES):
        update(batch)
    return _status("VmHWM") - before


def _status(name: str) -> int:
    """A line of the kernel's account of this process, in bytes."""
    found = re.search(rf"^{name}:\s+(\d+) kB$", _STATUS.read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def main() -> None:
    """What the process of one side does: SIDE FAMILY LAYERS HIDDEN VOCAB THREADS -> bytes."""
    side, family, *numbers = sys.argv[1:]
    layers, hidden, vocab, threads = map(int, numbers)
    torch.set_num_threads(threads)
    print(rise(side, family, Shape(layers, hidden, vocab)))  # type: ignore[arg-type]
