"""The micro-world as the text of a recipe."""

from dataclasses import dataclass

from chapter10.data.microworld import Mix, Style, corpus, shipped
from chapter10.data.microworld.languages import CODES, OWN, TWINS, Rung, rows
from chapter10.data.microworld.lexicon import Size
from chapter10.data.microworld.tokens import Language


@dataclass(frozen=True, kw_only=True)
class MicroworldText:
    """How much text of which world: documents of its mix, written anew from the seed.

    size: "core" or "full". zipf: 0 uses all words alike; 1 as Zipf's law has it.
    """

    documents: int
    size: Size = "full"
    language: Language = "zh"
    zipf: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.documents < 1:
            raise ValueError(f"documents is {self.documents}; give at least 1.")
        Style(zipf=self.zipf)  # which rejects what cannot be

    def read(self) -> list[list[str]]:
        """Documents, lists of sentences."""
        mix = Mix(style=Style(zipf=self.zipf))
        world = shipped(self.size)
        made = corpus(world, self.documents, self.language, seed=self.seed, mix=mix)
        return [[sentence.text for sentence in document] for document in made]


@dataclass(frozen=True, kw_only=True)
class LanguagesText:
    """How much text in several languages, unaligned; every row is a document of its own.

    rows: of each language. languages: 2, Chinese and English, or 3. own_habits: each language has
    its own frequencies, places and lengths.
    """

    rows: int
    languages: int = 2
    size: Size = "core"
    rung: Rung = "slots"
    own_habits: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise ValueError(f"rows is {self.rows}; give at least 1.")
        if self.languages not in (2, 3):
            raise ValueError(f"languages is {self.languages}; there are 2 or 3.")

    def read(self) -> list[list[str]]:
        """Documents of one line, words with spaces between them."""
        world, habits = shipped(self.size), OWN if self.own_habits else TWINS
        return [
            [" ".join(row)]
            for code in CODES[: self.languages]
            for row in rows(
                world, code, self.rows, rung=self.rung, habits=habits[code], seed=self.seed
            )
        ]
