"""Run a hand-written layer repeatedly from one state to find out what forward reads and what backward produces.

Every run uses a deep copy and the same random numbers. Arrays that change forward's output are the targets, which can
have gradients. Whatever backward returns, sets, fills or adds to is what it produced.
"""

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.scratch.layercheck import PASSES
from chainrule.scratch.names import is_learned_by_name, says_rate
from chainrule.scratch.reach import Place, arrays_of, copy_with, is_number, nothings, put, reach, rewind
from chainrule.scratch.upstream import NoUpstreamError, gradient_like, leaves, links_of, output_left, outs_of

__all__ = ["Outcome", "Probe", "Target"]

_LARGE = 100_000
"""Arrays with more elements are left out of the copies if forward does not read them."""


@dataclass(eq=False)
class Target:
    """An input of forward, or an array or number in the layer that changes its output.

    Attributes:
        name: such as "x", "W" or 'params["W"]'.
        places: its paths from the layer, or from the arguments.
        value: float64, read by forward; change it in place. A number becomes an array without axes.
        is_input: whether it is an argument of forward.
        identity: id of the array that it stands for, None for a number.
    """

    name: str
    places: list[Place]
    value: Array
    is_input: bool
    identity: int | None


@dataclass
class Outcome:
    """The state after backward.

    Attributes:
        returned: what backward returned, as a list; if it was a dict, `names` holds its keys.
        left: arrays and numbers (and None) in the layer after backward, by place.
        touched: places that backward set, filled or added to.
        caches: places that forward had set.
        nested: places inside a layer within the layer.
        moved: how much backward itself changed each target, for those that it changed.
    """

    returned: list[Any]
    names: list[str]
    left: dict[Place, Any]
    touched: set[Place] = field(default_factory=set)
    caches: set[Place] = field(default_factory=set)
    nested: set[Place] = field(default_factory=set)
    moved: dict[str, Array] = field(default_factory=dict)


