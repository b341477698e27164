"""Tokenisers: text to ids and back, for BERT, GPT and T5 (claim B2: a token is a unit we choose).

`Tokenizer` wraps a pipeline of the `tokenizers` library, so a saved folder is what
`transformers.AutoTokenizer` loads, and folders saved by that library load here.

What normalisation loses. `decode(encode(text)) == normalize(text)` wherever no token is unknown:

- character and WordPiece: control characters go, each run of white space is one space at most, and
  spaces beside Chinese, before closing and after opening punctuation, and inside `3.14`, `don't`,
  `well-known` go (the text keeps no record of them); with `lowercase=True` the case of letters;
- BPE of style "gpt" (bytes): nothing, or the case of letters with `lowercase=True`;
- other BPE and Unigram: Unicode is composed (NFC), each run of white space is one space, none at
  the ends, and the character ▁ (U+2581) reads as a space;
- vocabularies of published BERT models decode as the reference does: a space between characters.

A special token typed in the text, as in `今天[MASK]气很好`, becomes that token, as in the reference;
`literal=True` reads it as plain text instead.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from tokenizers import Encoding as BackendEncoding
from torch import Tensor

from chapter10.tokenizer_backends import (
    ROLES,
    Kind,
    Pipeline,
    Style,
    bert_pipeline,
    check_text,
    gpt2_pipeline,
    json_pipeline,
    train_pipeline,
)

Truncation = Literal["longest_first", "only_first", "only_second"]
_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_OLD_FILES = ("vocab.txt", "vocab.json", "merges.txt")


class Encoding:
    """One tokenised sequence (or pair), as plain lists of one length.

    `offsets` are character positions: `text[start:end]` is where a token comes from, (0, 0) for a
    token of the template. `word_ids` counts the words of each text from 0 (a Chinese character is a
    word); `sequence_ids` says which text, 0 or 1; both are None at tokens of the template. In
    `special_tokens_mask`, 1 marks what the template or the padding put there.
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
        return self._backend.tokens

    @property
    def input_ids(self) -> list[int]:
        return self._backend.ids

    @property
    def token_type_ids(self) -> list[int]:
        return self._backend.type_ids

    @property
    def attention_mask(self) -> list[int]:
        return self._backend.attention_mask

    @property
    def special_tokens_mask(self) -> list[int]:
        return self._backend.special_tokens_mask

    @property
    def offsets(self) -> list[tuple[int, int]]:
        return self._backend.offsets

    @property
    def word_ids(self) -> list[int | None]:
        return self._backend.word_ids

    @property
    def sequence_ids(self) -> list[int | None]:
        return self._backend.sequence_ids


class BatchEncoding:
    """A padded batch: tensors of shape (batch, length), and one `Encoding` a row, padded alike.

    Fields: `input_ids`, `attention_mask`, `token_type_ids` (torch.long), `encodings`, and
    `sample_ids`: which of the given texts each row came from (with `overflow=True` a text may have
    several rows).
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
        """(B, T) torch.long: number of the word in its text, -1 where there is none."""
        rows = [[-1 if w is None else w for w in row.word_ids] for row in self.encodings]
        return torch.tensor(rows, dtype=torch.long).reshape(self.input_ids.shape)


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

        kind: "character" (each Chinese character and each English word is a token), "wordpiece",
        "bpe" (of bytes for style "gpt", of characters otherwise) or "unigram".
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
        folder = _folder(name)
        config: dict[str, Any] = {}
        for file in (folder / "special_tokens_map.json", folder / "tokenizer_config.json"):
            if file.exists():
                config |= _read_json(file)
        if (folder / "tokenizer.json").exists():
            return cls(json_pipeline(folder / "tokenizer.json", config=config))
        if (folder / "vocab.txt").exists():
            return cls.from_bert_vocab(folder / "vocab.txt", config.get("do_lower_case", True))
        if (folder / "vocab.json").exists():
            return cls.from_gpt2_files(folder / "vocab.json", folder / "merges.txt")
        raise FileNotFoundError(
            f"{folder} holds no tokeniser (tokenizer.json, vocab.txt, or vocab.json with merges.txt). "
            "Where there is only a SentencePiece model, save it once with transformers: "
            "AutoTokenizer.from_pretrained(...).save_pretrained(folder)."
        )

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write tokenizer.json, tokenizer_config.json and special_tokens_map.json, each at once."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        roles = {f"{role}_token": token for role, token in self._pipeline.roles.items()}
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "clean_up_tokenization_spaces": False,
            **self._pipeline.config,
            **roles,
        }
        if self.sentinel_ids:
            names = [self.id_to_token(i) for i in self.sentinel_ids]
            config.setdefault("additional_special_tokens", names)
        contents = (self._backend.to_str(pretty=True), _dump(config), _dump(roles))
        for name, content in zip(_FILES, contents, strict=True):
            _write_atomically(target / name, content)

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
                f"truncation={truncation!r} cannot cut a pair to max_length={max_length}: the other "
                'sequence alone is too long; give more, or truncation="longest_first".'
            ) from error
        finally:
            backend.no_truncation()
            backend.encode_special_tokens = False
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


def _folder(name: str | os.PathLike[str]) -> Path:
    path = Path(name)
    if path.is_dir():
        return path
    if path.exists() or path.is_absolute() or not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", str(name)):
        raise FileNotFoundError(f"There is no folder {path}; give a folder or a hub name.")
    from huggingface_hub import snapshot_download  # only a hub name needs it

    try:
        return Path(snapshot_download(str(name), allow_patterns=[*_FILES, *_OLD_FILES]))
    except Exception as error:  # many kinds: no network, no such model, no permission
        raise FileNotFoundError(
            f"{name} is no folder here, and the hub did not give it ({type(error).__name__}: "
            f"{str(error).splitlines()[0] if str(error) else 'no reason'}). Check the name and the "
            "network, set HF_ENDPOINT to a mirror, or give a downloaded folder."
        ) from error


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is corrupt ({error}); download or save it again.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file} holds no JSON object; download or save it again.")
    return content


def _dump(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _write_atomically(file: Path, content: str) -> None:
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", newline="\n", dir=file.parent, prefix=f".{file.name}.", delete=False
    ) as temporary:
        temporary.write(content)
    try:
        os.replace(temporary.name, file)
    except OSError:
        os.unlink(temporary.name)
        raise
