"""The page `cls`: its poolings read what they say they read, and its assertions fail untrained."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pages import run_page
from torch import Tensor

from chapter10.bert import Bert, BertConfig, BertForPreTraining, BertOutput
from chapter10.experiments import cls as page
from chapter10.experiments import pooling as lib
from chapter10.objectives import IGNORE_INDEX, Masking
from chapter10.pretraining import MaskedLanguageModel
from chapter10.tasks import Classification, TextExample
from chapter10.tokenizers import Tokenizer
from chapter10.training import History
from chapter10.training.batches import Batch

TEXTS = ["天上有云。", "山里有一只很小的鸟。", "水。"]
SENTENCE_POOLINGS = tuple(lib.POOLINGS)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(TEXTS, kind="character")


@pytest.fixture(scope="module")
def task(tokenizer: Tokenizer) -> Classification:
    return Classification(tokenizer, ["good", "bad"], max_length=32)


def small(tokenizer: Tokenizer) -> BertConfig:
    return BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
        initializer_range=0.5,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


@pytest.fixture(scope="module")
def bert(tokenizer: Tokenizer) -> Bert:
    torch.manual_seed(0)
    return Bert(small(tokenizer)).eval()


# --- pooling

HIDDEN = torch.tensor([[[9.0, 9], [1, 0], [0, 2], [2, 1], [7, 7], [8, 8]]])  # [CLS] … [SEP] [PAD]
CHOSEN = torch.tensor([[False, True, True, True, False, False]])


def pooled(pooling: lib.Pooling, hidden: Tensor = HIDDEN, ids: Tensor | None = None) -> list[float]:
    ids = torch.tensor([[2, 5, 6, 9, 3, 0]]) if ids is None else ids
    output = BertOutput(hidden, torch.tensor([[0.5, 0.25]]))
    return lib.pool(pooling, output, ids, CHOSEN)[0].tolist()


def test_poolings_by_hand() -> None:
    assert pooled("cls") == [9, 9]
    assert pooled("pooler") == [0.5, 0.25]
    assert pooled("mean") == [1, 1]
    assert pooled("max") == [2, 2]
    assert pooled("token") == [2, 1]  # 5 + 6 + 9 = 20, and 20 mod 3 = 2: the last word


def test_the_maximum_of_negative_words_is_negative() -> None:
    assert pooled("max", -HIDDEN) == [0, 0]
    assert pooled("max", -HIDDEN - 1) == [-1, -1]  # not 0, as padding set to 0 would give


def test_a_token_at_random_is_every_word_in_turn_and_nothing_else() -> None:
    found = set()
    for last in range(5, 30):
        ids = torch.tensor([[2, 5, 6, last, 3, 0]])
        found.add(tuple(pooled("token", ids=ids)))
    assert found == {(1, 0), (0, 2), (2, 1)}


def test_words_are_neither_padding_nor_its_ends(tokenizer: Tokenizer) -> None:
    encoded = tokenizer(["天上有云。", "水。"])
    chosen = lib.words(encoded.input_ids, encoded.attention_mask, lib.special_ids(tokenizer))
    assert chosen.tolist() == [[False] + [True] * 5 + [False], [False, True, True] + [False] * 4]
    pair = tokenizer(["水。"], ["云。"])
    chosen = lib.words(pair.input_ids, pair.attention_mask, lib.special_ids(tokenizer))
    assert chosen.tolist() == [[False, True, True, False, True, True, False]]


@pytest.mark.parametrize("pooling", SENTENCE_POOLINGS)
def test_padding_changes_no_vector(bert: Bert, task: Classification, pooling: lib.Pooling) -> None:
    """A text has the same scores alone and beside a longer one."""
    torch.manual_seed(1)
    model = lib.SentenceClassifier(bert, pooling, 2, task.tokenizer).eval()
    rows = task.encode([TextExample(text) for text in TEXTS], targets=False)
    with torch.no_grad():
        together = task.forward(model, task.collate(rows)).logits
        alone = [task.forward(model, task.collate([row])).logits[0] for row in rows]
    torch.testing.assert_close(together, torch.stack(alone))


def test_one_pass_gives_what_each_classifier_reads(bert: Bert, task: Classification) -> None:
    examples = [TextExample(text) for text in TEXTS * 30]  # more than one batch
    found = lib.vectors(bert, task, examples)
    assert set(found) == set(SENTENCE_POOLINGS)
    for pooling, vectors in found.items():
        assert vectors.shape == (90, 8)
        model = lib.SentenceClassifier(bert, pooling, 2, task.tokenizer).eval()
        model.classifier = torch.nn.Identity()  # type: ignore[assignment]
        rows = task.encode(examples[:3], targets=False)
        with torch.no_grad():
            read = task.forward(model, task.collate(rows)).logits
        torch.testing.assert_close(torch.from_numpy(vectors[:3]), read, rtol=1e-4, atol=1e-5)


def test_what_cannot_be_pooled_is_refused(tokenizer: Tokenizer, bert: Bert) -> None:
    with pytest.raises(ValueError, match=r"'median'; it can be cls, pooler"):
        lib.SentenceClassifier(bert, "median", 2, tokenizer)  # type: ignore[arg-type]
    bare = Bert(small(tokenizer), add_pooling_layer=False)
    with pytest.raises(ValueError, match="no pooler"):
        lib.SentenceClassifier(bare, "pooler", 2, tokenizer)


# --- attention and gradients


def test_attention_of_a_body_that_looks_everywhere_alike(
    tokenizer: Tokenizer, task: Classification
) -> None:
    """Without queries all scores are 0, and every weight is 1/T."""
    even = Bert(small(tokenizer)).eval()
    with torch.no_grad():
        for name, parameter in even.named_parameters():
            if "query" in name:
                parameter.zero_()
    found = lib.cls_attention(even, task, [TextExample(text) for text in TEXTS])
    words, one = found.uniform
    assert one == pytest.approx((1 / 7 + 1 / 12 + 1 / 4) / 3)
    assert words == pytest.approx((5 / 7 + 10 / 12 + 2 / 4) / 3)
    torch.testing.assert_close(found.to_words, torch.full((2, 2), words))
    for part in (found.to_itself, found.to_sep, found.from_words):
        torch.testing.assert_close(part, torch.full((2, 2), one))


def test_attention_is_of_cls_and_towards_cls(bert: Bert, task: Classification) -> None:
    found = lib.cls_attention(bert, task, [TextExample(TEXTS[0])])
    batch = task.collate(task.encode([TextExample(TEXTS[0])], targets=False))
    with torch.no_grad():
        maps = bert(batch["input_ids"], output_attentions=True).attentions
    assert maps is not None
    weights = torch.cat(maps)  # (L, A, T, T)
    torch.testing.assert_close(found.to_sep, weights[:, :, 0, -1])
    torch.testing.assert_close(found.from_words, weights[:, :, 1:-1, 0].mean(-1))
    assert not torch.allclose(found.to_itself, found.from_words, atol=0.01)


def pretraining_batch(tokenizer: Tokenizer) -> Batch:
    masking = Masking(ratio=0.4, mask_share=1.0, random_share=0.0, keep_share=0.0)
    objective = MaskedLanguageModel(tokenizer, masking, sentences="order")
    rows = objective.rows([TEXTS, TEXTS[::-1]])
    batch = objective.collate(rows, torch.Generator().manual_seed(0))
    assert (batch["labels"] != IGNORE_INDEX).any()
    return batch


def test_blanks_send_no_gradient_to_the_last_cls(tokenizer: Tokenizer) -> None:
    torch.manual_seed(0)
    model = BertForPreTraining(small(tokenizer)).eval()
    found = lib.cls_gradients(model, pretraining_batch(tokenizer))
    assert found["masked"][-1] == 0.0  # exactly
    assert min(found["masked"][:-1]) > 0
    assert min(found["sentence"]) > 0
    assert all(parameter.grad is None for parameter in model.parameters())


# --- the experiment


def test_bodies_are_what_they_say() -> None:
    order, mlm = page.body("order", 0), page.body("mlm", 0)
    first, again, other = (page.body("random", seed) for seed in (0, 0, 1))
    weights = [one.embeddings.word_embeddings.weight for one in (order, mlm, first, other)]
    for at, one in enumerate(weights):
        assert not any(torch.equal(one, two) for two in weights[:at])
    assert torch.equal(
        first.embeddings.word_embeddings.weight, again.embeddings.word_embeddings.weight
    )
    assert order.config == mlm.config == first.config


def test_every_arm_is_an_arm_of_something() -> None:
    experiment = page.EXPERIMENTS["B11"]
    known = {*page.TUNED_ARMS, *page.FROZEN_ARMS, *page.BASELINE_ARMS}
    assert set(experiment.controls) == known
    assert len(known) == len(page.TUNED_ARMS) + len(page.FROZEN_ARMS) + len(page.BASELINE_ARMS)
    with pytest.raises(KeyError):
        experiment.run("no such arm", 0)


def test_a_frozen_probe_reads_the_class_where_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the label written into the vectors of one pooling, that one is right and no other."""
    draw = torch.Generator().manual_seed(0)

    def planted(bert: Any, task: Any, asked: Any) -> dict[str, Any]:
        found = {p: torch.randn(len(asked), 4, generator=draw).numpy() for p in lib.POOLINGS}
        found["mean"][:, 0] = [5.0 if one.label == "right" else -5.0 for one in asked]
        return found

    monkeypatch.setattr(page, "vectors", planted)
    page.held_out_vectors.cache_clear()
    scores = page.frozen_scores.__wrapped__("order", "order", 3, "validation")
    page.held_out_vectors.cache_clear()
    assert scores["mean"] == 1.0
    assert max(score for pooling, score in scores.items() if pooling != "mean") < 0.7


