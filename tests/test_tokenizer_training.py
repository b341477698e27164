"""Training tokenisers: sizes, the same result at every run, what is refused."""

from __future__ import annotations

import hashlib
import itertools
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tokenizer_samples import ALL, KINDS, TEXTS
from tokenizers import Tokenizer as Backend
from tokenizers import models, trainers

from chapter10.tokenizers import Tokenizer
from chapter10.tokenizers.training import train_pipeline


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
    script = "from test_tokenizer_training import vocabularies; print(vocabularies())"
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
