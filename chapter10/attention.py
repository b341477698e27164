"""Attention: who looks at whom, how much, and from how far away.

Vaswani et al., "Attention Is All You Need" (2017), section 3.2, https://arxiv.org/abs/1706.03762.

Shapes are written B (batch), T (query positions), S (key positions), H (hidden size).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chapter10.dropout import dropout


@dataclass
class AttentionCache:
    """Keys and values of one attention layer that later steps of generation use again.

    Shapes: ``key`` and ``value`` (B, heads, S, head_size), None before the first step.
    """

    key: Tensor | None = None
    value: Tensor | None = None

    def append(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Add new positions and return all positions so far."""
        if self.key is not None and self.value is not None:
            key, value = torch.cat([self.key, key], dim=2), torch.cat([self.value, value], dim=2)
        self.key, self.value = key, value
        return key, value


class Attention(nn.Module):
    """Multi-head scaled dot-product attention (Vaswani et al. 2017, section 3.2)."""

    def __init__(
        self,
        hidden_size: int,
        num_attention_heads: int,
        head_size: int,
        *,
        bias: bool = True,
        scale: float | None = None,
        dropout: float = 0.0,
    ):
        """``scale`` multiplies the scores; None means 1 / sqrt(head_size)."""
        super().__init__()
        self.num_attention_heads = num_attention_heads
        self.scale = scale
        self.dropout = dropout
        self.query = nn.Linear(hidden_size, num_attention_heads * head_size, bias=bias)
        self.key = nn.Linear(hidden_size, num_attention_heads * head_size, bias=bias)
        self.value = nn.Linear(hidden_size, num_attention_heads * head_size, bias=bias)
        self.output = nn.Linear(num_attention_heads * head_size, hidden_size, bias=bias)

    def forward(
        self,
        hidden_states: Tensor,
        attention_bias: Tensor | None = None,
        *,
        is_causal: bool = False,
        encoder_hidden_states: Tensor | None = None,
        cache: AttentionCache | None = None,
        output_attentions: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Mix values by the similarity of queries and keys.

        Args:
            hidden_states: (B, T, H), where the queries come from.
            attention_bias: added to the scores; anything that broadcasts to (B, heads, T, S).
            is_causal: hide later positions; only with T = S and without ``attention_bias``.
            encoder_hidden_states: (B, S, H), where keys and values come from in
                cross-attention; None means self-attention.
            cache: keys and values of earlier steps, extended in place.
            output_attentions: also return the weights (B, heads, T, S), at some cost in speed.

        Returns:
            The mixed states (B, T, H), and the attention weights or None.
        """
        query = self.split_heads(self.query(hidden_states))  # (B, heads, T, head_size)
        if encoder_hidden_states is not None and cache is not None and cache.key is not None:
            assert cache.value is not None
            key, value = cache.key, cache.value  # the encoder's output does not change
        else:
            source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
            key = self.split_heads(self.key(source))  # (B, heads, S, head_size)
            value = self.split_heads(self.value(source))  # (B, heads, S, head_size)
            if cache is not None:
                key, value = cache.append(key, value)

        probability = self.dropout if self.training else 0.0
        weights = None
        if output_attentions or probability:
            weights = attention_weights(query, key, attention_bias, is_causal, self.scale)
            mixed = dropout(weights, probability) @ value  # (B, heads, T, head_size)
        else:
            mixed = F.scaled_dot_product_attention(
                query, key, value, attention_bias, is_causal=is_causal, scale=self.scale
            )
        mixed = mixed.transpose(1, 2).flatten(2)  # (B, T, heads * head_size)
        return self.output(mixed), weights if output_attentions else None

    def split_heads(self, states: Tensor) -> Tensor:
        """(B, T, heads * head_size) -> (B, heads, T, head_size)."""
        return states.unflatten(-1, (self.num_attention_heads, -1)).transpose(1, 2)


def attention_weights(
    query: Tensor,
    key: Tensor,
    attention_bias: Tensor | None,
    is_causal: bool,
    scale: float | None,
) -> Tensor:
    """The weights that ``scaled_dot_product_attention`` uses but does not return.

    query (B, heads, T, head_size), key (B, heads, S, head_size) -> (B, heads, T, S).
    """
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = query @ key.transpose(-2, -1) * scale
    if is_causal:
        attention_bias = make_attention_bias(None, scores.shape[2], scores.shape[3], True, scores)
    if attention_bias is not None:
        scores = scores + attention_bias
    return scores.softmax(dim=-1)


def none_if_full(attention_mask: Tensor | None) -> Tensor | None:
    """A mask that hides nothing is no mask: attention without one is faster.

    Looked up on the CPU only: on an accelerator the host would wait for the answer.
    """
    if attention_mask is None or attention_mask.device.type != "cpu":
        return attention_mask
    return None if bool(attention_mask.all()) else attention_mask


def make_attention_bias(
    attention_mask: Tensor | None, num_queries: int, num_keys: int, causal: bool, like: Tensor
) -> Tensor | None:
    """Turn "who may look at whom" into numbers added to the attention scores.

    Forbidden pairs get the most negative finite number rather than minus infinity, so that a row
    with nothing to look at (left padding) stays a number instead of becoming NaN.

    Args:
        attention_mask: (B, S), 1 for words and 0 for padding; None means no padding.
        num_queries: T; the queries are the last T of the S positions (earlier ones are cached).
        num_keys: S.
        causal: also hide the keys that come after the query.
        like: a tensor with the wanted dtype and device.

    Returns:
        (B, 1, 1, S), (1, 1, T, S) or (B, 1, T, S), or None when everything may be seen.
    """
    allowed = None
    if attention_mask is not None:
        allowed = attention_mask[:, None, None, :].bool()  # (B, 1, 1, S)
    if causal and num_queries > 1:
        keys = torch.arange(num_keys, device=like.device)
        queries = keys[num_keys - num_queries :]
        past = (keys[None, :] <= queries[:, None])[None, None]  # (1, 1, T, S)
        allowed = past if allowed is None else allowed & past
    if allowed is None:
        return None
    bias = torch.zeros(allowed.shape, dtype=like.dtype, device=like.device)
    return bias.masked_fill(~allowed, torch.finfo(like.dtype).min)


def relative_position_bucket(
    relative_position: Tensor, *, bidirectional: bool, num_buckets: int, max_distance: int
) -> Tensor:
    """Sort distances into buckets: one for each short distance, ever wider ones further away.

    Raffel et al. 2020 (T5), section 2.1, https://arxiv.org/abs/1910.10683.

    Args:
        relative_position: key position minus query position, any shape, integers.
        bidirectional: half of the buckets for keys after the query; otherwise these all fall
            into bucket 0 together with distance 0 (the causal mask hides them).
        num_buckets: how many buckets there are in all.
        max_distance: distances from here on share the last bucket.

    Returns:
        Bucket indices in [0, num_buckets), same shape.
    """
    if bidirectional:
        num_buckets //= 2
        offset = (relative_position > 0).long() * num_buckets
        distance = relative_position.abs()
    else:
        offset = torch.zeros_like(relative_position)
        distance = (-relative_position).clamp(min=0)
    exact = num_buckets // 2  # distances below this have a bucket each
    stretch = torch.log(distance.clamp(min=1).float() / exact) / math.log(max_distance / exact)
    wide = (exact + (stretch * (num_buckets - exact)).long()).clamp(max=num_buckets - 1)
    return offset + torch.where(distance < exact, distance, wide)


class RelativePositionBias(nn.Module):
    """T5's positions: one learned number per head and distance bucket, added to the scores."""

    def __init__(
        self, num_attention_heads: int, num_buckets: int, max_distance: int, bidirectional: bool
    ):
        super().__init__()
        self.num_buckets = num_buckets
        self.max_distance = max_distance
        self.bidirectional = bidirectional
        self.weight = nn.Parameter(torch.zeros(num_buckets, num_attention_heads))

    def forward(self, num_queries: int, num_keys: int) -> Tensor:
        """-> (1, heads, T, S); the queries are the last T of the S positions."""
        keys = torch.arange(num_keys, device=self.weight.device)
        queries = keys[num_keys - num_queries :]
        buckets = relative_position_bucket(
            keys[None, :] - queries[:, None],
            bidirectional=self.bidirectional,
            num_buckets=self.num_buckets,
            max_distance=self.max_distance,
        )  # (T, S)
        return F.embedding(buckets, self.weight).permute(2, 0, 1)[None]  # (1, heads, T, S)
