"""Pipelines of the `tokenizers` library, and those of published models, read from their files.

A pipeline is normaliser, pre-tokeniser, model, template of special tokens and decoder in one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend
from tokenizers.processors import TemplateProcessing

from chapter10.hub import CheckpointError

Kind = Literal["character", "word", "wordpiece", "bpe", "unigram"]
Style = Literal["bert", "gpt", "t5"]
T = TypeVar("T")
ROLES = ("pad", "unk", "cls", "sep", "mask", "bos", "eos")

# The order gives the ids: padding is 0 in every style.
STYLE_TOKENS: Mapping[Style, Mapping[str, str]] = {
    "bert": {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"},
    "gpt": {"pad": "<pad>", "bos": "<bos>", "eos": "<eos>", "unk": "<unk>"},
    "t5": {"pad": "<pad>", "eos": "</s>", "unk": "<unk>"},
}


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A backend, the special token of each role, and what tokenizer_config.json says beside."""

    backend: Backend
    roles: Mapping[str, str]
    config: Mapping[str, Any] = field(default_factory=dict)


def check_text(text: object, name: str) -> None:
    """Reject what is not a string of Unicode characters, with a sentence that names it."""
    if not isinstance(text, str):
        raise ValueError(f"{name} is {type(text).__name__} ({text!r:.60}); give a string.")
    if lone := re.search("[\ud800-\udfff]", text):
        raise ValueError(
            f"{name} holds the lone surrogate U+{ord(lone.group()):04X} at position "
            f"{lone.start()}, which is no character; read the file with the right encoding, or "
            "drop it with text.encode('utf-8', 'ignore').decode('utf-8')."
        )


def template_of(style: Style, roles: Mapping[str, str], backend: Backend) -> TemplateProcessing:
    """The special tokens around a text and a pair: `[CLS] A [SEP] B [SEP]`, and so on."""
    if style == "bert":
        single = [roles["cls"], "$A", roles["sep"]]
        pair = [*single, "$B:1", f"{roles['sep']}:1"]
    elif style == "gpt":
        single, pair = [roles["bos"], "$A"], [roles["bos"], "$A", "$B"]
    else:
        single = ["$A", roles["eos"]]
        pair = [*single, "$B", roles["eos"]]
    used = sorted({item.removesuffix(":1") for item in pair if not item.startswith("$")})
    ids = [(token, backend.token_to_id(token)) for token in used]
    return TemplateProcessing(single=single, pair=pair, special_tokens=ids)


def bert_pipeline(vocab_file: Path, *, lowercase: bool) -> Pipeline:
    """The published BERT tokeniser from its `vocab.txt` (one token a line, the line is the id)."""
    vocab = _read(lambda: models.WordPiece.read_file(str(vocab_file)), vocab_file)
    roles = dict(STYLE_TOKENS["bert"])
    if missing := sorted(set(roles.values()) - set(vocab)):
        raise CheckpointError(
            f"{vocab_file} lacks {', '.join(missing)}: it is not a BERT vocabulary, or it is cut "
            "short; download it again."
        )
    backend = Backend(models.WordPiece(vocab, unk_token=roles["unk"]))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##")
    backend.add_special_tokens([AddedToken(t, normalized=False) for t in roles.values()])
    backend.post_processor = template_of("bert", roles, backend)
    config = {"tokenizer_class": "BertTokenizer", "do_lower_case": lowercase}
    return Pipeline(backend=backend, roles=roles, config=config)


def gpt2_pipeline(vocab_file: Path, merges_file: Path) -> Pipeline:
    """The published GPT-2 tokeniser from `encoder.json` and `vocab.bpe` (or under their other
    names, `vocab.json` and `merges.txt`)."""
    vocab, merges = _read(
        lambda: models.BPE.read_file(str(vocab_file), str(merges_file)), vocab_file, merges_file
    )
    end = "<|endoftext|>"
    if end not in vocab:
        raise CheckpointError(
            f"{vocab_file} lacks {end}: it is not GPT-2's vocabulary; download it again."
        )
    backend = Backend(models.BPE(vocab=vocab, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(end, normalized=False)])
    roles = {"unk": end, "bos": end, "eos": end}
    return Pipeline(backend=backend, roles=roles, config={"tokenizer_class": "GPT2Tokenizer"})


def json_pipeline(path: Path, *, config: Mapping[str, Any]) -> Pipeline:
    """The tokeniser of a `tokenizer.json`; `config` is the content of tokenizer_config.json.

    Roles the configuration leaves out (older files do) are taken from the usual names."""
    backend = _read(lambda: Backend.from_file(str(path)), path)
    special = {t.content for t in backend.get_added_tokens_decoder().values() if t.special}
    usual: dict[str, list[str]] = {role: [] for role in ROLES}
    for style in STYLE_TOKENS.values():
        for role, name in style.items():
            usual[role].append(name)
    for role in ("unk", "bos", "eos"):
        usual[role].append("<|endoftext|>")
    roles: dict[str, str] = {}
    for role in ROLES:
        given = config.get(f"{role}_token")
        given = given.get("content") if isinstance(given, Mapping) else given
        token: str | None = given or next((name for name in usual[role] if name in special), None)
        if token is not None and backend.token_to_id(token) is not None:
            roles[role] = token
    return Pipeline(backend=backend, roles=roles, config=dict(config))


def _read(read: Callable[[], T], *files: Path) -> T:
    """`read()`, with errors of the reader turned into one sentence that names the files."""
    for file in files:
        if not file.is_file():
            raise CheckpointError(f"There is no file {file}; check the path or download it again.")
    try:
        return read()
    except Exception as error:  # the library raises bare Exception
        names = " or ".join(str(file) for file in files)
        raise CheckpointError(
            f"{names} is corrupt or no tokeniser file ({error}); download or save it again."
        ) from error
