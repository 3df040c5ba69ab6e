"""Watches a script's layers: each is checked when its `backward` is called, once for each kind and shape.

Classes with `forward` and `backward` (layers), or `gradient`, `loss` (networks), are recognised when the script makes
them, so it runs as it stands. Checks are made on copies: what the script computes stays the same.
"""

import builtins
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np

from chainrule.layers import Layer
from chainrule.scratch import layers
from chainrule.scratch.check import LayerCheck, check_layer, check_network

__all__ = ["Watched", "watching"]

_BATCH = (3, 4, 5, 7)
"""Samples of a check: the first of these that is no length of the layer's own, so that axes cannot be confused."""


@dataclass(frozen=True)
class Watched:
    """A layer or network that was checked: its class, where its backward pass is written (file, line), the result."""

    name: str
    method: Literal["backward", "gradient"]
    file: str
    line: int
    samples: int
    check: LayerCheck

    @property
    def is_ours(self) -> bool:
        """Whether it is chainrule's own."""
        return Path(self.file).is_relative_to(Path(layers.__file__).parent)


class _Watch:
    def __init__(self, told: Callable[[Watched], None]) -> None:
        self._told = told
        self._seen: set[Any] = set()
        self._forwards: WeakKeyDictionary[Any, tuple[Sequence[Any], Mapping[str, Any]]] = WeakKeyDictionary()
        self._checking = False

    def layer(self, cls: type) -> None:
        """Wrap the methods that the class itself has."""
        if "forward" in vars(cls):
            self._wrap(cls, "forward", self._remember)
        if "backward" in vars(cls):
            self._wrap(cls, "backward", self._check_layer)

    def network(self, cls: type) -> None:
        self._wrap(cls, "gradient", self._check_network)

    def _wrap(self, cls: type, name: str, first: Callable[..., None]) -> None:
        method = vars(cls)[name]

        @functools.wraps(method)
        def watched(this: Any, *arguments: Any, **options: Any) -> Any:
            if not self._checking:
                first(this, method, arguments, options)
            return method(this, *arguments, **options)

        setattr(cls, name, watched)

    def _remember(self, layer: Any, method: Any, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
        """A few samples of what forward was called with, until the layer was checked."""
        if arguments and (type(layer), _shapes(arguments)) not in self._seen:
            count = _samples(layer, arguments)
            self._forwards[layer] = [_few(value, arguments[0], count) for value in arguments], dict(options)

    def _check_layer(self, layer: Any, method: Any, upstream: Sequence[Any], options: Mapping[str, Any]) -> None:
        remembered = self._forwards.pop(layer, None)
        if remembered is None:
            return
        arguments, forward_options = remembered
        self._seen.add((type(layer), _shapes(arguments)))
        with self._busy():
            check = check_layer(layer, arguments, forward_options, [*upstream, *options.values()])
        self._tell(layer, method, arguments, check)

    def _check_network(self, network: Any, method: Any, arguments: Sequence[Any], options: Mapping[str, Any]) -> None:
        key = type(network), _shapes(arguments), _shapes(list(getattr(network, "params", {}).values()))
        if key in self._seen or len(arguments) != 2 or options:
            return
        self._seen.add(key)
        few = [_few(value, arguments[0], _BATCH[0]) for value in arguments]
        with self._busy():
            check = check_network(network, *few)
        self._tell(network, method, few, check)

    def _tell(self, this: Any, method: Any, arguments: Sequence[Any], check: LayerCheck) -> None:
        code = method.__code__
        samples = len(arguments[0]) if np.ndim(arguments[0]) else 1
        self._told(Watched(type(this).__name__, method.__name__, code.co_filename, code.co_firstlineno, samples, check))

    @contextmanager
    def _busy(self) -> Iterator[None]:
        self._checking = True
        try:
            yield
        finally:
            self._checking = False


@contextmanager
def watching(folder: Path, told: Callable[[Watched], None]) -> Iterator[None]:
    """Within the block, the layers and networks that files of `folder` define are checked, and chainrule's own.

    Args:
        folder: the script's.
        told: is called with each result, when it is there.
    """
    watch = _Watch(told)
    build = builtins.__build_class__
    ours = [value for value in vars(layers).values() if isinstance(value, type) and hasattr(value, "backward")]
    before = [(cls, name, vars(cls)[name]) for cls in ours for name in ("forward", "backward")]

    def build_watched(function: Any, name: str, *bases: Any, **options: Any) -> Any:
        cls = build(function, name, *bases, **options)
        file = Path(function.__globals__.get("__file__", ""))
        if not isinstance(cls, type) or not file.is_absolute() or not file.is_relative_to(folder):
            return cls
        if issubclass(cls, Layer):  # of chainrule's own kind: cr.gradcheck checks it
            return cls
        if hasattr(cls, "forward") and hasattr(cls, "backward"):
            watch.layer(cls)
        elif "gradient" in vars(cls) and hasattr(cls, "loss"):
            watch.network(cls)
        return cls

    builtins.__build_class__ = build_watched  # type: ignore[assignment]
    for cls in ours:
        watch.layer(cls)
    try:
        yield
    finally:
        builtins.__build_class__ = build
        for cls, name, method in before:
            setattr(cls, name, method)


def _samples(layer: Any, arguments: Sequence[Any]) -> int:
    arrays = [value for value in vars(layer).values() if isinstance(value, np.ndarray)]
    taken = {length for array in arrays for length in array.shape} | set(np.shape(arguments[0])[1:])
    return next((count for count in _BATCH if count not in taken), _BATCH[0])


def _few(value: Any, first: Any, count: int) -> Any:
    """The first samples of what has one for each of `first`'s; a single sample (1-D) and other arguments whole."""
    if isinstance(value, np.ndarray):
        batched = np.ndim(first) > 1 and value.ndim and len(value) == len(first)
        return value[:count].copy() if batched else value.copy()
    return value


def _shapes(values: Sequence[Any]) -> tuple[Any, ...]:
    """Of arrays, without the number of samples."""
    return tuple(np.shape(value)[1:] if isinstance(value, np.ndarray) else () for value in values)
