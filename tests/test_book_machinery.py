"""What the book is built with: search, docstrings, formulas, browser libraries, worked numbers."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import math
import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import fetch_assets
import pytest
import torch
from browser import serve
from docutils import nodes
from docutils.utils import new_document
from hypothesis import given
from hypothesis import strategies as st

from chapter10 import Bert, BertConfig

BOOK = Path(__file__).resolve().parent.parent / "book"


def extension(name: str) -> ModuleType:
    """Import one of the book's Sphinx extensions, which are no package."""
    spec = importlib.util.spec_from_file_location(name, BOOK / "_ext" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


# ---- Chinese search, the index side -------------------------------------------------------------


def test_search_terms_of_a_mixed_sentence() -> None:
    terms = extension("chinese_search").SearchChinese({}).split("BERT 是双向编码器。")
    assert sorted(terms) == sorted(
        ["BERT", *"是双向编码器", "是双", "双向", "向编", "编码", "码器"]
    )


@given(page=st.text(alphabet="双向编码器词元，。 aB1\n", min_size=1), data=st.data())
def test_a_page_holds_every_pair_of_what_it_holds(page: str, data: st.DataObject) -> None:
    """Whatever run of characters a reader copies from a page, its search terms are the page's."""
    split = extension("chinese_search").SearchChinese({}).split
    start = data.draw(st.integers(0, len(page) - 1))
    query = page[start : data.draw(st.integers(start + 1, len(page)))]
    han = [term for term in split(query) if "\u4e00" <= term[0] <= "\u9fff"]
    assert set(han) <= set(split(page))


def test_index_and_query_know_the_same_characters() -> None:
    script = (BOOK / "_static" / "search-chinese.js").read_text(encoding="utf-8")
    ranges = extension("chinese_search").HAN.encode("unicode_escape").decode("ascii")
    assert f'"{ranges}"' in script


# ---- docstrings and formulas --------------------------------------------------------------------


def test_field_lines_become_a_list_and_prose_stays() -> None:
    lines = ["What it is.", "", "ratio: a share", "    of all", "a, b: two", "", "Note that: no"]
    assert extension("api_reference").list_fields(lines) == [
        "What it is.",
        "",
        "- **ratio**: a share",
        "  of all",
        "- **a, b**: two",
        "",
        "Note that: no",
    ]


def test_punctuation_stays_with_its_formula() -> None:
    document = new_document("page")
    document += nodes.paragraph("", "", nodes.math("", "x"), nodes.Text("），和 "))
    extension("chinese_typography").KeepPunctuation(document).apply()
    kept = document[0][0]
    assert kept["classes"] == ["unbroken"]
    assert kept.astext() == "x），"
    assert document.astext() == "x），和 "


# ---- browser libraries --------------------------------------------------------------------------


def archive_of(files: dict[str, str]) -> bytes:
    """Return an npm archive that holds ``files``."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return stream.getvalue()


def package_of(archive: bytes) -> fetch_assets.Package:
    """Return the record of a package whose archive is ``archive``."""
    digest = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    return fetch_assets.Package(
        name="@scope/thing",
        version="1.0.0",
        integrity=f"sha512-{digest}",
        files=("dist/*.js",),
        strip="dist/",
        folder="thing",
    )


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A local npm registry and a machine without npm; give the folder of the registry."""
    folder = tmp_path / "registry"
    (folder / "@scope/thing/-").mkdir(parents=True)
    monkeypatch.setattr(fetch_assets.shutil, "which", lambda _: None)
    with serve(folder) as address:
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", address)
        yield folder


def test_assets_are_fetched_once_without_npm(registry: Path, tmp_path: Path) -> None:
    archive = archive_of({"package/dist/a.js": "1", "package/secret.txt": "2"})
    tarball = registry / "@scope/thing/-/thing-1.0.0.tgz"
    tarball.write_bytes(archive)
    cache = fetch_assets.fetch(tmp_path / "cache", (package_of(archive),))
    found = [path.name for path in (cache / "vendor" / "thing").iterdir()]
    assert sorted(found) == ["STAMP", "a.js"]
    tarball.unlink()  # a second run must not ask for it again
    fetch_assets.fetch(tmp_path / "cache", (package_of(archive),))


def test_altered_archive_is_refused_and_nothing_kept(registry: Path, tmp_path: Path) -> None:
    archive = archive_of({"package/dist/a.js": "1"})
    altered = archive_of({"package/dist/a.js": "evil"})
    (registry / "@scope/thing/-/thing-1.0.0.tgz").write_bytes(altered)
    with pytest.raises(fetch_assets.AssetError, match=r"corrupt or was altered"):
        fetch_assets.fetch(tmp_path / "cache", (package_of(archive),))
    assert not (tmp_path / "cache").exists()


def test_path_out_of_the_folder_is_refused(registry: Path, tmp_path: Path) -> None:
    archive = archive_of({"package/dist/../../../a.js": "1"})
    (registry / "@scope/thing/-/thing-1.0.0.tgz").write_bytes(archive)
    with pytest.raises(fetch_assets.AssetError, match="unsafe path"):
        fetch_assets.fetch(tmp_path / "cache", (package_of(archive),))
    assert not list(tmp_path.rglob("a.js"))


@pytest.mark.usefixtures("registry")
def test_without_a_network_one_sentence_says_what_would_do(tmp_path: Path) -> None:
    with pytest.raises(fetch_assets.AssetError, match=r"could not be fetched .*Connect to the"):
        fetch_assets.fetch(tmp_path / "cache", (package_of(b""),))


def test_every_pin_is_exact() -> None:
    for package in fetch_assets.PACKAGES:
        assert re.fullmatch(r"\d+\.\d+\.\d+", package.version)
        kind, _, digest = package.integrity.partition("-")
        assert kind == "sha512"
        assert len(base64.b64decode(digest)) == 64


# ---- numbers of the refresher -------------------------------------------------------------------


def test_refresher_works_its_example_rightly() -> None:
    """The numbers that the page works out by hand are those of the formula."""
    page = (BOOK / "refresher.md").read_text(encoding="utf-8")
    keys = torch.tensor([[1.0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1]])

    def weights(query: list[float], scale: float = math.sqrt(4), visible: int = 3) -> list[str]:
        scores = keys[:visible] @ torch.tensor(query) / scale
        return [f"{weight:.3f}" for weight in scores.softmax(0).tolist()]

    def as_tex(numbers: list[str]) -> str:
        return ",\\ ".join(numbers)

    query = [2.0, 0, 0, 0]
    for shown in (weights(query), weights([0, 2.0, 0, 0]), weights(query, scale=1.0)):
        assert f"权重是 ${as_tex(shown)}$" in page
    masked = weights(query, visible=2)
    assert all(f"={weight}$" in page for weight in masked)
    assert f"$({as_tex([*masked, '0', '0'])})$" in page


def test_refresher_counts_the_parameters_of_a_layer() -> None:
    def count(layers: int) -> int:
        with torch.device("meta"):
            model = Bert(BertConfig(num_hidden_layers=layers))
        return sum(parameter.numel() for parameter in model.parameters())

    a_layer = count(2) - count(1)
    assert a_layer == 12 * 768**2 + 13 * 768
    assert f"{a_layer:,}" in (BOOK / "refresher.md").read_text(encoding="utf-8")
