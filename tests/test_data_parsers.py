"""Each parser: what it reads, what it counts, and the error at the line that breaks the format."""

import json
import lzma
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chapter10.data import Answer, LabelledText, MalformedError, NLIExample, Poem
from chapter10.data.parsers import pairs, questions, reviews, text

Write = Callable[..., Path]


def squad(context: str, answers: list[tuple[str, int]], name: str = "q1") -> str:
    qas = [
        {
            "id": name,
            "question": "谁?",
            "answers": [{"text": given, "answer_start": start} for given, start in answers],
        }
    ]
    return json.dumps({"data": [{"paragraphs": [{"context": context, "qas": qas}]}]})


# --- lines -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lines.txt", "lines.txt.xz"])
def test_lines_end_only_at_newlines(write: Write, name: str) -> None:
    path = write("甲\u2028乙\x0c丙\r\n\n丁", name)
    assert list(text.read_lines(path)) == ["甲\u2028乙\x0c丙", "", "丁"]


def test_lines_are_read_as_they_are_asked_for(write: Write) -> None:
    path = write(b"good\n" * 10_000 + b"\xff\n")
    lines = text.read_lines(path)
    assert next(lines) == "good"
    with pytest.raises(MalformedError, match=r"file\.txt, line 10001: not UTF-8"):
        list(lines)


def test_a_truncated_xz_is_named(tmp_path: Path) -> None:
    packed = lzma.compress("\n".join(str(n) for n in range(100_000)).encode())
    path = tmp_path / "cut.txt.xz"
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(MalformedError, match=r"line \d+: the xz stream ends or breaks"):
        list(text.read_lines(path))


def test_documents_are_runs_between_blank_lines(write: Write) -> None:
    assert list(text.read_documents(write("\n甲\n乙\n \n\n丙\n"))) == [["甲", "乙"], ["丙"]]


def test_wikitext_documents_begin_at_titles(write: Write) -> None:
    content = " \n = One = \n \n a b \n \n = = Section = = \n \n c \n = Two = \n \n d \n"
    assert list(text.read_documents(write(content))) == [
        [" = One = ", " a b ", " = = Section = = ", " c "],
        [" = Two = ", " d "],
    ]


def test_vocabularies(write: Write) -> None:
    assert list(text.read_vocabulary(write("[PAD]\na\n", "vocab.txt"))) == ["[PAD]", "a"]
    assert list(text.read_vocabulary(write('{"b": 1, "a": 0}', "e.json"))) == ["a", "b"]
    assert list(text.read_vocabulary(write("#version: 0.2\na b\n", "v.bpe"))) == ["a b"]
    with pytest.raises(MalformedError, match="without gaps"):
        list(text.read_vocabulary(write('{"b": 2, "a": 0}', "e.json")))
    with pytest.raises(MalformedError, match="line 1: expected '#version"):
        list(text.read_vocabulary(write("a b\n", "v.bpe")))


def test_poems_with_tabs_in_title_or_authors(write: Write) -> None:
    path = write("題\t甲\t山。\n題\t\t序\t乙\t水。\n聯句\t甲\t乙\t月。\n")
    assert list(text.read_poems(path)) == [
        Poem("題", "甲", "山。"),
        Poem("題 序", "乙", "水。"),
        Poem("聯句", "甲 乙", "月。"),
    ]
    with pytest.raises(MalformedError, match="line 2: expected title, author and text"):
        list(text.read_poems(write("題\t甲\t山。\n題\t甲\n")))


def test_verses_are_in_order(write: Write) -> None:
    verses = list(text.read_verses(write("01.001.001\ta\n01.001.002\tb\n")))
    assert [(verse.id, verse.text) for verse in verses] == [
        ("01.001.001", "a"),
        ("01.001.002", "b"),
    ]
    with pytest.raises(MalformedError, match=r"line 2: verse 01\.001\.001 comes after"):
        list(text.read_verses(write("01.001.001\ta\n01.001.001\tb\n")))
    with pytest.raises(MalformedError, match=r"line 1: expected 'bb\.ccc\.vvv"):
        list(text.read_verses(write("1.1.1\ta\n")))


# --- questions ---------------------------------------------------------------------------------


