"""RNN, LSTM and GRU in an ONNX graph, which counts the steps along the first axis and the batch along the second.

A value (T, N, D) is known here as that (N, T, D) which it is with its axes exchanged, and what comes out of a
recurrence, states (T, W, N, H) of W ways and last states (W, N, H), as the layer's y (N, T, W H) and parts of it. So
Transpose, Squeeze, Reshape, Concat and Gather between stand for nothing, and what leaves in another form is told.

https://onnx.ai/onnx/operators
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import ModelFileError
from chainrule.io.onnx_parts import Node, Part, array
from chainrule.layers import GRU, LSTM, RNN, Flatten, Slice
from chainrule.layers.recurrent import Recurrent

__all__ = ["LAST", "RECURRENT", "TimeFirst", "last_state", "recurrent"]

RECURRENT: dict[str, type[Recurrent]] = {"GRU": GRU, "LSTM": LSTM, "RNN": RNN}
LAST = "last state"
"""An operator of our own: one way's state at its last step, of a recurrence's y."""

_USUAL = {"GRU": ["sigmoid", "tanh"], "LSTM": ["sigmoid", "tanh", "tanh"], "RNN": ["tanh"]}
"""Activations of each way."""
_STATES = 5, 6
"""Places of the first states among a node's inputs."""


@dataclass(frozen=True)
class _Form:
    """How a value of the model is what it is here.

    `axes` in order: T steps, W ways, N batch, H features of a way, D all features. `source` is the value (N, T, D); of
    last states, which have no T, `last` are the source and way of each.
    """

    axes: str
    source: str
    steps: int
    ways: int
    size: int
    last: tuple[tuple[str, int], ...] = ()


class TimeFirst:
    """Values of a graph that have the steps first.

    Args:
        make: adds a node that makes a value whose samples have its `after` as shape.
        same: tells that a value is the same as another.
    """

    def __init__(self, make: Callable[[str, Node], None], same: Callable[[str, str], None]) -> None:
        self._make = make
        self._same = same
        self._forms: dict[str, _Form] = {}

    def __contains__(self, value: str) -> bool:
        return value in self._forms

    def take(self, node: Node, outputs: list[str], zeros: Mapping[int, bool]) -> bool:
        """Take in a node that reads or makes such values; False where it is none.

        Args:
            node: its data are the names of the values that it reads.
            outputs: the names of what it makes.
            zeros: of its inputs by place, whether they are zeros for every batch.
        """
        if node.operator in RECURRENT:
            self._recurrence(node, outputs, zeros)
            return True
        forms = [self._forms[name] for name in node.data if name in self._forms]
        if not forms:
            shape = node.before[0] if len(node.data) == 1 else None
            if node.operator != "Transpose" or shape is None or len(shape) != 2 or _perm(node) != (1, 0, 2):
                return False
            self._forms[outputs[0]] = _Form("TND", node.data[0], shape[0], 1, shape[1])
            return True
        after = self._after(node, forms[0]) if len(forms) == len(node.data) else None
        if after is None:
            told = f"{node.operator} of values with the steps first"
            self._make(outputs[0], Node(told, [form.source for form in forms], {}, {}))
        elif after.axes == "NTD":
            self._same(outputs[0], after.source)
        elif after.axes in ("NH", "ND"):
            self._pick(outputs[0], after)
        else:
            self._forms[outputs[0]] = after
        return True

    def _recurrence(self, node: Node, outputs: list[str], zeros: Mapping[int, bool]) -> None:
        form = self._forms.get(node.data[0])
        size, ways = int(node.attributes.get("hidden_size", 0)), 2 if _direction(node) == "bidirectional" else 1
        if form is None or form.axes != "TND" or len(node.data) > 1 or size < 1:
            self._make(outputs[0], Node(f"{node.operator} of a batch that does not come first", node.data, {}, {}))
            return
        features = form.ways * form.size
        begins = [place for place in _STATES if place in zeros and not zeros[place]]
        told = f"{node.operator} with first states that are not zeros" if begins else node.missing
        y = f"{outputs[0]} batch first"
        after = (form.steps, ways * size)
        made = replace(node, data=[form.source], before=((form.steps, features),), after=after, missing=told)
        self._make(y, made)
        states = _Form("TWNH", y, form.steps, ways, size)
        last = replace(states, axes="WNH", last=tuple((y, way) for way in range(ways)))
        self._forms.update({name: found for name, found in zip(outputs, (states, last), strict=False) if name})
        for name in outputs[2:]:
            self._make(name, Node(f"{node.operator} (output 3)", [y], {}, {}))

    def _after(self, node: Node, form: _Form) -> _Form | None:
        """What a node makes of a form, if it is known."""
        if node.operator in ("Cast", "Dropout", "Identity"):
            return form
        known = {
            "Concat": self._stacked,
            "Gather": self._chosen,
            "Reshape": self._side_by_side,
            "Squeeze": self._alone,
            "Transpose": self._turned,
        }
        return known[node.operator](node, form) if node.operator in known else None

    def _turned(self, node: Node, form: _Form) -> _Form | None:
        perm = _perm(node)
        turned = len(perm) == len(form.axes)
        return replace(form, axes="".join(form.axes[axis] for axis in perm)) if turned else None

    def _alone(self, node: Node, form: _Form) -> _Form | None:
        """Without the axis of the one way."""
        found = np.ravel(node.constants.get(1, node.attributes.get("axes", ()))).tolist()
        if [form.axes[int(axis)] for axis in found] != ["W"] or (len(form.last) or form.ways) != 1:
            return None
        left = form.axes.replace("W", "")
        return replace(form, axes=left if form.last else left.replace("H", "D"))

    def _chosen(self, node: Node, form: _Form) -> _Form | None:
        """One of several last states."""
        place = node.constants.get(1)
        if form.axes != "WNH" or int(node.attributes.get("axis", 0)) != 0 or place is None or place.ndim:
            return None
        if not -len(form.last) <= int(place) < len(form.last):
            return None
        return replace(form, axes="NH", last=(form.last[int(place)],))

    def _stacked(self, node: Node, form: _Form) -> _Form | None:
        """The last states of several layers."""
        others = [self._forms[name] for name in node.data]
        alike = {replace(other, source="", last=()) for other in others} == {replace(form, source="", last=())}
        if form.axes != "WNH" or not alike or int(node.attributes["axis"]) != 0 or node.constants:
            return None
        return replace(form, last=tuple(last for other in others for last in other.last))

    def _side_by_side(self, node: Node, form: _Form) -> _Form | None:
        """The ways' features beside each other, by a Reshape that joins the last two axes."""
        if not form.axes.endswith("WH"):
            return None
        ways = len(form.last) or form.ways
        lengths = {"T": form.steps, "D": ways * form.size}
        axes = form.axes.removesuffix("WH") + "D"
        wanted = [int(length) for length in np.ravel(node.constants.get(1, ()))]
        fits = [axis == "N" or length in (0, -1, lengths[axis]) for axis, length in zip(axes, wanted, strict=False)]
        return replace(form, axes=axes) if len(wanted) == len(axes) and all(fits) and wanted[-1] else None

    def _pick(self, name: str, form: _Form) -> None:
        """Last states side by side, as parts of each one's y."""
        names = []
        for number, (y, way) in enumerate(form.last):
            part = name if len(form.last) == 1 else f"{name} part {number}"
            between = {"step": 0 if way else form.steps - 1, "start": way * form.size, "stop": (way + 1) * form.size}
            shape = (form.steps, form.ways * form.size)
            self._make(part, Node(LAST, [y], {}, between, before=(shape,), after=(form.size,)))
            names.append(part)
        if len(names) > 1:
            self._make(name, Node("Concat", names, {}, {"axis": 1}, after=(form.size * len(names),)))


