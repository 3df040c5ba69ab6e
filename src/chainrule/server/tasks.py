"""The task of a training: training and test data, the initial network, and the loss."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from chainrule.data import Dataset
from chainrule.layers import Affine, Flatten, Layer, Scale, Sequential, Standardize
from chainrule.losses import Loss, MeanSquaredError, SoftmaxCrossEntropy
from chainrule.models import NETWORKS
from chainrule.server.problems import ProblemError
from chainrule.server.settings import ACTIVATIONS, OWN, Points, Settings, Uploaded
from chainrule.training import Units

__all__ = ["Pair", "Task", "make_task"]

Pair = tuple[Dataset, Dataset]
"""Training and test data."""

_LARGEST_NUMERICAL = 100_000
_LARGEST_NETWORK = 20_000_000


@dataclass(frozen=True)
class Task:
    """One training's task.

    `units` is set if numbers are predicted: they are learned with mean 0 and standard deviation 1.
    """

    train: Dataset
    test: Dataset
    network: Sequential
    loss: Loss
    constant: float
    """The loss of the best constant answer."""
    units: Units | None = None

    def finished(self, network: Sequential) -> Sequential:
        """A network of this task, ready to be served: with class names, or predicting in the data's own units."""
        network.preparation = self.train.preparation
        if self.units is not None:
            return self.units.restored(network)
        network.labels = self.train.classes
        return network


def make_task(settings: Settings, mnist: Callable[[], Pair], uploads: Mapping[str, Pair]) -> Task:
    """The task that the settings describe.

    Raises:
        ProblemError: a name is unknown, or the network does not fit the data.
    """
    settings.check_names()
    train, test = _data(settings, mnist, uploads)
    units = None if train.classes else Units.of(train)
    if units is not None:
        train, test = units.standardized(train), units.standardized(test)
    network = _network(settings, train)
    if network.values.size > _LARGEST_NETWORK:
        raise ProblemError(422, f"the network would have {network.values.size:,} parameters: use fewer units")
    if settings.gradient == "numerical":
        if network.values.size > _LARGEST_NUMERICAL:
            raise ProblemError(
                422, f"{settings.network} has {network.values.size:,} parameters, too many to probe one by one: use "
                "two-layer"
            )  # fmt: skip
        network = network.astype("float64")
    if units is not None:
        return Task(train, test, network, MeanSquaredError(), 1.0, units)
    return Task(train, test, network, SoftmaxCrossEntropy(), math.log(len(train.classes)))


def _data(settings: Settings, mnist: Callable[[], Pair], uploads: Mapping[str, Pair]) -> Pair:
    if isinstance(settings.data, Points):
        count = 1 + int(max(point[2] for point in (*settings.data.points, *settings.data.held_out)))
        train = _dataset(settings.data.points, count)
        return train, _dataset(settings.data.held_out, count) if settings.data.held_out else train
    if isinstance(settings.data, Uploaded):
        if settings.data.upload not in uploads:
            raise ProblemError(404, "the server does not have this data any more: drop the file again")
        return uploads[settings.data.upload]
    return mnist()


def _dataset(points: list[list[float]], classes: int) -> Dataset:
    numbers = np.array(points)
    return Dataset(
        numbers[:, :2].astype(np.float32), numbers[:, 2].astype(np.uint8), tuple(map(str, range(1, classes + 1)))
    )


def _network(settings: Settings, train: Dataset) -> Sequential:
    outputs = len(train.classes) or 1
    is_picture = len(train.sample_shape) == 3
    if settings.network != OWN:
        if not is_picture:
            raise ProblemError(422, f"{settings.network} reads pictures, not points or rows of numbers: use {OWN}")
        return NETWORKS[settings.network](outputs).build(train.sample_shape, seed=settings.seed)
    layers: list[Layer] = [Flatten(), Scale(1 / 255)] if is_picture else []
    if not is_picture and not isinstance(settings.data, Points):
        layers.append(Standardize.of(train.x))
    for units in settings.hidden:
        layers += [Affine(units), ACTIVATIONS[settings.activation]()]
    return Sequential(*layers, Affine(outputs)).build(train.sample_shape, seed=settings.seed)