def test_answers_stand_where_they_say(write: Write) -> None:
    notes: Counter[str] = Counter()
    (question,) = questions.read_squad(
        write(squad("小红见小明", [("小明", 3), ("小红", 0)])), notes
    )
    assert question.answers == (Answer("小明", 3), Answer("小红", 0))
    assert not notes


def test_a_misplaced_answer_moves_to_its_nearest_place(write: Write) -> None:
    notes: Counter[str] = Counter()
    (question,) = questions.read_squad(write(squad("小红，小红，小红", [("小红", 4)])), notes)
    assert question.answers == (Answer("小红", 3),)
    assert notes == {"answers moved to where their text stands": 1}


def test_a_free_answer_is_kept_without_a_start(write: Write) -> None:
    notes: Counter[str] = Counter()
    (question,) = questions.read_squad(write(squad("小红", [("小明", -1), ("小红", 0)])), notes)
    assert question.answers == (Answer("小明", None), Answer("小红", 0))
    assert sum(notes.values()) == 1


def test_a_question_without_text_is_counted(write: Write) -> None:
    notes: Counter[str] = Counter()
    content = squad("小红", [("小红", 0)]).replace(json.dumps("谁?"), '" "')
    assert not list(questions.read_squad(write(content), notes))
    assert notes == {"questions without text left out": 1}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (squad("小红", [("小明", 0)]), "question 'q1': answer '小明' is nowhere"),
        (squad("小红", []), "question 'q1' has no answer"),
        (squad("小红", [("小红", 0)])[:-2], "line 1: not JSON"),
        ('{"data": [{"paragraphs": [{"qas": []}]}]}', None),
        ('{"date": []}', "not SQuAD's layout: KeyError"),
        ("[]", "not SQuAD's layout: TypeError"),
    ],
)
def test_broken_questions(write: Write, content: str, problem: str | None) -> None:
    if problem is None:  # a paragraph without questions needs no context
        assert not list(questions.read_squad(write(content), Counter()))
        return
    with pytest.raises(MalformedError, match=problem):
        list(questions.read_squad(write(content), Counter()))


def test_a_question_id_occurs_once(write: Write) -> None:
    content = json.loads(squad("小红", [("小红", 0)]))
    content["data"] *= 2
    with pytest.raises(MalformedError, match="'q1' occurs twice"):
        list(questions.read_squad(write(json.dumps(content)), Counter()))


# --- pairs -------------------------------------------------------------------------------------


def row(label: Any) -> str:
    return json.dumps({"sentence1": "下雨了", "sentence2": "天晴", "label": label})


def test_ocnli_counts_rows_without_agreement(write: Write) -> None:
    notes: Counter[str] = Counter()
    path = write("\n".join([row("-"), row("contradiction"), row("-")]))
    assert list(pairs.read_ocnli(path, notes)) == [NLIExample("下雨了", "天晴", "contradiction")]
    assert list(notes.values()) == [2]


@pytest.mark.parametrize(
    ("second", "problem"),
    [
        (row("entails"), "line 2: label 'entails' is none of"),
        (row(["neutral"]), "line 2: label"),
        (row("neutral")[:-1], "line 2: not a JSON object"),
        ("", "line 2: not a JSON object"),
        ("3", "line 2: not a JSON object"),
        ('{"sentence1": "a"}', "line 2: not a JSON object with sentence1"),
    ],
)
def test_broken_ocnli(write: Write, second: str, problem: str) -> None:
    with pytest.raises(MalformedError, match=problem):
        list(pairs.read_ocnli(write(f"{row('neutral')}\n{second}\n{row('neutral')}"), Counter()))


def test_esnli_files_go_together(write: Write) -> None:
    premises, hypotheses = write("It rains . \nIt snows . \n", "s1"), write("a\nb\n", "s2")
    labels = write("neutral\nentailment\n", "labels")
    assert list(pairs.read_esnli(premises, hypotheses, labels)) == [
        NLIExample("It rains .", "a", "neutral"),
        NLIExample("It snows .", "b", "entailment"),
    ]
    with pytest.raises(MalformedError, match=r"line 2: its files have \[2, 2, 1\] lines"):
        list(pairs.read_esnli(premises, hypotheses, write("neutral\n", "labels")))
    with pytest.raises(MalformedError, match="labels, line 2: label 'maybe'"):
        list(pairs.read_esnli(premises, hypotheses, write("neutral\nmaybe\n", "labels")))


