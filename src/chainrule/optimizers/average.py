"""WeightAverage: a running mean of the weights, which often predicts better than the weights themselves."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, quiet
from chainrule.config import Configured
from chainrule.errors import ModelFileError, OptionError
from chainrule.optimizers.base import Trainable, check_share

__all__ = ["WeightAverage"]

_VALUES = "values"


class WeightAverage(Configured):
    """average <- d average + (1 - d) weights after each step, with d = min(decay, (1 + n) / (10 + n)) at step n
    (Polyak and Juditsky 1992; the slow start follows TensorFlow's moving average).

    Buffers (running means of BatchNorm) are averaged as well. One object serves one network.

    Args:
        decay: the fraction of the average kept at each step after the slow start.

    Example:
        >>> average = WeightAverage(0.999)
        >>> optimizer.step(net); average.update(net)
        >>> with average.applied(net):
        ...     evaluate(net, test)
    """

    def __init__(self, decay: float = 0.999) -> None:
        check_share(decay, "decay", 0.999)
        self.decay = decay
        self.steps = 0
        self.state: dict[str, Array] | None = None

    @quiet
    def update(self, network: Trainable) -> None:
        """Add the current weights to the average."""
        current = _arrays(network)
        if self.state is None:
            self.state = {name: array.copy() for name, array in current.items()}
        self._check(current)
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, array in current.items():
            kernels.average_update(self.state[name], array, decay)
        self.steps += 1

    def apply(self, network: Trainable) -> None:
        """Give the network the averaged weights.

        Raises:
            OptionError: there is no average yet.
        """
        if self.state is None:
            raise OptionError(f"{self!r} has seen no weights yet: call update(network) after a step")
        current = _arrays(network)
        self._check(current)
        for name, array in current.items():
            array[...] = self.state[name]

    @contextmanager
    def applied(self, network: Trainable) -> Iterator[None]:
        """Within the block the network has the averaged weights; afterwards it has its own again."""
        current = _arrays(network)
        own = {name: array.copy() for name, array in current.items()}
        self.apply(network)
        try:
            yield
        finally:
            for name, array in current.items():
                array[...] = own[name]

    def load_state(self, state: Mapping[str, Array], steps: int, network: Trainable) -> None:
        """Restore the average from a checkpoint.

        Raises:
            ModelFileError: the checkpoint belongs to another network; nothing is changed.
        """
        if state and {name: array.shape for name, array in state.items()} != _shapes(_arrays(network)):
            raise ModelFileError("the checkpoint's averaged weights do not belong to this network")
        self.state = {name: array.copy() for name, array in state.items()} if state else None
        self.steps = steps

    def _check(self, current: dict[str, Array]) -> None:
        assert self.state is not None
        if _shapes(self.state) != _shapes(current):
            raise OptionError(f"{self!r} has averaged another network: create a new one")


def _arrays(network: Trainable) -> dict[str, Array]:
    return {_VALUES: network.values} | {name: buffer.value for name, buffer in network.buffers.items()}


def _shapes(arrays: Mapping[str, Array]) -> dict[str, tuple[int, ...]]:
    return {name: np.shape(array) for name, array in arrays.items()}
