"""Trained Parameters and saved Buffers of a layer; all values of a network lie in one flat array."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array
from chainrule.errors import ShapeError

__all__ = ["Buffer", "Parameter", "flat_buffers", "held", "placed", "spans"]


class Parameter:
    """A trained array and the gradient of the loss with respect to it.

    Once the network is built, both are views into flat buffers, so assigning to `value` or `grad` copies into them.

    Args:
        value: the initial array, any shape; stored without a copy.
        grad: its gradient, or None for zeros.
        decay: whether weight decay applies (weights yes, biases no).

    Attributes:
        frozen: whether optimizers leave it unchanged.
        holding: whether a product added to the gradient may be deferred to the optimizer; `held` sets it.
    """

    def __init__(self, value: Array, grad: Array | None = None, decay: bool = True) -> None:
        self._value = value
        self._grad = np.zeros_like(value) if grad is None else grad
        self.decay = decay
        self.frozen = False
        self.holding = False
        self._product: tuple[Array, Array] | None = None  # the deferred product, not yet added to the gradient
        self._home: tuple[Array, Array] | None = None  # the flat buffers that hold it
        self._start = 0  # and its offset in them

    @property
    def value(self) -> Array:
        return self._value

    @value.setter
    def value(self, value: Array) -> None:
        if value is not self._value:  # `parameter.value -= step` has already written in place
            _copy_into(self._value, value)

    @property
    def grad(self) -> Array:
        if self._product is not None:
            self.add_waiting()
        return self._grad

    @grad.setter
    def grad(self, grad: Array) -> None:
        if grad is not self._grad:
            _copy_into(self._grad, grad)
            self._product = None

    def add_product(self, x: Array, dy: Array) -> None:
        """grad += x^T dy, for x (N, D), dy (N, H) and a gradient (D, H).

        While `holding` it may be deferred until the gradient is read or an optimizer takes it; do not change x and dy.
        """
        if self.holding and self._product is None:
            self._product = x, dy
        else:
            kernels.add_affine_weight_gradient(x, dy, self.grad)

    @property
    def waits(self) -> bool:
        """Whether a deferred product is still to be added."""
        return self._product is not None

    def add_waiting(self) -> None:
        """Add the deferred product, if there is one."""
        if self._product is not None:
            kernels.add_affine_weight_gradient(*self._product, self._grad)
            self._product = None

    def take_product(self) -> tuple[Array, Array]:
        """Remove and return x and dy of the deferred product; it is not added to the gradient."""
        assert self._product is not None
        product, self._product = self._product, None
        return product

    @property
    def shape(self) -> tuple[int, ...]:
        return self._value.shape

    @property
    def size(self) -> int:
        return self._value.size

    def cast(self, dtype: np.dtype[Any]) -> None:
        """Convert value and gradient to `dtype`; the flat buffers are laid out again on next use."""
        self._value, self._grad, self._home = self._value.astype(dtype), self.grad.astype(dtype), None

    def __getstate__(self) -> dict[str, Any]:
        return {"value": self._value, "grad": self.grad, "decay": self.decay, "frozen": self.frozen}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["value"].copy(), state["grad"].copy(), state["decay"])  # type: ignore[misc]
        self.frozen = state["frozen"]

    def __repr__(self) -> str:
        return f"Parameter(shape={self.shape}, dtype={self.value.dtype}, decay={self.decay})"


class Buffer:
    """An array that is saved with the network and not trained, such as a running mean."""

    def __init__(self, value: Array) -> None:
        self._value = value

    @property
    def value(self) -> Array:
        return self._value

    @value.setter
    def value(self, value: Array) -> None:
        if value is not self._value:
            _copy_into(self._value, value)

    def cast(self, dtype: np.dtype[Any]) -> None:
        """Convert to `dtype`."""
        self._value = self._value.astype(dtype)


def _copy_into(array: Array, value: Array) -> None:
    if np.shape(value) != array.shape:
        raise ShapeError(f"an array of shape {array.shape} cannot become one of shape {np.shape(value)}")
    array[...] = value


def flat_buffers(parameters: Iterable[Parameter], waiting: bool = False) -> tuple[Array, Array]:
    """All values and all gradients, each as one array (P,) that the parameters are views of.

    Deferred products are added to the gradients first, unless `waiting` lets them stay deferred.

    If the parameters already lie side by side in one buffer (a network within a network), a slice of it is returned;
    otherwise they are copied into new buffers and become views of those.
    """
    members = list(parameters)
    if not members:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    home, start = members[0]._home, members[0]._start
    stop = start
    for parameter in members:
        if home is None or parameter._home is not home or parameter._start != stop:
            return _move(members)
        if parameter._product is not None and not waiting:
            parameter.add_waiting()
        stop += parameter._value.size
    assert home is not None
    return home[0][start:stop], home[1][start:stop]


def _move(members: list[Parameter]) -> tuple[Array, Array]:
    size, dtype = sum(parameter.size for parameter in members), members[0].value.dtype
    home = np.empty(size, dtype), np.empty(size, dtype)
    start = 0
    for parameter in members:
        stop = start + parameter.size
        for buffer, old in zip(home, (parameter.value, parameter.grad), strict=True):
            buffer[start:stop] = old.ravel()
        parameter._value = home[0][start:stop].reshape(parameter.shape)
        parameter._grad = home[1][start:stop].reshape(parameter.shape)
        parameter._home, parameter._start = home, start
        start = stop
    return home


@contextmanager
def held(parameters: Sequence[Parameter]) -> Iterator[None]:
    """Within the block, products may be deferred to the optimizer's step; at its end the remaining ones are added."""
    for parameter in parameters:
        parameter.holding = True
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.holding = False
            parameter.add_waiting()


def placed(parameters: Iterable[Parameter]) -> Iterator[tuple[Parameter, slice]]:
    """Each parameter with the slice of the flat buffers that holds it."""
    start = 0
    for parameter in parameters:
        stop = start + parameter.size
        yield parameter, slice(start, stop)
        start = stop


def spans(parameters: Iterable[Parameter], wanted: Callable[[Parameter], bool]) -> Iterator[slice]:
    """The slices of the flat buffers that hold wanted parameters; a single slice if all are wanted."""
    start = stop = 0
    for parameter in parameters:
        if not wanted(parameter):
            if stop > start:
                yield slice(start, stop)
            start = stop + parameter.size
        stop += parameter.size
    if stop > start:
        yield slice(start, stop)
