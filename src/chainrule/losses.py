"""Losses: how wrong the outputs are, and the gradient of that with respect to the outputs.

A loss takes outputs and targets and returns both: `value, doutputs = loss(outputs, targets)`. The value is a mean over
the batch, or a weighted mean if there is one weight per sample.
"""

import math
from collections.abc import Sequence

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, quiet
from chainrule.config import Configured
from chainrule.errors import LabelError, OptionError, ShapeError
from chainrule.functions import class_indices, distributions, one_hot

__all__ = [
    "Huber",
    "Loss",
    "MeanSquaredError",
    "NegativeSampling",
    "SigmoidCrossEntropy",
    "SoftmaxCrossEntropy",
    "sample_shares",
    "sample_weights",
]


class Loss(Configured):
    """A number to minimize, averaged over the batch."""

    classifies: bool = False
    """Whether outputs are logits of classes, so that accuracy is defined."""

    def __call__(self, outputs: Array, targets: Array, weights: Array | None = None) -> tuple[float, Array]:
        """outputs (N, ...), targets -> the loss and its gradient with respect to outputs, in their shape and dtype.

        Args:
            outputs: what the network returned.
            targets: what it should have returned.
            weights: (N,), 0 or more: how much each sample counts; equal by default.
        """
        raise NotImplementedError(f"{type(self).__name__} has no __call__")


class SoftmaxCrossEntropy(Loss):
    """Mean of -log softmax(logits)[label]; dlogits = (softmax(logits) - onehot(label)) / N.

    logits (N, C); labels as class indices (N,), one-hot rows (N, C), or soft rows (N, C) of probabilities that sum
    to 1, for which the loss is -sum(probability log softmax(logits)). Softmax and logarithm are computed together, so
    neither overflows nor loses digits (Bridle 1990).

    Args:
        label_smoothing: the fraction of each label that is spread evenly over all classes (Szegedy et al. 2015,
            arXiv:1512.00567).
        class_weight: C numbers, how much each class counts; the mean is then weighted.
    """

    classifies = True

    def __init__(self, label_smoothing: float = 0.0, class_weight: Sequence[float] | None = None) -> None:
        if not 0 <= label_smoothing < 1:
            raise OptionError(f"label_smoothing must be from 0 up to (not including) 1, got {label_smoothing}")
        if class_weight is not None and not (np.isfinite(class_weight).all() and np.min(class_weight) >= 0):
            raise OptionError(f"class_weight must be numbers of 0 or more, one per class, got {class_weight}")
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight

    @quiet
    def __call__(self, outputs: Array, targets: Array, weights: Array | None = None) -> tuple[float, Array]:
        if outputs.ndim != 2:
            raise ShapeError(f"needs logits (N, C), got {outputs.shape}: end the network in Affine(classes)", self)
        samples, classes = outputs.shape
        targets = np.asarray(targets)
        plain = not self.label_smoothing and self.class_weight is None and weights is None
        if plain and (targets.ndim == 1 or ((targets == 0) | (targets == 1)).all()):
            return kernels.softmax_cross_entropy(outputs, class_indices(targets, samples, classes))
        shares = distributions(targets, samples, classes).astype(outputs.dtype)
        counts = sample_weights(weights, samples)[:, np.newaxis] * self._class_weights(classes)
        total = float((counts * shares).sum())
        if samples and not total:
            raise OptionError(f"{self!r} got samples whose weights are all 0: at least one must count")
        smoothed = (1 - self.label_smoothing) * shares + self.label_smoothing / classes
        return kernels.weighted_cross_entropy(outputs, (counts * smoothed / (total or 1)).astype(outputs.dtype))

    def _class_weights(self, classes: int) -> Array:
        if self.class_weight is None:
            return np.ones(classes)
        if np.shape(self.class_weight) != (classes,):
            raise ShapeError(f"has weights for {np.size(self.class_weight)} classes, the outputs have {classes}", self)
        return np.asarray(self.class_weight, np.float64)


class SigmoidCrossEntropy(Loss):
    """For labels that are not mutually exclusive: mean of -t log s - (1 - t) log(1 - s), s = sigmoid(logit).

    logits and targets t of one shape (N, ...), t from 0 to 1; dlogits = (s - t) / size.
    """

    @quiet
    def __call__(self, outputs: Array, targets: Array, weights: Array | None = None) -> tuple[float, Array]:
        targets = _same_shape(self, outputs, targets)
        if targets.size and not (targets.min() >= 0 and targets.max() <= 1):
            raise LabelError(f"{self!r} needs targets from 0 to 1, got {targets.min():g} to {targets.max():g}")
        loss, dlogits = kernels.sigmoid_cross_entropy(
            *(_rows(array) for array in (outputs, targets, _element_weights(outputs, weights)))
        )
        return loss, dlogits.reshape(outputs.shape)


