"""The cache: what is right is used, what is wrong is named, nothing partial stays."""

import errno
import hashlib
import http.server
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chapter10.data import (
    CorruptFileError,
    DataFile,
    Dataset,
    DownloadError,
    MissingFileError,
    fetch,
    listing,
    load,
    local_paths,
    registry,
    sample,
    verify,
)

CONTENT = "第一行\n第二行\n第三行\n".encode()
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("CHAPTER10_DATA", str(folder))
    return folder


def toy(url: str | None = "https://example.invalid/toy.txt", **more: Any) -> Dataset:
    file = DataFile(path="toy/toy.txt", size=len(CONTENT), sha256=SHA, url=url)
    fields: dict[str, Any] = {
        "name": "toy",
        "title": "toy",
        "parser": "lines",
        "languages": ("zh",),
        "licence": "CC0",
        "redistributable": "yes",
        "use": "tests",
        "citation": "none",
        "files": (file,),
        "splits": {"all": (file.path,)},
    }
    return Dataset(**(fields | more))


def put(cache: Path, content: bytes = CONTENT) -> Path:
    path = cache / "toy" / "toy.txt"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def files_under(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def never(url: str, target: str, client: Any) -> None:
    raise AssertionError(f"{url} was asked for")


def writes(content: bytes, then: Exception | None = None) -> Any:
    def downloader(url: str, target: str, client: Any) -> None:
        Path(target).write_bytes(content)
        if then is not None:
            raise then

    return downloader


def test_fetch_downloads_what_is_missing_and_load_parses_it(cache: Path) -> None:
    assert fetch(toy(), downloader=writes(CONTENT)) == [cache / "toy" / "toy.txt"]
    assert files_under(cache) == ["toy.txt"]
    assert load(toy()) == ["第一行", "第二行", "第三行"]
    assert fetch(toy(), downloader=never) == [cache / "toy" / "toy.txt"]


def test_a_right_file_is_used_from_a_read_only_cache(cache: Path) -> None:
    path = put(cache)
    for folder in (path.parent, cache):
        folder.chmod(0o555)
    before = [(entry, entry.stat().st_mtime_ns) for entry in (cache, path.parent, path)]
    assert fetch(toy(), downloader=never) == [path]
    assert verify(toy()).ok
    assert len(load(toy())) == 3
    assert before == [(entry, entry.stat().st_mtime_ns) for entry in (cache, path.parent, path)]
    for folder in (cache, path.parent):
        folder.chmod(0o755)


@pytest.mark.parametrize("wrong", [CONTENT[:-4], b"", CONTENT.replace(b"\n", b"\r\n")])
def test_a_wrong_file_in_the_cache_is_named_and_neither_used_nor_replaced(
    cache: Path, wrong: bytes
) -> None:
    path = put(cache, wrong)
    found = hashlib.sha256(wrong).hexdigest()
    message = f"expected {len(CONTENT)} bytes with sha256 {SHA}, found {len(wrong)} bytes .*{found}"
    for use in (load, local_paths, sample, lambda each: fetch(each, downloader=never)):
        with pytest.raises(CorruptFileError, match=message) as caught:
            use(toy())
        assert "Delete or rename it; get it with `python -m chapter10 data fetch toy`" in str(
            caught.value
        )
    assert path.read_bytes() == wrong
    report = verify(toy()).files[0]
    assert (report.state, report.found_size, report.found_sha256) == ("corrupt", len(wrong), found)


def test_a_file_changed_after_it_was_verified_is_noticed(cache: Path) -> None:
    path = put(cache)
    assert len(load(toy())) == 3
    path.write_bytes(CONTENT[:-1] + b"!")
    os.utime(path, ns=(1, 1))
    with pytest.raises(CorruptFileError):
        load(toy())


def test_load_of_a_missing_file_says_how_to_get_it_and_downloads_nothing(cache: Path) -> None:
    with pytest.raises(MissingFileError, match="data fetch toy") as caught:
        load(toy())
    assert isinstance(caught.value, FileNotFoundError)
    assert not cache.exists()
    assert verify(toy()).files[0].state == "missing"


def test_a_wrong_download_is_refused_and_leaves_nothing(cache: Path) -> None:
    with pytest.raises(CorruptFileError, match=f"not the registered file, and was not.*{SHA}"):
        fetch(toy(), downloader=writes(CONTENT + b"?"))
    assert files_under(cache) == []


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), rf"no space .*\({len(CONTENT)} bytes"),
        (OSError(errno.EROFS, "Read-only file system"), "could not be written.*CHAPTER10_DATA"),
        (PermissionError(errno.EACCES, "Permission denied"), "could not be written"),
    ],
)
def test_a_download_that_breaks_off_leaves_nothing(
    cache: Path, failure: OSError, message: str
) -> None:
    with pytest.raises(DownloadError, match=message):
        fetch(toy(), downloader=writes(CONTENT[:10], then=failure))
    assert files_under(cache) == []


def test_an_interrupted_download_leaves_nothing(cache: Path) -> None:
    def interrupted(url: str, target: str, client: Any) -> None:
        Path(target).write_bytes(CONTENT[:10])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(toy(), downloader=interrupted)
    assert files_under(cache) == []


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the whole content, a part of it, or not at all."""

    def do_GET(self) -> None:
        if self.path == "/absent":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[:8] if self.path == "/cut" else CONTENT)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(name="server")
def _server() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_over_http(cache: Path, server: str) -> None:
    assert fetch(toy(f"{server}/whole"))[0].read_bytes() == CONTENT
    assert files_under(cache) == ["toy.txt"]


def test_a_transfer_cut_short_leaves_nothing(cache: Path, server: str) -> None:
    with pytest.raises((DownloadError, CorruptFileError)):
        fetch(toy(f"{server}/cut"))
    assert files_under(cache) == []


def test_a_dead_address_is_named(cache: Path, server: str) -> None:
    with pytest.raises(DownloadError, match=r"absent was refused by the server: 404.*by hand"):
        fetch(toy(f"{server}/absent"))
    assert files_under(cache) == []


def test_no_network_is_named(cache: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DownloadError, match=r"could not be downloaded.*Is there a network"):
        fetch(toy(f"http://127.0.0.1:{port}/toy.txt"))
    assert files_under(cache) == []


def test_a_set_without_address_says_why_and_what_would_do(cache: Path) -> None:
    dataset = toy(None, unbuildable="its makers took it back")
    with pytest.raises(MissingFileError, match=f"its makers took it back.*{SHA}.*put it at"):
        fetch(dataset, downloader=never)
    put(cache)
    assert fetch(dataset, downloader=never)


@pytest.mark.parametrize("name", ["zh_web", "en_wiki", "zh_wiki"])
def test_registered_sets_without_a_recipe_ask_for_the_file(name: str) -> None:
    with pytest.raises(MissingFileError, match="cannot be built here"):
        fetch(name, downloader=never)


def test_listing_tells_what_is_there(cache: Path) -> None:
    assert not any(present for _, present in listing())
    file = registry()["tinyshakespeare"].files[0]
    (cache / file.path).parent.mkdir(parents=True)
    (cache / file.path).touch()
    assert [dataset.name for dataset, present in listing() if present] == ["tinyshakespeare"]


def test_sample_is_the_same_for_a_seed_and_spreads_over_the_file(cache: Path) -> None:
    put(cache)
    assert sample(toy(), count=2, seed=1) == sample(toy(), count=2, seed=1)
    seen = {line for seed in range(40) for line in sample(toy(), count=1, seed=seed)}
    assert seen == {"第一行", "第二行", "第三行"}
    assert len(sample(toy(), count=9)) == 3
