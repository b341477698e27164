"""The Transformer core that BERT, GPT and T5 share: feed-forward, block, stack.

Vaswani et al., "Attention Is All You Need" (2017), https://arxiv.org/abs/1706.03762.

The three models differ in the values of one :class:`TransformerConfig`:

=============  ===================  =====================  ==============================
choice         BERT, ALBERT         GPT-2                  T5
=============  ===================  =====================  ==============================
normalisation  LayerNorm, after     LayerNorm, before      RMSNorm, before
positions      added to the input   added to the input     bias on the attention scores
attention      both directions      causal                 encoder both, decoder causal
linear maps    with bias            with bias              without bias
scores         scaled               scaled                 not scaled
=============  ===================  =====================  ==============================

Shapes are written B (batch), T (query positions), S (key positions), H (hidden size).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chapter10.attention import (
    Attention,
    AttentionCache,
    RelativePositionBias,
    make_attention_bias,
    none_if_full,
)
from chapter10.dropout import Dropout

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_new": partial(F.gelu, approximate="tanh"),
    "gelu_pytorch_tanh": partial(F.gelu, approximate="tanh"),
    "relu": F.relu,
    "silu": F.silu,
    "tanh": torch.tanh,
}


@dataclass(frozen=True, kw_only=True)
class TransformerConfig:
    """Everything that one stack of Transformer blocks needs to know.

    Sizes count features. ``num_hidden_layers`` blocks are applied; with
    ``num_hidden_groups`` they share that many sets of weights (ALBERT).
    """

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    hidden_act: str
    head_size: int | None = None
    gated: bool = False
    bias: bool = True
    norm: Literal["layer_norm", "rms_norm"] = "layer_norm"
    norm_first: bool = False
    norm_eps: float = 1e-12
    scale_attention: bool = True
    causal: bool = False
    cross_attention: bool = False
    relative_attention_num_buckets: int | None = None
    relative_attention_max_distance: int = 128
    hidden_dropout_prob: float = 0.0
    attention_probs_dropout_prob: float = 0.0
    intermediate_dropout_prob: float = 0.0
    num_hidden_groups: int | None = None

    def make_attention(self) -> Attention:
        """An attention layer of these sizes."""
        return Attention(
            self.hidden_size,
            self.num_attention_heads,
            self.head_size or self.hidden_size // self.num_attention_heads,
            bias=self.bias,
            scale=None if self.scale_attention else 1.0,
            dropout=self.attention_probs_dropout_prob,
        )

    def make_norm(self) -> nn.Module:
        """LayerNorm, or T5's RMSNorm (no mean, no bias)."""
        norm = nn.RMSNorm if self.norm == "rms_norm" else nn.LayerNorm
        return norm(self.hidden_size, eps=self.norm_eps)

    def layer_order(self) -> list[int]:
        """Index of the weights that each of the successive layers uses."""
        groups = self.num_hidden_groups or self.num_hidden_layers
        return [i * groups // self.num_hidden_layers for i in range(self.num_hidden_layers)]


@dataclass
class LayerCache:
    """What one block remembers between steps of generation."""

    attention: AttentionCache = field(default_factory=AttentionCache)
    cross_attention: AttentionCache = field(default_factory=AttentionCache)


class FeedForward(nn.Module):
    """Two linear maps with an activation between them, applied to each position alone.

    ``gated`` multiplies the activation by a third linear map (Shazeer 2020,
    https://arxiv.org/abs/2002.05202), as T5 v1.1 does.
    """

    def __init__(self, config: TransformerConfig):
        super().__init__()
        sizes = config.hidden_size, config.intermediate_size
        self.up = nn.Linear(*sizes, bias=config.bias)
        self.gate = nn.Linear(*sizes, bias=config.bias) if config.gated else None
        self.down = nn.Linear(config.intermediate_size, config.hidden_size, bias=config.bias)
        self.activation = ACTIVATIONS[config.hidden_act]
        self.dropout = Dropout(config.intermediate_dropout_prob)

    def forward(self, hidden_states: Tensor) -> Tensor:
        """(B, T, H) -> (B, T, H)."""
        if self.gate is None:
            inner = self.activation(self.up(hidden_states))  # (B, T, intermediate)
        else:
            inner = self.activation(self.gate(hidden_states)) * self.up(hidden_states)
        return self.down(self.dropout(inner))


class Block(nn.Module):
    """One layer: self-attention, cross-attention where the config asks for it, feed-forward."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.norm_first = config.norm_first
        self.attention = config.make_attention()
        self.attention_norm = config.make_norm()
        if config.cross_attention:
            self.cross_attention = config.make_attention()
            self.cross_attention_norm = config.make_norm()
        self.feed_forward = FeedForward(config)
        self.feed_forward_norm = config.make_norm()
        self.dropout = Dropout(config.hidden_dropout_prob)

    def forward(
        self,
        hidden_states: Tensor,
        attention_bias: Tensor | None = None,
        *,
        is_causal: bool = False,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_bias: Tensor | None = None,
        cache: LayerCache | None = None,
        output_attentions: bool = False,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """(B, T, H) -> (B, T, H), self-attention weights, cross-attention weights (or None)."""
        mixed, attentions = self.attention(
            self.before(self.attention_norm, hidden_states),
            attention_bias,
            is_causal=is_causal,
            cache=cache.attention if cache else None,
            output_attentions=output_attentions,
        )
        hidden_states = self.after(self.attention_norm, hidden_states + self.dropout(mixed))
        cross_attentions = None
        if encoder_hidden_states is not None:
            mixed, cross_attentions = self.cross_attention(
                self.before(self.cross_attention_norm, hidden_states),
                encoder_attention_bias,
                encoder_hidden_states=encoder_hidden_states,
                cache=cache.cross_attention if cache else None,
                output_attentions=output_attentions,
            )
            hidden_states = self.after(
                self.cross_attention_norm, hidden_states + self.dropout(mixed)
            )
        mixed = self.feed_forward(self.before(self.feed_forward_norm, hidden_states))
        hidden_states = self.after(self.feed_forward_norm, hidden_states + self.dropout(mixed))
        return hidden_states, attentions, cross_attentions

    # The placement of the norm is all that separates BERT's blocks (post-LN) from GPT-2's (pre-LN).
    def before(self, norm: nn.Module, hidden_states: Tensor) -> Tensor:
        """Normalise what goes into a sub-layer (pre-LN), or pass it on."""
        return norm(hidden_states) if self.norm_first else hidden_states

    def after(self, norm: nn.Module, hidden_states: Tensor) -> Tensor:
        """Normalise the sum of the sub-layer and its input (post-LN), or pass it on."""
        return hidden_states if self.norm_first else norm(hidden_states)


@dataclass(frozen=True)
class TransformerOutput:
    """What a stack returns.

    last_hidden_state: (B, T, H). hidden_states: the input and each layer's output, the last one
    normalised. attentions, cross_attentions: one (B, heads, T, S) per layer. None unless asked.
    """

    last_hidden_state: Tensor
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None


class Transformer(nn.Module):
    """A stack of blocks: an encoder, or a decoder when ``config.causal``."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.config = config
        self.layer_order = config.layer_order()
        self.blocks = nn.ModuleList(Block(config) for _ in range(max(self.layer_order) + 1))
        self.final_norm = config.make_norm() if config.norm_first else nn.Identity()
        self.relative_position_bias = (
            RelativePositionBias(
                config.num_attention_heads,
                config.relative_attention_num_buckets,
                config.relative_attention_max_distance,
                bidirectional=not config.causal,
            )
            if config.relative_attention_num_buckets
            else None
        )

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        *,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        cache: list[LayerCache] | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> TransformerOutput:
        """Run all layers.

        Args:
            hidden_states: (B, T, H).
            attention_mask: (B, S), 0 at padding; with a cache, S counts the cached positions too.
            encoder_hidden_states: (B, S', H) for cross-attention.
            encoder_attention_mask: (B, S').
            cache: one entry a layer from :meth:`new_cache`, extended in place.
            output_hidden_states: also return every layer's output.
            output_attentions: also return every layer's attention weights.
        """
        num_queries = hidden_states.shape[1]
        num_keys = num_queries + cached_length(cache)
        attention_mask = none_if_full(attention_mask)
        is_causal, bias = self.self_attention_bias(hidden_states, attention_mask, num_keys)
        cross_bias = None
        if encoder_hidden_states is not None:
            num_encoder_keys = encoder_hidden_states.shape[1]
            padding = none_if_full(encoder_attention_mask)
            cross_bias = make_attention_bias(
                padding, num_queries, num_encoder_keys, False, hidden_states
            )

        states, attentions, cross_attentions = [hidden_states], [], []
        for layer, block in self.layers():
            hidden_states, self_weights, cross_weights = block(
                hidden_states,
                bias,
                is_causal=is_causal,
                encoder_hidden_states=encoder_hidden_states,
                encoder_attention_bias=cross_bias,
                cache=cache[layer] if cache else None,
                output_attentions=output_attentions,
            )
            states.append(hidden_states)
            attentions.append(self_weights)
            cross_attentions.append(cross_weights)
        hidden_states = states[-1] = self.final_norm(hidden_states)
        return TransformerOutput(
            last_hidden_state=hidden_states,
            hidden_states=tuple(states) if output_hidden_states else None,
            attentions=tuple(attentions) if output_attentions else None,
            cross_attentions=(
                tuple(cross_attentions)
                if output_attentions and encoder_hidden_states is not None
                else None
            ),
        )

    def layers(self) -> Iterator[tuple[int, nn.Module]]:
        """(layer number, block) in the order in which they are applied."""
        for layer, index in enumerate(self.layer_order):
            yield layer, self.blocks[index]

    def self_attention_bias(
        self, hidden_states: Tensor, attention_mask: Tensor | None, num_keys: int
    ) -> tuple[bool, Tensor | None]:
        """(is_causal, bias): the plain causal mask needs no tensor, which is faster."""
        num_queries = hidden_states.shape[1]
        plain = attention_mask is None and self.relative_position_bias is None
        if plain and self.config.causal and num_queries == num_keys:
            return True, None
        bias = make_attention_bias(
            attention_mask, num_queries, num_keys, self.config.causal, hidden_states
        )
        if self.relative_position_bias is None:
            return False, bias
        positions = self.relative_position_bias(num_queries, num_keys)  # (1, heads, T, S)
        return False, positions if bias is None else positions + bias

    def new_cache(self) -> list[LayerCache]:
        """An empty cache, one entry a layer."""
        return [LayerCache() for _ in self.layer_order]


def cached_length(cache: list[LayerCache] | None) -> int:
    """How many positions the cache holds."""
    if not cache or cache[0].attention.key is None:
        return 0
    return cache[0].attention.key.shape[2]


def check_config(config: object) -> None:
    """Reject impossible values in a model's configuration.

    Raises:
        ValueError: says which field, what was given and what would do.
    """
    values = vars(config)
    for name, value in values.items():
        is_size = name.endswith(
            ("_size", "_layers", "_heads", "_groups", "_buckets", "_embeddings")
        )
        if is_size and not isinstance(value, bool) and value is not None and value < 1:
            raise ValueError(f"{name} must be a whole number from 1 on, not {value!r}.")
        if name.endswith(("dropout_prob",)) and not 0 <= value < 1:
            raise ValueError(f"{name} must lie in [0, 1), not {value!r}.")
    hidden_size, num_heads = values["hidden_size"], values["num_attention_heads"]
    if values.get("head_size") is None and hidden_size % num_heads:
        raise ValueError(
            f"hidden_size {hidden_size} cannot be divided among {num_heads} attention heads; "
            f"try {hidden_size // num_heads * num_heads or num_heads}."
        )
    if values.get("hidden_act", "gelu") not in ACTIVATIONS:
        raise ValueError(
            f"hidden_act {values['hidden_act']!r} is unknown; choose from {', '.join(ACTIVATIONS)}."
        )
    pad_token_id = values.get("pad_token_id")
    if pad_token_id is not None and not 0 <= pad_token_id < values["vocab_size"]:
        raise ValueError(
            f"pad_token_id {pad_token_id} is outside the vocabulary of {values['vocab_size']}."
        )
