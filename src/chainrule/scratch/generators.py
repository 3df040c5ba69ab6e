"""Repeat the same random numbers: reset the generators that a script draws from to one state."""

import inspect
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

__all__ = ["same_random_numbers"]


@contextmanager
def same_random_numbers(layer: Any) -> Iterator[Callable[[], None]]:
    """Yield a function that resets the generators that a script draws from to their current state.

    These are NumPy's global generator, Python's, and those among the globals of the layer's module. The state is
    restored when the block ends.
    """
    spaces = [
        getattr(method, "__globals__", {})
        for cls in type(layer).__mro__
        for method in vars(cls).values()
        if inspect.isfunction(inspect.unwrap(method) if callable(method) else None)
    ]
    own = {id(value): value for space in spaces for value in space.values()}
    generators = [value for value in own.values() if isinstance(value, np.random.Generator)]
    states = [generator.bit_generator.state for generator in generators]
    old = [value for value in own.values() if isinstance(value, np.random.RandomState)]
    old_states = [value.get_state() for value in old]
    state, plain = np.random.get_state(), random.getstate()

    def again() -> None:
        np.random.set_state(state)
        random.setstate(plain)
        for generator, its_state in zip(generators, states, strict=True):
            generator.bit_generator.state = its_state
        for value, old_state in zip(old, old_states, strict=True):
            value.set_state(old_state)

    try:
        yield again
    finally:
        again()
