"""Pickles read without danger: NumPy arrays, plain containers, and objects that this very run has pickled.

A pickle is a program. While `reading_arrays_only` lasts, Python's own `pickle` (and joblib, which builds on it) makes
arrays, numbers, texts and containers; a file that asks for anything else is refused by name. The states of arrays and
dtypes are checked as well, since NumPy takes them at their word: a forged one makes pointers of bytes.
"""

import collections
import io
import math
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import BuiltinFunctionType, FunctionType
from typing import IO, Any, ClassVar

import numpy as np

from chainrule.errors import DataError
from chainrule.scratch.answer import COURSE
from chainrule.scratch.whose import is_installed

__all__ = ["reading_arrays_only"]


class _Named(np.ndarray):
    """Stands for `numpy.ndarray` in a pickle, which may name it and not call it."""

    def __new__(cls, *arguments: Any, **options: Any) -> "_Named":
        raise DataError("the pickle calls numpy.ndarray: only what pickle.dump writes of an array is read")


def _reconstruct(kind: type, shape: Any, code: Any) -> np.ndarray[Any, Any]:
    """The empty array whose state follows."""
    if kind is not _Named:
        raise DataError(f"the pickle makes an array of {kind}: only numpy.ndarray is read")
    return np.ndarray.__new__(np.ndarray, (0,), "b")


def _dtype(kind: Any, align: bool = False, copy: bool = True) -> np.dtype[Any]:
    """Always a copy: the state that follows changes it."""
    made: np.dtype[Any] = np.dtype(kind, False, True)
    return made


def _scalar(dtype: Any, content: Any = b"") -> Any:
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise DataError(f"the pickle makes a number of {dtype}: only numbers and texts are read")
    return np.frombuffer(_bytes(content, "latin1"), dtype, 1)[0]


def _frombuffer(content: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> np.ndarray[Any, Any]:
    array = np.frombuffer(content, dtype)
    return array.reshape(shape, order=order) if axes is None else array.reshape(shape).transpose(axes)


def _bytes(content: Any = b"", encoding: str = "latin1") -> bytes:
    if not isinstance(content, str | bytes | bytearray):
        raise DataError(f"the pickle makes bytes of {type(content).__name__}")
    return content.encode("latin1") if isinstance(content, str) else bytes(content)


def _bytearray(content: Any = b"", encoding: str = "latin1") -> bytearray:
    return bytearray(_bytes(content))


_CORES = ("numpy.core", "numpy._core")
_READ: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Named,
    ("numpy", "dtype"): _dtype,
    **{(f"{core}.multiarray", "_reconstruct"): _reconstruct for core in _CORES},
    **{(f"{core}.multiarray", "scalar"): _scalar for core in _CORES},
    **{(f"{core}.numeric", "_frombuffer"): _frombuffer for core in _CORES},  # protocol 5
    ("_codecs", "encode"): _bytes,  # how protocols below 3 write bytes
    ("builtins", "bytes"): _bytes,
    ("builtins", "bytearray"): _bytearray,
    **{("builtins", kind.__name__): kind for kind in (bool, complex, dict, float, frozenset, int, list, set, tuple)},
    **{
        ("collections", name): getattr(collections, name) for name in ("Counter", "OrderedDict", "defaultdict", "deque")
    },
}
"""What a pickle may name -> what it gets."""


