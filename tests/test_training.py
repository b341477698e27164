"""The training loop: gradients, schedules, early stopping, bad input."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from training_samples import PAD, collate, rows

from chapter10.objectives import IGNORE_INDEX, cross_entropy_sum
from chapter10.training import (
    TrainingConfig,
    TrainingError,
    heldout_loss,
    heldout_means,
    make_optimizer,
    train,
)
from chapter10.training.batches import Batch, Batches, num_tokens
from chapter10.training.history import History


class Tagger(nn.Module):
    """The smallest model with what decays (matrices), what does not, and dropout."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.norm = nn.LayerNorm(8)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(8, 20)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.head(self.dropout(self.norm(self.embedding(input_ids))))


def loss_fn(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    return cross_entropy_sum(model(batch["input_ids"]), batch["labels"])


def tagger(dropout: float = 0.0) -> Tagger:
    torch.manual_seed(0)
    return Tagger(dropout)


def config(**changes: object) -> TrainingConfig:
    plain = {"steps": 6, "device": "cpu", "progress": False, "schedule": "constant"}
    return TrainingConfig(**{**plain, **changes})  # type: ignore[arg-type]


def weights(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


# ---- the gradient --------------------------------------------------------------------------------


def test_one_step_is_adamw_on_the_mean_over_all_terms() -> None:
    batches = Batches(rows(), collate, batch_size=8)
    model, twin = tagger(), tagger()
    train(model, batches, loss_fn, config(steps=1, max_grad_norm=None))
    total, count = loss_fn(twin, batches[0])
    (total / count).backward()
    make_optimizer(twin, config()).step()
    assert torch.equal(weights(model), weights(twin))


@pytest.mark.parametrize("several", [False, True])
def test_accumulated_batches_are_one_large_batch(several: bool) -> None:
    """Batches of very different numbers of terms: a mean of means would be far off."""

    def two_losses(model: nn.Module, batch: Batch) -> object:
        rows_right = (model(batch["input_ids"])[:, 0], batch["input_ids"][:, 0])
        single = loss_fn(model, batch)
        return {"a": single, "b": cross_entropy_sum(*rows_right)} if several else single

    small = [collate(part, torch.Generator()) for part in (rows(2, 1), rows(9, 2), rows(5, 3))]
    small[0]["labels"][:, 1:] = IGNORE_INDEX
    large = {}
    width = max(batch["input_ids"].shape[1] for batch in small)
    for name, fill in (("input_ids", PAD), ("labels", IGNORE_INDEX)):
        padded = [
            nn.functional.pad(batch[name], (0, width - batch[name].shape[1]), value=fill)
            for batch in small
        ]
        large[name] = torch.cat(padded)
    plain = config(steps=1, max_grad_norm=None, epsilon=1e-3)  # a gentle epsilon keeps ratios
    together, apart = tagger(), tagger()
    one = train(together, [large], two_losses, plain)  # type: ignore[arg-type]
    many = train(apart, small, two_losses, config(**{**vars(plain), "accumulate": 3}))  # type: ignore[arg-type]
    torch.testing.assert_close(weights(apart), weights(together), atol=1e-7, rtol=1e-6)
    assert one.losses == pytest.approx(many.losses, rel=1e-6)


def test_matrices_decay_and_vectors_do_not() -> None:
    model = tagger()
    groups = make_optimizer(model, config(weight_decay=0.3)).param_groups
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    for name, parameter in model.named_parameters():
        expected = 0.3 if name in ("embedding.weight", "head.weight") else 0.0
        assert decays[id(parameter)] == expected, name


def test_the_gradient_is_cut_to_its_longest_length() -> None:
    seen: list[float] = []

    def steep(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        total, count = loss_fn(model, batch)
        return total * 1000, count

    class Watch(torch.optim.AdamW):
        def step(self, closure: None = None) -> None:  # type: ignore[override]
            grads = [p.grad for group in self.param_groups for p in group["params"]]
            seen.append(float(torch.cat([grad.flatten() for grad in grads]).norm()))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.optim, "AdamW", Watch)
        train(tagger(), Batches(rows(), collate, batch_size=8), steep, config(max_grad_norm=0.5))
    assert seen == pytest.approx([0.5] * 6, rel=1e-3)


def test_schedules() -> None:
    linear = config(steps=10, warmup_steps=4, learning_rate=1.0, schedule="linear")
    rates = [linear.learning_rate_at(step) for step in range(10)]
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])
    cosine = config(steps=10, learning_rate=1.0, schedule="cosine")
    assert cosine.learning_rate_at(5) == pytest.approx(0.5)
    assert cosine.learning_rate_at(1) == pytest.approx((1 + math.cos(math.pi / 10)) / 2)
    constant = config(steps=10, warmup_steps=2, learning_rate=1.0)
    assert [constant.learning_rate_at(step) for step in (0, 1, 2, 9)] == [0.5, 1, 1, 1]


