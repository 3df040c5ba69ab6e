"""Read pickles safely: only NumPy arrays, plain containers, and objects that this same run has pickled.

A pickle is a program. Within `reading_arrays_only`, every reader (pickle, _pickle, joblib, multiprocessing; imported
before or after) creates only arrays, numbers, strings and containers; a file that asks for anything else is refused,
and the error names what it asked for. NumPy trusts what a pickle says about an array, so a forged pickle can turn bytes
into pointers. Arrays and dtypes are therefore created by the functions here, which check everything before NumPy gets
it.
"""

import builtins
import collections
import hashlib
import io
import math
import multiprocessing.reduction
import pickle
import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import BuiltinFunctionType, FunctionType
from typing import IO, Any, NoReturn

import numpy as np

from chainrule.errors import DataError
from chainrule.scratch.answer import COURSE
from chainrule.scratch.whose import is_installed

__all__ = ["load_arrays", "reading_arrays_only"]

_DTYPE = re.compile(r"[?bB]|b1|[iu][1248]|f(2|4|8|16)|c(8|16|32)|[SU][1-9]\d{0,8}|O[48]?")
"""Codes of the accepted dtypes: numbers, strings, and objects (which the pickle stores as a list)."""

_LATIN = ("latin1", "latin-1", "iso-8859-1")


def _forged(what: str, why: str) -> NoReturn:
    raise DataError(f"the pickle contains a forged {what}: {why}")


class _Named(np.ndarray):
    """Stands in for `numpy.ndarray`, which a pickle may name but not call."""

    def __new__(cls, *arguments: Any, **options: Any) -> "_Named":
        raise DataError("the pickle calls numpy.ndarray, which pickle.dump never writes: refused")


def _reconstruct(kind: Any, shape: Any, code: Any) -> np.ndarray[Any, Any]:
    """Return the empty array whose state follows in the pickle."""
    if kind is not _Named or shape != (0,) or code not in ("b", b"b"):
        _forged("numpy.ndarray", f"it begins with {kind!r:.40}, {shape!r:.40} and {code!r:.40}")
    return np.ndarray.__new__(np.ndarray, (0,), "b")


def _dtype(code: Any, align: Any = False, copy: Any = True) -> np.dtype[Any]:
    """Return a plain dtype, always a new object, because the state that follows may change its byte order."""
    code = code.decode("latin1") if isinstance(code, bytes) else code
    if not isinstance(code, str) or not _DTYPE.fullmatch(code):
        raise DataError(f"the pickle has an array or number of dtype {code!r:.40}: only numbers and strings are read")
    made: np.dtype[Any] = np.dtype(code, False, True)
    return made


def _order(made: np.dtype[Any], state: Any) -> None:
    """Set the byte order from a dtype's state, provided that NumPy writes such a state for this dtype."""
    if isinstance(state, tuple) and len(state) > 1 and isinstance(state[1], bytes):  # Python 2
        state = (state[0], state[1].decode("latin1"), *state[2:])
    for dtype in (made, made.newbyteorder("S")):
        own: Any = dtype.__reduce__()
        if state == own[2]:
            made.__setstate__(own[2])  # type: ignore[attr-defined]
            return
    _forged(f"numpy.dtype({made.str!r})", "NumPy never writes such a state")


def _content(dtype: Any, shape: Any, content: Any) -> Any:
    """Return the content of an array after checking that it fills the shape and that each element is valid."""
    if not isinstance(dtype, np.dtype) or not _DTYPE.fullmatch(dtype.str.lstrip("<>|=")):
        _forged("numpy.ndarray", f"its dtype is {dtype!r:.40}")
    plain = isinstance(shape, tuple) and len(shape) <= 32 and all(type(n) is int and n >= 0 for n in shape)
    if not plain or math.prod(max(n, 1) for n in shape) * dtype.itemsize >= 2**63:
        _forged("numpy.ndarray", f"its shape is {shape!r:.40}")
    count = math.prod(shape)
    if dtype.kind == "O":
        if type(content) is not list or len(content) != count:
            _forged("numpy.ndarray", "its content is not a list with as many objects as its shape needs")
        return list(content)
    content = content if type(content) is bytes else _bytes(content)
    if len(content) != count * dtype.itemsize:
        _forged("numpy.ndarray", f"its content of {len(content)} bytes does not fill its shape {shape}")
    # NumPy miscounts booleans that are neither 0 nor 1, and then writes beyond the end
    if dtype.kind == "b" and content.translate(None, b"\0\1"):
        _forged("numpy.ndarray", "a boolean is neither 0 nor 1")
    if dtype.kind == "U" and count and np.frombuffer(content, _codes(dtype)).max() > sys.maxunicode:
        _forged("numpy.ndarray", "a character is beyond the range of Unicode")
    return content


