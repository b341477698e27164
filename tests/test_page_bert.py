"""The page `bert`: its language, its measures, and checks that fail for an untrained model."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import Tensor

from chapter10 import Bert, BertConfig, evidence
from chapter10.experiments import bert as page
from chapter10.experiments import encoder
from chapter10.objectives import IGNORE_INDEX

TOKENIZER = page.make_tokenizer()


def sentences(split: str, count: int = 300, seed: int = 0) -> page.Sentences:
    return page.make_sentences(TOKENIZER, count, split, torch.Generator().manual_seed(seed))


def halves(ids: Tensor) -> set[tuple[int, ...]]:
    return {tuple(row) for row in ids[:, page.FIRST : page.FIRST + page.HALF].tolist()}


# --- the language


def test_every_character_is_a_token_and_occurs_once_in_the_alphabet() -> None:
    assert len(set(page.CHARACTERS)) == len(page.CHARACTERS) == 22
    for char in page.CHARACTERS + page.FORWARD + page.REVERSED:
        assert TOKENIZER.tokenize(char) == [char]


def test_a_partner_holds_the_same_character_and_is_mutual() -> None:
    made = sentences("test")
    inside = slice(page.FIRST, page.LENGTH - 1)
    partners = made.partners[:, inside]
    same = made.input_ids.gather(1, partners)
    assert torch.equal(same, made.input_ids[:, inside])
    back = made.partners.gather(1, partners)
    assert torch.equal(back, torch.arange(page.FIRST, page.LENGTH - 1).expand_as(back))
    assert (made.partners[:, [0, 1, -1]] == -1).all()


def test_no_place_has_the_same_partner_in_both_kinds() -> None:
    """Else positions alone could put more than half of the attention on the partner."""
    forward, backward = page.find_partners(torch.tensor([False, True]))[:, page.FIRST : -1]
    assert (forward != backward).all()


def test_both_kinds_are_equally_frequent() -> None:
    is_reversed = sentences("test", 4000).input_ids[:, 1] == TOKENIZER.token_to_id(page.REVERSED)
    assert abs(is_reversed.double().mean().item() - 0.5) < 4 * 0.5 / 4000**0.5


def test_splits_share_no_half_sentence() -> None:
    drawn = [halves(sentences(split, 5000).input_ids) for split in page.SPLITS]
    assert len(set.union(*drawn)) == sum(map(len, drawn))
    with pytest.raises(ValueError, match=r"'dev'.*train, validation, test"):
        sentences("dev")


def test_training_batches_are_pure_functions_of_seed_and_number() -> None:
    batches = page.TrainingSentences(TOKENIZER, 3)
    first, again = batches[7], page.TrainingSentences(TOKENIZER, 3)[7]
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["input_ids"], batches[8]["input_ids"])
    blanks = first["labels"] != IGNORE_INDEX
    assert (first["input_ids"][blanks] == TOKENIZER.mask_token_id).all()
    assert not blanks[:, : page.FIRST].any()
    assert not blanks[:, -1].any()
    assert blanks.any(1).all()


def test_a_blank_hides_its_answer_and_nothing_else() -> None:
    blanks = page.make_blanks(TOKENIZER, 200, "test", 0)
    assert (blanks.input_ids == TOKENIZER.mask_token_id).sum(1).eq(1).all()
    assert torch.equal(blanks.input_ids[blanks.rows, blanks.partners], blanks.answers)


def test_controls_change_what_they_say() -> None:
    blanks = page.make_blanks(TOKENIZER, 200, "test", 0)
    hidden = page.hide_kind(blanks, TOKENIZER).input_ids
    assert (hidden != blanks.input_ids).nonzero()[:, 1].unique().tolist() == [1]
    broken = page.break_pairs(blanks, TOKENIZER, 0).input_ids
    kept = torch.zeros_like(broken, dtype=torch.bool)
    kept[:, [0, 1, -1]] = True
    kept[blanks.rows, blanks.blanks] = kept[blanks.rows, blanks.partners] = True
    assert torch.equal(broken[kept], blanks.input_ids[kept])
    assert (broken != blanks.input_ids)[~kept].double().mean() > 0.9


def test_a_readers_sentence_is_encoded_or_refused() -> None:
    sentence = "顺春山风鸟日水春山风鸟日水"
    ids = page.encode(TOKENIZER, sentence)
    assert "".join(TOKENIZER.id_to_token(i) for i in ids.tolist()[1:-1]) == sentence
    for wrong in ("", "春山", sentence[:-1], sentence.replace("春", "猫"), "中" + sentence[1:]):
        with pytest.raises(ValueError, match=page.CHARACTERS):
            page.encode(TOKENIZER, wrong)


# --- the measures


class Looker(torch.nn.Module):
    """Looks from every position at one place with weight 1; answers with what stands there."""

    def __init__(self, places: Tensor) -> None:
        super().__init__()
        self.places = places

    def forward(self, input_ids: Tensor, **_: object) -> object:
        class Output:
            attentions = (torch.nn.functional.one_hot(self.places, page.LENGTH)[:, None].double(),)

        return Output()


def test_partner_attention_is_1_for_who_looks_there_and_a_half_for_who_looks_at_positions() -> None:
    blanks = page.make_blanks(TOKENIZER, 2000, "test", 0)
    there = torch.zeros(2000, page.LENGTH, dtype=torch.long)
    there[blanks.rows, blanks.blanks] = blanks.partners
    assert page.partner_attention(Looker(there), blanks).item() == 1.0
    by_position = page.find_partners(torch.zeros(2000, dtype=torch.bool)).clamp(min=0)
    share = page.partner_attention(Looker(by_position), blanks).item()
    assert abs(share - page.POSITION_BOUND) < 4 * 0.5 / 2000**0.5


def test_blank_maps_agree_with_partner_attention() -> None:
    model = page.new_model(TOKENIZER, 0)
    made = sentences("test", 1)
    maps = page.blank_maps(model, TOKENIZER, made.input_ids[0])
    torch.testing.assert_close(maps.sum(-1), torch.ones(maps.shape[:-1]))
    place = 5
    ids = made.input_ids.clone()
    ids[0, place] = TOKENIZER.mask_token_id
    partner = made.partners[:, place]
    one = torch.tensor([0])
    blanks = page.Blanks(ids, one, torch.tensor([place]), partner, made.input_ids[:, place])
    torch.testing.assert_close(
        maps[:, :, place, partner.item()], page.partner_attention(model, blanks)
    )


# --- what the page asserts fails without training


def test_the_pages_check_fails_for_an_untrained_model() -> None:
    model, test = page.new_model(TOKENIZER, 5), page.make_blanks(TOKENIZER, 1024, "test", 5)
    share = page.partner_share(model, TOKENIZER, test)
    with pytest.raises(AssertionError, match="B1"):
        evidence.check("B1", share)
    assert share < 2 * page.CHANCE
    assert page.fill_accuracy(model, test) < 0.2


@pytest.mark.slow
def test_the_pages_check_holds_after_training() -> None:
    """Another seed than the page's, half of its steps."""
    model, test = page.new_model(TOKENIZER, 7), page.make_blanks(TOKENIZER, 512, "test", 7)
    page.train_model(model, TOKENIZER, 7, steps=400)
    evidence.check("B1", page.partner_share(model, TOKENIZER, test))
    assert page.fill_accuracy(model, test) > 0.95
    broken = page.break_pairs(test, TOKENIZER, 7)
    with pytest.raises(AssertionError, match="B1"):
        evidence.check("B1", page.partner_share(model, TOKENIZER, broken))


