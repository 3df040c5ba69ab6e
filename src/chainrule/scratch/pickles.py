"""The lesson's pickled weights, read without danger: NumPy arrays and plain containers, and nothing else.

A pickle is a program. While `reading_arrays_only` lasts, Python's own `pickle` (and joblib, which builds on it) makes
arrays, numbers, texts, lists and dicts; a file that asks for anything else is refused by name.
"""

import io
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from chainrule.errors import DataError

__all__ = ["reading_arrays_only"]

_ARRAYS = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),  # protocol 5
    ("_codecs", "encode"),  # how Python 2's protocol writes bytes
    ("joblib.numpy_pickle", "NumpyArrayWrapper"),
}


class _Arrays:
    """`find_class` of both of Python's unpicklers."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ARRAYS:
            raise DataError(
                f"the pickle asks for {module}.{name}, and a pickle that runs code is not read: only NumPy arrays are"
            )
        return super().find_class(module, name)  # type: ignore[misc]


class _Fast(_Arrays, pickle.Unpickler):
    """The one in C."""


class _Plain(_Arrays, pickle._Unpickler):
    """The one in Python, which joblib builds on."""


def _load(file: IO[bytes], **options: Any) -> Any:
    return _Fast(file, **options).load()


def _loads(content: bytes, /, **options: Any) -> Any:
    return _Fast(io.BytesIO(content), **options).load()


_SAFE = {"load": _load, "loads": _loads, "Unpickler": _Fast, "_Unpickler": _Plain}


@contextmanager
def reading_arrays_only() -> Iterator[None]:
    """Within the block, pickle.load and its kin read arrays only.

    Raises:
        DataError: (by what reads) the pickle asks for something else.
    """
    before = {name: getattr(pickle, name) for name in _SAFE}
    try:
        for name, safe in _SAFE.items():
            setattr(pickle, name, safe)
        yield
    finally:
        for name, own in before.items():
            setattr(pickle, name, own)
