"""Which implementation runs: the native twin of a kernel if it was compiled, otherwise the reference.

CHAINRULE_KERNELS=reference or native forces one; without it the twins are used if they were compiled.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from importlib import import_module
from typing import Any, ParamSpec, TypeVar

import numpy as np

from chainrule.arrays import quiet
from chainrule.errors import OptionError

__all__ = ["FOR_NUMPY", "IMPLEMENTATION", "NATIVE", "WITHOUT_TWIN", "accelerated", "work_alone"]

_MISSING = "no compiler was found when chainrule was installed"
try:
    _native: Any = import_module("chainrule.kernels._native")
except ModuleNotFoundError:
    _native = None
except ImportError as error:
    _native, _MISSING = None, f"the compiled kernels cannot be loaded ({error}); install chainrule again"

_CHOICE = os.environ.get("CHAINRULE_KERNELS", "")
if _CHOICE not in ("", "reference", "native"):
    raise OptionError(f"CHAINRULE_KERNELS must be reference or native, got {_CHOICE!r}")
if _CHOICE == "native" and _native is None:
    raise OptionError(
        "CHAINRULE_KERNELS=native, but the kernels were not compiled: install a C++ compiler, then chainrule again"
    )
if _CHOICE == "reference":
    _native = None


def _describe() -> str:
    if _native is not None:
        return f"native (C++, {_native.instruction_set()}, {_native.thread_count()} threads)"
    if _CHOICE == "reference":
        return "reference (NumPy), by CHAINRULE_KERNELS"
    return f"reference (NumPy): {_MISSING}"


IMPLEMENTATION = _describe()
"""A description of the implementation in use, for `chainrule info` and reports."""

NATIVE = _native is not None
"""Whether compiled kernels are in use."""


def work_alone() -> None:
    """From now on, kernels called by this thread run on this thread alone: for work in the background."""
    if _native is not None:
        _native.work_alone()


WITHOUT_TWIN: list[str] = []
"""The kernels that always run in NumPy, for `chainrule info`."""

FOR_NUMPY = "float16, integers, updates in place of arrays that are not dense"
"""The arguments that every kernel leaves to NumPy (except pixel data, which the twins read), in words."""

_P = ParamSpec("_P")
_R = TypeVar("_R")


def accelerated(reference: Callable[_P, _R]) -> Callable[_P, _R]:
    """The native twin of a reference kernel, or the reference itself.

    The twin takes dense float32 or float64 arrays of one dtype, and returns NotImplemented for others. Floats are then
    converted and tried again; everything else (integers, half precision) goes to the reference, as do in-place updates
    of arrays that are not dense. Neither warns of overflow: the result is infinite.
    """
    reference = quiet(reference)
    twin = getattr(_native, reference.__name__, None)
    if twin is None:
        WITHOUT_TWIN.append(reference.__name__)
        return reference

    @wraps(reference)
    def kernel(*arguments: _P.args, **options: _P.kwargs) -> _R:
        result: _R = twin(*arguments, **options)
        return _otherwise(twin, reference, *arguments, **options) if result is NotImplemented else result

    return kernel


def _otherwise(twin: Callable[..., Any], reference: Callable[_P, _R], *arguments: _P.args, **options: _P.kwargs) -> _R:
    in_place = reference.__name__.startswith("add_") or reference.__name__.endswith("_update")
    if not (in_place or options) and (floats := set(_float_dtypes(arguments))):
        result: _R = twin(*_dense(arguments, np.result_type(*floats)))
        if result is not NotImplemented:
            return result
    return reference(*arguments, **options)


def _float_dtypes(arguments: Iterable[Any]) -> Iterator[np.dtype[Any]]:
    for argument in arguments:
        if isinstance(argument, np.ndarray) and argument.dtype.kind == "f":
            yield argument.dtype
        elif isinstance(argument, list):
            yield from _float_dtypes(argument)


def _dense(arguments: Iterable[Any], dtype: np.dtype[Any]) -> list[Any]:
    """The arguments with dense arrays and one float dtype, including arrays in lists."""
    return [
        np.ascontiguousarray(a, dtype if a.dtype.kind == "f" else None)
        if isinstance(a, np.ndarray)
        else _dense(a, dtype)
        if isinstance(a, list)
        else a
        for a in arguments
    ]
