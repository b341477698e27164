"""The comparison compares like with like: same numbers, same text, an honest count of work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from chapter10 import bench
from chapter10.bench import memory, report, text
from chapter10.bench.arithmetic import training_operations
from chapter10.bench.pairs import (
    FAMILIES,
    Family,
    Shape,
    collate,
    our_loss,
    our_model,
    pair,
    reference_loss,
    trainer,
)
from chapter10.cli import main

TINY = Shape(2, 32, 50)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("lengths", [[9, 9, 9], [9, 4, 7]], ids=["one length", "padded"])
def test_both_sides_have_the_same_loss(family: Family, lengths: list[int]) -> None:
    models = pair(family, TINY)
    draw = torch.Generator().manual_seed(0)
    rows = [torch.randint(5, 50, (length,), generator=draw).tolist() for length in lengths]
    batch = collate(family, rows, draw)
    ours, reference = our_loss(family, models[0], batch), reference_loss(family, models[1], batch)
    torch.testing.assert_close(ours, reference, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_both_sides_start_equal_and_learn(family: Family) -> None:
    batch = text.fixed_batch(family, TINY.vocab)
    for model, loss in zip(pair(family, TINY), (our_loss, reference_loss), strict=True):
        with torch.no_grad():
            before = float(loss(family, model, batch))
        update = trainer(family, model, loss)
        for _ in range(5):
            update(batch)
        with torch.no_grad():
            assert float(loss(family, model.eval(), batch)) < before


@pytest.mark.parametrize("family", FAMILIES)
def test_operations_are_those_that_pytorch_counts(family: Family) -> None:
    shape = Shape(2, 64, 600)
    batch = text.fixed_batch(family, shape.vocab)
    model = our_model(family, shape).train()

    def in_place(_: Any, left: Any, right: Any, **__: Any) -> int:  # PyTorch's table lacks it
        return int(2 * left[0] * left[1] * right[1])

    counter = FlopCounterMode(display=False, custom_mapping={torch.ops.aten.addmm_: in_place})
    with counter:
        our_loss(family, model, batch).backward()
    counted = counter.get_total_flops()
    # BERT's blanks vary in number, and its pooler is left out.
    assert training_operations(family, shape, text.ROWS, text.LENGTH) == pytest.approx(
        counted, rel=0.02
    )


def test_both_sides_read_every_line_once() -> None:
    rows = text.lines(TINY.vocab)
    wanted = sorted(map(tuple, rows))
    for batches in (text.our_batches("BERT", rows), text.reference_batches("BERT", rows)):
        seen: list[tuple[int, ...]] = []
        number = 0
        while len(seen) < len(rows):
            batch = batches(number)
            number += 1
            for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True):
                seen.append(tuple(ids[mask.bool()].tolist()))
        assert sorted(seen) == wanted


@pytest.mark.parametrize("family", FAMILIES)
def test_batches_hold_about_as_many_tokens_on_both_sides(family: Family) -> None:
    rows = text.lines(TINY.vocab)
    means = []
    for batches in (text.our_batches(family, rows), text.reference_batches(family, rows)):
        counts = [text.num_real(batches(number), family) for number in range(40)]
        means.append(sum(counts) / len(counts))
    assert means[0] == pytest.approx(text.TOKENS, rel=0.12)
    assert means[1] == pytest.approx(text.TOKENS, rel=0.12)


def test_generation_writes_the_same_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "NEW_TOKENS", 8)
    for family in ("GPT", "T5"):
        row = report.generation(family, TINY, 2, rounds=1)
        assert row.ours > 0 < row.reference
    monkeypatch.setattr(report, "generate", lambda *_, **__: torch.zeros(2, 24, dtype=torch.long))
    with pytest.raises(RuntimeError, match="different ids"):
        report.generation("GPT", TINY, 2, rounds=1)


def test_work_by_time_and_the_better_side() -> None:
    row = report.forward("BERT", TINY, rounds=1)
    assert row.unit == "ms"
    assert 0.05 < row.ours < 1000
    assert row.ratio == pytest.approx(row.reference / row.ours)
    speeds = report.race(lambda: 2.0, lambda: 1.0, rounds=3, seconds=0.02)
    assert speeds[0] > speeds[1]


@pytest.mark.skipif(not memory._RESET.exists(), reason="SKIP: only Linux tells the peak memory")
def test_scores_of_all_positions_are_never_in_memory() -> None:
    shape = Shape(1, 32, 30_000)  # all scores: 123 MB; the model with its optimiser: 15 MB
    # What else the allocator holds at the time only adds, by up to 50 MB: the least of some runs.
    ours = [memory.peak_memory("ours", "GPT", shape) or 0.0 for _ in range(5)]
    reference = memory.peak_memory("reference", "GPT", shape)
    assert min(ours) > 0
    assert reference is not None
    assert min(ours) < 110e6 < 240e6 < reference


def test_the_command_prints_a_table_and_writes_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        report.Row(
            measure="training",
            unit="tokens/s",
            model="BERT, tiny",
            ours=3000.0,
            reference=1000.0,
            peak=1e11,
            peak_share=0.5,
        ),
        report.Row(
            measure="forward",
            unit="ms",
            model="GPT, tiny",
            ours=2.0,
            reference=5.0,
            lower_is_better=True,
        ),
    ]
    monkeypatch.setattr(bench, "bench", lambda rounds: iter(rows))
    assert main(["bench", "--rounds", "1", "--json", str(tmp_path / "rows.json")]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for cell in ("3,000 1,000 3.00 50%", "2.0 5.0 2.50", "100 GFLOP/s"):
        assert cell in printed
    stored = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert [row["ratio"] for row in stored["rows"]] == [3.0, 2.5]
    assert stored["threads"] == 1
