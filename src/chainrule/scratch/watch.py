"""Watch a script's layers and check each one when its `backward` is called, once per class and shape.

Classes with `forward` and `backward`, or another pair of PASSES (layers), or with `gradient` and `loss` (networks), are
recognized when the script defines them, so the script needs no changes. Checks use copies, so the script's results stay
the same.
"""

import builtins
import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.layers import Layer
from chainrule.scratch import layers, time_layers, time_steps
from chainrule.scratch.check import LayerCheck, check_layer, check_network
from chainrule.scratch.layercheck import PASSES, passes_of
from chainrule.scratch.reach import reach
from chainrule.scratch.upstream import output_left
from chainrule.scratch.whose import is_learners

__all__ = ["Watched", "watching"]

_BATCH = (3, 4, 5, 7)
"""Batch sizes for a check: the first that is not a length in the layer itself, so that axes cannot be confused."""
_SETTINGS = 4
"""How many layers of one class and shape are checked if their settings (numbers, strings) differ."""
_LARGE = 1_000_000
"""Number of elements in a layer above which a check takes long enough to be announced, and sequences are cut short."""
_STEPS = (3, 4, 5, 2)
"""Numbers of steps that they are cut to: the first that is not another length."""
_BACKWARD = {"gradient", *(backward for _, backward in PASSES)}
_WAITING = 1000
"""How many layers may wait for their backward pass."""


@dataclass(frozen=True)
class Watched:
    """A layer or network that was checked: its class, the location of its backward pass (file, line), the result.

    `steps` is (steps read, all steps) if its sequences were cut short.
    """

    name: str
    method: str
    file: str
    line: int
    samples: int
    check: LayerCheck
    steps: tuple[int, int] | None = None

    @property
    def is_ours(self) -> bool:
        """Whether the layer is chainrule's own."""
        return _is_ours(self.file)


@dataclass
class _Forward:
    """The arguments of a forward call, as a few samples and in full, and what it returned."""

    few: list[Any]
    whole: list[Any]
    options: dict[str, Any]
    returned: Any = None


