"""Saved models in the transformers library's own format, both ways; never a pickle.

A saved model is a folder with ``config.json`` and ``model.safetensors``. Our modules carry the
papers' names; the reference library's differ from family to family. One table a family,
:class:`Format`, says how the two correspond, for the configuration and for each parameter.
"""

import dataclasses
import os
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from chapter10.hub import CheckpointError, find_file, read_json, write_json, write_whole

WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.json"
HEADS = ("predictions.", "seq_relationship.", "classifier.", "qa_outputs.", "lm_head.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Slot:
    """Where one of our parameters stands in the reference library's file.

    ``part`` counts thirds of a fused query-key-value matrix; ``transposed`` matrices are stored
    (in, out) instead of (out, in).
    """

    key: str
    transposed: bool = False
    part: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Format:
    """How the reference library writes one family of models.

    ``config_names``: our name of a field -> theirs, where they differ. ``parameter_names``:
    regular expressions tried in order on a parameter's name. ``body``: what they put before the
    names of the shared body in a model with a head. ``transposed``: parameters stored (in, out).
    ``ignored``: entries that hold no parameter of ours. ``aliases``: entries stored twice, second
    name first served. ``required``: options of theirs that must have this value, for ours know
    no other.
    """

    body: str = ""
    config_names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    constants: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    parameter_names: tuple[tuple[str, str], ...] = ()
    transposed: str = r"(?!)"
    ignored: str = r"(?!)"
    aliases: Mapping[str, str] = dataclasses.field(default_factory=dict)
    required: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def slot(self, name: str) -> Slot:
        """The place of our parameter ``name``, without the body's prefix."""
        key = name
        for pattern, replacement in self.parameter_names:
            key = re.sub(pattern, replacement, key)
        fused = re.search(r"#(\d)", key)  # a table entry may end a fused name in #0, #1, #2
        return Slot(
            key=re.sub(r"#\d", "", key),
            transposed=re.search(self.transposed, name) is not None,
            part=int(fused[1]) if fused else None,
        )


_BERT_HEADS = (
    (r"^predictions\.(dense|norm)", r"cls.predictions.transform.\1"),
    (r"^predictions\.(decoder|bias)", r"cls.predictions.\1"),
    (r"^seq_relationship", "cls.seq_relationship"),
)
FORMATS: dict[str, Format] = {
    "bert": Format(
        body="bert.",
        parameter_names=(
            *_BERT_HEADS,
            (r"^encoder\.blocks\.", "encoder.layer."),
            (r"attention\.(query|key|value)", r"attention.self.\1"),
            (r"attention\.output", "attention.output.dense"),
            (r"attention_norm", "attention.output.LayerNorm"),
            (r"feed_forward\.up", "intermediate.dense"),
            (r"feed_forward\.down", "output.dense"),
            (r"feed_forward_norm", "output.LayerNorm"),
            (r"\bnorm\b", "LayerNorm"),
            (r"^pooler", "pooler.dense"),
        ),
        ignored=r"position_ids$",
        aliases={"cls.predictions.bias": "cls.predictions.decoder.bias"},
        required={"position_embedding_type": "absolute", "is_decoder": False},
    ),
    "albert": Format(
        body="albert.",
        parameter_names=(
            (r"^seq_relationship", "sop_classifier.classifier"),
            (r"^encoder\.blocks\.(\d+)\.", r"encoder.albert_layer_groups.\1.albert_layers.0."),
            (r"^embedding_projection", "encoder.embedding_hidden_mapping_in"),
            (r"attention\.output", "attention.dense"),
            (r"attention_norm", "attention.LayerNorm"),
            (r"feed_forward\.up", "ffn"),
            (r"feed_forward\.down", "ffn_output"),
            (r"feed_forward_norm", "full_layer_layer_norm"),
            (r"\bnorm\b", "LayerNorm"),
        ),
        ignored=r"position_ids$",
        aliases={"predictions.bias": "predictions.decoder.bias"},
        required={"position_embedding_type": "absolute", "inner_group_num": 1},
    ),
    "gpt2": Format(
        body="transformer.",
        config_names={
            "hidden_size": "n_embd",
            "num_hidden_layers": "n_layer",
            "num_attention_heads": "n_head",
            "intermediate_size": "n_inner",
            "max_position_embeddings": "n_positions",
            "hidden_act": "activation_function",
            "layer_norm_eps": "layer_norm_epsilon",
            "hidden_dropout_prob": "resid_pdrop",
            "embedding_dropout_prob": "embd_pdrop",
            "attention_probs_dropout_prob": "attn_pdrop",
        },
        parameter_names=(
            (r"^word_embeddings", "wte"),
            (r"^position_embeddings", "wpe"),
            (r"^decoder\.blocks\.", "h."),
            (r"^decoder\.final_norm", "ln_f"),
            (r"attention\.query\.", "attn.c_attn#0."),
            (r"attention\.key\.", "attn.c_attn#1."),
            (r"attention\.value\.", "attn.c_attn#2."),
            (r"attention\.output", "attn.c_proj"),
            (r"attention_norm", "ln_1"),
            (r"feed_forward\.up", "mlp.c_fc"),
            (r"feed_forward\.down", "mlp.c_proj"),
            (r"feed_forward_norm", "ln_2"),
        ),
        transposed=r"(attention|feed_forward)\.\w+\.weight$",
        ignored=r"attn\.(masked_)?bias$",
        required={
            "scale_attn_weights": True,
            "scale_attn_by_inverse_layer_idx": False,
            "add_cross_attention": False,
        },
    ),
    "t5": Format(
        config_names={
            "hidden_size": "d_model",
            "head_size": "d_kv",
            "intermediate_size": "d_ff",
            "num_hidden_layers": "num_layers",
            "num_attention_heads": "num_heads",
            "layer_norm_eps": "layer_norm_epsilon",
            "hidden_dropout_prob": "dropout_rate",
        },
        constants={"is_encoder_decoder": True},
        parameter_names=(
            (r"^word_embeddings", "shared"),
            (
                r"relative_position_bias",
                "block.0.layer.0.SelfAttention.relative_attention_bias",
            ),
            (r"\.blocks\.", ".block."),
            (r"cross_attention_norm", "layer.1.layer_norm"),
            (r"cross_attention\.(\w)\w+", r"layer.1.EncDecAttention.\1"),
            (r"\.attention_norm", ".layer.0.layer_norm"),
            (r"\.attention\.(\w)\w+", r".layer.0.SelfAttention.\1"),
            (r"^(encoder.*)\.feed_forward", r"\1.layer.1.feed_forward"),
            (r"^(decoder.*)\.feed_forward", r"\1.layer.2.feed_forward"),
            (r"feed_forward_norm", "layer_norm"),
            (r"feed_forward\.down", "DenseReluDense.wo"),
            (r"feed_forward\.gate", "DenseReluDense.wi_0"),
            (r"feed_forward\.up", "DenseReluDense.wi"),
            (r"final_norm", "final_layer_norm"),
        ),
        ignored=r"embed_tokens\.weight$|EncDecAttention\.relative_attention_bias",
    ),
    "cbow": Format(),
}
FORMATS["t5_gated"] = dataclasses.replace(
    FORMATS["t5"],
    parameter_names=(
        *FORMATS["t5"].parameter_names,
        (r"DenseReluDense\.wi\.", "DenseReluDense.wi_1."),
    ),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainedConfig:
    """What every model's configuration can do: be written and read in the reference's format.

    Subclasses are frozen, keyword-only dataclasses.
    """

    @property
    def model_type(self) -> str:
        """The reference library's name of the family, a key of :data:`FORMATS`."""
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
        family = "t5" if content.get("model_type") == "mt5" else content.get("model_type")
        if family not in cls.architectures:
            raise CheckpointError(
                f"{name_or_folder} holds a model of type {family!r}; "
                f"{cls.__name__} loads {', '.join(map(repr, cls.architectures))}."
            )
        tensors = read_tensors(find_file(name_or_folder, WEIGHTS_FILE))
        config = cls.config_class.from_reference(
            {**content, "model_type": family}, frozenset(tensors)
        )
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
        family = self.config.model_type
        form = self.config.format
        body = (
            form.body if any(True for name, _ in self.named_parameters() if is_head(name)) else ""
        )
        parts: dict[str, dict[int, Tensor]] = {}
        for name, parameter in self.named_parameters():  # names a tied matrix once
            slot = form.slot(without_body(name))
            key = slot.key if is_head(name) else body + slot.key
            tensor = parameter.detach().to("cpu", dtype)
            parts.setdefault(key, {})[slot.part or 0] = tensor.T if slot.transposed else tensor
        tensors = {
            key: torch.cat([part[i] for i in sorted(part)], dim=-1).contiguous()
            for key, part in parts.items()
        }
        for key, alias in form.aliases.items():
            if key in tensors:
                tensors[alias] = tensors[key].clone()
        content = {
            "architectures": [self.architectures[family]],
            "dtype": str(dtype).removeprefix("torch."),
            **self.config.to_reference(),
        }
        write_whole(
            Path(folder) / WEIGHTS_FILE,
            lambda path: save_file(tensors, path, metadata={"format": "pt"}),
        )
        write_json(Path(folder) / CONFIG_FILE, content)

    def num_parameters(self) -> int:
        """How many numbers are learned; a tied matrix counts once."""
        return sum(parameter.numel() for parameter in self.parameters())


def is_head(name: str) -> bool:
    """Does the parameter belong to a task rather than to the shared body?"""
    return name.startswith(HEADS)


def without_body(name: str) -> str:
    """``bert.encoder...`` -> ``encoder...``: the table of names is that of the body alone."""
    return name.removeprefix("bert.")


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
        if slot.part is not None:
            tensor = tensor.chunk(3)[slot.part]
        if tensor.shape != parameter.shape:
            raise CheckpointError(
                f"{key} is stored with shape {tuple(tensor.shape)}, but this configuration needs "
                f"{tuple(parameter.shape)} for {name}."
            )
        with torch.no_grad():
            parameter.copy_(tensor)
    lost = [name for name in missing if not is_head(name) and "pooler" not in name]
    if lost:
        raise CheckpointError(f"The file lacks {len(lost)} parameters, among them {lost[:3]}.")
    extra = [key for key in stored if key not in used and not re.search(form.ignored, key)]
    extra = [key for key in extra if not key.startswith((*HEADS, "cls.", "sop_classifier."))]
    if extra:
        raise CheckpointError(
            f"The file holds {len(extra)} parameters for which this configuration has no place, "
            f"among them {extra[:3]}."
        )
    if missing:
        warnings.warn(f"not in the file, start at random: {', '.join(missing)}", stacklevel=3)
