"""Parameters of models by year (claim S3): what was published, and what our own classes count.

Three ways to a number that must agree: the closed formula, ``sum(p.numel())`` of the model built on
torch's meta device (no memory is taken), and, rounded, the number in the paper.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn

from chapter10.bert import Bert, BertConfig
from chapter10.claims import Experiment, Measured
from chapter10.experiments import encoder
from chapter10.gpt import GPT, GPTConfig
from chapter10.t5 import T5, T5Config

AnyConfig = BertConfig | GPTConfig | T5Config


def bert_formula(config: BertConfig) -> int:
    """The sum of `encoder.parameter_counts`."""
    return sum(encoder.parameter_counts(config).values())


def gpt_formula(config: GPTConfig) -> int:
    """(V + P)·H + L·[4(H² + H) + 2HF + F + H + 4H] + 2H; the head is the word embedding."""
    hidden, inner = config.hidden_size, config.intermediate_size or 4 * config.hidden_size
    layer = 4 * (hidden**2 + hidden) + 2 * hidden * inner + inner + hidden + 4 * hidden
    rows = config.vocab_size + config.max_position_embeddings
    return rows * hidden + config.num_hidden_layers * layer + 2 * hidden


def t5_formula(config: T5Config) -> int:
    """V·H, then a stack of L·(4HA + 2HF + 2H) + H + BN, and one of L·(8HA + 2HF + 3H) + H + BN.

    A = heads × head size, B = relative position buckets, N = heads. No biases; the second stack is
    the decoder's, with cross-attention. A gated feed-forward layer has 3HF; an output matrix of its
    own is V·H more.
    """
    hidden, heads = config.hidden_size, config.num_attention_heads
    attention = 4 * hidden * heads * config.head_size
    feed_forward = (3 if config.gated else 2) * hidden * config.intermediate_size
    ends = hidden + config.relative_attention_num_buckets * heads
    encoder_layers = config.num_hidden_layers
    decoder_layers = config.num_decoder_layers or encoder_layers
    embeddings = config.vocab_size * hidden * (1 if config.tie_word_embeddings else 2)
    return (
        embeddings
        + encoder_layers * (attention + feed_forward + 2 * hidden)
        + decoder_layers * (2 * attention + feed_forward + 3 * hidden)
        + 2 * ends
    )


def formula(config: AnyConfig) -> int:
    """Parameters by closed formula."""
    if isinstance(config, BertConfig):
        return bert_formula(config)
    return gpt_formula(config) if isinstance(config, GPTConfig) else t5_formula(config)


def build(config: AnyConfig) -> nn.Module:
    """The model of a configuration, without memory for its parameters."""
    with torch.device("meta"):
        if isinstance(config, BertConfig):
            return Bert(config)
        return GPT(config) if isinstance(config, GPTConfig) else T5(config)


def count(config: AnyConfig) -> int:
    """Parameters counted one by one; shared ones once."""
    return sum(parameter.numel() for parameter in build(config).parameters())


# --- published models


@dataclass(frozen=True, kw_only=True)
class Published:
    """A model that somebody published, with the number printed for it.

    month: of its first public version, "2018-10". key: in the book's references.bib.
    printed: parameters as the source rounds them. config: the same sizes for our own class, or None
    where we have no such class. sesame: named after somebody in Sesame Street.
    checked: the number was read in the source, or our own count confirms it.
    """

    name: str
    month: str
    printed: float
    key: str
    config: AnyConfig | None = None
    sesame: bool = False
    checked: bool = True

    @property
    def date(self) -> float:
        """Middle of the month, in years."""
        year, month = self.month.split("-")
        return int(year) + (int(month) - 0.5) / 12


_LARGE = BertConfig(
    vocab_size=30522,
    hidden_size=1024,
    num_hidden_layers=24,
    num_attention_heads=16,
    intermediate_size=4096,
)
_T5_11B = T5Config(
    hidden_size=1024,
    head_size=128,
    intermediate_size=65536,
    num_hidden_layers=24,
    num_attention_heads=128,
)
_GPT2_XL = GPTConfig(hidden_size=1600, num_hidden_layers=48, num_attention_heads=25)
_GPT1 = GPTConfig(vocab_size=40478, max_position_embeddings=512)
_GPT3 = GPTConfig(
    hidden_size=12288, num_hidden_layers=96, num_attention_heads=96, max_position_embeddings=2048
)

PUBLISHED = (
    Published(name="ELMo", month="2018-02", printed=93.6e6, key="peters2018elmo", sesame=True,
              checked=False),
    Published(name="GPT", month="2018-06", printed=117e6, key="radford2018gpt", config=_GPT1),
    Published(name="BERT base", month="2018-10", printed=110e6, key="devlin2019bert", sesame=True,
              config=BertConfig(vocab_size=30522)),
    Published(name="BERT large", month="2018-10", printed=340e6, key="devlin2019bert", sesame=True,
              config=_LARGE),
    Published(name="GPT-2", month="2019-02", printed=1542e6, key="radford2019gpt2",
              config=_GPT2_XL),
    Published(name="Grover", month="2019-05", printed=1.5e9, key="zellers2019grover", sesame=True,
              checked=False),
    Published(name="Megatron-LM", month="2019-09", printed=8.3e9, key="shoeybi2019megatron"),
    Published(name="T5 small", month="2019-10", printed=60e6, key="raffel2020t5",
              config=T5Config()),
    Published(name="T5-11B", month="2019-10", printed=11e9, key="raffel2020t5", config=_T5_11B),
    Published(name="Turing-NLG", month="2020-02", printed=17e9, key="rosset2020turing"),
    Published(name="GPT-3", month="2020-05", printed=175e9, key="brown2020gpt3", config=_GPT3),
    Published(name="Switch-C", month="2021-01", printed=1.6e12, key="fedus2022switch",
              checked=False),
)  # fmt: skip
ROUNDING = 0.03
"""Share by which a printed number may differ from our count: papers round 109.5 M to 110 M."""

NAMED_AFTER = {
    "ELMo": "peters2018elmo",
    "BERT": "devlin2019bert",
    "ERNIE（百度）": "sun2019ernie",
    "ERNIE（清华）": "zhang2019ernie",
    "Grover": "zellers2019grover",
    "Big Bird": "zaheer2020bigbird",
}
"""Models named after somebody in Sesame Street, and the papers that name them."""

GPT2_SMALL = GPTConfig()


# --- claim S3


def random_config(family: str, draw: random.Random) -> AnyConfig:
    """A small configuration whose sizes all differ, so that no two terms can stand for each other.

    family: "BERT", "GPT" or "T5".
    """
    heads, head_size = draw.randint(1, 5), draw.choice((2, 4, 6, 8))
    vocabulary, inner = draw.randint(20, 200), draw.randint(3, 90)
    layers, positions = draw.randint(1, 4), draw.randint(3, 70)
    if family == "T5":
        return T5Config(
            vocab_size=vocabulary,
            hidden_size=heads * head_size,
            head_size=draw.choice((3, 5, 7)),
            intermediate_size=inner,
            num_hidden_layers=layers,
            num_decoder_layers=draw.randint(1, 4),
            num_attention_heads=heads,
            relative_attention_num_buckets=draw.choice((4, 8, 16)),
            feed_forward_proj=draw.choice(("relu", "gated-gelu")),
            tie_word_embeddings=draw.random() < 0.5,
        )
    if family == "GPT":
        return GPTConfig(
            vocab_size=vocabulary,
            hidden_size=heads * head_size,
            intermediate_size=inner,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            max_position_embeddings=positions,
        )
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=heads * head_size,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=positions,
        type_vocab_size=draw.randint(1, 3),
    )


FAMILIES = ("BERT", "GPT", "T5")
CONFIGS = 20
"""Random configurations for one measurement."""


def _published_of(family: str) -> list[AnyConfig]:
    kinds: Mapping[str, type] = {"BERT": BertConfig, "GPT": GPTConfig, "T5": T5Config}
    known = [one.config for one in PUBLISHED if one.config is not None]
    return [one for one in [*known, GPT2_SMALL] if isinstance(one, kinds[family])]


def largest_gap(family: str, seed: int, wrong: int = 0) -> int:
    """Largest difference of formula and count, over random and published configurations.

    wrong: added to the number of layers in the formula only, for the control.
    """
    draw = random.Random(f"{family} {seed}")
    configs = [random_config(family, draw) for _ in range(CONFIGS)] + _published_of(family)
    return max(
        abs(formula(replace(one, num_hidden_layers=one.num_hidden_layers + wrong)) - count(one))
        for one in configs
    )


def _run(arm: str, seed: int) -> Measured:
    family, _, control = arm.partition("，")
    return Measured(float(largest_gap(family, seed, wrong=1 if control else 0)))


SIZES = Experiment(
    arms=FAMILIES,
    controls=("BERT，公式多算一层",),
    run=_run,
    data=f"每个种子 {CONFIGS} 个随机配置，加上公开模型的配置",
)
