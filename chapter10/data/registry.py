"""The sets the package knows by name: address, sha256, licence and citation of every file."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any

from chapter10.data.errors import UnknownDatasetError


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """One file of a set.

    `path` is relative to the cache folder, `size` in bytes. `sha256_unpacked` is the hash of the
    text inside an `.xz`: a rebuilt file must have it, its packed bytes may differ. `url` is None
    for a file that has no address of its own.
    """

    path: str
    size: int
    sha256: str
    sha256_unpacked: str | None = None
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a corpus without an address is built: a function of `rebuild` and an upstream commit."""

    name: str
    repository: str
    commit: str

    @property
    def url(self) -> str:
        """The address of the upstream archive at the commit."""
        return f"https://github.com/{self.repository}/archive/{self.commit}.zip"

    @property
    def archive(self) -> str:
        """Where the archive lies, relative to the cache folder."""
        return f"archives/{self.repository.replace('/', '-')}-{self.commit[:12]}.zip"


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A set of real data.

    `splits` maps a split's name to the paths of its files; `redistributable` is the licence's
    answer in words ("yes", "no: …"); `unbuildable` says why a set without address and recipe can
    only be used where its file is present.
    """

    name: str
    title: str
    parser: str
    languages: tuple[str, ...]
    licence: str
    redistributable: str
    use: str
    citation: str
    files: tuple[DataFile, ...]
    splits: Mapping[str, tuple[str, ...]]
    recipe: Recipe | None = None
    unbuildable: str | None = None

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)

    def files_of(self, split: str | None = None) -> tuple[str, tuple[DataFile, ...]]:
        """The name of a split and its files; None means the only split there is.

        Raises:
            UnknownDatasetError: the set has no such split, or several and none was named.
        """
        choices = ", ".join(self.splits)
        if split is None:
            if len(self.splits) > 1:
                raise UnknownDatasetError(
                    f"{self.name} has several splits, and none was named; one of: {choices}"
                )
            split = next(iter(self.splits))
        if split not in self.splits:
            raise UnknownDatasetError(f"{self.name} has no split {split!r}; one of: {choices}")
        wanted = self.splits[split]
        by_path = {file.path: file for file in self.files}
        return split, tuple(by_path[path] for path in wanted)


@functools.cache
def registry() -> Mapping[str, Dataset]:
    """Every set by name, in the order of `registry.yml`."""
    import yaml

    text = resources.files("chapter10.data").joinpath("registry.yml").read_text("utf-8")
    entries = yaml.safe_load(text)
    return MappingProxyType({name: _dataset(name, entry) for name, entry in entries.items()})


def find(dataset: str | Dataset) -> Dataset:
    """The set of that name (a `Dataset` is returned as it is).

    Raises:
        UnknownDatasetError: no such name; the message lists the nearest ones.
    """
    if isinstance(dataset, Dataset):
        return dataset
    known = registry()
    if dataset in known:
        return known[dataset]
    near = difflib.get_close_matches(dataset, known, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise UnknownDatasetError(
        f"no data set is called {dataset!r}{hint} `python -m chapter10 data list` shows them all."
    )


def _dataset(name: str, entry: dict[str, Any]) -> Dataset:
    files = tuple(
        DataFile(
            path=path,
            size=fields["bytes"],
            sha256=fields["sha256"],
            sha256_unpacked=fields.get("sha256_unpacked"),
            url=fields.get("url"),
        )
        for path, fields in entry["files"].items()
    )
    everything = {"all": [file.path for file in files]}
    splits = {split: tuple(paths) for split, paths in entry.get("splits", everything).items()}
    return Dataset(
        name=name,
        title=entry["title"],
        parser=entry["parser"],
        languages=tuple(entry["languages"]),
        licence=entry["licence"],
        redistributable=entry["redistributable"],
        use=entry["use"],
        citation=entry["citation"],
        files=files,
        splits=MappingProxyType(splits),
        recipe=Recipe(**entry["recipe"]) if "recipe" in entry else None,
        unbuildable=entry.get("unbuildable"),
    )
