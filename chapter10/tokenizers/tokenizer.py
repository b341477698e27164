"""The tokeniser that models, tasks and pages use; the package's text says what it keeps."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from tokenizers import Encoding as BackendEncoding
from torch import Tensor

from chapter10.hub import CheckpointError, find_file, read_json, write_json, write_whole
from chapter10.tokenizers.encoding import BatchEncoding, Encoding
from chapter10.tokenizers.pipeline import (
    ROLES,
    Kind,
    Pipeline,
    Style,
    bert_pipeline,
    check_text,
    gpt2_pipeline,
    json_pipeline,
)
from chapter10.tokenizers.training import train_pipeline

Truncation = Literal["longest_first", "only_first", "only_second"]


class Tokenizer:
    """Text to ids and back; see the module's text for what a round trip keeps.

    `pad_token_id`, `unk_token_id`, `cls_token_id`, `sep_token_id`, `mask_token_id`, `bos_token_id`
    and `eos_token_id` are None where the tokeniser has no such token. `special_ids` holds the ids
    of all special tokens, the unknown token and the sentinels among them. `sentinel_ids` are those
    of `<extra_id_0>`, `<extra_id_1>` … in this order.
    """

    pad_token_id: int | None
    unk_token_id: int | None
    cls_token_id: int | None
    sep_token_id: int | None
    mask_token_id: int | None
    bos_token_id: int | None
    eos_token_id: int | None

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._backend = backend = pipeline.backend
        # Length is decided per call; a file may carry a fixed padding or truncation.
        backend.no_padding()
        backend.no_truncation()
        for role in ROLES:
            token = pipeline.roles.get(role)
            setattr(self, f"{role}_token_id", None if token is None else self.token_to_id(token))
        added = backend.get_added_tokens_decoder()
        special = {i for i, token in added.items() if token.special}
        special |= {i for i in map(self.token_to_id, pipeline.roles.values()) if i is not None}
        self.special_ids = frozenset(special)
        numbered = {
            int(match.group(1)): i
            for i, token in added.items()
            if (match := re.fullmatch(r"<extra_id_(\d+)>", token.content))
        }
        self.sentinel_ids = [numbered[n] for n in sorted(numbered)]

    # ---- making one --------------------------------------------------------------------------

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        kind: Kind = "character",
        vocab_size: int = 8000,
        style: Style = "bert",
        lowercase: bool = False,
        special_tokens: Mapping[str, str] | None = None,
        sentinels: int = 100,
    ) -> Tokenizer:
        """Train a tokeniser of at most `vocab_size` entries; the same texts give the same one.

        kind: "character" (each Chinese character and each English word is a token), "word"
        (whatever stands between spaces, for text cut into words beforehand), "wordpiece", "bpe" (of
        bytes for style "gpt", of characters otherwise) or "unigram".
        style: special tokens and template. "bert": `[CLS] A [SEP] B [SEP]`, segments 0 and 1;
        "gpt": `<bos> A`; "t5": `A </s>`, with `sentinels` tokens `<extra_id_n>`, the last of the
        vocabulary in falling order as in T5.
        special_tokens: other names for the style's roles, as `{"bos": "<|endoftext|>"}`.
        Raises ValueError for texts that are empty or no text, and for too small a `vocab_size`.
        """
        return cls(
            train_pipeline(
                texts,
                kind=kind,
                vocab_size=vocab_size,
                style=style,
                lowercase=lowercase,
                special_tokens=special_tokens or {},
                sentinels=sentinels,
            )
        )

    @classmethod
    def from_bert_vocab(cls, vocab_file: str | os.PathLike[str], lowercase: bool) -> Tokenizer:
        """The tokeniser of a published BERT model from its `vocab.txt`."""
        return cls(bert_pipeline(Path(vocab_file), lowercase=lowercase))

    @classmethod
    def from_gpt2_files(
        cls, encoder_json: str | os.PathLike[str], vocab_bpe: str | os.PathLike[str]
    ) -> Tokenizer:
        """GPT-2's tokeniser from its vocabulary (JSON) and its list of merges."""
        return cls(gpt2_pipeline(Path(encoder_json), Path(vocab_bpe)))

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike[str]) -> Tokenizer:
        """Load a folder (tokenizer.json; else vocab.txt; else vocab.json and merges.txt) or, where
        there is no such folder, a model of the Hugging Face hub (the address in `HF_ENDPOINT`)."""
        path = _model_file(name)
        config: dict[str, Any] = {}
        for file in ("special_tokens_map.json", "tokenizer_config.json"):
            try:
                found = find_file(name, file)
            except CheckpointError:  # older models have neither
                continue
            config |= read_json(found)
        if path.name == "tokenizer.json":
            return cls(json_pipeline(path, config=config))
        if path.name == "vocab.txt":
            return cls.from_bert_vocab(path, config.get("do_lower_case", True))
        return cls.from_gpt2_files(path, find_file(name, "merges.txt"))

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write tokenizer.json, tokenizer_config.json and special_tokens_map.json, each at once."""
        target = Path(folder)
        named = self._pipeline.roles
        roles = {f"{role}_token": named[role] for role in ROLES if role in named}
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "clean_up_tokenization_spaces": False,
            **self._pipeline.config,
            **roles,
        }
        if self.sentinel_ids:
            names = [self.id_to_token(i) for i in self.sentinel_ids]
            config.setdefault("additional_special_tokens", names)
        # The tokenizer.json last: a folder that has it is complete.
        write_json(target / "special_tokens_map.json", roles)
        write_json(target / "tokenizer_config.json", config)
        write_whole(target / "tokenizer.json", lambda path: self._backend.save(str(path)))

    # ---- vocabulary --------------------------------------------------------------------------

    def __len__(self) -> int:
        return self._backend.get_vocab_size()

    @property
    def vocab_size(self) -> int:
        """Number of entries, special tokens included."""
        return len(self)

    def token_to_id(self, token: str) -> int | None:
        """The id of an entry of the vocabulary, None where there is none."""
        return self._backend.token_to_id(token)

    def id_to_token(self, token_id: int) -> str:
        """The entry of an id. Raises ValueError for an id outside the vocabulary."""
        token = self._backend.id_to_token(int(token_id)) if token_id >= 0 else None
        if token is None:
            raise ValueError(f"The id {token_id} is not in the vocabulary, 0 to {len(self) - 1}.")
        return token

    # ---- text to ids -------------------------------------------------------------------------

    def normalize(self, text: str) -> str:
        """What `decode(encode(text))` gives for a text without unknown or special tokens."""
        check_text(text, "text")
        backend = self._backend
        normal = backend.normalizer.normalize_str(text) if backend.normalizer else text
        words = [word for word, _ in backend.pre_tokenizer.pre_tokenize_str(normal)]
        return backend.decoder.decode(words)

    def tokenize(self, text: str, literal: bool = False) -> list[str]:
        """The tokens of a text as the vocabulary spells them, without the template's."""
        return self._encode([text], None, literal=literal, template=False)[0].tokens

    def encode(
        self,
        text: str,
        pair: str | None = None,
        max_length: int | None = None,
        truncation: Truncation | None = "longest_first",
        literal: bool = False,
    ) -> Encoding:
        """One text, or a pair, with the template's tokens, cut to `max_length` tokens."""
        pairs = None if pair is None else [pair]
        self._limit(1, pairs, max_length, truncation)
        found = self._encode([text], pairs, max_length, truncation, literal=literal)
        return Encoding(found[0])

    def __call__(
        self,
        texts: str | Sequence[str],
        pairs: str | Sequence[str] | None = None,
        max_length: int | None = None,
        truncation: Truncation | None = "longest_first",
        stride: int = 0,
        overflow: bool = False,
        padding_side: Literal["left", "right"] = "right",
        literal: bool = False,
    ) -> BatchEncoding:
        """A batch of texts (or pairs), padded to its longest row.

        truncation: what is cut down to `max_length` tokens; None raises ValueError instead.
        overflow: keep what was cut, in further rows ("windows") that share `stride` tokens with the
        row before; for pairs name the sequence to cut, "only_first" or "only_second".
        An empty list gives tensors of shape (0, 0). A tokeniser without a padding token pads with
        its end token: the attention mask hides it.
        """
        texts = [texts] if isinstance(texts, str) else list(texts)
        if pairs is not None:
            pairs = [pairs] if isinstance(pairs, str) else list(pairs)
        if padding_side not in ("left", "right"):
            raise ValueError(f'padding_side={padding_side!r} is unknown; choose "left" or "right".')
        self._limit(len(texts), pairs, max_length, truncation)
        if not overflow and stride:
            raise ValueError(f"stride={stride} has a meaning only with overflow=True.")
        if overflow:
            self._check_windows(texts, pairs, max_length, truncation, stride, literal)
        found = self._encode(texts, pairs, max_length, truncation, stride, literal)
        rows, sample_ids = [], []
        for sample, encoding in enumerate(found):
            windows = [encoding, *(encoding.overflowing if overflow else [])]
            rows += windows
            sample_ids += [sample] * len(windows)
        self._pad(rows, padding_side)
        return BatchEncoding([Encoding(row) for row in rows], sample_ids)

    def decode(self, ids: Sequence[int] | Tensor, skip_special_tokens: bool = True) -> str:
        """Text of a list (or 1-D tensor) of ids; ids past the vocabulary give nothing, as in the
        reference. Raises ValueError for negative ids, as the -100 of ignored labels."""
        listed = ids.tolist() if isinstance(ids, Tensor) else list(ids)
        if listed and min(listed) < 0:
            raise ValueError(f"The id {min(listed)} cannot be decoded; drop ignored labels first.")
        return self._backend.decode(listed, skip_special_tokens=skip_special_tokens)

    # ---- inner steps -------------------------------------------------------------------------

    def _limit(
        self,
        number: int,
        pairs: list[str] | None,
        max_length: int | None,
        truncation: str | None,
    ) -> None:
        if pairs is not None and len(pairs) != number:
            raise ValueError(f"There are {number} texts but {len(pairs)} pairs; give one for each.")
        if truncation not in (None, "longest_first", "only_first", "only_second"):
            raise ValueError(
                f"truncation={truncation!r} is unknown; choose longest_first, only_first, "
                "only_second or None."
            )
        if truncation == "only_second" and pairs is None:
            raise ValueError('truncation="only_second" needs pairs; choose "only_first" without.')
        specials = self._backend.num_special_tokens_to_add(pairs is not None)
        if max_length is not None and max_length <= specials:
            raise ValueError(
                f"max_length={max_length} leaves no room for text beside {specials} special tokens."
            )

    def _check_windows(
        self,
        texts: list[str],
        pairs: list[str] | None,
        max_length: int | None,
        truncation: str | None,
        stride: int,
        literal: bool,
    ) -> None:
        if max_length is None or truncation is None:
            raise ValueError("overflow=True needs max_length and a truncation, which make windows.")
        if pairs is not None and truncation == "longest_first":
            raise ValueError(
                'overflow=True with pairs cuts one of the two: truncation="only_first" or '
                '"only_second".'
            )
        room = max_length - self._backend.num_special_tokens_to_add(pairs is not None)
        if pairs is not None:  # the sequence that is kept stands in every window
            kept = texts if truncation == "only_second" else pairs
            found = self._encode(kept, None, literal=literal, template=False)
            room -= max((len(encoding) for encoding in found), default=0)
        if not 0 <= stride < room:
            raise ValueError(
                f"stride={stride} must be at least 0 and less than the {room} tokens of text that "
                f"max_length={max_length} leaves in a window."
            )

    def _encode(
        self,
        texts: list[str],
        pairs: list[str] | None,
        max_length: int | None = None,
        truncation: str | None = None,
        stride: int = 0,
        literal: bool = False,
        template: bool = True,
    ) -> list[BackendEncoding]:
        inputs: Any = texts if pairs is None else list(zip(texts, pairs, strict=True))
        backend = self._backend
        try:
            if max_length is not None and truncation is not None:
                backend.enable_truncation(max_length, stride=stride, strategy=truncation)
            backend.encode_special_tokens = literal
            found = backend.encode_batch(inputs, add_special_tokens=template)
        except TypeError:
            for name, given in (("texts", texts), ("pairs", pairs or [])):
                for index, text in enumerate(given):
                    check_text(text, f"{name}[{index}]")
            raise
        except Exception as error:  # the library raises bare Exception
            raise ValueError(
                f"truncation={truncation!r} cannot cut a pair to max_length={max_length}: the "
                'other text alone is too long; give more, or truncation="longest_first".'
            ) from error
        finally:
            backend.no_truncation()
        if max_length is not None and truncation is None:
            for index, encoding in enumerate(found):
                if len(encoding) > max_length:
                    raise ValueError(
                        f"texts[{index}] has {len(encoding)} tokens, more than max_length="
                        f'{max_length}; give more, or a truncation such as "longest_first".'
                    )
        return found

    def _pad(self, rows: list[BackendEncoding], side: str) -> None:
        length = max((len(row) for row in rows), default=0)
        if all(len(row) == length for row in rows):
            return
        pad = self.pad_token_id if self.pad_token_id is not None else self.eos_token_id
        if pad is None:
            raise ValueError(
                "This tokeniser has neither a padding nor an end token, so rows of different "
                "lengths make no batch; encode them one by one."
            )
        for row in rows:
            row.pad(length, direction=side, pad_id=pad, pad_token=self.id_to_token(pad))


def _model_file(name: str | os.PathLike[str]) -> Path:
    errors = []
    for file in ("tokenizer.json", "vocab.txt", "vocab.json"):
        try:
            return find_file(name, file)
        except CheckpointError as error:
            errors.append(error)
    if not Path(name).is_dir():
        raise errors[0]
    raise CheckpointError(
        f"{name} holds no tokeniser (tokenizer.json, vocab.txt, or vocab.json with merges.txt). "
        "Where there is only a SentencePiece model, save it once with transformers: "
        "AutoTokenizer.from_pretrained(...).save_pretrained(folder)."
    )
