"""The gradient check before training: does backpropagation give this network's gradients on this data?"""

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.errors import DataError
from chainrule.gradcheck import GradientReport, GradientRow, check_array, gradcheck
from chainrule.layers import Sequential
from chainrule.losses import Loss
from chainrule.numerical import STEP
from chainrule.training.evaluate import Batches

__all__ = ["prove"]

_SAMPLES, _CANDIDATES, _PROBES, _TOLERANCE = 4, 64, 100, 1e-6


def prove(network: Sequential, data: Batches, loss: Loss, *, seed: int = 0) -> GradientReport:
    """Compare about a hundred gradients with central differences, on samples of several classes; nothing is changed.

    The training pass of the network is compared at a random upstream gradient, and the loss by itself at random
    outputs. By the chain rule both together are the gradient of training; but where the loss is saturated (a softmax
    that is sure of itself) its own gradient is all rounding, and would hide what lies below. Samples and parameters
    are moved a little, off the places that have no derivative: equal pixels under MaxPool2D, zeros under ReLU.

    Args:
        network: built.
        data: labelled.
        loss: of the training.
        seed: decides samples, noise and which gradients are compared.

    Raises:
        DataError: the data has no labels.
    """
    picking, moving, guessing = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3))
    x, labels = _mixed(data, picking)
    if not network.takes_indices:
        x = x.astype(np.float64)
        x += 0.1 * _size(x) * moving.standard_normal(x.shape)
    outputs = network.astype(np.float64)(x)
    if not np.isfinite(outputs).all():
        return GradientReport((), _TOLERANCE)
    sample = max(2, _PROBES // (len(network.parameters) + 2))
    report = gradcheck(network, inputs=x, sample=sample, seed=seed, train=True, tolerance=_TOLERANCE)
    return GradientReport((*report.rows, _row_of_loss(loss, labels, outputs.shape, sample, guessing)), _TOLERANCE)


def _row_of_loss(loss: Loss, labels: Array, shape: Shape, sample: int, rng: np.random.Generator) -> GradientRow:
    outputs = rng.standard_normal(shape)
    value, gradient = loss(outputs, labels)
    rounding = 10 * float(np.finfo(np.float64).eps) * abs(value) / STEP
    return check_array("loss", outputs, gradient, lambda: loss(outputs, labels)[0], sample, _TOLERANCE, rounding, rng)


def _mixed(data: Batches, rng: np.random.Generator) -> tuple[Array, Array]:
    """A few random samples, of as many classes as possible."""
    x, labels = next(data.batches(_CANDIDATES, rng))
    if labels is None:
        raise DataError("the data has no labels to learn from: use labelled data")
    firsts = np.unique(labels, axis=0, return_index=True)[1]
    chosen = [*np.sort(firsts), *np.setdiff1d(np.arange(len(x)), firsts)][:_SAMPLES]
    return x[chosen], labels[chosen]


def _size(x: Array) -> float:
    """The spread of the values; their magnitude if they are all equal; 1 if they are zeros."""
    return float(x.std() or np.abs(x).max(initial=0) or 1.0)
