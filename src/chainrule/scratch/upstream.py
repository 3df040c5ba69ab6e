"""Classify backward's arguments: gradients of outputs, values that forward returned, or constants."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.scratch.reach import is_number

__all__ = ["NoUpstreamError", "gradient_like", "leaves", "links_of", "output_left", "outs_of"]

_OUTPUTS = ("output", "outputs", "out", "y", "activation", "activations", "a", "result")


class NoUpstreamError(ValueError):
    """Backward gets forward's arguments or results but no gradient, so it starts from a loss that only it knows."""


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


def links_of(upstream: Sequence[Any], returned: Any, given: Sequence[Any], layer: Any) -> Iterator[Any]:
    """Yield, for each argument of backward, where it comes from.

    "gradient" of an output; ("output", index) that forward returned; ("argument", index) of forward; ("attribute",
    name) of the layer; None for a constant. A single tuple of gradients of all outputs yields "gradients".
    """
    outs = outs_of(returned)
    if len(outs) > 1 and len(upstream) == 1 and isinstance(upstream[0], tuple | list) and len(upstream[0]) == len(outs):
        yield "gradients"
        return
    open_outs = [out for out in outs if any(True for _ in leaves(out))]
    for position, value in enumerate(upstream):
        known = _known(value, outs, given, layer)
        if position == 0 and known and _is_no_gradient(value, outs, known, upstream):
            yield known
            open_outs = []  # nor is what follows
        elif position == 0:
            yield "gradient"
            open_outs = open_outs[1:]
        elif known and known[0] == "output":
            yield known
        elif open_outs and (value is None or _alike(value, open_outs[0])):
            yield "gradient"
            open_outs = open_outs[1:]
        else:
            yield known


def output_left(layer: Any, given: Sequence[Any]) -> Any:
    """Return the output of a forward pass that returns nothing: a layer's attribute with one of the usual names."""
    left = [value for name in _OUTPUTS if isinstance(value := getattr(layer, name, None), np.ndarray)]
    made = [value for value in left if not any(value is argument for argument in given)]
    return next(iter(made or left), None)


def _known(value: Any, outs: Sequence[Any], given: Sequence[Any], layer: Any) -> tuple[str, Any] | None:
    if is_number(value) or value is None:
        return None
    for kind, things in (("output", outs), ("argument", given)):
        for number, thing in enumerate(things):
            if value is thing and (kind == "output" or isinstance(value, np.ndarray)):
                return kind, number
    for name, own in getattr(layer, "__dict__", {}).items():
        if value is own and isinstance(value, np.ndarray):
            return "attribute", name
    return None


def _is_no_gradient(value: Any, outs: Sequence[Any], known: tuple[str, Any], upstream: Sequence[Any]) -> bool:
    """Whether backward's first argument is forward's argument or result instead of a gradient, as in `backward(x, t)`.

    A learner trying out a layer may pass its own input or output as a gradient of the same shape.
    """
    arrays = sum(isinstance(argument, np.ndarray) for argument in upstream)
    if not isinstance(value, np.ndarray):
        return False
    return np.shape(value) != np.shape(outs[0]) or (known[0] != "attribute" and arrays > len(outs))


def _alike(value: Any, out: Any) -> bool:
    return bool(np.ndim(value)) and isinstance(value, np.ndarray) and np.shape(value) == np.shape(out)


def gradient_like(out: Any, rng: np.random.Generator) -> Any:
    if isinstance(out, Mapping):
        return {key: gradient_like(value, rng) for key, value in out.items()}
    if isinstance(out, list | tuple):
        return type(out)(gradient_like(value, rng) for value in out)
    return rng.standard_normal(np.shape(out))[()]
