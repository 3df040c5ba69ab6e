"""Validates the training progress in a checkpoint: every field's type and range, before any is used."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainrule.training.history import Epoch

__all__ = ["check_count", "read_epoch", "read_form", "read_generator", "read_sums"]

_LARGEST = 2**53
"""The largest integer that all JSON readers represent exactly."""


def check_count(value: Any, what: str, most: int = _LARGEST) -> int:
    """A whole number from 0 to `most`.

    Raises:
        ValueError: it is not.
    """
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"{what} is {value!r:.40}, and must be a whole number from 0 to {most}")
    return value


def read_epoch(values: Any) -> Epoch:
    """An Epoch from its fields.

    Raises:
        TypeError, ValueError: a field is missing or invalid.
    """
    epoch = Epoch(**values)
    for name, value in values.items():
        if name in ("number", "step"):
            check_count(value, f"{name} of an epoch")
        elif value is not None or name in ("train_loss", "learning_rate", "seconds", "images_per_second"):
            _check_number(value, f"{name} of an epoch")
    if epoch.seconds <= 0:
        raise ValueError(f"an epoch took {epoch.seconds} seconds")
    return epoch


def read_form(values: Any, position: Any) -> dict[str, int] | None:
    """Samples and batch size of the current epoch, of which `position` steps are done.

    Raises:
        KeyError, TypeError, ValueError: they are invalid, or have fewer steps.
    """
    if values is None:
        check_count(position, "position", 0)
        return None
    form = {name: check_count(values[name], name) for name in ("samples", "batch_size")}
    if not form["batch_size"]:
        raise ValueError("batch_size is 0")
    check_count(position, "position", math.ceil(form["samples"] / form["batch_size"]))
    return form


def read_sums(values: Any, like: Mapping[str, float]) -> dict[str, float]:
    """Sums of the current epoch, with the names of `like`.

    Raises:
        KeyError, TypeError, ValueError: one is missing or not finite.
    """
    for name in like:
        _check_number(values[name], f"the sum of {name}")
    return {name: values[name] for name in like}


def read_generator(state: Any) -> np.random.PCG64:
    """A generator in this state.

    Raises:
        KeyError, TypeError, ValueError, OverflowError: it is not one of PCG64.
    """
    generator = np.random.PCG64()
    generator.state = state
    if generator.state != state:  # NumPy rounds
        raise ValueError("the random generator's state is not one of PCG64")
    return generator


def _check_number(value: Any, what: str) -> None:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"{what} is {value!r:.40}, and must be a finite number")
