"""One weight set to other numbers: the loss of a sample there, and its gradient."""

import math
import re

import numpy as np
from pydantic import BaseModel, Field

from chainrule.arrays import Array
from chainrule.layers import Sequential
from chainrule.server.inside import check_walk, find_parameter, gradient_of, loss_of
from chainrule.server.problems import ProblemError
from chainrule.server.wire import finite

__all__ = ["VALUES", "Spot", "Weight", "move_weight", "read_values"]

_MOST = 61
_FARTHEST = 1e6
VALUES = r"^[-+.eE\d]+(,[-+.eE\d]+)*$"


class Spot(BaseModel):
    """The loss and its derivative where the weight has this value; null where they are not finite."""

    value: float
    loss: float | None
    gradient: float | None = Field(description="null also where it was not asked for")


class Weight(BaseModel):
    """An element of a parameter, in float64."""

    parameter: str
    index: list[int]
    value: float = Field(description="as it is")
    spots: list[Spot]


def read_values(text: str) -> list[float]:
    """ "0.1,-2" as numbers.

    Raises:
        ProblemError: too many, too large, or none.
    """
    parts = text.split(",")
    if len(parts) > _MOST:
        raise ProblemError(422, f"values: at most {_MOST} numbers, got {len(parts)}")
    if not all(re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", part) for part in parts):
        raise ProblemError(422, "values are numbers with commas between, such as 0.1,-2")
    values = [float(part) for part in parts]
    if any(abs(value) > _FARTHEST for value in values):
        raise ProblemError(422, f"values are numbers from {-_FARTHEST:,.0f} to {_FARTHEST:,.0f}")
    return values


def move_weight(
    model: str,
    network: Sequential,
    sample: Array,
    label: int | float,
    parameter: str,
    index: tuple[int, ...],
    values: list[float],
    *,
    slopes: bool = True,
) -> Weight:
    """The loss of one sample (*input_shape), in inference, with parameter[index] at each of the values.

    Raises:
        ProblemError: there is no such element, or the network is too large.
    """
    check_walk(model, network, sample)
    exact = network.astype("float64")
    held = find_parameter(exact, parameter, index).value
    x = sample if exact.takes_indices else sample.astype(np.float64)
    value, spots = float(held[index]), []
    for moved in values or [value]:
        held[index] = moved
        gradient = float(gradient_of(exact, x, label)[parameter][index]) if slopes else math.nan
        spots.append(Spot(value=moved, loss=finite(loss_of(exact, x, label)), gradient=finite(gradient)))
    return Weight(parameter=parameter, index=list(index), value=value, spots=spots)