class Probe:
    """A layer (or network) with arguments for forward and backward.

    Args:
        layer: not changed.
        arguments, options: arguments of forward.
        upstream: arguments of backward; gradients of outputs and values that forward returned are replaced by new ones.
        returned: what forward returned when `upstream` was made, so that parts of it are recognized there.
        again: resets all random generators.
        rng: draws the upstream gradient.
        forward, backward: the names of the methods; a network has `loss` and `gradient`.
    """

    def __init__(
        self,
        layer: Any,
        arguments: Sequence[Any],
        options: Mapping[str, Any],
        upstream: Sequence[Any],
        returned: Any,
        again: Callable[[], None],
        rng: np.random.Generator,
        forward: str = "forward",
        backward: str = "backward",
        given: Sequence[Any] | None = None,
    ) -> None:
        self._forward_name, self.backward_name = forward, backward
        self.backward_method = getattr(layer, backward)
        self.is_network = backward == "gradient"
        if returned is None:
            fresh = copy_with([layer, list(arguments), dict(options)], {})
            again()
            returned = getattr(fresh[0], forward)(*fresh[1], **fresh[2])
        self._links = list(links_of(upstream, returned, arguments if given is None else given, layer))
        if self.is_network:
            self._links = [None] * len(upstream)
        constants = [None if link is not None else value for link, value in zip(self._links, upstream, strict=True)]
        self._root = copy_with([layer, list(arguments), dict(options), constants], {})
        self._again = again
        self.targets: list[Target] = []
        self._dropped: dict[int, None] = {}
        rewind(self._root[0], self.forward()[0][0])
        _, first = self.forward()
        _, second = self.forward()
        if not _equal(first, second):
            raise ValueError(
                "forward returns different numbers each time: it uses a random generator that cannot be reset"
            )
        self.output = first
        outs = outs_of(first)
        links = {"gradient", "gradients"} & set(self._links)
        has_axes = any(isinstance(value, np.ndarray) and value.ndim for _, value in reach(list(arguments)))
        self.is_loss = len(outs) == 1 and np.ndim(outs[0]) == 0 and has_axes
        self._is_of_samples = bool(self._links) and not links and np.shape(outs[0]) == np.shape(arguments[0])[:1] != ()
        if self._links and not links and not self.is_loss and not self._is_of_samples:
            raise NoUpstreamError
        self.is_loss = self.is_loss or self._is_of_samples
        if not self._links and not self.is_loss:
            self._links = ["gradient"]
        self._used = self._outs_used(outs)
        self._outs = outs
        self.upstream = [1.0] if np.ndim(outs[0]) == 0 and self.is_loss else self.new_upstream(rng)
        self._find_targets()

    # ---- runs

    def forward(self) -> tuple[list[Any], Any]:
        """Return a copy of everything after forward, and what forward returned."""
        root = self._copy()
        return root, self._call(root)

    def _copy(self, whole: bool = False) -> list[Any]:
        """Copy the layer and the arguments; large arrays that forward does not read are included only if `whole`."""
        instead: dict[int, Any] = {} if whole else dict(self._dropped)
        instead |= {t.identity: t.value.copy() for t in self.targets if t.identity is not None}
        root = copy_with(self._root, instead)
        for target in self.targets:
            if target.identity is None:
                put(root, target.places[0], target.value.item())
        return list(root)

    def _call(self, root: list[Any]) -> Any:
        self._again()
        with np.errstate(all="ignore"):
            returned = getattr(root[0], self._forward_name)(*root[1], **root[2])
        return output_left(root[0], root[1]) if returned is None else returned

    def objective(self) -> float:
        """Return the number that is differentiated: the sum of each output times its upstream gradient."""
        outs = outs_of(self.forward()[1])
        total = 0.0
        for k, above in zip(self._used, self.upstream, strict=True):
            for out, d in zip(leaves(outs[k]), leaves(above), strict=True):
                total += float(np.sum(np.asarray(out, dtype=np.float64) * d))
        return total

    def magnitude(self) -> float:
        """Return the sum of the absolute values of the terms of `objective`."""
        outs = outs_of(self.forward()[1])
        pairs = zip(self._used, self.upstream, strict=True)
        return sum(
            float(np.sum(np.abs(np.asarray(out, dtype=np.float64) * d)))
            for k, above in pairs
            for out, d in zip(leaves(outs[k]), leaves(above), strict=True)
        )

    def new_upstream(self, rng: np.random.Generator) -> list[Any]:
        """Draw a random upstream gradient for each output that has one; for a loss per sample, use that of the mean."""
        if self._is_of_samples:
            return [np.full(np.shape(self._outs[0]), 1 / len(self._outs[0]))]
        return [gradient_like(self._outs[k], rng) for k in self._used]

    @property
    def takes_upstream(self) -> bool:
        """Whether backward takes an upstream gradient; a loss may not."""
        return "gradient" in self._links

    def numbers(self) -> list[float]:
        """Return numbers that could be the learning rate: backward's arguments, otherwise by name within the layer."""
        given = [float(value) for value in self._root[3] if is_number(value)]
        return given or self.named_numbers(says_rate)

    def named_numbers(self, wanted: Callable[[str], bool]) -> list[float]:
        """Return the numbers in the layer with wanted names."""
        found = [(place.last, value) for place, value in reach(self._root[0]) if isinstance(value, float)]
        return [float(value) for name, value in found if wanted(name)]

    def outputs(self) -> list[Array]:
        return [np.asarray(leaf, dtype=np.float64) for leaf in leaves(outs_of(self.forward()[1]))]

    @property
    def batch(self) -> int:
        """The batch size: the rows of the first input, or its columns if only these match the output's shape."""
        inputs = [target.value.shape for target in self.targets if target.is_input and target.value.ndim]
        if not inputs:
            return 1
        first, output = inputs[0], np.shape(self._outs[0])
        in_columns = len(first) == len(output) == 2 and first[0] != output[0] and first[1] == output[1]
        return int(first[in_columns])

    @property
    def dout(self) -> Array:
        """The upstream gradient of the first output."""
        return np.asarray(next(iter(leaves(self.upstream))))

    def backward(self, disturbed: Place | None = None, noise: Array | None = None) -> Outcome:
        """Run forward and backward; with `disturbed`, the array there holds `noise` in between."""
        root = self._copy(whole=True)  # gradients of a large vocabulary's table are filled in place
        layer = root[0]
        at_first = {place: id(value) for place, value in reach(layer) if isinstance(value, np.ndarray)}
        returned = self._call(root)
        if disturbed is not None:
            dict(reach(layer))[disturbed][...] = noise
        before = {place: _kept(value) for place, value in reach(layer)}
        own = {place: id(value) for place, value in reach(layer) if isinstance(value, np.ndarray)}
        method = getattr(layer, self.backward_name)
        with np.errstate(all="ignore"):
            if self.is_network:  # it runs forward itself, so earlier calls must not influence or add to the result
                x, *rest = root[1]
                other = [0.5 * x[::-1] - 0.25 if np.asarray(x).dtype.kind == "f" else x[::-1], *rest]
                getattr(layer, self._forward_name)(*other, **root[2])
                self._again()
                method(*self._backward_arguments(root, outs_of(returned)))
                self._again()
            result = method(*self._backward_arguments(root, outs_of(returned)))
        names: list[str] = []
        if isinstance(result, Mapping):
            names, result = [str(key) for key in result], list(result.values())
        several = list(result) if isinstance(result, tuple | list) else [result]
        left = {place: _kept(value) for place, value in reach(layer)}
        left |= {place: None for place in nothings(layer) if place not in left}
        outcome = Outcome([_kept(value) for value in several], names, left)
        outcome.nested = {place for place in left if _is_within_a_layer(layer, place)}
        outcome.caches = {place for place, identity in own.items() if at_first.get(place) != identity}
        returned_identities = {id(value) for value in several}
        for place, value in reach(layer):
            if id(value) in returned_identities and isinstance(value, np.ndarray):
                continue
            old = before.get(place)
            if old is None or own.get(place, id(value)) != id(value) or not _equal(old, value):
                outcome.touched.add(place)
        self._record_moves(root[0], before, outcome)
        return outcome

    def _backward_arguments(self, root: list[Any], outs: list[Any]) -> list[Any]:
        arguments, above = [], iter(self.upstream)
        for link, constant in zip(self._links, root[3] if root[3] else [None] * len(self._links), strict=True):
            if link == "gradient":
                arguments.append(copy.deepcopy(next(above)))
            elif link == "gradients":
                arguments.append(tuple(copy.deepcopy(value) for value in above))
            elif link is None:
                arguments.append(constant)
            else:
                kind, key = link
                arguments.append(
                    getattr(root[0], key) if kind == "attribute" else (outs, root[1])[kind == "argument"][key]
                )
        return arguments

    def _record_moves(self, layer: Any, before: Mapping[Place, Any], outcome: Outcome) -> None:
        """Record how backward changed targets that forward had left alone, which means an update."""
        now = dict(reach(layer))
        for target in self.targets:
            place = Place(target.places[0].steps[1:])
            after = None if target.is_input else now.get(place)
            if after is None or np.shape(after) != target.value.shape:
                continue
            moved = np.asarray(after, dtype=np.float64) - target.value
            if moved.any() and np.array_equal(before.get(place, np.nan), target.value):
                outcome.moved[target.name] = moved
            if moved.any():
                outcome.touched -= {Place(place.steps[1:]) for place in target.places}

    # ---- what forward reads

    def _find_targets(self) -> None:
        layer, arguments = self._root[0], self._root[1]
        names = _argument_names(getattr(layer, self._forward_name))
        for place, value in reach(arguments):
            if isinstance(value, np.ndarray) and value.dtype.kind not in "fiu":
                continue
            index = place.steps[0][1]
            within = Place((("attribute", names[index] if index < len(names) else f"x{index}"), *place.steps[1:]))
            identity = id(value) if isinstance(value, np.ndarray) else None
            origin = Place((("item", 1), *place.steps))
            self._admit(Target(within.name, [origin], np.array(value, dtype=np.float64), True, identity))
        inputs = {target.identity for target in self.targets}
        unassigned = self._places_that_stay()
        for identity, (places, value) in arrays_of(layer).items():
            if value.dtype.kind not in "fiu" or identity in inputs:
                continue
            lying = [Place((("item", 0), *place.steps)) for place in places]
            target = Target(places[0].name, lying, value.astype(np.float64), False, identity)
            named = any(is_learned_by_name(place) and place in unassigned for place in places)
            self._admit(target, only_if_read=not named)
        kept = {target.identity for target in self.targets}
        large = {
            identity: None
            for identity, (_, value) in arrays_of(self._root[:1]).items()
            if value.size > _LARGE and identity not in kept
        }
        if large:
            base, self._dropped = self.outputs(), large
            try:
                same = _equal(base, self.outputs())
            except Exception:  # the layer needs them
                same = False
            if not same:
                self._dropped = {}

    def _places_that_stay(self) -> set[Place]:
        """Return the places whose arrays forward does not replace."""
        root = self._copy()
        before = {place: id(value) for place, value in reach(root[0])}
        self._call(root)
        return {place for place, value in reach(root[0]) if before.get(place) == id(value)}

    def admit_number(self, place: Place) -> Target | None:
        """Make a plain number in the layer a target if forward reads it."""
        value = dict(reach(self._root[0])).get(place)
        if value is None or not is_number(value):
            return None
        target = Target(place.name, [Place((("item", 0), *place.steps))], np.array(float(value)), False, None)
        return target if self._admit(target, only_if_read=True) else None

    def _admit(self, target: Target, only_if_read: bool = False) -> bool:
        """Accept a target if forward works with it in float64 (and, with `only_if_read`, reads it)."""
        before = self.outputs()
        self.targets.append(target)
        try:
            taken = _close(before, self.outputs()) and (not only_if_read or self._is_read(target, self.outputs()))
        except Exception:  # the layer needs integers here: indices, sizes, ...
            taken = False
        if not taken:
            self.targets.remove(target)
        return taken

    def _is_read(self, target: Target, base: list[Array]) -> bool:
        value = target.value.copy()
        rng = np.random.default_rng(np.random.SeedSequence([value.size, 77]))
        noise = rng.standard_normal(value.shape)
        size = float(np.abs(value).mean()) if value.size else 0.0
        try:
            for changed in (value + 1e-3 * (size or 1.0) * noise, value + noise, 3 * noise, np.abs(noise)):
                target.value[...] = changed
                try:
                    outputs = self.outputs()
                except Exception:
                    continue
                if not _equal(base, outputs):
                    return True
        finally:
            target.value[...] = value
        return False

    def _outs_used(self, outs: list[Any]) -> list[int]:
        count = len(outs) if "gradients" in self._links else sum(link == "gradient" for link in self._links)
        return [k for k, out in enumerate(outs) if any(True for _ in leaves(out))][: max(count, 1)]


def _is_within_a_layer(root: Any, place: Place) -> bool:
    for kind, key in place.parent:
        root = getattr(root, key) if kind == "attribute" else root[key]
        if any(hasattr(root, backward) for _, backward in PASSES):
            return True
    return False


def _kept(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(_equal(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        is_floating = np.asarray(one).dtype.kind == "f"
        return np.shape(one) == np.shape(other) and np.array_equal(one, other, equal_nan=is_floating)
    return bool(one == other) if is_number(one) and is_number(other) else type(one) is type(other)


def _close(one: list[Array], other: list[Array]) -> bool:
    return len(one) == len(other) and all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-3, atol=1e-5, equal_nan=True)
        for a, b in zip(one, other, strict=True)
    )


def _argument_names(method: Callable[..., Any]) -> list[str]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [name for name, parameter in inspect.signature(method).parameters.items() if parameter.kind in kinds]
