"""Which implementation runs: the compiled twin of a kernel where there is one, else the reference.

CHAINRULE_KERNELS=reference or native forces one; without it the twins serve wherever they were compiled.
"""

import os
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np

from chainrule.errors import OptionError

__all__ = ["IMPLEMENTATION", "accelerated"]

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

if _native is not None:
    IMPLEMENTATION = f"native (C++, {_native.instruction_set()}, {_native.thread_count()} threads)"
elif _CHOICE == "reference":
    IMPLEMENTATION = "reference (NumPy), by CHAINRULE_KERNELS"
else:
    IMPLEMENTATION = "reference (NumPy): no compiler was at hand when chainrule was installed"

P = ParamSpec("P")
R = TypeVar("R")


def accelerated(reference: Callable[P, R]) -> Callable[P, R]:
    """The native twin of a reference kernel, or the reference itself.

    The twin takes dense float32 or float64 arrays of one kind. Others are made so if they are floats; what is left
    (integers, half precision) goes to the reference, as do updates in place of arrays that are not dense.
    """
    twin = getattr(_native, reference.__name__, None)
    if twin is None:
        return reference

    @wraps(reference)
    def kernel(*arguments: P.args, **options: P.kwargs) -> R:
        try:
            result: R = twin(*arguments)
            return result
        except TypeError:
            return _otherwise(twin, reference, arguments)

    return kernel


def _otherwise(twin: Callable[..., Any], reference: Callable[..., R], arguments: tuple[Any, ...]) -> R:
    if not reference.__name__.endswith("_update"):
        floats = {a.dtype for a in arguments if isinstance(a, np.ndarray) and a.dtype.kind == "f"}
        if floats:
            dtype = np.result_type(*floats)
            dense = [
                np.ascontiguousarray(a, dtype if a.dtype.kind == "f" else None) if isinstance(a, np.ndarray) else a
                for a in arguments
            ]
            try:
                result: R = twin(*dense)
                return result
            except TypeError:
                pass
    return reference(*arguments)
