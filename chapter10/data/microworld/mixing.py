"""Pretraining text: documents, single sentences, reviews and consequences, mixed."""

from __future__ import annotations

from dataclasses import dataclass, field

from chapter10.data.microworld.documents import make_documents
from chapter10.data.microworld.draws import Draws
from chapter10.data.microworld.inference import inference_documents
from chapter10.data.microworld.sampling import Style
from chapter10.data.microworld.sentiment import review_documents
from chapter10.data.microworld.tokens import Language, Sentence
from chapter10.data.microworld.world import World


@dataclass(frozen=True, kw_only=True)
class Mix:
    """How many of a hundred documents are of each sort; they must add up to 100."""

    stories: int = 20
    sentences: int = 15
    reviews: int = 40
    consequences: int = 25
    style: Style = field(default_factory=Style)

    def __post_init__(self) -> None:
        parts = (self.stories, self.sentences, self.reviews, self.consequences)
        if sum(parts) != 100 or min(parts) < 0:
            raise ValueError(
                f"a mix of {parts} adds up to {sum(parts)}; make it 100, none below 0."
            )


def corpus(
    world: World,
    documents: int,
    language: Language = "zh",
    *,
    seed: int | str = 0,
    mix: Mix | None = None,
) -> list[tuple[Sentence, ...]]:
    """`documents` documents of pretraining text, each a row of sentences, in random order.

    No sentence of any test or validation example is among them.
    """
    mix = mix or Mix()
    numbers = [documents * share // 100 for share in (mix.sentences, mix.reviews, mix.consequences)]
    stories = documents - sum(numbers)
    if mix.stories == 0:
        numbers[0], stories = numbers[0] + stories, 0
    texts: list[tuple[Sentence, ...]] = []
    if stories:
        told = make_documents(world, stories, language, seed=seed, style=mix.style)
        texts += [document.sentences for document in told]
    single = world.sentences(numbers[0], language, seed=seed, style=mix.style) if numbers[0] else []
    texts += [(sentence,) for sentence in single]
    texts += review_documents(world, numbers[1], language, seed=seed, style=mix.style)
    texts += inference_documents(world, numbers[2], language, seed=seed)
    return Draws("corpus", language, seed).shuffle(texts)
