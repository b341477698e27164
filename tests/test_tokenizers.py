"""Tokenisers: nothing is lost but what is said, and the reference library agrees."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from hypothesis import assume, given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend
from tokenizers import models, trainers
from transformers import AutoTokenizer

from chapter10.hub import CheckpointError
from chapter10.tokenizers import Tokenizer
from chapter10.tokenizers.training import train_pipeline

KINDS = ("character", "wordpiece", "bpe", "unigram")
STYLES = ("bert", "gpt", "t5")
ROLES = ("pad", "unk", "cls", "sep", "mask", "bos", "eos")
TEXTS = [
    "小猫坐在窗台上，看着窗外的雨。",
    "她说：“今天下雨，我们不去公园了！”",
    "A well-known player doesn't play at 12:30 (really).",
    "这台 computer 卖 3.14 万元，比 phone 贵。",
    "雨停了，小猫和小狗去公园玩。",
    "The players were playing; the rain was raining again, again and again.",
] * 3
NASTY = [
    "",
    " ",
    "\n\t\r",
    "\x00\x01\ufeff\ufffd",
    "e\u0301 é ﬁ Ａ①",
    "👩‍👩‍👧‍👦🇨🇳😀",
    "\u202e右\u200b左\u2028",
    "𠀀𪚥丽〇々",
    "[MASK]和[CLS] <extra_id_0> </s> <pad> <|endoftext|>",
    "## ##s #",
    "▁_▁",
    "a" * 300,
    "İSTANBUL ẞ Σς",
    "한국어 ひらがな カタカナ हिन्दी",
]
# Characters of the training texts, and a few that are not: mixes reach further than plain st.text.
MIXED = st.lists(
    st.one_of(st.sampled_from(sorted(set("".join(TEXTS)))), st.characters(codec="utf-8")),
    max_size=40,
).map("".join)

# Text in which nothing is unknown: words of the training texts, set off by spaces, and the rest.
UNITS = {f" {word} " for word in re.findall("[A-Za-z]+|[0-9]+", " ".join(TEXTS))}
UNITS |= set(re.sub("[A-Za-z0-9]", "", "".join(TEXTS))) | set(" \t\n\r\u3000\x00\u200b")
KNOWN = st.lists(st.sampled_from(sorted(UNITS)), max_size=30).map("".join)

_cache: dict[tuple[str, str, bool], Tokenizer] = {}


def trained(kind: str, style: str, lowercase: bool = False) -> Tokenizer:
    key = (kind, style, lowercase)
    if key not in _cache:
        _cache[key] = Tokenizer.train(
            TEXTS,
            kind,  # type: ignore[arg-type]
            vocab_size=420,
            style=style,  # type: ignore[arg-type]
            lowercase=lowercase,
            sentinels=10,
        )
    return _cache[key]


ALL = list(itertools.product(KINDS, STYLES))


# ---- round trip (claim B2) -----------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "style"), ALL)
@pytest.mark.parametrize("text", TEXTS[:6])
def test_training_text_comes_back(kind: str, style: str, text: str) -> None:
    tokenizer = trained(kind, style)
    decoded = tokenizer.decode(tokenizer.encode(text).input_ids)
    spaced = "这台computer卖3.14万元，比phone贵。"  # no space beside Chinese is recorded
    wordwise = kind in ("character", "wordpiece") and text == TEXTS[3]
    assert decoded == (spaced if wordwise else text)


@pytest.mark.parametrize(("kind", "style"), ALL)
@pytest.mark.parametrize("lowercase", [False, True])
@given(text=KNOWN | MIXED)
def test_decoding_gives_the_normal_form(kind: str, style: str, lowercase: bool, text: str) -> None:
    tokenizer = trained(kind, style, lowercase)
    ids = tokenizer.encode(text, literal=True).input_ids
    byte_level = kind == "bpe" and style == "gpt"
    assert not (byte_level and tokenizer.unk_token_id in ids)
    assume(tokenizer.unk_token_id not in ids)
    assert tokenizer.decode(ids) == tokenizer.normalize(text)
    if byte_level:  # whole and in order, whatever the text
        assert lowercase or tokenizer.normalize(text) == text


@pytest.mark.parametrize("kind", ["character", "wordpiece"])
@given(text=MIXED)
def test_the_normal_form_has_the_same_tokens(kind: str, text: str) -> None:
    tokenizer = trained(kind, "bert")
    normal = tokenizer.normalize(text)
    assert tokenizer.tokenize(normal, literal=True) == tokenizer.tokenize(text, literal=True)
    assert tokenizer.normalize(normal) == normal


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("我 喜欢  apple\tpie 。", "我喜欢apple pie。"),
        ("don't ( stop ) it 's 3 . 14", "don't (stop) it's 3.14"),
        ("“ hi ” , he said .", "“hi”, he said."),
        ("e\u0301t\u00e9\x00\ufeff", "e\u0301t\u00e9\ufeff".replace("\ufeff", "")),
    ],
)
def test_what_the_word_tokenisers_lose(text: str, normal: str) -> None:
    assert trained("character", "bert").normalize(text) == normal


def test_each_kind_cuts_its_own_units() -> None:
    text = "小猫 players"
    assert trained("character", "bert").tokenize(text) == ["小", "猫", "players"]
    pieces = trained("wordpiece", "bert").tokenize("小猫 playing")
    assert pieces[:2] == ["小", "猫"]
    assert "".join(p.removeprefix("##") for p in pieces[2:]) == "playing"
    assert trained("bpe", "t5").tokenize("小猫") == ["▁小猫"]
    assert trained("unigram", "t5").tokenize("小猫")[0].startswith("▁")
    assert "".join(trained("bpe", "gpt").tokenize(" a")).startswith("Ġ")


# ---- any Unicode ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "style"), ALL)
@given(text=MIXED, pair=st.none() | MIXED)
def test_offsets_point_into_the_text(kind: str, style: str, text: str, pair: str | None) -> None:
    tokenizer = trained(kind, style)
    encoding = tokenizer.encode(text, pair, literal=True)
    lists = (
        encoding.tokens,
        encoding.input_ids,
        encoding.token_type_ids,
        encoding.attention_mask,
        encoding.special_tokens_mask,
        encoding.offsets,
        encoding.word_ids,
        encoding.sequence_ids,
    )
    assert {len(values) for values in lists} == {len(encoding)}
    last = {0: 0, 1: 0}
    for token, token_id, sequence, (start, end), special in zip(
        encoding.tokens,
        encoding.input_ids,
        encoding.sequence_ids,
        encoding.offsets,
        encoding.special_tokens_mask,
        strict=True,
    ):
        if sequence is None:
            assert special == 1
            assert (start, end) == (0, 0)
            continue
        source = text if sequence == 0 else pair
        assert source is not None
        assert 0 <= start <= end <= len(source)
        assert start >= last[sequence] or kind == "bpe"  # two bytes of a character share offsets
        last[sequence] = start
        if kind == "character" and token_id != tokenizer.unk_token_id:
            # The slice is the token, but for the control characters inside it that are cleaned.
            assert tokenizer.normalize(source[start:end]) == token


def test_offsets_of_a_plain_sentence() -> None:
    text = "小猫 plays，e\u0301!"
    encoding = trained("character", "bert").encode(text)
    slices = [text[a:b] for a, b in encoding.offsets]
    assert slices == ["", "小", "猫", "plays", "，", "e\u0301", "!", ""]
    assert encoding.word_ids == [None, 0, 1, 2, 3, 4, 5, None]


def test_pieces_of_one_word_share_its_number() -> None:
    tokenizer = trained("wordpiece", "bert")
    encoding = tokenizer.encode("小 stopgap")
    assert len(encoding) > 5
    assert encoding.word_ids == [None, 0, *[1] * (len(encoding) - 3), None]
    batch = tokenizer(["小 stopgap", "小"])
    assert batch.word_ids[1].tolist() == [-1, 0, *[-1] * (len(encoding) - 2)]


@pytest.mark.parametrize("kind", KINDS)
@given(before=st.text(max_size=5), surrogate=st.integers(0xD800, 0xDFFF))
def test_lone_surrogates_are_refused(kind: str, before: str, surrogate: int) -> None:
    tokenizer = trained(kind, "bert")
    text = before + chr(surrogate)
    for call in (tokenizer.encode, tokenizer.tokenize, tokenizer.normalize, tokenizer):
        with pytest.raises(ValueError, match=f"lone surrogate U\\+{surrogate:04X}"):
            call(text)


@pytest.mark.parametrize("bad", [None, 3, b"bytes", ["list"]])
def test_what_is_no_text_is_named(bad: Any) -> None:
    tokenizer = trained("character", "bert")
    with pytest.raises(ValueError, match=r"texts\[1\] is"):
        tokenizer(["小", bad])
    with pytest.raises(ValueError, match=r"pairs\[0\] is"):
        tokenizer(["小"], [bad])


# ---- special tokens ------------------------------------------------------------------------------


def test_styles_have_their_special_tokens_first() -> None:
    for kind in KINDS:
        bert, gpt, t5 = (trained(kind, style) for style in STYLES)
        assert [bert.id_to_token(i) for i in range(5)] == [
            "[PAD]",
            "[UNK]",
            "[CLS]",
            "[SEP]",
            "[MASK]",
        ]
        assert [gpt.id_to_token(i) for i in range(4)] == ["<pad>", "<bos>", "<eos>", "<unk>"]
        assert [t5.id_to_token(i) for i in range(3)] == ["<pad>", "</s>", "<unk>"]
        assert bert.special_ids == set(range(5))
        assert gpt.special_ids == set(range(4))
        # As in T5: <extra_id_0> is the last of the vocabulary.
        assert t5.sentinel_ids == list(range(len(t5) - 1, len(t5) - 11, -1))
        assert [t5.id_to_token(i) for i in t5.sentinel_ids] == [
            f"<extra_id_{n}>" for n in range(10)
        ]
        assert t5.special_ids == {0, 1, 2, *t5.sentinel_ids}
        assert (bert.bos_token_id, gpt.mask_token_id, t5.cls_token_id) == (None, None, None)
        assert bert.sentinel_ids == []


def test_templates() -> None:
    bert = trained("character", "bert").encode("小猫", "雨")
    assert bert.tokens == ["[CLS]", "小", "猫", "[SEP]", "雨", "[SEP]"]
    assert bert.token_type_ids == [0, 0, 0, 0, 1, 1]
    assert bert.sequence_ids == [None, 0, 0, None, 1, None]
    assert trained("character", "gpt").encode("小猫").tokens == ["<bos>", "小", "猫"]
    assert trained("character", "t5").encode("小", "猫").tokens == ["小", "</s>", "猫", "</s>"]


def test_special_tokens_can_be_named() -> None:
    names = {"bos": "<|endoftext|>", "eos": "<|endoftext|>"}
    tokenizer = Tokenizer.train(TEXTS, "bpe", 300, "gpt", special_tokens=names)
    assert tokenizer.bos_token_id == tokenizer.eos_token_id == 1
    assert tokenizer.encode("a").tokens[0] == "<|endoftext|>"


@pytest.mark.parametrize("kind", KINDS)
def test_a_typed_mask_is_the_mask_unless_literal(kind: str) -> None:
    tokenizer = trained(kind, "bert")
    text = "小猫[MASK]窗台"
    assert tokenizer.encode(text).input_ids.count(tokenizer.mask_token_id) == 1
    assert tokenizer.mask_token_id not in tokenizer.encode(text, literal=True).input_ids
    assert tokenizer.mask_token_id in tokenizer.encode(text).input_ids  # literal leaves no trace


@pytest.mark.parametrize(("kind", "style"), ALL)
@given(text=MIXED, special=st.sampled_from(["[MASK]", "<bos>", "</s>", "<extra_id_3>", "<pad>"]))
def test_literal_text_never_makes_a_special_token(
    kind: str, style: str, text: str, special: str
) -> None:
    tokenizer = trained(kind, style)
    encoding = tokenizer.encode(special + text + special, literal=True)
    inside = [
        i for i, s in zip(encoding.input_ids, encoding.sequence_ids, strict=True) if s is not None
    ]
    assert set(inside) & tokenizer.special_ids <= {tokenizer.unk_token_id}


# ---- training ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "style"), ALL)
@pytest.mark.parametrize("vocab_size", [270, 300, 1000])
def test_the_vocabulary_is_as_large_as_asked(kind: str, style: str, vocab_size: int) -> None:
    tokenizer = Tokenizer.train(
        TEXTS,
        kind,  # type: ignore[arg-type]
        vocab_size,
        style,  # type: ignore[arg-type]
        sentinels=5,
    )
    assert tokenizer.vocab_size == len(tokenizer) <= vocab_size
    ids = sorted(tokenizer.token_to_id(tokenizer.id_to_token(i)) for i in range(len(tokenizer)))
    assert ids == list(range(len(tokenizer)))


@pytest.mark.parametrize("kind", KINDS)
def test_rare_characters_go_where_there_is_no_room(kind: str) -> None:
    texts = ["甲乙丙" * 9, "甲乙" * 9, "丁"]
    tokenizer = Tokenizer.train(texts, kind, vocab_size=10)  # type: ignore[arg-type]
    assert len(tokenizer) <= 10
    assert tokenizer.unk_token_id not in tokenizer.encode("甲乙丙").input_ids


def vocabularies() -> str:
    """Digests of vocabularies of texts in which ties abound."""
    generator = random.Random(0)
    words = ["".join(generator.choices("abcd天地人山水", k=i % 6 + 1)) for i in range(400)]
    texts = [" ".join(generator.choices(words, k=12)) for _ in range(300)]
    digests = []
    for kind, style in itertools.product(KINDS, ("bert", "gpt")):
        tokenizer = Tokenizer.train(texts, kind, 400, style)  # type: ignore[arg-type]
        content = tokenizer._pipeline.backend.to_str().encode()
        digests.append(f"{kind} {style} {hashlib.sha256(content).hexdigest()}")
    return "\n".join(digests)


def test_training_is_the_same_in_every_process() -> None:
    # Hash tables differ between processes: the library's own trainers give another WordPiece and
    # another Unigram vocabulary each time.
    script = "from test_tokenizers import vocabularies; print(vocabularies())"
    run = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
    )
    assert run.stdout.strip() == vocabularies()


def test_unigram_segments_about_as_short_as_the_librarys() -> None:
    words = [f"{a}{b}{c}" for a in "天地人山水" for b in "上下大小" for c in ("", "花", "鸟儿")]
    generator = torch.Generator().manual_seed(0)
    picks = (torch.rand(400, 10, generator=generator) ** 2 * len(words)).long()
    texts = ["".join(words[i] for i in row) for row in picks.tolist()]
    ours = Tokenizer.train(texts, "unigram", 60, "t5", sentinels=0)
    pipeline = train_pipeline(
        texts,
        kind="unigram",
        vocab_size=60,
        style="t5",
        lowercase=False,
        special_tokens={},
        sentinels=0,
    )
    library = Backend(models.Unigram())
    library.normalizer = pipeline.backend.normalizer
    library.pre_tokenizer = pipeline.backend.pre_tokenizer
    trainer = trainers.UnigramTrainer(
        vocab_size=60,
        special_tokens=["<pad>", "</s>", "<unk>"],
        unk_token="<unk>",
        show_progress=False,
    )
    library.train_from_iterator(texts, trainer)
    theirs = sum(len(e) for e in library.encode_batch(texts, add_special_tokens=False))
    assert sum(len(ours.tokenize(text)) for text in texts) < 1.05 * theirs


def test_impossible_training_is_refused() -> None:
    for texts in ([], [""], [" \n"]):
        with pytest.raises(ValueError, match="no text"):
            Tokenizer.train(texts)
    with pytest.raises(ValueError, match="one string"):
        Tokenizer.train("小猫")
    with pytest.raises(ValueError, match=r"texts\[1\] is NoneType"):
        Tokenizer.train(["小", None])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="give at least 6"):
        Tokenizer.train(TEXTS, vocab_size=5)
    with pytest.raises(ValueError, match="256 bytes"):
        Tokenizer.train(TEXTS, "bpe", 260, "gpt")
    with pytest.raises(ValueError, match="choose one of character"):
        Tokenizer.train(TEXTS, "letters")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="choose one of bert"):
        Tokenizer.train(TEXTS, style="elmo")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="names mask"):
        Tokenizer.train(TEXTS, style="gpt", special_tokens={"mask": "?"})


# ---- length, windows, padding --------------------------------------------------------------------


@given(
    texts=st.lists(MIXED, min_size=1, max_size=4),
    max_length=st.integers(3, 12),
    stride=st.integers(0, 4),
)
def test_windows_cover_the_text_and_overlap(texts: list[str], max_length: int, stride: int) -> None:
    tokenizer = trained("character", "bert")
    assume(stride < max_length - 2)
    batch = tokenizer(texts, max_length=max_length, stride=stride, overflow=True)
    assert batch.input_ids.shape[1] <= max_length
    for sample, text in enumerate(texts):
        rows = [
            encoding
            for encoding, source in zip(batch.encodings, batch.sample_ids, strict=True)
            if source == sample
        ]
        pieces = [
            [i for i, s in zip(r.input_ids, r.sequence_ids, strict=True) if s == 0] for r in rows
        ]
        joined = pieces[0]
        for piece in pieces[1:]:
            assert joined[len(joined) - stride :] == piece[:stride]
            assert len(piece) > stride
            joined = joined + piece[stride:]
        assert joined == tokenizer.encode(text).input_ids[1:-1]
    assert batch.sample_ids == sorted(batch.sample_ids)


@pytest.mark.parametrize("side", ["only_first", "only_second"])
def test_windows_over_one_of_a_pair_keep_the_other(side: str) -> None:
    tokenizer = trained("character", "bert")
    question, document = "小猫去公园", "雨停了，小猫和小狗去公园玩。" * 4
    first, second = (question, document) if side == "only_second" else (document, question)
    batch = tokenizer(
        [first, first],
        [second, second],
        max_length=20,
        truncation=side,  # type: ignore[arg-type]
        stride=3,
        overflow=True,
    )
    cut, kept = (1, 0) if side == "only_second" else (0, 1)
    covered: set[int] = set()
    for encoding in batch.encodings[: len(batch) // 2]:
        kept_text = [
            t for t, s in zip(encoding.tokens, encoding.sequence_ids, strict=True) if s == kept
        ]
        assert kept_text == tokenizer.tokenize(question)
        for (start, end), sequence in zip(encoding.offsets, encoding.sequence_ids, strict=True):
            if sequence == cut:
                covered |= set(range(start, end))
    assert covered == set(range(len(document)))
    assert batch.sample_ids == [0] * (len(batch) // 2) + [1] * (len(batch) // 2)
    assert batch.input_ids.shape == (len(batch), 20)


def test_truncation_strategies() -> None:
    tokenizer = trained("character", "bert")
    first, second = "小猫小猫小猫", "雨雨雨"

    def lengths(**options: Any) -> tuple[int, int]:
        sequences = tokenizer.encode(first, second, **options).sequence_ids
        return sequences.count(0), sequences.count(1)

    assert lengths() == lengths(max_length=12) == lengths(max_length=12, truncation=None) == (6, 3)
    assert lengths(max_length=9) == (3, 3)
    assert lengths(max_length=11, truncation="only_first") == (5, 3)
    assert lengths(max_length=11, truncation="only_second") == (6, 2)


def test_lengths_that_cannot_be_met_are_refused() -> None:
    tokenizer = trained("character", "bert")
    long = "小猫" * 10
    refused: list[tuple[str, dict[str, Any]]] = [
        (
            r"texts\[0\] has 22 tokens, more than max_length=8",
            {"max_length": 8, "truncation": None},
        ),
        ("no room for text", {"max_length": 2}),
        ("choose longest_first", {"truncation": "middle"}),
        ('"only_second" needs pairs', {"truncation": "only_second", "max_length": 8}),
        ("overflow=True needs max_length", {"overflow": True}),
        ("less than the 6 tokens", {"overflow": True, "max_length": 8, "stride": 6}),
        ("at least 0", {"overflow": True, "max_length": 8, "stride": -1}),
        ("only with overflow=True", {"stride": 2, "max_length": 8}),
        ("1 texts but 2 pairs", {"pairs": ["小", "猫"]}),
        ("cuts one of the two", {"pairs": ["小"], "overflow": True, "max_length": 8}),
        ("too long", {"pairs": ["小"], "truncation": "only_second", "max_length": 8}),
        (
            "that max_length=8 leaves",
            {"pairs": ["小"], "truncation": "only_second", "max_length": 8, "overflow": True},
        ),
        ('choose "left" or "right"', {"padding_side": "middle"}),
    ]
    for message, options in refused:
        with pytest.raises(ValueError, match=message):
            tokenizer([long], **options)
    assert len(tokenizer.encode(long)) == 22  # and no refusal leaves a limit behind


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding(side: Any) -> None:
    tokenizer = trained("character", "bert")
    batch = tokenizer(["小猫", "小猫和小狗"], padding_side=side)
    assert batch.input_ids.dtype == batch.attention_mask.dtype == torch.long
    assert batch.input_ids.shape == batch.attention_mask.shape == batch.token_type_ids.shape
    assert len(batch) == 2
    mask = batch.attention_mask[0].tolist()
    assert mask == ([0, 0, 0] + [1] * 4 if side == "left" else [1] * 4 + [0, 0, 0])
    row = batch.input_ids[0]
    assert (row[batch.attention_mask[0] == 0] == tokenizer.pad_token_id).all()
    assert row[batch.attention_mask[0] == 1].tolist() == tokenizer.encode("小猫").input_ids
    assert batch.encodings[0].input_ids == row.tolist()


def test_empty_texts_and_empty_batches() -> None:
    tokenizer = trained("character", "bert")
    assert tokenizer.encode("").tokens == ["[CLS]", "[SEP]"]
    assert tokenizer("").input_ids.tolist() == [[2, 3]]
    assert tokenizer([]).input_ids.shape == (0, 0)
    assert tokenizer([]).input_ids.dtype == torch.long
    assert tokenizer([], [], overflow=True, max_length=9, truncation="only_second").sample_ids == []
    assert tokenizer.decode([]) == ""


def test_ids_outside_the_vocabulary() -> None:
    tokenizer = trained("character", "bert")
    assert tokenizer.token_to_id("没有") is None
    for bad in (-1, len(tokenizer)):
        with pytest.raises(ValueError, match="not in the vocabulary"):
            tokenizer.id_to_token(bad)
    with pytest.raises(ValueError, match="-100"):
        tokenizer.decode([5, -100])
    assert tokenizer.decode(torch.tensor(tokenizer.encode("小猫").input_ids)) == "小猫"


# ---- files, and the reference library ------------------------------------------------------------


def agree(ours: Tokenizer, reference: Any) -> None:
    """The same ids, segments, roles and decoded text over plain and nasty strings."""
    for role in ROLES:
        assert getattr(ours, f"{role}_token_id") == getattr(reference, f"{role}_token_id"), role
    assert len(ours) == len(reference)
    texts = TEXTS[:6] + NASTY
    for text in texts:
        expected = reference(text, return_offsets_mapping=True, return_special_tokens_mask=True)
        encoding = ours.encode(text)
        assert encoding.input_ids == expected["input_ids"]
        assert encoding.offsets == expected["offset_mapping"]
        assert encoding.special_tokens_mask == expected["special_tokens_mask"]
        for skip in (True, False):
            assert ours.decode(encoding.input_ids, skip) == reference.decode(
                encoding.input_ids, skip_special_tokens=skip
            )
    pad_left = {"padding": True, "padding_side": "left"} if ours.pad_token_id is not None else {}
    expected = reference(texts[:6], texts[6:12], truncation=True, max_length=16, **pad_left)
    if pad_left:
        batch = ours(texts[:6], texts[6:12], max_length=16, padding_side="left")
        assert batch.input_ids.tolist() == expected["input_ids"]
        assert batch.attention_mask.tolist() == expected["attention_mask"]
        if "token_type_ids" in expected:
            assert batch.token_type_ids.tolist() == expected["token_type_ids"]
    else:
        rows = [
            ours.encode(a, b, 16).input_ids for a, b in zip(texts[:6], texts[6:12], strict=True)
        ]
        assert rows == expected["input_ids"]


@pytest.mark.parametrize(("kind", "style"), ALL)
def test_the_reference_library_loads_what_we_save(kind: str, style: str, tmp_path: Path) -> None:
    tokenizer = trained(kind, style)
    tokenizer.save_pretrained(tmp_path)
    agree(tokenizer, AutoTokenizer.from_pretrained(tmp_path))
    again = Tokenizer.from_pretrained(tmp_path)
    agree(again, AutoTokenizer.from_pretrained(tmp_path))
    assert again.special_ids == tokenizer.special_ids
    assert again.sentinel_ids == tokenizer.sentinel_ids
    # Beside a model's config.json, as in a checkpoint, nothing changes.
    model_type = {"bert": "bert", "gpt": "gpt2", "t5": "t5"}[style]
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    agree(tokenizer, AutoTokenizer.from_pretrained(tmp_path))
    reference = AutoTokenizer.from_pretrained(tmp_path)
    reference.save_pretrained(tmp_path / "theirs")
    agree(Tokenizer.from_pretrained(tmp_path / "theirs"), reference)


def bert_vocab(folder: Path) -> Path:
    characters = sorted(set("".join(TEXTS).lower()) - {" "})
    tokens = ["[PAD]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters]
    tokens += [f"##{c}" for c in characters] + ["play", "##ing", "##er"]
    path = folder / "vocab.txt"
    path.write_text("\n".join(tokens) + "\n", encoding="utf-8")
    return path


def gpt2_files(folder: Path) -> tuple[Path, Path]:
    model = json.loads(trained("bpe", "gpt")._pipeline.backend.to_str())["model"]
    vocab = [t for t in model["vocab"] if not t.startswith("<") or len(t) == 1]
    vocab.append("<|endoftext|>")
    encoder, merges = folder / "vocab.json", folder / "merges.txt"
    encoder.write_text(json.dumps({token: i for i, token in enumerate(vocab)}), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in model["merges"])]
    merges.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return encoder, merges


def reference_tokenizer(name: str, folder: Path) -> Any:
    unigram = json.loads(trained("unigram", "t5")._pipeline.backend.to_str())["model"]["vocab"]
    if name == "bert":
        return transformers.BertTokenizer(vocab=str(bert_vocab(folder)), do_lower_case=True)
    if name == "bert-cased":
        return transformers.BertTokenizer(vocab=str(bert_vocab(folder)), do_lower_case=False)
    if name == "gpt2":
        vocab, merges = gpt2_files(folder)
        return transformers.GPT2Tokenizer(vocab=str(vocab), merges=str(merges))
    if name == "t5":
        return transformers.T5Tokenizer(vocab=[tuple(entry) for entry in unigram], extra_ids=7)
    head = [("<pad>", 0.0), ("<unk>", 0.0), ("[CLS]", 0.0), ("[SEP]", 0.0), ("[MASK]", 0.0)]
    return transformers.AlbertTokenizer(vocab=head + [tuple(entry) for entry in unigram[3:]])


@pytest.mark.parametrize("name", ["bert", "bert-cased", "gpt2", "t5", "albert"])
def test_we_load_what_the_reference_library_saves(name: str, tmp_path: Path) -> None:
    reference = reference_tokenizer(name, tmp_path)
    saved = tmp_path / "saved"
    reference.save_pretrained(saved)
    ours = Tokenizer.from_pretrained(saved)
    agree(ours, reference)
    if name == "t5":
        assert ours.sentinel_ids == [
            reference.convert_tokens_to_ids(f"<extra_id_{n}>") for n in range(7)
        ]
    elif (
        name != "albert"
    ):  # roles are known where tokenizer_config.json says nothing, as on the hub
        (saved / "tokenizer_config.json").write_text("{}")
        agree(Tokenizer.from_pretrained(saved), reference)
    ours.save_pretrained(tmp_path / "again")
    agree(Tokenizer.from_pretrained(tmp_path / "again"), reference)
    agree(ours, AutoTokenizer.from_pretrained(tmp_path / "again"))


@pytest.mark.parametrize("lowercase", [True, False])
def test_vocab_txt_alone(lowercase: bool, tmp_path: Path) -> None:
    path = bert_vocab(tmp_path)
    reference = transformers.BertTokenizer(vocab=str(path), do_lower_case=lowercase)
    agree(Tokenizer.from_bert_vocab(path, lowercase=lowercase), reference)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lowercase}))
    agree(Tokenizer.from_pretrained(tmp_path), reference)
    Tokenizer.from_pretrained(tmp_path).save_pretrained(tmp_path / "saved")
    agree(Tokenizer.from_pretrained(tmp_path / "saved"), reference)
    agree(Tokenizer.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path / "saved"))


def test_vocab_json_and_merges_alone(tmp_path: Path) -> None:
    reference = reference_tokenizer("gpt2", tmp_path)
    tokenizer = Tokenizer.from_pretrained(tmp_path)
    agree(tokenizer, reference)
    # No padding token: the end token fills, and the mask hides it.
    batch = tokenizer(["a", "a b c"])
    assert tokenizer.pad_token_id is None
    assert batch.input_ids[0, -1] == tokenizer.eos_token_id
    assert batch.attention_mask[0].tolist()[-1] == 0
    assert tokenizer.encode("").input_ids == []


@given(texts=st.lists(MIXED, min_size=1, max_size=4))
def test_a_batch_is_its_texts_one_by_one(texts: list[str]) -> None:
    tokenizer = trained("wordpiece", "bert")
    batch = tokenizer(texts)
    for row, mask, text in zip(batch.input_ids, batch.attention_mask, texts, strict=True):
        assert row[mask == 1].tolist() == tokenizer.encode(text).input_ids


def test_saving_again_writes_the_same_bytes_and_leaves_no_other_file(tmp_path: Path) -> None:
    def digest(folder: Path) -> dict[str, str]:
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}

    tokenizer = trained("unigram", "t5")
    tokenizer.save_pretrained(tmp_path / "a")
    tokenizer.save_pretrained(tmp_path / "a")
    Tokenizer.from_pretrained(tmp_path / "a").save_pretrained(tmp_path / "b")
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    assert set(digest(tmp_path / "a")) == {
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
    }


def test_a_tokenizer_can_be_copied_as_worker_processes_do() -> None:
    tokenizer = trained("wordpiece", "bert")
    again = copy.deepcopy(tokenizer)
    assert again.encode(TEXTS[2]).input_ids == tokenizer.encode(TEXTS[2]).input_ids


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe"])
def test_corrupt_files_are_named(file: str, content: bytes, tmp_path: Path) -> None:
    trained("character", "bert").save_pretrained(tmp_path)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(CheckpointError, match=file):
        Tokenizer.from_pretrained(tmp_path)


def test_missing_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match="holds no tokeniser"):
        Tokenizer.from_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="no folder"):
        Tokenizer.from_pretrained(tmp_path / "absent")
    with pytest.raises(CheckpointError, match=r"no file .*vocab\.txt"):
        Tokenizer.from_bert_vocab(tmp_path / "vocab.txt", lowercase=True)
    (tmp_path / "vocab.txt").write_text("a\nb\n")
    with pytest.raises(CheckpointError, match=r"lacks \[CLS\]"):
        Tokenizer.from_pretrained(tmp_path)
    (tmp_path / "vocab.txt").unlink()
    encoder, merges = gpt2_files(tmp_path)
    merges.write_text("#version: 0.2\nno such pair of tokens\n")
    with pytest.raises(CheckpointError, match=r"merges\.txt is corrupt"):
        Tokenizer.from_gpt2_files(encoder, merges)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="HF_ENDPOINT"):
        Tokenizer.from_pretrained("no-one/no-such-model")
