"""Recipes: a YAML file that says what is pretrained on what, and :func:`pretrain`, which does it.

``chapter10/recipes/`` holds those that come with the package.
"""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from torch import nn

from chapter10 import data
from chapter10.bert import BertConfig, BertForPreTraining
from chapter10.checkpoints import PretrainedConfig, PretrainedModel
from chapter10.data.parsers.text import read_documents as text_documents
from chapter10.gpt import GPT, GPTConfig
from chapter10.hub import CheckpointError, write_json, write_whole
from chapter10.objectives import Masking
from chapter10.pretraining import (
    MaskedLanguageModel,
    NextToken,
    Objective,
    Sentences,
    SpanDenoising,
    Unit,
    unigram_baseline,
)
from chapter10.recipes.microworld import LanguagesText, MicroworldText
from chapter10.recipes.settings import (
    SettingsError,
    build,
    check_key,
    convert,
    convert_fields,
    flat,
    plain,
    read_settings,
)
from chapter10.t5 import T5, T5Config
from chapter10.tokenizers import Tokenizer
from chapter10.training.batches import Batches, derive_seed
from chapter10.training.config import TrainingConfig
from chapter10.training.evaluation import heldout_means
from chapter10.training.history import History
from chapter10.training.loop import train
from chapter10.training.processes import is_first_process
from chapter10.training.snapshots import SNAPSHOT_FILE

SHIPPED = Path(__file__).parent
RECIPE_FILE = "recipe.yml"
RESULTS_FILE = "results.json"
Family = Literal["bert", "gpt", "t5"]


@dataclass(frozen=True, kw_only=True)
class TokenizerSettings:
    """The tokeniser, trained on the training text only; see :meth:`Tokenizer.train`."""

    kind: Literal["character", "word", "wordpiece", "bpe", "unigram"] = "character"
    vocab_size: int = 5000
    lowercase: bool = True


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """The text: ``corpus``, a name of the registry, ``text``, a file with a line for each text, or
    ``microworld`` or ``languages``, sentences written for the purpose in one or several languages.

    share: which part of the documents is used at all. heldout: which part of those is held back.
    lines_per_document: longer documents, and text without blank lines, are cut into runs of so many
        lines, which fall on one side together. None leaves them whole.
    max_length: tokens of a row. tokens_per_batch: of a batch, padding included.
    """

    corpus: str | None = None
    text: str | None = None
    microworld: MicroworldText | None = None
    languages: LanguagesText | None = None
    share: float = 1.0
    heldout: float = 0.05
    lines_per_document: int | None = None
    max_length: int = 128
    tokens_per_batch: int = 4096

    def __post_init__(self) -> None:
        sources = (self.corpus, self.text, self.microworld, self.languages)
        if sum(source is not None for source in sources) != 1:
            raise ValueError(
                f"corpus is {self.corpus!r}, text is {self.text!r}, microworld is "
                f"{self.microworld!r} and languages is {self.languages!r}; give one of the four."
            )
        if self.corpus is not None and self.corpus not in data.registry():
            check_key(self.corpus, data.registry(), "corpus")
        for name in ("share", "heldout"):
            value = getattr(self, name)
            if not (0 < value < 1 or (name == "share" and value == 1)):
                raise ValueError(f"{name} is {value}; give a share between 0 and 1.")
        if self.lines_per_document is not None and self.lines_per_document < 1:
            raise ValueError(f"lines_per_document is {self.lines_per_document}; give 1 or more.")
        if not 3 <= self.max_length <= self.tokens_per_batch:
            raise ValueError(
                f"max_length is {self.max_length}; give 3 or more, and at most tokens_per_batch, "
                f"{self.tokens_per_batch}."
            )


@dataclass(frozen=True, kw_only=True)
class ObjectiveSettings:
    """What is learned, for BERT as :class:`MaskedLanguageModel` says, for T5 the two of its spans
    (see :class:`SpanDenoising`), for GPT nothing."""

    masking: Masking = field(default_factory=Masking)
    sentences: Sentences = "none"
    unit: Unit = "line"
    joiner: str = ""
    density: float = 0.15
    mean_span_length: float = 3.0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What ``pretrain`` runs. model: fields of the family's configuration, but for those that the
    tokeniser settles (the size of the vocabulary and the ids of special tokens)."""

    title: str
    family: Family
    model: Mapping[str, Any]
    training: TrainingConfig
    tokenizer: TokenizerSettings = field(default_factory=TokenizerSettings)
    data: DataSettings
    objective: ObjectiveSettings = field(default_factory=ObjectiveSettings)

    def __post_init__(self) -> None:
        config = self.config({"vocab_size": self.tokenizer.vocab_size})
        limit = getattr(config, "max_position_embeddings", self.data.max_length)
        if limit < self.data.max_length:
            raise ValueError(
                f"data.max_length is {self.data.max_length}, but the model has positions for "
                f"{limit} tokens; raise model.max_position_embeddings or lower data.max_length."
            )

    def config(self, settled: Mapping[str, Any]) -> PretrainedConfig:
        """The model's configuration, with what the tokeniser settles."""
        kind = FAMILIES[self.family][0]
        names = {each.name for each in dataclasses.fields(kind)}
        known = {name: value for name, value in settled.items() if name in names}
        return kind(**{**self.model, **known})


