"""How good predictions are, in numbers that people use."""

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array
from chainrule.errors import ShapeError
from chainrule.functions import class_indices

__all__ = ["accuracy", "confusion"]


def accuracy(logits: Array, labels: Array) -> float:
    """logits or probabilities (N, C), labels as indices (N,) or one-hot (N, C) -> the share that is right, 0..1.

    Of an empty batch it is 0.
    """
    if logits.ndim != 2:
        raise ShapeError(f"accuracy needs logits (N, C), got {logits.shape}")
    return kernels.count_right(logits, class_indices(labels, *logits.shape)) / max(len(logits), 1)


def confusion(predicted: Array, labels: Array, classes: int) -> Array:
    """predicted (N,), labels (N,) as class indices -> counts (classes, classes): row true class, column predicted."""
    pairs = class_indices(labels, len(labels), classes).astype(np.int64) * classes
    pairs += class_indices(predicted, len(labels), classes)
    counts: Array = np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)
    return counts
