"""Calibration: predictions with a confidence of 90 % are right nine times in ten.

Logits are divided by one number, the temperature, that makes the loss on data the network has not learned from as low
as it can be (Guo et al. 2017, arXiv:1706.04599). It is stored as the network's last layer, Scale(1 / temperature), so
that it is saved, exported and served with it; which class is read does not change.
"""

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import DataError, OptionError
from chainrule.functions import class_indices
from chainrule.layers import Scale, Sequential
from chainrule.losses import SoftmaxCrossEntropy
from chainrule.training.evaluate import Batches

__all__ = ["calibrate", "fit_temperature"]

_LOWEST, _HIGHEST = 0.1, 10.0
_FEWEST = 100


def calibrate(network: Sequential, data: Batches, batch_size: int = 1000) -> Sequential:
    """A network of the same layers and Scale(1 / temperature), with the temperature fitted on `data`.

    Args:
        network: built, ends in logits; an existing temperature is replaced.
        data: labelled, 100 samples or more, none of which the network was trained on.

    Raises:
        DataError: fewer samples, or no labels.
    """
    layers = network.layers[:-1] if _ends_in_temperature(network) else network.layers
    assert network.input_shape is not None
    plain = Sequential(*layers).build(network.input_shape)
    logits, labels = [], []
    for x, y in data.batches(batch_size):
        if y is None:
            raise DataError("the data has no labels to calibrate with: use labelled data")
        logits.append(plain(x))
        labels.append(class_indices(y, *logits[-1].shape))
    temperature = fit_temperature(np.concatenate(logits), np.concatenate(labels))
    calibrated = Sequential(*layers, Scale(float(f"{1 / temperature:.4g}"))).build(network.input_shape)
    calibrated.labels, calibrated.preparation = network.labels, network.preparation
    return calibrated


def fit_temperature(logits: Array, labels: Array) -> float:
    """logits (N, C), labels (N,) -> the temperature from 0.1 to 10 at which the mean cross-entropy is lowest.

    Raises:
        DataError: fewer than 100 samples, too few to fit it.
    """
    if len(logits) < _FEWEST:
        raise DataError(f"calibration needs {_FEWEST} samples or more, got {len(logits)}: hold out more data")
    loss = SoftmaxCrossEntropy()
    exact = logits.astype(np.float64)

    def at(log_temperature: float) -> float:
        return loss(exact * np.exp(-log_temperature), labels)[0]

    # the loss is convex in 1 / temperature, so it has one valley: golden-section search
    low, high, ratio = float(np.log(_LOWEST)), float(np.log(_HIGHEST)), (5**0.5 - 1) / 2
    while high - low > 1e-3:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if at(left) <= at(right):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def _ends_in_temperature(network: Sequential) -> bool:
    """Whether the last layer is a Scale behind logits."""
    if not network.layers:
        raise OptionError("the network has no layers: there is nothing to calibrate")
    return len(network.layers) > 1 and isinstance(network.layers[-1], Scale)
