"""Controls of the pages: each change draws anew, a wrong entry is explained."""

from __future__ import annotations

import ipywidgets
import pytest

from chapter10.widgets import explore


def test_every_change_of_a_control_draws_with_all_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    drawn: list[dict[str, int]] = []
    first, second = ipywidgets.IntSlider(1), ipywidgets.IntSlider(2)

    def draw(**values: int) -> str:
        drawn.append(values)
        return f"figure {len(drawn)}"

    explore(draw, {"first": first, "second": second})
    second.value = 5
    assert drawn == [{"first": 1, "second": 2}, {"first": 1, "second": 5}]
    shown = capsys.readouterr().out  # outside a notebook, what is displayed is printed
    assert "figure 1" in shown
    assert "figure 2" in shown


def test_a_wrong_entry_is_explained_and_the_next_one_drawn(
    capsys: pytest.CaptureFixture[str],
) -> None:
    entry = ipywidgets.Text("good")

    def draw(text: str) -> str:
        if text == "bad":
            raise ValueError("say good instead")
        return text

    explore(draw, {"text": entry})
    entry.value = "bad"
    assert "say good instead" in capsys.readouterr().out
    entry.value = "fine"
    assert "fine" in capsys.readouterr().out
