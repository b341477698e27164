"""What the models promise beside parity: no leaks, no gradient where there is no loss, sizes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from chapter10 import (
    CBOW,
    GPT,
    T5,
    Bert,
    BertConfig,
    BertForPreTraining,
    CBOWConfig,
    GPTConfig,
    T5Config,
)
from chapter10.attention import relative_position_bucket
from chapter10.objectives import IGNORE_INDEX, cross_entropy_sum
from chapter10.transformer import Transformer

SIZES: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 32,
    "hidden_dropout_prob": 0.0,
}
PAD, UNSEEN = 0, 49


def bert_config(**changes: Any) -> BertConfig:
    return BertConfig(
        **{**SIZES, "max_position_embeddings": 20, "attention_probs_dropout_prob": 0.0, **changes}
    )


def gpt_config(**changes: Any) -> GPTConfig:
    return GPTConfig(
        **{
            **SIZES,
            "max_position_embeddings": 40,
            "attention_probs_dropout_prob": 0.0,
            "embedding_dropout_prob": 0.0,
            "bos_token_id": 1,
            "eos_token_id": 1,
            "pad_token_id": PAD,
            **changes,
        }
    )


def t5_config(**changes: Any) -> T5Config:
    return T5Config(**{**SIZES, "head_size": 8, **changes})


def ids(batch: int, length: int) -> torch.Tensor:
    return torch.randint(2, 48, (batch, length))


# Who sees what


@pytest.mark.parametrize("position", range(1, 9))
def test_gpt_sees_nothing_that_follows(position: int) -> None:
    model, before = GPT(gpt_config()).eval(), ids(2, 9)
    after = before.clone()
    after[:, position] = UNSEEN
    for masked in (None, torch.ones_like(before)):  # the two ways to the causal mask
        left, right = model(before, masked).logits, model(after, masked).logits
        assert torch.equal(left[:, :position], right[:, :position])
        assert not torch.equal(left[:, position:], right[:, position:])


def test_bert_sees_what_follows() -> None:
    """The counterpart: BERT must fail the leak test, or it would be no encoder."""
    model, before = Bert(bert_config()).eval(), ids(2, 9)
    after = before.clone()
    after[:, 8] = UNSEEN
    left, right = model(before).last_hidden_state, model(after).last_hidden_state
    assert all(not torch.equal(left[:, i], right[:, i]) for i in range(8))


def test_t5_decoder_sees_the_whole_input_and_only_its_own_past() -> None:
    model, source, target = T5(t5_config()).eval(), ids(2, 7), ids(2, 6)
    logits = model(source, decoder_input_ids=target).logits
    later = target.clone()
    later[:, 4] = UNSEEN
    changed = model(source, decoder_input_ids=later).logits
    assert torch.equal(logits[:, :4], changed[:, :4])
    assert not torch.equal(logits[:, 4:], changed[:, 4:])
    source[:, 6] = UNSEEN
    changed = model(source, decoder_input_ids=target).logits
    assert all(not torch.equal(logits[:, i], changed[:, i]) for i in range(6))


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_nothing(side: str) -> None:
    """Whatever stands at padded positions, the words' outputs are the same to the last bit."""
    mask = torch.tensor([[1] * 6 + [0] * 3])
    mask = mask.flip(1) if side == "left" else mask
    one = ids(1, 9)
    other = torch.where(mask.bool(), one, torch.full_like(one, UNSEEN))
    words = mask.bool()
    bert, gpt, t5 = Bert(bert_config()).eval(), GPT(gpt_config()).eval(), T5(t5_config()).eval()
    decoder_ids = ids(1, 4)
    for run in (
        lambda x: bert(x, mask).last_hidden_state[words],
        lambda x: gpt(x, mask).logits[words],
        lambda x: t5(x, mask, decoder_ids).logits,
    ):
        assert torch.equal(run(one), run(other))


# Where gradients go


