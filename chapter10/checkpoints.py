"""Saved models in the transformers library's own format, both ways; never a pickle.

A saved model is a folder with ``config.json`` and ``model.safetensors``; ``formats.py`` says how
their names correspond to ours.
"""

import dataclasses
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from chapter10.formats import FORMATS, OPTIONAL, Format, is_head, without_body
from chapter10.hub import CheckpointError, find_file, read_json, write_json, write_whole

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainedConfig:
    """What every model's configuration can do: be written and read in the reference's format.

    Subclasses are frozen, keyword-only dataclasses.
    """

    @property
    def model_type(self) -> str:
        """The reference library's name of the family, a key of ``chapter10.formats.FORMATS``."""
        return type(self).__name__.removesuffix("Config").lower()

    @property
    def format(self) -> Format:
        """How the reference library writes models of this configuration."""
        return FORMATS[self.model_type]

    def to_reference(self) -> dict[str, Any]:
        """The content of ``config.json``, without the name of the architecture."""
        names = self.format.config_names
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        content = {names.get(name, name): value for name, value in fields.items()}
        return {"model_type": self.model_type, **self.format.constants, **content}

    @classmethod
    def from_reference(cls, content: Mapping[str, Any], keys: frozenset[str]) -> Self:
        """Read the content of ``config.json``.

        Args:
            content: the parsed file.
            keys: names of the stored tensors, which settle what the file leaves open.

        Raises:
            CheckpointError: the file asks for something that our models do not have.
            ValueError: an impossible value.
        """
        form = FORMATS[content["model_type"]]
        for option, value in form.required.items():
            if content.get(option, value) != value:
                raise CheckpointError(
                    f"config.json asks for {option} = {content[option]!r}; "
                    f"this package knows only {value!r}."
                )
        names = {
            field.name: form.config_names.get(field.name, field.name)
            for field in dataclasses.fields(cls)
        }
        return cls(**{ours: content[theirs] for ours, theirs in names.items() if theirs in content})


class PretrainedModel(nn.Module):
    """A model that can be saved to a folder and loaded again, by us and by the reference library.

    Class attributes: ``config_class``; ``architectures``, for each family the reference library's
    name of the same model.
    """

    config_class: ClassVar[type[PretrainedConfig]]
    architectures: ClassVar[Mapping[str, str]]
    config: Any

    @classmethod
    def from_pretrained(cls, name_or_folder: str | os.PathLike[str], **changes: Any) -> Self:
        """Load a saved model, in evaluation mode, in single precision.

        Parameters of a head that the file does not have start at random, with a warning: that is
        the start of fine-tuning.

        Args:
            name_or_folder: a folder with ``config.json`` and ``model.safetensors``, or a name on
                the hub such as ``bert-base-chinese``.
            changes: fields of the configuration to set otherwise, such as ``num_labels=3``.

        Raises:
            CheckpointError: a file is missing, corrupt, or of another model.
        """
        content = read_json(find_file(name_or_folder, CONFIG_FILE))
        family = content.get("model_type")
        if family not in cls.architectures:
            raise CheckpointError(
                f"{name_or_folder} holds a model of type {family!r}; "
                f"{cls.__name__} loads {', '.join(map(repr, cls.architectures))}."
            )
        tensors = read_tensors(find_file(name_or_folder, WEIGHTS_FILE))
        config = cls.config_class.from_reference(content, frozenset(tensors))
        model = cls(dataclasses.replace(config, **changes))
        fill_parameters(model, tensors, model.config.format)
        return model.eval()

    def save_pretrained(
        self, folder: str | os.PathLike[str], dtype: torch.dtype = torch.float32
    ) -> None:
        """Write ``config.json`` and ``model.safetensors``, each whole or not at all.

        Args:
            folder: made if it is not there.
            dtype: precision of the stored numbers; ``torch.float16`` halves the file.
        """
        tensors = {
            key: tensor.to("cpu", dtype, copy=True).contiguous()
            for key, tensor in self.reference_tensors().items()
        }
        content = {
            "architectures": [self.architectures[self.config.model_type]],
            "dtype": str(dtype).removeprefix("torch."),
            **self.config.to_reference(),
        }
        write_whole(
            Path(folder) / WEIGHTS_FILE,
            lambda path: save_file(tensors, path, metadata={"format": "pt"}),
        )
        write_json(Path(folder) / CONFIG_FILE, content)

    def reference_tensors(self) -> dict[str, Tensor]:
        """The parameters under the reference library's names, in its layout."""
        form = self.config.format
        names = [name for name, _ in self.named_parameters(remove_duplicate=False)]
        body = form.body if any(map(is_head, names)) else ""
        parts: dict[str, dict[int, Tensor]] = {}
        for name, parameter in self.named_parameters():  # names a tied matrix once
            slot = form.slot(without_body(name))
            key = slot.key if is_head(name) else body + slot.key
            tensor = parameter.detach()
            parts.setdefault(key, {})[slot.part or 0] = tensor.T if slot.transposed else tensor
        tensors = {
            key: torch.cat([part[i] for i in sorted(part)], dim=-1) for key, part in parts.items()
        }
        aliases = {a: tensors[key] for key, a in form.aliases.items() if key in tensors}
        return {**tensors, **aliases}

    def num_parameters(self) -> int:
        """How many numbers are learned; a tied matrix counts once."""
        return sum(parameter.numel() for parameter in self.parameters())


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises:
        CheckpointError: truncated, corrupt, or of another format.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} ({path.stat().st_size:,} bytes) is no complete safetensors file ({error}); "
            "delete it and fetch or train it again."
        ) from error


