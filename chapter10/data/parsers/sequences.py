"""DNA and proteins: FASTA, the promoter files, UCI's promoters, FLIP's zips."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from chapter10.data.errors import MalformedError
from chapter10.data.examples import LabelledSequence
from chapter10.data.parsers.archive import member_text
from chapter10.data.parsers.text import read_lines

NUCLEOTIDES = frozenset("ACGT")


def parse_fasta(lines: Iterable[str], path: Path | str) -> Iterator[tuple[int, str, str]]:
    """(line of the header, header, sequence) of each record; a sequence may take several lines."""
    header: str | None = None
    start = number = 0
    parts: list[str] = []
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        if line.startswith(">"):
            if header is not None:
                yield _record(path, start, header, parts)
            header, start, parts = line[1:], number, []
        elif line and header is None:
            raise MalformedError(path, number, f"a sequence before any '>' header: {line[:40]!r}")
        elif line:
            parts.append(line)
    if header is not None:
        yield _record(path, start, header, parts)


def _record(path: Path | str, start: int, header: str, parts: list[str]) -> tuple[int, str, str]:
    if not parts:
        raise MalformedError(path, start, f"record {header[:40]!r} has no sequence")
    return start, header, "".join(parts)


def read_promoters(path: Path, split: str) -> Iterator[LabelledSequence]:
    """FASTA of DNA, 81 bases a record.

    The label comes from the file's name ("binary": promoter or other; "sigma": sigma24 to sigma70)
    or, in "independent", from the header, which is the number of the sigma factor.
    """
    for number, header, sequence in parse_fasta(read_lines(path), path):
        if split == "independent":
            label = f"sigma{header}"
        elif split == "sigma":
            label = path.stem.removesuffix("promoter")
        else:
            label = "promoter" if path.stem.startswith("positive") else "other"
        yield LabelledSequence(_dna(path, number, sequence), label, id=header)


def read_uci_promoters(path: Path) -> Iterator[LabelledSequence]:
    """`class,name,sequence`, class + (promoter) or -."""
    for number, line in enumerate(read_lines(path), 1):
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != 3 or fields[0] not in ("+", "-"):
            raise MalformedError(path, number, f"expected '+|-,name,sequence', found {line[:40]!r}")
        label = "promoter" if fields[0] == "+" else "other"
        yield LabelledSequence(_dna(path, number, fields[2]), label, id=fields[1])


def _dna(path: Path, number: int, sequence: str) -> str:
    sequence = sequence.upper()
    if wrong := set(sequence) - NUCLEOTIDES:
        raise MalformedError(path, number, f"{sorted(wrong)} in a DNA sequence (A, C, G, T)")
    return sequence


def read_flip(path: Path, split: str, notes: Counter[str]) -> Iterator[LabelledSequence]:
    """A FLIP zip: `splits/SPLIT.fasta` holds a label for each residue and the subset in the header.

    Sequences come from `splits/sequences.fasta`, the mask of the residues that count from
    `splits/mask.fasta` where there is one. Proteins the split lists more than once, and those it
    lists in more than one subset, are counted in `notes` and kept, as the published split has them.
    """
    sequences = _by_id(path, "sequences")
    masks = _by_id(path, "mask") if split == "sampled" else {}
    place = f"{path}!splits/{split}.fasta"
    lines = member_text(path, f"splits/{split}.fasta").splitlines()
    subsets: dict[str, set[str]] = {}
    for number, header, label in parse_fasta(lines, place):
        match = re.fullmatch(r"(\S+) SET=(train|test) VALIDATION=(True|False)", header)
        if match is None:
            raise MalformedError(place, number, f"expected 'id SET=… VALIDATION=…': {header!r}")
        name = match[1]
        sequence, mask = sequences.get(name, ""), masks.get(name, "")
        if len(sequence) != len(label) or (masks and len(mask) != len(label)):
            raise MalformedError(
                place,
                number,
                f"{name}: {len(label)} labels, but {len(sequence)} residues"
                + (f" and {len(mask)} mask characters" if masks else ""),
            )
        subset = "validation" if match[3] == "True" else match[2]
        if name in subsets:
            notes["proteins listed again"] += 1
            notes["of these in another subset (upstream leak)"] += subset not in subsets[name]
        subsets.setdefault(name, set()).add(subset)
        yield LabelledSequence(sequence, label, id=name, subset=subset, mask=mask)


def _by_id(path: Path, member: str) -> dict[str, str]:
    place = f"{path}!splits/{member}.fasta"
    lines = member_text(path, f"splits/{member}.fasta").splitlines()
    found: dict[str, str] = {}
    for number, header, content in parse_fasta(lines, place):
        if found.setdefault(header, content) != content:
            raise MalformedError(place, number, f"{header} occurs twice with different content")
    return found
