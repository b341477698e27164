"""Case 4: the answer is a span of the document (Devlin et al. 2019, figure 4 (c), section 4.2).

Two trained vectors, "start" and "end": their inner product with the output at each token, then a
softmax over the document, says where the answer begins and ends. A document that is too long is
read in overlapping windows, the question before each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from chapter10.bert_tasks import BertForQuestionAnswering
from chapter10.data import Answer, Question
from chapter10.objectives import IGNORE_INDEX, cross_entropy_sum
from chapter10.tasks.answer_scores import Language, answer_f1, exact_match
from chapter10.tasks.spans import best_span
from chapter10.tasks.task import ExampleError, Task
from chapter10.tokenizers import Encoding, Tokenizer
from chapter10.training.batches import Batch, pad_rows

Range = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """One row for BERT: a question and a piece of its document.

    ``example`` is the number of the question; ``offsets`` the (start, end) in the document of each
    of its tokens, None elsewhere. ``start`` and ``end`` are the positions of the answer's first and
    last token, both 0 ([CLS]) for "not here", IGNORE_INDEX where there is no loss.
    """

    example: int
    input_ids: list[int]
    token_type_ids: list[int]
    offsets: list[Range | None]
    start: int = IGNORE_INDEX
    end: int = IGNORE_INDEX

    def __len__(self) -> int:
        return len(self.input_ids)


@dataclass(frozen=True)
class PredictedAnswer:
    """The answer, ``document[start:end]``; empty with start None where the model sees none.

    ``score`` is log p(start) + log p(end), the softmax being over all windows of the document.
    """

    text: str
    start: int | None
    end: int | None
    score: float


class QuestionAnswering(Task[Question, Window, PredictedAnswer]):
    """Which span of a document answers a question.

    Args:
        max_length: of a window in tokens, the question included.
        stride: how many tokens of the document two neighbouring windows share; a quarter of
            ``max_length`` if None.
        max_answer_length: in tokens; longer spans are never predicted.
        no_answer: questions may be without answer. Then [CLS] is a candidate beside the document,
            and what a window without the answer should point to (SQuAD 2.0; Devlin et al. 2019,
            section 4.3). Otherwise such windows have no loss.
        language: how answers are compared.
    """

    model_class = BertForQuestionAnswering
    measure = "f1"

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        max_length: int = 256,
        stride: int | None = None,
        max_answer_length: int = 40,
        no_answer: bool = False,
        language: Language = "zh",
    ) -> None:
        super().__init__(tokenizer, max_length)
        self.stride = max_length // 4 if stride is None else stride
        if not 0 <= self.stride < max_length - 4:  # [CLS], two [SEP], a question of one token
            raise ValueError(
                f"stride is {self.stride} of max_length {max_length}; windows that move on share "
                f"between 0 and {max_length - 5} tokens."
            )
        if max_answer_length < 1:
            raise ValueError(f"max_answer_length is {max_answer_length}; give at least 1.")
        self.max_answer_length, self.no_answer = max_answer_length, no_answer
        self.language = language

    @property
    def num_labels(self) -> int:
        """Two vectors: start and end."""
        return 2

    def encode(self, examples: Sequence[Question], *, targets: bool = True) -> list[Window]:
        """One row a window; a question's windows stand together, in order."""
        rows: list[Window] = []
        for index, example in enumerate(examples):
            windows = self._windows(index, example)
            rows += self._with_targets(index, example, windows) if targets else windows
        return rows

    def training_rows(self, examples: Sequence[Question]) -> list[Window]:
        """The windows that have a loss."""
        return [window for window in self.encode(examples) if window.start != IGNORE_INDEX]

    def _windows(self, index: int, example: Question) -> list[Window]:
        question, document = example.question, example.context
        for name, text in (("question", question), ("document", document)):
            if not text.strip():
                raise ExampleError(
                    index, question, "empty text", f"its {name} is empty; leave it out."
                )
        asked = len(self.tokenizer.tokenize(question, literal=True))
        room = self.max_length - asked - 3  # [CLS] and two [SEP]
        if room <= self.stride:
            raise ExampleError(
                index,
                question,
                "longer than the model",
                f"its question has {asked} tokens, which leaves {max(room, 0)} of {self.max_length}"
                f" for the document, and windows share {self.stride}; shorten it, or use a model "
                "with more positions.",
            )
        found = self.tokenizer(
            [question],
            [document],
            self.max_length,
            truncation="only_second",
            stride=self.stride,
            overflow=True,
            literal=True,
        )
        windows = [_window(index, encoding) for encoding in found.encodings]
        if not any(offset for window in windows for offset in window.offsets):
            raise ExampleError(
                index, question, "empty text", "the tokeniser makes nothing of its document."
            )
        return windows

    def _with_targets(self, index: int, example: Question, windows: list[Window]) -> list[Window]:
        absent = (0, 0) if self.no_answer else (IGNORE_INDEX, IGNORE_INDEX)
        answer = self._answer(index, example)
        if answer is None:
            return [_target(window, absent) for window in windows]
        begin, stop = answer
        covered = sorted(
            {
                offset
                for window in windows
                for offset in window.offsets
                if offset is not None and offset[0] < stop and offset[1] > begin
            }
        )
        if not covered:
            raise ExampleError(
                index, example.question, "answer without a token", "its answer has no token."
            )
        places = [_place(window, covered[0], covered[-1]) for window in windows]
        if not any(places):
            raise ExampleError(
                index,
                example.question,
                "answer longer than a window",
                f"its answer has {len(covered)} tokens, more than a window holds whole; use longer "
                "windows or a larger stride.",
            )
        return [
            _target(window, place or absent) for window, place in zip(windows, places, strict=True)
        ]

    def _answer(self, index: int, example: Question) -> Range | None:
        """Where the first answer that stands in the document begins and stops."""
        if not example.answers and self.no_answer:
            return None
        for answer in example.answers:
            if answer.start is None or not answer.text:
                continue
            found = example.context[answer.start : answer.start + len(answer.text)]
            if answer.start < 0 or found != answer.text:
                raise _misplaced(index, example, answer)
            return answer.start, answer.start + len(answer.text)
        raise _misplaced(index, example, example.answers[0] if example.answers else None)

    def targets(self, rows: Sequence[Window]) -> Batch:
        """``candidates``: (B, T) bool, where an answer may begin and end; ``start``, ``end``: (B,)
        positions.
        """
        cls = [int(self.no_answer)]
        inside = [cls + [int(offset is not None) for offset in row.offsets[1:]] for row in rows]
        return {
            "candidates": pad_rows(inside, 0).bool(),
            "start": torch.tensor([row.start for row in rows]),
            "end": torch.tensor([row.end for row in rows]),
        }

    def logits(self, model: nn.Module, batch: Batch) -> tuple[Tensor, ...]:
        """Start and end logits (B, T), -inf outside the candidates."""
        output = self.forward(model, batch)
        outside = ~batch["candidates"]
        parts = (output.start_logits, output.end_logits)
        return tuple(part.float().masked_fill(outside, -torch.inf) for part in parts)

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """The mean of the cross entropies of start and end; one term a window."""
        start, end = self.logits(model, batch)
        start_loss, count = cross_entropy_sum(start, batch["start"])
        end_loss, _ = cross_entropy_sum(end, batch["end"])
        return (start_loss + end_loss) / 2, count

    def predict(self, model: nn.Module, examples: Sequence[Question]) -> list[PredictedAnswer]:
        """The best span of each document, over all its windows."""
        windows = self.encode(examples, targets=False)
        outputs = self.outputs(model, windows)
        grouped: list[list[int]] = [[] for _ in examples]
        for number, window in enumerate(windows):
            grouped[window.example].append(number)
        return [
            self._choose(
                example.context,
                [windows[number] for number in numbers],
                [outputs[number] for number in numbers],
            )
            for example, numbers in zip(examples, grouped, strict=True)
        ]

    def _choose(
        self, document: str, windows: list[Window], logits: list[tuple[Tensor, ...]]
    ) -> PredictedAnswer:
        # One softmax over all windows, so that their spans can be compared (Clark and Gardner 2018,
        # section 3.2, "shared normalization"); a token of two windows counts in both.
        totals = [torch.cat([pair[side] for pair in logits]).logsumexp(0) for side in (0, 1)]
        best, absent = None, torch.inf
        for window, (start, end) in zip(windows, logits, strict=True):
            start, end = start[: len(window)] - totals[0], end[: len(window)] - totals[1]
            absent = min(absent, float(start[0] + end[0]))  # as SQuAD 2.0: the most doubtful window
            inside = torch.tensor([offset is not None for offset in window.offsets])
            if not inside.any():
                continue
            span = best_span(start, end, inside, self.max_answer_length)
            if best is None or span.score > best.score:
                inner = [offset for offset in window.offsets[span.start : span.end + 1] if offset]
                begin, stop = inner[0][0], inner[-1][1]
                best = PredictedAnswer(document[begin:stop], begin, stop, span.score)
        assert best is not None  # _windows refuses documents without tokens
        if self.no_answer and absent > best.score:
            return PredictedAnswer("", None, None, absent)
        return best

    def score(
        self, examples: Sequence[Question], predictions: Sequence[PredictedAnswer]
    ) -> dict[str, float]:
        """Exact match and F1, means over the questions."""
        return self.score_answers(examples, [prediction.text for prediction in predictions])

    def score_answers(
        self, examples: Sequence[Question], answers: Sequence[str]
    ) -> dict[str, float]:
        """:meth:`score` of bare texts, such as a baseline's."""
        if not examples:
            raise ValueError("There are no questions to score; give at least one.")
        exact = f1 = 0.0
        for example, text in zip(examples, answers, strict=True):
            given = [answer.text for answer in example.answers] or [""]
            exact += exact_match(text, given, self.language)
            f1 += answer_f1(text, given, self.language)
        return {"exact_match": exact / len(examples), "f1": f1 / len(examples)}


def _window(index: int, encoding: Encoding) -> Window:
    length = sum(encoding.attention_mask)  # the last window is padded to the others' length
    offsets = [
        offset if sequence == 1 else None
        for offset, sequence in zip(encoding.offsets, encoding.sequence_ids, strict=True)
    ]
    return Window(
        index, encoding.input_ids[:length], encoding.token_type_ids[:length], offsets[:length]
    )


def _place(window: Window, first: Range, last: Range) -> Range | None:
    """Positions of the answer's first and last token, None where the window lacks one of them."""
    if first not in window.offsets or last not in window.offsets:
        return None
    return window.offsets.index(first), len(window) - 1 - window.offsets[::-1].index(last)


def _target(window: Window, place: Range) -> Window:
    return Window(window.example, window.input_ids, window.token_type_ids, window.offsets, *place)


def _misplaced(index: int, example: Question, answer: Answer | None) -> ExampleError:
    detail = "it has no answer; give one, or make the task with no_answer=True."
    if answer is not None:
        place = "" if answer.start is None else f" at character {answer.start}"
        detail = (
            f"its answer {answer.text!r} is not in its document{place}; mend it or leave it out."
        )
    return ExampleError(index, example.question, "answer not in its document", detail)
