"""The built pages in a real browser: over http and from files, on a desk and on a phone."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from browser import built_pages, launched, serve, settle
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

PAGES = built_pages() or ["the book is not built"]
DESK, PHONE = 1280, 360

STICKING_OUT = """() => {
  // Elements that reach beyond the right edge of the window although nothing around them scrolls.
  const scrolls = (e) => {
    for (let p = e.parentElement; p && p !== document.body; p = p.parentElement)
      if (["auto", "scroll"].includes(getComputedStyle(p).overflowX)) return true;
    return false;
  };
  const hidden = "mjx-assistive-mml, .bd-sidebar, .visually-hidden, .sr-only";
  return [...document.querySelectorAll(".bd-article *, .bd-header-article *")]
    .filter((e) => e.getBoundingClientRect().right > window.innerWidth + 1 && e.offsetParent)
    .filter((e) => !e.closest(hidden) && !scrolls(e))
    .map((e) => e.outerHTML.slice(0, 120));
}"""


CLIPPED = """() => [...document.querySelectorAll("span.math mjx-math")]
  .filter((e) => {
    const drawn = e.getBoundingClientRect().width;
    const shown = Math.min(e.parentElement.clientWidth, e.closest("span.math").clientWidth);
    return drawn > shown + 1 && drawn < 0.6 * window.innerWidth;
  })
  .map((e) => e.textContent.slice(0, 80))"""


@dataclass
class Visit:
    """One page in the browser, and everything that went wrong on it."""

    page: Page
    address: str
    faults: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfailed", lambda request: self.fault("request", request.url))
        self.page.on(
            "response", lambda reply: reply.status >= 400 and self.fault(reply.status, reply.url)
        )
        self.page.on("pageerror", lambda error: self.fault("script", error))
        self.page.on(
            "console",
            lambda message: message.type == "error" and self.fault("console", message.text),
        )

    def fault(self, kind: object, what: object) -> None:
        """Note a fault."""
        self.faults.append(f"{kind}: {what}")

    def open(self, path: str) -> Page:
        """Open a page of the book and wait until it is drawn."""
        self.page.goto(self.address + path)
        settle(self.page)
        return self.page

    def outside(self) -> list[str]:
        """Return what was requested from anywhere but the book itself."""
        own = ("data:", "blob:", self.address)
        return [url for url in self.requests if not url.startswith(own)]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with launched(chromium) as running:
        yield running


@pytest.fixture(scope="module")
def addresses(book_html: Path) -> Iterator[dict[str, str]]:
    """Where the book is: on a local server, and in the file system."""
    with serve(book_html) as address:
        yield {"http": address, "file": book_html.resolve().as_uri() + "/"}


@pytest.fixture
def visit(
    request: pytest.FixtureRequest, browser: Browser, addresses: dict[str, str]
) -> Iterator[Visit]:
    """A fresh window; a test chooses (scheme, width) by indirect parameters."""
    scheme, width = getattr(request, "param", ("http", DESK))
    context = browser.new_context(viewport={"width": width, "height": 800}, locale="zh-CN")
    context.set_default_timeout(10_000)
    yield Visit(context.new_page(), addresses[scheme])
    context.close()


WAYS = [("http", DESK), ("http", PHONE), ("file", DESK)]


@pytest.mark.parametrize("visit", WAYS, indirect=True, ids=["desk", "phone", "file"])
@pytest.mark.parametrize("path", PAGES)
def test_page_is_whole(visit: Visit, path: str) -> None:
    """No outside request, no error; pictures and formulas drawn; nothing beyond the window."""
    page = visit.open(path)
    assert not visit.outside()
    assert not visit.faults
    broken = (
        "() => [...document.images].filter(i => !i.complete || !i.naturalWidth).map(i => i.src)"
    )
    assert not page.evaluate(broken)
    formulas = page.locator(".math").count()
    assert page.locator(".math mjx-container").count() >= formulas
    assert page.locator("mjx-merror, [data-mjx-error]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    assert not page.evaluate(STICKING_OUT)
    assert not page.evaluate(CLIPPED), "formulas that would fit are cut off"


@pytest.mark.parametrize("visit", [("http", DESK), ("file", DESK)], indirect=True, ids=str)
def test_stored_controls_are_drawn(visit: Visit, book_html: Path) -> None:
    """Each widget stored in a notebook appears, drawn by the book's own copy of the manager."""
    views = 'script[type="application/vnd.jupyter.widget-view+json"]'
    drawn = 0
    for path in PAGES:
        soup = BeautifulSoup((book_html / path).read_text(encoding="utf-8"), "html.parser")
        expected = len(soup.select(views))
        if not expected:
            continue
        page = visit.open(path)
        page.wait_for_selector(".jupyter-widgets")
        assert page.locator(f"*:has(> {views}) .jupyter-widgets").count() >= expected
        drawn += expected
    assert drawn, "no page holds a control"
    assert not visit.outside()
    assert not visit.faults


