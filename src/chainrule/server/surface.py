"""The loss over a plane through a network's weights: one row of it, so that a page can draw while it is computed.

The plane is spanned by two random directions, each filter of them as long as that of the weights (Li et al. 2018,
"Visualizing the Loss Landscape of Neural Nets", arXiv:1712.09913). Legend: S positions along each side, K test digits.
"""

import numpy as np
from pydantic import BaseModel, Field

from chainrule.arrays import Array
from chainrule.layers import Sequential
from chainrule.losses import SoftmaxCrossEntropy
from chainrule.server.inside import check_walk, loss_of
from chainrule.server.line import affordable
from chainrule.server.wire import finite

__all__ = ["SurfaceRow", "directions", "surface_row"]


class SurfaceRow(BaseModel):
    """The losses at w + a d1 + b d2, for one b."""

    a: list[float] = Field(description="(S,)")
    b: float
    loss: list[float | None] = Field(description="of the sample (S,); null where it is not finite")
    digits: int = Field(description="K, test digits that were measured on")
    digits_loss: list[float | None] = Field(description="their mean loss (S,); empty of none")


def directions(network: Sequential, seed: int) -> tuple[dict[str, Array], dict[str, Array]]:
    """Two random directions by parameter: normal numbers, scaled so that each filter has the length of the weights'.

    A filter is a kernel of a convolution, or the column of a matrix that makes one output. Biases and other vectors do
    not move.
    """
    rng = np.random.default_rng(seed)
    return _direction(network, rng), _direction(network, rng)


def surface_row(
    network: Sequential,
    sample: Array,
    label: int | float,
    *,
    row: int,
    size: int,
    span: float,
    seed: int,
    digits: tuple[Array, Array] | None = None,
) -> SurfaceRow:
    """Row number `row` of S x S losses, in inference; a and b go from -span to span.

    Args:
        sample: (*input_shape).
        label: its class, or the number that the network should have predicted.
        digits: further samples (K, *input_shape) and their classes (K,).
    """
    check_walk("this network", network, sample)
    across, along = directions(network, seed)
    positions = np.linspace(-span, span, size)
    moved = network.copy()
    start = {name: parameter.value.copy() for name, parameter in network.parameters.items()}
    digits = affordable(network, digits, size)
    count = 0 if digits is None else len(digits[1])
    found = SurfaceRow(a=positions.tolist(), b=float(positions[row]), loss=[], digits=count, digits_loss=[])
    for position in positions:
        for name, parameter in moved.parameters.items():
            parameter.value[...] = start[name] + position * across[name] + positions[row] * along[name]
        found.loss.append(finite(loss_of(moved, sample, label)))
        if digits is not None:
            found.digits_loss.append(finite(SoftmaxCrossEntropy()(moved(digits[0]), digits[1])[0]))
    return found


def _direction(network: Sequential, rng: np.random.Generator) -> dict[str, Array]:
    found: dict[str, Array] = {}
    for name, parameter in network.parameters.items():
        weights = parameter.value.astype(np.float64)
        if weights.ndim < 2:
            found[name] = np.zeros_like(weights)
            continue
        drawn = rng.normal(size=weights.shape)
        axes = (0,) if weights.ndim == 2 else tuple(range(1, weights.ndim))
        lengths = [np.sqrt(np.square(array).sum(axis=axes, keepdims=True)) for array in (weights, drawn)]
        found[name] = drawn * (lengths[0] / lengths[1])
    return found