def test_tatoeba(write: Write) -> None:
    (pair,) = pairs.read_tatoeba(write("Good.\t好。\tCC-BY (a & b)\n"))
    assert (pair.source, pair.target, pair.attribution) == ("Good.", "好。", "CC-BY (a & b)")
    for broken in ("Good.\t好。\n", "Good.\t\tby\n"):
        with pytest.raises(MalformedError, match="line 2: expected 'source TAB"):
            list(pairs.read_tatoeba(write(f"Good.\t好。\tby\n{broken}")))


# --- reviews -----------------------------------------------------------------------------------


def test_reviews(write: Write) -> None:
    notes: Counter[str] = Counter()
    content = '\ufeffcat,label,review\n果,1,"甜，\n""很""好"\n果,0,\n书,0,\ufeff旧\n'
    assert list(reviews.read_reviews(write(content), notes)) == [
        LabelledText('甜，\n"很"好', 1, "果"),
        LabelledText("旧", 0, "书"),
    ]
    assert notes == {reviews.EMPTY: 1}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("label,text\n1,好\n", "line 1: the header .* lacks label or review"),
        ("", "line 1: the header"),
        ("label,review\n1,好\n2,坏\n", "line 3: label '2' is neither 0 nor 1"),
        ("label,review\n1,好,坏\n", "line 2: 3 columns, the header has 2"),
        ('label,review\n1,"好\n', "line 2: not CSV"),
        ('label,review\n1,"好"坏\n', "line 2: not CSV"),
    ],
)
def test_broken_reviews(write: Write, content: str, problem: str) -> None:
    with pytest.raises(MalformedError, match=problem):
        list(reviews.read_reviews(write(content), Counter()))


def test_zipped_reviews(pack: Write) -> None:
    path = pack({"a.csv": "cat,label,review\n果,1,甜\n"})
    assert list(reviews.read_reviews_zip(path, Counter())) == [LabelledText("甜", 1, "果")]
    with pytest.raises(MalformedError, match=r"file\.zip!a\.csv, line 2: label"):
        list(reviews.read_reviews_zip(pack({"a.csv": "label,review\nx,甜\n"}), Counter()))
    with pytest.raises(MalformedError, match=r"expected one \.csv inside"):
        list(reviews.read_reviews_zip(pack({"a.txt": ""}), Counter()))


def test_class_files_lose_repeats_and_contradictions(write: Write) -> None:
    notes: Counter[str] = Counter()
    positive, negative = write("好\n甜 \n好\n\n怪\n", "pos"), write("坏\n怪\n坏\n坏\n", "neg")
    found = list(reviews.read_class_files(positive, negative, notes))
    assert found == [LabelledText("好", 1), LabelledText("甜", 1), LabelledText("坏", 0)]
    assert notes == {
        "texts in both classes left out": 1,
        "blank lines left out": 1,
        "repeated lines left out": 3,
    }


def test_polarity_zip(pack: Write) -> None:
    place = "sentence_polarity/rt-polarity."
    good = {f"{place}pos": "fine . \n", f"{place}neg": "dull . \n\x97 bad\n"}
    assert list(reviews.read_polarity_zip(pack(good))) == [
        LabelledText("fine .", 1),
        LabelledText("dull .", 0),
        LabelledText("\x97 bad", 0),
    ]
    with pytest.raises(MalformedError, match=r"rt-polarity\.neg'"):
        list(reviews.read_polarity_zip(pack({f"{place}pos": "fine\n"})))
    with pytest.raises(MalformedError, match="line 2: a blank line"):
        list(reviews.read_polarity_zip(pack(good | {f"{place}pos": "fine\n\nfine\n"})))


def test_a_truncated_zip_is_named(pack: Write) -> None:
    path = pack({"a.csv": "label,review\n"})
    path.write_bytes(path.read_bytes()[:-8])
    for read in (reviews.read_reviews_zip, lambda each, _: reviews.read_polarity_zip(each)):
        with pytest.raises(MalformedError, match="not a whole zip archive"):
            list(read(path, Counter()))
