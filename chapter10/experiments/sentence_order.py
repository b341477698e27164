"""What the page `sentence-order` runs (claims B6 and B7): does one sentence follow the other?

One BERT that has only filled in blanks goes on for the same steps on the same text in three ways:
blanks alone (MLM), with next sentence prediction (NSP, Devlin et al. 2019), with sentence order
prediction (SOP, Lan et al. 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import torch
from torch import Tensor, nn

from chapter10.bert import BertForPreTraining
from chapter10.claims import Experiment, Measured
from chapter10.data.microworld import Document, Style, make_documents
from chapter10.data.microworld import shipped as world
from chapter10.data.microworld.documents import Order
from chapter10.data.microworld.splits import Split
from chapter10.experiments.downstream import TEST_DRAW
from chapter10.experiments.sentence_baselines import BASELINES, baseline_answers
from chapter10.experiments.sentence_downstream import JUDGED, TASKS, fine_tuned, without_bert
from chapter10.models import shipped
from chapter10.objectives import Masking, SentencePair, next_segment_pairs, sentence_order_pairs
from chapter10.pretraining import MaskedLanguageModel, Sentences
from chapter10.tokenizers import Tokenizer
from chapter10.training import Batches, History, TrainingConfig, train
from chapter10.training.batches import derive_seed, generator

CHECKPOINT, TWIN = "bert-zh-micro", "bert-zh-micro-sop"
"""Where all three begin: it never saw a question about two sentences. Its twin had SOP from the
first step on."""
DOCUMENTS, HELD_OUT = 4_000, 300
STEPS = 300
BATCH_TOKENS = 1_024
RATE = 2e-3
MASKING = Masking(ratio=0.2)
LENGTH = 96
"""Tokens of a row at most; two sentences have about 30."""
EVERY, WATCHED = 50, 300
"""While a model learns: how often it is asked, and how many validation pairs."""
LEARNED = 4_000
"""Training pairs of the baselines that understand nothing."""

Question = Literal["NSP", "SOP"]
Objective = Literal["MLM", "NSP", "SOP"]
QUESTIONS: tuple[Question, ...] = ("NSP", "SOP")
SENTENCES: Mapping[Objective, Sentences] = {"MLM": "none", "NSP": "next", "SOP": "order"}
KINDS: Mapping[Order, str] = {"story": "故事", "day": "一天", "round": "循环"}
"""Kinds of documents: a fixed course, the hours of a day, a circle without beginning."""


# --- text and pairs


@lru_cache(maxsize=12)
def documents(split: Split, seed: int) -> tuple[Document, ...]:
    """Documents of all kinds, a pure function of the seed.

    The people of held-out ones are in no document that is trained on.
    """
    count = DOCUMENTS if split == "pretraining" else HELD_OUT
    name, style = f"sentence order/{TEST_DRAW}/{seed}", Style(zipf=1.0)
    return tuple(make_documents(world("full"), count, seed=name, split=split, style=style))


def neighbours(found: Sequence[Document]) -> list[list[str]]:
    """Every two neighbouring sentences, in order; each is a small document of its own.

    A random second sentence is then taken from among second ones, so it never opens a story.
    """
    return [list(two) for document in found for two in pairwise(document.texts)]


@dataclass(frozen=True)
class Asked:
    """A pair of sentences with its label, and the kind of document its first sentence is from."""

    pair: SentencePair
    kind: Order


@lru_cache(maxsize=24)
def ask(question: Question, split: Split, seed: int) -> tuple[Asked, ...]:
    """The pairs of an exam: half have label 0 (followed, in order), half 1 (random, swapped)."""
    found = documents(split, seed)
    make = next_segment_pairs if question == "NSP" else sentence_order_pairs
    pairs = make(neighbours(found), generator(seed, split, question))
    kinds = [document.order for document in found for _ in pairwise(document.texts)]
    return tuple(Asked(pair, kind) for pair, kind in zip(pairs, kinds, strict=True))


# --- model and training


@lru_cache(maxsize=1)
def load_tokenizer() -> Tokenizer:
    """A token for each character of the checkpoint's text."""
    return Tokenizer.from_pretrained(shipped(CHECKPOINT))


def new_model(seed: int) -> BertForPreTraining:
    """The checkpoint, with a random head for the question: the matrix at [CLS], the linear map."""
    model = BertForPreTraining.from_pretrained(shipped(CHECKPOINT))
    pooler, head = model.bert.pooler, model.seq_relationship
    assert pooler is not None
    with torch.random.fork_rng([]):
        torch.manual_seed(derive_seed("sentence order", seed))
        for layer in (pooler, head):
            nn.init.normal_(layer.weight, std=model.config.initializer_range)
            nn.init.zeros_(layer.bias)
    return model.eval()


