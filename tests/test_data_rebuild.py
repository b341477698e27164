"""Corpora built from an upstream archive: small archives of our own in the upstream layout."""

import hashlib
import json
import lzma
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chapter10.data import (
    CorruptFileError,
    DataFile,
    Dataset,
    MalformedError,
    Recipe,
    fetch,
    load,
    verify,
)

POEMS = {
    "全唐诗/poet.tang.1000.json": [
        {"title": "二", "author": "乙", "paragraphs": ["山高。", "月小。"]}
    ],
    "全唐诗/poet.tang.0.json": [{"title": "一", "author": "甲", "paragraphs": ["水長。"]}],
    "全唐诗/poet.tang.10000.json": [{"title": "三", "author": "丙", "paragraphs": []}],
    "全唐诗/poet.song.0.json": [{"title": "不", "author": "不", "paragraphs": ["不。"]}],
    "全唐诗/error/poet.tang.0.json": [{"title": "不", "author": "不", "paragraphs": ["不。"]}],
}
# path order is the order of names, not of numbers: 0, 1000, 10000
POEM_LINES = ["一\t甲\t水長。", "二\t乙\t山高。月小。", "三\t丙\t"]

KING = """Some Bible

Book one

Chapter 1

[1] A first  verse.
[2] A second.

Chapter 2

[1] A third.
"""
UNION = """<?xml version="1.0" encoding="UTF-8"?>
<Book number="01" name="书"><Chapter number="1"><Line number="1">头\u3000一节。</Line>
<Line number="2"> </Line></Chapter>
<Chapter number="12"><Line number="3">末节。</Line></Chapter></Book>
"""
CHAPTERS = {
    "双语数据/乙书/上/source.txt": "古三。\n",
    "双语数据/乙书/上/target.txt": "今三。\n",
    "双语数据/丁书/source.txt": "只有古文。\n",
    "双语数据/丙书/上/target.txt": "只有今文。\n",
    "双语数据/一书/上/source.txt": "古一。\n古二。\n",
    "双语数据/一书/上/target.txt": "今一。\n今二。\n",
    "双语数据/一书/上/bitext.txt": "别的。\n",
    "双语数据/一书/上/数据来源.txt": "别的。\n",
}
CASES = {
    "tang_poems": (
        {name: json.dumps(poems, ensure_ascii=False) for name, poems in POEMS.items()},
        POEM_LINES,
    ),
    "bible_en": (
        {
            "ShenJingJava/kjvtemp/01.txt": KING,
            "ShenJingJava/kjvtemp/02.txt": "Some Bible\n\nBook two\n",
        },
        ["01.001.001\tA first verse.", "01.001.002\tA second.", "01.002.001\tA third."],
    ),
    "bible_zh": (
        {"ShenJingJava/data/hhb/hhb01.xml": UNION},
        ["01.001.001\t头 一节。", "01.012.003\t末节。"],
    ),
    "classical_modern_source": (CHAPTERS, ["古一。", "古二。", "古三。"]),
    "classical_modern_target": (CHAPTERS, ["今一。", "今二。", "今三。"]),
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("CHAPTER10_DATA", str(folder))
    return folder


def corpus(recipe: str, lines: list[str]) -> Dataset:
    text = "".join(f"{line}\n" for line in lines).encode()
    file = DataFile(
        path="corpora/toy.txt.xz",
        size=100,
        sha256="0" * 64,  # of another packing: the text's hash decides
        sha256_unpacked=hashlib.sha256(text).hexdigest(),
    )
    return Dataset(
        name="toy",
        title="toy",
        parser="lines",
        languages=("zh",),
        licence="CC0",
        redistributable="yes",
        use="tests",
        citation="none",
        files=(file,),
        splits={"all": (file.path,)},
        recipe=Recipe(name=recipe, repository="owner/books", commit="c0ffee" * 6 + "c0ff"),
    )


def serve(members: Mapping[str, str | bytes], cut: int = 0) -> Any:
    def downloader(url: str, target: str, client: Any) -> None:
        assert url == f"https://github.com/owner/books/archive/{'c0ffee' * 6}c0ff.zip"
        with zipfile.ZipFile(target, "w") as archive:
            for name, content in members.items():
                archive.writestr(f"books-c0ffee/{name}", content)
        if cut:
            Path(target).write_bytes(Path(target).read_bytes()[:-cut])

    return downloader


def never(url: str, target: str, client: Any) -> None:
    raise AssertionError(f"{url} was asked for")


@pytest.mark.parametrize("recipe", CASES)
def test_a_corpus_is_built_once_from_its_archive(recipe: str, cache: Path) -> None:
    members, lines = CASES[recipe]
    dataset = corpus(recipe, lines)
    (path,) = fetch(dataset, downloader=serve(members))
    assert lzma.decompress(path.read_bytes()).decode().splitlines() == lines
    assert load(dataset) == lines
    assert verify(dataset).ok
    assert fetch(dataset, downloader=never) == [path]
    assert [entry.name for entry in path.parent.iterdir()] == ["toy.txt.xz"]


def test_the_archive_is_downloaded_once_for_two_corpora(cache: Path) -> None:
    members, lines = CASES["classical_modern_source"]
    (path,) = fetch(corpus("classical_modern_source", lines), downloader=serve(members))
    path.unlink()
    fetch(corpus("classical_modern_target", CASES["classical_modern_target"][1]), downloader=never)


def test_another_text_than_the_registered_is_not_kept(cache: Path) -> None:
    members, lines = CASES["bible_zh"]
    with pytest.raises(
        CorruptFileError, match=r"not the registered one: expected .* built"
    ) as caught:
        fetch(corpus("bible_zh", [*lines, "more"]), downloader=serve(members))
    assert "bring the file itself" in str(caught.value)
    assert list((cache / "corpora").iterdir()) == []


def test_a_truncated_archive_is_named(cache: Path) -> None:
    members, lines = CASES["bible_zh"]
    with pytest.raises(CorruptFileError, match=r"not a whole zip archive .*delete it"):
        fetch(corpus("bible_zh", lines), downloader=serve(members, cut=30))
    assert not (cache / "corpora").exists() or not list((cache / "corpora").iterdir())


@pytest.mark.parametrize(
    ("recipe", "members", "problem"),
    [
        ("tang_poems", {"json/poet.tang.0.json": '[{"title": "一"'}, "not a list of poems"),
        ("tang_poems", {"json/poet.tang.0.json": '[{"title": "一"}]'}, "not a list of poems"),
        ("bible_zh", {"ShenJingJava/data/hhb/hhb01.xml": "<Book>"}, "not XML"),
        ("bible_en", {"ShenJingJava/kjvtemp/01.txt": b"\xff\xfe"}, "not UTF-8"),
    ],
)
def test_a_member_that_breaks_its_format_is_named(
    recipe: str, members: dict[str, str | bytes], problem: str, cache: Path
) -> None:
    (member,) = members
    with pytest.raises(MalformedError, match=f"{member}.*{problem}"):
        fetch(corpus(recipe, ["x"]), downloader=serve(members))
    assert list((cache / "corpora").iterdir()) == []
