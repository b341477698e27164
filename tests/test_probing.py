"""Vectors by layer and their likeness, by hand and against a second way to compute them."""

from __future__ import annotations

import pytest
import torch

from chapter10 import probing
from chapter10.bert import Bert, BertConfig
from chapter10.tokenizers import Tokenizer

TEXTS = ["天上有云。", "山里有一只很小的鸟。", "水。"]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(TEXTS, kind="character")


@pytest.fixture(scope="module")
def bert(tokenizer: Tokenizer) -> Bert:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
        initializer_range=0.5,
    )
    return Bert(config).eval()


def test_vectors_are_those_of_the_word_and_padding_changes_none(
    bert: Bert, tokenizer: Tokenizer
) -> None:
    found = probing.token_vectors(bert, tokenizer, TEXTS, [(3, 4), (6, 9), (0, 1)])
    assert found.shape == (3, 3, 8)
    ids = tokenizer([TEXTS[1]]).input_ids
    with torch.no_grad():
        states = bert(ids, output_hidden_states=True).hidden_states
    assert states is not None
    expected = torch.stack([one[0, 7:10].mean(0) for one in states])  # after [CLS]
    torch.testing.assert_close(found[:, 1].float(), expected, atol=1e-5, rtol=0)
    alone = probing.token_vectors(bert, tokenizer, TEXTS[2:], [(0, 1)])
    torch.testing.assert_close(found[:, 2:], alone, atol=1e-5, rtol=0)


def test_batches_change_no_vector(bert: Bert, tokenizer: Tokenizer) -> None:
    located = probing.locate(tokenizer, TEXTS, [(0, 1)] * 3)
    one, two = (probing.layer_vectors(bert, located, batch_size=size) for size in (1, 64))
    torch.testing.assert_close(one, two, atol=1e-5, rtol=0)


def test_layer_0_sees_the_place_and_no_neighbour(bert: Bert, tokenizer: Tokenizer) -> None:
    found = probing.token_vectors(bert, tokenizer, ["云水。", "云天上有云。", "水云。"],
                                  [(0, 1), (0, 1), (1, 2)])  # fmt: skip
    alike = probing.cosines(found)
    assert float(alike[0, 0, 1]) == pytest.approx(1)
    assert float(alike[0, 0, 2]) < 0.99
    assert float(alike[1, 0, 1]) < 0.9999


def test_a_static_vector_is_the_same_in_every_text(tokenizer: Tokenizer) -> None:
    table = torch.randn(len(tokenizer), 4, generator=torch.Generator().manual_seed(0))
    located = probing.locate(tokenizer, ["云水。", "天上有云。"], [(0, 1), (3, 5)])
    (found,) = probing.static_vectors(table, located)
    cloud, stop = (table[tokenizer.token_to_id(c) or 0].double() for c in "云。")
    torch.testing.assert_close(found[0], cloud)
    torch.testing.assert_close(found[1], (cloud + stop) / 2)


