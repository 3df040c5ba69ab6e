"""The hot operations: array arguments, array results; which implementation runs is decided here and nowhere else."""

from chainrule.kernels.reference.affine import (
    affine_bias_gradient,
    affine_forward,
    affine_input_gradient,
    affine_weight_gradient,
    embedding_forward,
    embedding_weight_gradient,
)
from chainrule.kernels.reference.conv import (
    conv_bias_gradient,
    conv_forward,
    conv_input_gradient,
    conv_weight_gradient,
)
from chainrule.kernels.reference.elementwise import (
    dropout,
    gelu_backward,
    gelu_forward,
    leaky_relu_backward,
    leaky_relu_forward,
    relu_backward,
    relu_forward,
    scale_forward,
    sigmoid_backward,
    sigmoid_forward,
    silu_backward,
    silu_forward,
    softmax,
    softmax_backward,
    softplus_backward,
    softplus_forward,
    tanh_backward,
    tanh_forward,
)
from chainrule.kernels.reference.losses import (
    sigmoid_cross_entropy,
    softmax_cross_entropy,
    weighted_cross_entropy,
)
from chainrule.kernels.reference.norm import (
    batch_norm_backward,
    batch_norm_forward,
    batch_norm_inference,
    batch_norm_inference_backward,
    layer_norm_backward,
    layer_norm_forward,
)
from chainrule.kernels.reference.pool import (
    avg_pool_backward,
    avg_pool_forward,
    max_pool_backward,
    max_pool_forward,
)
from chainrule.kernels.reference.updates import (
    adagrad_update,
    adam_update,
    average_update,
    rmsprop_update,
    sgd_update,
)
from chainrule.kernels.reference.windows import (
    Padding,
    Pair,
    pad_image,
)

__all__ = [
    "IMPLEMENTATION",
    "Padding",
    "Pair",
    "adagrad_update",
    "adam_update",
    "affine_bias_gradient",
    "affine_forward",
    "affine_input_gradient",
    "affine_weight_gradient",
    "average_update",
    "avg_pool_backward",
    "avg_pool_forward",
    "batch_norm_backward",
    "batch_norm_forward",
    "batch_norm_inference",
    "batch_norm_inference_backward",
    "conv_bias_gradient",
    "conv_forward",
    "conv_input_gradient",
    "conv_weight_gradient",
    "dropout",
    "embedding_forward",
    "embedding_weight_gradient",
    "gelu_backward",
    "gelu_forward",
    "layer_norm_backward",
    "layer_norm_forward",
    "leaky_relu_backward",
    "leaky_relu_forward",
    "max_pool_backward",
    "max_pool_forward",
    "pad_image",
    "relu_backward",
    "relu_forward",
    "rmsprop_update",
    "scale_forward",
    "sgd_update",
    "sigmoid_backward",
    "sigmoid_cross_entropy",
    "sigmoid_forward",
    "silu_backward",
    "silu_forward",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "softplus_backward",
    "softplus_forward",
    "tanh_backward",
    "tanh_forward",
    "weighted_cross_entropy",
]

IMPLEMENTATION = "reference (NumPy)"
"""The implementation in use, for `chainrule info` and reports."""
