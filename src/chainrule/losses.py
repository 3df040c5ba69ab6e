"""How wrong an output is, and the gradient of that with respect to the output.

A loss is called with outputs and targets and returns both: `value, doutputs = loss(outputs, targets)`.
"""

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array
from chainrule.config import Configured
from chainrule.errors import ShapeError
from chainrule.functions import class_indices

__all__ = ["Loss", "MeanSquaredError", "SoftmaxCrossEntropy"]


class Loss(Configured):
    """A number to be made small, averaged over the batch."""

    classifies: bool = False
    """Whether outputs are logits of classes, so that accuracy has a meaning."""

    def __call__(self, outputs: Array, targets: Array) -> tuple[float, Array]:
        """outputs (N, ...), targets -> the loss and its gradient with respect to outputs, in their shape and dtype."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__")


class SoftmaxCrossEntropy(Loss):
    """Mean of -log softmax(logits)[label]; dlogits = (softmax(logits) - onehot(label)) / N.

    logits (N, C); labels as class indices (N,) or one-hot rows (N, C). Softmax and logarithm are taken together, so
    that neither overflows nor loses digits (Bridle 1990).
    """

    classifies = True

    def __call__(self, outputs: Array, targets: Array) -> tuple[float, Array]:
        if outputs.ndim != 2:
            raise ShapeError(f"needs logits (N, C), got {outputs.shape}: end the network in Affine(classes)", self)
        return kernels.softmax_cross_entropy(outputs, class_indices(targets, *outputs.shape))


class MeanSquaredError(Loss):
    """Mean of (output - target)^2 over every element; doutputs = 2 (output - target) / size.

    Outputs and targets have the same shape.
    """

    def __call__(self, outputs: Array, targets: Array) -> tuple[float, Array]:
        if np.shape(targets) != outputs.shape:
            raise ShapeError(
                f"needs targets of the outputs' shape {outputs.shape}, got {np.shape(targets)}: reshape them", self
            )
        difference = outputs - np.asarray(targets, outputs.dtype)
        # loss = mean(difference ** 2)
        return float(np.mean(np.square(difference))), 2 * difference / difference.size