def objective(name: Objective, seed: int = 0) -> MaskedLanguageModel:
    """What each way makes of the text: rows, batches and the loss."""
    return MaskedLanguageModel(
        load_tokenizer(),
        MASKING,
        max_length=LENGTH,
        sentences=SENTENCES[name],
        unit="document",
        seed=seed,
    )


def pretrain(
    model: BertForPreTraining,
    name: Objective,
    seed: int,
    *,
    steps: int = STEPS,
    evaluate: Callable[[nn.Module], dict[str, float]] | None = None,
    eval_every: int | None = None,
    progress: bool = False,
) -> History:
    """Train the model in place on pairs of sentences, in one of the three ways."""
    task = objective(name, seed)
    rows = task.rows(neighbours(documents("pretraining", seed)))
    batches = Batches(rows, task.collate, tokens_per_batch=BATCH_TOKENS, seed=seed)
    config = TrainingConfig(
        steps=steps,
        learning_rate=RATE,
        warmup_steps=steps // 10,
        eval_every=eval_every,
        seed=seed,
        device="cpu",
        progress=progress,
    )
    return train(model, batches, task.loss, config, evaluate=evaluate)


# --- measures


def scores(model: nn.Module, pairs: Sequence[SentencePair]) -> Tensor:
    """(N, 2): for each pair the scores of "yes" and "no", from the output at [CLS] alone."""
    assert isinstance(model, BertForPreTraining)
    tokenizer, found = load_tokenizer(), []
    for start in range(0, len(pairs), 128):
        part = pairs[start : start + 128]
        batch = tokenizer([pair.first for pair in part], [pair.second for pair in part])
        with torch.no_grad():
            output = model.bert(batch.input_ids, batch.attention_mask, batch.token_type_ids)
            found.append(model.seq_relationship(output.pooler_output))
    return torch.cat(found)


def rights(model: nn.Module, asked: Sequence[Asked]) -> Tensor:
    """(N,) of bool: which pairs the model answers rightly."""
    wanted = torch.tensor([one.pair.label for one in asked])
    return scores(model, [one.pair for one in asked]).argmax(-1) == wanted


def accuracy(model: nn.Module, asked: Sequence[Asked]) -> float:
    """The share of pairs that the model answers rightly."""
    return float(rights(model, asked).double().mean())


def of_kind(asked: Sequence[Asked], kind: Order) -> list[Asked]:
    """Those from documents of one kind."""
    return [one for one in asked if one.kind == kind]


@lru_cache(maxsize=20)
def _baseline_rights(name: str, question: Question, seed: int) -> Tensor:
    learned, validation, test = (
        [one.pair for one in ask(question, split, seed)]
        for split in ("pretraining", "validation", "test")
    )
    answers = baseline_answers(name, learned[:LEARNED], validation, test)
    return torch.tensor(answers) == torch.tensor([pair.label for pair in test])


def baseline_accuracy(name: str, question: Question, seed: int, kind: Order | None = None) -> float:
    """The same on test pairs, of one kind or all, for a baseline that learns from LEARNED pairs."""
    return _share(_baseline_rights(name, question, seed), question, seed, kind)


def _share(right: Tensor, question: Question, seed: int, kind: Order | None) -> float:
    chosen = [kind in (None, one.kind) for one in ask(question, "test", seed)]
    return float(right[torch.tensor(chosen)].double().mean())


