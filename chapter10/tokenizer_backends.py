"""Pipelines of the `tokenizers` library that `chapter10.tokenizers.Tokenizer` wraps.

Each function returns a :class:`Pipeline`: normaliser, pre-tokeniser, model, template of special
tokens and decoder in one object, either trained on texts or read from published vocabulary files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend
from tokenizers.processors import TemplateProcessing

Kind = Literal["character", "wordpiece", "bpe", "unigram"]
Style = Literal["bert", "gpt", "t5"]
ROLES = ("pad", "unk", "cls", "sep", "mask", "bos", "eos")

# The order gives the ids: padding is 0 in every style.
STYLE_TOKENS: Mapping[Style, Mapping[str, str]] = {
    "bert": {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"},
    "gpt": {"pad": "<pad>", "bos": "<bos>", "eos": "<eos>", "unk": "<unk>"},
    "t5": {"pad": "<pad>", "eos": "</s>", "unk": "<unk>"},
}

# The characters BertNormalizer sets spaces around (the CJK ideographs of the original BERT code),
# then Chinese punctuation, which the pre-tokeniser cuts off as it does any punctuation.
_HAN = (
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002b73f"
    "\U0002b740-\U0002b81f\U0002b920-\U0002ceaf\U0002f800-\U0002fa1f"
)
_CHINESE = f"[{_HAN}[\u2010-\u2027\u3000-\u303f\ufe30-\ufe4f\uff00-\uffef&&\\p{{P}}]]"
# Spaces that nobody would type: beside Chinese, before closing and after opening punctuation,
# inside 3.14 and 12:30, inside don't and well-known.
_NEEDLESS_SPACE = "|".join(
    (
        f"(?<={_CHINESE}) ",
        f" (?={_CHINESE})",
        " (?=[,.!?;:)\\]}%])",
        "(?<=[(\\[{]) ",
        "(?<=\\d [.,:]) (?=\\d)",
        "(?<=\\w) (?=['/_-] \\w)",
        "(?<=\\w ['/_-]) (?=\\w)",
    )
)


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A backend, the special token of each role, and what tokenizer_config.json says beside."""

    backend: Backend
    roles: Mapping[str, str]
    config: Mapping[str, Any] = field(default_factory=dict)


def train_pipeline(
    texts: Iterable[str],
    *,
    kind: Kind,
    vocab_size: int,
    style: Style,
    lowercase: bool,
    special_tokens: Mapping[str, str],
    sentinels: int,
) -> Pipeline:
    """Train a pipeline on `texts`; the arguments are those of `Tokenizer.train`."""
    if kind not in get_args(Kind):
        raise ValueError(f"kind={kind!r} is unknown; choose one of {', '.join(get_args(Kind))}.")
    if style not in STYLE_TOKENS:
        raise ValueError(f"style={style!r} is unknown; choose one of {', '.join(STYLE_TOKENS)}.")
    if unknown := set(special_tokens) - set(STYLE_TOKENS[style]):
        raise ValueError(
            f"special_tokens names {sorted(unknown)}, but style={style!r} has the roles "
            f"{', '.join(STYLE_TOKENS[style])}."
        )
    roles = {**STYLE_TOKENS[style], **special_tokens}
    specials = list(dict.fromkeys(roles.values()))  # two roles may share one token
    extra = [f"<extra_id_{i}>" for i in reversed(range(sentinels))] if style == "t5" else []
    byte_level = kind == "bpe" and style == "gpt"
    room = vocab_size - len(extra) - len(specials) - (256 if byte_level else 0)
    if room < 1:
        raise ValueError(
            f"vocab_size={vocab_size} leaves no room for tokens of text beside {len(specials)} "
            f"special tokens, {len(extra)} sentinels{' and 256 bytes' if byte_level else ''}; "
            f"give at least {vocab_size - room + 1}."
        )
    corpus = list(_checked(texts))
    if not any(text.strip() for text in corpus):
        raise ValueError(
            "There is no text to train a tokeniser on; give at least one non-empty text."
        )
    backend = _untrained(kind, byte_level, lowercase, roles["unk"])
    _fit(backend, kind, corpus, vocab_size - len(extra), specials, byte_level, roles["unk"])
    backend.add_special_tokens([AddedToken(token, normalized=False) for token in extra])
    backend.post_processor = _template(style, roles, backend)
    return Pipeline(backend=backend, roles=roles)


def _checked(texts: Iterable[str]) -> Iterator[str]:
    if isinstance(texts, str):
        raise ValueError("texts is one string; give a list of strings, one for each text.")
    for index, text in enumerate(texts):
        check_text(text, f"texts[{index}]")
        yield text


def check_text(text: object, name: str) -> None:
    """Reject what is not a string of Unicode characters, with a sentence that names it."""
    if not isinstance(text, str):
        raise ValueError(f"{name} is {type(text).__name__} ({text!r:.60}); give a string.")
    if lone := re.search("[\ud800-\udfff]", text):
        raise ValueError(
            f"{name} holds the lone surrogate U+{ord(lone.group()):04X} at position {lone.start()}, "
            "which is no character; read the file with the right encoding, or drop it with "
            "text.encode('utf-8', 'ignore').decode('utf-8')."
        )


