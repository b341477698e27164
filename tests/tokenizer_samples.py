"""Texts and trained tokenisers that the tests of tokenisers share."""

from __future__ import annotations

import itertools
import re

from hypothesis import strategies as st

from chapter10.tokenizers import Tokenizer

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
