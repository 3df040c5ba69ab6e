"""A sweep's plan: which recipes to try, from a grid, a random draw, both, or a search; in a TOML file."""

import itertools
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from chainrule.errors import OptionError
from chainrule.recipes import Recipe, read_recipe
from chainrule.recipes.toml import read_toml
from chainrule.sweeps.search import Search
from chainrule.sweeps.space import Interval, check_keys, read_space

__all__ = ["Plan", "as_toml", "make_plan", "read_plan"]

_MOST = 10_000
"""Maximum number of trials in a sweep."""
_FIELDS = {entry.name: entry for entry in fields(Recipe)}
_KEYS = ("data", "recipe", "fixed", "grid", "draw", "search", "halving", "asha")
_AT_ONCE = 4


@dataclass(frozen=True)
class Plan:
    """Recipes to try, and what differs between them.

    Attributes:
        data: name or path.
        recipes: one per trial; empty for a search, which derives them from results.
        varied: for each trial, the fields that differ between trials.
        rungs: numbers of epochs after which only the best continue; the last is the total. Empty: all train to the end.
        keep: the share that continues.
        waits: whether to decide when all trials have reached a rung (halving), rather than for each trial from those
            with smaller numbers (ASHA).
        search: what is searched, in place of recipes known in advance.
    """

    data: str
    recipes: tuple[Recipe, ...]
    varied: tuple[Mapping[str, Any], ...]
    rungs: tuple[int, ...] = ()
    keep: float = 1.0
    waits: bool = True
    search: Search | None = None

    @property
    def count(self) -> int:
        """How many trials there are."""
        return self.search.trials if self.search else len(self.recipes)

    def recipe(self, number: int, varied: Mapping[str, Any]) -> Recipe:
        """The number of the trial with these fields, from 1."""
        return self.search.base.changed(**varied) if self.search else self.recipes[number - 1]

    def as_dict(self) -> dict[str, Any]:
        """The plan as JSON data."""
        search = self.search and {
            "base": self.search.base.as_dict(),
            "space": {name: _how(how) for name, how in self.search.space.items()},
            "trials": self.search.trials,
            "seed": self.search.seed,
            "at_once": self.search.at_once,
        }
        return {
            "data": self.data,
            "recipes": [recipe.as_dict() for recipe in self.recipes],
            "varied": [dict(values) for values in self.varied],
            "rungs": list(self.rungs),
            "keep": self.keep,
            "waits": self.waits,
            "search": search,
        }

    @classmethod
    def of_dict(cls, values: Mapping[str, Any]) -> "Plan":
        """Rebuild the plan from JSON data.

        Raises:
            OptionError: it is not a plan.
        """
        try:
            recipes = tuple(Recipe(**recipe) for recipe in values["recipes"])
            varied = tuple(dict(entry) for entry in values["varied"])
            rungs, keep = (
                _rungs({"epochs": values["rungs"], "keep": values["keep"]}, "halving") if values["rungs"] else ((), 1.0)
            )
            waits, search = bool(values.get("waits", True)), None
            if (found := values.get("search")) is not None:
                options = {name: found[name] for name in ("trials", "seed", "at_once")}
                search = _search({**found["space"], **options}, Recipe(**found["base"]))
            if not isinstance(values["data"], str) or not (recipes or search) or len(recipes) != len(varied):
                raise ValueError("it has no data or no trials")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise OptionError(f"this is not the plan of a sweep ({error}): begin a new one") from error
        return cls(values["data"], recipes, varied, rungs, keep, waits, search)


def read_plan(path: str | os.PathLike[str]) -> Plan:
    """The plan in a TOML file.

    Raises:
        OptionError: it cannot be read, is not TOML, or is not a plan; the message names the key.
    """
    values = read_toml(path, f"the sweep {path}", "sweep")
    try:
        return make_plan(**check_keys(values, _KEYS, ""))
    except OptionError as error:
        raise OptionError(f"in the sweep {path}: {error}") from error


