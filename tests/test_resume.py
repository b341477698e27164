"""A run that is killed at any moment and taken up again ends bit for bit where it would have."""

import multiprocessing
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import chapter10.hub
import chapter10.training.snapshots
from chapter10 import BertConfig, BertForPreTraining
from chapter10.hub import CheckpointError
from chapter10.objectives import (
    IGNORE_INDEX,
    Masking,
    cross_entropy_sum,
    mask_candidates,
    mask_tokens,
)
from chapter10.training import TrainingConfig, TrainingError, heldout_loss, train
from chapter10.training.batches import Batch, Batches, pad_rows
from chapter10.training.history import History

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
SPECIAL = {0, 1, 2, 3, 4}
PLAN = TrainingConfig(
    steps=24,
    learning_rate=5e-3,
    warmup_steps=5,
    accumulate=2,
    eval_every=4,
    patience=3,
    checkpoint_every=3,
    device="cpu",
    progress=False,
)


def bert() -> BertForPreTraining:
    """With dropout, so that the random numbers of each step matter."""
    torch.manual_seed(0)
    return BertForPreTraining(
        BertConfig(
            vocab_size=30,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=16,
        )
    )


def collate(rows: list[list[int]], draw: torch.Generator) -> Batch:
    ids = pad_rows(rows, 0)
    real = (ids != 0).long()
    masked = mask_tokens(
        ids,
        mask_candidates(ids, SPECIAL, real),
        Masking(ratio=0.3),
        4,
        torch.arange(5, 30),
        draw,
    )
    return {"input_ids": masked.input_ids, "attention_mask": real, "labels": masked.labels}


