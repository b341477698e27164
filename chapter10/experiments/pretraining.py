"""What the page `pretraining` runs (claims B4, B5 and B19): a small BERT learns to fill in blanks.

The text is that of :mod:`chapter10.experiments.pretraining_text`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from chapter10.bert import BertConfig, BertForPreTraining
from chapter10.claims import Experiment, Measured
from chapter10.data.microworld.splits import Split
from chapter10.data.microworld.tokens import Sentence
from chapter10.experiments.pretraining_text import (
    HELD_OUT,
    SENTENCES,
    held_out,
    held_out_texts,
    make_tokenizer,
    sentences,
    shuffled,
    training_text,
)
from chapter10.filling import fill
from chapter10.ngrams import BIGRAM, NEIGHBOURS, UNIGRAM, WIDE, ContextCounts
from chapter10.objectives import IGNORE_INDEX, Masking, cross_entropy_sum
from chapter10.pretraining import MaskedLanguageModel, Row
from chapter10.tokenizers import Tokenizer
from chapter10.training import Batches, History, TrainingConfig, train
from chapter10.training.batches import Batch, derive_seed
from chapter10.training.evaluation import heldout_means

LENGTH = 64
"""Positions of the model; the longest sentence is half as long."""
STEPS = 1_200
SHORT_STEPS = 600
"""For the comparisons of maskings and of corpus sizes; all of them take the same steps."""
BATCH_TOKENS = 1_024
MASKING = Masking(ratio=0.4)
EXAM = Masking(ratio=0.15, mask_share=1.0, random_share=0.0, keep_share=0.0)
"""How held-out sentences are masked, whatever a model was trained with."""
TIMES_UNIGRAM, TIMES_BIGRAM = 4.0, 1.5
"""The model's accuracy has to reach so many times that of each counting baseline."""
LABELLED, JUDGED = 100, 500
"""Sentences whose parts of speech the probe learns from, and is judged on."""


# --- model and training


def new_model(tokenizer: Tokenizer, seed: int) -> BertForPreTraining:
    """A small BERT with random weights, a pure function of the seed."""
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=256,
        max_position_embeddings=LENGTH,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    with torch.random.fork_rng([]):
        torch.manual_seed(derive_seed("pretraining", seed))
        return BertForPreTraining(config).eval()


def objective(tokenizer: Tokenizer, masking: Masking = MASKING) -> MaskedLanguageModel:
    """Fill in the blank, without a second task on pairs of sentences."""
    return MaskedLanguageModel(tokenizer, masking, max_length=LENGTH)


def rows_of(tokenizer: Tokenizer, texts: Sequence[str]) -> list[Row]:
    """Token ids, one row a text."""
    return objective(tokenizer).rows([texts])


def pretrain(
    model: BertForPreTraining,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    seed: int,
    *,
    steps: int = STEPS,
    masking: Masking = MASKING,
    evaluate: Callable[[nn.Module], dict[str, float]] | None = None,
    eval_every: int | None = None,
    progress: bool = False,
) -> History:
    """Train the model in place on the texts, again and again where they are few."""
    task = objective(tokenizer, masking)
    batches = Batches(task.rows([texts]), task.collate, tokens_per_batch=BATCH_TOKENS, seed=seed)
    config = TrainingConfig(
        steps=steps,
        learning_rate=5e-3,
        warmup_steps=steps // 20,
        eval_every=eval_every,
        seed=seed,
        device="cpu",
        progress=progress,
    )
    return train(model, batches, task.loss, config, evaluate=evaluate)


# --- measures


def exam(tokenizer: Tokenizer, split: Split, seed: int, count: int = HELD_OUT) -> list[Batch]:
    """Held-out sentences with fixed blanks: 15 % of the characters, all of them [MASK].

    At most `count` sentences, each once.
    """
    texts = list(dict.fromkeys(held_out_texts(split, seed)))[:count]
    task = objective(tokenizer, EXAM)
    rows = task.rows([texts])
    batches = Batches(rows, task.collate, tokens_per_batch=4096, seed=derive_seed(seed, split))
    return batches.first_epoch()


def masked_accuracy(model: nn.Module, tokenizer: Tokenizer, batches: Sequence[Batch]) -> float:
    """Share of the blanks whose likeliest token is the right one."""
    return heldout_means(batches, objective(tokenizer).measure)(model)["masked_accuracy"]


def counting_accuracy(counts: ContextCounts, batches: Sequence[Batch]) -> float:
    """The same for guesses from counted neighbours, on the same blanks."""
    right = total = 0
    for batch in batches:
        blanks = batch["labels"] != IGNORE_INDEX
        right += int((counts.guess(batch["input_ids"], blanks) == batch["labels"][blanks]).sum())
        total += int(blanks.sum())
    return right / total


