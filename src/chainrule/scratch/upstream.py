"""Classify backward's arguments: gradients of outputs, values that forward returned, or constants."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.scratch.reach import is_number

__all__ = ["gradient_like", "leaves", "links_of", "outs_of"]


def leaves(value: Any) -> Iterator[Any]:
    """Yield the numbers and numeric arrays in nested lists, tuples and dicts."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for inner in value:
            yield from leaves(inner)
    elif (isinstance(value, np.ndarray) and value.dtype.kind in "fiu") or is_number(value):
        yield value


def outs_of(returned: Any) -> list[Any]:
    return list(returned) if isinstance(returned, tuple) else [returned]


def links_of(upstream: Sequence[Any], returned: Any) -> Iterator[Any]:
    """Yield a link for each argument of backward: "gradient", the index of a forward result, or None for a constant.

    A single tuple of gradients of all outputs yields "gradients".
    """
    outs = outs_of(returned)
    if len(outs) > 1 and len(upstream) == 1 and isinstance(upstream[0], tuple | list) and len(upstream[0]) == len(outs):
        yield "gradients"
        return
    open_outs = [out for out in outs if any(True for _ in leaves(out))]
    for position, value in enumerate(upstream):
        is_array = isinstance(value, np.ndarray)
        link = next((k for k, out in enumerate(outs) if value is out and (position or not is_array)), None)
        if position == 0:
            yield "gradient"
            open_outs = open_outs[1:]
        elif link is not None and not is_number(value):
            yield link
        elif open_outs and (value is None or _alike(value, open_outs[0])):
            yield "gradient"
            open_outs = open_outs[1:]
        else:
            yield None


def _alike(value: Any, out: Any) -> bool:
    return bool(np.ndim(value)) and isinstance(value, np.ndarray) and np.shape(value) == np.shape(out)


def gradient_like(out: Any, rng: np.random.Generator) -> Any:
    if isinstance(out, Mapping):
        return {key: gradient_like(value, rng) for key, value in out.items()}
    if isinstance(out, list | tuple):
        return type(out)(gradient_like(value, rng) for value in out)
    return rng.standard_normal(np.shape(out))[()]
