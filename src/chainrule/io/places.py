"""The layers of a network that have arrays, what runs before each, and the order of its inputs."""

import math
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace

from chainrule.arrays import Array, Shape
from chainrule.layers import (
    Affine,
    AvgPool1D,
    Conv1D,
    Flatten,
    Layer,
    MaxPool1D,
    Parallel,
    PointwiseAffine,
    Reshape,
    Residual,
    Transpose,
)
from chainrule.parameters import Parameter

__all__ = ["UNKNOWN", "Place", "places"]

UNKNOWN: Shape = ()
"""Instead of an image's shape: its numbers were mixed with others, or will become an image later."""


@dataclass(frozen=True)
class Place:
    """A layer with arrays of its own.

    name: in the network, such as "0.Conv2D".
    arrays: by their names in the layer, such as "W".
    image: (C, H, W) of the image whose numbers its arrays run along, flat or whole; None if no order matters.
    forks: the branches of sums that it is in.
    """

    name: str
    layer: Layer
    arrays: Mapping[str, Array]
    image: Shape | None
    forks: Mapping[int, int]

    def runs_before(self, other: "Place") -> bool:
        """Whether this place, the earlier one in the network, also runs earlier; branches of a sum have no order."""
        return all(other.forks.get(fork, branch) == branch for fork, branch in self.forks.items())


def places(network: Layer) -> list[Place]:
    """The layers that have arrays, in network order; a shared layer comes once."""
    groups: dict[str, dict[str, Array]] = {}
    for name, array in network.arrays.items():
        layer, _, own = name.rpartition(".")
        groups.setdefault(layer, {})[own] = array
    kinds = {type(layer) for layer in _within(network)}
    walked = _walk(network, "", None, {}, 2 if kinds & {Conv1D, MaxPool1D, AvgPool1D} else 3)
    found = [Place(name, layer, groups.get(name, {}), image, forks) for name, layer, image, forks in walked]
    if Transpose in kinds:
        found = [replace(place, image=UNKNOWN) if place.image else place for place in found]
    return [place for place in found if place.arrays or place.image is not None]


def _within(layer: Layer) -> Iterator[Layer]:
    yield layer
    for _, inner in layer.children():
        yield from _within(inner)


_Walk = Generator[tuple[str, Layer, Shape | None, Mapping[int, int]], None, Shape | None]


def _walk(layer: Layer, name: str, image: Shape | None, forks: Mapping[int, int], axes: int) -> _Walk:
    """Visit every layer inside; return the image whose numbers come out flat. An image has this many axes or more."""
    entered, read, made = image, layer.input_shape or (), layer.output_shape or ()
    if isinstance(layer, Flatten | Reshape) and read != made:
        parts = _image(read, axes) or _image(made, axes)
        yield name, layer, UNKNOWN if parts and len(made) > 1 else None, forks
        return parts if len(made) == 1 else None
    own = [value for key, value in vars(layer).items() if isinstance(value, Parameter) and key != "W"]
    is_whole = any(len(read) > 1 and parameter.shape == read for parameter in own)  # LayerNorm(axes=3)
    yield name, layer, _image(read, axes) if is_whole else image, forks
    ends = []
    for index, (child, inner) in enumerate(layer.children()):
        where = f"{name}.{child}".lstrip(".")
        if isinstance(layer, Parallel):
            branch = forks if layer.join == "concat" else {**forks, id(layer): index}
            ends.append((yield from _walk(inner, where, entered, branch, axes)))
        else:
            image = yield from _walk(inner, where, image, forks, axes)
    if isinstance(layer, Affine | PointwiseAffine):
        return None
    if isinstance(layer, Residual):
        ends = [entered, image]
    is_mixed = len({*ends}) > 1 or (isinstance(layer, Parallel) and layer.join == "concat")
    if is_mixed and any(end is not None for end in ends):
        return UNKNOWN
    if image is not None and read != made and not list(layer.children()):
        return UNKNOWN  # some of its numbers are gone, or there are more
    return ends[-1] if ends else image


def _image(shape: Shape, axes: int) -> Shape | None:
    """A shape for which it matters whether the channels come first or last."""
    return shape if axes <= len(shape) <= 3 and shape[0] > 1 and math.prod(shape[1:]) > 1 else None
