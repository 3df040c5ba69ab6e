"""The hot operations: array arguments, array results; which implementation runs is decided here and nowhere else."""

from chainrule.kernels.reference import (
    affine_bias_gradient,
    affine_forward,
    affine_input_gradient,
    affine_weight_gradient,
    relu_backward,
    relu_forward,
    scale_forward,
    sgd_update,
    sigmoid_backward,
    sigmoid_forward,
    softmax,
    softmax_cross_entropy,
    tanh_backward,
    tanh_forward,
)

__all__ = [
    "IMPLEMENTATION",
    "affine_bias_gradient",
    "affine_forward",
    "affine_input_gradient",
    "affine_weight_gradient",
    "relu_backward",
    "relu_forward",
    "scale_forward",
    "sgd_update",
    "sigmoid_backward",
    "sigmoid_forward",
    "softmax",
    "softmax_cross_entropy",
    "tanh_backward",
    "tanh_forward",
]

IMPLEMENTATION = "reference (NumPy)"
"""The implementation in use, for `chainrule info` and reports."""
