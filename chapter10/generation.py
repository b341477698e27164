"""Write text token by token with a GPT or a T5: greedily or by drawing at random."""

from collections.abc import Callable

import torch
from torch import Tensor

from chapter10.gpt import GPT
from chapter10.t5 import T5


@torch.no_grad()
def generate(
    model: GPT | T5,
    input_ids: Tensor,
    attention_mask: Tensor | None = None,
    *,
    max_new_tokens: int,
    temperature: float = 0.0,
    top_k: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Continue a prompt (GPT), or answer an input (T5).

    Keys and values of earlier positions are kept in a cache, so that each step computes one
    position only. A row that has written its end token is filled up with padding.

    Args:
        model: in evaluation mode.
        input_ids: (B, S). For GPT, prompts of different length are padded on the left.
        attention_mask: (B, S), 0 at padding; None means no padding.
        max_new_tokens: how many tokens to write at most.
        temperature: 0 takes the likeliest token; otherwise draw from softmax(logits / temperature).
        top_k: draw among the ``top_k`` likeliest tokens only.
        generator: source of the random numbers, on the model's device.

    Returns:
        (B, T): for GPT the prompt and its continuation, for T5 the start token and the output.

    Raises:
        ValueError: impossible settings, or a prompt and continuation longer than the model.
    """
    if max_new_tokens < 1:
        raise ValueError(f"max_new_tokens must be at least 1, not {max_new_tokens}.")
    if temperature < 0 or (top_k is not None and top_k < 1):
        raise ValueError(
            f"temperature must be 0 or more and top_k 1 or more, not {temperature} and {top_k}."
        )
    if isinstance(model, GPT):
        step, written = _continue(model, input_ids, attention_mask, max_new_tokens)
    else:
        step, written = _answer(model, input_ids, attention_mask)
    eos, pad = model.config.eos_token_id, model.config.pad_token_id
    pad = eos if pad is None else pad

    running = torch.ones(len(input_ids), dtype=torch.bool, device=input_ids.device)  # (B,)
    new = written
    for _ in range(max_new_tokens):
        logits = step(new)  # (B, V)
        token = choose(logits, temperature, top_k, generator)  # (B,)
        if eos is not None and pad is not None:
            token = torch.where(running, token, pad)
            running = running & (token != eos)
        new = token[:, None]
        written = torch.cat([written, new], dim=1)
        if not running.any():
            break
    return written


def choose(
    logits: Tensor, temperature: float, top_k: int | None, generator: torch.Generator | None
) -> Tensor:
    """The next token of each row: logits (B, V) -> ids (B,)."""
    if temperature == 0:
        return logits.argmax(dim=-1)
    if top_k is not None and top_k < logits.shape[-1]:
        lowest = logits.topk(top_k, dim=-1).values[:, -1:]  # (B, 1)
        logits = logits.masked_fill(logits < lowest, -torch.inf)
    probabilities = (logits / temperature).softmax(dim=-1)
    return torch.multinomial(probabilities, 1, generator=generator)[:, 0]


def _continue(
    model: GPT, prompt: Tensor, attention_mask: Tensor | None, max_new_tokens: int
) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """A function from new tokens (B, T) to the logits of the next one (B, V), and the prompt."""
    longest, limit = prompt.shape[1] + max_new_tokens, model.config.max_position_embeddings
    if longest > limit:
        raise ValueError(
            f"A prompt of {prompt.shape[1]} tokens and {max_new_tokens} new ones need {longest} "
            f"positions, but the model has {limit}; shorten one of them."
        )
    cache = model.new_cache()
    mask = torch.ones_like(prompt) if attention_mask is None else attention_mask
    padded = attention_mask is not None and not bool(attention_mask.all())

    def step(new: Tensor) -> Tensor:
        nonlocal mask
        if new is not prompt:
            mask = torch.cat([mask, torch.ones_like(new)], dim=1)
        if not padded:  # without padding the model counts positions itself, and needs no mask
            return model(new, cache=cache).logits[:, -1]
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, -new.shape[1] :]
        return model(new, mask, positions, cache=cache).logits[:, -1]

    return step, prompt


def _answer(
    model: T5, input_ids: Tensor, attention_mask: Tensor | None
) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """A function from new tokens (B, T) to the logits of the next one (B, V), and the start."""
    cache, encoded = model.new_cache(), model.encode(input_ids, attention_mask)

    def step(new: Tensor) -> Tensor:
        output = model(
            attention_mask=attention_mask, decoder_input_ids=new, encoded=encoded, cache=cache
        )
        return output.logits[:, -1]

    start = torch.full_like(input_ids[:, :1], model.config.decoder_start_token_id)
    return step, start