@dataclass
class Watch:
    """An `evaluate` for training that keeps the accuracy on some pairs at each evaluation.

    show: called after each evaluation, for a curve that grows while the model learns.
    """

    asked: Sequence[Asked]
    show: Callable[[Watch], None] | None = None
    steps: list[int] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Measure, remember, show."""
        self.steps.append(EVERY * len(self.steps))
        self.accuracies.append(accuracy(model, self.asked))
        if self.show is not None:
            self.show(self)
        return {"sentence_accuracy": self.accuracies[-1]}


def watched(name: Question, seed: int) -> list[Asked]:
    """Validation pairs for the curve."""
    return list(ask(name, "validation", seed))[:WATCHED]


# --- evidence: the same functions over seeds


@lru_cache(maxsize=20)
def trained(name: Objective, seed: int) -> tuple[BertForPreTraining, tuple[float, ...]]:
    """A model, and its accuracy on validation pairs every EVERY steps; those asked for are kept."""
    model = new_model(seed)
    if name == "MLM":
        pretrain(model, name, seed)
        return model, ()
    watch = Watch(watched(name, seed))
    pretrain(model, name, seed, evaluate=watch, eval_every=EVERY)
    return model, tuple(watch.accuracies)


@lru_cache(maxsize=32)
def _test_rights(name: Objective, question: Question, seed: int) -> Tensor:
    return rights(trained(name, seed)[0], ask(question, "test", seed))


def cross_test(name: Objective, question: Question, seed: int, kind: Order | None = None) -> float:
    """Accuracy of the model trained in one way at a question of test pairs, of one kind or all."""
    return _share(_test_rights(name, question, seed), question, seed, kind)


@lru_cache(maxsize=64)
def downstream_score(start: Objective | str, task: str, seed: int) -> float:
    """Fine-tuned on a few labels: the share of right answers on test examples.

    start: how the checkpoint went on before, or the name of a checkpoint.
    """
    if start not in SENTENCES:
        return fine_tuned(shipped(start), task, seed)
    with TemporaryDirectory() as folder:
        trained(start, seed)[0].save_pretrained(folder)
        load_tokenizer().save_pretrained(folder)
        return fine_tuned(Path(folder), task, seed)


def leads(nsp: Mapping[Question, float], sop: Mapping[Question, float]) -> float:
    """What B7 judges: how well SOP's model does at NSP, minus how well NSP's model does at SOP.

    nsp, sop: the accuracies of the model trained with NSP, and with SOP, at both questions.
    """
    return sop["NSP"] - nsp["SOP"]


JUDGED_ARM = "SOP→NSP 减 NSP→SOP"
UNTRAINED = "没练过的头"
TESTS = {f"{name}→{question}": (name, question) for name in SENTENCES for question in QUESTIONS}
BY_KIND = {
    f"{arm}·{title}": (*test, kind) for arm, test in TESTS.items() for kind, title in KINDS.items()
}
LEARNING = {
    f"{name} {step} 步": (name, step // EVERY)
    for name in QUESTIONS
    for step in range(EVERY, STEPS + 1, EVERY)
}
BEFORE, LONG, NO_BERT = "不再预训练", "从头就练 SOP", "不用 BERT"
DOWNSTREAM: Mapping[str, tuple[Objective | str, str]] = {
    f"{asked.title}·{start}": (name, task)
    for task, asked in TASKS.items()
    for start, name in (
        (BEFORE, CHECKPOINT),
        *((f"再练 {name}", name) for name in SENTENCES),
        (LONG, TWIN),
    )
}
"""Title of task and start -> what the model was trained on, or which checkpoint it is, and task."""
WITHOUT = {f"{asked.title}·{NO_BERT}": task for task, asked in TASKS.items()}


def _run_next(arm: str, seed: int) -> Measured:
    """One arm of B6: accuracy at next sentence prediction on test pairs."""
    if arm == UNTRAINED:
        return Measured(accuracy(new_model(seed), ask("NSP", "test", seed)))
    if arm == "NSP":
        return Measured(cross_test("NSP", "NSP", seed), STEPS)
    return Measured(baseline_accuracy(arm, "NSP", seed))


def _run_order(arm: str, seed: int) -> Measured:
    """One arm of B7; shares of right answers but for the judged arm, a difference of two."""
    if arm == JUDGED_ARM:
        rows = {n: {q: cross_test(n, q, seed) for q in QUESTIONS} for n in QUESTIONS}
        return Measured(leads(rows["NSP"], rows["SOP"]), STEPS)
    if arm in TESTS:
        return Measured(cross_test(*TESTS[arm], seed), STEPS)
    if arm in BY_KIND:
        name, question, kind = BY_KIND[arm]
        return Measured(cross_test(name, question, seed, kind), STEPS)
    if arm in LEARNING:
        name, at = LEARNING[arm]
        return Measured(trained(name, seed)[1][at], at * EVERY)
    if arm in DOWNSTREAM:
        start, task = DOWNSTREAM[arm]
        return Measured(downstream_score(start, task, seed), TASKS[task].steps)
    if arm in WITHOUT:
        return Measured(without_bert(WITHOUT[arm], seed))
    return Measured(baseline_accuracy(arm.removeprefix("SOP·"), "SOP", seed))


_DATA = (
    f"微世界完整词表的故事、一天和循环，{DOCUMENTS} 篇，相邻两句成对；"
    f"测试 {HELD_OUT} 篇，人物没有在训练的文档里出现；"
    f"从 {CHECKPOINT} 接着练 {STEPS} 步"
)

EXPERIMENTS = {
    "B6": Experiment(arms=("NSP",), controls=(UNTRAINED, *BASELINES), run=_run_next, data=_DATA),
    "B7": Experiment(
        arms=(JUDGED_ARM,),
        controls=(
            *TESTS,
            *BY_KIND,
            *(f"SOP·{name}" for name in BASELINES),
            *LEARNING,
            *DOWNSTREAM,
            *WITHOUT,
        ),
        run=_run_order,
        data=f"{_DATA}；下游任务"
        + "、".join(
            f"{asked.title}（{asked.labels} 个标注，{asked.exam}）" for asked in TASKS.values()
        )
        + f"，测试 {JUDGED} 例",
    ),
}