def fill_parameters(model: nn.Module, tensors: Mapping[str, Tensor], form: Format) -> None:
    """Copy stored tensors into the model's parameters.

    Raises:
        CheckpointError: a parameter of the body is missing, a shape differs, or the file holds
            parameters of a body that this configuration does not have.
    """
    stored = {
        re.sub(r"\.gamma$", ".weight", re.sub(r"\.beta$", ".bias", key)).removeprefix(
            form.body
        ): value
        for key, value in tensors.items()
    }
    used, missing = set(), []
    for name, parameter in model.named_parameters():
        slot = form.slot(without_body(name))
        key = form.aliases.get(slot.key, slot.key)
        key = key if key in stored else slot.key
        if key not in stored:
            missing.append(name)
            continue
        used.update({key, slot.key})
        tensor = stored[key].T if slot.transposed else stored[key]
        tensor = tensor if slot.part is None else tensor.chunk(3)[slot.part]
        if tensor.shape != parameter.shape:
            raise CheckpointError(
                f"{key} is stored with shape {tuple(tensor.shape)}, but this configuration needs "
                f"{tuple(parameter.shape)} for {name}."
            )
        with torch.no_grad():
            parameter.copy_(tensor)
    absent = whole_parts(model, missing)  # a head or the pooler may be new; half of one may not
    lost = [name for name in missing if not name.startswith(absent)]
    if lost:
        raise CheckpointError(f"The file lacks {len(lost)} parameters, among them {lost[:3]}.")
    extra = [key for key in stored if key not in used and not re.search(form.ignored, key)]
    extra = [key for key in extra if not key.startswith(OPTIONAL)]
    if extra:
        raise CheckpointError(
            f"The file holds {len(extra)} parameters for which this configuration has no place, "
            f"among them {extra[:3]}."
        )
    if missing:
        warnings.warn(f"not in the file, start at random: {', '.join(missing)}", stacklevel=3)


def whole_parts(model: nn.Module, missing: Sequence[str]) -> tuple[str, ...]:
    """Prefixes of the heads, and of the pooler, of which every parameter is missing."""
    names = [name for name, _ in model.named_parameters()]
    parts = {name.rpartition("pooler.")[0] + "pooler." for name in names if "pooler." in name}
    parts |= {name.split(".")[0] + "." for name in names if is_head(name)}
    return tuple(
        part for part in parts if all(name in missing for name in names if name.startswith(part))
    )
