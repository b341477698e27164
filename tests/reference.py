"""Tiny random models of the reference library, and how the tests set them beside ours."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from chapter10.checkpoints import PretrainedModel

transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()


def randomize(model: nn.Module, seed: int = 0, scale: float = 0.1) -> None:
    """Give every parameter a value of its own: fresh models hide errors behind zeros and ones."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_(scale * noise)


def reference_model(name: str, folder: Path, scale: float = 0.1, **config: Any) -> Any:
    """Make a random reference model called ``name``, save it to ``folder``, and return it."""
    model_class = getattr(transformers, name)
    config_class = model_class.config_class
    torch.manual_seed(0)
    model = model_class(config_class(**config)).eval()
    randomize(model, scale=scale)
    model.save_pretrained(folder)
    return model


def load_ours(model_class: type[PretrainedModel], folder: Path, **changes: Any) -> Any:
    """Load without tolerating a parameter that starts at random."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return model_class.from_pretrained(folder, **changes)


def token_batch(vocab_size: int, lengths: list[int], side: str, seed: int = 1) -> dict[str, Tensor]:
    """Random ids with padding on one side: input_ids and attention_mask (B, T)."""
    generator = torch.Generator().manual_seed(seed)
    shape = len(lengths), max(lengths)
    input_ids = torch.randint(2, vocab_size, shape, generator=generator)
    positions = torch.arange(shape[1])
    limits = torch.tensor(lengths)[:, None]
    mask = positions < limits if side == "right" else positions >= shape[1] - limits
    return {"input_ids": input_ids.masked_fill(~mask, 0), "attention_mask": mask.long()}


def assert_equal_gradients(ours: PretrainedModel, reference: nn.Module, tolerance: float) -> None:
    """After a backward pass through both, every parameter has the same gradient.

    Our gradients are put where the parameters were, so that names and layout come from the same
    table that saving uses.
    """
    expected = {name: p.grad for name, p in reference.named_parameters() if p.grad is not None}
    for name, alias in ours.config.format.aliases.items():  # stored twice, used once
        if alias in expected:
            expected[name] = expected[alias]
    with torch.no_grad():
        for parameter in ours.parameters():
            assert parameter.grad is not None
            parameter.copy_(parameter.grad)
    tensors = ours.reference_tensors()
    assert expected, "the reference model has no gradients"
    for name, gradient in expected.items():
        torch.testing.assert_close(
            tensors[name],
            gradient,
            atol=tolerance,
            rtol=tolerance,
            msg=lambda m, n=name: f"{n}: {m}",
        )
    twice = set(ours.config.format.aliases.values())
    zero = {name for name in tensors if tensors[name].eq(0).all()}
    without = set(tensors) - set(expected) - twice - zero
    assert not without, f"gradients where the reference has none: {without}"