# ---- the loop ------------------------------------------------------------------------------------


def test_it_learns_and_notes_what_happened(tmp_path: Path) -> None:
    batches = Batches(rows(), collate, tokens_per_batch=80, seed=1)
    heldout = Batches(rows(20, 9), collate, tokens_per_batch=80).first_epoch()
    plan = config(steps=60, learning_rate=0.05, eval_every=25)
    history = train(
        tagger(), batches, loss_fn, plan, evaluate=heldout_loss(heldout, loss_fn), folder=tmp_path
    )
    steps, losses = history.curve()
    assert steps == [0, 25, 50, 60]
    assert losses[-1] < 0.2 < 2.5 < losses[0]
    assert history.steps == list(range(1, 61))
    assert history.learning_rates == [0.05] * 60
    assert history.tokens[-1] == sum(num_tokens(batches[i]) for i in range(60))
    assert History.load(tmp_path / "history.jsonl") == history
    assert [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]


def test_callers_random_numbers_and_mode_are_left_alone() -> None:
    model = tagger(0.5)
    state = torch.get_rng_state()
    train(model, Batches(rows(), collate, batch_size=8), loss_fn, config())
    assert torch.equal(torch.get_rng_state(), state)
    assert not model.training


def test_evaluation_has_no_dropout_and_does_not_disturb_the_training() -> None:
    modes: list[bool] = []

    def evaluate(model: nn.Module) -> dict[str, float]:
        modes.append(model.training or torch.is_grad_enabled())
        torch.rand(7)
        return {"loss": 1.0}

    batches = Batches(rows(), collate, batch_size=8)
    with_it, without = tagger(0.5), tagger(0.5)
    train(with_it, batches, loss_fn, config(eval_every=2), evaluate=evaluate)
    train(without, batches, loss_fn, config())
    assert modes == [False] * 4
    assert torch.equal(weights(with_it), weights(without))


def test_dropout_differs_from_step_to_step() -> None:
    masks: list[Tensor] = []

    def watch(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        masks.append(model.dropout(torch.ones(50)))
        return loss_fn(model, batch)

    train(tagger(0.5), Batches(rows(), collate, batch_size=8), watch, config(steps=3))
    assert not torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[1], masks[2])


def test_heldout_mean_is_over_all_terms_not_over_batches() -> None:
    batches = [{"x": torch.ones(1)}, {"x": torch.zeros(3)}]
    means = heldout_means(batches, lambda _, b: {"x": (b["x"].sum(), torch.tensor(len(b["x"])))})
    assert means(tagger()) == {"x": 0.25}


