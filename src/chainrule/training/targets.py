"""Targets are learned with mean 0 and standard deviation 1, and predicted in their own units.

So one learning rate serves prices and percentages alike, and a loss of 1 is that of always predicting the mean. The way
back is the network's last layer, so that it is saved, exported and served with it.
"""

from dataclasses import dataclass

import numpy as np

from chainrule.arrays import Array
from chainrule.data import Dataset
from chainrule.errors import DataError
from chainrule.layers import Sequential, Standardize

__all__ = ["Units"]


@dataclass(frozen=True)
class Units:
    """Mean and standard deviation of each target.

    Example:
        >>> units = Units.of(train)
        >>> trainer.fit(units.standardized(train), epochs=100)
        >>> net = units.restored(trainer.network)
    """

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @classmethod
    def of(cls, data: Dataset) -> "Units":
        """Those of the targets (N, outputs) of the training data.

        Raises:
            DataError: there are none, or one is the same for all samples.
        """
        y = _targets(data)
        mean, deviation = y.mean(axis=0, dtype=np.float64), y.std(axis=0, dtype=np.float64)
        if not (deviation > 0).all():
            raise DataError(f"every sample has the same target {y[0].tolist()}: there is nothing to learn")
        return cls(tuple(mean.tolist()), tuple(deviation.tolist()))

    def standardized(self, data: Dataset) -> Dataset:
        """The same samples with targets in these units: of the training data, with mean 0 and standard deviation 1."""
        y = (_targets(data) - np.array(self.mean)) / np.array(self.deviation)
        return Dataset(data.x, y.astype(np.float32), (), data.preparation)

    def restored(self, network: Sequential) -> Sequential:
        """The network with a last layer that gives predictions in their own units: y = output * deviation + mean."""
        assert network.input_shape is not None
        mean, deviation = np.array(self.mean), np.array(self.deviation)
        # Standardize computes (x - m) / s; with m = -mean / deviation and s = 1 / deviation that is the way back
        back = Standardize((-mean / deviation).tolist(), (1 / deviation).tolist())
        whole = Sequential(*network.layers, back).build(network.input_shape)
        whole.preparation = network.preparation
        return whole


def _targets(data: Dataset) -> Array:
    if data.y is None or data.classes or data.y.ndim != 2:
        raise DataError("the data has no numbers to predict: y must be (N, outputs), without classes")
    return data.y