class NegativeSampling(Loss):
    """Mean over the batch of -log s(true score) - sum of log(1 - s(score)) over the other scores, s the sigmoid.

    Scores (N, K) of K candidates each; labels (N,) say which one is true, the others are drawn at random.
    dscores = (s(scores) - onehot(label)) / N (Mikolov et al. 2013, arXiv:1310.4546).

    (InfoNCE, van den Oord et al. 2018, arXiv:1807.03748, is SoftmaxCrossEntropy of the same scores and labels.)

    Example:
        >>> word = Sequential(Slice(0, 1), Embedding(1000, 32))  # (N, 1 + K): a word, then its candidates
        >>> others = Sequential(Slice(1, 7), Embedding(1000, 32))
        >>> dots = [Parallel(word, others, join="product"), GlobalAvgPool1D(), Scale(32)]  # sums of 32 products
        >>> net = Sequential(*dots).build((7,), seed=0)
    """

    @quiet
    def __call__(self, outputs: Array, targets: Array, weights: Array | None = None) -> tuple[float, Array]:
        if outputs.ndim != 2:
            raise ShapeError(f"needs scores (N, K), got {outputs.shape}: one per candidate", self)
        samples, candidates = outputs.shape
        true = one_hot(class_indices(targets, samples, candidates), candidates).astype(outputs.dtype)
        shares = sample_shares(weights, samples).astype(outputs.dtype)[:, np.newaxis]
        return kernels.sigmoid_cross_entropy(outputs, true, np.broadcast_to(shares, outputs.shape))


class MeanSquaredError(Loss):
    """Mean of (output - target)^2 over every element; doutputs = 2 (output - target) / size.

    Outputs and targets have the same shape.
    """

    @quiet
    def __call__(self, outputs: Array, targets: Array, weights: Array | None = None) -> tuple[float, Array]:
        difference = outputs - _same_shape(self, outputs, targets)
        share = _element_weights(outputs, weights)
        # loss = sum(share * difference ** 2)
        return float(np.sum(share * np.square(difference))), 2 * share * difference


class Huber(Loss):
    """Mean of d^2 / 2 where |d| <= delta, else of delta (|d| - delta / 2), d = output - target (Huber 1964).

    doutputs = d / size, clipped to -delta / size and delta / size, so outliers have a bounded gradient. Outputs and
    targets have the same shape.

    Args:
        delta: where the square becomes linear, above 0.
    """

    def __init__(self, delta: float = 1.0) -> None:
        if not (math.isfinite(delta) and delta > 0):
            raise OptionError(f"delta must be a number above 0, got {delta}: 1 is usual")
        self.delta = delta

    @quiet
    def __call__(self, outputs: Array, targets: Array, weights: Array | None = None) -> tuple[float, Array]:
        difference = outputs - _same_shape(self, outputs, targets)
        share = _element_weights(outputs, weights)
        held = np.clip(difference, -self.delta, self.delta)
        # loss = sum(share * (held * difference - held ** 2 / 2)): d^2 / 2 inside delta, linear outside
        return float(np.sum(share * (held * difference - held * held / 2))), share * held


def _same_shape(loss: Loss, outputs: Array, targets: Array) -> Array:
    if np.shape(targets) != outputs.shape:
        raise ShapeError(
            f"needs targets of the outputs' shape {outputs.shape}, got {np.shape(targets)}: reshape them", loss
        )
    return np.asarray(targets, outputs.dtype)


def sample_weights(weights: Array | None, samples: int) -> Array:
    """The weight of each sample (N,): 1, or as given.

    Raises:
        OptionError: the weights are not N numbers of 0 or more.
    """
    if weights is None:
        return np.ones(samples)
    weights = np.asarray(weights, np.float64)
    if weights.shape != (samples,) or not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise OptionError(
            f"sample weights must be {samples} numbers of 0 or more, one per sample, got shape {weights.shape}"
        )
    return weights


def sample_shares(weights: Array | None, samples: int) -> Array:
    """The weight of each sample in the mean (N,); they sum to 1.

    Raises:
        OptionError: see `sample_weights`; or all weights are 0.
    """
    counts = sample_weights(weights, samples)
    if samples and not counts.any():
        raise OptionError("the samples' weights are all 0: at least one must count")
    shares: Array = counts / (counts.sum() or 1)
    return shares


def _element_weights(outputs: Array, weights: Array | None) -> Array:
    """The weight of each element of `outputs` in the mean; they sum to 1."""
    samples = len(outputs)
    counts = sample_weights(weights, samples)
    total = counts.sum() * (outputs.size / max(samples, 1))
    if samples and not total:
        raise OptionError("the samples' weights are all 0: at least one must count")
    shares = (counts / (total or 1)).astype(outputs.dtype)
    return np.broadcast_to(shares.reshape(-1, *[1] * (outputs.ndim - 1)), outputs.shape)


def _rows(array: Array) -> Array:
    return array.reshape(len(array), math.prod(array.shape[1:]))
