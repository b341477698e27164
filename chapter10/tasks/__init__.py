"""The four downstream cases: examples -> tensors, head, loss, prediction, measure, baselines.

1. a sentence -> a class (``Classification``), 2. a tag for each word (``Tagging``), 3. a pair of
sentences -> a class (``Classification`` again), 4. a question and a document -> a span of it
(``QuestionAnswering``). ``finetune`` trains those of ``TASKS`` on real data.
"""

from chapter10.tasks.answer_scores import answer_f1, exact_match
from chapter10.tasks.baselines import BASELINES, baseline_scores
from chapter10.tasks.catalogue import TASKS, NamedTask, named_task
from chapter10.tasks.classification import Classification, ClassPrediction, TextExample
from chapter10.tasks.finetuning import (
    FineTuning,
    Splits,
    choose,
    finetune,
    fit,
    learning_rate_for,
    make_splits,
    start,
)
from chapter10.tasks.micro import MICRO_TASKS, MicroTask, micro_examples, micro_task
from chapter10.tasks.question_answering import PredictedAnswer, QuestionAnswering, Window
from chapter10.tasks.spans import Span, best_span
from chapter10.tasks.tagging import Tagging, align
from chapter10.tasks.task import ExampleError, Task, TaskModel

__all__ = [
    "BASELINES",
    "MICRO_TASKS",
    "TASKS",
    "ClassPrediction",
    "Classification",
    "ExampleError",
    "FineTuning",
    "MicroTask",
    "NamedTask",
    "PredictedAnswer",
    "QuestionAnswering",
    "Span",
    "Splits",
    "Tagging",
    "Task",
    "TaskModel",
    "TextExample",
    "Window",
    "align",
    "answer_f1",
    "baseline_scores",
    "best_span",
    "choose",
    "exact_match",
    "finetune",
    "fit",
    "learning_rate_for",
    "make_splits",
    "micro_examples",
    "micro_task",
    "named_task",
    "start",
]