class _Watch:
    def __init__(self, told: Callable[[Watched], None], begins: Callable[[str], None]) -> None:
        self._told, self._begins = told, begins
        self._seen: set[Any] = set()
        self._forwards: dict[int, tuple[Any, _Forward]] = {}  # by id, because not every layer is hashable
        self._checking = False
        self._classes: set[type] = set()
        self._uncalled: dict[type, str] = {}

    def layer(self, cls: type) -> None:
        """Wrap the methods that the class itself defines."""
        for backward, forward in passes_of(cls).items():
            if inspect.isfunction(vars(cls).get(forward)):
                self._wrap(cls, forward, self._after_forward)
            if inspect.isfunction(vars(cls).get(backward)):
                self._wrap(cls, backward, self._check_layer)
                if not _is_ours(inspect.unwrap(vars(cls)[backward]).__code__.co_filename):
                    self._uncalled[cls] = f"{cls.__qualname__}.{backward}"

    def network(self, cls: type) -> None:
        self._wrap(cls, "gradient", self._check_network)
        self._uncalled[cls] = f"{cls.__qualname__}.gradient"

    @property
    def uncalled(self) -> list[str]:
        """The learner's backward passes that the script did not call, except those of base classes."""
        classes = [cls for cls in self._uncalled if not any(issubclass(other, cls) for other in self._classes - {cls})]
        return [self._uncalled[cls] for cls in classes]

    def _wrap(self, cls: type, name: str, told: Callable[..., None]) -> None:
        """Call `told` with the arguments before the method; for forward, after it and with its result too."""
        method = vars(cls)[name]

        @functools.wraps(method)
        def watched(this: Any, *arguments: Any, **options: Any) -> Any:
            if self._checking:
                return method(this, *arguments, **options)
            positional, rest = _in_order(method, this, arguments, options)
            if name in _BACKWARD:
                self._uncalled.pop(cls, None)
                told(this, method, positional, rest)
                return method(this, *arguments, **options)
            forward = self._before_forward(this, positional, rest)
            returned = method(this, *arguments, **options)
            if forward is not None:
                told(this, forward, returned)
            return returned

        setattr(cls, name, watched)
        self._classes.add(cls)

    def _before_forward(self, layer: Any, arguments: list[Any], options: dict[str, Any]) -> "_Forward | None":
        """Record forward's arguments, in full and as a few samples, unless the layer has been checked."""
        if not self._is_new(layer, arguments):
            return None
        first = arguments[0] if arguments else None
        count = _samples(layer, arguments)
        return _Forward([_few(value, first, count) for value in arguments], arguments, options)

    def _after_forward(self, layer: Any, forward: "_Forward", returned: Any) -> None:
        forward.returned = output_left(layer, forward.whole) if returned is None else returned
        self._forwards[id(layer)] = layer, forward
        if len(self._forwards) > _WAITING:
            del self._forwards[next(iter(self._forwards))]

    def _is_new(self, layer: Any, arguments: Sequence[Any]) -> bool:
        """Check whether no layer of this class with these shapes and settings has been checked yet."""
        kind = type(layer), _shapes(arguments)
        return (*kind, _settings(layer)) not in self._seen and sum(key[:2] == kind for key in self._seen) < _SETTINGS

    def _check_layer(self, layer: Any, method: Any, upstream: list[Any], options: Mapping[str, Any]) -> None:
        _, forward = self._forwards.pop(id(layer), (None, None))
        if forward is None or not self._is_new(layer, forward.whole):
            return
        self._seen.add((type(layer), _shapes(forward.whole), _settings(layer)))
        upstream = [*upstream, *options.values()]
        tries = [forward.few, forward.whole]  # the layer's own state may be as long as the batch
        if sum(value.size for _, value in reach(layer) if isinstance(value, np.ndarray)) > _LARGE:
            self._begins(type(layer).__name__)
            tries = [cut for cut in (_cut_short(layer, values) for values in tries) if cut is not None] + tries
        tried: list[tuple[list[Any], LayerCheck]] = []
        with self._busy():
            known = {"returned": forward.returned, "backward": method.__name__, "given": forward.whole}
            for values in tries:
                check = check_layer(layer, values, forward.options, upstream, **known)
                tried.append((values, check))
                if not check.failure:
                    break
        values, check = tried[-1] if not tried[-1][1].failure else tried[-2]
        read, there = np.shape(values[0])[1:2] if values else (), np.shape(forward.whole[0])[1:2] if values else ()
        self._tell(layer, method, values, check, (*read, *there) if read != there else None)

    def _check_network(self, network: Any, method: Any, arguments: list[Any], options: Mapping[str, Any]) -> None:
        key = type(network), _shapes(arguments), _shapes([value for _, value in reach(getattr(network, "params", {}))])
        if key in self._seen or len(arguments) != 2 or options:
            return
        self._seen.add(key)
        few = [_few(value, arguments[0], _BATCH[0]) for value in arguments]
        self._begins(type(network).__name__)
        with self._busy():
            check = check_network(network, *few)
        self._tell(network, method, few, check)

    def _tell(self, this: Any, method: Any, arguments: Sequence[Any], check: LayerCheck, steps: Any = None) -> None:
        code = method.__code__
        samples = len(arguments[0]) if arguments and np.ndim(arguments[0]) else 1
        place = method.__name__, code.co_filename, code.co_firstlineno
        self._told(Watched(type(this).__name__, *place, samples, check, steps))

    @contextmanager
    def _busy(self) -> Iterator[None]:
        self._checking = True
        try:
            yield
        finally:
            self._checking = False


