"""BERT: an encoder pretrained to fill in blanks.

Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding"
(2019), https://arxiv.org/abs/1810.04805. ALBERT (Lan et al. 2020, https://arxiv.org/abs/1909.11942)
is BERT with two numbers set: ``embedding_size`` and ``num_hidden_groups``.

Shapes are written B (batch), T (length), H (hidden size), V (vocabulary).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from chapter10.checkpoints import PretrainedConfig, PretrainedModel
from chapter10.dropout import Dropout
from chapter10.inputs import check_inputs, check_range
from chapter10.objectives.loss import vocabulary_loss
from chapter10.transformer import ACTIVATIONS, Transformer, TransformerConfig, check_config


@dataclass(frozen=True, kw_only=True)
class BertConfig(PretrainedConfig):
    """Sizes and switches of a BERT; the defaults are ``bert-base-chinese``'s.

    ``embedding_size`` (a smaller word embedding, mapped up to the hidden size) and
    ``num_hidden_groups`` (how many sets of weights the layers share) make it an ALBERT; give both
    or neither. ``num_labels`` counts the classes of a task's head.
    """

    vocab_size: int = 21128
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int = 0
    tie_word_embeddings: bool = True
    num_labels: int = 2
    embedding_size: int | None = None
    num_hidden_groups: int | None = None

    def __post_init__(self) -> None:
        check_config(self)
        if (self.embedding_size is None) != (self.num_hidden_groups is None):
            raise ValueError(
                "ALBERT needs embedding_size and num_hidden_groups together, BERT neither; given "
                f"embedding_size={self.embedding_size}, num_hidden_groups={self.num_hidden_groups}."
            )
        if self.embedding_size is not None and not self.tie_word_embeddings:
            raise ValueError("ALBERT ties its output matrix to the word embeddings; leave it tied.")

    @property
    def model_type(self) -> str:
        """The reference library's name of the family."""
        return "bert" if self.embedding_size is None else "albert"

    def to_reference(self) -> dict[str, Any]:
        """The content of ``config.json``, which names labels rather than counting them."""
        content = super().to_reference()
        num_labels = content.pop("num_labels")
        content["id2label"] = {str(i): f"LABEL_{i}" for i in range(num_labels)}
        content["label2id"] = {f"LABEL_{i}": i for i in range(num_labels)}
        if self.embedding_size is None:
            del content["embedding_size"], content["num_hidden_groups"]
        return content

    @classmethod
    def from_reference(cls, content: Mapping[str, Any], keys: frozenset[str]) -> Self:
        """Read ``config.json``."""
        labels = {"num_labels": len(content["id2label"])} if content.get("id2label") else {}
        return super().from_reference({**content, **labels}, keys)

    def transformer(self) -> TransformerConfig:
        """The encoder's configuration: post-LN, both directions."""
        return TransformerConfig(
            hidden_size=self.hidden_size,
            num_hidden_layers=self.num_hidden_layers,
            num_attention_heads=self.num_attention_heads,
            intermediate_size=self.intermediate_size,
            hidden_act=self.hidden_act,
            norm_eps=self.layer_norm_eps,
            hidden_dropout_prob=self.hidden_dropout_prob,
            attention_probs_dropout_prob=self.attention_probs_dropout_prob,
            num_hidden_groups=self.num_hidden_groups,
        )


@dataclass(frozen=True)
class BertOutput:
    """last_hidden_state: (B, T, H). pooler_output: (B, H), a linear map and tanh of the first
    position ([CLS]), None without a pooler. hidden_states, attentions: see
    ``TransformerOutput``."""

    last_hidden_state: Tensor
    pooler_output: Tensor | None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass(frozen=True)
class BertForPreTrainingOutput:
    """prediction_logits: (B, T, V), or (N, V) with a prediction_mask; with labels None, and
    prediction_loss is their summed cross entropy and their number. seq_relationship_logits: (B, 2),
    0 says "the right next sentence", 1 says "not"."""

    prediction_logits: Tensor | None
    seq_relationship_logits: Tensor
    prediction_loss: tuple[Tensor, Tensor] | None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


class BertEmbeddings(nn.Module):
    """Word + segment + position, normalised (Devlin et al. 2019, figure 2)."""

    def __init__(self, config: BertConfig):
        super().__init__()
        size = config.embedding_size or config.hidden_size
        self.word_embeddings = nn.Embedding(
            config.vocab_size, size, padding_idx=config.pad_token_id
        )
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, size)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, size)
        self.norm = nn.LayerNorm(size, eps=config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob)

    def forward(self, input_ids: Tensor, token_type_ids: Tensor, position_ids: Tensor) -> Tensor:
        """Three (B, T) of integers -> (B, T, embedding_size)."""
        embeddings = self.word_embeddings(input_ids)
        embeddings = embeddings + self.token_type_embeddings(token_type_ids)
        embeddings = embeddings + self.position_embeddings(position_ids)
        return self.dropout(self.norm(embeddings))


