"""Functions of arrays that are neither a layer nor a loss: softmax and the forms that labels come in."""

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import LabelError
from chainrule.kernels import softmax

__all__ = ["class_indices", "one_hot", "softmax"]


def one_hot(labels: Array, classes: int) -> Array:
    """labels (N,) class indices -> (N, classes) float32 with a single 1 in each row."""
    return np.eye(classes, dtype=np.float32)[class_indices(labels, len(labels), classes)]


def class_indices(labels: Array, samples: int, classes: int) -> Array:
    """Labels as class indices (N,), from indices or one-hot rows (N, C).

    Raises:
        LabelError: another shape than the batch's, fractions, or a label outside 0 to classes - 1.
    """
    labels = np.asarray(labels)
    if labels.shape == (samples, classes) and labels.ndim == 2:
        if not ((labels == 0) | (labels == 1)).all() or (labels.sum(axis=1) != 1).any():
            raise LabelError("one-hot labels need a single 1 and zeros in each row: pass class indices (N,) instead")
        indices: Array = labels.argmax(axis=1)
        return indices
    if labels.shape != (samples,):
        raise LabelError(
            f"labels of shape {labels.shape} do not fit {samples} samples of {classes} classes: "
            f"pass class indices ({samples},) or one-hot rows ({samples}, {classes})"
        )
    if labels.dtype.kind not in "iu":
        raise LabelError(f"class indices are whole numbers, got {labels.dtype}: use labels.astype(int)")
    if samples and (labels.max() >= classes or labels.min() < 0):
        wrong = int(np.flatnonzero((labels < 0) | (labels >= classes))[0])
        raise LabelError(
            f"label {labels[wrong]} of sample {wrong} is outside the classes 0 to {classes - 1}: "
            "give the last layer as many outputs as there are classes, or correct the labels"
        )
    return labels
