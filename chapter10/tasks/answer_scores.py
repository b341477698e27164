"""Exact match and F1 of an answer, as CMRC 2018 and SQuAD define them.

CMRC 2018 (Cui et al. 2019, section 4, and its script ``cmrc2018_evaluate.py``): Chinese by
characters, other text by words; the overlap is the longest run that both share. The script calls it
LCS and computes the longest common *substring*; so do we. Where it splits other text with NLTK, a
regular expression does here; they differ in English contractions (NLTK: do + n't) alone.
SQuAD (Rajpurkar et al. 2016, section 6.1, and its script ``evaluate-v1.1.py``): bags of words
without articles and punctuation; an empty answer fits only an empty one, as in SQuAD 2.0.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Literal, get_args

Language = Literal["zh", "en"]

# The script's list. Its "……" is compared with single characters and so never found: … stays.
_PUNCTUATION = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_CHINESE = re.compile("([\u4e00-\u9fa5])")
_WORDS = re.compile(r"\w+(?:(?:['.]|(?<=\d),(?=\d))\w+)*|[^\w\s]")


def exact_match(prediction: str, answers: Sequence[str], language: Language = "zh") -> float:
    """1.0 if the prediction is one of the answers, but for case and punctuation; else 0.0."""
    _check(answers, language)
    normal = _normal_chinese if language == "zh" else _normal_english
    return float(normal(prediction) in [normal(answer) for answer in answers])


def answer_f1(prediction: str, answers: Sequence[str], language: Language = "zh") -> float:
    """The harmonic mean of precision and recall with the answer that it fits best, 0 to 1."""
    _check(answers, language)
    overlap = _chinese_overlap if language == "zh" else _english_overlap
    return max(_f1(*overlap(prediction, answer)) for answer in answers)


def segments(text: str) -> list[str]:
    """CMRC's mixed segmentation: each Chinese character by itself, other text by words."""
    found: list[str] = []
    for run in _CHINESE.split(_normal_chinese(text)):
        found += [run] if _CHINESE.fullmatch(run) else _WORDS.findall(run)
    return found


def _check(answers: Sequence[str], language: str) -> None:
    if language not in get_args(Language):
        raise ValueError(f"language is {language!r}; it can be {', '.join(get_args(Language))}.")
    if isinstance(answers, str) or not answers:
        raise ValueError(f'answers is {answers!r}; give a list, [""] where there is no answer.')


def _normal_chinese(text: str) -> str:
    return "".join(character for character in text.lower().strip() if character not in _PUNCTUATION)


def _normal_english(text: str) -> str:
    bare = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def _chinese_overlap(prediction: str, answer: str) -> tuple[int, int, int]:
    """How many segments both share, the prediction has, the answer has."""
    ours, theirs = segments(prediction), segments(answer)
    if not ours or not theirs:
        return int(ours == theirs), 1, 1
    match = SequenceMatcher(None, ours, theirs, autojunk=False).find_longest_match()
    return match.size, len(ours), len(theirs)


def _english_overlap(prediction: str, answer: str) -> tuple[int, int, int]:
    ours, theirs = _normal_english(prediction).split(), _normal_english(answer).split()
    if not ours or not theirs:
        return int(ours == theirs), 1, 1
    return (Counter(ours) & Counter(theirs)).total(), len(ours), len(theirs)


def _f1(shared: int, predicted: int, given: int) -> float:
    return 2 * shared / (predicted + given)  # = 2 P R / (P + R)
