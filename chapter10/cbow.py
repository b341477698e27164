"""CBOW: guess the word in the middle from the words around it, with two linear maps.

Mikolov et al., "Efficient Estimation of Word Representations in Vector Space" (2013), section 3.1,
https://arxiv.org/abs/1301.3781.
"""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from chapter10.checkpoints import PretrainedConfig, PretrainedModel
from chapter10.inputs import check_inputs


@dataclass(frozen=True, kw_only=True)
class CBOWConfig(PretrainedConfig):
    """Sizes of a CBOW model. ``pad_token_id`` marks places of the window outside the text."""

    vocab_size: int
    hidden_size: int = 64
    pad_token_id: int = 0

    def __post_init__(self) -> None:
        for name in ("vocab_size", "hidden_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not 0 <= self.pad_token_id < self.vocab_size:
            raise ValueError(
                f"pad_token_id {self.pad_token_id} is outside the vocabulary of {self.vocab_size}."
            )


@dataclass(frozen=True)
class CBOWOutput:
    """logits: (B, V), a score for each word in the middle. context: (B, H), the mean vector."""

    logits: Tensor
    context: Tensor


class CBOW(PretrainedModel):
    """Mean of the neighbours' vectors, then a score for each word: the order plays no part."""

    config_class = CBOWConfig
    architectures: ClassVar = {"cbow": "CBOW"}

    def __init__(self, config: CBOWConfig):
        super().__init__()
        self.config = config
        self.word_embeddings = nn.Embedding(
            config.vocab_size, config.hidden_size, padding_idx=config.pad_token_id
        )
        self.output = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        nn.init.normal_(self.word_embeddings.weight, std=config.hidden_size**-0.5)
        nn.init.zeros_(self.word_embeddings.weight[config.pad_token_id])
        nn.init.zeros_(self.output.weight)  # as in word2vec: the first guess is uniform

    def forward(self, context_ids: Tensor) -> CBOWOutput:
        """Guess the middle word.

        Args:
            context_ids: (B, 2 * window), the words around it; padding where there are none.

        Raises:
            ValueError: wrong shape, or an id outside the vocabulary.
        """
        context = self.context(context_ids)
        return CBOWOutput(logits=self.output(context), context=context)

    def context(self, context_ids: Tensor) -> Tensor:
        """(B, H): the mean vector of the words around; `forward` without its scores."""
        check_inputs(context_ids, None, self.config.vocab_size)
        present = (context_ids != self.config.pad_token_id).sum(dim=1, keepdim=True)  # (B, 1)
        total = self.word_embeddings(context_ids).sum(dim=1)  # (B, H); padding adds 0
        return total / present.clamp(min=1)
