"""Cut the book's font out of Noto Sans CJK SC, so that figures show Chinese on any machine.

Example: ``python tools/make_font.py NotoSansCJK-Regular.ttc`` (Debian's package fonts-noto-cjk has
that file) writes ``chapter10/fonts/Chapter10Sans-Regular.otf``: all characters that the book and
the package use, and the commonest ones, about 4,300 in all. The same font file, the same jieba and
the same book give the same result. Run it again when ``tests/test_plotting.py`` finds a character
that is missing.

The subset gets a name of its own, so that it can never be taken for a font of the system.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import jieba
from fontTools import subset
from fontTools.ttLib import TTCollection, TTFont

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "chapter10" / "fonts" / "Chapter10Sans-Regular.otf"
SOURCE_NAME = "Noto Sans CJK SC"
FAMILY = "Chapter10 Sans"
MAX_BYTES = 1_000_000
NUM_CHINESE = 4_300

SYMBOL_BLOCKS = (
    (0x20, 0x7F),  # ASCII
    (0xA0, 0x100),  # Latin letters with accents
    (0x391, 0x3CA),  # Greek
    (0x2010, 0x2028),  # dashes, quotes, dots
    (0x2030, 0x203C),
    (0x2190, 0x219A),  # arrows
    (0x21D2, 0x21D5),
    (0x2200, 0x2270),  # mathematics; what Noto lacks comes from matplotlib's DejaVu Sans
    (0x2460, 0x2474),  # numbers in circles
    (0x2580, 0x2600),  # blocks, squares, triangles
    (0x2605, 0x2607),
    (0x2713, 0x2715),  # ticks
    (0x3000, 0x3018),  # Chinese punctuation
    (0xFF01, 0xFF0F),  # full-width punctuation
    (0xFF1A, 0xFF20),
)


def book_characters() -> set[str]:
    """Characters of the book's sources and of the package: whatever a figure may draw."""
    found: set[str] = set()
    for folder, pattern in (("book", "*.ipynb"), ("book", "*.md"), ("chapter10", "*.*")):
        for path in sorted((ROOT / folder).rglob(pattern)):
            if path.suffix == ".ipynb":
                cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
                found.update(*("".join(cell["source"]) for cell in cells))
            elif path.suffix in (".md", ".py", ".yml", ".json", ".txt", ".tsv"):
                found.update(path.read_text(encoding="utf-8"))
    return {char for char in found if char.isprintable()}


def gb2312_common() -> Iterator[str]:
    """The 3,755 characters of GB 2312's first level, which are those in common use."""
    for row in range(0xB0, 0xD8):
        for column in range(0xA1, 0xFF):
            try:
                yield bytes((row, column)).decode("gb2312")
            except UnicodeDecodeError:  # the last row is not full
                continue


def frequent_characters() -> list[str]:
    """Characters by how often they occur in jieba's word list, the most frequent first."""
    counts: Counter[str] = Counter()
    for line in (Path(jieba.__file__).parent / "dict.txt").read_text("utf-8").splitlines():
        word, frequency, *_ = line.split(" ")
        for char in word:
            counts[char] += int(frequency)
    return sorted((c for c in counts if is_chinese(c)), key=lambda c: (-counts[c], c))


def is_chinese(char: str) -> bool:
    """Tell whether a character is a Chinese one."""
    return "一" <= char <= "鿿"


def wanted_characters() -> set[str]:
    """Everything that goes into the font."""
    symbols = {chr(code) for start, stop in SYMBOL_BLOCKS for code in range(start, stop)}
    chosen = symbols | book_characters() | set(gb2312_common())
    room = NUM_CHINESE - sum(map(is_chinese, chosen))
    extra = [char for char in frequent_characters() if char not in chosen]
    return chosen | set(extra[: max(0, room)])


def source_font(path: Path) -> TTFont:
    """Open the simplified-Chinese face in a collection.

    Raises:
        LookupError: the file holds no such face.
    """
    for font in TTCollection(path):
        if font["name"].getDebugName(4) == SOURCE_NAME:
            return font
    raise LookupError(f"{path} holds no {SOURCE_NAME}; take NotoSansCJK-Regular.ttc")


def cut(font: TTFont, characters: set[str]) -> None:
    """Reduce the font to these characters, without hints, features and foreign names."""
    options = subset.Options()
    options.layout_features = []
    options.hinting = False
    options.drop_tables += ["BASE", "GSUB", "GPOS", "VORG", "vhea", "vmtx", "DSIG"]
    options.name_IDs = [0, 1, 2, 4, 5, 6, 7, 13, 14]
    options.notdef_outline = True
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[ord(char) for char in characters])
    subsetter.subset(font)
    names = {1: FAMILY, 4: FAMILY, 6: "Chapter10Sans-Regular"}
    for record in font["name"].names:
        if record.nameID in names:
            record.string = names[record.nameID]
    cff = font["CFF "].cff
    cff.fontNames = [names[6]]
    cff.topDictIndex[0].FullName = cff.topDictIndex[0].FamilyName = FAMILY
    font["head"].modified = font["head"].created  # the same input gives the same file


def main() -> int:
    """Write the font; return 1 with a sentence where that is impossible."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path, help="NotoSansCJK-Regular.ttc")
    source = parser.parse_args().source
    if not source.is_file():
        print(f"error: there is no file {source}", file=sys.stderr)
        return 1
    font = source_font(source)
    characters = wanted_characters()
    cut(font, characters)
    font.recalcTimestamp = False
    TARGET.parent.mkdir(exist_ok=True)
    font.save(TARGET)
    size = TARGET.stat().st_size
    absent = sorted(characters - {chr(code) for code in font.getBestCmap()})
    print(f"{TARGET.name}: {len(characters) - len(absent)} characters, {size} bytes")
    print(f"not in {SOURCE_NAME}: {' '.join(absent)}")
    return int(size > MAX_BYTES)


if __name__ == "__main__":
    sys.exit(main())
