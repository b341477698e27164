"""Controls for those who run a notebook.

They need a running kernel; in the static page they keep their last state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets
from IPython.display import display


def explore(
    draw: Callable[..., Any], controls: Mapping[str, ipywidgets.Widget]
) -> ipywidgets.Widget:
    """Controls, and below them what ``draw(**values)`` returns, drawn anew at every change.

    Args:
        draw: takes the value of each control by its name, returns something to display.
        controls: name -> a widget with a ``value``.

    What ``draw`` raises is shown where the figure would be, so that a wrong entry explains itself.
    """
    # Full names overflow ipywidgets' narrow default width, the more so in Chinese.
    for control in controls.values():
        control.style.description_width = "initial"
        control.layout.max_width = "100%"
    output = ipywidgets.Output()

    def update(*_: object) -> None:
        with output:
            output.clear_output(wait=True)
            try:
                display(draw(**{name: control.value for name, control in controls.items()}))
            except ValueError as error:
                print(error)

    for control in controls.values():
        control.observe(update, names="value")
    update()
    return ipywidgets.VBox([ipywidgets.HBox(list(controls.values())), output])
