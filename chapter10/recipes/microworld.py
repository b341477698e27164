"""The micro-world as the text of a recipe."""

from dataclasses import dataclass

from chapter10.data.microworld import Mix, Style, corpus, shipped
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
