"""What a model must beat to have understood anything: answers that need no understanding."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, hstack  # type: ignore[import-untyped]
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from chapter10.data import Question, TaggedSentence
from chapter10.tasks.classification import TextExample
from chapter10.tasks.task import Task

Baseline = Callable[[Sequence[Any], Sequence[Any], Sequence[Any]], Sequence[Any]]
"""(train, validation, test) -> an answer to each test example, as ``Task.score_answers`` takes it;
only validation may be used for choices."""

_STRENGTHS = (0.1, 1.0, 10.0, 100.0)  # inverse regularisation strengths that are tried
_MOST_RUNS = 20_000  # the most frequent runs of characters, of each text
_SENTENCE = re.compile(r".+?(?:[。！？!?]|\.(?=\s|$)|\n|$)", re.DOTALL)


def most_frequent_class(
    train: Sequence[TextExample],
    validation: Sequence[TextExample],
    test: Sequence[TextExample],
) -> list[str]:
    """The training set's most frequent class, whatever the text."""
    ((label, _),) = Counter(_label(example) for example in train).most_common(1)
    return [label] * len(test)


def character_ngrams(
    train: Sequence[TextExample],
    validation: Sequence[TextExample],
    test: Sequence[TextExample],
) -> list[str]:
    """Logistic regression on which runs of one to three characters occur, order forgotten.

    The two texts of a pair have features of their own. The strength of regularisation is the one
    that does best on validation data.
    """
    columns: list[Callable[[TextExample], str]] = [lambda example: example.text]
    if train[0].pair is not None:
        columns.append(lambda example: example.pair or "")
    return _regression(columns, train, validation, test)


def second_text_only(
    train: Sequence[TextExample],
    validation: Sequence[TextExample],
    test: Sequence[TextExample],
) -> list[str]:
    """:func:`character_ngrams` of the hypothesis alone (Gururangan et al. 2018): what it gets right
    above chance, the hypothesis gives away."""
    return _regression([lambda example: example.pair or ""], train, validation, test)


def _label(example: TextExample) -> str:
    assert example.label is not None  # the task has checked its labels
    return example.label


def _regression(
    columns: Sequence[Callable[[TextExample], str]],
    train: Sequence[TextExample],
    validation: Sequence[TextExample],
    test: Sequence[TextExample],
) -> list[str]:
    labels = [_label(example) for example in train]
    if len(set(labels)) == 1:
        return labels[:1] * len(test)
    readers = [
        TfidfVectorizer(
            analyzer="char", ngram_range=(1, 3), sublinear_tf=True, max_features=_MOST_RUNS
        )
        for _ in columns
    ]
    for reader, column in zip(readers, columns, strict=True):
        reader.fit([column(example) for example in train])

    def features(examples: Sequence[TextExample]) -> csr_matrix:
        parts = [
            reader.transform([column(example) for example in examples])
            for reader, column in zip(readers, columns, strict=True)
        ]
        return hstack(parts).tocsr()

    inputs, held_out = features(train), features(validation)
    models = [LogisticRegression(C=c, solver="newton-cg").fit(inputs, labels) for c in _STRENGTHS]
    wanted = [_label(example) for example in validation]
    accuracies = [model.score(held_out, wanted) for model in models]
    return [str(label) for label in models[int(np.argmax(accuracies))].predict(features(test))]


def most_frequent_tag(
    train: Sequence[TaggedSentence],
    validation: Sequence[TaggedSentence],
    test: Sequence[TaggedSentence],
) -> list[tuple[str, ...]]:
    """The training set's most frequent tag for every word."""
    ((tag, _),) = Counter(tag for example in train for tag in example.tags).most_common(1)
    return [(tag,) * len(example.tokens) for example in test]


def most_frequent_tag_of_word(
    train: Sequence[TaggedSentence],
    validation: Sequence[TaggedSentence],
    test: Sequence[TaggedSentence],
) -> list[tuple[str, ...]]:
    """Each word's most frequent tag, whatever stands around it; an unknown word's is the most
    frequent of all."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for example in train:
        for word, tag in zip(example.tokens, example.tags, strict=True):
            counts[word][tag] += 1
    overall = sum(counts.values(), Counter[str]()).most_common(1)[0][0]
    known = {word: seen.most_common(1)[0][0] for word, seen in counts.items()}
    return [tuple(known.get(word, overall) for word in example.tokens) for example in test]


def first_sentence(
    train: Sequence[Question],
    validation: Sequence[Question],
    test: Sequence[Question],
) -> list[str]:
    """The first sentence of the document, whatever the question."""
    return [first_sentence_of(example.context) for example in test]


def first_sentence_of(text: str) -> str:
    """A text up to its first 。, ！, ？ or full stop, or the end of a line."""
    match = _SENTENCE.match(text.strip())
    return match.group().strip() if match else ""


BASELINES: Mapping[str, Baseline] = {
    "most frequent class": most_frequent_class,
    "character n-grams": character_ngrams,
    "second text only": second_text_only,
    "most frequent tag": most_frequent_tag,
    "most frequent tag of the word": most_frequent_tag_of_word,
    "first sentence": first_sentence,
}


def baseline_scores(
    name: str,
    task: Task[Any, Any, Any],
    train: Sequence[Any],
    validation: Sequence[Any],
    test: Sequence[Any],
) -> dict[str, float]:
    """The scores of a baseline of that name on the test examples."""
    return task.score_answers(test, BASELINES[name](train, validation, test))