def make_plan(
    *,
    data: str = "mnist",
    recipe: str | None = None,
    fixed: Mapping[str, Any] | None = None,
    grid: Mapping[str, Sequence[Any]] | None = None,
    draw: Mapping[str, Any] | None = None,
    search: Mapping[str, Any] | None = None,
    halving: Mapping[str, Any] | None = None,
    asha: Mapping[str, Any] | None = None,
) -> Plan:
    """The plan of a sweep: every point of the grid with each random draw; or a search.

    Args:
        data: name or path, as for `chainrule train --data`.
        recipe: the recipe to vary: a name or a .toml file; by default the lesson's.
        fixed: fields of the recipe that are the same in all trials.
        grid: field -> its values; all combinations are tried.
        draw: field -> a list to choose from, or a table of `low`, `high` and, if `log` is true, uniform in the
            logarithm; `trials` is how many are drawn, `seed` (0) decides which.
        search: fields, `trials` and `seed` as in a draw, but each trial is proposed from earlier results (see
            sweeps/search.py); `at_once` (4) are proposed without knowing each other's result.
        halving: `epochs`, such as [1, 3, 9]; after each but the last, only the best `keep` (1/3) continue: successive
            halving (Jamieson and Talwalkar 2016, arXiv:1502.07943), which spends its time on promising trials.
        asha: like halving, but no trial waits for those with larger numbers (Li et al. 2018, arXiv:1810.05934; see
            sweeps/race.py).

    Raises:
        OptionError: an unknown field, an invalid value, nothing to vary, more than 10,000 trials, tables that exclude
            each other, or halving with a learning-rate schedule or patience.
    """
    if not isinstance(data, str) or not isinstance(recipe, str | None):
        raise OptionError("data and recipe must be texts")
    named = {"fixed": fixed, "grid": grid, "draw": draw, "search": search, "halving": halving, "asha": asha}
    fixed, grid, draw, search, halving, asha = (_table(value, name) for name, value in named.items())
    if search and (grid or draw or halving):
        raise OptionError("search goes with asha alone: leave grid, draw and halving out")
    if halving and asha:
        raise OptionError("halving does not go with asha: leave one of them out")
    rungs, keep = _rungs(halving or asha, "asha" if asha else "halving") if halving or asha else ((), 1.0)
    base = (read_recipe(recipe) if recipe else Recipe()).changed(**check_keys(fixed, _FIELDS, " in fixed"))
    if rungs:
        if any("epochs" in table for table in (grid, draw, search)):
            raise OptionError("halving says how many epochs there are: leave them out of grid, draw and search")
        base = base.changed(epochs=rungs[-1])
    searched = _search(search, base) if search else None
    varied = [] if search else _varied(grid, draw)
    recipes = tuple(base.changed(**values) for values in varied)
    if rungs:
        tried = _corners(searched) if searched else recipes
        if any(recipe.schedule != "constant" or recipe.patience for recipe in tried):
            raise OptionError("halving goes on with trainings: they need schedule = 'constant', and no patience")
    return Plan(data, recipes, tuple(varied), rungs, keep, not asha, searched)


def as_toml(recipe: Recipe) -> str:
    """The recipe, as `read_recipe` reads it."""
    lines = [f"{name} = {_value(value)}" for name, value in recipe.as_dict().items() if value is not None]
    return "\n".join(lines) + "\n"


