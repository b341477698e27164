"""What the browser tests and the screenshots share: Chromium, a local server, the built pages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

HTML = Path(__file__).resolve().parent.parent / "_build" / "html"

# Chromium itself is kept from calling home: what is recorded then are the requests of the page.
ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def launched(executable: str) -> Iterator[Browser]:
    """Run the browser ``executable`` for the length of a ``with`` block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


class _Quiet(SimpleHTTPRequestHandler):
    """A file server that prints no line for each request."""

    def log_message(self, format: str, *args: object) -> None:
        """Print nothing."""


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve ``folder`` on a free local port; give its address, which ends in a slash."""
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def built_pages(folder: Path = HTML) -> list[str]:
    """Paths below ``folder`` of all pages of the built book, its search page and index included."""
    found = sorted(path.relative_to(folder).as_posix() for path in folder.glob("book/*.html"))
    return [*found, "genindex.html", "search.html"] if found else []


def settle(page: Page) -> None:
    """Wait until formulas are typeset and fonts are there."""
    page.wait_for_load_state("networkidle")
    page.evaluate("async () => { if (window.MathJax) await MathJax.startup.promise; }")
    page.evaluate("async () => { await document.fonts.ready; }")
