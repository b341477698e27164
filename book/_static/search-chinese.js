// The query side of book/_ext/chinese_search.py: cut a query the way the index was cut.
// Sphinx's searchtools.js takes over a global function `splitQuery` that is already there.
"use strict";

const HAN_RANGES = "\u3400-\u4dbf\u4e00-\u9fff"; // as in chinese_search.py
const queryPieces = (query) => query.match(new RegExp(`[${HAN_RANGES}]+|[a-zA-Z0-9_]+`, "g")) || [];
const isHan = (piece) => new RegExp(`[${HAN_RANGES}]`).test(piece);

function splitQuery(query) {
  return queryPieces(query).flatMap((piece) =>
    isHan(piece) && piece.length > 1
      ? Array.from({ length: piece.length - 1 }, (_, i) => piece.slice(i, i + 2))
      : [piece]
  );
}

// What is marked on the page found is what was typed, not its pairs of characters.
document.addEventListener("DOMContentLoaded", () => {
  if (typeof Search === "undefined") return;
  // The theme loads the search on every page, whereupon Sphinx takes each for the page of results.
  if (!document.getElementById("search-results")) SphinxHighlight.highlightSearchWords();
  const parse = Search._parseQuery;
  Search._parseQuery = (query) => {
    const parsed = parse(query);
    parsed[3] = new Set(queryPieces(query.toLowerCase()));
    localStorage.setItem("sphinx_highlight_terms", [...parsed[3]].join(" "));
    return parsed;
  };
});
