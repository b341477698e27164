"""Sphinx extension: no line of Chinese prose begins with the punctuation after a formula.

A browser may break a line on either side of a formula, whatever the rules of Chinese say about the
character that follows it. So a formula and the closing mark behind it share one unbroken span.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

CLOSING = "，。、；：？！）》」』”’…%,.;:?!)]"


class KeepPunctuation(SphinxTransform):
    """Wrap each inline formula together with the closing punctuation that follows it."""

    default_priority = 750

    def apply(self, **kwargs: object) -> None:
        """Rewrite the document in place."""
        for formula in list(self.document.findall(nodes.math)):
            after = formula.next_node(descend=False, siblings=True)
            marks = ""
            if isinstance(after, nodes.Text):
                marks = after[: len(after) - len(after.lstrip(CLOSING))]
            if not marks:
                continue
            parent = formula.parent
            parent.replace(after, nodes.Text(after[len(marks) :]))
            span = nodes.inline(classes=["unbroken"])
            parent.replace(formula, span)
            span += [formula, nodes.Text(marks)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform; called by Sphinx."""
    app.add_transform(KeepPunctuation)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
