"""A gradient that is a product, and the update that it is for, in one."""

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
    """As `sgd_update` for weights (D, H) of Affine whose gradients, 0 so far, are x^T dy: x (N, D), dy (N, H)."""
    add_affine_weight_gradient(x, dy, gradients)
    sgd_update(values, gradients, velocity, learning_rate, momentum, nesterov)