def _untrained(kind: Kind, byte_level: bool, lowercase: bool, unk: str) -> Backend:
    if kind in ("character", "wordpiece"):
        word_level = kind == "character"
        model = models.WordLevel(unk_token=unk) if word_level else models.WordPiece(unk_token=unk)
        backend = Backend(model)
        # Accents stay: they are part of the text a round trip must give back.
        backend.normalizer = normalizers.BertNormalizer(strip_accents=False, lowercase=lowercase)
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        backend.decoder = decoders.Sequence(
            [
                decoders.WordPiece(prefix="##", cleanup=False),
                decoders.Fuse(),
                decoders.Replace(Regex(_NEEDLESS_SPACE), ""),
            ]
        )
        return backend
    if byte_level:  # GPT-2: any text is a sequence of bytes, so nothing is unknown or lost
        backend = Backend(models.BPE())
        backend.normalizer = normalizers.Lowercase() if lowercase else None
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        return backend
    backend = Backend(models.BPE(unk_token=unk) if kind == "bpe" else models.Unigram())
    # A "▁" in the text would be taken for the mark of a space.
    steps: list[Any] = [normalizers.NFC(), normalizers.Replace("▁", " ")]
    backend.normalizer = normalizers.Sequence(steps + [normalizers.Lowercase()] * lowercase)
    metaspace = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), metaspace])
    backend.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    return backend


def _fit(
    backend: Backend,
    kind: Kind,
    corpus: list[str],
    vocab_size: int,
    specials: list[str],
    byte_level: bool,
    unk: str,
) -> None:
    common: dict[str, Any] = {
        "vocab_size": vocab_size,
        "special_tokens": [AddedToken(token, normalized=False) for token in specials],
        "show_progress": False,
    }
    if kind == "character":
        backend.train_from_iterator(corpus, trainers.WordLevelTrainer(**common))
    elif kind == "unigram":
        backend.train_from_iterator(corpus, trainers.UnigramTrainer(unk_token=unk, **common))
        if backend.get_vocab_size() > vocab_size:
            raise ValueError(
                f"vocab_size is too small: Unigram keeps every character of the texts, which with "
                f"the special tokens makes {backend.get_vocab_size()} entries where {vocab_size} "
                "are left; give more, or replace rare characters first."
            )
    else:
        alphabet = pre_tokenizers.ByteLevel.alphabet() if byte_level else []
        limit = vocab_size - len(specials)
        while True:  # rare characters become unknown rather than let the vocabulary overflow
            options = {**common, "limit_alphabet": limit, "initial_alphabet": sorted(alphabet)}
            wordpiece = kind == "wordpiece"
            backend.train_from_iterator(
                corpus,
                trainers.WordPieceTrainer(**options)
                if wordpiece
                else trainers.BpeTrainer(**options),
            )
            excess = backend.get_vocab_size() - vocab_size
            if excess <= 0 or limit <= 1:
                return
            limit = max(1, limit - excess)


def _template(style: Style, roles: Mapping[str, str], backend: Backend) -> TemplateProcessing:
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
    vocab = _read(vocab_file, lambda: models.WordPiece.read_file(str(vocab_file)))
    roles = dict(STYLE_TOKENS["bert"])
    if missing := sorted(set(roles.values()) - set(vocab)):
        raise ValueError(
            f"{vocab_file} lacks {', '.join(missing)}: it is not a BERT vocabulary, or it is cut "
            "short; download it again."
        )
    backend = Backend(models.WordPiece(vocab, unk_token=roles["unk"]))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece(prefix="##")
    backend.add_special_tokens([AddedToken(t, normalized=False) for t in roles.values()])
    backend.post_processor = _template("bert", roles, backend)
    config = {"tokenizer_class": "BertTokenizer", "do_lower_case": lowercase}
    return Pipeline(backend=backend, roles=roles, config=config)


def gpt2_pipeline(vocab_file: Path, merges_file: Path) -> Pipeline:
    """The published GPT-2 tokeniser from `encoder.json` and `vocab.bpe` (or under their other
    names, `vocab.json` and `merges.txt`)."""
    vocab, merges = _read(
        vocab_file, lambda: models.BPE.read_file(str(vocab_file), str(merges_file)), merges_file
    )
    end = "<|endoftext|>"
    if end not in vocab:
        raise ValueError(
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
    backend = _read(path, lambda: Backend.from_file(str(path)))
    special = {t.content for t in backend.get_added_tokens_decoder().values() if t.special}
    usual: dict[str, list[str]] = {role: [] for role in ROLES}
    for style in STYLE_TOKENS.values():
        for role, token in style.items():
            usual[role].append(token)
    for role in ("unk", "bos", "eos"):
        usual[role].append("<|endoftext|>")
    roles = {}
    for role in ROLES:
        given = config.get(f"{role}_token")
        given = given.get("content") if isinstance(given, Mapping) else given
        token = given or next((name for name in usual[role] if name in special), None)
        if token is not None and backend.token_to_id(token) is not None:
            roles[role] = token
    return Pipeline(backend=backend, roles=roles, config=dict(config))


def _read(path: Path, read: Any, *more: Path) -> Any:
    """`read()`, with errors of the reader turned into one sentence that names the file."""
    for file in (path, *more):
        if not file.is_file():
            raise FileNotFoundError(
                f"There is no file {file}; check the folder, or download it again."
            )
    try:
        return read()
    except Exception as error:  # the library raises bare Exception
        names = " or ".join(str(file) for file in (path, *more))
        raise ValueError(
            f"{names} is corrupt or no tokeniser file ({error}); download or save it again."
        ) from error