def test_a_baseline_learns_from_as_many_labels_as_its_arm_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def count(train: Any, validation: Any, test: Any) -> list[str]:
        learned.append(len(train))
        return [one.label for one in test]

    learned: list[int] = []
    monkeypatch.setattr(page, "BASELINES", dict.fromkeys(page.BASELINES, count))
    run = page.EXPERIMENTS["B11"].run
    page.baseline_score.cache_clear()
    assert {run(arm, 0).value for arm in page.BASELINE_ARMS} == {1.0}
    page.baseline_score.cache_clear()
    assert set(learned) == {page.FEW, page.MANY, page.QUESTIONS["order"].budget}


@pytest.mark.parametrize("name", page.QUESTIONS)
def test_splits_share_no_text_and_classes_are_balanced(name: str) -> None:
    parts = [page.examples(name, "train", 3), page.examples(name, "validation")]
    parts.append(page.examples(name, "test"))
    texts = [{(one.text, one.pair) for one in part} for part in parts]
    assert [len(found) for found in texts] == [page.QUESTIONS[name].budget, 200, 1000]
    assert not texts[0] & texts[1] | texts[0] & texts[2] | texts[1] & texts[2]
    classes = page.QUESTIONS[name].labels
    for label in classes:
        share = sum(one.label == label for one in parts[-1]) / 1000
        assert abs(share - 1 / len(classes)) < 0.05
    assert page.examples(name, "train", 3) != page.examples(name, "train", 4)


