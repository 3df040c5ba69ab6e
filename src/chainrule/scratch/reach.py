"""Find the arrays and numbers reachable from an object, through attributes, lists, tuples, dicts and nested objects.

Learners store parameters as they like: `self.W`, `self.params = [W, b]`, `self.params["W"]`, a list of layers, a
`Parameter` with `data` and `grad`. A place is such a path. The value there can be read, and the object can be copied
with another value in its place.
"""

import copy
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

__all__ = ["Place", "arrays_of", "copy_with", "is_number", "nothings", "put", "reach", "rewind"]

_DEPTH, _MOST = 8, 20_000
_NEIGHBOURS = {"next", "prev", "previous", "parent", "next_layer", "prev_layer", "previous_layer"}
"""Attributes that refer to another layer."""
_OPAQUE = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.GeneratorType,
    np.random.Generator,
    np.random.RandomState,
    str,
    bytes,
)


@dataclass(frozen=True)
class Place:
    """A path from an object: ("attribute", name) for attributes, ("item", key) for items of lists and dicts."""

    steps: tuple[tuple[str, Any], ...]

    @property
    def name(self) -> str:
        """The path in Python syntax: `W`, `params[0]`, `layers["Affine1"].W`."""
        parts = [f".{key}" if kind == "attribute" else f"[{_key(key)}]" for kind, key in self.steps]
        return "".join(parts).removeprefix(".")

    @property
    def last(self) -> str:
        """The last name of the path, "" for an index."""
        key = self.steps[-1][1]
        return key if isinstance(key, str) else ""

    @property
    def parent(self) -> tuple[tuple[str, Any], ...]:
        return self.steps[:-1]


def is_number(value: Any) -> bool:
    """Check whether a value is a plain number other than a boolean."""
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def reach(root: Any) -> Iterator[tuple[Place, Any]]:
    """Yield arrays and plain numbers with their places, nearest first; each container is visited only once."""
    seen: set[int] = set()
    level: list[tuple[tuple[tuple[str, Any], ...], Any]] = [((), root)]
    left = _MOST
    for _ in range(_DEPTH):
        below: list[tuple[tuple[tuple[str, Any], ...], Any]] = []
        for steps, value in level:
            left -= 1
            if left < 0:
                return
            if is_number(value) or (isinstance(value, np.ndarray) and value.dtype != object):
                yield Place(steps), value
            elif id(value) not in seen:
                seen.add(id(value))
                below += [((*steps, step), inner) for step, inner in _inside(value)]
        level = below


def arrays_of(root: Any) -> dict[int, tuple[list[Place], np.ndarray[Any, Any]]]:
    """Return the arrays by id, each with all its places."""
    found: dict[int, tuple[list[Place], np.ndarray[Any, Any]]] = {}
    for place, value in reach(root):
        if isinstance(value, np.ndarray) and place.steps:
            found.setdefault(id(value), ([], value))[0].append(place)
    return found


def copy_with(root: list[Any], instead: Mapping[int, Any]) -> list[Any]:
    """Return a deep copy in which the objects with these ids are replaced wherever they occur.

    `root` is a list whose first item is a layer; layers that this layer refers to as neighbours are not copied.
    """
    neighbours = {id(inner): inner for name, inner in _attributes(root[0]) if _is_neighbour(name, inner)}
    return copy.deepcopy(root, {**neighbours, **instead})


def put(root: Any, place: Place, value: Any) -> None:
    """Store a value at a place.

    Raises:
        TypeError, AttributeError: the place cannot be assigned to, for example in a tuple.
    """
    for kind, key in place.parent:
        root = getattr(root, key) if kind == "attribute" else root[key]
    kind, key = place.steps[-1]
    if kind == "attribute":
        setattr(root, key, value)
    else:
        root[key] = value


def rewind(value: Any, later: Any, seen: set[int] | None = None) -> None:
    """Undo one run in place, given a copy, `later`, after one more run.

    Lists are shortened and integers reduced by the difference: some layers record each call of forward in a list, or
    count the calls.
    """
    seen = set() if seen is None else seen
    if id(value) in seen or type(value) is not type(later):
        return
    seen.add(id(value))
    after = dict(_inside(later))
    if isinstance(value, list) and len(later) > len(value):
        del value[max(2 * len(value) - len(later), 0) :]
    for step, inner in _inside(value):
        new = after.get(step)
        if type(inner) is type(new) is int:
            if inner != new and not isinstance(value, tuple):
                put(value, Place((step,)), 2 * inner - new)
        else:
            rewind(inner, new, seen)


def _inside(value: Any) -> list[tuple[tuple[str, Any], Any]]:
    if isinstance(value, Mapping):
        return [(("item", key), inner) for key, inner in value.items()]
    if isinstance(value, list | tuple):
        return [(("item", index), inner) for index, inner in enumerate(value)]
    if isinstance(value, np.ndarray):  # an array of objects may hold layers or arrays
        return [(("item", index), value[index]) for index in np.ndindex(value.shape if value.dtype == object else (0,))]
    if isinstance(value, _OPAQUE):
        return []
    return [(("attribute", name), inner) for name, inner in _attributes(value) if not _is_neighbour(name, inner)]


def _attributes(value: Any) -> list[tuple[str, Any]]:
    slots = [name for cls in type(value).__mro__ for name in _slots(cls) if hasattr(value, name)]
    names = dict.fromkeys([*getattr(value, "__dict__", {}), *slots])
    return [(name, getattr(value, name)) for name in names]


def _is_neighbour(name: str, inner: Any) -> bool:
    return name in _NEIGHBOURS and hasattr(inner, "__dict__") and not isinstance(inner, np.ndarray)


def _slots(cls: type) -> tuple[str, ...]:
    slots = cls.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(name for name in slots if not name.startswith("__"))


def _key(key: Any) -> str:
    return f'"{key}"' if isinstance(key, str) else ", ".join(map(str, key)) if isinstance(key, tuple) else str(key)


def nothings(layer: Any) -> Iterator[Place]:
    """Yield the places that hold None, where a gradient may be missing."""
    for name, value in getattr(layer, "__dict__", {}).items():
        if value is None:
            yield Place((("attribute", name),))
        elif isinstance(value, dict | list):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, inner in items:
                if inner is None:
                    yield Place((("attribute", name), ("item", key)))
