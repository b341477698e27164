"""Two processes that share every batch learn what one process learns."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from chapter10 import BertConfig, BertForPreTraining
from chapter10.objectives import IGNORE_INDEX, cross_entropy_sum
from chapter10.training import TrainingConfig, heldout_loss, train
from chapter10.training.batches import Batch, Batches
from chapter10.training.history import History
from chapter10.training.processes import Processes

STEPS = 50


def collate(rows: list[int], draw: torch.Generator) -> Batch:
    """Rows with very different numbers of labels, so that a mean of means would show."""
    ids = (torch.tensor(rows)[:, None] * 3 + torch.arange(9)) % 25 + 5
    asked = torch.rand(ids.shape, generator=draw) < torch.rand(len(rows), 1, generator=draw)
    asked[0, 0] = True
    return {
        "input_ids": ids.masked_fill(asked, 4),
        "labels": ids.masked_fill(~asked, IGNORE_INDEX),
        "order": torch.tensor([row % 2 for row in rows]),
    }


def loss_fn(model: nn.Module, batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
    chosen = batch["labels"] != IGNORE_INDEX
    output = model(batch["input_ids"], prediction_mask=chosen)
    return {
        "masked": cross_entropy_sum(output.prediction_logits, batch["labels"][chosen]),
        "order": cross_entropy_sum(output.seq_relationship_logits, batch["order"]),
    }


def masked_only(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Without a loss on the pooler, some parameters have no gradient in any process."""
    return loss_fn(model, batch)["masked"]


def run(folder: Path, kind: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = BertForPreTraining(
        BertConfig(
            vocab_size=30,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=16,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    )
    # 11 examples in batches of 5: the last batch of each epoch has one row, for two processes.
    batches = Batches(range(11), collate, batch_size=5, length=lambda row: 9)
    losses = {"one loss": masked_only, "two losses, accumulated": loss_fn}[kind]
    plan = TrainingConfig(
        steps=STEPS,
        learning_rate=1e-3,
        warmup_steps=5,
        accumulate=1 if kind == "one loss" else 3,
        eval_every=10,
        patience=5,
        device="cpu",
    )
    evaluate = heldout_loss([batches[3]], losses)
    train(model, batches, losses, plan, evaluate=evaluate, folder=folder)


@pytest.mark.parametrize("kind", ["one loss", "two losses, accumulated"])
def test_two_processes_equal_one(kind: str, tmp_path: Path) -> None:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    result = subprocess.run(
        [*launch, __file__, str(tmp_path / "two"), kind],
        env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert result.stderr.count("  0%|") == 1, "only the first process may print"
    run(tmp_path / "one", kind)
    one, two = (load_file(tmp_path / name / "training.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, atol=1e-5, rtol=0, msg=name)
    histories = [History.load(tmp_path / name / "history.jsonl") for name in ("one", "two")]
    assert histories[0].losses == pytest.approx(histories[1].losses, abs=1e-5)
    assert histories[0].tokens == histories[1].tokens
    assert histories[0].losses[-1] < histories[0].losses[0] - 0.1


def test_every_row_is_taken_once_and_the_rest_weighs_nothing() -> None:
    for rows in (1, 2, 3, 7):
        batch = {"input_ids": torch.arange(rows)[:, None]}
        shares = [
            Processes(torch.device("cpu"), rank=rank, size=3).share(batch) for rank in range(3)
        ]
        taken = [share["input_ids"].flatten() for share, weight in shares if weight == 1.0]
        assert sorted(torch.cat(taken).tolist()) == list(range(rows))
        assert all(weight in (0.0, 1.0) for _, weight in shares)
        assert all(len(share["input_ids"]) > 0 for share, _ in shares)


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2])