def masked_lm_batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two rows, the second padded with a token that occurs nowhere else; two blanks."""
    input_ids = ids(2, 8)
    input_ids[1, 5:] = UNSEEN
    mask = torch.ones_like(input_ids)
    mask[1, 5:] = 0
    labels = torch.full_like(input_ids, IGNORE_INDEX)
    labels[0, 3], labels[1, 2] = 7, 9
    return input_ids, mask, labels


def test_padding_gets_no_gradient() -> None:
    model = BertForPreTraining(bert_config(tie_word_embeddings=False))
    input_ids, mask, labels = masked_lm_batch()
    embedded: list[torch.Tensor] = []

    def keep(module: nn.Module, args: Any, output: torch.Tensor) -> None:
        output.retain_grad()
        embedded.append(output)

    model.bert.embeddings.register_forward_hook(keep)
    logits = model(input_ids, mask).prediction_logits
    cross_entropy_sum(logits, labels)[0].backward()
    assert model.bert.embeddings.word_embeddings.weight.grad[UNSEEN].abs().max() == 0
    assert embedded[0].grad[1, 5:].abs().max() == 0
    assert embedded[0].grad[1, :5].abs().amin(dim=-1).max() > 0


def test_unmasked_positions_get_no_gradient_from_the_loss() -> None:
    model = BertForPreTraining(bert_config())
    input_ids, mask, labels = masked_lm_batch()
    logits = model(input_ids, mask).prediction_logits
    logits.retain_grad()
    cross_entropy_sum(logits, labels)[0].backward()
    has_loss = labels != IGNORE_INDEX
    assert logits.grad[~has_loss].abs().max() == 0
    assert (logits.grad[has_loss].abs().sum(dim=-1) > 0).all()


def make_models() -> list[tuple[Any, Any]]:
    """Each model with a function from (model, prediction_mask) to its logits."""
    torch.manual_seed(0)
    x, y = ids(2, 8), ids(2, 8)
    return [
        (BertForPreTraining(bert_config()), lambda m, p: m(x, prediction_mask=p).prediction_logits),
        (GPT(gpt_config()), lambda m, p: m(x, prediction_mask=p).logits),
        (T5(t5_config()), lambda m, p: m(x, decoder_input_ids=y, prediction_mask=p).logits),
    ]


@pytest.mark.parametrize("index", range(3))
def test_logits_only_where_there_is_a_loss(index: int) -> None:
    """The short way gives the same loss and the same gradients as scoring every position."""
    model, run = make_models()[index]
    labels = torch.full((2, 8), IGNORE_INDEX)
    labels[0, 3], labels[1, 2], labels[1, 7] = 7, 9, 11
    has_loss = labels != IGNORE_INDEX
    gradients = []
    for mask, targets in ((None, labels), (has_loss, labels[has_loss])):
        model.zero_grad()
        logits = run(model, mask)
        assert logits.shape[:-1] == targets.shape
        loss, count = cross_entropy_sum(logits, targets)
        assert count == 3
        loss.backward()
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    for left, right in zip(*gradients, strict=True):
        torch.testing.assert_close(left, right, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("index", range(3))
def test_every_parameter_is_trained(index: int) -> None:
    """No dead weights: each parameter has a gradient (the pooler's comes with its own head)."""
    model, run = make_models()[index]
    run(model, None).pow(2).sum().backward()
    idle = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None and "pooler" not in name and "seq_relationship" not in name
    ]
    assert not idle


# Sizes


@given(
    layers=st.integers(1, 3),
    heads=st.integers(1, 4),
    head_size=st.integers(1, 8),
    intermediate=st.integers(1, 20),
    vocab=st.integers(5, 40),
    positions=st.integers(1, 12),
    segments=st.integers(1, 3),
)
def test_bert_has_the_sizes_asked_for(
    layers: int,
    heads: int,
    head_size: int,
    intermediate: int,
    vocab: int,
    positions: int,
    segments: int,
) -> None:
    hidden = heads * head_size
    model = Bert(
        bert_config(
            vocab_size=vocab,
            hidden_size=hidden,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            intermediate_size=intermediate,
            max_position_embeddings=positions,
            type_vocab_size=segments,
        )
    )
    embeddings = (vocab + positions + segments + 2) * hidden
    block = 4 * (hidden * hidden + hidden) + 2 * hidden * intermediate + intermediate + hidden
    block += 4 * hidden  # two norms
    assert model.num_parameters() == embeddings + layers * block + hidden * hidden + hidden
    output = model(torch.randint(0, vocab, (2, positions)))
    assert output.last_hidden_state.shape == (2, positions, hidden)


def test_albert_shares_its_layers() -> None:
    shared = bert_config(embedding_size=8, num_hidden_groups=1, num_hidden_layers=6)
    one = bert_config(embedding_size=8, num_hidden_groups=1, num_hidden_layers=1)
    assert Bert(shared).num_parameters() == Bert(one).num_parameters()


def test_tied_output_matrix_is_the_embedding() -> None:
    for model, embeddings, output in (
        (
            m := BertForPreTraining(bert_config()),
            m.bert.embeddings.word_embeddings,
            m.predictions.decoder,
        ),
        (g := GPT(gpt_config()), g.word_embeddings, g.lm_head),
        (t := T5(t5_config()), t.word_embeddings, t.lm_head),
    ):
        assert isinstance(model, nn.Module)
        assert output.weight is embeddings.weight


