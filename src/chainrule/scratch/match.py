"""Match gradients with targets, by location, by name, by shape, and finally by their numbers.

Nothing forces a learner to call the gradient of `W` `dW`. The rules are: the first gradients that backward returns
belong to forward's arguments, in order; `grads[0]` belongs to `params[0]`, and `W.grad` to `W.data`; a name may tell
(`gw`, `grad_W`, `W_grad`); an array whose shape fits only one target is its gradient; and if it fits several, the
numerical gradients decide.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.scratch.names import (
    base_name,
    is_learned_by_name,
    names_gradient,
    names_gradient_of_input,
    says_gradient,
)
from chainrule.scratch.probe import Outcome, Target
from chainrule.scratch.reach import Place, is_number

__all__ = ["Matches", "Produced", "match", "partners", "produced_by"]

_VALUES, _GRADIENTS = {"data", "value", "val", "values", "array"}, {"grad", "gradient", "g", "diff", "grads"}


@dataclass(frozen=True, eq=False)
class Produced:
    """A value that backward returned (`index`) or stored in the layer (`place`, or `places` for a sum)."""

    name: str
    value: Any
    place: Place | None = None
    index: int | None = None
    places: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Matches:
    """Pairs of a target and its gradient (None if it should have one and has not), and what remained unpaired."""

    pairs: list[tuple[Target, Produced | None]]
    unmatched: list[Produced]
    constants: list[Target]


def produced_by(outcome: Outcome, method: Callable[..., Any], returns_all: bool = False) -> list[Produced]:
    """Return the gradients of one backward pass; with `returns_all`, only those that it returned."""
    names = outcome.names or _returned_names(method, len(outcome.returned))
    found = [
        Produced(name, value, index=index)
        for index, (name, value) in enumerate(zip(names, outcome.returned, strict=True))
    ]
    if returns_all:
        return found
    seen = [outcome.returned[0]] if outcome.returned else []
    for place, value in outcome.left.items():
        if place in outcome.touched and isinstance(value, np.ndarray) and value.dtype.kind == "f":
            if place in outcome.caches or place in outcome.nested or any(value is other for other in seen):
                continue
            found.append(Produced(place.name, value, place))
    return found


def _returned_names(method: Callable[..., Any], count: int) -> list[str]:
    """Return the variable names in a method's return statement, "" for a value without a name."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(method))))
    except (OSError, TypeError, SyntaxError, IndentationError):
        return [""] * count
    returns = [node.value for node in ast.walk(tree) if isinstance(node, ast.Return) and node.value is not None]
    if len(returns) != 1:
        return [""] * count
    parts = returns[0].elts if isinstance(returns[0], ast.Tuple | ast.List) else [returns[0]]
    if len(parts) != count:
        return [""] * count
    return [_written_name(part) for part in parts]


def _written_name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def partners(target: Target, left: Sequence[Place]) -> Iterator[Place]:
    """Yield the places that, by their name or location, should hold the gradient of a target."""
    own = [Place(place.steps[1:]) for place in target.places]
    for place in left:
        if place in own:
            continue
        if any(_is_partner(mine, place) for mine in own):
            yield place


def _is_partner(target: Place, gradient: Place) -> bool:
    if target.parent == gradient.parent and target.last in _VALUES and gradient.last in _GRADIENTS:
        return True
    if len(target.steps) == len(gradient.steps) > 1 and target.steps[-1] == gradient.steps[-1]:
        different = [
            (mine[1], other[1]) for mine, other in zip(target.steps, gradient.steps, strict=True) if mine != other
        ]
        if len(different) == 1 and all(isinstance(name, str) for name in different[0]):
            mine, other = different[0]
            return says_gradient(other) and not says_gradient(mine)
    if not target.last or not gradient.last:
        return False
    same_room = target.parent == gradient.parent
    if len(gradient.steps) > 1 and says_gradient(str(gradient.steps[-2][1])):
        return base_name(gradient.last) == base_name(target.last) or names_gradient(gradient.last, target.last)
    return same_room and names_gradient(gradient.last, target.last)


def _is_learned(target: Target) -> bool:
    """Check whether a target's name says that it needs a gradient."""
    return not target.is_input and any(is_learned_by_name(Place(place.steps[1:])) for place in target.places)


def match(
    targets: Sequence[Target],
    found: Sequence[Produced],
    left: dict[Place, Any],
    agrees: Callable[[Target, Any], bool],
    of_layers: bool = False,
) -> Matches:
    """Pair targets and gradients.

    Args:
        targets: what forward reads.
        found: what backward produced.
        left: everything in the layer after backward; a partner by name counts even if it is None.
        agrees: whether a gradient matches a target's numerical gradient; called only where shapes and names are
            ambiguous.
        of_layers: whether the layer is a network of other layers, which need not return a gradient of its input.
    """
    pairs: list[tuple[Target, Produced | None]] = []
    open_targets, pool = list(targets), list(found)

    def pair(target: Target, gradient: Produced | None) -> None:
        pairs.append((target, gradient))
        open_targets.remove(target)
        if gradient in pool:
            pool.remove(gradient)

    returned = [gradient for gradient in pool if gradient.index is not None]
    inputs = [target for target in targets if target.is_input]
    for target, gradient in _in_order(inputs, returned):
        pair(target, gradient)
    if not any(_shape(gradient.value) is not None for gradient in returned):
        for target, gradient in _left_for(inputs, pool):
            pair(target, gradient)
    for target in [target for target in open_targets if not target.is_input]:
        lying = _lying_at_partners(target, pool, left)
        if lying:
            gradient = lying[0] if len(lying) == 1 else _summed(lying)
            pair(target, gradient)
            pool = [other for other in pool if other not in lying]
            continue
        named = next((g for g in pool if g.index is not None and g.name and _by_name(g.name, target)), None)
        if named is not None:
            pair(target, named)
    for target, gradient in _by_shape([t for t in open_targets if not t.is_input], pool, agrees):
        pair(target, gradient)
    dx_missing = (
        bool(inputs)
        and not (of_layers and pairs)
        and not any(target.is_input for target, _ in pairs)
        and not any(_shape(gradient.value) is not None for gradient in returned)
    )
    if dx_missing and inputs[0] in open_targets:
        pair(inputs[0], None)
    for target in [target for target in open_targets if _is_learned(target)]:
        wrong_shape = next((g for g in pool if _shape(g.value) is not None and g.index is not None), None)
        pair(target, wrong_shape)
    pool = [gradient for gradient in pool if gradient.value is not None]
    return Matches(pairs, pool, [target for target in open_targets if target.is_input or target.value.ndim])


