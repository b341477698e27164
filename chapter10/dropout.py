"""Dropout (Srivastava et al. 2014) that does not wait for its random numbers."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LEVELS = 2**16  # what 16 random bits can tell apart


def dropout(states: Tensor, probability: float) -> Tensor:
    """Set each number to 0 with this probability and scale the others up to keep the mean.

    On the CPU PyTorch draws one random number after the other, which takes longer than the
    matrix products of a small model. Here one draw of 64 bits decides on four entries; the
    probability is rounded to a multiple of 1/65536, and the scale follows the rounded one.

    Any shape -> the same shape.
    """
    if probability == 0:
        return states
    if states.device.type != "cpu":
        return F.dropout(states, probability)
    dropped = min(round(probability * _LEVELS), _LEVELS - 1)  # so many of the values mean 0
    draws = torch.empty((states.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    values = draws.view(torch.int16)[: states.numel()].view(states.shape)  # -32768 … 32767
    kept = (values >= dropped - _LEVELS // 2).to(states.dtype)
    return states * kept.mul_(_LEVELS / (_LEVELS - dropped))


class Dropout(nn.Dropout):
    """:func:`dropout` in training, nothing in evaluation."""

    def forward(self, input: Tensor) -> Tensor:
        """Any shape -> the same shape."""
        return dropout(input, self.p) if self.training else input
