"""A figure in a cell's output that is drawn anew while the cell still runs."""

from __future__ import annotations

from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.display import display


class LiveFigure:
    """The first `show` makes an output, each later one replaces it; the last stays.

    Outside a notebook nothing is shown.
    """

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, figure: Any) -> None:
        """Put the figure where the last one stood."""
        if not InteractiveShell.initialized():
            return
        if self._handle is None:
            self._handle = display(figure, display_id=True)
        else:
            self._handle.update(figure)
