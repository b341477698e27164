"""T5: an encoder and a decoder pretrained to restore what was dropped.

Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer"
(2020), https://arxiv.org/abs/1910.10683. Version 1.1 differs in three fields of the configuration:
``feed_forward_proj="gated-gelu"``, ``tie_word_embeddings=False`` and, with it, unscaled outputs.

Shapes are written B (batch), S (input length), T (output length), H (hidden size), V (vocabulary).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from chapter10.checkpoints import PretrainedConfig, PretrainedModel
from chapter10.dropout import Dropout
from chapter10.formats import FORMATS, Format
from chapter10.inputs import check_inputs
from chapter10.objectives.loss import vocabulary_loss
from chapter10.transformer import (
    ACTIVATIONS,
    LayerCache,
    Transformer,
    TransformerConfig,
    TransformerOutput,
    cached_length,
    check_config,
)


@dataclass(frozen=True, kw_only=True)
class T5Config(PretrainedConfig):
    """Sizes and switches of a T5; the defaults are ``t5-small``'s.

    ``num_decoder_layers`` None means as many as in the encoder. ``feed_forward_proj`` is an
    activation, or ``gated-`` and an activation. ``scale_decoder_outputs`` multiplies what goes
    into the output matrix by 1 / sqrt(hidden_size); None means where that matrix is tied.
    """

    vocab_size: int = 32128
    hidden_size: int = 512
    head_size: int = 64
    intermediate_size: int = 2048
    num_hidden_layers: int = 6
    num_decoder_layers: int | None = None
    num_attention_heads: int = 8
    relative_attention_num_buckets: int = 32
    relative_attention_max_distance: int = 128
    hidden_dropout_prob: float = 0.1
    layer_norm_eps: float = 1e-6
    initializer_factor: float = 1.0
    feed_forward_proj: str = "relu"
    tie_word_embeddings: bool = True
    scale_decoder_outputs: bool | None = None
    pad_token_id: int = 0
    eos_token_id: int = 1
    decoder_start_token_id: int = 0

    def __post_init__(self) -> None:
        check_config(self)
        if self.feed_forward_proj.removeprefix("gated-") not in ACTIVATIONS:
            raise ValueError(
                f"feed_forward_proj {self.feed_forward_proj!r} is unknown; choose one of "
                f"{', '.join(ACTIVATIONS)}, alone or after 'gated-'."
            )
        if self.relative_attention_num_buckets % 4:
            raise ValueError(
                "relative_attention_num_buckets must be a multiple of 4 (two directions, half of "
                f"each exact), not {self.relative_attention_num_buckets}."
            )
        if self.scale_decoder_outputs and not self.tie_word_embeddings:
            raise ValueError("T5 scales the decoder's outputs only where the matrix is tied.")

    @property
    def gated(self) -> bool:
        """Is the feed-forward layer gated, as in version 1.1?"""
        return self.feed_forward_proj.startswith("gated-")

    @property
    def scaled(self) -> bool:
        """Are the decoder's outputs scaled before the output matrix?"""
        scale = self.scale_decoder_outputs
        return self.tie_word_embeddings if scale is None else scale

    @property
    def format(self) -> Format:
        """How the reference library writes this version of T5."""
        return FORMATS["t5_gated" if self.gated else "t5"]

    def to_reference(self) -> dict[str, Any]:
        """The content of ``config.json``."""
        # The reference library reads tie_word_embeddings as "scale the outputs".
        scaled = {"tie_word_embeddings": self.scaled, "scale_decoder_outputs": self.scaled}
        return {**super().to_reference(), **scaled}

    @classmethod
    def from_reference(cls, content: Mapping[str, Any], keys: frozenset[str]) -> Self:
        """Read ``config.json``; a stored output matrix says that it is not tied."""
        scaled = content.get("scale_decoder_outputs", content.get("tie_word_embeddings", True))
        scaled = scaled and content["model_type"] != "mt5"
        tied = "lm_head.weight" not in keys
        settled = {"tie_word_embeddings": tied, "scale_decoder_outputs": scaled}
        return super().from_reference({**content, **settled}, keys)

    def transformer(self, *, decoder: bool) -> TransformerConfig:
        """The configuration of the encoder or of the decoder."""
        activation = self.feed_forward_proj.removeprefix("gated-")
        num_decoder_layers = self.num_decoder_layers or self.num_hidden_layers
        return TransformerConfig(
            hidden_size=self.hidden_size,
            num_hidden_layers=num_decoder_layers if decoder else self.num_hidden_layers,
            num_attention_heads=self.num_attention_heads,
            head_size=self.head_size,
            intermediate_size=self.intermediate_size,
            # The published "gated-gelu" computes the tanh approximation.
            hidden_act="gelu_new" if self.feed_forward_proj == "gated-gelu" else activation,
            gated=self.gated,
            bias=False,
            norm="rms_norm",
            norm_first=True,
            norm_eps=self.layer_norm_eps,
            scale_attention=False,
            causal=decoder,
            cross_attention=decoder,
            relative_attention_num_buckets=self.relative_attention_num_buckets,
            relative_attention_max_distance=self.relative_attention_max_distance,
            hidden_dropout_prob=self.hidden_dropout_prob,
            attention_probs_dropout_prob=self.hidden_dropout_prob,
            intermediate_dropout_prob=self.hidden_dropout_prob,
        )