@pytest.mark.parametrize(
    ("texts", "spans", "message"),
    [
        (["水。"], [], "1 texts come with 0 spans"),
        ([], [], "0 texts"),
        (["水。"], [(5, 6)], "no token at characters"),
        (["水。"], [(1, 1)], "no token at characters"),
    ],
)
def test_bad_places_are_refused(
    tokenizer: Tokenizer, texts: list[str], spans: list[probing.Span], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        probing.locate(tokenizer, texts, spans)


def test_context_is_hidden_step_by_step(tokenizer: Tokenizer) -> None:
    located = probing.locate(tokenizer, TEXTS, [(3, 4), (8, 9), (0, 1)])
    before = located.input_ids.clone()
    mask = tokenizer.mask_token_id
    assert mask is not None
    draw = torch.Generator().manual_seed(0)
    steps = probing.hide_context(located, (0, 0.5, 1), mask, draw)
    hidden = [one.input_ids == mask for one in steps]
    assert torch.equal(located.input_ids, before)
    assert torch.equal(steps[0].input_ids, before)
    assert hidden[1].sum(1).tolist() == [2, 4, 0]  # of 4, 9 and 1, rounded half to even
    assert (hidden[1] <= hidden[2]).all()
    for text, row, ids in zip(TEXTS, hidden[2], before, strict=True):
        assert int(row.sum()) == len(text) - 1
        assert row[0] == row[len(text) + 1] == 0, ids  # the special tokens stay
    assert not any((one & located.chosen).any() for one in hidden)
    with pytest.raises(ValueError, match="between 0 and 1"):
        probing.hide_context(located, (1.5,), mask, draw)


# --- how alike

VECTORS = torch.tensor([[3.0, 4, 0], [4, 3, 0], [0, 0, 2], [0, 1, 1]], dtype=torch.double)
LABELS = ["a", "a", "b", "b"]


def test_cosines_by_hand() -> None:
    found = probing.cosines(VECTORS)
    assert float(found[0, 1]) == pytest.approx(24 / 25)
    assert float(found[0, 2]) == pytest.approx(0)
    assert float(found[0, 3]) == pytest.approx(0.8 / 2**0.5)
    assert found.diagonal().tolist() == pytest.approx([1] * 4)
    torch.testing.assert_close(probing.cosines(VECTORS[:1], VECTORS[1:]), found[:1, 1:])
    assert probing.cosines(torch.zeros(2, 3)).tolist() == [[0, 0], [0, 0]]


def test_centring_takes_away_what_all_share() -> None:
    shared = VECTORS + 100
    assert float(probing.anisotropy(shared)) > 0.99
    torch.testing.assert_close(probing.centre(shared), probing.centre(VECTORS))
    assert probing.centre(VECTORS).mean(0).tolist() == pytest.approx([0] * 3)
    stacked = torch.stack([VECTORS, shared])
    torch.testing.assert_close(
        probing.centre(stacked, torch.tensor([[0.0, 0, 0], [100, 100, 100]]))[1], VECTORS
    )


def test_anisotropy_is_the_mean_off_the_diagonal() -> None:
    found = probing.cosines(VECTORS)
    expected = float(found.sum() - 4) / 12
    assert float(probing.anisotropy(VECTORS)) == pytest.approx(expected)
    with pytest.raises(ValueError, match="at least two"):
        probing.anisotropy(VECTORS[:1])


def test_neighbours_by_hand() -> None:
    alike = probing.cosines(VECTORS)
    assert float(probing.leave_one_out(alike, LABELS)) == 1.0
    assert float(probing.leave_one_out(alike, ["a", "b", "a", "b"])) == 0.0
    # Never its own neighbour; the third may not be near the fourth and then has only ties at 0.
    allowed = torch.ones(4, 4, dtype=torch.bool)
    allowed[2, 3] = False
    assert float(probing.leave_one_out(alike, LABELS, allowed)) == 0.75
    several = torch.stack([alike, -alike])
    assert probing.leave_one_out(several, LABELS).shape == (2,)


def test_ties_count_their_share() -> None:
    equal = torch.ones(4, 6, dtype=torch.double) + 1e-9 * torch.randn(4, 6)
    found = probing.neighbour_accuracy(equal, ["a", "b", "a", "b"], ["a", "a", "a", "b", "b", "b"])
    assert float(found) == 0.5
    found = probing.neighbour_accuracy(equal, ["a"] * 4, ["a", "a", "b", "b", "b", "b"])
    assert float(found) == pytest.approx(1 / 3)


def test_gaps_by_hand() -> None:
    alike = probing.cosines(VECTORS)
    gap = probing.label_gap(alike, LABELS)
    assert float(gap.within) == pytest.approx((24 / 25 + 1 / 2**0.5) / 2)
    assert float(gap.between) == pytest.approx((0 + 0.8 / 2**0.5 + 0 + 0.6 / 2**0.5) / 4)
    assert float(gap.size) == pytest.approx(float(gap.within - gap.between))


def test_labels_that_say_nothing_leave_no_gap() -> None:
    draw = torch.Generator().manual_seed(0)
    vectors = torch.randn(400, 16, generator=draw, dtype=torch.double) + 3
    alike = probing.cosines(probing.centre(vectors))
    labels = ["ab"[i % 2] for i in range(400)]
    assert abs(float(probing.label_gap(alike, labels).size)) < 0.01
    assert abs(float(probing.leave_one_out(alike, labels)) - 0.5) < 0.1


def test_bad_labels_are_refused() -> None:
    alike = probing.cosines(VECTORS)
    with pytest.raises(ValueError, match="come with 4 and 3 labels"):
        probing.neighbour_accuracy(alike, LABELS, LABELS[1:])
    with pytest.raises(ValueError, match="allow at least one"):
        probing.leave_one_out(alike, LABELS, torch.zeros(4, 4, dtype=torch.bool))
    for labels in (["a"] * 4, list("abcd")):
        with pytest.raises(ValueError, match="two vectors of the same label"):
            probing.label_gap(alike, labels)
