"""Extractive question answering in SQuAD's JSON: SQuAD, CMRC 2018, DRCD, XQuAD."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from chapter10.data.errors import MalformedError
from chapter10.data.examples import Answer, Question


def read_squad(path: Path, notes: Counter[str]) -> Iterator[Question]:
    """The questions of a file, with every annotator's answer.

    An answer that does not stand at its `answer_start` is moved to its nearest occurrence in the
    context; one that occurs nowhere and is marked -1 (CMRC 2018 has free answers) keeps its text,
    which scoring needs, with start None. A question whose text is empty is left out. All three are
    counted in `notes`.

    Raises:
        MalformedError: not JSON, not SQuAD's layout, a question without answers, an answer with a
            start that is nowhere in its context, an id that occurs twice.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except json.JSONDecodeError as error:
        raise MalformedError(path, error.lineno, f"not JSON ({error.msg})") from error
    except UnicodeDecodeError as error:
        raise MalformedError(path, 0, f"not UTF-8 ({error})") from error
    seen: set[str] = set()
    try:
        for article in content["data"]:
            for paragraph in article["paragraphs"]:
                for entry in paragraph["qas"]:
                    question = _question(path, paragraph["context"], entry, notes)
                    if question.id in seen:
                        raise MalformedError(path, 0, f"question id {question.id!r} occurs twice")
                    seen.add(question.id)
                    if question.question.strip():
                        yield question
                    else:
                        notes["questions without text left out"] += 1
    except (KeyError, TypeError) as error:
        raise MalformedError(
            path, 0, f"not SQuAD's layout: {error!r} at question {len(seen) + 1}"
        ) from error


def _question(path: Path, context: str, entry: dict[str, Any], notes: Counter[str]) -> Question:
    name = str(entry["id"])
    answers = []
    for given in entry["answers"]:
        text, start = given["text"], given["answer_start"]
        if start < 0 or not context.startswith(text, start):
            place = _nearest(context, text, start)
            if place is None and start >= 0:
                raise MalformedError(
                    path, 0, f"question {name!r}: answer {text!r} is nowhere in its context"
                )
            notes[
                "answers moved to where their text stands"
                if place is not None
                else "answers that do not occur in their context (start None)"
            ] += 1
            start = place
        answers.append(Answer(text, start))
    if not answers:
        raise MalformedError(path, 0, f"question {name!r} has no answer")
    return Question(name, context, entry["question"], tuple(answers))


def _nearest(context: str, text: str, start: int) -> int | None:
    places = []
    place = context.find(text)
    while place >= 0:
        places.append(place)
        place = context.find(text, place + 1)
    return min(places, key=lambda at: abs(at - start), default=None)