FAMILIES: dict[str, tuple[type[PretrainedConfig], type[PretrainedModel]]] = {
    "bert": (BertConfig, BertForPreTraining),
    "gpt": (GPTConfig, GPT),
    "t5": (T5Config, T5),
}
_OBJECTIVE_KEYS: dict[str, tuple[str, ...]] = {
    "bert": ("masking", "sentences", "unit", "joiner"),
    "gpt": (),
    "t5": ("density", "mean_span_length"),
}
_SETTLED = ("vocab_size", "pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")


# What may differ when a run is taken up again: it has no influence on the result.
_FREE = frozenset(f"training.{name}" for name in ("checkpoint_every", "device", "progress"))


@dataclass(frozen=True)
class Pretrained:
    """What :func:`pretrain` made: also in its folder.

    heldout: the last evaluation, or the best where there was ``patience``: ``loss``, the sum of all
    parts, and each part with its ``_accuracy``. baseline: what guessing tokens by frequency alone
    gets on the same labels, under the same names.
    """

    model: PretrainedModel
    tokenizer: Tokenizer
    history: History
    heldout: Mapping[str, float]
    baseline: Mapping[str, float]


def shipped_recipes() -> dict[str, Path]:
    """The recipes that come with the package, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yml"))}


def load_recipe(name: str | os.PathLike[str]) -> Recipe:
    """Read a recipe: a shipped one by name, or a YAML file.

    Raises:
        SettingsError: there is none, or a key or value in it is wrong.
    """
    path = Path(name)
    if path.suffix not in (".yml", ".yaml"):
        check_key(os.fspath(name), shipped_recipes(), "recipe")
        path = shipped_recipes()[os.fspath(name)]
    content = read_settings(path)
    family = convert(content.get("family"), Family, f"{path.name}.family")
    sizes = [f.name for f in dataclasses.fields(FAMILIES[family][0]) if f.name not in _SETTLED]
    for section, known in (("model", sizes), ("objective", _OBJECTIVE_KEYS[family])):
        for key in content.get(section) or {}:
            check_key(str(key), known, f"{path.name}.{section}")
    if isinstance(content.get("model"), dict):
        where = f"{path.name}.model"
        content["model"] = convert_fields(FAMILIES[family][0], content["model"], where)
    recipe = build(Recipe, content, path.name)
    if recipe.data.text is None:
        return recipe
    text = (path.parent / recipe.data.text).resolve()  # a recipe names its text from where it lies
    if not text.is_file():
        raise SettingsError(f"{path.name}.data.text names {text}, which is no file.")
    return dataclasses.replace(recipe, data=dataclasses.replace(recipe.data, text=str(text)))


def read_documents(settings: DataSettings) -> dict[str, list[list[str]]]:
    """Documents, lists of lines, for ``train`` and ``heldout``; no line is on both sides.

    A document's side depends on its text alone. Lines of held-out documents that also occur in a
    training document (headings, sayings) are left out of the held-out ones.

    Raises:
        SettingsError: nothing is left on one side.
        DataError: the corpus is not in the cache, or not whole.
    """
    whole: Iterable[list[str]]
    if settings.corpus is not None:
        whole = data.documents(settings.corpus)
    elif (written := settings.microworld or settings.languages) is not None:
        whole = written.read()
    else:
        whole = text_documents(Path(settings.text or ""))
    size = settings.lines_per_document
    runs = (
        document[start : start + (size or len(document))]
        for document in whole
        for start in range(0, len(document), size or max(1, len(document)))
    )
    shares = {"heldout": settings.share * settings.heldout}
    shares["train"] = settings.share - shares["heldout"]
    if settings.share < 1:
        shares["unused"] = 1 - settings.share
    parts = data.split(runs, shares, key="\n".join)
    known = {line for document in parts["train"] for line in document}
    held = [[line for line in document if line not in known] for document in parts["heldout"]]
    sides = {"train": parts["train"], "heldout": [document for document in held if document]}
    for name, documents in sides.items():
        if not documents:
            raise SettingsError(
                f"data leaves no text for {name}: of {sum(map(len, parts.values()))} documents, "
                f"share {settings.share} is used and {settings.heldout} of it held out. Give more "
                "text, other shares, or shorter documents (lines_per_document)."
            )
    return sides


def make_objective(recipe: Recipe, tokenizer: Tokenizer) -> Objective:
    """The objective of the recipe's family."""
    length, settings = recipe.data.max_length, recipe.objective
    if recipe.family == "gpt":
        return NextToken(tokenizer, max_length=length)
    if recipe.family == "t5":
        return SpanDenoising(
            tokenizer,
            max_length=length,
            density=settings.density,
            mean_span_length=settings.mean_span_length,
        )
    return MaskedLanguageModel(
        tokenizer,
        settings.masking,
        max_length=length,
        sentences=settings.sentences,
        unit=settings.unit,
        joiner=settings.joiner,
        seed=recipe.training.seed,
    )


