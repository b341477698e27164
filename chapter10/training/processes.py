"""Where a run computes: which device, and alone or as one of the processes of ``torchrun``."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist

from chapter10.training.batches import Batch


def pick_device(name: str = "auto") -> torch.device:
    """``"auto"``: CUDA where there is one, else Apple's MPS, else the CPU.

    Raises:
        ValueError: the named device is not there.
    """
    mps = torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    device = torch.device(name)
    if (device.type == "cuda" and not torch.cuda.is_available()) or (
        device.type == "mps" and not mps
    ):
        raise ValueError(
            f'There is no device {name!r} on this machine; "auto" takes what there is.'
        )
    return device


def is_first_process() -> bool:
    """True in a single process, and in the one process of many that writes and prints."""
    return os.environ.get("RANK", "0") == "0"


@dataclass(frozen=True)
class Processes:
    """This process among those that train one model together."""

    device: torch.device
    rank: int = 0
    size: int = 1

    def total(self, numbers: Sequence[float]) -> list[float]:
        """Each number summed over all processes."""
        if self.size == 1:
            return list(numbers)
        tensor = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor)
        return tensor.tolist()

    def from_first(self, flags: Sequence[bool]) -> list[bool]:
        """The flags of process 0, in every process."""
        return [value > 0 for value in self.total([self.rank == 0 and flag for flag in flags])]

    def share(self, batch: Batch) -> tuple[Batch, float]:
        """This process's rows of a batch, on the device, and the weight of their loss.

        Every process must compute something; one without a row takes the first with weight 0.
        """
        rows = len(next(iter(batch.values())))
        spare = self.rank >= rows
        part = slice(0, 1) if spare else slice(self.rank, None, self.size)
        moved = {name: tensor[part].to(self.device) for name, tensor in batch.items()}
        return moved, 0.0 if spare else 1.0


@contextmanager
def processes(device: str = "auto") -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started, if it did, for the time of the block."""
    picked = pick_device(device)
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Processes(picked)
        return
    if picked.type == "cuda":
        picked = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(picked)
    started = not dist.is_initialized()
    if started:
        dist.init_process_group("nccl" if picked.type == "cuda" else "gloo")
    try:
        yield Processes(picked, rank=dist.get_rank(), size=size)
    finally:
        if started:
            dist.destroy_process_group()