def _varied(grid: Mapping[str, Any], draw: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every point of the grid with each draw."""
    for name, values in check_keys(grid, _FIELDS, " in grid").items():
        if not isinstance(values, list | tuple) or not values:
            raise OptionError(f"{name} in grid must be a list of values, got {values!r:.60}")
    drawn = _drawn(draw)
    if twice := sorted(set(grid) & set(draw) - {"trials", "seed"}):
        raise OptionError(f"{twice[0]} is in grid and in draw: leave it in one of them")
    count = math.prod(len(values) for values in grid.values()) * len(drawn)
    if not (grid or draw):
        raise OptionError("nothing is varied: give a [grid] of values, a [draw] of random ones, or a [search]")
    if count > _MOST:
        raise OptionError(f"this sweep has {count:,} trials, and {_MOST:,} are the most: try fewer values")
    return [
        dict(zip(grid, point, strict=True)) | chance for chance in drawn for point in itertools.product(*grid.values())
    ]


def _rungs(table: Mapping[str, Any], name: str) -> tuple[tuple[int, ...], float]:
    """The epochs of each rung, and the share that continues."""
    values = check_keys(table, ("epochs", "keep"), f" in {name}")
    rungs, keep = values.get("epochs"), values.get("keep", 1 / 3)
    if not isinstance(rungs, list | tuple) or len(rungs) < 2 or any(type(count) is not int for count in rungs):
        raise OptionError(f"epochs in {name} must be two whole numbers or more, got {rungs!r:.60}")
    if rungs[0] < 1 or sorted(set(rungs)) != list(rungs):
        raise OptionError(f"epochs in {name} must go up from 1 or more, got {rungs!r:.60}")
    if type(keep) not in (int, float) or not 0 < keep < 1:
        raise OptionError(f"keep in {name} must be a share between 0 and 1, got {keep!r:.60}")
    return tuple(rungs), float(keep)


def _drawn(draw: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The random values of each draw; one empty draw if there are none."""
    if not draw:
        return [{}]
    rest, trials, seed = _counted(draw, "draw")
    space = read_space(rest, _FIELDS, "draw")
    rng = np.random.default_rng(seed)
    return [{name: _chosen(how, rng) for name, how in space.items()} for _ in range(trials)]


def _search(search: Mapping[str, Any], base: Recipe) -> Search:
    rest, trials, seed = _counted(search, "search")
    at_once = rest.pop("at_once", _AT_ONCE)
    if type(at_once) is not int or not 1 <= at_once <= _MOST:
        raise OptionError(f"at_once in search must be a whole number from 1 to {_MOST:,}, got {at_once!r}")
    space = read_space(rest, _FIELDS, "search")
    if not space:
        raise OptionError("nothing is searched: give a list for a field, or a table of low and high")
    searched = Search(base, space, trials, seed, at_once)
    _corners(searched)
    return searched


def _corners(search: Search) -> list[Recipe]:
    """Check every value of a list and both ends of an interval by making a recipe with it."""
    return [
        search.base.changed(**{name: value})
        for name, how in search.space.items()
        for value in ((how.low, how.high) if isinstance(how, Interval) else how)
    ]


def _counted(table: Mapping[str, Any], name: str) -> tuple[dict[str, Any], int, int]:
    """The fields, the number of trials and the seed of a draw or a search."""
    rest = dict(table)
    trials, seed = rest.pop("trials", None), rest.pop("seed", 0)
    if type(trials) is not int or not 1 <= trials <= _MOST:
        raise OptionError(f"trials in {name} must be a whole number from 1 to {_MOST:,}, got {trials!r}")
    if type(seed) is not int or seed < 0:
        raise OptionError(f"seed in {name} must be a whole number, 0 or more, got {seed!r}")
    return rest, trials, seed


def _chosen(how: tuple[Any, ...] | Interval, rng: np.random.Generator) -> Any:
    if not isinstance(how, Interval):
        return how[int(rng.integers(len(how)))]
    low, high = how.low, how.high
    return how.within(math.exp(rng.uniform(math.log(low), math.log(high))) if how.log else rng.uniform(low, high))


def _how(how: tuple[Any, ...] | Interval) -> Any:
    return asdict(how) if isinstance(how, Interval) else list(how)


def _table(value: Any, name: str) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, Mapping):
        raise OptionError(f"{name} must be a table, got {value!r:.60}")
    return value or {}


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(name)} = {_value(entry)}" for name, entry in value.items()) + "}"
    if isinstance(value, str):
        return json.dumps(value)
    return str(value).lower() if isinstance(value, bool) else repr(value)
