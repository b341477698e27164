"""Sentences with parts of speech; words whose tag depends on the sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from chapter10.data.microworld.draws import Draws, Patience
from chapter10.data.microworld.examples import Tagged
from chapter10.data.microworld.files import Text, as_list, as_table, fail, read
from chapter10.data.microworld.forms import Filler
from chapter10.data.microworld.grammar import LANGUAGES, Role, read_roles
from chapter10.data.microworld.patterns import Pattern, compile_pattern
from chapter10.data.microworld.sampling import NoWordError, Style
from chapter10.data.microworld.splits import Held, Split, choose
from chapter10.data.microworld.tokens import Language, Sentence
from chapter10.data.microworld.world import World


@dataclass(frozen=True)
class TaggingGrammar:
    """tagging.yml: by language, the words and, by tag, their wordings."""

    roles: Mapping[str, Role]
    words: Mapping[Language, Mapping[str, Mapping[str, tuple[Pattern, ...]]]]


@cache
def load_tagging(world: World) -> TaggingGrammar:
    """Read grammar/tagging.yml.

    Raises:
        WorldFileError: the file breaks its rules, or a wording lacks its word/TAG.
    """
    table = read(world.folder / "grammar" / "tagging.yml")
    roles = read_roles(as_table(table[Text("roles")], "roles"), world.lexicon)
    words: dict[Language, dict[str, dict[str, tuple[Pattern, ...]]]] = {}
    for language in LANGUAGES:
        words[language] = {}
        for word, tags in as_table(table[Text(language)], language).items():
            by_tag = words[language][str(word)] = {}
            for tag, sources in as_table(tags, str(word)).items():
                found = []
                for number, source in enumerate(as_list(sources, str(tag))):
                    if f"{word}/{tag}" not in source.split():
                        raise fail(source, f"this wording must hold {word}/{tag}")
                    found.append(compile_pattern(source, language, world.lexicon, number))
                by_tag[str(tag)] = tuple(found)
    return TaggingGrammar(roles, words)


def tagged(sentence: Sentence, target: int = -1) -> Tagged:
    """A sentence as a tagged example."""
    return Tagged(
        tokens=sentence.words,
        tags=sentence.tags,
        text=sentence.text,
        offsets=tuple((span.start, span.end) for span in sentence.offsets),
        target=target,
    )


def tagged_sentences(
    world: World,
    count: int,
    language: Language = "zh",
    *,
    seed: int | str = 0,
    split: Split = "train",
    style: Style | None = None,
) -> list[Tagged]:
    """`count` ordinary sentences with their tags."""
    written = world.sentences(count, language, seed=f"tagging/{seed}", split=split, style=style)
    return [tagged(sentence) for sentence in written]


def ambiguous_words(
    world: World,
    count: int,
    language: Language = "zh",
    *,
    seed: int | str = 0,
    split: Split = "train",
    wordings: Held = "held out",
    style: Style | None = None,
) -> list[Tagged]:
    """`count` sentences, each with a word that has several tags; all words and tags equally often.

    `target` is the word's place. Nobody who knows only each word's most frequent tag does better
    than one over the number of its tags.
    """
    grammar = load_tagging(world)
    sampler = world.sampler(style or Style(), split)
    draws = Draws("ambiguous", language, split, seed, wordings)
    choices = [
        (word, tag, patterns)
        for word, tags in grammar.words[language].items()
        for tag, patterns in tags.items()
    ]
    written: list[Tagged] = []
    patience = Patience(count, f"{count} sentences for {split}")
    while len(written) < count:
        word, tag, patterns = choices[len(written) % len(choices)]
        fillers: dict[str, Filler] = {}
        try:
            for name, role in grammar.roles.items():
                fillers[name] = sampler.fill(role, fillers, draws)
        except NoWordError:
            patience.lose()
            continue
        tokens = draws.pick(choose(patterns, split, wordings)).fill(fillers, draws)
        places = [
            i
            for i, t in enumerate(tokens)
            if t.text.lower() == word and t.tag == tag and not t.role
        ]
        written.append(tagged(Sentence(tokens, language), places[0]))
    return draws.shuffle(written)
