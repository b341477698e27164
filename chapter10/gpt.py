"""GPT: a decoder pretrained to predict the next token.

Radford et al., "Language Models are Unsupervised Multitask Learners" (2019): GPT-2, whose
pre-LN blocks and learned positions these are.

Shapes are written B (batch), T (length), H (hidden size), V (vocabulary).
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from chapter10.checkpoints import PretrainedConfig, PretrainedModel
from chapter10.dropout import Dropout
from chapter10.inputs import check_inputs
from chapter10.objectives.loss import vocabulary_loss
from chapter10.transformer import (
    LayerCache,
    Transformer,
    TransformerConfig,
    cached_length,
    check_config,
)


@dataclass(frozen=True, kw_only=True)
class GPTConfig(PretrainedConfig):
    """Sizes and switches of a GPT; the defaults are the smallest GPT-2's.

    ``intermediate_size`` None means four times the hidden size.
    """

    vocab_size: int = 50257
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int | None = None
    hidden_act: str = "gelu_new"
    hidden_dropout_prob: float = 0.1
    embedding_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 1024
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-5
    bos_token_id: int | None = 50256
    eos_token_id: int | None = 50256
    pad_token_id: int | None = None
    tie_word_embeddings: bool = True

    def __post_init__(self) -> None:
        check_config(self)

    @property
    def model_type(self) -> str:
        """The reference library's name: ours are GPT-2's blocks."""
        return "gpt2"

    def transformer(self) -> TransformerConfig:
        """The decoder's configuration: pre-LN, causal."""
        return TransformerConfig(
            hidden_size=self.hidden_size,
            num_hidden_layers=self.num_hidden_layers,
            num_attention_heads=self.num_attention_heads,
            intermediate_size=self.intermediate_size or 4 * self.hidden_size,
            hidden_act=self.hidden_act,
            norm_first=True,
            norm_eps=self.layer_norm_eps,
            causal=True,
            hidden_dropout_prob=self.hidden_dropout_prob,
            attention_probs_dropout_prob=self.attention_probs_dropout_prob,
        )


@dataclass(frozen=True)
class GPTOutput:
    """logits: (B, T, V), or (N, V) with a prediction_mask; position t scores the token at t + 1.
    last_hidden_state: (B, T, H). loss: with labels, instead of logits, the summed cross entropy and
    how many labels it is the sum of. hidden_states, attentions: see ``TransformerOutput``."""

    logits: Tensor | None
    last_hidden_state: Tensor
    loss: tuple[Tensor, Tensor] | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


class GPT(PretrainedModel):
    """The decoder with its output matrix: token ids in, scores of each next token out."""

    config_class = GPTConfig
    architectures: ClassVar = {"gpt2": "GPT2LMHeadModel"}

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.config = config
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.dropout = Dropout(config.embedding_dropout_prob)
        self.decoder = Transformer(config.transformer())
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.init_weights()
        if config.tie_word_embeddings:
            self.lm_head.weight = self.word_embeddings.weight

    def init_weights(self) -> None:
        """Normal with ``initializer_range``; maps back into the residual stream are scaled down
        by the square root of their number (Radford et al. 2019, section 2.3)."""
        std = self.config.initializer_range
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                into_residual = name.endswith(("attention.output.weight", "down.weight"))
                scale = (2 * self.config.num_hidden_layers) ** -0.5 if into_residual else 1.0
                nn.init.normal_(parameter, std=std * scale)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        *,
        prediction_mask: Tensor | None = None,
        labels: Tensor | None = None,
        cache: list[LayerCache] | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> GPTOutput:
        """Score every next token.

        Args:
            input_ids: (B, T), token ids; with a cache, only those that follow the cached ones.
            attention_mask: (B, S), 0 at padding, cached positions included; None means no padding.
            position_ids: (B, T) or (1, T); None counts on from the cache.
            prediction_mask: (B, T) of bool: compute logits (N, V) at its true positions only.
            labels: (B, T), IGNORE_INDEX where there is no loss: compute the summed loss instead of
                the logits, which need not all be in memory then.
            cache: from :meth:`new_cache`, extended in place.
            output_hidden_states: also return every layer's output.
            output_attentions: also return every layer's attention weights.

        Raises:
            ValueError: wrong shape, too long, or an id outside the vocabulary.
        """
        start = cached_length(cache)
        check_inputs(
            input_ids,
            attention_mask,
            self.config.vocab_size,
            num_cached=start,
            max_length=self.config.max_position_embeddings,
        )
        if position_ids is None:
            end = start + input_ids.shape[1]
            position_ids = torch.arange(start, end, device=input_ids.device)[None]
        embeddings = self.word_embeddings(input_ids) + self.position_embeddings(position_ids)
        output = self.decoder(
            self.dropout(embeddings),
            attention_mask,
            cache=cache,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
        )
        hidden_states = output.last_hidden_state  # (B, T, H)
        if prediction_mask is not None:
            hidden_states = hidden_states[prediction_mask]  # (N, H)
        loss = None
        if labels is not None:
            loss = vocabulary_loss(hidden_states, self.lm_head.weight, None, labels)
        return GPTOutput(
            logits=self.lm_head(hidden_states) if loss is None else None,
            loss=loss,
            last_hidden_state=output.last_hidden_state,
            hidden_states=output.hidden_states,
            attentions=output.attentions,
        )

    def new_cache(self) -> list[LayerCache]:
        """An empty cache for generation."""
        return self.decoder.new_cache()