# ---- search -------------------------------------------------------------------------------------


def pages_that_say(words: str, folder: Path) -> set[str]:
    """Return the pages with ``words`` in a paragraph or a term, in one piece."""
    found = set()
    for path in built_pages(folder):
        soup = BeautifulSoup((folder / path).read_text(encoding="utf-8"), "html.parser")
        texts = (text for part in soup.select("article :is(p, dt)") for text in part.strings)
        if path.startswith("book/") and any(words in text for text in texts):
            found.add(path)
    return found


def search(visit: Visit, words: str) -> set[str]:
    """Search for ``words``; return the pages found."""
    page = visit.open(f"search.html?q={quote(words)}")
    page.wait_for_function("document.querySelector('.search-summary')?.innerText")
    links = page.locator("#search-results li a").evaluate_all("all => all.map(a => a.href)")
    return {urlsplit(link)._replace(query="", fragment="").geturl() for link in links}


@pytest.mark.parametrize("visit", [("http", DESK), ("file", DESK)], indirect=True, ids=str)
@pytest.mark.parametrize("words", ["双向编码器", "词", "词元", "掩码语言模型", "Transformer"])
def test_search_finds_every_page_that_says_it(visit: Visit, book_html: Path, words: str) -> None:
    expected = {visit.address + path for path in pages_that_say(words, book_html)}
    assert expected
    assert expected <= search(visit, words)
    assert not visit.outside()


def test_search_finds_any_piece_of_the_prose(visit: Visit, book_html: Path) -> None:
    """Runs of characters taken at random from the pages, whatever words they cut in two."""
    choose = random.Random(0)
    for path in choose.sample([path for path in PAGES if path.startswith("book/")], 4):
        soup = BeautifulSoup((book_html / path).read_text(encoding="utf-8"), "html.parser")
        texts = [str(text) for p in soup.select("article p") for text in p.strings]
        runs = [run for text in texts for run in re.findall("[\u4e00-\u9fff]{4,}", text)]
        if not runs:
            continue
        run = choose.choice(runs)
        start = choose.randrange(len(run) - 2)
        words = run[start : start + choose.randint(2, 5)]
        assert visit.address + path in search(visit, words), words


def test_search_finds_nothing_where_nothing_is(visit: Visit) -> None:
    assert search(visit, "龘靐齉") == set()


def test_search_box_leads_to_results_with_the_words_marked(visit: Visit) -> None:
    page = visit.open("book/errata.html")
    page.keyboard.press("Control+k")
    page.locator("dialog input[name=q]:visible").fill("双向编码器")
    page.keyboard.press("Enter")
    page.wait_for_selector("#search-results li a")
    page.locator("#search-results li a[href*='glossary']").first.click()
    page.wait_for_selector(".highlighted")
    assert page.locator(".highlighted").first.inner_text() == "双向编码器"


# ---- what a reader can do on a page -------------------------------------------------------------


def test_solution_is_folded_and_opens(visit: Visit) -> None:
    page = visit.open("book/refresher.html")
    solution = page.locator(".solution.dropdown").first
    answer = solution.locator("p:not(.admonition-title)").first
    assert not answer.is_visible()
    solution.locator(".admonition-title button").click()
    answer.wait_for(state="visible")


def test_dark_mode_is_dark_and_figures_stay_on_white(visit: Visit) -> None:
    page = visit.open("book/refresher.html")
    chosen = []
    for _ in range(3):
        page.locator(".theme-switch-button:visible").first.click()
        chosen.append(page.evaluate("document.documentElement.dataset.theme"))
        if page.evaluate("document.documentElement.dataset.mode") == "dark":
            break
    assert chosen[-1] == "dark"
    colour = "e => getComputedStyle(e).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    assert max(page.locator("body").evaluate(colour)) < 60
    figure = page.locator(".bd-article figure img").first
    assert min(figure.evaluate(colour)) == 255
    assert figure.evaluate("e => getComputedStyle(e).filter") == "none"


def test_phone_menu_opens(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": PHONE, "height": 700})
    page = visit.open("book/errata.html")
    page.locator("button.primary-toggle:visible").click()
    page.locator("dialog .bd-links__title, dialog nav.bd-links").first.wait_for(state="visible")
    assert page.get_by_role("link", name="术语表").first.is_visible()