def tune_neighbours(rows: Sequence[Row], validation: Sequence[Batch]) -> ContextCounts:
    """Neighbour counts on both sides, with the window and the backoff best on validation text."""
    ids = [row.input_ids for row in rows]
    candidates = [
        ContextCounts(ids, windows, min_count)
        for windows in (NEIGHBOURS, WIDE)
        for min_count in (1, 2, 4)
    ]
    return max(candidates, key=lambda counts: counting_accuracy(counts, validation))


def tagged_vectors(
    model: BertForPreTraining, tokenizer: Tokenizer, tagged: Sequence[Sentence]
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """The last layer's vector of each character, its word's part of speech, and its token id.

    (N, H) float, (N,) str, N ids; the sentences are read whole, without any blank.
    """
    encoded = tokenizer([sentence.text for sentence in tagged])
    with torch.no_grad():
        hidden = model.bert(encoded.input_ids, encoded.attention_mask).last_hidden_state
    vectors: list[Tensor] = []
    tags: list[str] = []
    ids: list[int] = []
    for number, sentence in enumerate(tagged):
        for token, span in zip(sentence.tokens, sentence.offsets, strict=True):
            for place in range(span.start + 1, span.end + 1):  # [CLS] stands first
                vectors.append(hidden[number, place])
                tags.append(token.tag)
                ids.append(int(encoded.input_ids[number, place]))
    return torch.stack(vectors).numpy(), np.array(tags), ids


def tag_accuracy(
    model: BertForPreTraining, tokenizer: Tokenizer, seed: int, split: Split = "test"
) -> float:
    """A downstream score: parts of speech read off the frozen vectors by a linear classifier.

    It learns from the labels of LABELLED sentences and is judged on the characters of JUDGED ones.
    """
    known = tagged_vectors(model, tokenizer, sentences(LABELLED, seed, "train"))
    asked = tagged_vectors(model, tokenizer, held_out(split, seed)[:JUDGED])
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    probe.fit(known[0], known[1])
    return float(probe.score(asked[0], asked[1]))


def commonest_tag_accuracy(
    tokenizer: Tokenizer, model: BertForPreTraining, seed: int, split: Split = "test"
) -> float:
    """Baseline of `tag_accuracy`: the character's commonest tag, or the commonest of all."""
    known = tagged_vectors(model, tokenizer, sentences(LABELLED, seed, "train"))
    asked = tagged_vectors(model, tokenizer, held_out(split, seed)[:JUDGED])
    by_token: dict[int, Counter[str]] = {}
    for tag, token in zip(known[1].tolist(), known[2], strict=True):
        by_token.setdefault(token, Counter())[tag] += 1
    fallback = Counter(known[1].tolist())
    guesses = [by_token.get(token, fallback).most_common(1)[0][0] for token in asked[2]]
    return float(np.mean(np.array(guesses) == asked[1]))


@dataclass
class Watch:
    """An `evaluate` for training that also keeps the fills of some sentences at each evaluation.

    show: called after each evaluation, for a curve that grows while the model learns.
    """

    tokenizer: Tokenizer
    batches: Sequence[Batch]
    texts: Sequence[str]
    every: int
    show: Callable[[Watch], None] | None = None
    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    fills: list[list[str]] = field(default_factory=list)

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Measure, remember, show."""
        assert isinstance(model, BertForPreTraining)
        measure = objective(self.tokenizer).measure
        values = heldout_means(self.batches, measure)(model)
        self.steps.append(self.every * len(self.steps))
        self.losses.append(values["masked"])
        self.accuracies.append(values["masked_accuracy"])
        self.fills.append([filled(model, self.tokenizer, text) for text in self.texts])
        if self.show is not None:
            self.show(self)
        return values


def filled(model: BertForPreTraining, tokenizer: Tokenizer, text: str) -> str:
    """The likeliest token for each [MASK] of a text, written as one string."""
    return "".join(guesses[0].token for guesses in fill(model, tokenizer, text, top=1))


# --- one step by hand, and what the loss touches


def head_counts(config: BertConfig) -> dict[str, int]:
    """Parameters of the head of masked prediction.

    transform: a linear map and a layer norm. bias: one a token of the vocabulary. decoder: the
    matrix (V, H), which is the word embeddings again where weights are tied, and so adds nothing.
    """
    hidden, vocab = config.hidden_size, config.vocab_size
    return {
        "transform": hidden * hidden + hidden + 2 * hidden,
        "bias": vocab,
        "decoder": vocab * hidden,
    }


def logit_gradients(model: BertForPreTraining, tokenizer: Tokenizer, batch: Batch) -> Tensor:
    """(B, T): for each position the largest gradient of the loss in its scores."""
    output = model(batch["input_ids"], batch["attention_mask"], batch["token_type_ids"])
    scores = output.prediction_logits
    scores.retain_grad()
    cross_entropy_sum(scores, batch["labels"])[0].backward()
    model.zero_grad()
    return scores.grad.abs().amax(-1)


# --- evidence: the same functions over seeds

MASKINGS = {
    "5 %，80/10/10": Masking(ratio=0.05),
    "15 %，80/10/10": Masking(ratio=0.15),
    "40 %，80/10/10": Masking(ratio=0.4),
    "15 %，全部 [MASK]": Masking(ratio=0.15, mask_share=1.0, random_share=0.0, keep_share=0.0),
    "15 %，全部随机": Masking(ratio=0.15, mask_share=0.0, random_share=1.0, keep_share=0.0),
}
SIZES = (100, 300, 1_000, 40_000)
GAIN = 0.15
"""How much more of the blanks the largest corpus has to fill than the smallest, on average."""
FILLS, TAGS = "填空", "词性"


@lru_cache(maxsize=8)
def trained(
    seed: int, count: int = SENTENCES, masking: Masking = MASKING, steps: int = STEPS
) -> BertForPreTraining:
    """A model trained on the first `count` sentences; the last few asked for are kept."""
    tokenizer = make_tokenizer(seed)
    model = new_model(tokenizer, seed)
    pretrain(model, tokenizer, training_text(seed)[:count], seed, steps=steps, masking=masking)
    return model


def _run_fills(arm: str, seed: int) -> Measured:
    """One arm of B4: accuracy on test sentences."""
    tokenizer, test = make_tokenizer(seed), exam(make_tokenizer(seed), "test", seed)
    if arm == "BERT":
        return Measured(masked_accuracy(trained(seed), tokenizer, test), STEPS)
    if arm == "随机起点":
        return Measured(masked_accuracy(new_model(tokenizer, seed), tokenizer, test))
    if arm == "打乱的语料":
        model = new_model(tokenizer, seed)
        pretrain(model, tokenizer, shuffled(training_text(seed), seed), seed)
        return Measured(masked_accuracy(model, tokenizer, test), STEPS)
    return Measured(counting_accuracy(counting_baselines(tokenizer, seed)[arm], test))


def counting_baselines(tokenizer: Tokenizer, seed: int) -> dict[str, ContextCounts]:
    """The three baselines that count, from the training text."""
    rows = rows_of(tokenizer, training_text(seed))
    ids = [row.input_ids for row in rows]
    return {
        "只看频率": ContextCounts(ids, UNIGRAM),
        "左邻（二元）": ContextCounts(ids, BIGRAM),
        "左右邻": tune_neighbours(rows, exam(tokenizer, "validation", seed)),
    }


def _run_maskings(arm: str, seed: int) -> Measured:
    """One arm of B5: NAME is judged by parts of speech, NAME·填空 by the blanks."""
    name, _, what = arm.partition("·")
    tokenizer = make_tokenizer(seed)
    if name == "随机起点":
        return _score(new_model(tokenizer, seed), tokenizer, seed, what or TAGS, 0)
    model = trained(seed, masking=MASKINGS[name], steps=SHORT_STEPS)
    return _score(model, tokenizer, seed, what or TAGS, SHORT_STEPS)


def _run_sizes(arm: str, seed: int) -> Measured:
    """One arm of B19: "N 句" is judged by the blanks, "N 句·词性" by parts of speech."""
    name, _, what = arm.partition("·")
    model = trained(seed, count=int(name.split()[0]), steps=SHORT_STEPS)
    return _score(model, make_tokenizer(seed), seed, what or FILLS, SHORT_STEPS)


def _score(
    model: BertForPreTraining, tokenizer: Tokenizer, seed: int, what: str, steps: int
) -> Measured:
    if what == TAGS:
        return Measured(tag_accuracy(model, tokenizer, seed), steps)
    return Measured(masked_accuracy(model, tokenizer, exam(tokenizer, "test", seed)), steps)


_DATA = f"微世界单句，{SENTENCES} 句（约 49 万字），第二次抽的测试句，至多 {HELD_OUT} 句，不重复"

EXPERIMENTS = {
    "B4": Experiment(
        arms=("BERT",),
        controls=("随机起点", "打乱的语料", "只看频率", "左邻（二元）", "左右邻"),
        run=_run_fills,
        data=_DATA,
    ),
    "B5": Experiment(
        arms=tuple(MASKINGS),
        # Beside each arm its own blanks, so that one training serves both.
        controls=("随机起点", *(f"{name}·{FILLS}" for name in MASKINGS)),
        run=_run_maskings,
        data=_DATA + "；每种办法同样的步数",
    ),
    "B19": Experiment(
        arms=(f"{SIZES[-1]} 句",),
        controls=(
            f"{SIZES[-1]} 句·{TAGS}",
            *(f"{size} 句{tail}" for size in SIZES[:-1] for tail in ("", f"·{TAGS}")),
        ),
        run=_run_sizes,
        data=_DATA + "；每种大小同样的步数",
    ),
}
