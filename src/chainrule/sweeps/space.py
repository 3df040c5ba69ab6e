"""The possible values of a recipe's field: those of a list, or numbers in an interval."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.errors import OptionError

__all__ = ["Interval", "check_keys", "read_space"]


@dataclass(frozen=True)
class Interval:
    """Numbers from `low` to `high`, whole if both are; with `log`, uniform in the logarithm."""

    low: float
    high: float
    log: bool

    @property
    def whole(self) -> bool:
        """Whether its numbers are whole numbers."""
        return type(self.low) is int and type(self.high) is int

    def within(self, number: float) -> float:
        """The number rounded to four digits for the recipe, but not out of the interval."""
        number = min(max(number, self.low), self.high)
        rounded = round(number) if self.whole else float(f"{number:.4g}")
        return min(max(rounded, self.low), self.high)


def read_space(values: Mapping[str, Any], known: Iterable[str], where: str) -> dict[str, tuple[Any, ...] | Interval]:
    """Field -> its possible values, from a list, or a table of `low`, `high` and optionally `log`.

    Raises:
        OptionError: an unknown field, or neither of the two; the message names the field and its table (`where`).
    """
    return {name: _read(name, how, where) for name, how in check_keys(values, known, f" in {where}").items()}


def check_keys(values: Mapping[str, Any], known: Iterable[str], where: str) -> Mapping[str, Any]:
    """Return the values, checked.

    Raises:
        OptionError: a key is not known.
    """
    for key in values:
        if key not in known:
            raise OptionError(f"unknown key {key!r}{where}: known are {', '.join(known)}")
    return values


def _read(name: str, how: Any, where: str) -> tuple[Any, ...] | Interval:
    if isinstance(how, list | tuple) and how:
        return tuple(how)
    if not isinstance(how, Mapping):
        raise OptionError(f"{name} in {where} must be a list, or a table of low and high, got {how!r:.60}")
    values = check_keys(how, ("low", "high", "log"), f" of {name} in {where}")
    low, high, log = values.get("low", 0), values.get("high", 0), values.get("log", False)
    if not (_is_number(low) and _is_number(high) and type(log) is bool):
        raise OptionError(f"{name} in {where} needs numbers low and high (and log = true or false)")
    if not low < high or (log and low <= 0):
        raise OptionError(f"{name} in {where} needs low below high, and above 0 with log, got {low} and {high}")
    return Interval(low, high, log)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)
