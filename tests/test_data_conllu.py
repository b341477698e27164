"""CoNLL-U: sentences we write come back, with offsets that fit the text."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chapter10.data import MalformedError
from chapter10.data.parsers.conllu import parse_conllu, read_conllu

TAGS = ("NOUN", "VERB", "PUNCT")
# a word, its tag, whether a space follows; a unit is one word, or several under one surface form
words = st.tuples(
    st.text(st.characters(codec="utf-8", exclude_categories=("Z", "C")), min_size=1, max_size=5),
    st.sampled_from(TAGS),
    st.booleans(),
)
units = st.tuples(words, st.lists(words, max_size=3), st.booleans())
sentences = st.lists(units, min_size=1, max_size=6)


def line(index: object, form: str, tag: str, misc: str) -> str:
    return "\t".join([str(index), form, "_", tag, "_", "_", "_", "_", "_", misc])


def render(units_: list) -> tuple[list[str], list[str], list[str], str]:
    """A sentence as CoNLL-U, and the tokens, tags and text it stands for."""
    lines, tokens, tags, text = [], [], [], ""
    for (form, tag, spaced), inner, with_empty_node in units_:
        misc = "_" if spaced else "SpaceAfter=No|Translit=x"
        text += form + " " * spaced
        first = len(tokens) + 1
        if inner:
            lines.append(line(f"{first}-{first + len(inner) - 1}", form, "_", misc))
        for part, part_tag, _ in inner or [(form, tag, spaced)]:
            tokens.append(part)
            tags.append(part_tag)
            lines.append(line(len(tokens), part, part_tag, "_" if inner else misc))
        if with_empty_node:
            lines.append(line(f"{len(tokens)}.1", "empty", "X", "_"))
    return lines, tokens, tags, text.rstrip(" ")


@given(st.lists(sentences, min_size=1, max_size=3))
def test_round_trip(document: list) -> None:
    rendered = [render(sentence) for sentence in document]
    lines = []
    for number, (body, _, _, text) in enumerate(rendered):
        lines += [f"# sent_id = s{number}", f"# text = {text}", "# x", *body, ""]
    found = list(parse_conllu(lines, "toy"))
    assert [sentence.id for sentence in found] == [f"s{n}" for n in range(len(document))]
    for sentence, units_, (_, tokens, tags, text) in zip(found, document, rendered, strict=True):
        assert (sentence.tokens, sentence.tags) == (tuple(tokens), tuple(tags))
        assert sentence.text == text
        surface = [text[start:end] for start, end in sentence.offsets]
        forms = [unit[0][0] for unit in units_ for _ in unit[1] or [None]]
        assert surface == forms


def test_words_of_a_contraction_share_its_range(tmp_path: Path) -> None:
    path = tmp_path / "toy.conllu"
    body = [line("1-2", "can't", "_", "_"), line(1, "ca", "AUX", "_"), line(2, "n't", "PART", "_")]
    path.write_text("\n".join([*body, line(3, "go", "VERB", "_")]), encoding="utf-8")
    (sentence,) = read_conllu(path)
    assert sentence.text == "can't go"
    assert sentence.offsets == ((0, 5), (0, 5), (6, 8))


def test_a_comment_block_alone_is_no_sentence_and_leaves_no_trace() -> None:
    lines = ["# sent_id = a", "# text = gone", "", line(1, "好", "ADJ", "_")]
    (sentence,) = parse_conllu(lines, "toy")
    assert (sentence.id, sentence.text) == ("", "好")


def test_white_space_in_the_text_may_be_of_another_kind() -> None:
    lines = ["# text = a\xa0b", line(1, "a", "X", "_"), line(2, "b", "X", "_")]
    assert next(parse_conllu(lines, "toy")).text == "a b"


GOOD = [line(1, "天", "NOUN", "SpaceAfter=No"), line(2, "晴", "ADJ", "_"), ""]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([line(1, "好", "ADJ", "_")[:-2]], "line 4: a word line has 10 .* columns, this one 9"),
        ([line(2, "好", "ADJ", "_")], "line 4: word 2 follows word 0"),
        ([line("x", "好", "ADJ", "_")], "line 4: 'x' is no word number"),
        ([line("1-", "好", "ADJ", "_")], "line 4: '1-' is no word number"),
        ([line(1, "好", "ADJ", "_")] * 2, "line 5: word 1 follows word 1"),
        (["# text = 坏", line(1, "好", "ADJ", "_")], "line 5: the words give '好', .*'坏'"),
        ([line("1-3", "好", "_", "_"), line(1, "好", "ADJ", "_")], "a range ends at word 3"),
    ],
)
def test_broken_files(lines: list[str], problem: str) -> None:
    with pytest.raises(MalformedError, match=f"toy.*{problem}"):
        list(parse_conllu([*GOOD, *lines], "toy"))