def test_too_many_examples_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    question = page.Question(title="", labels="ab", budget=9, write=lambda *asked: [])
    monkeypatch.setattr(page, "QUESTIONS", {"none": question})
    with pytest.raises(ValueError, match=r"only 0 different.*of 9 asked for"):
        page.examples("none", "train")


def test_swapped_sentences_are_those_of_the_story() -> None:
    """Each pair stands in a story, in the order that its label says."""
    stories = page.make_documents(page.world("full"), 30, seed="x", split="validation")
    told = {"".join(sentence.text for sentence in story.sentences) for story in stories}
    for one in page.QUESTIONS["order"].write(30, "x", "validation"):
        first, second = (one.text, one.pair) if one.label == "right" else (one.pair, one.text)
        assert any(f"{first}{second}" in story for story in told)


def test_the_page_fails_without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs as it stands, but the bodies are random and learn nothing."""

    def idle(*inputs: Any, **options: Any) -> History:
        return History(losses=[0.7])

    def random_body(start: page.Start, seed: int) -> Bert:
        return body("random", seed)

    body = page.body
    monkeypatch.setattr(page, "fit", idle)
    monkeypatch.setattr(page, "body", random_body)
    for cached in (page.held_out_vectors, page.frozen_scores, page.tuned_score):
        cached.cache_clear()
    failures = "".join(run_page("cls"))
    for cached in (page.held_out_vectors, page.frozen_scores, page.tuned_score):
        cached.cache_clear()
    assert "FLOOR" in failures
    assert "TAUGHT" in failures
