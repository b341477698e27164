"""How the reference library names and lays out what a saved model holds.

Our modules carry the papers' names; the reference library's differ from family to family. One
:class:`Format` a family says how the two correspond, for the configuration and the parameters.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

HEADS = ("predictions.", "seq_relationship.", "classifier.", "qa_outputs.", "lm_head.")
OPTIONAL = (*HEADS, "cls.", "sop_classifier.", "pooler.")  # theirs: not every model has these


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
        ignored=r"\battn\.(masked_)?bias$",
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
FORMATS["mt5"] = FORMATS["t5"]
FORMATS["t5_gated"] = dataclasses.replace(
    FORMATS["t5"],
    parameter_names=(
        *FORMATS["t5"].parameter_names,
        (r"DenseReluDense\.wi\.", "DenseReluDense.wi_1."),
    ),
)


def is_head(name: str) -> bool:
    """Does the parameter belong to a task rather than to the shared body?"""
    return name.startswith(HEADS)


def without_body(name: str) -> str:
    """``bert.encoder...`` -> ``encoder...``: the table of names is that of the body alone."""
    return name.removeprefix("bert.")
