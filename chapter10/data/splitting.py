"""Splitting by content: the same example always falls on the same side."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

T = TypeVar("T")


def split(
    examples: Iterable[T], shares: Mapping[str, float], key: Callable[[T], str], salt: str = ""
) -> dict[str, list[T]]:
    """Deals examples to named parts by a hash of their key.

    An example's part depends on its key alone, not on its place or on the other examples: equal
    keys fall on the same side, and adding or shuffling examples moves none. Parts have their
    shares on average.

    Args:
        examples: any examples; their order is kept within a part.
        shares: name -> share, together 1.
        key: what makes two examples the same: the text, or the context of a question, so that one
            context's questions are not torn apart.
        salt: another salt gives another split.

    Raises:
        ValueError: no parts, a share that is not above 0, or shares that do not sum to 1.
    """
    if not shares or any(not share > 0 for share in shares.values()):
        raise ValueError(f"shares must all be above 0, got {dict(shares)}")
    if not math.isclose(sum(shares.values()), 1, abs_tol=1e-9):
        raise ValueError(f"shares must sum to 1, got {sum(shares.values())} from {dict(shares)}")
    parts: dict[str, list[T]] = {name: [] for name in shares}
    for example in examples:
        parts[_part(key(example), shares, salt)].append(example)
    return parts


def _part(key: str, shares: Mapping[str, float], salt: str) -> str:
    # surrogatepass: any Python string has a hash, even one with a lone surrogate
    data = f"{salt}\x00{key}".encode("utf-8", "surrogatepass")
    point = int.from_bytes(hashlib.sha256(data).digest()[:8], "big") / 2**64
    names = list(shares)
    for name in names[:-1]:
        point -= shares[name]
        if point < 0:
            return name
    return names[-1]
