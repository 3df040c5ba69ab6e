"""Metrics of predictions: accuracy, confusion, calibration, R^2, mean absolute error, perplexity."""

import math

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array
from chainrule.errors import ShapeError
from chainrule.functions import class_indices

__all__ = [
    "Deviations",
    "accuracy",
    "bits_of_a_character",
    "calibration_error",
    "confusion",
    "divergence",
    "perplexity",
]

_FAR_ABOVE = 2.0
"""Report losses this many times that of a constant prediction: confident mistakes stay below, divergence does not."""


def divergence(loss: float, constant: float, least: float = 0.0) -> str | None:
    """A warning if a loss is far above `constant`, the loss of the best constant prediction; otherwise None.

    Args:
        loss: after training.
        constant: the loss of the best constant prediction, of the same kind.
        least: a lower bound: `loss` is compared with this if `constant` is smaller.
    """
    if loss > _FAR_ABOVE * max(constant, least):
        return f"the loss of {loss:.3g} is far above the {constant:.3g} of a constant prediction"
    return None


class Deviations:
    """Coefficient of determination and mean absolute error of predictions, accumulated batch by batch."""

    def __init__(self) -> None:
        self._count = 0
        self._first: Array | None = None  # subtracted from targets, so that large ones lose no digits
        self._sum, self._squares, self._residuals, self._absolute = (np.zeros(1) for _ in range(4))

    def add(self, predictions: Array, targets: Array) -> None:
        """predictions and targets (N, outputs)."""
        if self._first is None:
            self._first = targets[:1].astype(np.float64)
        gap = predictions.astype(np.float64) - targets
        shifted = targets - self._first
        self._count += len(targets)
        self._sum = self._sum + shifted.sum(axis=0)
        self._squares = self._squares + np.square(shifted).sum(axis=0)
        self._residuals = self._residuals + np.square(gap).sum(axis=0)
        self._absolute = self._absolute + np.abs(gap).sum(axis=0)

    @property
    def r_squared(self) -> float | None:
        """1 - sum (prediction - target)^2 / sum (target - mean)^2, the mean over outputs; None without samples.

        If all targets are equal, it is 1 for exact predictions, otherwise 0.
        """
        if not self._count:
            return None
        spread = self._squares - np.square(self._sum) / self._count
        safe = np.where(spread > 0, spread, 1)
        return float(
            np.mean(np.where(spread > 0, 1 - self._residuals / safe, np.where(self._residuals == 0, 1.0, 0.0)))
        )

    @property
    def absolute_error(self) -> float | None:
        """The mean of |prediction - target|; None without samples."""
        return float(np.mean(self._absolute / self._count)) if self._count else None


def perplexity(loss: float) -> float:
    """exp(mean cross-entropy): the number of equally likely tokens a language model hesitates between, on average."""
    return math.exp(min(loss, 709.0))


def bits_of_a_character(loss: float, characters: float = 1.0) -> float:
    """The mean cross-entropy per token in bits, divided by the `characters` per token.

    Use it to compare models with different tokenizers.
    """
    return loss / math.log(2) / characters


def accuracy(logits: Array, labels: Array) -> float:
    """logits or probabilities (N, C), labels as indices (N,) or one-hot (N, C) -> the fraction correct, 0..1.

    It is 0 for an empty batch.
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


def calibration_error(confidences: Array, right: Array, bins: int = 15) -> float:
    """confidences (N,) from 0 to 1, right (N,) whether each prediction was correct -> expected calibration error, 0..1.

    The difference between confidence and accuracy in each of `bins` equal ranges of confidence, weighted by the number
    of samples in the range (Naeini et al. 2015; Guo et al. 2017, arXiv:1706.04599). It is 0 without samples, and NaN if
    a confidence is NaN.
    """
    if confidences.shape != right.shape or confidences.ndim != 1:
        raise ShapeError(f"needs confidences (N,) and right (N,), got {confidences.shape} and {right.shape}")
    if np.isnan(confidences).any():
        return math.nan
    place = np.minimum((confidences * bins).astype(int), bins - 1)
    gaps = np.bincount(place, confidences.astype(np.float64) - right, minlength=bins)
    return float(np.abs(gaps).sum() / max(len(confidences), 1))
