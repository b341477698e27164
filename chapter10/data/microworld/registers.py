"""Other ways to write the same event: the gloss register and the slot-parallel register.

*Gloss*: the Chinese sentence with every word replaced by one other word, one for one: Chinese
order, other words; "fake English" in the sense of K et al. 2020. *Slots*: real Chinese and real
English with the same slots in the same order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from chapter10.data.microworld.draws import Draws, Patience
from chapter10.data.microworld.files import Items, Table, Text, as_table, as_text, fail, read
from chapter10.data.microworld.forms import Filler
from chapter10.data.microworld.grammar import Role, read_roles
from chapter10.data.microworld.lexicon import Lexicon
from chapter10.data.microworld.patterns import Pattern, compile_pattern
from chapter10.data.microworld.sampling import NoWordError, Style
from chapter10.data.microworld.splits import Split, admits_sentence
from chapter10.data.microworld.tokens import Language, Register, Sentence, Token
from chapter10.data.microworld.world import World, chances

SLOT_REGISTERS: Mapping[Language, Register] = {"zh": "slots-zh", "en": "slots-en"}


def gloss(sentence: Sentence, lexicon: Lexicon) -> Sentence:
    """A Chinese sentence in the gloss register: the same tokens, each under its other word.

    Raises:
        ValueError: the sentence is not Chinese.
    """
    if sentence.register != "zh":
        raise ValueError(f"gloss takes a Chinese sentence; this one is {sentence.register!r}.")
    tokens = tuple(
        token._replace(text=token.text if token.tag == "PUNCT" else lexicon.glosses[token.text])
        for token in sentence.tokens
    )
    return Sentence(tokens, "gloss")


@dataclass(frozen=True)
class SlotPattern:
    """Roles, and the slots of both languages, as many in each."""

    name: str
    roles: Mapping[str, Role]
    slots: Mapping[Language, tuple[Pattern, ...]]
    least: int


def load_slots(world: World) -> tuple[SlotPattern, ...]:
    """Read grammar/slots.yml.

    Raises:
        WorldFileError: the languages do not have the same number of slots, or a word is unknown.
    """
    table = read(world.folder / "grammar" / "slots.yml")
    entries = table[Text("slots")]
    if not isinstance(entries, Items):
        raise fail(table, "slots: must be a list of patterns")
    return tuple(_read(as_table(entry, "a pattern"), world.lexicon) for entry in entries)


def _read(table: Table, lexicon: Lexicon) -> SlotPattern:
    slots: dict[Language, tuple[Pattern, ...]] = {}
    languages: tuple[Language, ...] = ("zh", "en")
    for language in languages:
        source = as_text(table[Text(language)], language)
        parts = []
        for number, part in enumerate(source.split("|")):
            text = Text(part.strip())
            text.line, text.path = source.line, source.path
            parts.append(compile_pattern(text, language, lexicon, number))
        slots[language] = tuple(parts)
    if len(slots["zh"]) != len(slots["en"]):
        raise fail(
            table,
            f"{len(slots['zh'])} slots in Chinese and {len(slots['en'])} in English; "
            "both need as many, one for one",
        )
    roles = read_roles(as_table(table[Text("roles")], "roles"), lexicon)
    least = int(str(table.get(Text("number"), "1")))
    return SlotPattern(str(table[Text("name")]), roles, slots, least)


def slot_sentences(
    world: World,
    count: int,
    language: Language = "zh",
    *,
    seed: int | str = 0,
    split: Split = "pretraining",
    style: Style | None = None,
) -> list[Sentence]:
    """`count` sentences of one language in the slot-parallel register; languages share no event."""
    draws = Draws("slots", language, split, seed)
    return [pair[language] for pair in _events(world, count, (language,), draws, split, style)]


def slot_pairs(
    world: World,
    count: int,
    *,
    seed: int | str = 0,
    split: Split = "test",
    style: Style | None = None,
) -> list[tuple[Sentence, Sentence]]:
    """The same events in both languages, slot for slot: for evaluation only."""
    draws = Draws("slot pairs", seed)
    pairs = _events(world, count, ("zh", "en"), draws, split, style)
    return [(pair["zh"], pair["en"]) for pair in pairs]


def _events(
    world: World,
    count: int,
    languages: tuple[Language, ...],
    draws: Draws,
    split: Split,
    style: Style | None,
) -> list[dict[Language, Sentence]]:
    style = style or Style()
    sampler = world.sampler(style, split)
    patterns = {pattern.name: pattern for pattern in load_slots(world)}
    names, weights = chances(dict.fromkeys(patterns, 1), style)
    patience = Patience(count, f"{count} sentences in slots for {split}")
    written: list[dict[Language, Sentence]] = []
    while len(written) < count:
        pattern = patterns[draws.pick_by(names, weights)]
        fillers: dict[str, Filler] = {}
        try:
            for name, role in pattern.roles.items():
                fillers[name] = sampler.fill(role, fillers, draws)
        except NoWordError:
            patience.lose()
            continue
        if "what" in fillers:
            number = pattern.least + draws.below(6) if pattern.least > 1 else 1
            fillers["what"] = replace(fillers["what"], count=number)
        pair = {one: _write(pattern, fillers, one, draws) for one in languages}
        if all(admits_sentence(split, sentence.tokens) for sentence in pair.values()):
            written.append(pair)
        else:
            patience.lose()
    return written


def _write(
    pattern: SlotPattern, fillers: Mapping[str, Filler], language: Language, draws: Draws
) -> Sentence:
    tokens = []
    for slot in pattern.slots[language]:
        said = slot.fill(fillers, draws, capital=False)
        kept = [token for token in said if token.tag != "PUNCT"]
        head = next((token for token in kept if token.role), kept[-1])
        joiner = "" if language == "zh" else "-"
        text = joiner.join(token.text for token in kept)
        tokens.append(Token(text.replace("-'s", "'s"), head.tag, head.role, head.sense))
    return Sentence(tuple(tokens), SLOT_REGISTERS[language])
