"""How gradients change the parameters: one pass over the flat buffers a step."""

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array
from chainrule.config import Configured
from chainrule.errors import ModelFileError, OptionError
from chainrule.parameters import Parameter, trained_spans

__all__ = ["SGD", "Optimizer", "Trainable"]


class Trainable(Protocol):
    """What an optimizer sees of a network."""

    @property
    def parameters(self) -> dict[str, Parameter]: ...
    @property
    def values(self) -> Array: ...
    @property
    def gradients(self) -> Array: ...


class Optimizer(Configured):
    """Moves the parameters along their gradients; serves one network.

    A subclass names its state arrays (each as long as the flat buffer, zero at first) and writes `update`.
    """

    state_names: tuple[str, ...] = ()
    learning_rate: float
    state: dict[str, Array] | None = None

    def step(self, network: Trainable) -> None:
        """One update of all parameters that are not frozen; uses the gradients and clears them."""
        values, gradients = network.values, network.gradients
        if self.state is None:
            self.state = {name: np.zeros_like(values) for name in self.state_names}
        for array in self.state.values():
            if array.shape != values.shape:
                raise OptionError(f"{self!r} has trained a network of {array.size} parameters: make a new optimizer")
        self.prepare(network)
        for span in trained_spans(network.parameters.values()):
            self.update(values[span], gradients[span], {name: array[span] for name, array in self.state.items()})
        gradients.fill(0)

    def prepare(self, network: Trainable) -> None:
        """What is done to the gradients before the update, such as weight decay."""

    def update(self, values: Array, gradients: Array, state: dict[str, Array]) -> None:
        """Change `values` (P,) and `state` in place."""
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def load_state(self, state: Mapping[str, Array], size: int) -> None:
        """Take over the state arrays of a checkpoint, for a network of `size` parameters.

        Raises:
            ModelFileError: arrays are missing or of another size; nothing is changed then.
        """
        if state and dict.fromkeys(self.state_names, (size,)) != {name: array.shape for name, array in state.items()}:
            raise ModelFileError(f"the checkpoint's optimizer state does not fit {self!r} and {size} parameters")
        self.state = {name: array.copy() for name, array in state.items()} if state else None


class SGD(Optimizer):
    """Stochastic gradient descent: v <- momentum v + g;  p <- p - learning_rate v.

    With `nesterov`, p <- p - learning_rate (g + momentum v). Weight decay adds weight_decay * p to the gradient of the
    parameters that decay (weights, not biases). Sutskever et al. 2013, "On the importance of initialization and
    momentum in deep learning".

    Args:
        learning_rate: above 0.
        momentum: 0 (none) up to, not including, 1.
        nesterov: look ahead along the momentum.
        weight_decay: 0 (none) or above.
    """

    def __init__(
        self, learning_rate: float = 0.01, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0
    ) -> None:
        if not (math.isfinite(learning_rate) and learning_rate > 0):
            raise OptionError(f"learning_rate must be a number above 0, got {learning_rate}: 0.1 is a usual start")
        if not 0 <= momentum < 1:
            raise OptionError(f"momentum must be from 0 up to (not including) 1, got {momentum}: 0.9 is usual")
        if nesterov and momentum == 0:
            raise OptionError("nesterov needs a momentum above 0: 0.9 is usual")
        if not (math.isfinite(weight_decay) and weight_decay >= 0):
            raise OptionError(f"weight_decay must be 0 or above, got {weight_decay}: 0.0001 is usual")
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.nesterov = nesterov
        self.weight_decay = weight_decay
        self.state_names = ("velocity",) if momentum else ()

    def prepare(self, network: Trainable) -> None:
        if self.weight_decay:
            for parameter in network.parameters.values():
                if parameter.decay:
                    parameter.grad += self.weight_decay * parameter.value

    def update(self, values: Array, gradients: Array, state: dict[str, Array]) -> None:
        velocity = state.get("velocity")
        kernels.sgd_update(values, gradients, velocity, self.learning_rate, self.momentum, self.nesterov)
