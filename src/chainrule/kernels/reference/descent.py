"""A gradient that is a matrix product, and the update that uses it, in one kernel."""

from chainrule.arrays import Array
from chainrule.kernels.reference.affine import add_affine_weight_gradient
from chainrule.kernels.reference.updates import sgd_update

__all__ = ["sgd_product_update"]


def sgd_product_update(
    values: Array,
    gradients: Array,
    velocity: Array | None,
    x: Array,
    dy: Array,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
) -> None:
    """Like `sgd_update` for an Affine's weights (D, H) whose gradient, 0 so far, is x^T dy: x (N, D), dy (N, H)."""
    add_affine_weight_gradient(x, dy, gradients)
    sgd_update(values, gradients, velocity, learning_rate, momentum, nesterov)
