"""Recipes: tested training settings, each in a TOML file, by name."""

from chainrule.recipes.choices import OPTIMIZERS, SCHEDULES
from chainrule.recipes.recipe import NAMES, Recipe, read_recipe

__all__ = ["NAMES", "OPTIMIZERS", "SCHEDULES", "Recipe", "read_recipe"]
