"""Trained tokenisers: the pipeline of each kind, and the same result for the same texts each time.

The library's trainers walk over hash tables whose order differs from run to run. What that would
change is fixed here before it starts: the alphabet and its ids, which decide ties. Unigram's
trainer cannot be fixed so; `unigram.py` takes its place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend

from chapter10.tokenizers.pipeline import (
    STYLE_TOKENS,
    Kind,
    Pipeline,
    Style,
    check_text,
    template_of,
)
from chapter10.tokenizers.unigram import unigram_pieces

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
    roles = _roles(kind, style, special_tokens)
    specials = list(dict.fromkeys(roles.values()))  # two roles may share one token
    extra = [f"<extra_id_{i}>" for i in reversed(range(sentinels))] if style == "t5" else []
    bytes_needed = 256 if kind == "bpe" and style == "gpt" else 0
    least = len(extra) + len(specials) + bytes_needed + 1
    if vocab_size < least:
        raise ValueError(
            f"vocab_size={vocab_size} leaves no room for tokens of text beside {len(specials)} "
            f"special tokens, {len(extra)} sentinels and {bytes_needed} bytes; "
            f"give at least {least}."
        )
    corpus = _corpus(texts)
    backend = _untrained(kind, style, lowercase, roles["unk"])
    size = vocab_size - len(extra)
    if kind in ("character", "word"):
        trainer = trainers.WordLevelTrainer(
            vocab_size=size, special_tokens=specials, show_progress=False
        )
        backend.train_from_iterator(corpus, trainer)
    elif kind == "wordpiece":
        _train_wordpiece(backend, corpus, size, specials, roles["unk"])
    elif kind == "bpe":
        alphabet = _byte_alphabet() if bytes_needed else _alphabet(backend, corpus)
        _train_bpe(backend, corpus, size, specials, alphabet[: size - len(specials)])
    else:
        _train_unigram(backend, corpus, size, specials, roles["unk"])
    backend.add_special_tokens([AddedToken(t, normalized=False) for t in specials + extra])
    backend.post_processor = template_of(style, roles, backend)
    return Pipeline(backend=backend, roles=roles)


def _roles(kind: Kind, style: Style, special_tokens: Mapping[str, str]) -> dict[str, str]:
    if kind not in get_args(Kind):
        raise ValueError(f"kind={kind!r} is unknown; choose one of {', '.join(get_args(Kind))}.")
    if style not in STYLE_TOKENS:
        raise ValueError(f"style={style!r} is unknown; choose one of {', '.join(STYLE_TOKENS)}.")
    if unknown := sorted(set(special_tokens) - set(STYLE_TOKENS[style])):
        raise ValueError(
            f"special_tokens names {', '.join(unknown)}, but style={style!r} has the roles "
            f"{', '.join(STYLE_TOKENS[style])}."
        )
    return {**STYLE_TOKENS[style], **special_tokens}


def _corpus(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, str):
        raise ValueError("texts is one string; give a list of strings, one for each text.")
    corpus = list(texts)
    for index, text in enumerate(corpus):
        check_text(text, f"texts[{index}]")
    if not any(text.strip() for text in corpus):
        raise ValueError(
            "There is no text to train a tokeniser on; give at least one that is not empty."
        )
    return corpus


def _untrained(kind: Kind, style: Style, lowercase: bool, unk: str) -> Backend:
    if kind == "word":
        backend = Backend(models.WordLevel(unk_token=unk))
        backend.normalizer = normalizers.Lowercase() if lowercase else None
        backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        backend.decoder = decoders.WordPiece(prefix="##", cleanup=False)
        return backend
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
    if (
        kind == "bpe" and style == "gpt"
    ):  # GPT-2: any text is a sequence of bytes, so nothing is unknown or lost
        backend = Backend(models.BPE())
        backend.normalizer = normalizers.Lowercase() if lowercase else None
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        return backend
    backend = Backend(models.BPE(unk_token=unk) if kind == "bpe" else models.Unigram())
    # A "▁" in the text would be taken for the mark of a space.
    steps: list[Any] = [normalizers.NFC(), normalizers.Replace("▁", " ")]
    backend.normalizer = normalizers.Sequence(steps + [normalizers.Lowercase()] * lowercase)
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always"),
            pre_tokenizers.Punctuation(),  # Chinese has no spaces: a clause is a word at most
        ]
    )
    backend.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    return backend


def _byte_alphabet() -> list[str]:
    return sorted(pre_tokenizers.ByteLevel.alphabet())


def _words(backend: Backend, text: str) -> list[str]:
    normal = backend.normalizer.normalize_str(text) if backend.normalizer else text
    return [word for word, _ in backend.pre_tokenizer.pre_tokenize_str(normal)]


def _alphabet(backend: Backend, corpus: list[str]) -> list[str]:
    """The characters that words are made of, the most frequent first."""
    counts: Counter[str] = Counter()
    for text in corpus:
        counts.update("".join(_words(backend, text)))
    return sorted(counts, key=lambda character: (-counts[character], character))


def _train_bpe(
    backend: Backend,
    corpus: list[str],
    size: int,
    specials: list[str],
    alphabet: list[str],
    min_frequency: int = 0,
) -> None:
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=min_frequency,
        special_tokens=specials,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),  # rare characters become unknown where there is no room
        show_progress=False,
    )
    backend.train_from_iterator(corpus, trainer)


def _train_wordpiece(
    backend: Backend, corpus: list[str], size: int, specials: list[str], unk: str
) -> None:
    # A character that may stand inside a word has two entries, "e" and "##e". The trainer numbers
    # the second kind as it meets them, in the order of a hash table; named beforehand as if they
    # were special tokens, they have fixed numbers.
    alphabet: list[str] = []
    continued: list[str] = []
    for character in _alphabet(backend, corpus):
        inside = _words(backend, "a" + character) == ["a" + character]
        if len(alphabet) + len(continued) + 1 + inside > size - len(specials):
            break  # rare characters become unknown where there is no room
        alphabet.append(character)
        continued += [f"##{character}"] * inside
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        special_tokens=specials + continued,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    scratch = Backend(backend.model)
    scratch.normalizer, scratch.pre_tokenizer = backend.normalizer, backend.pre_tokenizer
    scratch.train_from_iterator(corpus, trainer)
    backend.model = models.WordPiece(scratch.get_vocab(), unk_token=unk)


def _train_unigram(
    backend: Backend, corpus: list[str], size: int, specials: list[str], unk: str
) -> None:
    alphabet = _alphabet(backend, corpus)[: size - len(specials)]
    seeds = Backend(models.BPE())
    seeds.normalizer, seeds.pre_tokenizer = backend.normalizer, backend.pre_tokenizer
    # As in SentencePiece a piece must occur twice; else whole clauses are learned by heart.
    _train_bpe(seeds, corpus, 4 * size, [], alphabet, min_frequency=2)
    vocab = seeds.get_vocab()
    pieces = unigram_pieces(
        seeds, corpus, sorted(vocab, key=vocab.__getitem__), size - len(specials)
    )
    entries = [(token, 0.0) for token in specials] + pieces
    backend.model = models.Unigram(entries, unk_id=specials.index(unk), byte_fallback=False)
