"""BERT with one linear map on top, for the four kinds of downstream task.

Devlin et al. 2019, figure 4: a class for a pair of sentences (a) or a single one (b), a span of the
text as the answer to a question (c), a class for every token (d).

Shapes are written B (batch), T (length), H (hidden size).
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from chapter10.bert import Bert, BertConfig, BertModel
from chapter10.dropout import Dropout


@dataclass(frozen=True)
class ClassifierOutput:
    """logits: (B, num_labels) for a sequence, (B, T, num_labels) for tokens."""

    logits: Tensor
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass(frozen=True)
class QuestionAnsweringOutput:
    """start_logits, end_logits: (B, T), not yet restricted to the document."""

    start_logits: Tensor
    end_logits: Tensor
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


class BertForClassification(BertModel):
    """What both classifiers share: BERT, dropout, and a linear map of its vectors to classes.

    pooled: whether it maps the pooled [CLS] of each text, or the vector of every token.
    """

    pooled: ClassVar[bool]

    def __init__(self, config: BertConfig):
        super().__init__(config)
        self.bert = Bert(config, add_pooling_layer=self.pooled)
        self.dropout = Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.init_weights()

    def forward(self, input_ids: Tensor, *inputs: Any, **options: Any) -> ClassifierOutput:
        """Arguments of :meth:`Bert.forward`; logits (B, num_labels), or (B, T, num_labels)."""
        output = self.bert(input_ids, *inputs, **options)
        vectors = output.pooler_output if self.pooled else output.last_hidden_state
        logits = self.classifier(self.dropout(vectors))
        return ClassifierOutput(logits, output.hidden_states, output.attentions)


class BertForSequenceClassification(BertForClassification):
    """Cases 1 and 3: one class for a sentence or a pair, from the pooled [CLS]."""

    pooled = True
    architectures: ClassVar = {
        "bert": "BertForSequenceClassification",
        "albert": "AlbertForSequenceClassification",
    }


class BertForTokenClassification(BertForClassification):
    """Case 2: one class for every token."""

    pooled = False
    architectures: ClassVar = {
        "bert": "BertForTokenClassification",
        "albert": "AlbertForTokenClassification",
    }


class BertForQuestionAnswering(BertModel):
    """Case 4: two vectors, "start" and "end", whose inner products with each token score a span."""

    architectures: ClassVar = {
        "bert": "BertForQuestionAnswering",
        "albert": "AlbertForQuestionAnswering",
    }

    def __init__(self, config: BertConfig):
        super().__init__(config)
        self.bert = Bert(config, add_pooling_layer=False)
        self.qa_outputs = nn.Linear(config.hidden_size, 2)  # rows: the start and the end vector
        self.init_weights()

    def forward(self, input_ids: Tensor, *inputs: Any, **options: Any) -> QuestionAnsweringOutput:
        """Arguments of :meth:`Bert.forward`; start and end logits (B, T)."""
        output = self.bert(input_ids, *inputs, **options)
        start, end = self.qa_outputs(output.last_hidden_state).unbind(dim=-1)
        return QuestionAnsweringOutput(start, end, output.hidden_states, output.attentions)