class _Reader(pickle._Unpickler):
    """Python's unpickler in Python, which joblib builds on, with what a pickle may name and what states it may set."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)

    def find_class(self, module: str, name: str) -> Any:
        module = "builtins" if module == "__builtin__" else module  # Python 2's name, in protocols below 3
        if (module, name) in _READ:
            return _READ[module, name]
        if (module, name) in _WRITTEN or (module, name) == ("joblib.numpy_pickle", "NumpyArrayWrapper"):
            return super().find_class(module, name)
        raise DataError(
            f"the pickle asks for {module}.{name}, and a pickle that runs code is not read: only arrays, numbers, texts"
            " and containers are (pickle a network's params rather than the network)"
        )

    def load_build(self) -> None:
        made, state = self.stack[-2:]  # type: ignore[attr-defined]
        if isinstance(made, type | FunctionType | BuiltinFunctionType):
            raise DataError(f"the pickle changes {made.__name__}: it is not read")
        if isinstance(made, np.dtype):
            _check_dtype(made, state)
        elif isinstance(made, np.ndarray):
            _check_array(made, state)
        elif isinstance(state, dict) and state.get("subclass") is _Named:  # joblib's array
            state["subclass"] = np.ndarray
        super().load_build()  # type: ignore[misc]

    dispatch[pickle.BUILD[0]] = load_build


def _check_dtype(made: np.dtype[Any], state: Any) -> None:
    """Whether NumPy itself would write this state of a dtype."""
    try:
        order: Any = state[1]
        subarray, names, fields, size, _, flags = state[2:8]
        order = order.decode() if isinstance(order, bytes) else order
        whole = made
        if subarray is not None:
            whole = np.dtype(tuple(subarray))
        elif names is not None:
            formats, offsets = [fields[name][0] for name in names], [fields[name][1] for name in names]
            described: Any = {"names": list(names), "formats": formats, "offsets": offsets, "itemsize": size}
            whole = np.dtype(described, align=bool(flags & 0x80))
        elif len(state) == 9:
            unit, count = state[8][1][:2]
            whole = np.dtype(f"{made.kind}8[{count}{unit.decode()}]")
        expected: Any = (whole if order == "|" else whole.newbyteorder(order)).__reduce__()
        fits = (order, *state[2:]) == expected[2][1:]
    except (TypeError, ValueError, IndexError, KeyError, AttributeError):
        fits = False
    if not fits:
        raise DataError(f"the pickle forges numpy.dtype({made.str!r}): its state is none that NumPy writes")


def _check_array(made: np.ndarray[Any, Any], state: Any) -> None:
    """Whether the content fills the shape, and an array that was just made takes it."""
    try:
        _, shape, dtype, _, content = state
        count = math.prod(shape) if all(type(length) is int and length >= 0 for length in shape) else -1
        if dtype.kind == "O":
            fits = isinstance(content, list) and len(content) == count
        else:
            fits = not dtype.hasobject and len(content) == count * dtype.itemsize and isinstance(content, str | bytes)
        fits = fits and isinstance(dtype, np.dtype) and type(made) is np.ndarray and made.size == 0
    except (TypeError, ValueError, AttributeError):
        fits = False
    if not fits:
        raise DataError("the pickle forges a numpy.ndarray: its content does not fill its shape")


_WRITTEN: set[tuple[str, str]] = set()
"""Classes of the learner's own and of the course whose objects this run has pickled: they are read again."""


class _Remembering:
    """`reducer_override` of both of Python's picklers is asked about each class that is written."""

    def reducer_override(self, thing: Any) -> Any:
        if isinstance(thing, type):
            file = getattr(sys.modules.get(thing.__module__), "__file__", None)
            if thing.__module__ in COURSE.values() or (file and not is_installed(file)):
                _WRITTEN.add((thing.__module__, thing.__qualname__))
        return NotImplemented


class _Writer(_Remembering, pickle.Pickler):
    """The one in C."""


class _PlainWriter(_Remembering, pickle._Pickler):
    """The one in Python, which joblib builds on."""


def _dump(thing: Any, file: IO[bytes], protocol: int | None = None, **options: Any) -> None:
    _Writer(file, protocol, **options).dump(thing)


def _dumps(thing: Any, protocol: int | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    _dump(thing, file, protocol, **options)
    return file.getvalue()


def _load(file: IO[bytes], **options: Any) -> Any:
    try:
        return _Reader(file, **options).load()
    except (KeyError, IndexError) as error:  # as the unpickler in C says it
        raise pickle.UnpicklingError(f"the pickle is damaged: {error!r}") from None


def _loads(content: bytes, /, **options: Any) -> Any:
    return _load(io.BytesIO(content), **options)


_SAFE: dict[str, Callable[..., Any]] = {
    "load": _load,
    "loads": _loads,
    "Unpickler": _Reader,
    "_Unpickler": _Reader,
    "dump": _dump,
    "dumps": _dumps,
    "Pickler": _Writer,
    "_Pickler": _PlainWriter,
}


@contextmanager
def reading_arrays_only() -> Iterator[None]:
    """Within the block, pickle.load and its kin read arrays, containers and what the block itself has pickled.

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
        _WRITTEN.clear()
