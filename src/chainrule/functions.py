"""Functions on arrays that are neither layers nor losses: softmax, and conversions of labels."""

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import LabelError
from chainrule.kernels import softmax

__all__ = ["class_indices", "distributions", "one_hot", "softmax"]


def one_hot(labels: Array, classes: int) -> Array:
    """labels (N,) class indices -> (N, classes) float32 with a single 1 in each row."""
    return np.eye(classes, dtype=np.float32)[class_indices(labels, len(labels), classes)]


def class_indices(labels: Array, samples: int, classes: int) -> Array:
    """Labels as class indices (N,): indices as they are; for rows (N, C), the class with the largest probability.

    Raises:
        LabelError: the shape does not match the batch, an index is not a whole number or outside 0 to classes - 1, or
            a row is not a probability distribution.
    """
    labels = np.asarray(labels)
    if labels.shape == (samples, classes) and labels.ndim == 2:
        indices: Array = distributions(labels, samples, classes).argmax(axis=1)
        return indices
    if labels.shape != (samples,):
        raise LabelError(
            f"labels of shape {labels.shape} do not fit {samples} samples of {classes} classes: "
            f"pass class indices ({samples},) or rows of probabilities ({samples}, {classes})"
        )
    if labels.dtype.kind not in "iu":
        raise LabelError(f"class indices are whole numbers, got {labels.dtype}: use labels.astype(int)")
    if samples and (labels.max() >= classes or (labels.dtype.kind == "i" and labels.min() < 0)):
        wrong = int(np.flatnonzero((labels < 0) | (labels >= classes))[0])
        raise LabelError(
            f"label {labels[wrong]} of sample {wrong} is outside the classes 0 to {classes - 1}: "
            "give the last layer as many outputs as there are classes, or correct the labels"
        )
    return labels


def distributions(labels: Array, samples: int, classes: int) -> Array:
    """Labels as rows (N, C) that sum to 1: one-hot rows for indices; rows (one-hot or soft) as they are.

    Raises:
        LabelError: see `class_indices`.
    """
    labels = np.asarray(labels)
    if labels.shape != (samples, classes) or labels.ndim != 2:
        return one_hot(class_indices(labels, samples, classes), classes)
    if labels.dtype.kind not in "biuf":
        raise LabelError(f"probabilities of classes are numbers, got {labels.dtype}")
    sums = labels.sum(axis=1)
    if wrong := np.flatnonzero(~((np.abs(sums - 1) <= 1e-3) & (labels >= 0).all(axis=1))).tolist():
        raise LabelError(
            f"the label of sample {wrong[0]}, {labels[wrong[0]].tolist()}, is not a distribution over the classes: "
            "each row needs numbers of 0 or more that sum to 1 (one-hot rows a single 1)"
        )
    return labels
