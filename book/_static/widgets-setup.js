// Loaded between require.js and the widget manager, on pages that hold controls.
"use strict";

// Where the widget manager lies, so that it finds its icon font beside itself.
requirejs.config({
  paths: {
    "@jupyter-widgets/html-manager/dist": new URL("vendor/html-manager", document.currentScript.src).href,
  },
});

// The widget manager speaks to MathJax 2; the book has MathJax 3, which is there once all is loaded.
addEventListener("load", () => {
  if (!window.MathJax || MathJax.Hub) return;
  MathJax.Hub = { Queue: ([, , element]) => MathJax.typesetPromise([element]) };
});
