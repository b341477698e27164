"""Recipes: YAML files that say what is pretrained on what, and :func:`pretrain`, which does it."""

from chapter10.recipes.microworld import MicroworldText
from chapter10.recipes.recipe import (
    DataSettings,
    Pretrained,
    Recipe,
    load_recipe,
    make_objective,
    pretrain,
    read_documents,
    shipped_recipes,
)
from chapter10.recipes.settings import SettingsError

__all__ = [
    "DataSettings",
    "MicroworldText",
    "Pretrained",
    "Recipe",
    "SettingsError",
    "load_recipe",
    "make_objective",
    "pretrain",
    "read_documents",
    "shipped_recipes",
]
