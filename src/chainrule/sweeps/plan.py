"""A sweep's plan: which recipes are tried, from a grid, a random draw, or both, in a TOML file."""

import itertools
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from chainrule.errors import OptionError
from chainrule.recipes import Recipe, read_recipe
from chainrule.recipes.toml import read_toml

__all__ = ["Plan", "as_toml", "make_plan", "read_plan"]

_MOST = 10_000
"""Trials of a sweep."""
_FIELDS = {entry.name: entry for entry in fields(Recipe)}
_KEYS = ("data", "recipe", "fixed", "grid", "draw", "halving")


@dataclass(frozen=True)
class Plan:
    """Recipes to try, and what differs between them.

    Attributes:
        data: name or path.
        recipes: one for each trial.
        varied: for each trial, the fields that differ between trials.
        rungs: numbers of epochs after which only the best go on, and at last that of those; none: all train to the end.
        keep: the share that goes on.
    """

    data: str
    recipes: tuple[Recipe, ...]
    varied: tuple[Mapping[str, Any], ...]
    rungs: tuple[int, ...] = ()
    keep: float = 1.0

    def as_dict(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "data": self.data,
            "recipes": [recipe.as_dict() for recipe in self.recipes],
            "varied": [dict(values) for values in self.varied],
            "rungs": list(self.rungs),
            "keep": self.keep,
        }

    @classmethod
    def of_dict(cls, values: Mapping[str, Any]) -> "Plan":
        """The plan again.

        Raises:
            OptionError: it is none.
        """
        try:
            recipes = tuple(Recipe(**recipe) for recipe in values["recipes"])
            varied = tuple(dict(entry) for entry in values["varied"])
            rungs, keep = (
                _halving({"epochs": values["rungs"], "keep": values["keep"]}) if values["rungs"] else ((), 1.0)
            )
            if not isinstance(values["data"], str) or not recipes or len(recipes) != len(varied):
                raise ValueError("it has no data or no trials")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise OptionError(f"this is no plan of a sweep ({error}): begin a new one") from error
        return cls(values["data"], recipes, varied, rungs, keep)


def read_plan(path: str | os.PathLike[str]) -> Plan:
    """The plan in a TOML file.

    Raises:
        OptionError: it cannot be read, is not TOML, or is no plan; the key is named.
    """
    values = read_toml(path, f"the sweep {path}", "sweep")
    try:
        return make_plan(**_known(values, _KEYS, ""))
    except OptionError as error:
        raise OptionError(f"in the sweep {path}: {error}") from error


def make_plan(
    *,
    data: str = "mnist",
    recipe: str | None = None,
    fixed: Mapping[str, Any] | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    draw: Mapping[str, Any] | None = None,
    halving: Mapping[str, Any] | None = None,
) -> Plan:
    """The plan of a sweep: every point of the grid, with each random draw.

    Args:
        data: name or path, as `chainrule train --data` takes it.
        recipe: what is changed: a name or a .toml file; by default the lesson's.
        fixed: fields of the recipe that are the same in all trials.
        grid: field -> its values; all combinations are tried.
        draw: field -> a list to choose from, or a table of `low`, `high` and, if `log` is true, uniform in the
            logarithm; `trials` is how many are drawn, `seed` (0) decides which.
        halving: `epochs`, such as [1, 3, 9], after each of which but the last only the best go on, `keep` (1/3) of
            them: successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943), which spends its time on those
            that do well.

    Raises:
        OptionError: an unknown field, a value that no recipe takes, nothing to vary, more than 10,000 trials, or
            halving of trainings whose rate follows a schedule or which end by patience.
    """
    if not isinstance(data, str) or not isinstance(recipe, str | None):
        raise OptionError("data and recipe must be texts")
    named = {"fixed": fixed, "grid": grid, "draw": draw, "halving": halving}
    fixed, grid, draw, halving = (_table(value, name) for name, value in named.items())
    rungs, keep = _halving(halving) if halving else ((), 1.0)
    base = (read_recipe(recipe) if recipe else Recipe()).changed(**_known(fixed, _FIELDS, " in fixed"))
    for name, values in _known(grid, _FIELDS, " in grid").items():
        if not isinstance(values, list | tuple) or not values:
            raise OptionError(f"{name} in grid must be a list of values, got {values!r:.60}")
    drawn = _drawn(draw)
    if twice := sorted(set(grid) & set(draw) - {"trials", "seed"}):
        raise OptionError(f"{twice[0]} is in grid and in draw: leave it in one of them")
    count = math.prod(len(values) for values in grid.values()) * len(drawn)
    if not (grid or draw):
        raise OptionError("nothing is varied: give a [grid] of values, or a [draw] of random ones")
    if count > _MOST:
        raise OptionError(f"this sweep has {count:,} trials, and {_MOST:,} are the most: try fewer values")
    varied = [
        dict(zip(grid, point, strict=True)) | chance for chance in drawn for point in itertools.product(*grid.values())
    ]
    recipes = tuple(base.changed(**values) for values in varied)
    if rungs:
        if any("epochs" in values for values in varied):
            raise OptionError("halving says how many epochs there are: leave them out of grid and draw")
        recipes = tuple(recipe.changed(epochs=rungs[-1]) for recipe in recipes)
        if any(recipe.schedule != "constant" or recipe.patience for recipe in recipes):
            raise OptionError("halving goes on with trainings: they need schedule = 'constant', and no patience")
    return Plan(data, recipes, tuple(varied), rungs, keep)


