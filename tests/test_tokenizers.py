"""Tokenisers: nothing is lost but what is said, and special tokens stay apart."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tokenizer_samples import ALL, KINDS, KNOWN, MIXED, STYLES, TEXTS, trained

from chapter10.tokenizers import Tokenizer


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


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_what_the_clause_tokenisers_lose(kind: str) -> None:
    assert trained(kind, "t5").normalize(" a▁▁b \n▁e\u0301 ") == "a b é"


def test_each_kind_cuts_its_own_units() -> None:
    text = "小猫 players"
    assert trained("character", "bert").tokenize(text) == ["小", "猫", "players"]
    pieces = trained("wordpiece", "bert").tokenize("小猫 playing")
    assert pieces[:2] == ["小", "猫"]
    assert "".join(p.removeprefix("##") for p in pieces[2:]) == "playing"
    assert trained("bpe", "t5").tokenize("小猫") == ["▁小猫"]
    assert trained("unigram", "t5").tokenize("小猫")[0].startswith("▁")
    assert "".join(trained("bpe", "gpt").tokenize(" a")).startswith("Ġ")


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
