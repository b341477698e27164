"""How many operations a training step needs, and how many the machine can do.

A multiplication with its addition counts as two, as is usual (Kaplan et al. 2020, section 2.1,
https://arxiv.org/abs/2001.08361).
"""

import torch

from chapter10.bench.pairs import MASKED, READ, Family, Shape


def training_operations(family: Family, shape: Shape, rows: int, length: int) -> float:
    """Matrix products of one step over (rows, length) tokens: forward, and twice that backward.

    Scores of the vocabulary count only where there is a loss, so both sides are asked for the same.
    """
    hidden, read = shape.hidden, int(length * READ)
    scores = 2 * hidden * shape.vocab  # of one position

    def layer(num_queries: int) -> float:  # four maps, up and down, and attention
        return num_queries * (2 * (4 + 8) * hidden**2 + 4 * num_queries * hidden)

    if family == "BERT":
        forward = shape.layers * layer(length) + MASKED * length * (scores + 2 * hidden**2)
    elif family == "GPT":
        forward = shape.layers * layer(length - 1) + (length - 1) * scores
    else:
        written = length - read
        cross = 4 * hidden**2 * (read + written) + 4 * written * read * hidden
        forward = shape.layers * (layer(read) + layer(written) + cross) + written * scores
    return 3 * rows * forward


def large_product(size: int = 1024) -> float:
    """A product of float32 matrices, about the best that a machine does; returns its operations."""
    matrix = torch.full((size, size), 0.5)
    matrix @ matrix
    return 2.0 * size**3
