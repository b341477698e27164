"""The state of a training run in one file: safetensors for the tensors, JSON for the rest.

One file, so that a kill at any moment leaves the old state or the new one, never a mixture; no
pickle, so that opening a stranger's file runs no code.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from chapter10.hub import CheckpointError, write_whole

SNAPSHOT_FILE = "training.safetensors"


def model_tensors(model: nn.Module) -> dict[str, Tensor]:
    """The parameters, a tied one once, and the buffers that the model saves."""
    kept = model.state_dict()
    buffers = {name: buffer for name, buffer in model.named_buffers() if name in kept}
    return {**dict(model.named_parameters()), **buffers}


def optimizer_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What the optimiser remembers, as ``parameter:quantity``."""
    return {
        f"{name}:{quantity}": value
        for name, parameter in model.named_parameters()
        for quantity, value in optimizer.state.get(parameter, {}).items()
    }


def fill_model(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy tensors of :func:`model_tensors` back.

    Raises:
        CheckpointError: they are those of another model.
    """
    ours = model_tensors(model)
    for name in sorted(ours.keys() | tensors.keys()):
        there = tuple(tensors[name].shape) if name in tensors else "missing"
        here = tuple(ours[name].shape) if name in ours else "missing"
        if there != here:
            raise CheckpointError(
                f"The saved run is of another model: {name} is {there} there and {here} here. "
                "Resume with the model it began with, or start in another folder."
            )
    with torch.no_grad():
        for name, tensor in ours.items():
            tensor.copy_(tensors[name])


def fill_optimizer(
    model: nn.Module, optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Give the optimiser its memory back, each tensor on its parameter's device."""
    for name, parameter in model.named_parameters():
        state = {
            key.rpartition(":")[2]: value if key.endswith(":step") else value.to(parameter.device)
            for key, value in tensors.items()
            if key.rpartition(":")[0] == name
        }
        if state:
            optimizer.state[parameter] = state


def write_snapshot(
    folder: Path, groups: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]
) -> None:
    """Write groups of tensors ("model", "optimizer", …) and a JSON object, whole or not at all."""
    tensors = {
        f"{group}/{name}": tensor.detach().cpu().contiguous()
        for group, members in groups.items()
        for name, tensor in members.items()
    }
    metadata = {"state": json.dumps(state)}
    write_whole(folder / SNAPSHOT_FILE, lambda path: save_file(tensors, path, metadata=metadata))


def read_snapshot(folder: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]] | None:
    """The groups of tensors and the JSON object of a folder's snapshot; None where there is none.

    Raises:
        CheckpointError: the file is damaged.
    """
    path = folder / SNAPSHOT_FILE
    if not path.is_file():
        return None
    groups: dict[str, dict[str, Tensor]] = {}
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            for key in file.keys():  # noqa: SIM118 (no mapping)
                group, name = key.split("/", 1)
                groups.setdefault(group, {})[name] = file.get_tensor(key)
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(
            f"{path} ({path.stat().st_size:,} bytes) is damaged ({error}); delete it and start "
            "again."
        ) from error
    return groups, state


def remove_leftovers(folder: Path) -> None:
    """Delete what a kill in the middle of a write left behind."""
    for path in folder.glob(f".{SNAPSHOT_FILE}.*"):
        if re.fullmatch(rf"\.{re.escape(SNAPSHOT_FILE)}\.\w+", path.name):
            path.unlink(missing_ok=True)