def pretrain(
    recipe: Recipe | str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    resume: bool = False,
) -> Pretrained:
    """Train tokeniser and model as the recipe says; see what it learned on held-out text.

    The folder then holds what ``from_pretrained`` loads (model and tokeniser), the recipe, the
    history, the results, and the state of the run, from which ``resume=True`` goes on.

    Raises:
        SettingsError: the recipe is wrong, or leaves no text.
        CheckpointError: the folder holds another run, or one and ``resume`` was not said.
        TrainingError: the training itself went wrong.
    """
    recipe = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    folder = Path(folder)
    content = _content(recipe)
    _check_folder(folder, content, resume)
    sides = read_documents(recipe.data)
    tokenizer = Tokenizer.train(
        (line for document in sides["train"] for line in document),
        kind=recipe.tokenizer.kind,
        vocab_size=recipe.tokenizer.vocab_size,
        style=recipe.family,
        lowercase=recipe.tokenizer.lowercase,
    )
    objective = make_objective(recipe, tokenizer)
    rows = {side: objective.rows(documents) for side, documents in sides.items()}
    size, seed = recipe.data.tokens_per_batch, recipe.training.seed
    batches = Batches(rows["train"], objective.collate, tokens_per_batch=size, seed=seed)
    heldout = Batches(
        rows["heldout"], objective.collate, tokens_per_batch=size, seed=derive_seed(seed, "heldout")
    ).first_epoch()
    measure = heldout_means(heldout, objective.measure)

    def evaluate(model: nn.Module) -> dict[str, float]:
        values = measure(model)
        losses = [value for name, value in values.items() if not name.endswith("_accuracy")]
        return {"loss": sum(losses), **values}

    if is_first_process():
        text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
        write_whole(folder / RECIPE_FILE, lambda path: path.write_text(text, "utf-8") and None)
    model = _new_model(recipe, tokenizer)
    history = train(
        model,
        batches,
        objective.loss,
        recipe.training,
        evaluate=evaluate,
        folder=folder,
        resume=resume,
    )
    chance = unigram_baseline(objective.token_counts(rows["train"]), heldout)
    name = objective.name
    baseline = {name: chance["loss"], f"{name}_accuracy": chance["accuracy"]}
    judged = {int(entry["step"]): entry for entry in history.evaluations}
    result = judged.get(history.best_step or len(history.steps), {})
    if is_first_process():
        tokenizer.save_pretrained(folder)
        model.save_pretrained(folder)
        write_json(folder / RESULTS_FILE, {"heldout": result, "baseline": baseline})
    return Pretrained(model, tokenizer, history, result, baseline)


def _new_model(recipe: Recipe, tokenizer: Tokenizer) -> PretrainedModel:
    """A model with random weights that depend on the recipe's seed alone."""
    settled = {
        "vocab_size": tokenizer.vocab_size,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "decoder_start_token_id": tokenizer.pad_token_id,
    }
    with torch.random.fork_rng([]):
        torch.manual_seed(derive_seed(recipe.training.seed, "weights"))
        return FAMILIES[recipe.family][1](recipe.config(settled))


def _check_folder(folder: Path, content: Mapping[str, Any], resume: bool) -> None:
    """See that the folder holds no run, or the one that is to be resumed.

    Raises:
        CheckpointError: there is one and ``resume`` was not said, or it is of another recipe.
    """
    if not (folder / SNAPSHOT_FILE).is_file():
        return
    if not resume:
        raise CheckpointError(
            f"{folder} holds a run already; resume it, or give another folder (or delete this one)."
        )
    here, there = flat(content), flat(read_settings(folder / RECIPE_FILE))
    for key in sorted(here.keys() | there.keys()):
        if key not in _FREE and here.get(key) != there.get(key):
            raise CheckpointError(
                f"{folder} holds a run of another recipe: {key} was {there.get(key)!r} and is now "
                f"{here.get(key)!r}. Set it back to resume, or give another folder."
            )


def _content(recipe: Recipe) -> dict[str, Any]:
    """A recipe as its file says it."""
    content: dict[str, Any] = plain(dataclasses.asdict(recipe))
    keys = _OBJECTIVE_KEYS[recipe.family]  # no other may stand in a file
    content["objective"] = {key: content["objective"][key] for key in keys}
    return content
