"""Which arrays and numbers can be reached from an object, and where: attributes, lists, tuples, dicts, objects within.

How a learner keeps parameters is the learner's choice: `self.W`, `self.params = [W, b]`, `self.params["W"]`, a list of
layers, a `Parameter` with `data` and `grad`. A place is a path like these; what lies there can be read, and a copy of
the object made in which it is something else.
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
"""Attributes that lead out of a layer, to another one."""
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
    """A path from an object: attributes as ("attribute", name), items of lists and dicts as ("item", key)."""

    steps: tuple[tuple[str, Any], ...]

    @property
    def name(self) -> str:
        """As Python writes it: `W`, `params[0]`, `layers["Affine1"].W`."""
        parts = [f".{key}" if kind == "attribute" else f"[{_key(key)}]" for kind, key in self.steps]
        return "".join(parts).removeprefix(".")

    @property
    def last(self) -> str:
        """The name that it ends with, "" for an index."""
        key = self.steps[-1][1]
        return key if isinstance(key, str) else ""

    @property
    def parent(self) -> tuple[tuple[str, Any], ...]:
        return self.steps[:-1]


def is_number(value: Any) -> bool:
    """A plain number, and no truth value."""
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def reach(root: Any) -> Iterator[tuple[Place, Any]]:
    """Arrays and plain numbers, the nearest first; a container that is met twice is entered once."""
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
    """Arrays by identity, with all the places where each lies."""
    found: dict[int, tuple[list[Place], np.ndarray[Any, Any]]] = {}
    for place, value in reach(root):
        if isinstance(value, np.ndarray) and place.steps:
            found.setdefault(id(value), ([], value))[0].append(place)
    return found


def copy_with(root: list[Any], instead: Mapping[int, Any]) -> list[Any]:
    """A deep copy in which objects of these identities are replaced, wherever they lie.

    Of a list whose first item is a layer; the layers that this one names as its neighbours are not copied.
    """
    neighbours = {id(inner): inner for name, inner in _attributes(root[0]) if _is_neighbour(name, inner)}
    return copy.deepcopy(root, {**neighbours, **instead})


def put(root: Any, place: Place, value: Any) -> None:
    """Lay a value at a place.

    Raises:
        TypeError, AttributeError: it lies where nothing can be changed, such as in a tuple.
    """
    for kind, key in place.parent:
        root = getattr(root, key) if kind == "attribute" else root[key]
    kind, key = place.steps[-1]
    if kind == "attribute":
        setattr(root, key, value)
    else:
        root[key] = value


def rewind(value: Any, later: Any, seen: set[int] | None = None) -> None:
    """Take back in place what one more run did to a copy, `later`: lists as much shorter, whole numbers as much less.

    For layers that remember each call of forward in a list, or count them.
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
    if isinstance(value, np.ndarray):  # of objects it is a list of layers or arrays in disguise
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
    """Attributes that hold None: a gradient may be missing there."""
    for name, value in getattr(layer, "__dict__", {}).items():
        if value is None:
            yield Place((("attribute", name),))
        elif isinstance(value, dict | list):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, inner in items:
                if inner is None:
                    yield Place((("attribute", name), ("item", key)))