@dataclass(frozen=True)
class T5Output:
    """logits: (B, T, V), or (N, V) with a prediction_mask. encoder_last_hidden_state: (B, S, H).
    loss: with labels, instead of logits, the summed cross entropy and how many labels it is the
    sum of. The tuples, on request: see ``TransformerOutput``."""

    logits: Tensor | None
    encoder_last_hidden_state: Tensor
    loss: tuple[Tensor, Tensor] | None = None
    encoder_hidden_states: tuple[Tensor, ...] | None = None
    encoder_attentions: tuple[Tensor, ...] | None = None
    decoder_hidden_states: tuple[Tensor, ...] | None = None
    decoder_attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None


class T5(PretrainedModel):
    """Encoder and decoder with one vocabulary: text in, text out."""

    config_class = T5Config
    architectures: ClassVar = {
        "t5": "T5ForConditionalGeneration",
        "mt5": "MT5ForConditionalGeneration",  # multilingual T5 is a v1.1, read and saved as one
    }

    def __init__(self, config: T5Config):
        super().__init__()
        self.config = config
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.encoder = Transformer(config.transformer(decoder=False))
        self.decoder = Transformer(config.transformer(decoder=True))
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.init_weights()
        if config.tie_word_embeddings:
            self.lm_head.weight = self.word_embeddings.weight

    def init_weights(self) -> None:
        """Each matrix by the size of what goes into it, so that unscaled attention scores start
        at unit size (Mesh TensorFlow's rule, which the published models followed)."""
        config = self.config
        for name, parameter in self.named_parameters():
            if parameter.dim() != 2:
                continue  # the norms' weights stay 1
            std = parameter.shape[1] ** -0.5
            if name.endswith("query.weight"):
                std *= config.head_size**-0.5
            elif name.endswith("relative_position_bias.weight"):
                std = config.hidden_size**-0.5
            elif name in ("word_embeddings.weight", "lm_head.weight"):
                std = 1.0
            nn.init.normal_(parameter, std=std * config.initializer_factor)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        *,
        encoded: TransformerOutput | None = None,
        prediction_mask: Tensor | None = None,
        labels: Tensor | None = None,
        cache: list[LayerCache] | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> T5Output:
        """Score every next token of the output.

        Args:
            input_ids: (B, S), what the encoder reads; may be left out when ``encoded`` is given.
            attention_mask: (B, S), 0 at padding; None means no padding.
            decoder_input_ids: (B, T), the output so far, beginning with the start token
                (:meth:`shift_right` makes it from labels).
            decoder_attention_mask: (B, T), 0 at padding.
            encoded: what :meth:`encode` returned for the same input, so as not to repeat it.
            prediction_mask: (B, T) of bool: compute logits (N, V) at its true positions only.
            labels: (B, T), IGNORE_INDEX where there is no loss: compute the summed loss instead of
                the logits, which need not all be in memory then.
            cache: from :meth:`new_cache`, extended in place.
            output_hidden_states: also return every layer's output.
            output_attentions: also return every layer's attention weights.

        Raises:
            ValueError: wrong shape, an id outside the vocabulary, or an input missing.
        """
        asked = {
            "output_hidden_states": output_hidden_states,
            "output_attentions": output_attentions,
        }
        if decoder_input_ids is None:
            raise ValueError("T5 needs decoder_input_ids; model.shift_right(labels) makes them.")
        if encoded is None:
            if input_ids is None:
                raise ValueError("T5 needs input_ids, or what model.encode(input_ids) returned.")
            encoded = self.encode(input_ids, attention_mask, **asked)
        check_inputs(
            decoder_input_ids,
            decoder_attention_mask,
            self.config.vocab_size,
            num_cached=cached_length(cache),
        )
        decoded = self.decoder(
            self.dropout(self.word_embeddings(decoder_input_ids)),
            decoder_attention_mask,
            encoder_hidden_states=encoded.last_hidden_state,
            encoder_attention_mask=attention_mask,
            cache=cache,
            **asked,
        )
        hidden_states = self.dropout(decoded.last_hidden_state)  # (B, T, H)
        if prediction_mask is not None:
            hidden_states = hidden_states[prediction_mask]  # (N, H)
        if self.config.scaled:
            hidden_states = hidden_states * self.config.hidden_size**-0.5
        loss = None
        if labels is not None:
            loss = vocabulary_loss(hidden_states, self.lm_head.weight, None, labels)
        return T5Output(
            logits=self.lm_head(hidden_states) if loss is None else None,
            loss=loss,
            encoder_last_hidden_state=encoded.last_hidden_state,
            encoder_hidden_states=encoded.hidden_states,
            encoder_attentions=encoded.attentions,
            decoder_hidden_states=decoded.hidden_states,
            decoder_attentions=decoded.attentions,
            cross_attentions=decoded.cross_attentions,
        )

    def encode(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, **options: bool
    ) -> TransformerOutput:
        """Run the encoder alone: (B, S) -> ``last_hidden_state`` (B, S, H)."""
        check_inputs(input_ids, attention_mask, self.config.vocab_size)
        embeddings = self.dropout(self.word_embeddings(input_ids))
        output = self.encoder(embeddings, attention_mask, **options)
        return replace(output, last_hidden_state=self.dropout(output.last_hidden_state))

    def shift_right(self, labels: Tensor) -> Tensor:
        """The decoder's input for these labels (B, T): the start token, then all but the last.

        Positions without a label (-100) become padding.
        """
        shifted = labels.roll(1, dims=1)
        shifted[:, 0] = self.config.decoder_start_token_id
        return shifted.masked_fill(shifted == -100, self.config.pad_token_id)

    def new_cache(self) -> list[LayerCache]:
        """An empty cache for generation."""
        return self.decoder.new_cache()
