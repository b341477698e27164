"""Sphinx extension: full-text search that finds any run of Chinese characters, even a single one.

Sphinx cuts Chinese pages into dictionary words and never cuts the query, so that a query finds
something only where it happens to be one word of the dictionary. Here both sides are cut by one
rule that needs no dictionary: a run of Chinese characters becomes its characters and its pairs of
neighbours, 编码器 → 编, 码, 器, 编码, 码器. A page that holds the query holds all of its pairs, so
nothing is missed. The query side is ``_static/search-chinese.js``.
"""

from __future__ import annotations

import re
from itertools import pairwise

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.search import languages
from sphinx.search.en import SearchEnglish

# The same ranges stand in search-chinese.js; tests/test_book_html.py compares them.
HAN = "\u3400-\u4dbf\u4e00-\u9fff"
PIECES = re.compile(f"[{HAN}]+|[a-zA-Z0-9_]+")
HAN_ONLY = re.compile(f"[{HAN}]+")


class SearchChinese(SearchEnglish):
    """Index terms: Chinese characters and pairs of them; English words, stemmed as by Sphinx."""

    lang = "zh"
    language_name = "Chinese"

    def split(self, input: str) -> list[str]:
        """Cut ``input`` into index terms."""
        terms: list[str] = []
        for piece in PIECES.findall(input):
            if HAN_ONLY.fullmatch(piece):
                terms += [*piece, *(a + b for a, b in pairwise(piece))]
            else:
                terms.append(piece)
        return terms


def add_query_script(_app: Sphinx, config: Config) -> None:
    """Load the query side before Sphinx's own search scripts."""
    config.html_js_files = [*config.html_js_files, ("search-chinese.js", {"priority": 100})]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the language; called by Sphinx."""
    languages["zh"] = SearchChinese
    app.connect("config-inited", add_query_script)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
