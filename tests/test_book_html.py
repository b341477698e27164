"""What the built pages load and link to; tests/test_browser.py opens them."""

from __future__ import annotations

import re
from inspect import isclass, isfunction
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import yaml
from browser import built_pages
from bs4 import BeautifulSoup

import chapter10
from chapter10 import data, objectives, recipes, tasks, tokenizers, training

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))

pytestmark = pytest.mark.browser  # they need the built pages, as the tests in a browser do

# Addresses that a page loads by itself; what a reader may click is not among them.
LOADED = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
}


def soups(folder: Path) -> dict[str, BeautifulSoup]:
    """Return every built page, parsed."""
    pages = built_pages(folder)
    return {
        page: BeautifulSoup((folder / page).read_text(encoding="utf-8"), "html.parser")
        for page in pages
    }


def outside(address: str) -> bool:
    """Tell whether ``address`` names another host."""
    return bool(urlsplit(address).netloc)


def test_pages_load_nothing_from_outside(book_html: Path) -> None:
    found = [
        (page, str(element)[:120])
        for page, soup in soups(book_html).items()
        for name, attribute in LOADED.items()
        for element in soup.find_all(name)
        if outside(element.get(attribute, ""))
    ]
    assert not found


def test_inline_scripts_and_styles_name_no_outside_host(book_html: Path) -> None:
    for page, soup in soups(book_html).items():
        for element in soup.find_all(["script", "style"]):
            assert "thebe" not in element.text.lower(), page
            assert not re.search(r"https?://(?!www\.w3\.org)", element.text), page
    for sheet in (book_html / "_static").rglob("*.css"):
        assert not re.search(
            r"(url\(|@import)\s*['\"]?(https?:)?//", sheet.read_text(encoding="utf-8")
        ), sheet.name


def test_notebook_pages_launch_and_download_themselves(book_html: Path) -> None:
    repository = urlsplit(CONFIG["repository"]["url"]).path
    branch = CONFIG["repository"]["branch"]
    notebooks = [path.stem for path in BOOK.glob("*.ipynb")]
    assert notebooks
    for name in notebooks:
        soup = BeautifulSoup((book_html / f"book/{name}.html").read_text("utf-8"), "html.parser")
        links = [a["href"] for a in soup.select(".article-header-buttons a[href]")]
        (binder,) = [urlsplit(link) for link in links if "mybinder.org" in link]
        assert binder.path == f"/v2/gh{repository}/{branch}"
        assert parse_qs(binder.query)["urlpath"] == [f"lab/tree/book/{name}.ipynb"]
        (colab,) = [urlsplit(link) for link in links if "colab.research.google.com" in link]
        assert colab.path == f"/github{repository}/blob/{branch}/book/{name}.ipynb"
        (download,) = [link for link in links if link.endswith(".ipynb") and not outside(link)]
        assert (book_html / "book" / download).resolve().is_file()


def test_every_page_can_be_edited_and_reported(book_html: Path) -> None:
    url, branch = CONFIG["repository"]["url"], CONFIG["repository"]["branch"]
    for page, soup in soups(book_html).items():
        if not page.startswith("book/"):
            continue
        links = [a["href"] for a in soup.select(".article-header-buttons a[href]")]
        edit = next(link for link in links if link.startswith(f"{url}/edit/{branch}/"))
        assert (ROOT / edit.removeprefix(f"{url}/edit/{branch}/")).is_file(), page
        assert any(link.startswith(f"{url}/issues/new") for link in links), page


def test_links_within_the_book_arrive(book_html: Path) -> None:
    """Each link's page and anchor exist, and no link leans on the number of a Chinese heading."""
    parsed = soups(book_html)
    targets = {
        (book_html / page).resolve(): {e["id"]: e.name for e in soup.find_all(id=True)}
        for page, soup in parsed.items()
    }
    for page, soup in parsed.items():
        for link in soup.select("article a[href]"):
            parts = urlsplit(link["href"])
            if parts.scheme or parts.netloc:
                continue
            place = ((book_html / page).parent / unquote(parts.path)).resolve()
            place = place if parts.path else (book_html / page).resolve()
            assert place.is_file(), f"{page}: {link['href']}"
            anchor = unquote(parts.fragment)
            if not anchor or place not in targets:
                continue
            assert anchor in targets[place], f"{page}: {link['href']}"
            numbered = re.fullmatch(r"id\d+", anchor) and targets[place][anchor] == "section"
            by_hand = "headerlink" not in link.get("class", [])
            assert not (numbered and by_hand), f"{page}: write (label)= before {link['href']}"


def test_pictures_say_what_they_show(book_html: Path) -> None:
    for page, soup in soups(book_html).items():
        for picture in soup.select("article img"):
            alt = picture.get("alt", "")
            assert alt.strip(), f"{page}: {picture.get('src')} has no alt text"
            assert not re.search(r"\.(png|svg)$", alt), f"{page}: {alt!r} is a file name"


def test_api_pages_list_every_public_name(book_html: Path) -> None:
    pages = (book_html / f"book/{page}.html" for page in ("api", "api-learning", "api-using"))
    soups = [BeautifulSoup(page.read_text("utf-8"), "html.parser") for page in pages]
    listed = {dt["id"].rsplit(".", 1)[-1] for soup in soups for dt in soup.select("dt[id]")}
    rooms = (chapter10, objectives, tasks, tokenizers, training, recipes, data)
    public = [(name, getattr(room, name)) for room in rooms for name in room.__all__]
    assert {name for name, it in public if isclass(it) or isfunction(it)} <= listed
