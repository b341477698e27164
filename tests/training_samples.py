"""What the tests of batches and of the training loop share: rows, and what is asked of them."""

import torch

from chapter10.objectives import IGNORE_INDEX
from chapter10.training.batches import Batch, pad_rows

PAD = 0


def collate(rows: list[list[int]], draw: torch.Generator) -> Batch:
    ids = pad_rows(rows, PAD)
    real = ids != PAD
    asked = real & (torch.rand(ids.shape, generator=draw) < 0.5)
    asked[:, 0] = True
    return {
        "input_ids": ids,
        "attention_mask": real.long(),
        "labels": ((ids * 7 + 1) % 20).masked_fill(~asked, IGNORE_INDEX),
    }


def rows(count: int = 60, seed: int = 0) -> list[list[int]]:
    draw = torch.Generator().manual_seed(seed)
    lengths = torch.randint(2, 12, (count,), generator=draw).tolist()
    return [torch.randint(1, 20, (length,), generator=draw).tolist() for length in lengths]
