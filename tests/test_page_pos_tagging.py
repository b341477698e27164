"""The page `pos-tagging`: what it counts is right, and its assertions fail without training."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from invented import invent_rows, shorten_exams
from pages import run_page
from task_samples import CHARACTERS, tiny_model
from torch import nn

from chapter10 import Tokenizer
from chapter10.bert_tasks import ClassifierOutput
from chapter10.data.microworld import Tagged
from chapter10.experiments import downstream
from chapter10.experiments import pos_tagging as page
from chapter10.objectives import IGNORE_INDEX
from chapter10.tasks import Tagging, micro_examples

TASK = Tagging(CHARACTERS, ("NOUN", "VERB", "PUNCT"), max_length=24)


def example(text: str, target: int) -> Tagged:
    """ "小猫/NOUN 看/VERB" with an ambiguous word."""
    words, tags = zip(*(word.split("/") for word in text.split()), strict=True)
    plain = page.spaced(" ".join(words))
    return Tagged(words, tags, plain.text, plain.offsets, target=target)


SEEN = example("小猫/NOUN 看/VERB 花/NOUN 。/PUNCT", 2)
SPENT = example("小猫/NOUN 花/VERB 钱/NOUN 。/PUNCT", 1)


class VerbBefore(nn.Module):
    """Stands in for a model: every token is a verb where 钱 stands in the sentence, else a noun."""

    def __init__(self) -> None:
        super().__init__()
        self.size = nn.Parameter(torch.tensor(2.0))

    def forward(self, input_ids: torch.Tensor, *inputs: Any) -> ClassifierOutput:
        """(B, T, 3)"""
        money = (input_ids == CHARACTERS.token_to_id("钱")).any(1, keepdim=True)
        verb = self.size * torch.where(money, 1.0, -1.0).expand(input_ids.shape)
        return ClassifierOutput(torch.stack([-verb, verb, -5 - 0 * verb], dim=-1))


# --- words and tokens


def test_typed_words_become_a_text_without_spaces() -> None:
    typed = page.spaced(" 小猫 看 花 。")
    assert typed.text == "小猫看花。"
    assert typed.offsets == ((0, 2), (2, 3), (3, 4), (4, 5))
    assert [typed.text[a:b] for a, b in typed.offsets] == list(typed.tokens)
    with pytest.raises(ValueError, match="at least one word"):
        page.spaced("  ")


def test_unknown_characters_are_counted() -> None:
    assert page.unknown(CHARACTERS, "小猫看花。") == 0
    assert page.unknown(CHARACTERS, "小猫看鬯。") == 1


def test_two_words_may_share_a_range_or_a_token() -> None:
    tokenizer = Tokenizer.train(page.ENGLISH_TEXTS, "bpe", vocab_size=300, style="gpt")
    spoken = {
        word: (token, at) for word, token, at in page.speaking_tokens(tokenizer, page.ENGLISH)
    }
    assert spoken["can"] == spoken["not"]
    assert spoken["do"][1] != spoken["n't"][1]
    assert len(spoken) == len(page.ENGLISH.tokens) == len(page.ENGLISH.tags)


def test_only_speaking_tokens_have_a_gradient() -> None:
    model = tiny_model(TASK)
    gradient, labels = page.logit_gradients(TASK, model, [SEEN, example("花/NOUN", 0)])
    assert labels.shape == gradient.shape == (2, 7)  # five characters, [CLS] and [SEP]
    assert (labels != IGNORE_INDEX).sum() == 5  # one a word, none at 猫
    assert (gradient[labels != IGNORE_INDEX] > 0).all()
    assert (gradient[labels == IGNORE_INDEX] == 0).all()
    assert all(parameter.grad is None for parameter in model.parameters())


# --- data and scores


def test_every_word_has_several_tags_equally_often() -> None:
    counts = page.tags_of_words(micro_examples("tagging", "train", 1000, 3))
    assert len(counts) == 15
    assert set(counts["在"]) == {"ADP", "VERB", "ADV"}
    for tags in counts.values():
        assert len(tags) > 1
        assert min(tags.values()) > 0.5 * max(tags.values())


def test_accuracies_of_all_words_and_of_the_ambiguous_ones() -> None:
    answers = [("NOUN", "VERB", "VERB", "PUNCT"), ("NOUN", "VERB", "NOUN", "NOUN")]
    found = page.accuracies([SEEN, SPENT], answers)
    assert found == (6 / 8, 1 / 2)
    assert page.at_target([SEEN, SPENT], answers) == (["NOUN", "VERB"], ["VERB", "VERB"])


def test_a_look_up_cannot_tell_the_tags_of_a_word_apart_and_neighbours_can() -> None:
    """On training wordings, which the regression has seen; held-out ones are another matter."""
    asked = micro_examples("tagging", "train", 300, 9)
    by_word = page.accuracies(
        asked, page.baseline_answers(asked, "most frequent tag of the word", 0)
    )
    near = page.accuracies(asked, page.baseline_answers(asked, "neighbours", 0))
    assert by_word.ambiguous < 0.6 < by_word.all_words
    assert near.ambiguous > 0.9
    (answer,) = page.baseline_answers(asked[:1], "neighbours", 0)
    assert len(answer) == len(asked[0].tokens)


def test_neighbours_are_scored_in_both_exams(monkeypatch: pytest.MonkeyPatch) -> None:
    shorten_exams(monkeypatch, 60)
    page.neighbour_scores.cache_clear()
    found = page.neighbour_scores(64, 0)
    assert found.keys() == downstream.WORDINGS.keys()
    for exam, score in found.items():
        examples = downstream.exam_examples("tagging", exam)
        answers = page.baseline_answers(examples, page.NEIGHBOURS, 0, 64)
        assert score == page.accuracies(examples, answers).ambiguous
        run = page.EXPERIMENTS["B13"].run
        assert run(f"neighbours 64·{exam}", 0).value == score
    page.neighbour_scores.cache_clear()


# --- looking at one model


def test_hiding_a_word_shows_what_the_answer_hangs_on() -> None:
    seen, spent = page.occlusion(TASK, VerbBefore(), [SEEN, SPENT])
    assert seen == [0.0] * 4  # no 钱 to hide
    assert spent[2] > 0.9
    assert spent[:2] == [0.0, 0.0]
    means = page.by_distance([SEEN, SPENT], [seen, spent], reach=2)
    assert list(means) == [-2, -1, 0, 1, 2]
    assert means[1] == pytest.approx(spent[2] / 2)
    assert means[-1] == means[0] == means[2] == 0


def test_the_model_sees_only_what_is_not_hidden() -> None:
    far = example("小猫/NOUN 花/VERB 了/PUNCT 钱/NOUN 。/PUNCT", 1)
    assert page.share_within(TASK, VerbBefore(), [far], reach=2) == 1
    assert page.share_within(TASK, VerbBefore(), [far], reach=1) == 0


def test_doubts_come_in_order() -> None:
    wrong = example("小猫/NOUN 看/VERB 花/VERB 。/PUNCT", 2)
    first, second, last = page.doubts(TASK, VerbBefore(), [SEEN, wrong, SPENT])
    assert first.example == wrong
    assert (first.said, second.said, last.said) == ("NOUN", "NOUN", "VERB")
    assert first.right < 0.1 < 0.9 < second.right == second.probability


# --- the page


def test_the_page_fails_without_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs as it stands, but nothing is learned; the page has to notice."""
    shorten_exams(monkeypatch, 60)
    invent_rows(monkeypatch, "B13", {"领先": 0.1, "预训练": 0.7, "随机起点": 0.6})

    def idle(name: str, begin: downstream.Start, seed: int, **options: Any) -> downstream.Fitted:
        task = downstream.make_task(name)
        model = downstream.start(
            task, downstream.shipped(downstream.CHECKPOINT), seed=seed, pretrained=False
        )
        return downstream.Fitted(task, model, downstream.History())

    monkeypatch.setattr(downstream, "train_model", idle)
    assert any("best.ambiguous > table.ambiguous" in cell for cell in run_page("pos-tagging"))


def test_tags_are_counted_as_they_stand() -> None:
    assert page.tags_of_words([SEEN, SPENT]) == {"花": Counter(NOUN=1, VERB=1)}