# --- the encoder


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (BertConfig(), 102_267_648),  # bert-base-chinese
        (BertConfig(vocab_size=30522), 109_482_240),  # BERT base, "110M" in the paper
        (
            BertConfig(
                vocab_size=30522,
                hidden_size=1024,
                num_hidden_layers=24,
                num_attention_heads=16,
                intermediate_size=4096,
            ),
            335_141_888,  # BERT large, "340M"
        ),
        (
            BertConfig(
                vocab_size=11,
                hidden_size=6,
                num_hidden_layers=3,
                num_attention_heads=2,
                intermediate_size=5,
                max_position_embeddings=7,
                type_vocab_size=3,
            ),
            None,
        ),
    ],
)
def test_the_formula_counts_every_parameter(config: BertConfig, expected: int | None) -> None:
    formula = sum(encoder.parameter_counts(config).values())
    assert formula == encoder.num_parameters(config)
    assert expected in (None, formula)


def test_patches_and_pieces_hold_the_image_and_the_wave() -> None:
    image, rows = encoder.image_rows(size=32, patch=8)
    assert rows.shape == (1, 16, 64)
    torch.testing.assert_close(rows[0, 5].reshape(8, 8), image[8:16, 8:16])
    wave, pieces = encoder.wave_rows(frames=20, frame=64)
    torch.testing.assert_close(pieces.flatten(), wave)


def test_the_difference_to_the_reference_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    config = page.new_model(TOKENIZER, 0).config
    model, ids = Bert(config).eval(), sentences("test", 4).input_ids
    difference = encoder.reference_difference(model, ids)
    assert difference is not None
    assert difference < 1e-5

    right = Bert.forward

    def wrong(self: Bert, *inputs: Tensor, **options: bool) -> object:
        output = right(self, *inputs, **options)
        output.last_hidden_state[0, 0, 0] += 1e-3
        return output

    monkeypatch.setattr(Bert, "forward", wrong)
    assert (encoder.reference_difference(model, ids) or 0) > 1e-4


def test_without_the_reference_library_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "find_spec", lambda name: None)
    monkeypatch.setitem(sys.modules, "transformers", None)
    ids = sentences("test", 1).input_ids
    assert encoder.reference_difference(page.new_model(TOKENIZER, 0).bert, ids) is None
