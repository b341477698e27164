"""Fine-tuning: a pretrained body, a head that starts random, a few labels (Devlin et al. 2019,
section 3.2). Both get gradients. The same steps from a random body are what it is compared with."""

import dataclasses
import math
import random
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from chapter10.bert import BertConfig
from chapter10.checkpoints import CONFIG_FILE
from chapter10.data import load, split
from chapter10.hub import find_file, read_json, write_json
from chapter10.tasks.baselines import baseline_scores
from chapter10.tasks.catalogue import NamedTask, Source, named_task
from chapter10.tasks.task import Task, TaskModel
from chapter10.tokenizers import Tokenizer
from chapter10.training import History, TrainingConfig, train
from chapter10.training.batches import Batches, derive_seed

RECORD_FILE = "finetuning.json"
MAX_VALIDATION = 200  # examples: a few labels for training are not chosen with thousands
MAX_TEST = 1000
BATCH_SIZE = 16
EVALUATIONS = 4

# The random start: what a small BERT is, when nothing is said.
RANDOM_VOCABULARY = 4000
RANDOM_START = BertConfig(
    vocab_size=RANDOM_VOCABULARY,
    hidden_size=128,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=512,
    max_position_embeddings=256,
)


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Examples of which no two parts share a key; ``notes`` counts what was left out, and why."""

    train: Sequence[Any]
    validation: Sequence[Any]
    test: Sequence[Any]
    notes: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """What a fine-tuning gave; measures lie between 0 and 1.

    metrics: on the test examples. baselines: of each one its scores on the same examples.
    examples: how many there were of each part. history: of the training.
    """

    task: str
    start: str
    seed: int
    steps: int
    learning_rate: float
    metrics: Mapping[str, float]
    baselines: Mapping[str, Mapping[str, float]]
    examples: Mapping[str, int]
    notes: Mapping[str, int]
    history: History

    def rows(self) -> list[tuple[str, str, str]]:
        """Lines of a table: measure, the model's value, the baselines' values."""
        return [
            (
                name,
                f"{value:.3f}",
                "; ".join(f"{who} {scores[name]:.3f}" for who, scores in self.baselines.items()),
            )
            for name, value in self.metrics.items()
        ]


def finetune(
    task_name: str,
    *,
    model: Path | str | None = None,
    folder: Path | None = None,
    labels: int = 512,
    steps: int = 200,
    seed: int = 0,
    progress: bool = True,
) -> FineTuning:
    """Train a task of the catalogue on real data and compare it with its baselines.

    The weights are those of the evaluation that was best on validation data; the test examples,
    the same for every seed, are looked at once, at the end.

    Args:
        task_name: a key of ``TASKS``.
        model: a folder or a name on the hub with a BERT and its tokeniser; None starts from random
            weights and trains a tokeniser on the training texts.
        folder: where model, tokeniser and a record of the run go; None keeps nothing.
        labels: how many labelled examples to learn from; all there are, where these are fewer.
        steps: updates of the weights, of 16 rows each.
        seed: of the choice of examples, their order, the random weights and dropout.

    Raises:
        ValueError: no such task, or too few labels or steps.
        DataError: the data set is not in the cache, or damaged.
        CheckpointError: ``model`` cannot be used.
    """
    named = named_task(task_name)
    if labels < 2:
        raise ValueError(f"labels is {labels}; give at least 2 examples to learn from.")
    config = TrainingConfig(
        steps=steps,
        warmup_steps=steps // 10,
        eval_every=max(1, math.ceil(steps / EVALUATIONS)),
        patience=EVALUATIONS + 2,  # never stops early, but keeps the best weights
        maximize=True,
        seed=seed,
        progress=progress,
    )
    tokenizer = None if model is None else Tokenizer.from_pretrained(model)
    splits = make_splits(named)
    if tokenizer is None:
        tokenizer = Tokenizer.train(
            [text for example in splits.train for text in named.texts(example)],
            vocab_size=RANDOM_VOCABULARY,
            lowercase=True,
        )
    task = named.make(tokenizer, min(named.max_length, _positions(model)))
    splits = choose(task, splits, labels=labels, seed=seed)
    network = start(task, model, seed=seed)
    config = dataclasses.replace(
        config, learning_rate=learning_rate_for(network.config), monitor=task.measure
    )
    history = fit(task, network, splits.train, splits.validation, config)
    result = FineTuning(
        task=task_name,
        start="random" if model is None else str(model),
        seed=seed,
        steps=steps,
        learning_rate=config.learning_rate,
        metrics=task.evaluate(network, splits.test),
        baselines={
            name: baseline_scores(name, task, splits.train, splits.validation, splits.test)
            for name in named.baselines
        },
        examples={name: len(getattr(splits, name)) for name in ("train", "validation", "test")},
        notes=splits.notes,
        history=history,
    )
    if folder is not None:
        save(result, task, network, folder)
    return result


def make_splits(named: NamedTask) -> Splits:
    """All examples of a task, dealt by their keys: the same at every run, whatever the seed."""
    pool, notes = _load(named, named.pool)
    shares = {"train": 0.9, "validation": 0.1}
    test: list[Any] = []
    if named.test is None:
        shares = {"train": 0.8, "validation": 0.1, "test": 0.1}
    else:
        test, more = _load(named, named.test)
        notes += more
        held_back = {named.key(example) for example in test}
        kept = [example for example in pool if named.key(example) not in held_back]
        notes["training examples that are in the test set"] += len(pool) - len(kept)
        pool = kept
    parts = split(pool, shares, named.key)
    return Splits(
        train=parts["train"],
        validation=parts["validation"],
        test=parts.get("test", test),
        notes={note: count for note, count in notes.items() if count},
    )


def _load(named: NamedTask, source: Source) -> tuple[list[Any], Counter[str]]:
    examples = load(*source)
    unique = dict.fromkeys(named.convert(example) for example in examples)
    notes = Counter(examples.notes)
    notes["repeated examples"] += len(examples) - len(unique)
    return list(unique), notes


def choose(task: Task[Any, Any, Any], splits: Splits, *, labels: int, seed: int) -> Splits:
    """The examples of one run: ``labels`` of the training examples, drawn by the seed; the same
    validation and test examples for every seed. What the task cannot encode is left out and noted.
    """
    notes = Counter(splits.notes)

    def draw(part: str, limit: int, *names: int) -> list[Any]:
        examples = list(getattr(splits, part))
        random.Random(derive_seed("finetune", part, *names)).shuffle(examples)
        # Without a place in its document an answer can be scored, though not learned from.
        kept, problems = task.usable(examples, limit, targets=part == "train")
        for problem, count in problems.items():
            notes[f"{part} examples left out: {problem}"] += count
        if not kept:
            raise ValueError(
                f"None of {len(examples)} {part} examples can be used ({dict(problems)}); a row "
                f"holds {task.max_length} tokens, perhaps a model with more positions would do."
            )
        return kept

    return Splits(
        train=draw("train", labels, seed),
        validation=draw("validation", MAX_VALIDATION),
        test=draw("test", MAX_TEST),
        notes=dict(notes),
    )


def start(
    task: Task[Any, Any, Any], model: Path | str | None, *, seed: int, pretrained: bool = True
) -> TaskModel:
    """A model for the task: its head random, its body from ``model``, or random too.

    Args:
        task: which head.
        model: a folder or a name on the hub; None is a small BERT with random weights.
        seed: of what starts random.
        pretrained: False takes only the sizes of ``model``, and random weights.
    """
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed("finetune", "start", seed))
        if model is None:
            config = dataclasses.replace(
                RANDOM_START, vocab_size=task.tokenizer.vocab_size, num_labels=task.num_labels
            )
            return task.model_class(config)
        with warnings.catch_warnings():
            # That the head is not in the file is what fine-tuning means.
            warnings.filterwarnings("ignore", message="not in the file, start at random")
            found: TaskModel = task.model_class.from_pretrained(model, num_labels=task.num_labels)
        if not pretrained:
            found = task.model_class(found.config).eval()
    if found.config.vocab_size < task.tokenizer.vocab_size:
        raise ValueError(
            f"{model} has {found.config.vocab_size} word embeddings but a tokeniser with "
            f"{task.tokenizer.vocab_size} entries; they do not belong together."
        )
    return found


def learning_rate_for(config: BertConfig) -> float:
    """The highest learning rate of a fine-tuning, smaller for wider models: 5e-4 for the small ones
    of this book, 3e-5, of the range in Devlin et al. 2019 (appendix A.3), for BERT-base."""
    return 5e-4 if config.hidden_size <= 256 else 3e-5


def fit(
    task: Task[Any, Any, Any],
    model: nn.Module,
    examples: Sequence[Any],
    validation: Sequence[Any],
    config: TrainingConfig,
    watch: Callable[[TaskModel], None] = lambda model: None,
) -> History:
    """Train a model on examples in place, evaluating on validation examples.

    watch: called with the model at each evaluation, the last of which is after the last step.
    """

    def evaluate(network: Any) -> dict[str, float]:
        watch(network)
        return task.evaluate(network, validation)

    batches = Batches(
        task.training_rows(examples), task.collate, batch_size=BATCH_SIZE, seed=config.seed
    )
    return train(
        model,
        batches,
        task.loss,
        config,
        evaluate=evaluate,
    )


def save(result: FineTuning, task: Task[Any, Any, Any], model: TaskModel, folder: Path) -> None:
    """Write the model, its tokeniser, and what is known of the run as JSON."""
    model.save_pretrained(folder)
    task.tokenizer.save_pretrained(folder)
    record = dataclasses.asdict(result)
    history = record.pop("history")
    write_json(
        folder / RECORD_FILE,
        {
            **record,
            "max_length": task.max_length,
            "labels": list(getattr(task, "labels", ())),
            "best_step": history["best_step"],
            "evaluations": history["evaluations"],
        },
    )


def _positions(model: Path | str | None) -> int:
    """How many tokens a model has positions for."""
    if model is None:
        return RANDOM_START.max_position_embeddings
    content = read_json(find_file(model, CONFIG_FILE))
    return int(content.get("max_position_embeddings", RANDOM_START.max_position_embeddings))
