"""chapter10: BERT, GPT, T5 and CBOW from scratch, small and correct, for a course one can run."""

from chapter10.bert import Bert, BertConfig, BertForPreTraining
from chapter10.bert_tasks import (
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)
from chapter10.cbow import CBOW, CBOWConfig
from chapter10.gpt import GPT, GPTConfig
from chapter10.hub import CheckpointError
from chapter10.t5 import T5, T5Config
from chapter10.tokenizers import Tokenizer

__version__ = "0.1.0"

__all__ = [
    "CBOW",
    "GPT",
    "T5",
    "Bert",
    "BertConfig",
    "BertForPreTraining",
    "BertForQuestionAnswering",
    "BertForSequenceClassification",
    "BertForTokenClassification",
    "CBOWConfig",
    "CheckpointError",
    "GPTConfig",
    "T5Config",
    "Tokenizer",
]