def last_state(node: Node) -> list[Part]:
    """The step and the features of it that are one way's last state."""
    [(_, features), *_] = [shape for shape in node.before if shape is not None]
    step, start, stop = (node.attributes[name] for name in ("step", "start", "stop"))
    parts = [Part(Slice(step, step + 1, 0)), Part(Flatten())]
    return parts if (start, stop) == (0, features) else [*parts, Part(Slice(start, stop, 0))]


def recurrent(node: Node) -> Part:
    """RNN, LSTM, GRU that read (N, T, D).

    Raises:
        ModelFileError: it has another direction, other activations, or what else no layer does.
    """
    kind, name, direction = RECURRENT[node.operator], node.operator, _direction(node)
    ways, size = 2 if direction == "bidirectional" else 1, int(node.attributes["hidden_size"])
    activations = [_text(told).lower() for told in node.attributes.get("activations", ())]
    unknown = {
        f"direction = {direction}": direction not in ("forward", "bidirectional"),
        f"activations = {', '.join(activations)}": activations not in ([], _USUAL[name] * ways),
        "a clip": "clip" in node.attributes,
        "layout = 1": bool(node.attributes.get("layout", 0)),
        "input_forget = 1": bool(node.attributes.get("input_forget", 0)),
        "linear_before_reset = 0": name == "GRU" and not node.attributes.get("linear_before_reset", 0),
        "lengths of its own for each sequence": 4 in node.constants and _cuts(node),
        "peepholes": 7 in node.constants and bool(np.any(node.constants[7])),
    }
    if told := [what for what, there in unknown.items() if there]:
        raise ModelFileError(f"its {name} has {' and '.join(told)}, which no layer supports")
    W, R = array(node, 1), array(node, 2)
    B = array(node, 3) if 3 in node.constants else np.zeros((ways, 2 * kind.gates * size), np.float32)
    if R.shape != (ways, kind.gates * size, size) or W.shape[:2] != R.shape[:2] or B.shape != (ways, 2 * R.shape[1]):
        raise ModelFileError(f"it has a {name} of {size} whose weights {W.shape}, {R.shape} and {B.shape} do not fit")
    arrays: dict[str, Array] = {}
    for way, suffix in enumerate(("", "_back")[:ways]):
        of_x, of_h = (_in_our_order(kind, half) for half in np.split(B[way], 2))
        arrays |= {f"W{suffix}": _in_our_order(kind, W[way]).T, f"U{suffix}": _in_our_order(kind, R[way]).T}
        if kind is GRU:  # the last gate's part is added within the product with the reset gate
            arrays[f"b_hidden{suffix}"] = of_h[2 * size :]
            of_h = np.concatenate((of_h[: 2 * size], np.zeros(size, np.float32)))
        arrays[f"b{suffix}"] = of_x + of_h
    return Part(kind(size, bidirectional=ways == 2), {name: np.ascontiguousarray(a) for name, a in arrays.items()})


def _in_our_order(kind: type[Recurrent], rows: Array) -> Array:
    """The gates along the first axis in our order."""
    parts = np.split(rows, kind.gates)
    return np.concatenate([parts[kind.onnx_gates.index(gate)] for gate in range(kind.gates)])


def _cuts(node: Node) -> bool:
    """Whether the lengths of sequences that a node is told are not all of their steps."""
    [shape, *_] = node.before
    return shape is None or bool((np.ravel(node.constants[4]) != shape[0]).any())


def _direction(node: Node) -> str:
    return _text(node.attributes.get("direction", "forward"))


def _text(told: Any) -> str:
    return told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)


def _perm(node: Node) -> tuple[int, ...]:
    return tuple(int(axis) for axis in node.attributes.get("perm", ()))
