"""What the page `microworld` does: files copied and changed, texts compared, baselines repeated."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chapter10.data.microworld import (
    Sentence,
    Style,
    World,
    WorldFileError,
    baselines,
    corpus,
    reviews,
)
from chapter10.data.microworld.draws import Draws
from chapter10.data.microworld.splits import Split
from chapter10.data.microworld.world import SHIPPED, make_event

SPLITS: tuple[Split, ...] = ("train", "validation", "test")


def copy_world(folder: Path) -> Path:
    """Copy the shipped lexicon and grammar into an empty folder, and return that folder."""
    for part in ("lexicon", "grammar"):
        shutil.copytree(SHIPPED / part, folder / part)
    return folder


def lines_from(path: Path, start: str, count: int, width: int = 64) -> str:
    """`count` lines of a file from the first that begins with `start` on, numbered.

    width: characters; what is longer ends in "…".

    Raises:
        ValueError: no line begins so.
    """
    lines = path.read_text("utf-8").splitlines()
    found = [at for at, line in enumerate(lines) if line.lstrip().startswith(start)]
    if not found:
        raise ValueError(f"No line of {path.name} begins with {start!r}; open the file and look.")
    shown = enumerate(lines[found[0] : found[0] + count], found[0] + 1)
    cut = ((at, line if len(line) <= width else line[: width - 1] + "…") for at, line in shown)
    return "\n".join(f"{at:4d}  {line}" for at, line in cut)


def change(path: Path, old: str, new: str) -> None:
    """Put `new` in the place of the first `old` of a file.

    Raises:
        ValueError: the file does not have it.
    """
    text = path.read_text("utf-8")
    if old not in text:
        raise ValueError(f"{path.name} does not have {old!r}; copy the words from the file itself.")
    path.write_text(text.replace(old, new, 1), "utf-8")


def complaint(folder: Path) -> str:
    """What the world says of its files, with paths from that folder on; "" where all is well."""
    try:
        World("core", folder)
    except WorldFileError as error:
        return f"{Path(error.path).relative_to(folder).as_posix()}, line {error.line}: " + str(
            error.problem
        )
    return ""


@dataclass(frozen=True)
class Told:
    """One event, the pattern it is told in, and the sentence in both languages."""

    state: dict[str, str]
    pattern: str
    chinese: Sentence
    english: Sentence


def tell(world: World, kind: str, seed: int) -> Told:
    """An event of that kind in the past, in the first pattern of each language."""
    draws = Draws("page", kind, seed)
    event = make_event(world.grammar.events[kind], world.sampler(Style(), "train"), draws, "past")
    wordings = world.grammar.events[kind].tenses["past"]
    zh, en = wordings["zh"][0], wordings["en"][0]
    chinese = Sentence(zh.fill(event.fillers, draws), "zh")
    english = Sentence(en.fill(event.fillers, draws), "en")
    return Told(event.state, zh.source, chinese, english)


def digest(texts: Iterable[str]) -> str:
    """SHA-256 of the texts, as 64 hexadecimal digits."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def corpus_digest(seed: int) -> str:
    """The digest of 300 pretraining documents of the core world."""
    return digest(s.text for document in corpus(World("core"), 300, seed=seed) for s in document)


def digest_elsewhere(seed: int) -> str:
    """`corpus_digest` from a Python process of its own, with a hash seed of its own."""
    code = f"from {__name__} import corpus_digest as d; print(d({seed}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "1", "PATH": "", "PYTHONPATH": str(SHIPPED.parents[2])},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def people(sentences: Iterable[Sentence]) -> set[str]:
    """Everybody who takes part, as ids of the lexicon."""
    roles = ("who", "other", "third", "friend")
    return {t.sense for s in sentences for t in s.tokens if t.role in roles and t.sense}


def deeds(sentences: Iterable[Sentence]) -> set[tuple[str, str]]:
    """Who does what: (person, verb) as ids of the lexicon, read off the tokens."""
    found = set()
    for sentence in sentences:
        who = verb = ""
        for token in sentence.tokens:
            who = token.sense if token.role == "who" and token.sense else who
            verb = token.sense if token.role == "verb" and token.tag == "VERB" else verb
            if token.text in ("。", "."):
                if who and verb:
                    found.add((who, verb))
                who = verb = ""
    return found


def baseline_scores(world: World, seeds: Sequence[int], count: int) -> dict[str, list[float]]:
    """Every baseline's test score for each seed, and that of a control which has to succeed."""
    reports = [baselines.report(world, count=count, seed=seed) for seed in seeds]
    scores = {name: [report[name] for report in reports] for name in reports[0]}
    scores["plain reviews: bag of words"] = [plain_reviews(world, seed, count) for seed in seeds]
    return scores


def plain_reviews(world: World, seed: int, count: int) -> float:
    """The control: reviews without negation or contrast, adjectives and wordings all known.

    Test accuracy of the same bag of words on `count` reviews, half of each label.
    """
    found = {
        split: reviews(world, count, split="train", seed=f"{split}/{seed}", kinds=("plain",))
        for split in SPLITS
    }
    texts = {split: [one.sentence.spaced for one in found[split]] for split in SPLITS}
    labels = {split: [one.label for one in found[split]] for split in SPLITS}
    return baselines.bag_of_words(texts, labels)
