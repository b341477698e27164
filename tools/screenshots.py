"""Save screenshots of all built pages, at two widths, light and dark, to be looked at.

Example: ``python tools/screenshots.py shots`` writes ``shots/bert-360-dark.png`` and its like.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from browser import HTML, built_pages, launched, serve, settle
from chromium import find_chromium

WIDTHS = (1280, 360)


def main() -> int:
    """Take the pictures; return 1 with a sentence where there is no browser or no book."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder that receives the pictures")
    parser.add_argument("pages", nargs="*", help="names of pages, such as bert; all by default")
    parser.add_argument("--html", type=Path, default=HTML, help="the built book")
    chosen = parser.parse_args()
    executable = find_chromium()
    pages = [
        one
        for one in built_pages(chosen.html)
        if not chosen.pages or Path(one).stem in chosen.pages
    ]
    if executable is None or not pages:
        print("error: needs Chromium and a built book (`make book`)", file=sys.stderr)
        return 1
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with launched(executable) as browser, serve(chosen.html) as address:
        for scheme in ("light", "dark"):
            for width in WIDTHS:
                page = browser.new_page(
                    viewport={"width": width, "height": 900}, color_scheme=scheme, locale="zh-CN"
                )
                for path in pages:
                    page.goto(address + path)
                    settle(page)
                    name = chosen.folder / f"{Path(path).stem}-{width}-{scheme}.png"
                    page.screenshot(path=name, full_page=True)
                page.close()
    print(f"{len(pages) * 4} pictures in {chosen.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
