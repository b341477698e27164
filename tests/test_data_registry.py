"""The registry: every entry is whole, pinned, and has a reader."""

import dataclasses
import re
import subprocess
import sys

import pytest

from chapter10.data import Dataset, UnknownDatasetError, registry
from chapter10.data.load import READERS
from chapter10.data.rebuild import RECIPES
from chapter10.data.registry import find

SETS = list(registry().values())


def test_sizes_of_the_registry() -> None:
    files = [file.path for dataset in SETS for file in dataset.files]
    assert len(SETS) == 33
    assert len(files) == len(set(files)) == 72


@pytest.mark.parametrize("dataset", SETS, ids=lambda dataset: dataset.name)
def test_entry_is_whole(dataset: Dataset) -> None:
    assert dataset.title
    assert dataset.licence
    assert dataset.citation
    assert dataset.use
    assert dataset.languages
    assert re.match(r"yes|no: |text no", dataset.redistributable)
    assert dataset.parser in READERS
    in_splits = {path for paths in dataset.splits.values() for path in paths}
    assert in_splits == {file.path for file in dataset.files}
    for file in dataset.files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.size > 0
        assert not file.path.startswith("/")
        assert ".." not in file.path


@pytest.mark.parametrize("dataset", SETS, ids=lambda dataset: dataset.name)
def test_every_file_has_exactly_one_way_to_get_it_or_a_reason(dataset: Dataset) -> None:
    ways = [
        all(file.url for file in dataset.files),
        dataset.recipe is not None,
        bool(dataset.unbuildable),
    ]
    assert sum(ways) == 1
    for file in dataset.files:
        if file.url:  # pinned: a commit stands in the address
            assert re.match(
                r"https://raw\.githubusercontent\.com/[^/]+/[^/]+/[0-9a-f]{40}/", file.url
            )
        else:
            assert re.fullmatch(r"[0-9a-f]{64}", file.sha256_unpacked or "")
    if dataset.recipe:
        assert dataset.recipe.name in RECIPES
        assert re.fullmatch(r"[0-9a-f]{40}", dataset.recipe.commit)


def test_unknown_name_shows_near_ones() -> None:
    with pytest.raises(UnknownDatasetError, match=r"'oncli'; did you mean ocnli"):
        find("oncli")
    with pytest.raises(UnknownDatasetError, match="data list"):
        find("§")


def test_unknown_or_missing_split_lists_the_choices() -> None:
    with pytest.raises(UnknownDatasetError, match="no split 'tset'; one of: train, dev"):
        registry()["ocnli"].files_of("tset")
    with pytest.raises(UnknownDatasetError, match=r"several splits.*train, dev"):
        registry()["ocnli"].files_of(None)


def test_nothing_of_the_registry_can_be_changed() -> None:
    dataset = registry()["ocnli"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.licence = "mine"  # type: ignore[misc]
    with pytest.raises(TypeError):
        registry()["mine"] = dataset  # type: ignore[index]
    with pytest.raises(TypeError):
        dataset.splits["mine"] = ()  # type: ignore[index]


def test_import_does_not_load_what_only_downloads_need() -> None:
    program = "import sys, chapter10.data; print('pooch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
