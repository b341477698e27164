"""What a tokeniser returns: one sequence as plain lists, a batch as padded tensors."""

from __future__ import annotations

import torch
from tokenizers import Encoding as BackendEncoding
from torch import Tensor


class Encoding:
    """One tokenised text (or pair), as plain lists of one length, the template's tokens included.

    The lists are made when asked for, so that a large batch costs only what is read of it.
    """

    __slots__ = ("_backend",)

    def __init__(self, backend: BackendEncoding) -> None:
        self._backend = backend

    def __len__(self) -> int:
        return len(self._backend)

    def __repr__(self) -> str:
        return f"Encoding(tokens={self.tokens})"

    @property
    def tokens(self) -> list[str]:
        """The tokens as the vocabulary spells them."""
        return self._backend.tokens

    @property
    def input_ids(self) -> list[int]:
        """The ids of the tokens."""
        return self._backend.ids

    @property
    def token_type_ids(self) -> list[int]:
        """The segment of each token, 0 or 1."""
        return self._backend.type_ids

    @property
    def attention_mask(self) -> list[int]:
        """1 at tokens, 0 at padding."""
        return self._backend.attention_mask

    @property
    def special_tokens_mask(self) -> list[int]:
        """1 at what the template or the padding put there (not at a typed `[MASK]`)."""
        return self._backend.special_tokens_mask

    @property
    def offsets(self) -> list[tuple[int, int]]:
        """Where each token comes from: characters start to end of its text, (0, 0) for none."""
        return self._backend.offsets

    @property
    def word_ids(self) -> list[int | None]:
        """Number of the word in its text, from 0; a Chinese character is a word. None for none."""
        return self._backend.word_ids

    @property
    def sequence_ids(self) -> list[int | None]:
        """0 in the first text, 1 in the second, None at tokens of the template."""
        return self._backend.sequence_ids


class BatchEncoding:
    """A padded batch: long tensors of shape (batch, length), and an `Encoding` a row, padded alike.

    Fields: `input_ids`, `attention_mask`, `token_type_ids`; `encodings`; `sample_ids`, which of the
    given texts each row came from (with `overflow=True` a text may have several rows).
    """

    def __init__(self, encodings: list[Encoding], sample_ids: list[int]) -> None:
        length = len(encodings[0]) if encodings else 0

        def tensor(rows: list[list[int]]) -> Tensor:
            return torch.tensor(rows, dtype=torch.long).reshape(len(rows), length)  # (B, T)

        self.encodings = encodings
        self.sample_ids = sample_ids
        self.input_ids = tensor([row.input_ids for row in encodings])
        self.attention_mask = tensor([row.attention_mask for row in encodings])
        self.token_type_ids = tensor([row.token_type_ids for row in encodings])

    def __len__(self) -> int:
        return len(self.encodings)

    @property
    def word_ids(self) -> Tensor:
        """(batch, length) long: number of the word in its text, -1 where there is none."""
        rows = [[-1 if word is None else word for word in row.word_ids] for row in self.encodings]
        return torch.tensor(rows, dtype=torch.long).reshape(self.input_ids.shape)
