"""Questions on short texts whose answer is a stretch of the text, or is not there.

Every text holds the sentence with the answer, one that says nearly the same of something that did
not happen, and two that share the person or the deed. So neither shared words nor the place tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from chapter10.data.examples import Answer
from chapter10.data.microworld.draws import Draws, Patience
from chapter10.data.microworld.examples import Asked
from chapter10.data.microworld.files import Text, as_table, check_keys, read
from chapter10.data.microworld.forms import Filler
from chapter10.data.microworld.grammar import Role, Wordings, read_roles, read_wordings
from chapter10.data.microworld.sampling import NoWordError, Sampler, Style
from chapter10.data.microworld.splits import Held, Split, choose, is_open
from chapter10.data.microworld.tokens import Language, Sentence, join
from chapter10.data.microworld.world import World

ASKED = ("who", "what", "where", "when")


@dataclass(frozen=True)
class QuestionGrammar:
    """questions.yml."""

    roles: Mapping[str, Role]
    tell: Wordings
    decoy: Wordings
    ask: Mapping[str, Wordings]


@cache
def load_questions(world: World) -> QuestionGrammar:
    """Read grammar/questions.yml.

    Raises:
        WorldFileError: the file breaks its rules.
    """
    table = as_table(read(world.folder / "grammar" / "questions.yml")[Text("act_on")], "act_on")
    check_keys(table, ("roles", "tell", "decoy", "ask"), ("roles", "tell", "decoy", "ask"))
    roles = read_roles(as_table(table[Text("roles")], "roles"), world.lexicon)
    asks = as_table(table[Text("ask")], "ask")
    check_keys(asks, ASKED, ASKED)
    return QuestionGrammar(
        roles,
        read_wordings(as_table(table[Text("tell")], "tell"), world.lexicon, set(roles)),
        read_wordings(as_table(table[Text("decoy")], "decoy"), world.lexicon, set(roles)),
        {
            str(role): read_wordings(as_table(entry, str(role)), world.lexicon, set(roles))
            for role, entry in asks.items()
        },
    )


Fillers = dict[str, Filler]


def questions(
    world: World,
    count: int,
    language: Language = "zh",
    *,
    seed: int | str = 0,
    split: Split = "train",
    unanswerable: float = 0.0,
    wordings: Held = "held out",
    style: Style | None = None,
) -> list[Asked]:
    """`count` questions, each role asked for equally often, in random order.

    unanswerable: the share without an answer: the text only says what did not happen.
    """
    if not 0 <= unanswerable <= 1:
        raise ValueError(f"unanswerable is {unanswerable}; it is a share, from 0 to 1.")
    writer = _Writer(
        load_questions(world),
        Sampler(world.lexicon, style or Style(), split, deeds="train" if is_open(split) else split),
        language,
        Draws("questions", language, split, seed, wordings, str(unanswerable)),
        wordings,
    )
    written: list[Asked] = []
    patience = Patience(count, f"{count} questions for {split}")
    without = round(count * unanswerable)
    while len(written) < count:
        number = len(written)
        try:
            question = writer.ask(ASKED[number % len(ASKED)], number >= without, f"{seed}-{number}")
        except NoWordError:
            patience.lose()
            continue
        written.append(question)
    return writer.draws.shuffle(written)


@dataclass
class _Writer:
    """What writing one question needs at hand."""

    grammar: QuestionGrammar
    sampler: Sampler
    language: Language
    draws: Draws
    wordings: Held

    def ask(self, role: str, answerable: bool, name: str) -> Asked:
        """One question for a role, with its text.

        Raises:
            NoWordError: the draw did not work out; draw again.
        """
        event = self._event()
        decoy = self._changed(event, role)
        others = self._others(event, decoy, role)
        told = [(self.grammar.decoy, decoy), *((self.grammar.tell, other) for other in others)]
        told.insert(0, (self.grammar.tell, event if answerable else self._unasked(event, role)))
        sentences = [self._write(wordings, fillers) for wordings, fillers in told]
        order = self.draws.shuffle(range(len(sentences)))
        context = join([sentences[i] for i in order])
        question = self._write(self.grammar.ask[role], event)
        lengths = [len(sentences[i].tokens) for i in order]
        spans = [
            _shift(_role_span(sentences[i], role), sum(lengths[:place]))
            for place, i in enumerate(order)
        ]
        span = spans[order.index(0)] if answerable else None
        answers: tuple[Answer, ...] = ()
        if span is not None:
            start, end = context.offsets[span[0]].start, context.offsets[span[1]].end
            answers = (Answer(context.text[start:end], start),)
        return Asked(
            name, context.text, question.text, answers, role, context, question, span, tuple(spans)
        )

    def _event(self) -> Fillers:
        fillers: Fillers = {}
        for name, role in self.grammar.roles.items():
            fillers[name] = self.sampler.fill(role, fillers, self.draws)
        fillers["what"] = self.sampler.describe(fillers, self.draws)
        return fillers

    def _changed(self, event: Fillers, role: str) -> Fillers:
        """The event with another filler of a role."""
        changed = dict(event)
        changed[role] = self.sampler.fill(self.grammar.roles[role], event, self.draws)
        if changed[role].word is event[role].word:
            raise NoWordError("the other one is the same")
        if role == "what":
            changed["what"] = self.sampler.describe(changed, self.draws)
        return changed

    def _unasked(self, event: Fillers, role: str) -> Fillers:
        """An event that leaves the question without an answer: in every wording the question names
        the thing when it asks for the person, and the person when it asks for anything else."""
        named, free = ("what", "where") if role == "who" else ("who", "when")
        return self._changed(self._changed(event, named), free)

    def _others(self, event: Fillers, decoy: Fillers, role: str) -> list[Fillers]:
        """Somebody else who did the same to other things, and the person doing another deed."""
        same_deed = self._event_with({"verb": event["verb"]}, avoid=(event, decoy))
        fixed = {} if role == "who" else {"who": event["who"]}
        other_deed = self._event_with(fixed, avoid=(event, decoy, same_deed))
        if other_deed["verb"].word is event["verb"].word:
            raise NoWordError("the other deed is the same")
        return [same_deed, other_deed]

    def _event_with(self, fixed: Mapping[str, Filler], avoid: Sequence[Fillers]) -> Fillers:
        fillers: Fillers = dict(fixed)
        for name, role in self.grammar.roles.items():
            if name not in fillers:
                fillers[name] = self.sampler.fill(role, fillers, self.draws)
                for event in avoid:
                    if name != "verb" and fillers[name].word is event[name].word:
                        raise NoWordError("already in the text")
        if "who" in fixed and not self._may(fillers):
            raise NoWordError("not a deed of this person")
        fillers["what"] = self.sampler.describe(fillers, self.draws)
        return fillers

    def _may(self, fillers: Fillers) -> bool:
        """Whether the person may do this, by the verb's own rules and by the split's."""
        who, verb = fillers["who"].word, fillers["verb"].word
        kinds = verb.lists.get("who", ("person",))
        return bool(who.kinds & set(kinds)) and self.sampler.does(who, verb)

    def _write(self, wordings: Wordings, fillers: Fillers) -> Sentence:
        patterns = choose(wordings[self.language], self.sampler.split, self.wordings)
        return Sentence(self.draws.pick(patterns).fill(fillers, self.draws), self.language)


def _role_span(sentence: Sentence, role: str) -> tuple[int, int]:
    places = [i for i, token in enumerate(sentence.tokens) if token.role == role]
    return places[0], places[-1]


def _shift(span: tuple[int, int], by: int) -> tuple[int, int]:
    return span[0] + by, span[1] + by
