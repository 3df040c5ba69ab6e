"""Which implementation runs: the compiled twin of a kernel where there is one, else the reference.

CHAINRULE_KERNELS=reference or native forces one; without it the twins serve wherever they were compiled.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from chainrule.errors import OptionError

__all__ = ["IMPLEMENTATION", "NATIVE", "accelerated", "work_alone"]

try:
    from chainrule.kernels import _native  # type: ignore[attr-defined]
except ImportError:
    _native = None

_CHOICE = os.environ.get("CHAINRULE_KERNELS", "")
if _CHOICE not in ("", "reference", "native"):
    raise OptionError(f"CHAINRULE_KERNELS must be reference or native, got {_CHOICE!r}")
if _CHOICE == "native" and _native is None:
    raise OptionError(
        "CHAINRULE_KERNELS=native, but these were not compiled: install chainrule again where there is a C++ compiler"
    )
if _CHOICE == "reference":
    _native = None


def _describe() -> str:
    if _native is not None:
        return f"native (C++, {_native.instruction_set()}, {_native.thread_count()} threads)"
    if _CHOICE == "reference":
        return "reference (NumPy), by CHAINRULE_KERNELS"
    return "reference (NumPy): no compiler was at hand when chainrule was installed"


IMPLEMENTATION = _describe()
"""The implementation in use, for `chainrule info` and reports."""

NATIVE = _native is not None
"""Whether compiled kernels are in use."""


def work_alone() -> None:
    """From now on kernels called by this thread run on it alone: for work in the background of another's."""
    if _native is not None:
        _native.work_alone()


_P = ParamSpec("_P")
_R = TypeVar("_R")


def accelerated(reference: Callable[_P, _R]) -> Callable[_P, _R]:
    """The native twin of a reference kernel, or the reference itself.

    The twin takes dense float32 or float64 arrays of one kind. Others are made so if they are floats; what is left
    (integers, half precision) goes to the reference, as do updates in place of arrays that are not dense.
    """
    twin = getattr(_native, reference.__name__, None)
    if twin is None:
        return reference

    @wraps(reference)
    def kernel(*arguments: _P.args, **options: _P.kwargs) -> _R:
        try:
            result: _R = twin(*arguments, **options)
            return result
        except TypeError:
            return reference(*arguments, **options) if options else _otherwise(twin, reference, arguments)

    return kernel


def _otherwise(twin: Callable[..., Any], reference: Callable[..., _R], arguments: tuple[Any, ...]) -> _R:
    in_place = reference.__name__.startswith("add_") or reference.__name__.endswith("_update")
    if not in_place and (floats := set(_float_dtypes(arguments))):
        try:
            result: _R = twin(*_dense(arguments, np.result_type(*floats)))
            return result
        except TypeError:
            pass
    return reference(*arguments)


def _float_dtypes(arguments: Iterable[Any]) -> Iterator[np.dtype[Any]]:
    for argument in arguments:
        if isinstance(argument, np.ndarray) and argument.dtype.kind == "f":
            yield argument.dtype
        elif isinstance(argument, list):
            yield from _float_dtypes(argument)


def _dense(arguments: Iterable[Any], dtype: np.dtype[Any]) -> list[Any]:
    """The arguments with arrays dense and floats of one kind, those in lists included."""
    return [
        np.ascontiguousarray(a, dtype if a.dtype.kind == "f" else None)
        if isinstance(a, np.ndarray)
        else _dense(a, dtype)
        if isinstance(a, list)
        else a
        for a in arguments
    ]
