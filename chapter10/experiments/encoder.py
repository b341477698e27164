"""What the page `bert` asks of the encoder itself: its size, its equals, and what it can read."""

from __future__ import annotations

import tempfile
from importlib.util import find_spec

import torch
from torch import Tensor

from chapter10.bert import Bert, BertConfig


def parameter_counts(config: BertConfig) -> dict[str, int]:
    """Parameters of each part of a BERT, by formula; their sum is ``sum(p.numel())``.

    With V words, P positions, S segments, H numbers a vector, F in the feed-forward and L layers:
    embeddings (V + P + S + 2)·H, one layer 4(H² + H) + 2HF + F + H + 4H, pooler H² + H.
    """
    hidden, inner = config.hidden_size, config.intermediate_size
    rows = config.vocab_size + config.max_position_embeddings + config.type_vocab_size
    layers = config.num_hidden_layers
    return {
        "embeddings": (rows + 2) * hidden,  # + 2: weight and bias of the LayerNorm
        "attention": layers * 4 * (hidden * hidden + hidden),
        "feed-forward": layers * (2 * hidden * inner + inner + hidden),
        "layer norms": layers * 2 * 2 * hidden,
        "pooler": hidden * hidden + hidden,
    }


def num_parameters(config: BertConfig) -> int:
    """Parameters counted one by one, without taking memory for them."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in Bert(config).parameters())


def reference_difference(model: Bert, input_ids: Tensor) -> float | None:
    """Largest difference between our output and the transformers library's, weights the same.

    Our model is saved, the library loads the files, both read ``input_ids`` (B, T). None where the
    library is not installed: it serves tests only.
    """
    if find_spec("transformers") is None:
        return None
    from transformers.models.bert import BertModel  # type: ignore[import-untyped,unused-ignore]
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        model.save_pretrained(folder)
        reference = BertModel.from_pretrained(folder, attn_implementation="eager").eval()
        theirs = reference(input_ids).last_hidden_state
        return float((model.eval()(input_ids).last_hidden_state - theirs).abs().max())


def image_rows(size: int = 32, patch: int = 8) -> tuple[Tensor, Tensor]:
    """A drawn image, a ring, and its patches as a row of vectors, as in ViT (Dosovitskiy 2021).

    Returns the image (size, size) and the rows (1, patches, patch * patch).
    """
    line = torch.linspace(-1, 1, size)
    distance = (line[:, None] ** 2 + line[None, :] ** 2).sqrt()
    image = torch.exp(-((distance - 0.6) ** 2) / 0.02)
    patches = image.unfold(0, patch, patch).unfold(1, patch, patch)  # (n, n, patch, patch)
    return image, patches.reshape(1, -1, patch * patch)


def wave_rows(frames: int = 20, frame: int = 64) -> tuple[Tensor, Tensor]:
    """A rising tone and its pieces as a row of vectors, as speech models cut a wave.

    Returns the wave (frames * frame,) and the rows (1, frames, frame).
    """
    time = torch.linspace(0, 1, frames * frame)
    wave = torch.sin(2 * torch.pi * (8 * time + 12 * time**2))
    return wave, wave.reshape(1, frames, frame)
