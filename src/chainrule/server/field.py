"""A network with two inputs as maps of the plane: the class at each point, and each hidden unit's value there."""

import base64

import numpy as np
from pydantic import BaseModel, Field

from chainrule.arrays import Array
from chainrule.functions import softmax
from chainrule.layers import Flatten, Scale, Sequential, Standardize
from chainrule.server.problems import ProblemError

__all__ = ["Bytes", "Maps", "UnitMaps", "draw_maps"]

_MARGIN = 0.1
_MOST_UNITS = 512


class Bytes(BaseModel):
    """An array of small integers: its shape, and its numbers in C order."""

    shape: list[int]
    data: str = Field(description="one byte per number, base64")


class UnitMaps(BaseModel):
    """Maps of one layer's units."""

    place: str = Field(description="such as 1.Tanh")
    most: float = Field(description="the largest absolute value")
    values: Bytes = Field(description="(units, size, size) int8: value / most * 127")


class Maps(BaseModel):
    """Maps of the plane, with the first row at the top."""

    step: int
    low: list[float] = Field(description="for each input: the left and the lower edge")
    high: list[float]
    classes: Bytes = Field(description="(classes, size, size) uint8: probability * 255; for predicted numbers one map "
                           "from `least` to `most`")  # fmt: skip
    least: float
    most: float
    units: list[UnitMaps]


def draw_maps(network: Sequential, step: int, low: Array, high: Array, size: int, *, is_classifier: bool) -> Maps:
    """Run a network with input shape (2,) at size x size points between `low` and `high`, each (2,).

    Raises:
        ProblemError: it has another input shape, too many units, or values that are not finite.
    """
    if network.input_shape != (2,):
        raise ProblemError(422, f"maps are of networks with two inputs, this one reads {network.input_shape}")
    margin = _MARGIN * np.maximum(high - low, 1e-6)
    low, high = low - margin, high + margin
    across, up = (np.linspace(low[axis], high[axis], size) for axis in (0, 1))
    hidden: Array = np.stack(np.meshgrid(across, up[::-1]), axis=-1).reshape(-1, 2).astype(np.float32)
    units: list[UnitMaps] = []
    layers = network.layers
    for index, layer in enumerate(layers):
        hidden = layer(layer.entering(hidden))
        # of an Affine and its activation only the latter; no preprocessing layers
        is_last_of_pair = index + 1 < len(layers) and layers[index + 1].parameters
        if is_last_of_pair and hidden.ndim == 2 and not isinstance(layer, Flatten | Scale | Standardize):
            if sum(maps.values.shape[0] for maps in units) + hidden.shape[1] > _MOST_UNITS:
                raise ProblemError(422, f"the network has more than {_MOST_UNITS} units: too many to draw")
            units.append(_unit_maps(f"{index}.{type(layer).__name__}", hidden, size))
    if not np.isfinite(hidden).all():
        raise ProblemError(422, "the network's output is not a number: its weights are too large")
    least, most = 0.0, 1.0
    if is_classifier:
        shares = softmax(hidden)
    else:
        least, most = float(hidden.min()), float(hidden.max())
        shares = (hidden - least) / max(most - least, 1e-30)
    return Maps(
        step=step,
        low=low.tolist(),
        high=high.tolist(),
        classes=_bytes(np.rint(255 * shares).astype(np.uint8), size),
        least=least,
        most=most,
        units=units,
    )


def _unit_maps(place: str, values: Array, size: int) -> UnitMaps:
    if not np.isfinite(values).all():
        raise ProblemError(422, f"the output of {place} is not a number: its weights are too large")
    most = float(np.abs(values).max())
    scaled = np.rint(127 * values / (most or 1.0)).astype(np.int8)
    return UnitMaps(place=place, most=most, values=_bytes(scaled, size))


def _bytes(array: Array, size: int) -> Bytes:
    """(places, D) -> (D, size, size)."""
    maps = np.ascontiguousarray(array.T)
    return Bytes(shape=[len(maps), size, size], data=base64.b64encode(maps.tobytes()).decode("ascii"))
