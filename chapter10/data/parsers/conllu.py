"""CoNLL-U (https://universaldependencies.org/format.html): words, parts of speech, offsets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from chapter10.data.errors import MalformedError
from chapter10.data.examples import TaggedSentence
from chapter10.data.parsers.text import read_lines

COLUMNS = 10


def read_conllu(path: Path) -> Iterator[TaggedSentence]:
    """The sentences of a file; the tag is UPOS."""
    return parse_conllu(read_lines(path), path)


def parse_conllu(lines: Iterable[str], path: Path | str) -> Iterator[TaggedSentence]:
    """Sentences from lines; `path` is what errors name.

    Empty nodes (8.1) are left out. A multiword range (3-4 don't) gives the surface form whose
    range in the text its words share. The text is rebuilt from the forms and `SpaceAfter=No` and
    must be `# text` where that is given, a space standing for any other white space.
    """
    sentence = _Sentence(path)
    number = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            if sentence.tokens:
                yield sentence.finish(number)
            sentence = _Sentence(path)
        elif line.startswith("#"):
            sentence.comment(line)
        else:
            sentence.word(number, line)
    if sentence.tokens:
        yield sentence.finish(number + 1)


class _Sentence:
    """A sentence while it is read."""

    def __init__(self, path: Path | str) -> None:
        self.path = path
        self.id = ""
        self.expected: str | None = None
        self.text = ""
        self.space = False  # whether a space stands before the next surface form
        self.tokens: list[str] = []
        self.tags: list[str] = []
        self.offsets: list[tuple[int, int]] = []
        self.range_end = 0  # last word of the multiword range being read
        self.range_offsets = (0, 0)

    def comment(self, line: str) -> None:
        key, equals, value = line[1:].partition("=")
        if equals and key.strip() == "text":
            self.expected = value.strip()
        elif equals and key.strip() == "sent_id":
            self.id = value.strip()

    def word(self, number: int, line: str) -> None:
        fields = line.split("\t")
        if len(fields) != COLUMNS:
            raise MalformedError(
                self.path,
                number,
                f"a word line has {COLUMNS} tab-separated columns, this one {len(fields)}",
            )
        index, form, tag, misc = fields[0], fields[1], fields[3], fields[9]
        if "." in index:
            return
        spaced = "SpaceAfter=No" not in misc.split("|")
        first, dash, last = index.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise MalformedError(self.path, number, f"{index!r} is no word number")
        if int(first) != len(self.tokens) + 1:
            raise MalformedError(self.path, number, f"word {index} follows word {len(self.tokens)}")
        if dash:
            self.range_end = int(last)
            self.range_offsets = self._surface(form, spaced)
            return
        inside = int(first) <= self.range_end
        self.offsets.append(self.range_offsets if inside else self._surface(form, spaced))
        self.tokens.append(form)
        self.tags.append(tag)

    def _surface(self, form: str, spaced: bool) -> tuple[int, int]:
        start = len(self.text) + self.space
        self.text += " " * self.space + form
        self.space = spaced
        return start, len(self.text)

    def finish(self, number: int) -> TaggedSentence:
        if self.range_end > len(self.tokens):
            raise MalformedError(
                self.path, number, f"a range ends at word {self.range_end}, the sentence before it"
            )
        if self.expected is not None and _plain(self.expected) != _plain(self.text):
            raise MalformedError(
                self.path,
                number - 1,
                f"the words give {self.text!r}, but '# text' says {self.expected!r}",
            )
        return TaggedSentence(
            tuple(self.tokens), tuple(self.tags), self.text, tuple(self.offsets), self.id
        )


def _plain(text: str) -> str:
    return " ".join(text.split())
