"""The loss along a line through a network's weights: toward another network, or down the gradient.

Legend: P positions on the line, K test digits.
"""

import numpy as np
from pydantic import BaseModel, Field

from chainrule.arrays import Array
from chainrule.layers import Sequential
from chainrule.losses import SoftmaxCrossEntropy
from chainrule.server.inside import gradient_of, loss_of
from chainrule.server.problems import ProblemError
from chainrule.server.wire import finite

__all__ = ["Line", "affordable", "loss_line"]

_MOST_WORK = 10_000_000_000
"""Maximum multiply-adds for all positions and test digits."""


class Line(BaseModel):
    """Weights w + a d, for each position a: d leads to the other network's weights, or is a step down the gradient g.

    The step has the length at which the tangent reaches a loss of 0: d = -g loss / |g|^2.
    """

    positions: list[float] = Field(description="(P,)")
    loss: list[float | None] = Field(description="the sample's loss (P,); null where it is not finite")
    rate: float | None = Field(description="the learning rate at which a step of SGD equals d; null toward a network")
    slope: float = Field(description="slope of the sample's loss at position 0, by backpropagation")
    digits: int = Field(description="K, the number of test digits measured")
    digits_loss: list[float | None] = Field(description="their mean loss (P,); empty if there are none")
    digits_accuracy: list[float] = Field(description="(P,); empty if there are none")


def loss_line(
    network: Sequential,
    other: Sequential | None,
    sample: Array,
    label: int | float,
    positions: Array,
    digits: tuple[Array, Array] | None = None,
) -> Line:
    """The losses of one sample (*input_shape) and of digits (K, *input_shape), (K,) along the line, in inference.

    Running means and variances move with the weights toward the other network.

    Raises:
        ProblemError: the networks have different layers.
    """
    if other is not None and not _alike(network, other):
        raise ProblemError(
            422, "these networks have different layers: a line leads between networks of the same layers"
        )
    gradient = gradient_of(network, sample, label)
    start = {name: array.astype(np.float64) for name, array in network.arrays.items()}
    square = sum(float(np.square(array).sum()) for array in gradient.values())
    rate = loss_of(network, sample, label) / square if square else 0.0
    direction = {name: -rate * array for name, array in gradient.items()}
    if other is not None:
        direction = {name: array.astype(np.float64) - start[name] for name, array in other.arrays.items()}
    moved = network.copy()
    own = {name: holder.value for name, holder in moved.parameters.items()}
    own |= {name: holder.value for name, holder in moved.buffers.items()}
    digits = affordable(network, digits, len(positions))
    line = Line(
        positions=positions.tolist(),
        loss=[],
        rate=rate if other is None else None,
        slope=sum(float((gradient[name] * direction[name]).sum()) for name in gradient),
        digits=0 if digits is None else len(digits[1]),
        digits_loss=[],
        digits_accuracy=[],
    )
    for position in positions:
        for name, way in direction.items():
            own[name][...] = start[name] + position * way
        line.loss.append(finite(loss_of(moved, sample, label)))
        if digits is not None:
            pictures, labels = digits
            logits = moved(pictures)
            line.digits_loss.append(finite(SoftmaxCrossEntropy()(logits, labels)[0]))
            line.digits_accuracy.append(float((logits.argmax(axis=1) == labels).mean()))
    return line


def affordable(network: Sequential, digits: tuple[Array, Array] | None, positions: int) -> tuple[Array, Array] | None:
    """As many of the digits as can be measured at so many positions, at least one."""
    if digits is None:
        return None
    work = max(1, sum(row.multiply_adds for row in network.summary().rows)) * positions
    count = max(1, _MOST_WORK // work)
    return digits[0][:count], digits[1][:count]


def _alike(network: Sequential, other: Sequential) -> bool:
    """Whether two networks consist of the same layers and differ only in their numbers."""
    kinds = [[(row.layer, row.output_shape) for row in one.summary().rows] for one in (network, other)]
    shapes = [{name: array.shape for name, array in one.arrays.items()} for one in (network, other)]
    return network.input_shape == other.input_shape and kinds[0] == kinds[1] and shapes[0] == shapes[1]
