"""Documents of the micro-world printed with all that is known about them."""

from __future__ import annotations

from chapter10.data.microworld.asking import questions
from chapter10.data.microworld.documents import make_documents
from chapter10.data.microworld.draws import Draws
from chapter10.data.microworld.inference import inferences
from chapter10.data.microworld.senses import sense_uses
from chapter10.data.microworld.sentiment import reviews
from chapter10.data.microworld.tagging import ambiguous_words
from chapter10.data.microworld.tokens import Language
from chapter10.data.microworld.world import World, shipped

FEELING = {1: "positive", 0: "negative"}


def show_sample(language: Language = "zh", count: int = 30, seed: int = 0) -> None:
    """Print `count` texts drawn at random: stories, days, rounds, and examples of every task."""
    if language not in ("zh", "en"):
        raise ValueError(f"language is {language!r}; the micro-world writes zh and en.")
    for number, text in enumerate(sample_texts(shipped(), language, count, seed), 1):
        print(f"{number}. {text}")


def sample_texts(world: World, language: Language, count: int, seed: int) -> list[str]:
    """The texts that `show_sample` prints, with their labels."""
    each = -(-count // 2)
    told = [
        f"[{d.order} {d.name}{' ' + d.turn if d.turn else ''}] {d.text} | {d.state}"
        for d in make_documents(world, each, language, seed=seed)
    ]
    tasks = [f"[review {FEELING[r.label]} {r.category}] {r.text}" for r in
             reviews(world, each, language, seed=seed)]  # fmt: skip
    tasks += [
        f"[{p.label} {p.kind}] {p.premise} → {p.hypothesis}"
        for p in inferences(world, each, language, seed=seed)
    ]
    tasks += [
        f"[question] {q.context} → {q.question} {q.answers[0].text if q.answers else '(none)'}"
        for q in questions(world, each, language, seed=seed, unanswerable=0.25)
    ]
    tasks += [
        "[tags] " + " ".join(f"{word}/{tag}" for word, tag in zip(t.tokens, t.tags, strict=True))
        for t in ambiguous_words(world, each, language, seed=seed)
    ]
    if language == "zh":
        tasks += [f"[sense {use.sense}] {use.text}" for use in sense_uses(world, each, seed=seed)]
    draws = Draws("sample", language, seed)
    return draws.shuffle(told + draws.sample(tasks, count - len(told)))