def test_heldout_means_need_no_gradients_and_leave_them_as_they_were() -> None:
    totals: list[Tensor] = []

    def measure(model: nn.Module, batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
        totals.append(next(model.parameters()).sum())
        return {"x": (totals[-1], torch.tensor(1))}

    heldout_means([{"x": torch.ones(1)}], measure)(tagger())
    assert not totals[0].requires_grad
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("maximize", [False, True])
def test_early_stopping_gives_back_the_best_weights(maximize: bool, tmp_path: Path) -> None:
    values = [5.0, 3.0, 4.0, 3.5, 1.0]  # never comes to the last one
    seen: list[Tensor] = []

    def evaluate(model: nn.Module) -> dict[str, float]:
        seen.append(weights(model))
        value = values[len(seen) - 1]
        return {"loss": 0.0, "score": -value if maximize else value}

    model = tagger()
    plan = config(steps=50, eval_every=5, patience=2, monitor="score", maximize=maximize)
    batches = Batches(rows(), collate, batch_size=8)
    history = train(model, batches, loss_fn, plan, evaluate=evaluate, folder=tmp_path)
    assert history.stopped_early
    assert history.best_step == 5
    assert len(history.steps) == 15
    assert torch.equal(weights(model), seen[1])
    again = tagger()
    resumed = train(again, batches, loss_fn, plan, evaluate=evaluate, folder=tmp_path, resume=True)
    assert resumed == history
    assert torch.equal(weights(again), weights(model))


def test_bfloat16_on_the_cpu_trains_float32_weights() -> None:
    model = tagger()
    history = train(
        model, Batches(rows(), collate, batch_size=8), loss_fn, config(precision="bfloat16")
    )
    exact = train(tagger(), Batches(rows(), collate, batch_size=8), loss_fn, config())
    assert model.head.weight.dtype == torch.float32
    assert history.losses != exact.losses
    assert history.losses == pytest.approx(exact.losses, rel=0.02)


# ---- what goes wrong -----------------------------------------------------------------------------


def test_a_batch_without_any_loss_is_refused() -> None:
    batch = collate(rows(3), torch.Generator())
    batch["labels"].fill_(IGNORE_INDEX)
    with pytest.raises(TrainingError, match="Step 1: no position of its batch has a loss"):
        train(tagger(), [batch] * 9, loss_fn, config())


def test_a_loss_that_is_no_number_stops_and_the_last_state_stays(tmp_path: Path) -> None:
    def explode(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        total, count = loss_fn(model, batch)
        return total * (math.nan if bool((batch["input_ids"] == 19).any()) else 1), count

    good = [collate([[1, 2, 3]], torch.Generator())] * 5
    bad = [collate([[19, 2]], torch.Generator())]
    model = tagger()
    with pytest.raises(
        TrainingError, match=r"Step 6: the loss is nan.*after step 4 stays"
    ) as error:
        train(model, good + bad, explode, config(steps=9, checkpoint_every=2), folder=tmp_path)
    assert "learning rate" in str(error.value)
    assert torch.isfinite(weights(model)).all()
    again = tagger()
    # The state of step 4 can be taken up with data that behaves.
    train(again, good * 2, explode, config(steps=9), folder=tmp_path, resume=True)
    straight = tagger()
    train(straight, good * 2, explode, config(steps=9))
    assert torch.equal(weights(again), weights(straight))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps is 0; give a whole number of at least 1"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0; give a number above 0"),
        ({"warmup_steps": 7}, "warmup_steps is 7; it lies between 0 and steps, 6"),
        ({"schedule": "staircase"}, "schedule is 'staircase'; it can be linear, cosine, constant"),
        ({"precision": "float8"}, "precision is 'float8'"),
        ({"betas": (0.9, 1.0)}, r"each beta lies in \[0, 1\)"),
        ({"max_grad_norm": 0.0}, "max_grad_norm is 0.0"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config(**changes)


def test_a_missing_device_is_named() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device here")
    with pytest.raises(ValueError, match="no device 'cuda' on this machine"):
        train(tagger(), [], loss_fn, config(device="cuda"))


def test_an_unknown_monitor_is_named() -> None:
    batches = Batches(rows(), collate, batch_size=8)
    with pytest.raises(ValueError, match="monitor is 'f1'; the evaluation gives loss"):
        train(
            tagger(),
            batches,
            loss_fn,
            config(patience=1, monitor="f1"),
            evaluate=lambda model: {"loss": 1.0},
        )


def test_patience_without_an_evaluation_is_refused() -> None:
    with pytest.raises(ValueError, match="patience is 1, but there is no evaluation"):
        train(tagger(), Batches(rows(), collate, batch_size=8), loss_fn, config(patience=1))


def test_no_heldout_batches_are_refused() -> None:
    with pytest.raises(ValueError, match="hold back some examples"):
        heldout_loss([], loss_fn)
