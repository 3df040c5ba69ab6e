"""Reads the graph of an ONNX model backwards from an output, as a sequence of layers and branches.

A node with one input becomes a layer. Where several inputs meet, the branches of a Parallel or Residual start at the
nearest value that all of them come from.
"""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from chainrule.arrays import Array, Shape
from chainrule.errors import ModelFileError
from chainrule.io.onnx_attention import find_attention
from chainrule.io.onnx_constants import constant_of
from chainrule.io.onnx_fold import attributes_of, known, sample_of
from chainrule.io.onnx_operators import JOINS, OF_BATCH, OPERATORS
from chainrule.io.onnx_parts import Node, Part, tidy
from chainrule.io.onnx_recurrent import RECURRENT, TimeFirst
from chainrule.io.onnx_shapes import SHAPES
from chainrule.layers import BatchNorm, Dropout, InstanceNorm

__all__ = ["Graph"]

_PASSING = {*SHAPES, "Dropout", "Identity"}
"""Operators that may do nothing, so that they can be skipped."""

_FAR = 100
"""The most of these that are skipped in a row."""

_OF_INDICES = {"Add", "Cast", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Mod", "Mul", "Not", "Sub", "Where"}
"""The operators that a formula for indices counted from the end may contain."""

_MOST_ENTRIES = 2**22
"""The most indices for which such formulas are computed, in total."""


class Graph:
    """Which node computes which value, for an input whose samples have this shape.

    Raises:
        ModelFileError: there is not exactly one input, or the constants do not fit together.
    """

    def __init__(self, onnx: Any, model: Any, value: Any, sample: Shape) -> None:
        self._onnx = onnx
        self._known = known(onnx, model, value, sample)
        self.input = value.name
        self.outputs = [output.name for output in model.graph.output]
        self.classes: tuple[str, ...] = ()
        self._makers: dict[str, Node] = {}
        self._same_as: dict[str, str] = {}
        self._joined: dict[tuple[Any, ...], str] = {}
        """The value of a Concat of these values along an axis."""
        self._parents: dict[str, str] = {}
        """The last value that every path from the input to this value passes."""
        self._depths = {self.input: 0}
        self._uses = Counter(self.outputs)
        """The number of nodes that read a value."""
        self._done: dict[str, tuple[list[Part], str]] = {}
        self._entries = 0
        self._time_first = TimeFirst(self._make_sample, self._same_as.__setitem__)
        self._opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
        for proto in model.graph.node:
            if any(name not in self._known.constants for name in proto.output):
                self._add(proto)

    def parts(self, output: str | None) -> list[Part]:
        """The layers from the input to an output, tidied.

        Raises:
            ModelFileError: no layer supports some operators; the message names all of them.
        """
        if output is not None and output not in self.outputs:
            raise ModelFileError(f"it has no output {output!r}: use one of {', '.join(self.outputs)}")
        wanted = [output] if output is not None else self.outputs
        missing: dict[str, list[str]] = {}
        for name in wanted:
            unknown = self._unknown(name)
            if not unknown:
                return tidy(self._chain(self._same_as.get(name, name), self.input))
            missing[name] = unknown
        told = ", ".join(min((len(names), names) for names in missing.values())[1])
        raise ModelFileError(f"no layer supports the operators {told}: export the network without them")

    # ---- nodes ----

    def _add(self, proto: Any) -> None:
        facts = self._known
        inputs = [self._same_as.get(name, name) for name in proto.input]
        constants = {place: facts.constants[name] for place, name in enumerate(inputs) if name in facts.constants}
        stuck = next((facts.stuck[name] for name in inputs if name in facts.stuck), "")
        data = [n for n in inputs if n and not (n in facts.constants or n in facts.of_batch or n in facts.stuck)]
        if not data:
            return
        if proto.op_type == "Gather" and 0 in constants and len(data) == 1:
            data = [self._index(data[0], len(constants[0]))] if constants[0].ndim else data
        operator = proto.op_type if proto.domain in ("", "ai.onnx") else f"{proto.domain}.{proto.op_type}"
        if operator == "ai.onnx.ml.ArrayFeatureExtractor" and 0 in constants:  # the class of the largest output
            self.classes = tuple(
                a.decode() if isinstance(a, bytes) else str(a) for a in np.ravel(constants[0]).tolist()
            )
        out = proto.output[0]
        attributes = dict(attributes_of(self._onnx, proto))
        if (same := self._is_same(operator, data, constants)) is not None:
            self._same_as[out] = same
            return
        if operator == "Add" and len(data) == 2 and self._add_as_product(data, out):
            return
        if operator == "Concat" and len(data) == len(inputs):
            joined = (attributes.get("axis"), *data)
            data = self._nested(joined)
            self._joined[joined] = out
        elif not any(name in self._time_first for name in data):
            data = self._narrow(data, out)
        of_batch = "" if operator in OF_BATCH or operator in RECURRENT else self._batch_in(operator, inputs)
        node = Node(
            operator,
            data,
            constants,
            attributes,
            before=tuple(sample_of(facts.shapes.get(name)) for name in data),
            after=sample_of(facts.shapes.get(out)),
            whole=data[0] in facts.whole,
            outputs=sum(1 for name in proto.output if name),
            opset=self._opset,
            missing=stuck or of_batch,
        )
        zeros = {
            place: name in facts.zeros or (name in facts.constants and not facts.constants[name].any())
            for place, name in enumerate(inputs)
            if name
        }
        if self._time_first.take(node, list(proto.output), zeros):
            return
        if operator == "Reshape" and (found := find_attention(self._makers, node)) is not None:
            node = found
        if operator == "Split":
            self._split(node, list(proto.output))
            return
        self._make(out, node)
        for place, name in enumerate(proto.output[1:], start=2):
            self._make(name, Node(f"{operator} (output {place})", data, constants, attributes))

    def _split(self, node: Node, outputs: list[str]) -> None:
        """Each output of a Split separately, with its start and stop."""
        axis, place = int(node.attributes.get("axis", 0)), 0
        for name in outputs:
            lengths = self._known.shapes.get(name, ())
            length = lengths[axis] if -len(lengths) <= axis < len(lengths) else None
            missing = node.missing or ("" if length and node.before[0] else "Split of an unknown shape")
            between = {"axis": axis, "start": place, "stop": place + (length or 0)}
            self._make(name, replace(node, attributes=between, after=sample_of(lengths), missing=missing))
            place += length or 0

    def _batch_in(self, operator: str, inputs: list[str]) -> str:
        return f"{operator} by the batch's size" if any(name in self._known.of_batch for name in inputs) else ""

    def _is_same(self, operator: str, data: list[str], constants: dict[int, Array]) -> str | None:
        """The value equal to a node's output, if the node only guards against something the layer handles itself."""
        if operator != "Where" or len(data) < 2:
            return None
        test, *values = (self._makers.get(name) for name in data)
        x = test.data[0] if test is not None and test.data else ""
        if test is None or len(test.data) != 1 or 1 not in test.constants or np.size(test.constants[1]) != 1:
            return None
        bound = float(np.ravel(test.constants[1])[0])
        # Where(x > 20, x, Softplus(x)): a Softplus that does not overflow
        if test.operator == "Greater" and bound >= 15 and len(data) == 3 and data[1] == x:
            return data[2] if values[1] and values[1].operator == "Softplus" and values[1].data == [x] else None
        return None

    def _add_as_product(self, data: list[str], out: str) -> bool:
        """x r + (-mean r) or, with a constant, x r + (-mean r + c), as tf2onnx writes a norm, as (x - mean) r + c."""
        scaled, other = (self._makers.get(name) for name in data)
        shift = other if other is not None and other.operator == "Add" and len(other.data) == 1 else None
        if shift is not None:
            other = self._makers.get(shift.data[0])
        if scaled is None or other is None or scaled.operator != "Mul" or other.operator != "Mul":
            return False
        for x, r in (scaled.data, scaled.data[::-1]) if len(scaled.data) == len(other.data) == 2 else ():
            for minus, also in (other.data, other.data[::-1]):
                negative = self._makers.get(minus)
                if also == r and negative is not None and negative.operator == "Neg":
                    self._make(f"{out} centered", Node("Sub", [x, negative.data[0]], {}, {}))
                    self._make(f"{out} product" if shift else out, Node("Mul", [f"{out} centered", r], {}, {}))
                    if shift:
                        self._make(out, replace(shift, data=[f"{out} product"]))
                    return True
        return False

    def _make(self, name: str, node: Node) -> None:
        self._makers[name] = node
        self._uses.update(node.data)
        self._parents[name] = parent = self._shared(node.data)
        self._depths[name] = self._depths[parent] + 1

    def _make_sample(self, name: str, node: Node) -> None:
        """The same, of a value whose shape is that of the node alone."""
        if node.after is not None:
            self._known.shapes[name] = (None, *node.after)
        self._make(name, node)

    def _index(self, value: str, entries: int) -> str:
        """The indices before a formula that allows counting from the end, if it changes none of this many indices.

        The formula is computed for every index; if it returns each of them unchanged, it can be skipped.
        """
        self._entries += entries
        if value == self.input or self.input not in self._known.whole or self._entries > _MOST_ENTRIES:
            return value
        places = np.arange(entries)
        found: dict[str, Array] = {self.input: places}
        try:
            same = np.array_equal(self._computed(value, found, 0), places)
        except ModelFileError:
            return value
        return self.input if same else value

    def _computed(self, value: str, found: dict[str, Array], depth: int) -> Array:
        """The integers that nodes compute from the input, if they work elementwise."""
        if value not in found:
            node = self._makers.get(value)
            if node is None or node.operator not in _OF_INDICES or depth > len(_OF_INDICES):
                raise ModelFileError("it is more than arithmetic of whole numbers")
            names = iter(node.data)
            inputs = {
                place: node.constants[place]
                if place in node.constants
                else self._computed(next(names), found, depth + 1)
                for place in range(len(node.data) + len(node.constants))
            }
            if any(array.size not in (1, len(found[self.input])) for array in inputs.values()):
                raise ModelFileError("it is more than arithmetic of whole numbers")
            found[value] = constant_of(node.operator, node.attributes, inputs)
        return found[value]

    def _narrow(self, data: list[str], out: str) -> list[str]:
        """Inputs without redundant Expands: broadcasting repeats numbers along the other input's axes anyway."""
        shapes = self._known.shapes
        if len(data) != 2 or shapes.get(out) is None:
            return data
        found = []
        for name, other in zip(data, reversed(data), strict=True):
            maker = self._makers.get(name)
            repeats = maker is not None and maker.operator == "Expand" and shapes.get(other) == shapes.get(out)
            found.append(maker.data[0] if maker is not None and repeats else name)
        return found

    def _nested(self, joined: tuple[Any, ...]) -> list[str]:
        """The inputs of a Concat (axis, inputs); if the first of them are already joined, that value replaces them.

        So DenseNet's repeated joins, [x, f(x), g([x, f(x)])], become [y, g(y)] with y = [x, f(x)].
        """
        for end in range(min(len(joined), 257), 2, -1):
            before = self._joined.get(joined[:end])
            if before is not None:
                return [before, *joined[end:]]
        return list(joined[1:])

    def _shared(self, values: list[str]) -> str:
        """The last value that every path from the input to all of these passes."""
        found = values[0]
        for value in values[1:]:
            other = value
            while found != other:
                if self._depths[found] < self._depths[other]:
                    found, other = other, found
                found = self._parents[found]
        return found

    # ---- chains ----

    def _unknown(self, output: str) -> list[str]:
        """The operators on the way to an output that no layer supports."""
        found: set[str] = set()
        seen: set[str] = set()
        waiting = [output]
        while waiting:
            name = waiting.pop()
            name = self._same_as.get(name, name)
            if name in seen or name == self.input:
                continue
            seen.add(name)
            node = self._makers.get(name)
            if node is None:
                left = "an output with the steps first" if name in self._time_first else "a constant output"
                found.add(self._known.stuck.get(name, left))
                continue
            known = JOINS if len(node.data) > 1 else OPERATORS
            if node.operator not in known:
                found.add(node.operator)
            if node.missing:
                found.add(node.missing)
            waiting += node.data
        return sorted(found)

    def _alone(self, value: str) -> bool:
        """Whether only one node reads a value and the values it passes through."""
        for _ in range(_FAR):
            node = self._makers.get(value)
            if self._uses[value] != 1:
                return False
            if node is None or node.operator not in _PASSING or len(node.data) != 1:
                return True
            value = node.data[0]
        return False

    def _chain(self, value: str, begin: str) -> list[Part]:
        """The parts between two values, in order: layers, and additions and products of constants for `tidy`."""
        found: list[Part] = []
        while value != begin:
            parts, value = self._read(value)
            found += reversed(parts)
        return found[::-1]

    def _read(self, value: str) -> tuple[list[Part], str]:
        """The parts of the node that computes a value, and the value that they read.

        A node shared by two branches gives the same parts in both, so that its layers are trained as one.
        """
        if value in self._done:
            for part in self._done[value][0]:
                if isinstance(part.layer, BatchNorm | Dropout | InstanceNorm):
                    raise ModelFileError(f"it has branches that share a {type(part.layer).__name__}: they do not nest")
            return self._done[value]
        node = self._makers[value]
        if len(node.data) == 1:
            made = OPERATORS[node.operator](node)
            parts, before = [] if made is None else made if isinstance(made, list) else [made], node.data[0]
            for part in parts:
                part.alone = self._alone(before)
        else:
            before = self._shared(node.data)
            parts = [JOINS[node.operator](node, [self._chain(name, before) for name in node.data])]
        self._done[value] = parts, before
        return self._done[value]
