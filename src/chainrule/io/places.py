"""Where the arrays of a network lie: each layer that has some, what runs before it, and how its inputs are ordered."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from chainrule.arrays import Array, Shape
from chainrule.layers import Affine, Flatten, Layer, Parallel, Reshape, Residual

__all__ = ["UNKNOWN", "Place", "places"]

UNKNOWN: Shape = ()
"""In place of an image's shape: its numbers were mixed with others, or are yet to become an image."""


@dataclass(frozen=True)
class Place:
    """A layer with arrays of its own.

    name: in the network, such as "0.Conv2D".
    arrays: by their names in the layer, such as "W".
    image: (C, H, W) of the image whose numbers, flat, are the layer's inputs; None where their order is no question.
    forks: which branch of which sums it is in.
    """

    name: str
    layer: Layer
    arrays: Mapping[str, Array]
    image: Shape | None
    forks: Mapping[int, int]

    def runs_before(self, other: "Place") -> bool:
        """Of two in the order of the network; branches whose outputs are added run in no order."""
        return all(other.forks.get(fork, branch) == branch for fork, branch in self.forks.items())


def places(network: Layer) -> list[Place]:
    """The layers that have arrays, in the order of the network; one that stands in two places comes once."""
    groups: dict[str, dict[str, Array]] = {}
    for name, array in network.arrays.items():
        layer, _, own = name.rpartition(".")
        groups.setdefault(layer, {})[own] = array
    found = [
        Place(name, layer, groups.get(name, {}), image, forks)
        for name, layer, image, forks in _walk(network, "", None, {})
    ]
    return [place for place in found if place.arrays or place.image == UNKNOWN]


_Walk = Generator[tuple[str, Layer, Shape | None, Mapping[int, int]], None, Shape | None]


def _walk(layer: Layer, name: str, image: Shape | None, forks: Mapping[int, int]) -> _Walk:
    """Every layer within; returns the image whose numbers come out flat."""
    if isinstance(layer, Flatten | Reshape):
        becomes = _image(layer.output_shape)  # the layer before it makes an image's numbers, in an order of its own
        yield name, layer, UNKNOWN if becomes else None, forks
        return None if becomes else _image(layer.input_shape) or image
    yield name, layer, image, forks
    if isinstance(layer, Affine):
        return None
    entered, ends = image, []
    for index, (child, inner) in enumerate(layer.children()):
        where = f"{name}.{child}".lstrip(".")
        if isinstance(layer, Parallel):
            branch = {**forks, id(layer): index} if layer.join == "sum" else forks
            ends.append((yield from _walk(inner, where, entered, branch)))
        else:
            image = yield from _walk(inner, where, image, forks)
    if isinstance(layer, Residual):
        ends = [entered, image]
    if any(end is not None for end in ends) and (len({*ends}) > 1 or getattr(layer, "join", "") == "concat"):
        return UNKNOWN
    return ends[-1] if ends else image


def _image(shape: Any) -> Shape | None:
    """A shape in which it matters whether the channels come first or last."""
    return shape if len(shape) == 3 and shape[0] > 1 and shape[1] * shape[2] > 1 else None
