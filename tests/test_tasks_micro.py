"""The four cases on the micro-world: examples, splits, answers, and what needs no network."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chapter10.tasks import BASELINES, MICRO_TASKS, TASKS, micro, micro_examples, micro_task


@pytest.mark.parametrize("name", MICRO_TASKS)
def test_splits_share_no_example(name: str) -> None:
    convert = micro_task(name).convert
    parts = [
        {convert(example) for example in micro_examples(name, split, count, seed)}
        for split, count, seed in (("train", 300, 3), ("validation", 200, 0), ("test", 1000, 0))
    ]
    assert [len(part) for part in parts] == [300, 200, 1000]  # each once
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]


@pytest.mark.parametrize("name", MICRO_TASKS)
def test_examples_go_by_the_seed_and_each_can_be_encoded(name: str) -> None:
    task = micro_task(name)
    first, second = (micro_examples(name, "train", 50, seed) for seed in (1, 2))
    assert first == micro_examples.__wrapped__(name, "train", 50, 1)
    assert first != second
    from chapter10 import Tokenizer
    from chapter10.models import shipped

    made = task.make(Tokenizer.from_pretrained(shipped("bert-zh-micro")))
    rows = made.encode([task.convert(example) for example in micro_examples(name, "test", 1000)])
    assert max(map(len, rows)) <= made.max_length
    assert len(rows) == 1000  # one window a question: nothing is cut


def truths(name: str, count: int) -> list[object]:
    """The right answers, in the form that baselines give theirs."""
    examples = micro_examples(name, "test", count)
    if name == "qa":
        return [example.answers[0].text for example in examples]
    converted = [micro_task(name).convert(example) for example in examples]
    return [one.tags if name == "tagging" else one.label for one in converted]


@pytest.mark.parametrize("name", MICRO_TASKS)
def test_right_answers_are_right_and_those_of_others_are_not(name: str) -> None:
    examples, task = micro_examples(name, "test", 1000), micro_task(name)
    answers = truths(name, 1000)
    pairs = zip(examples, answers, strict=True)
    assert all(task.right(example, answer) for example, answer in pairs)
    if name != "tagging":  # another sentence's tags have another length
        moved = zip(examples, answers[1:] + answers[:1], strict=True)
        assert sum(task.right(example, answer) for example, answer in moved) < 600


@pytest.mark.parametrize("name", MICRO_TASKS)
def test_trivial_baselines_stay_low(name: str) -> None:
    task = micro_task(name)
    parts = [
        [task.convert(example) for example in micro_examples(name, split, count)]
        for split, count in (("train", 500), ("validation", 200), ("test", 1000))
    ]
    examples = micro_examples(name, "test", 1000)
    for baseline in task.baselines:
        answers = BASELINES[baseline](*parts)
        right = [task.right(one, answer) for one, answer in zip(examples, answers, strict=True)]
        assert sum(right) / 1000 < 0.62, baseline


def test_the_names_are_those_of_the_real_tasks_and_others_are_refused() -> None:
    assert set(MICRO_TASKS) == set(TASKS)
    with pytest.raises(ValueError, match=r"no task 'sentimnt'.*Did you mean sentiment\?"):
        micro_task("sentimnt")


def test_more_examples_than_there_are_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    written = micro_examples("sentiment", "train", 3)
    few = replace(MICRO_TASKS["sentiment"], write=lambda *_, **__: [*written, *written])
    monkeypatch.setattr(micro, "MICRO_TASKS", {"sentiment": few})
    with pytest.raises(ValueError, match=r"only 3 different examples .* of 4"):
        micro_examples.__wrapped__("sentiment", "train", 4)
