"""The base class of every optimizer: a step over the flat buffers, its state, and its step count."""

import math
from collections.abc import Mapping
from typing import Protocol

import numpy as np

from chainrule.arrays import Array, quiet
from chainrule.config import Configured
from chainrule.errors import ModelFileError, OptionError
from chainrule.parameters import Buffer, Parameter, flat_buffers, spans
from chainrule.schedules import Rate, Schedule, rate_at

__all__ = ["Optimizer", "Trainable", "check_share", "decays", "trains"]


class Trainable(Protocol):
    """What an optimizer sees of a network."""

    @property
    def parameters(self) -> dict[str, Parameter]: ...
    @property
    def buffers(self) -> dict[str, Buffer]: ...
    @property
    def values(self) -> Array: ...
    @property
    def gradients(self) -> Array: ...


class Optimizer(Configured):
    """Updates the parameters of one network from their gradients.

    A subclass names its state arrays (each as long as the flat buffer, initially zero) and writes `update`.

    Attributes:
        takes_products: whether `apply` computes a deferred product together with its update, in one pass.
        learning_rate: a number, or a Schedule.
        weight_decay: how strongly decaying parameters (weights, not biases) are pulled to zero: weight_decay * p is
            added to their gradient, unless a subclass does it differently.
        steps: the number of steps done.
    """

    state_names: tuple[str, ...] = ()
    learning_rate: Rate
    weight_decay: float
    state: dict[str, Array] | None = None
    steps: int = 0

    def __init__(self, learning_rate: Rate, weight_decay: float = 0.0) -> None:
        if not isinstance(learning_rate, Schedule) and not (math.isfinite(learning_rate) and learning_rate > 0):
            raise OptionError(f"learning_rate must be a number above 0, got {learning_rate}: 0.1 is a usual start")
        if not (math.isfinite(weight_decay) and weight_decay >= 0):
            raise OptionError(f"weight_decay must be 0 or above, got {weight_decay}: 0.0001 is usual")
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay

    @property
    def takes_products(self) -> bool:
        return False

    @property
    def rate(self) -> float:
        """The learning rate of the next step."""
        return rate_at(self.learning_rate, self.steps)

    @quiet
    def step(self, network: Trainable) -> None:
        """Update all parameters that are not frozen, then clear the gradients."""
        parameters = list(network.parameters.values())
        values, gradients = flat_buffers(parameters, waiting=self.takes_products)
        if self.state is None:
            self.state = {name: np.zeros_like(values) for name in self.state_names}
        for array in self.state.values():
            if array.shape != values.shape:
                raise OptionError(f"{self!r} has trained a network of {array.size} parameters: create a new optimizer")
        rate = self.rate
        self.steps += 1
        self.decay(values, gradients, parameters, rate)
        self.apply(values, gradients, parameters, rate)
        for parameter in parameters:
            if parameter.frozen:
                parameter.grad.fill(0)

    def decay(self, values: Array, gradients: Array, parameters: list[Parameter], rate: float) -> None:
        """Weight decay: g <- g + weight_decay p, for the parameters that decay."""
        if self.weight_decay:
            for span in spans(parameters, decays):
                gradients[span] += self.weight_decay * values[span]

    def apply(self, values: Array, gradients: Array, parameters: list[Parameter], rate: float) -> None:
        """Update every slice of the flat buffers that is not frozen, and clear its gradients."""
        for span in spans(parameters, trains):
            self.update(values[span], gradients[span], self.state_of(span), rate)

    def state_of(self, span: slice) -> dict[str, Array]:
        """The state arrays of a slice of the flat buffers."""
        assert self.state is not None
        return {name: array[span] for name, array in self.state.items()}

    def update(self, values: Array, gradients: Array, state: dict[str, Array], rate: float) -> None:
        """Change `values` (P,) and `state` in place, and clear `gradients`."""
        raise NotImplementedError(f"{type(self).__name__} has no update")

    def load_state(self, state: Mapping[str, Array], steps: int, size: int) -> None:
        """Restore the state arrays and steps from a checkpoint, for a network of `size` parameters.

        Raises:
            ModelFileError: arrays are missing or have another size; nothing is changed.
        """
        if state and dict.fromkeys(self.state_names, (size,)) != {name: array.shape for name, array in state.items()}:
            raise ModelFileError(f"the checkpoint's optimizer state does not fit {self!r} and {size} parameters")
        self.state = {name: array.copy() for name, array in state.items()} if state else None
        self.steps = steps


def trains(parameter: Parameter) -> bool:
    """Whether a parameter is updated."""
    return not parameter.frozen


def decays(parameter: Parameter) -> bool:
    """Whether weight decay applies to a parameter."""
    return parameter.decay and not parameter.frozen


def check_share(value: float, what: str, usual: float) -> None:
    """Raise OptionError unless `value` is a valid decay of a running mean: 0 up to, not including, 1."""
    if not 0 <= value < 1:
        raise OptionError(f"{what} must be from 0 up to (not including) 1, got {value}: {usual} is usual")
