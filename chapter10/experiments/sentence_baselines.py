"""What one scores on pairs of sentences without understanding them, for the page `sentence-order`.

Each baseline learns from training pairs with their labels and answers held-out ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from scipy.sparse import hstack  # type: ignore[import-untyped]
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from chapter10.objectives import SentencePair

Pairs = Sequence[SentencePair]
STRENGTHS = (0.001, 0.01, 0.1, 1.0)
"""Inverse regularisation strengths; the one best on validation pairs is taken."""
TOPICS = 20


def lengths(learned: Pairs) -> Callable[[Pairs], Any]:
    """Features: how many characters each sentence has, and the difference."""
    return lambda pairs: np.array(
        [[len(p.first), len(p.second), len(p.first) - len(p.second)] for p in pairs], dtype=float
    )


def shared_characters(learned: Pairs) -> Callable[[Pairs], Any]:
    """Features: how many different characters both sentences have, and their share of all."""

    def features(pairs: Pairs) -> np.ndarray:
        both = [len(set(p.first) & set(p.second)) for p in pairs]
        either = [len(set(p.first) | set(p.second)) for p in pairs]
        return np.array([both, np.divide(both, either)]).T

    return features


def words_and_places(learned: Pairs) -> Callable[[Pairs], Any]:
    """Features: which characters and pairs of them stand in the first, which in the second.

    Linear in these, a classifier may learn that words belong to beginnings or to ends, but not
    that one sentence goes with another.
    """
    reader = CountVectorizer(analyzer="char", ngram_range=(1, 2), binary=True)
    reader.fit(_texts(learned))
    return lambda pairs: hstack(
        [reader.transform([p.first for p in pairs]), reader.transform([p.second for p in pairs])]
    ).tocsr()


def second_sentence(learned: Pairs) -> Callable[[Pairs], Any]:
    """Features: what stands in the second sentence; the first is not read."""
    reader = CountVectorizer(analyzer="char", ngram_range=(1, 2), binary=True)
    reader.fit(_texts(learned))
    return lambda pairs: reader.transform([p.second for p in pairs])


def same_topic(learned: Pairs) -> Callable[[Pairs], Any]:
    """Features: how alike both sentences are in each of TOPICS directions of the vocabulary.

    The directions come from the pairs that follow one another (latent semantic analysis). Products
    are the same for (a, b) and (b, a), so this baseline cannot know about order.
    """
    topics = make_pipeline(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 2)),
        TruncatedSVD(TOPICS, random_state=0),
    )
    topics.fit([p.first + p.second for p in learned if p.label == 0])

    def features(pairs: Pairs) -> np.ndarray:
        one, two = (topics.transform([getattr(p, s) for p in pairs]) for s in ("first", "second"))
        return np.asarray(one * two)

    return features


BASELINES: Mapping[str, Callable[[Pairs], Callable[[Pairs], Any]]] = {
    "只看长度": lengths,
    "共有的字": shared_characters,
    "只看第二句": second_sentence,
    "词与位置": words_and_places,
    "同一话题": same_topic,
}


def baseline_answers(name: str, learned: Pairs, validation: Pairs, test: Pairs) -> list[int]:
    """Labels of the test pairs by logistic regression on the features of that baseline.

    Raises:
        ValueError: there is no baseline of that name, or the training pairs have one label only.
    """
    if name not in BASELINES:
        raise ValueError(f"There is no baseline {name!r}; there are {', '.join(BASELINES)}.")
    labels = [pair.label for pair in learned]
    if len(set(labels)) < 2:
        raise ValueError(f"All {len(labels)} training pairs have the same label; give both labels.")
    features = BASELINES[name](learned)
    inputs, held_out = features(learned), features(validation)
    models = [
        make_pipeline(StandardScaler(with_mean=False), LogisticRegression(C=c, max_iter=3_000)).fit(
            inputs, labels
        )
        for c in STRENGTHS
    ]
    wanted = [pair.label for pair in validation]
    best = models[int(np.argmax([model.score(held_out, wanted) for model in models]))]
    return [int(label) for label in best.predict(features(test))]


def _texts(pairs: Pairs) -> list[str]:
    return list(chain.from_iterable((pair.first, pair.second) for pair in pairs))
