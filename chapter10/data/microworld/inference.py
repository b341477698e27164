"""Entailment, contradiction, neutral: pairs whose hypothesis alone says nothing of the label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from chapter10.data.microworld.draws import Draws, Patience
from chapter10.data.microworld.examples import Inference
from chapter10.data.microworld.files import Table, Text, as_table, as_text, check_keys, fail, read
from chapter10.data.microworld.forms import Filler
from chapter10.data.microworld.grammar import Role, Wordings, read_roles, read_wordings
from chapter10.data.microworld.sampling import NoWordError, Sampler, Style
from chapter10.data.microworld.sentiment import FOLLOWS
from chapter10.data.microworld.splits import Held, Split, admits_sentence, choose
from chapter10.data.microworld.tokens import Language, Sentence
from chapter10.data.microworld.world import World

Label = Literal["entailment", "contradiction", "neutral"]
LABELS: tuple[Label, ...] = ("entailment", "contradiction", "neutral")
Side = Literal["yes", "no", "open"]


@dataclass(frozen=True)
class InferenceKind:
    """One entry of inference.yml."""

    name: str
    roles: Mapping[str, Role]
    changes: str
    premise: Mapping[str, Wordings]
    hypothesis: Mapping[str, Wordings]


@cache
def load_inference(world: World) -> Mapping[str, InferenceKind]:
    """Read grammar/inference.yml.

    Raises:
        WorldFileError: the file breaks its rules.
    """
    kinds = {}
    for name, value in read(world.folder / "grammar" / "inference.yml").items():
        table = as_table(value, str(name))
        check_keys(
            table,
            ("roles", "changes", "premise", "hypothesis"),
            required=("roles", "premise", "hypothesis"),
        )
        roles = read_roles(as_table(table[Text("roles")], "roles"), world.lexicon)
        changes = (
            str(as_text(table[Text("changes")], "changes")) if Text("changes") in table else ""
        )
        premise = _sides(as_table(table[Text("premise")], "premise"), world, set(roles))
        hypothesis = _sides(as_table(table[Text("hypothesis")], "hypothesis"), world, set(roles))
        if bool(changes) == ("open" in premise):
            raise fail(
                table, "neutral pairs need either open premises or a role that changes, not both"
            )
        kinds[str(name)] = InferenceKind(str(name), roles, changes, premise, hypothesis)
    return kinds


def _sides(table: Table, world: World, roles: set[str]) -> dict[str, Wordings]:
    check_keys(table, ("yes", "no", "open"), required=("yes", "no"))
    return {
        str(side): read_wordings(as_table(entry, str(side)), world.lexicon, roles)
        for side, entry in table.items()
    }


def inferences(
    world: World,
    count: int,
    language: Language = "zh",
    *,
    seed: int | str = 0,
    split: Split = "train",
    kinds: Sequence[str] = (),
    wordings: Held = "held out",
    style: Style | None = None,
) -> list[Inference]:
    """`count` pairs, a third of each label within every kind, in random order.

    Hypotheses of both sides meet all labels equally often: hypothesis-only is at chance.
    """
    known = load_inference(world)
    chosen = tuple(kinds) or tuple(known)
    unknown = sorted(set(chosen) - set(known))
    if unknown:
        raise ValueError(f"kinds names {unknown[0]!r}; there are {', '.join(known)}.")
    sampler = world.sampler(style or Style(), split)
    draws = Draws("inference", language, split, seed, wordings, *chosen)
    written: list[Inference] = []
    patience = Patience(count, f"{count} pairs for {split}")
    while len(written) < count:
        number = len(written)
        label = LABELS[number % 3]
        kind = known[chosen[(number // 3) % len(chosen)]]
        pair = _pair(kind, label, language, sampler, draws, wordings)
        if pair is None:
            patience.lose()
        else:
            written.append(pair)
    return draws.shuffle(written)


def _pair(
    kind: InferenceKind,
    label: Label,
    language: Language,
    sampler: Sampler,
    draws: Draws,
    wordings: Held,
) -> Inference | None:
    side = draws.pick(("yes", "no"))
    other = "no" if side == "yes" else "yes"
    try:
        fillers = _fillers(kind, sampler, draws)
        about: Mapping[str, Filler] = fillers
        if label == "neutral" and kind.changes:
            premise_side, about = draws.pick(("yes", "no")), _changed(kind, fillers, sampler, draws)
        else:
            premise_side = {"entailment": side, "contradiction": other, "neutral": "open"}[label]
    except NoWordError:
        return None
    split = sampler.split
    premise = _said(kind.premise[premise_side], fillers, language, draws, split, wordings)
    hypothesis = _said(kind.hypothesis[side], about, language, draws, split, wordings)
    if premise is None or hypothesis is None:
        return None
    return Inference(premise.text, hypothesis.text, label, kind.name, premise, hypothesis)


def _said(
    choices: Wordings,
    fillers: Mapping[str, Filler],
    language: Language,
    draws: Draws,
    split: Split,
    wordings: Held,
) -> Sentence | None:
    tokens = draws.pick(choose(choices[language], split, wordings)).fill(fillers, draws)
    return Sentence(tokens, language) if admits_sentence(split, tokens) else None


def _fillers(kind: InferenceKind, sampler: Sampler, draws: Draws) -> dict[str, Filler]:
    fillers: dict[str, Filler] = {}
    for name, role in kind.roles.items():
        fillers[name] = sampler.fill(role, fillers, draws)
    if "what" in fillers and "verb" in fillers:
        fillers["what"] = Filler(fillers["what"].word, 1 + draws.below(4))
        if "kind_zh" not in fillers["what"].word.facts:
            raise NoWordError("a thing of no kind")
    return fillers


def _changed(
    kind: InferenceKind, fillers: dict[str, Filler], sampler: Sampler, draws: Draws
) -> dict[str, Filler]:
    """The fillers with one role about something of another kind."""
    before = fillers[kind.changes].word
    for _ in range(30):
        word = sampler.fill(kind.roles[kind.changes], fillers, draws).word
        if word.facts.get("kind_zh") not in (None, before.facts.get("kind_zh")):
            return {**fillers, kind.changes: Filler(word)}
    raise NoWordError("nothing of another kind")


def inference_documents(
    world: World, count: int, language: Language = "zh", *, seed: int | str = 0
) -> list[tuple[Sentence, ...]]:
    """Pretraining text: something happened, and what follows from it, said in one way or two."""
    known = load_inference(world)
    sampler = world.sampler(Style(), "pretraining")
    draws = Draws("inference documents", language, seed)
    written: list[tuple[Sentence, ...]] = []
    patience = Patience(count, f"{count} documents with consequences")
    while len(written) < count:
        kind = known[draws.pick(tuple(known))]
        side = draws.pick(("yes", "no"))
        try:
            fillers = _fillers(kind, sampler, draws)
        except NoWordError:
            patience.lose()
            continue
        ways = draws.shuffle(kind.hypothesis[side][language])[: draws.pick(FOLLOWS)]
        patterns = [draws.pick(kind.premise[side][language]), *ways]
        told = [Sentence(pattern.fill(fillers, draws), language) for pattern in patterns]
        if all(admits_sentence("pretraining", sentence.tokens) for sentence in told):
            written.append(tuple(told))
        else:
            patience.lose()
    return written
