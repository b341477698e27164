"""Splitting by content."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chapter10.data import split

SHARES = {"train": 0.8, "dev": 0.1, "test": 0.1}
texts = st.lists(st.text(max_size=8), max_size=60)


@given(texts)
def test_every_example_falls_on_one_side_and_duplicates_on_the_same(examples: list[str]) -> None:
    parts = split(examples, SHARES, key=str)
    assert Counter(text for part in parts.values() for text in part) == Counter(examples)
    for one, other in (("train", "dev"), ("train", "test"), ("dev", "test")):
        assert not set(parts[one]) & set(parts[other])


@given(texts, st.randoms())
def test_the_side_depends_on_the_example_alone(examples: list[str], generator: object) -> None:
    home = {text: name for name, part in split(examples, SHARES, key=str).items() for text in part}
    shuffled = list(examples)
    generator.shuffle(shuffled)  # type: ignore[attr-defined]
    for name, part in split([*shuffled, "another"], SHARES, key=str).items():
        assert all(home.get(text, name) == name for text in part)


def test_shares_are_kept_on_average() -> None:
    parts = split(range(20_000), SHARES, key=str)
    # standard deviation of a count is sqrt(n p (1 - p)) <= 57: five of them
    assert abs(len(parts["train"]) - 16_000) < 285
    assert abs(len(parts["dev"]) - 2_000) < 215


def test_a_salt_gives_another_split_and_order_is_kept() -> None:
    one = split(range(200), SHARES, key=str)
    other = split(range(200), SHARES, key=str, salt="2")
    assert one != other
    assert all(part == sorted(part) for part in one.values())


def test_a_known_split_does_not_change_between_versions() -> None:
    parts = split("甲乙丙丁戊己庚辛", {"a": 0.5, "b": 0.5}, key=str)
    assert {name: "".join(part) for name, part in parts.items()} == {
        "a": "甲丁己庚",
        "b": "乙丙戊辛",
    }


@pytest.mark.parametrize("shares", [{}, {"a": 1.1}, {"a": 0.5, "b": 0.4}, {"a": 1.0, "b": 0.0}])
def test_impossible_shares(shares: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="shares must"):
        split(["x"], shares, key=str)