def as_toml(recipe: Recipe) -> str:
    """The recipe as `read_recipe` reads it."""
    lines = [f"{name} = {_value(value)}" for name, value in recipe.as_dict().items() if value is not None]
    return "\n".join(lines) + "\n"


def _halving(halving: Mapping[str, Any]) -> tuple[tuple[int, ...], float]:
    """Epochs of each rung, and the share that goes on."""
    values = _known(halving, ("epochs", "keep"), " in halving")
    rungs, keep = values.get("epochs"), values.get("keep", 1 / 3)
    if not isinstance(rungs, list | tuple) or len(rungs) < 2 or any(type(count) is not int for count in rungs):
        raise OptionError(f"epochs in halving must be two whole numbers or more, got {rungs!r:.60}")
    if rungs[0] < 1 or sorted(set(rungs)) != list(rungs):
        raise OptionError(f"epochs in halving must go up from 1 or more, got {rungs!r:.60}")
    if type(keep) not in (int, float) or not 0 < keep < 1:
        raise OptionError(f"keep in halving must be a share between 0 and 1, got {keep!r:.60}")
    return tuple(rungs), float(keep)


def _drawn(draw: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The random values of each draw; one empty draw if there are none."""
    if not draw:
        return [{}]
    rest = dict(draw)
    trials, seed = rest.pop("trials", None), rest.pop("seed", 0)
    if type(trials) is not int or not 1 <= trials <= _MOST:
        raise OptionError(f"trials in draw must be a whole number from 1 to {_MOST:,}, got {trials!r}")
    if type(seed) is not int or seed < 0:
        raise OptionError(f"seed in draw must be a whole number, 0 or more, got {seed!r}")
    _known(rest, _FIELDS, " in draw")
    rng = np.random.default_rng(seed)
    return [{name: _chosen(name, how, rng) for name, how in rest.items()} for _ in range(trials)]


def _chosen(name: str, how: Any, rng: np.random.Generator) -> Any:
    if isinstance(how, list | tuple) and how:
        return how[int(rng.integers(len(how)))]
    if not isinstance(how, Mapping):
        raise OptionError(f"{name} in draw must be a list, or a table of low and high, got {how!r:.60}")
    values = _known(how, ("low", "high", "log"), f" of {name} in draw")
    low, high, log = values.get("low", 0), values.get("high", 0), values.get("log", False)
    if not (_is_number(low) and _is_number(high) and type(log) is bool):
        raise OptionError(f"{name} in draw needs numbers low and high (and log = true or false)")
    if not low < high or (log and low <= 0):
        raise OptionError(f"{name} in draw needs low below high, and above 0 with log, got {low} and {high}")
    number = math.exp(rng.uniform(math.log(low), math.log(high))) if log else rng.uniform(low, high)
    number = min(max(number, low), high)
    whole = type(low) is int and type(high) is int
    return round(number) if whole else float(f"{number:.4g}")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _table(value: Any, name: str) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise OptionError(f"{name} must be a table, got {value!r:.60}")
    return value or {}


def _known(values: Mapping[str, Any], known: Any, where: str) -> Mapping[str, Any]:
    for key in values:
        if key not in known:
            raise OptionError(f"unknown key {key!r}{where}: known are {', '.join(known)}")
    return values


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(name)} = {_value(entry)}" for name, entry in value.items()) + "}"
    if isinstance(value, str):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else repr(value)