@contextmanager
def watching(
    script: Path, told: Callable[[Watched], None], begins: Callable[[str], None] = lambda name: None
) -> Iterator[_Watch]:
    """Within the block, check the layers and networks that the learner's files define, and chainrule's own.

    Args:
        script: determines which files are the learner's.
        told: called with each result as soon as it is available.
        begins: called with the name of a network or large layer before its check, which may take minutes.
    """
    watch = _Watch(told, begins)
    build = builtins.__build_class__
    names = {**vars(layers), **vars(time_steps), **vars(time_layers)}
    ours = [value for value in names.values() if isinstance(value, type) and hasattr(value, "backward")]
    before = [(cls, name, vars(cls)[name]) for cls in ours for name in ("forward", "backward") if name in vars(cls)]

    def build_watched(function: Any, name: str, *bases: Any, **options: Any) -> Any:
        cls = build(function, name, *bases, **options)
        if not isinstance(cls, type) or not is_learners(function.__globals__.get("__file__", ""), script):
            return cls
        if issubclass(cls, Layer):  # chainrule's own kind of layer, checked by cr.gradcheck
            return cls
        if passes_of(cls):
            watch.layer(cls)
        elif "gradient" in vars(cls) and hasattr(cls, "loss"):
            watch.network(cls)
        return cls

    builtins.__build_class__ = build_watched  # type: ignore[assignment]
    for cls in ours:
        watch.layer(cls)
    try:
        yield watch
    finally:
        builtins.__build_class__ = build
        for cls, name, method in before:
            setattr(cls, name, method)


def _is_ours(file: str) -> bool:
    return Path(file).is_relative_to(Path(layers.__file__).parent)


def _settings(layer: Any) -> tuple[Any, ...]:
    own = getattr(layer, "__dict__", {})
    return tuple((name, value) for name, value in own.items() if isinstance(value, str | bool | int))


def _in_order(
    method: Any, this: Any, arguments: Sequence[Any], options: Mapping[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Return positional and keyword arguments, with positional ones that were given by keyword moved to their place."""
    try:
        bound = inspect.signature(method).bind(this, *arguments, **options)
    except TypeError:  # the call of the method will report it
        return list(arguments), dict(options)
    return list(bound.args[1:]), dict(bound.kwargs)


def _samples(layer: Any, arguments: Sequence[Any]) -> int:
    if not arguments:
        return _BATCH[0]
    arrays = [value for _, value in reach(layer) if isinstance(value, np.ndarray)]
    taken = {length for array in arrays for length in array.shape} | set(np.shape(arguments[0])[1:])
    return next((count for count in _BATCH if count not in taken), _BATCH[0])


def _few(value: Any, first: Any, count: int) -> Any:
    """Return the first samples of an argument as long as `first`; a single sample (1-D) and others are copied whole."""
    if isinstance(value, np.ndarray):
        batched = np.ndim(first) > 1 and value.ndim and len(value) == len(first)
        return value[:count].copy() if batched else value.copy()
    return value


def _cut_short(layer: Any, values: Sequence[Any]) -> list[Any] | None:
    """The first steps of sequences (N, T) of words or (N, T, D); None where there are none, or no more steps."""
    first = values[0] if values else None
    if not isinstance(first, np.ndarray) or (first.ndim, first.dtype.kind in "iu") not in ((2, True), (3, False)):
        return None
    arrays = [value for _, value in reach(layer) if isinstance(value, np.ndarray)]
    taken = {length for array in arrays for length in array.shape} | {len(first), *first.shape[2:]}
    steps = next(count for count in (*_STEPS, first.shape[1]) if count not in taken or count == first.shape[1])
    if steps >= first.shape[1]:
        return None
    return [
        value[:, :steps].copy() if isinstance(value, np.ndarray) and value.shape[:2] == first.shape[:2] else value
        for value in values
    ]


def _shapes(values: Sequence[Any]) -> tuple[Any, ...]:
    """Return the shapes of arrays without the batch axis."""
    return tuple(np.shape(value)[1:] if isinstance(value, np.ndarray) else () for value in values)
