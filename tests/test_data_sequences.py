"""Parsers of sequences and tunes: what they read, and the error at the line that breaks it."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from chapter10.data import LabelledSequence, MalformedError
from chapter10.data.parsers import music, sequences

Write = Callable[..., Path]


# --- sequences ---------------------------------------------------------------------------------


def test_promoters(write: Write) -> None:
    path = write(">a_b|c\r\nacGt\r\nTT\r\n>d\nAC\n", "sigma24promoter.txt")
    assert list(sequences.read_promoters(path, "sigma")) == [
        LabelledSequence("ACGTTT", "sigma24", id="a_b|c"),
        LabelledSequence("AC", "sigma24", id="d"),
    ]
    assert {e.label for e in sequences.read_promoters(path, "binary")} == {"other"}
    path = write(">24\nAC\n", "independent.txt")
    assert next(sequences.read_promoters(path, "independent")).label == "sigma24"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("AC\n>a\nAC\n", "line 1: a sequence before any"),
        (">a\nAC\n>b\n>c\nAC\n", "line 3: record 'b' has no sequence"),
        (">a\nAC\n>b\n", "line 3: record 'b' has no sequence"),
        (">a\nAC\n>b\nANC\n", r"line 3: \['N'\] in a DNA sequence"),
    ],
)
def test_broken_fasta(write: Write, content: str, problem: str) -> None:
    with pytest.raises(MalformedError, match=problem):
        list(sequences.read_promoters(write(content), "binary"))


def test_uci_promoters(write: Write) -> None:
    assert list(sequences.read_uci_promoters(write("+,A,\t\tacg\n-, 7 ,ttt\n"))) == [
        LabelledSequence("ACG", "promoter", id="A"),
        LabelledSequence("TTT", "other", id="7"),
    ]
    for broken in ("?,A,acg", "+,A", "+,A,axg", ""):
        with pytest.raises(MalformedError, match="line 2"):
            list(sequences.read_uci_promoters(write(f"+,A,acg\n{broken}\n+,B,acg")))


FLIP = {
    "splits/sequences.fasta": ">p\nMKV\n>q\nGG\n",
    "splits/mask.fasta": ">p\n011\n>q\n11\n",
    "splits/sampled.fasta": ">p SET=train VALIDATION=True\nHHC\n>q SET=test VALIDATION=False\nEE\n",
    "splits/one.fasta": ">q SET=train VALIDATION=False\n01\n>q SET=test VALIDATION=False\n01\n",
}


def test_flip(pack: Write) -> None:
    notes: Counter[str] = Counter()
    assert list(sequences.read_flip(pack(FLIP), "sampled", notes)) == [
        LabelledSequence("MKV", "HHC", id="p", subset="validation", mask="011"),
        LabelledSequence("GG", "EE", id="q", subset="test", mask="11"),
    ]
    assert not notes
    found = list(sequences.read_flip(pack(FLIP), "one", notes))
    assert [(each.subset, each.mask) for each in found] == [("train", ""), ("test", "")]
    assert list(notes.values()) == [1, 1]


@pytest.mark.parametrize(
    ("split", "content", "problem"),
    [
        ("one", ">q SET=train VALIDATION=False\n011\n", "line 1: q: 3 labels, but 2 residues"),
        ("one", ">x SET=train VALIDATION=False\n01\n", "line 1: x: 2 labels, but 0 residues"),
        ("one", ">q SET=dev VALIDATION=False\n01\n", "line 1: expected 'id SET="),
        ("mask", ">p\n011\n>q\n1\n", "2 labels, but 2 residues and 1 mask"),
        ("sequences", ">p\nMKV\n>p\nMKK\n", "line 3: p occurs twice with different content"),
    ],
)
def test_broken_flip(pack: Write, split: str, content: str, problem: str) -> None:
    path = pack(FLIP | {f"splits/{split}.fasta": content})
    with pytest.raises(MalformedError, match=problem):
        list(sequences.read_flip(path, "one" if split == "one" else "sampled", Counter()))


# --- music -------------------------------------------------------------------------------------


def test_abc(write: Write) -> None:
    first = "\nX: 1\nT:A\n% made up\nM:6/8\nM:3/4\nK:Gm\nP:A\nGAB|c3|\nK:D\nd3|\n\n"
    content = first + "X:2\nM:4/4\nR:Reel\nK:C\nC4|\n"
    one, two = music.read_abc(write(content, "jigs.abc"))
    assert (one.key, one.meter, one.type, one.title) == ("Gm", "3/4", "jig", "A")
    assert one.abc.splitlines()[0] == "X: 1"
    assert one.abc.splitlines()[-1] == "d3|"
    assert (two.key, two.type, two.title) == ("C", "reel", "")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("X:1\nT:a\nM:4/4\nCDE\n", "line 1: the tune 'X:1' has no key"),
        ("X:1\nM:4/4\nK:C\nC\nX:2\nK:C\nC\n", "line 5: the tune 'X:2' has no metre"),
        ("T:a\nX:1\n", "line 1: expected 'X:'"),
    ],
)
def test_broken_abc(write: Write, content: str, problem: str) -> None:
    with pytest.raises(MalformedError, match=problem):
        list(music.read_abc(write(content, "reelsa-c.abc")))
