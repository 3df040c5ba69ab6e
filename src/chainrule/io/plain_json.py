"""JSON from untrusted files: bounded depth, no duplicate keys, no number that float64 cannot represent."""

import json
import math
from typing import Any

__all__ = ["dump_json", "parse_json"]

_DEEPEST = 100
"""The deepest nesting of lists and objects; nested networks need four levels each."""

_LARGEST = 2**128
"""Enough digits for the state of a random generator."""


def parse_json(text: str | bytes) -> Any:
    """The value that a text describes.

    Raises:
        ValueError: it is not JSON, is deeper than 100 levels, has a duplicate key, NaN, or a number that is too large.
    """
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_float, parse_int=_int
        )
    except RecursionError:
        raise ValueError(f"it is nested deeper than {_DEEPEST} levels") from None
    level = [value]
    for _ in range(_DEEPEST):
        level = [part for item in level if isinstance(item, dict | list) for part in _parts(item)]
        if not level:
            return value
    raise ValueError(f"it is nested deeper than {_DEEPEST} levels")


def dump_json(value: Any, **options: Any) -> str:
    """The text of a value.

    Raises:
        ValueError: it contains NaN or infinity, which JSON cannot represent.
    """
    return json.dumps(value, allow_nan=False, **options)


def _parts(item: dict[str, Any] | list[Any]) -> list[Any]:
    return list(item.values()) if isinstance(item, dict) else item


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it has a duplicate key")
    return found


def _no_constant(text: str) -> float:
    raise ValueError(f"{text} is not a JSON number")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


def _int(text: str) -> int:
    number = int(text) if len(text) < 50 else _LARGEST
    if abs(number) >= _LARGEST:
        raise ValueError(f"the number {text[:20]} is too large")
    return number