def test_start_has_the_spread_asked_for() -> None:
    for std in (0.005, 0.02, 0.1):
        model = Bert(bert_config(vocab_size=2000, hidden_size=48, initializer_range=std))
        spread = model.embeddings.word_embeddings.weight[1:].std()
        assert abs(spread / std - 1) < 0.02
        assert model.embeddings.word_embeddings.weight[PAD].abs().max() == 0


def test_encoder_without_positions_does_not_know_the_order() -> None:
    encoder = Transformer(bert_config().transformer()).eval()
    states, order = torch.randn(1, 6, 24), torch.randperm(6)
    left, right = encoder(states).last_hidden_state, encoder(states[:, order]).last_hidden_state
    torch.testing.assert_close(left[:, order], right, atol=1e-5, rtol=1e-5)


def test_cbow_does_not_know_the_order_and_ignores_padding() -> None:
    model = CBOW(CBOWConfig(vocab_size=50, hidden_size=8))
    nn.init.normal_(model.output.weight)
    context = ids(3, 4)
    logits = model(context).logits
    torch.testing.assert_close(logits, model(context.flip(1)).logits)
    padded = torch.cat([context, torch.zeros(3, 2, dtype=torch.long)], dim=1)
    torch.testing.assert_close(logits, model(padded).logits)
    assert model(torch.zeros(1, 4, dtype=torch.long)).logits.isfinite().all()


@given(
    distances=st.lists(st.integers(-500, 500), min_size=1, max_size=30),
    num_buckets=st.sampled_from([4, 8, 16, 32]),
)
def test_buckets_are_in_range_and_monotone(distances: list[int], num_buckets: int) -> None:
    sorted_distances = torch.tensor(sorted(distances))
    for bidirectional in (True, False):
        buckets = relative_position_bucket(
            sorted_distances, bidirectional=bidirectional, num_buckets=num_buckets, max_distance=128
        )
        assert buckets.min() >= 0
        assert buckets.max() < num_buckets
        past = buckets[sorted_distances <= 0]
        assert (past.diff() <= 0).all()  # the further back, the higher the bucket
        if not bidirectional:
            assert (buckets[sorted_distances >= 0] == 0).all()


# Bad input


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.zeros(0, 4, dtype=torch.long), "empty"),
        (torch.zeros(2, 0, dtype=torch.long), "empty"),
        (torch.zeros(4, dtype=torch.long), r"shape \(batch, length\)"),
        (torch.zeros(2, 4), "integers"),
        (torch.full((1, 4), 50), "ids 0 to 49"),
        (torch.full((1, 4), -1), "ids 0 to 49"),
        (torch.zeros(1, 41, dtype=torch.long), "more than the (20|40) positions"),
    ],
)
def test_bad_input_is_named(bad: torch.Tensor, message: str) -> None:
    for model in (Bert(bert_config()), GPT(gpt_config())):
        with pytest.raises(ValueError, match=message):
            model(bad)
    if bad.shape[-1] <= 40:  # T5 has no longest input
        with pytest.raises(ValueError, match=message):
            T5(t5_config())(bad, decoder_input_ids=ids(1, 3))


def test_masks_and_segments_of_another_shape_are_named() -> None:
    model, x = Bert(bert_config()), ids(2, 4)
    with pytest.raises(ValueError, match="attention_mask"):
        model(x, torch.ones(2, 5))
    with pytest.raises(ValueError, match="token_type_ids"):
        model(x, token_type_ids=torch.zeros(2, 5, dtype=torch.long))
    with pytest.raises(ValueError, match="token_type_ids"):
        model(x, token_type_ids=torch.full((2, 4), 2))
    with pytest.raises(ValueError, match="decoder_input_ids"):
        T5(t5_config())(x)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_attention_heads": 5}, "divided among 5"),
        ({"hidden_size": 0}, "hidden_size"),
        ({"num_hidden_layers": -1}, "num_hidden_layers"),
        ({"hidden_act": "swoosh"}, "choose from gelu"),
        ({"hidden_dropout_prob": 1.5}, r"\[0, 1\)"),
        ({"pad_token_id": 50}, "outside the vocabulary"),
        ({"embedding_size": 8}, "together"),
        ({"embedding_size": 8, "num_hidden_groups": 1, "tie_word_embeddings": False}, "tied"),
    ],
)
def test_impossible_configurations_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bert_config(**changes)