class BertModel(PretrainedModel):
    """What all models of this module share: their configuration and their random start."""

    config_class = BertConfig

    def __init__(self, config: BertConfig):
        super().__init__()
        self.config = config

    def init_weights(self) -> None:
        """Normal with ``initializer_range`` for matrices, 0 for biases and [PAD], 1 for norms."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=self.config.initializer_range)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
            if isinstance(module, nn.Embedding) and module.padding_idx is not None:
                nn.init.zeros_(module.weight[module.padding_idx])


class Bert(BertModel):
    """The encoder: a row of token ids in, a row of vectors of the same length out."""

    architectures: ClassVar = {"bert": "BertModel", "albert": "AlbertModel"}

    def __init__(self, config: BertConfig, *, add_pooling_layer: bool = True):
        super().__init__(config)
        self.embeddings = BertEmbeddings(config)
        if config.embedding_size is not None:
            self.embedding_projection = nn.Linear(config.embedding_size, config.hidden_size)
        self.encoder = Transformer(config.transformer())
        self.pooler = (
            nn.Linear(config.hidden_size, config.hidden_size) if add_pooling_layer else None
        )
        self.init_weights()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        *,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> BertOutput:
        """Encode a batch.

        Args:
            input_ids: (B, T), token ids.
            attention_mask: (B, T), 1 for words, 0 for padding; None means no padding.
            token_type_ids: (B, T), the segment of each token; None means all in segment 0.
            position_ids: (B, T) or (1, T); None means 0, 1, 2, …
            output_hidden_states: also return every layer's output.
            output_attentions: also return every layer's attention weights.

        Raises:
            ValueError: wrong shape, too long, or an id outside the vocabulary.
        """
        config = self.config
        max_length = config.max_position_embeddings
        check_inputs(input_ids, attention_mask, config.vocab_size, max_length=max_length)
        if token_type_ids is None:
            token_type_ids = torch.zeros_like(input_ids)
        if token_type_ids.shape != input_ids.shape:
            raise ValueError(
                f"token_type_ids must have the shape of input_ids, {tuple(input_ids.shape)}, "
                f"not {tuple(token_type_ids.shape)}."
            )
        check_range("token_type_ids", token_type_ids, config.type_vocab_size)
        if position_ids is None:
            position_ids = torch.arange(input_ids.shape[1], device=input_ids.device)[None]
        hidden_states = self.embeddings(input_ids, token_type_ids, position_ids)  # (B, T, E)
        if config.embedding_size is not None:
            hidden_states = self.embedding_projection(hidden_states)  # (B, T, H)
        output = self.encoder(
            hidden_states,
            attention_mask,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
        )
        first = output.last_hidden_state[:, 0]  # (B, H), the position of [CLS]
        return BertOutput(
            last_hidden_state=output.last_hidden_state,
            pooler_output=None if self.pooler is None else torch.tanh(self.pooler(first)),
            hidden_states=output.hidden_states,
            attentions=output.attentions,
        )


class PredictionHead(nn.Module):
    """From a vector to a score for each word: a transform, then one matrix (appendix A of BERT's
    code; the notes' "linear model" is the matrix alone). Tied, the matrix is the word embedding."""

    def __init__(self, config: BertConfig, word_embeddings: nn.Embedding):
        super().__init__()
        size = word_embeddings.embedding_dim
        self.dense = nn.Linear(config.hidden_size, size)
        self.activation = ACTIVATIONS[config.hidden_act]
        self.norm = nn.LayerNorm(size, eps=config.layer_norm_eps)
        self.decoder = nn.Linear(size, config.vocab_size, bias=False)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        if config.tie_word_embeddings:
            self.decoder.weight = word_embeddings.weight

    def forward(self, hidden_states: Tensor) -> Tensor:
        """(…, H) -> (…, V)."""
        return nn.functional.linear(self._transform(hidden_states), self.decoder.weight, self.bias)

    def loss(self, hidden_states: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """(…, H) and labels (…) -> the summed loss and its number of labels."""
        weight, bias = self.decoder.weight, self.bias
        return vocabulary_loss(hidden_states, weight, bias, labels, self._transform)

    def _transform(self, hidden_states: Tensor) -> Tensor:  # (…, H) -> (…, embedding_size)
        return self.norm(self.activation(self.dense(hidden_states)))


class BertForPreTraining(BertModel):
    """BERT with the two heads of pretraining: fill in the blank, and is this the next sentence?"""

    architectures: ClassVar = {"bert": "BertForPreTraining", "albert": "AlbertForPreTraining"}

    def __init__(self, config: BertConfig):
        super().__init__(config)
        self.bert = Bert(config)
        self.predictions = PredictionHead(config, self.bert.embeddings.word_embeddings)
        self.seq_relationship = nn.Linear(config.hidden_size, 2)
        self.init_weights()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        *,
        prediction_mask: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> BertForPreTrainingOutput:
        """Encode and predict; the arguments are those of :meth:`Bert.forward`, and

        prediction_mask: (B, T) of bool. With it, scores over the vocabulary are computed at its N
        true positions only, (N, V) in row-major order: in pretraining these are the blanks, about
        one position in seven.
        labels: (B, T), IGNORE_INDEX but at blanks: their loss takes the place of all the scores.
        """
        output = self.bert(
            input_ids,
            attention_mask,
            token_type_ids,
            position_ids,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
        )
        hidden_states = output.last_hidden_state  # (B, T, H)
        if prediction_mask is not None:
            hidden_states = hidden_states[prediction_mask]  # (N, H)
        loss = None if labels is None else self.predictions.loss(hidden_states, labels)
        return BertForPreTrainingOutput(
            prediction_logits=self.predictions(hidden_states) if loss is None else None,
            seq_relationship_logits=self.seq_relationship(output.pooler_output),
            prediction_loss=loss,
            hidden_states=output.hidden_states,
            attentions=output.attentions,
        )
