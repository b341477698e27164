"""Maps of vectors: the points are where PCA puts them, labelled as given."""

from __future__ import annotations

import numpy as np
import pytest

from chapter10.plotting import matrices, vector_map

POINTS = np.array([[0.0, 0, 0], [4, 0, 0], [0, 2, 0], [4, 2, 0]])


def test_points_keep_their_distances_and_labels() -> None:
    figure = vector_map([POINTS, POINTS + 7], ["a", "b"], ["x", "x", "y", "y"])
    for axes in figure.axes[:2]:
        first, second = axes.lines
        assert (first.get_label(), second.get_label()) == ("x", "y")
        drawn = np.concatenate([line.get_xydata() for line in (first, second)])
        for one, two in ((0, 1), (0, 2), (1, 2)):
            expected = np.linalg.norm(POINTS[one] - POINTS[two])
            assert np.linalg.norm(drawn[one] - drawn[two]) == pytest.approx(expected)
    assert "100%" in figure.axes[0].get_title()


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="1 titles and 3 labels"):
        vector_map([POINTS], ["a"], ["x"] * 3)
    with pytest.raises(ValueError, match="at most 5"):
        vector_map([np.zeros((6, 3))], ["a"], list("abcdef"))


def test_cosines_are_drawn_on_both_sides_of_zero() -> None:
    for diverging, low in ((False, 0.0), (True, -1.0)):
        figure = matrices([np.eye(2)], ["a"], "xy", "xy", diverging=diverging)
        assert figure.axes[0].images[0].get_clim() == (low, 1.0)