def _lying_at_partners(target: Target, pool: Sequence[Produced], left: Mapping[Place, Any]) -> list[Produced]:
    """Return the gradient stored where a target's gradient belongs; several if a list holds the target several times.

    An array that occurs twice in `params` has a part of its gradient at each of these places in `grads`.
    """
    own = [Place(place.steps[1:]) for place in target.places]
    of_place = {mine: [place for place in left if place not in own and _is_partner(mine, place)] for mine in own}
    found = [place for places in of_place.values() for place in places]
    if not found:
        return []
    produced = {gradient.place: gradient for gradient in pool if gradient.place is not None}
    for room in dict.fromkeys(mine.parent for mine in own):
        places = [place for mine in own if mine.parent == room for place in of_place[mine]]
        if room and len(places) > 1 and all(place in produced for place in places):
            return [produced[place] for place in dict.fromkeys(places)]
    place = next((place for place in found if place in produced), found[0])
    return [produced.get(place) or Produced(place.name, left[place], place)]


def _summed(parts: Sequence[Produced]) -> Produced:
    names = [part.name for part in parts]
    told = names if len(names) < 4 else [names[0], "...", names[-1]]
    return Produced(" + ".join(told), None, places=tuple(part.place for part in parts if part.place))


def _by_name(name: str, target: Target) -> bool:
    last = target.places[0].last or re.sub(r"\W", "", target.name)
    return names_gradient(name, last) or base_name(name) == base_name(last)


def _in_order(inputs: Sequence[Target], returned: Sequence[Produced]) -> list[tuple[Target, Produced]]:
    """Pair the first returned gradients with forward's arguments, in order, unless their shapes say otherwise."""
    arrays = [gradient for gradient in returned if _shape(gradient.value) is not None]
    if not inputs or not arrays:
        return []
    chosen = inputs if len(returned) >= len(inputs) else inputs[: len(returned)]
    positional = list(zip(chosen, returned, strict=False))
    if all(_shape(gradient.value) in (None, target.value.shape) for target, gradient in positional):
        return [(target, gradient) for target, gradient in positional if gradient.value is not None]
    by_shape: list[tuple[Target, Produced]] = []
    for gradient in arrays:
        fits = [target for target in inputs if target.value.shape == _shape(gradient.value)]
        if len(fits) == 1 and fits[0] not in [target for target, _ in by_shape]:
            by_shape.append((fits[0], gradient))
    if by_shape and len(by_shape) >= min(len(inputs), len(arrays)):
        return by_shape
    if len(returned) > len(inputs):  # dx may come after dW and db
        return by_shape or positional
    return [(target, gradient) for target, gradient in positional if gradient.value is not None]


def _left_for(inputs: Sequence[Target], pool: Sequence[Produced]) -> list[tuple[Target, Produced]]:
    """Pair inputs with gradients left in the layer: `self.dinputs` for `inputs`, or a usual name for the first."""
    lying = [gradient for gradient in pool if gradient.place is not None and len(gradient.place.steps) == 1]
    chosen: list[tuple[Target, Produced]] = []
    for target in inputs:
        free = [gradient for gradient in lying if all(gradient is not other for _, other in chosen)]
        named = [gradient for gradient in free if _by_name(gradient.name, target)]
        usual = [gradient for gradient in free if target is inputs[0] and names_gradient_of_input(gradient.name)]
        chosen += [(target, gradient) for gradient in (named or usual)[:1]]
    return chosen


def _by_shape(
    targets: Sequence[Target], pool: Sequence[Produced], agrees: Callable[[Target, Any], bool]
) -> list[tuple[Target, Produced]]:
    chosen: list[tuple[Target, Produced]] = []
    for shape in dict.fromkeys(target.value.shape for target in targets):
        ours = [target for target in targets if target.value.shape == shape]
        theirs = [gradient for gradient in pool if _shape(gradient.value) == shape]
        if len(ours) > 1 or len(theirs) > 1:
            for target in list(ours):
                gradient = next((g for g in theirs if agrees(target, g.value)), None)
                if gradient is not None:
                    chosen.append((target, gradient))
                    ours.remove(target)
                    theirs.remove(gradient)
        left = [g for g in theirs if g.index is not None or says_gradient(g.name)]
        chosen += list(zip([t for t in ours if _is_learned(t) or left], left or theirs, strict=False))
    return chosen


def _shape(value: Any) -> tuple[int, ...] | None:
    if isinstance(value, np.ndarray):
        return value.shape if value.dtype.kind in "fiu" else None
    return () if is_number(value) else None