def loss_fn(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    chosen = batch["labels"] != IGNORE_INDEX
    output = model(batch["input_ids"], batch["attention_mask"], prediction_mask=chosen)
    return cross_entropy_sum(output.prediction_logits, batch["labels"][chosen])


def rows(count: int, seed: int) -> list[list[int]]:
    draw = random.Random(seed)
    starts = [draw.randrange(25) for _ in range(count)]
    return [[2, *((s + i) % 25 + 5 for i in range(draw.randrange(3, 12))), 3] for s in starts]


def batches(seed: int = 1) -> Batches[list[int]]:
    return Batches(rows(70, 0), collate, tokens_per_batch=120, seed=seed)


def run(folder: Path | None, plan: TrainingConfig = PLAN, resume: bool = True) -> History:
    """The whole program that is killed and started again: always the same call."""
    torch.set_num_threads(1)
    evaluate = heldout_loss(Batches(rows(15, 7), collate, batch_size=8).first_epoch(), loss_fn)
    resume = resume and folder is not None
    return train(bert(), batches(), loss_fn, plan, evaluate=evaluate, folder=folder, resume=resume)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_at(owner: Any, name: str, call: int, deadly: Callable[..., None]) -> None:
    """Let the ``call``-th call of a function end in a kill."""
    original, calls = getattr(owner, name), iter(range(1, 10**6))

    def counted(*args: Any, **options: Any) -> Any:
        if next(calls) == call:
            deadly(original, *args, **options)
            die()
        return original(*args, **options)

    setattr(owner, name, counted)


def half_written(original: Any, tensors: Any, path: Path, **options: Any) -> None:
    original(tensors, path, **options)
    os.truncate(path, path.stat().st_size // 2)


def do_first(original: Any, *args: Any, **options: Any) -> None:
    original(*args, **options)


def do_nothing(original: Any, *args: Any, **options: Any) -> None:
    pass


MOMENTS: dict[str, tuple[Any, str, Callable[..., None]]] = {
    "after an update": (torch.optim.AdamW, "step", do_first),
    "in the middle of a write": (chapter10.training.snapshots, "save_file", half_written),
    "before the rename": (chapter10.hub.os, "replace", do_nothing),
    "after the rename": (chapter10.hub.os, "replace", do_first),
    "between two accumulated batches": (Tensor, "backward", do_first),
}


def slow_down() -> None:
    """Make a run last at least half a second, so that a kill from outside finds it running."""
    step = torch.optim.AdamW.step

    def slow(self: torch.optim.AdamW) -> Any:
        time.sleep(0.5 / PLAN.steps)
        return step(self)

    torch.optim.AdamW.step = slow  # type: ignore[method-assign, assignment]


def child(folder: Path, moment: str | None, call: int, started: Connection) -> None:
    if moment is None:
        slow_down()
    else:
        owner, name, deadly = MOMENTS[moment]
        killed_at(owner, name, call, deadly)
    started.send(True)
    run(folder)


@pytest.fixture(scope="module")
def processes() -> Any:
    """Children come from a server that has imported everything, so each costs milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["chapter10.training", "chapter10", "torch._dynamo"])
    return context


def start(processes: Any, folder: Path, moment: str | None = None, call: int = 0) -> Any:
    ready, started = processes.Pipe(duplex=False)
    process = processes.Process(target=child, args=(folder, moment, call, started))
    process.start()
    started.close()
    assert ready.recv()
    return process


def tensors(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "training.safetensors")


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("straight")
    run(folder)
    return folder


def assert_same_end(folder: Path, straight: Path) -> None:
    expected, found = tensors(straight), tensors(folder)
    assert expected.keys() == found.keys()
    assert any(name.startswith("optimizer/") for name in expected)
    assert any(name.startswith("best/") for name in expected)
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name
    histories = [History.load(path / "history.jsonl") for path in (folder, straight)]
    for history in histories:
        history.seconds = 0.0
    assert histories[0] == histories[1]
    assert not list(folder.glob(".training*")), "a half-written file was left behind"


@pytest.mark.parametrize(
    "kills",
    [
        [("after an update", 1), ("after an update", 2), ("after an update", 11)],
        [("in the middle of a write", 1), ("in the middle of a write", 3)],
        [("before the rename", 1), ("before the rename", 3), ("after the rename", 1)],
        [("between two accumulated batches", 9), ("after the rename", 5)],
    ],
    ids=lambda kills: kills[0][0],
)
def test_killed_at_the_worst_moments(
    kills: list[tuple[str, int]], processes: Any, straight: Path, tmp_path: Path
) -> None:
    for moment, call in kills:
        process = start(processes, tmp_path, moment, call)
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
    run(tmp_path)
    assert_same_end(tmp_path, straight)


def test_killed_at_random_moments(processes: Any, straight: Path, tmp_path: Path) -> None:
    draw = random.Random(os.getpid())  # other moments at every run; the result may never depend
    killed = 0
    for _ in range(6):
        process = start(processes, tmp_path)
        time.sleep(draw.uniform(0.0, 0.4))
        process.kill()
        process.join(60)
        killed += process.exitcode == -signal.SIGKILL
    assert killed
    run(tmp_path)
    assert_same_end(tmp_path, straight)


def test_saving_does_not_change_the_training(straight: Path) -> None:
    history = run(None)
    assert history.losses == History.load(straight / "history.jsonl").losses


def test_early_stopping_goes_on_where_it_was(tmp_path: Path) -> None:
    """Two evaluations without progress before the kill and one after it make three."""
    judged: dict[int, Tensor] = {}
    values = {0: 1.0, 4: 0.5, 8: 2.0, 12: 3.0, 16: 2.5, 20: 0.1}

    def attempt(steps_to_live: int, folder: Path) -> History:
        evaluations = iter(range(100))

        def evaluate(model: nn.Module) -> dict[str, float]:
            step = first + 4 * next(evaluations)
            judged[step] = nn.utils.parameters_to_vector(model.parameters()).detach()
            return {"loss": values[step]}

        first = 0 if not (folder / "training.safetensors").is_file() else 16
        source = batches()

        class Dying:
            fingerprint = source.fingerprint

            def __getitem__(self, index: int) -> Batch:
                if index >= 2 * steps_to_live:
                    raise KeyboardInterrupt
                return source[index]

        model = bert()
        history = train(
            model, Dying(), loss_fn, PLAN, evaluate=evaluate, folder=folder, resume=True
        )
        best = nn.utils.parameters_to_vector(model.parameters())
        assert torch.equal(best, judged[4])
        return history

    with pytest.raises(KeyboardInterrupt):
        attempt(13, tmp_path)
    history = attempt(100, tmp_path)
    assert history.stopped_early
    assert (history.best_step, len(history.steps)) == (4, 16)


# ---- what cannot be resumed ----


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    train(bert(), batches(), loss_fn, small(), folder=tmp_path)
    return tmp_path


def small(**changes: Any) -> TrainingConfig:
    return TrainingConfig(**{"steps": 4, "device": "cpu", "progress": False, **changes})


def test_a_state_is_not_overwritten(begun: Path) -> None:
    with pytest.raises(CheckpointError, match="holds the state of a run already; resume=True"):
        train(bert(), batches(), loss_fn, small(), folder=begun)


def test_another_configuration_is_named(begun: Path) -> None:
    message = r"config learning_rate = 0\.001; now it is 0\.01"
    with pytest.raises(CheckpointError, match=message):
        train(bert(), batches(), loss_fn, small(learning_rate=0.01), folder=begun, resume=True)


def test_other_data_are_named(begun: Path) -> None:
    with pytest.raises(CheckpointError, match="data seed = 1; now it is 2"):
        train(bert(), batches(seed=2), loss_fn, small(), folder=begun, resume=True)


def test_another_model_is_named(begun: Path) -> None:
    with pytest.raises(CheckpointError, match="saved run is of another model: bert"):
        train(nn.Linear(3, 3), batches(), loss_fn, small(), folder=begun, resume=True)


def test_the_device_and_the_progress_bar_may_change(begun: Path) -> None:
    plan = small(progress=True, device="auto", checkpoint_every=1)
    assert len(train(bert(), batches(), loss_fn, plan, folder=begun, resume=True).steps) == 4


def test_a_damaged_state_is_named(begun: Path) -> None:
    path = begun / "training.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"training\.safetensors \(1,000 bytes\) is damaged"):
        train(bert(), batches(), loss_fn, small(), folder=begun, resume=True)


def test_resuming_needs_a_folder() -> None:
    with pytest.raises(ValueError, match="resume needs the folder"):
        train(bert(), batches(), loss_fn, small(), resume=True)


def fill_the_disk(folder: Path, report: Connection) -> None:
    """After the first state is written no file may be larger than a kilobyte."""
    torch.set_num_threads(1)
    source = batches()

    class Full:
        fingerprint = source.fingerprint

        def __getitem__(self, index: int) -> Batch:
            if index == 2:
                resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
            return source[index]

    try:
        train(bert(), Full(), loss_fn, small(checkpoint_every=1), folder=folder)
    except TrainingError as error:
        report.send(str(error))


def test_a_full_disk_is_named_and_the_last_state_stays(processes: Any, tmp_path: Path) -> None:
    report, sender = processes.Pipe(duplex=False)
    process = processes.Process(target=fill_the_disk, args=(tmp_path, sender))
    process.start()
    sender.close()
    message = report.recv()
    process.join(60)
    assert message.startswith("Step 3: the state could not be written to")
    assert "after step 2 stays" in message
    assert not list(tmp_path.glob(".training*"))
    history = train(bert(), batches(), loss_fn, small(), folder=tmp_path, resume=True)
    assert history.losses == train(bert(), batches(), loss_fn, small()).losses
