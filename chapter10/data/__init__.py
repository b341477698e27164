"""Real open corpora by name: fetch, verify, load.

`registry()` lists what is known; `fetch(name)` fills the cache (`CHAPTER10_DATA` names the
folder); `load(name, split)` parses what is in it. Importing this reaches for nothing.
"""

from chapter10.data.cache import (
    FileReport,
    VerifyReport,
    cache_dir,
    fetch,
    local_paths,
    verify,
)
from chapter10.data.errors import (
    CorruptFileError,
    DataError,
    DownloadError,
    MalformedError,
    MissingFileError,
    UnknownDatasetError,
)
from chapter10.data.examples import (
    Answer,
    Examples,
    LabelledSequence,
    LabelledText,
    NLIExample,
    ParallelPair,
    Poem,
    Question,
    TaggedSentence,
    Tune,
    Verse,
)
from chapter10.data.load import (
    aligned_lines,
    corpus_lines,
    documents,
    listing,
    load,
    sample,
)
from chapter10.data.registry import DataFile, Dataset, Recipe, registry
from chapter10.data.splitting import split

__all__ = [
    "Answer",
    "CorruptFileError",
    "DataError",
    "DataFile",
    "Dataset",
    "DownloadError",
    "Examples",
    "FileReport",
    "LabelledSequence",
    "LabelledText",
    "MalformedError",
    "MissingFileError",
    "NLIExample",
    "ParallelPair",
    "Poem",
    "Question",
    "Recipe",
    "TaggedSentence",
    "Tune",
    "UnknownDatasetError",
    "VerifyReport",
    "Verse",
    "aligned_lines",
    "cache_dir",
    "corpus_lines",
    "documents",
    "fetch",
    "listing",
    "load",
    "local_paths",
    "registry",
    "sample",
    "split",
    "verify",
]