def _codes(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype("u4").newbyteorder(dtype.byteorder)


def _fill(made: np.ndarray[Any, Any], state: Any) -> None:
    """Set the state of an array that `_reconstruct` has just made."""
    if type(made) is not np.ndarray or made.shape != (0,) or made.dtype != np.int8:
        _forged("numpy.ndarray", "its content was already set")
    if not isinstance(state, tuple) or len(state) != 5 or state[0] != 1:
        _forged("numpy.ndarray", "NumPy never writes such a state")
    _, shape, dtype, fortran, content = state
    checked: Any = (1, shape, dtype, bool(fortran), _content(dtype, shape, content))
    made.__setstate__(checked)


def _scalar(dtype: Any, content: Any = b"") -> Any:
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise DataError(f"the pickle creates a number of {dtype!r:.40}: only numbers and strings are read")
    return np.frombuffer(_content(dtype, (), content), dtype)[0]


def _frombuffer(content: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> np.ndarray[Any, Any]:
    """Return an array of protocol 5; a writable one gets bytes of its own, which the pickle cannot reach."""
    if getattr(dtype, "hasobject", True):
        _forged("numpy.ndarray", f"its dtype is {dtype!r:.40}")
    if isinstance(content, pickle.PickleBuffer | memoryview):
        writable, content = not memoryview(content).readonly, bytes(content)
    else:
        writable = isinstance(content, bytearray)
    content = _content(dtype, shape, content)
    array = np.frombuffer(bytearray(content) if writable else content, dtype)
    return array.reshape(shape, order=order) if axes is None else array.reshape(shape).transpose(axes)


def _bytes(content: Any = b"", encoding: Any = "latin1") -> bytes:
    if not isinstance(content, str | bytes | bytearray) or encoding not in _LATIN:
        raise DataError(f"the pickle creates bytes from {type(content).__name__} with encoding {encoding!r:.40}")
    return content.encode("latin1") if isinstance(content, str) else bytes(content)


def _bytearray(content: Any = b"", encoding: Any = "latin1") -> bytearray:
    return bytearray(_bytes(content, encoding))


_CORES = ("numpy.core", "numpy._core")
_JOBLIB = ("joblib.numpy_pickle", "NumpyArrayWrapper")
_REPEATED = 2**22
"""The bytes of pickles inside a pickle that may be read more than once."""

_WORKERS = "joblib.externals.loky.process_executor"
"""The module of joblib's worker processes, which start as plain Python and wrap their results."""
_READ: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Named,
    ("numpy", "dtype"): _dtype,
    **{(f"{core}.multiarray", "_reconstruct"): _reconstruct for core in _CORES},
    **{(f"{core}.multiarray", "scalar"): _scalar for core in _CORES},
    **{(f"{core}.numeric", "_frombuffer"): _frombuffer for core in _CORES},  # protocol 5
    ("_codecs", "encode"): _bytes,  # how protocols below 3 write bytes
    **{
        ("builtins", name): kind
        for name, kind in vars(builtins).items()
        if isinstance(kind, type) and issubclass(kind, Exception)
    },
    ("builtins", "bytes"): _bytes,
    ("builtins", "bytearray"): _bytearray,
    **{("builtins", kind.__name__): kind for kind in (bool, complex, dict, float, frozenset, int, list, set, tuple)},
    **{
        ("collections", name): getattr(collections, name) for name in ("Counter", "OrderedDict", "defaultdict", "deque")
    },
}
"""Maps the names that a pickle may use to what it gets for them."""

_WRITTEN: set[tuple[str, str]] = set()
"""Classes of the learner and of the course whose objects this run has pickled; they may be read again."""

_PYTHONS: Any = pickle._Unpickler
"""The unpickler written in Python, which joblib builds on; the methods below replace its own."""

_OWN = {name: getattr(_PYTHONS, name) for name in ("find_class", "load_build", "load_bytearray8")}


def _nested(outer: Any, content: Any) -> Any:
    """Read a pickle inside the pickle, the form in which joblib's processes send what they cannot name.

    Content that was read before counts: a few bytes could otherwise ask for the same work without end.
    """
    seen, left = vars(outer).setdefault("inner", (set(), [_REPEATED]))
    digest = hashlib.blake2b(content, digest_size=16).digest()
    left[0] -= len(content) if digest in seen else 0
    if left[0] < 0:
        raise DataError("the pickle reads the pickles inside it again and again: it is not read")
    seen.add(digest)
    vars(reader := _Reader(io.BytesIO(content)))["inner"] = seen, left
    return reader.load()


def _failed(error: Any, traceback: Any) -> Exception:
    """Return an exception from another process, with its traceback as the cause."""
    if not isinstance(error, Exception) or not isinstance(traceback, str):
        _forged("exception", f"it is {error!r:.40}")
    error.__cause__ = RuntimeError(traceback)
    return error


_READ[_WORKERS, "_rebuild_exc"] = _failed


def _find_class(self: Any, module: str, name: str) -> Any:
    module = "builtins" if module == "__builtin__" else module  # Python 2's name, in protocols below 3
    if (module, name) == ("_pickle", "loads"):
        return partial(_nested, self)
    if (module, name) in _READ:
        return _READ[module, name]
    if (module, name) in _WRITTEN or (module, name) in (_JOBLIB, (_WORKERS, "_ResultItem")):
        return _OWN["find_class"](self, module, name)
    raise DataError(
        f"the pickle asks for {module}.{name}, which could run code: only arrays, numbers, strings and containers are"
        " read (pickle a network's params rather than the network)"
    )


def _load_build(self: Any) -> None:
    made, state = self.stack[-2:]
    if isinstance(made, np.dtype):
        _order(made, state)
        self.stack.pop()
        return
    if isinstance(made, np.ndarray):
        _fill(made, state)
        self.stack.pop()
        return
    if isinstance(made, type | FunctionType | BuiltinFunctionType):
        raise DataError(f"the pickle would modify {made.__name__}: refused")
    _OWN["load_build"](self)
    if (type(made).__module__, type(made).__qualname__) == _JOBLIB:
        _check_joblib(made)


def _check_joblib(made: Any) -> None:
    """Check joblib's description of an array, whose bytes follow (objects as a nested pickle)."""
    dtype, shape = vars(made).get("dtype"), vars(made).get("shape")
    mapped = vars(made).get("allow_mmap", True)
    if not isinstance(dtype, np.dtype) or (dtype.hasobject and mapped):
        _forged("joblib array", f"its dtype is {dtype!r:.40}")
    if vars(made).get("subclass") is not _Named or vars(made).get("numpy_array_alignment_bytes") not in (None, 16):
        _forged("joblib array", "only plain ones are read")
    if not isinstance(shape, tuple) or not all(type(n) is int and 0 <= n < 2**40 for n in shape):
        _forged("joblib array", f"its shape is {shape!r:.40}")
    made.subclass = np.ndarray


def _load_bytearray(self: Any) -> None:
    """Read the bytes before allocating memory, because the length comes from the pickle."""
    length = int.from_bytes(self.read(8), "little")
    content = self.read(length) if length <= sys.maxsize else b""
    if len(content) != length:
        raise pickle.UnpicklingError("the pickle is truncated")
    self.append(bytearray(content))


_OURS = {"find_class": _find_class, "load_build": _load_build, "load_bytearray8": _load_bytearray}
_OPCODES = {"load_build": pickle.BUILD[0], "load_bytearray8": pickle.BYTEARRAY8[0]}


class _Reader(pickle._Unpickler):
    """Replaces the unpickler written in C, whose methods cannot be patched."""

    find_class = _find_class
    load_build = _load_build
    load_bytearray8 = _load_bytearray
    dispatch = _PYTHONS.dispatch | {code: _OURS[name] for name, code in _OPCODES.items()}


def _remember(pickler: Any, thing: Any) -> Any:
    """Record each class that is pickled; both of Python's picklers call this as `reducer_override`."""
    if isinstance(thing, type):
        file = getattr(sys.modules.get(thing.__module__), "__file__", None)
        if thing.__module__ in COURSE.values() or (file and not is_installed(file)):
            _WRITTEN.add((thing.__module__, thing.__qualname__))
    return NotImplemented


class _Writer(pickle.Pickler):
    """Replaces the pickler written in C."""

    reducer_override = _remember


def _dump(thing: Any, file: IO[bytes], protocol: int | None = None, **options: Any) -> None:
    _Writer(file, protocol, **options).dump(thing)


def _dumps(thing: Any, protocol: int | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    _dump(thing, file, protocol, **options)
    return file.getvalue()


def load_arrays(file: IO[bytes]) -> Any:
    """Return the content of a pickle: NumPy arrays, numbers, strings and plain containers.

    Raises:
        DataError: it asks for something else.
        pickle.UnpicklingError, EOFError: it is damaged or truncated.
    """
    return _load(file)  # not `_load` itself: the block below ends by replacing references to it by pickle.load


def _load(file: IO[bytes], **options: Any) -> Any:
    try:
        return _Reader(file, **options).load()
    except (DataError, EOFError, pickle.UnpicklingError):
        raise
    except Exception as error:
        raise pickle.UnpicklingError(f"the pickle is damaged: {error!r:.200}") from error


def _loads(content: Any, /, **options: Any) -> Any:
    return _load(io.BytesIO(content), **options)


_OF_C: dict[str, Any] = {
    name: getattr(pickle, name) for name in ("load", "loads", "Unpickler", "dump", "dumps", "Pickler")
}
_SAFE: dict[str, Any] = {
    "load": _load,
    "loads": _loads,
    "Unpickler": _Reader,
    "dump": _dump,
    "dumps": _dumps,
    "Pickler": _Writer,
}


def _exchange(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Replace `old` by `new` under every name in every loaded module."""
    places = {id(thing): new[name] for name, thing in old.items()}
    for module in list(sys.modules.values()):
        if isinstance(names := getattr(module, "__dict__", None), dict) and module.__name__ != __name__:
            for name, thing in list(names.items()):
                if id(thing) in places:
                    names[name] = places[id(thing)]


_FORKING: Any = multiprocessing.reduction.ForkingPickler
_SEAL = 32
"""Length of the signature after a pickle for another process of this run, which may then read it without limits.
Readers stop before it."""


def _seal(key: bytes, content: Any) -> bytes:
    return hashlib.blake2b(content, key=key, digest_size=_SEAL).digest()


def _sealed(key: bytes, thing: Any, protocol: int | None = None) -> memoryview:
    file = io.BytesIO()
    _FORKING(file, protocol).dump(thing)
    file.write(_seal(key, file.getvalue()))
    return file.getbuffer()


def _unsealed(key: bytes, content: Any, /, **options: Any) -> Any:
    view = memoryview(content).cast("B")
    own = len(view) > _SEAL and secrets.compare_digest(_seal(key, view[:-_SEAL]), bytes(view[-_SEAL:]))
    return (_OF_C["loads"] if own else _loads)(content, **options)


@contextmanager
def reading_arrays_only() -> Iterator[None]:
    """Within the block, pickle.load and similar functions read only arrays, containers and what the block has pickled.

    Raises:
        DataError: (from the reading call) the pickle asks for something else.
    """
    plain: Any = pickle._Pickler  # joblib builds on it
    key = secrets.token_bytes(32)  # shared with the processes that this one forks
    forking = {name: vars(_FORKING)[name] for name in ("dumps", "loads")}
    try:
        _exchange(_OF_C, _SAFE)
        _put(_OURS)
        plain.reducer_override = _remember
        _FORKING.dumps, _FORKING.loads = staticmethod(partial(_sealed, key)), staticmethod(partial(_unsealed, key))
        yield
    finally:
        _exchange(_SAFE, _OF_C)
        _put(_OWN)
        del plain.reducer_override
        for name, own in forking.items():
            setattr(_FORKING, name, own)
        _WRITTEN.clear()


def _put(methods: Mapping[str, Any]) -> None:
    for name, method in methods.items():
        setattr(_PYTHONS, name, method)
        if name in _OPCODES:
            _PYTHONS.dispatch[_OPCODES[name]] = method
