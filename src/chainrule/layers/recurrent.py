"""Recurrent: what RNN, LSTM and GRU share, all but the step itself: stacks, directions, states, masks.

A layer of the stack reads x (N, T, D) in one direction and computes

    a = xW + b   for all steps at once,   then state_t = step(a_t, state_{t-1})   step by step

Backward goes back through time, from the last step to the first, and sums

    dW = sum of x_t^T da_t,   db = sum of da_t,   dx_t = da_t W^T,   dU = sum of h_{t-1}^T da_t

(Werbos 1990, "Backpropagation through time: what it does and how to do it"; both directions: Schuster and Paliwal 1997,
"Bidirectional recurrent neural networks"; chunks with a carried state: Williams and Peng 1990, "An efficient
gradient-based algorithm for on-line training of recurrent network trajectories".)
Legend: N batch, T steps, D features, H hidden size, G gates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array, Shape, quiet
from chainrule.errors import OptionError, ShapeError
from chainrule.initializers import Initializer, Xavier
from chainrule.layers.base import Layer
from chainrule.parameters import Parameter

__all__ = ["Recurrent", "State", "check_sequence", "checked_mask", "without_padding"]

State = tuple[Array, ...]


class Recurrent(Layer):
    """x (N, T, D) -> y (N, T, H), or the last state (N, H); with two directions, 2 H instead of H.

    The parameters of the first layer are W (D, G H), U (H, G H), b (G H,); the backward direction adds "_back" to the
    names, the layers above add "_2", "_3", ... A subclass defines the step, forward and backward.

    A state is a tuple of arrays, (h,) or for LSTM (h, c), each (layers, N, H), with two directions (2 layers, N, H):
    for each layer first forwards, then backwards.
    """

    gates = 1
    """G, the number of gates; a step computes H numbers for each."""
    held: tuple[str, ...] = ("h",)
    """The names of the arrays of a state."""
    gate_names: tuple[str, ...] = ()
    """The names of the gates that a step keeps."""
    onnx_gates: tuple[int, ...] = (0,)
    """The indices of our gates in ONNX's order."""
    onnx_options: Mapping[str, int] = MappingProxyType({})
    """Attributes of the ONNX operator."""

    def __init__(
        self,
        hidden_size: int,
        layers: int = 1,
        bidirectional: bool = False,
        sequence: bool = True,
        initializer: Initializer = Xavier(),  # noqa: B008 (an initializer has no state)
    ) -> None:
        if hidden_size < 1 or layers < 1:
            raise OptionError(
                f"{type(self).__name__} needs a hidden_size and layers of 1 or more, got {hidden_size} and {layers}"
            )
        self.hidden_size = hidden_size
        self.layers = layers
        self.bidirectional = bidirectional
        self.sequence = sequence
        self.initializer = initializer

    # ---- defined by a subclass ----

    def build_step(self, suffix: str) -> None:
        """Create parameters besides W, U and b, or change the initial values of these."""

    def steps(self, suffix: str, a: Array, begin: State, mask: Array | None) -> tuple[State, tuple[Array, ...]]:
        """a (N, T, G H), the initial state (N, H) -> all states (N, T, H), and whatever else backward needs."""
        raise NotImplementedError

    def steps_backward(
        self,
        suffix: str,
        dy: Array,
        end: State,
        begin: State,
        states: State,
        kept: tuple[Array, ...],
        mask: Array | None,
    ) -> tuple[Array, Array, State]:
        """Gradients of all h and of the last state -> da, the gradient of h U, and those of the initial state."""
        raise NotImplementedError

    # ---- shared by all ----

    def build(self, shape: Shape, rng: np.random.Generator) -> Shape:
        check_sequence(self, shape)
        (length, inputs), H = shape, self.hidden_size
        self.check_room((length, H), self.gates + len(self.held) + 1)
        for layer in range(self.layers):
            self.check_room((inputs + H + 1, self.gates * H), 2 * len(self._ways) * self.layers)
            for _, suffix, _ in self._cells(layer):
                for name, rows in (("W", inputs), ("U", H)):
                    value = self.initializer((rows, self.gates * H), rows, H, rng)
                    vars(self)[name + suffix] = Parameter(value)
                vars(self)["b" + suffix] = Parameter(np.zeros(self.gates * H, np.float32), decay=False)
                self.build_step(suffix)
            inputs = H * len(self._ways)
        return (length, inputs) if self.sequence else (inputs,)

    def forward(self, x: Array, *, train: bool = False, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        y, _, cache = self.run(x)
        return y, cache

    def run(
        self,
        x: Array,
        state: Any = None,
        mask: Array | None = None,
        *,
        train: bool = False,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Any, Any]:
        """See `Layer.run`. Padding leaves the state unchanged, and outputs there are 0.

        With a carried state, the backward direction starts a chunk from its state at the previous chunk's first step.

        Raises:
            ShapeError: the state belongs to another batch or layer, or the mask to other sequences.
        """
        return self.run_rows(x, None, state, mask)

    @quiet
    def run_rows(self, x: Array, which: Array | None, state: Any, mask: Array | None) -> tuple[Array, Any, Any]:
        """`run` for x (N, T, D), or for x[which] where x is (V, D) and which (N, T): each row is multiplied by W once,
        however often it is selected. `run_backward` then gives the gradient of the V rows."""
        steps = x if which is None else which
        begin, mask = self._begin(len(steps), x.dtype, state), checked_mask(self, steps, mask)
        end: list[State] = []
        caches = []
        for layer in range(self.layers):
            outputs = []
            for place, suffix, way in self._cells(layer):
                y, last, cache = self._there(suffix, way, x, which, tuple(part[place] for part in begin), mask)
                outputs.append(y)
                end.append(last)
                caches.append(cache)
            x, which = outputs[0] if len(outputs) == 1 else np.concatenate(outputs, axis=2), None
        if not self.sequence:
            x = np.concatenate([last[0] for last in end[-len(self._ways) :]], axis=1)
        return x, tuple(np.stack(parts) for parts in zip(*end, strict=True)), (caches, mask)

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        return self.run_backward(dy, cache, input_gradient=input_gradient)[0]

    @quiet
    def run_backward(
        self, dy: Array, cache: Any, dstate: State | None = None, *, input_gradient: bool = True
    ) -> tuple[Array | None, State]:
        """`backward` with state gradients: dy and the final state's gradient -> dx and the initial state's gradient.

        This lets an encoder learn from a decoder that starts with the encoder's state.
        """
        caches, mask = cache
        ways = len(self._ways)
        dy, dstate = self._from_above(dy, caches, dstate)
        begin: list[State] = []
        for layer in reversed(range(self.layers)):
            # x = the outputs of both directions, side by side
            backs = [
                self._back(cell, part, dstate, caches, mask, layer > 0 or input_gradient)
                for cell, part in zip(self._cells(layer), np.split(dy, ways, axis=-1), strict=True)
            ]
            begin = [dfirst for _, dfirst in backs] + begin
            dy = sum(dx for dx, _ in backs)
        return dy if input_gradient else None, tuple(np.stack(parts) for parts in zip(*begin, strict=True))

    def _from_above(self, dy: Array, caches: list[Any], dstate: State | None) -> tuple[Array, State]:
        """The gradients of the top layer's outputs (N, T, ...), and of the state after the chunk."""
        if dstate is None:
            zeros = np.zeros((len(caches), len(dy), self.hidden_size), dy.dtype)
            dstate = (zeros,) * len(self.held)
        if self.sequence:
            return dy, dstate
        # y = the last states of the top layer, side by side
        ways = len(self._ways)
        above = dstate[0].copy()
        above[-ways:] += dy.reshape(len(dy), ways, self.hidden_size).swapaxes(0, 1)
        _, _, (states, *_), _ = caches[0]
        return np.zeros((*states.shape[:2], ways * self.hidden_size), dy.dtype), (above, *dstate[1:])

    def _there(
        self, suffix: str, way: int, x: Array, which: Array | None, first: State, mask: Array | None
    ) -> tuple[Array, State, tuple[Any, ...]]:
        """One direction of one layer: its outputs, the last state, and what backward needs."""
        steps = np.ascontiguousarray((x if which is None else which)[:, ::way])
        rows = steps.reshape(-1, x.shape[2]) if which is None else x
        a = kernels.affine_forward(rows, self._held("W", suffix).value, self._held("b", suffix).value)
        a = a.reshape(*steps.shape[:2], a.shape[1]) if which is None else kernels.embedding_forward(steps, a)
        states, kept = self.steps(suffix, a, first, _turned(mask, way))
        y = without_padding(states[0][:, ::way], mask)
        read = rows, None if which is None else steps
        return y, tuple(of_all[:, -1] for of_all in states), (read, first, states, kept)

    def _back(
        self,
        cell: tuple[int, str, int],
        dy: Array,
        dstate: State,
        caches: list[Any],
        mask: Array | None,
        input_gradient: bool,
    ) -> tuple[Any, State]:
        """dx (0 if not asked for) and the gradient of the initial state, for one direction of one layer."""
        place, suffix, way = cell
        (rows, which), first, states, kept = caches[place]
        dlast = tuple(part[place] for part in dstate)
        W, U, b = (self._held(name, suffix) for name in "WUb")
        # y = the states, and 0 at padding
        dy = without_padding(dy, mask)
        dstates = np.ascontiguousarray(dy[:, ::way])
        da, du, dfirst = self.steps_backward(suffix, dstates, dlast, first, states, kept, _turned(mask, way))
        # step t computes h_{t-1} @ U; in rows of all steps, h_{t-1} is the row before, but for first steps
        at_first = du[:, 0].copy()
        du[:, 0] = 0
        flat = du.reshape(-1, U.shape[1])
        kernels.add_affine_weight_gradient(states[0].reshape(-1, U.shape[0])[:-1], flat[1:], U.grad)
        du[:, 0] = at_first
        kernels.add_affine_weight_gradient(np.ascontiguousarray(first[0]), at_first, U.grad)
        # a = a[which]
        da = da.reshape(-1, W.shape[1]) if which is None else kernels.embedding_weight_gradient(which, da, len(rows))
        # a = x @ W + b
        kernels.add_affine_weight_gradient(rows, da, W.grad)
        b.grad += kernels.affine_bias_gradient(da)
        if not input_gradient:
            return 0, dfirst
        dx = kernels.affine_input_gradient(da, W.value)
        return dx.reshape(*dy.shape[:2], W.shape[0])[:, ::way] if which is None else dx, dfirst

    def between(self, cache: Any) -> dict[str, Array]:
        """States and gates (N, T, H) of each layer and direction, in temporal order; named like the parameters."""
        found = {}
        for layer in range(self.layers):
            for place, suffix, way in self._cells(layer):
                _, _, states, kept = cache[0][place]
                gates = np.split(kept[0], len(self.gate_names), axis=2) if self.gate_names else []
                for name, array in zip((*self.held, *self.gate_names), (*states, *gates), strict=True):
                    found[name + suffix] = array[:, ::way]
        return found

    @quiet
    def state_gradients(self, dy: Array, cache: Any) -> dict[str, Array]:
        """`Layer.state_gradients` for each layer and direction, named like its states.

        At a direction's last step it comes from y if `sequence` is False, and is 0 otherwise.
        """
        other, (caches, mask) = self.copy(), cache
        dy, dstate = other._from_above(dy, caches, None)
        found: dict[str, Array] = {}
        for layer in reversed(range(self.layers)):
            parts = np.split(dy, len(self._ways), axis=-1)
            for (place, suffix, way), part in zip(self._cells(layer), parts, strict=True):
                dstates = np.ascontiguousarray(without_padding(part, mask)[:, ::way])
                dlast = tuple(of_all[place] for of_all in dstate)
                steps = other._back_through_time(suffix, dstates, dlast, caches[place], _turned(mask, way))
                found |= {name + suffix: np.stack(of_one, axis=1)[:, ::way] for name, of_one in steps.items()}
            cells = zip(self._cells(layer), parts, strict=True)
            dy = sum(other._back(cell, part, dstate, caches, mask, True)[0] for cell, part in cells)
        return found

    def _back_through_time(
        self, suffix: str, dy: Array, dlast: State, cache: tuple[Any, ...], mask: Array | None
    ) -> dict[str, list[Array]]:
        """The gradient of the state after each step, computed one step at a time."""
        _, first, states, kept = cache
        found: list[State] = []
        for t in reversed(range(dy.shape[1])):
            found.append(dlast)
            begin = tuple(of_all[:, t - 1] for of_all in states) if t else first
            dy_t, mask_t = dy[:, t : t + 1], None if mask is None else mask[:, t : t + 1]
            states_t, kept_t = (
                tuple(np.ascontiguousarray(a[:, t : t + 1]) for a in arrays) for arrays in (states, kept)
            )
            _, _, dlast = self.steps_backward(
                suffix, np.ascontiguousarray(dy_t), dlast, begin, states_t, kept_t, mask_t
            )
        return {name: [state[place] for state in reversed(found)] for place, name in enumerate(self.held)}

    def multiply_adds(self, shape: Shape) -> int:
        cells = [suffix for layer in range(self.layers) for _, suffix, _ in self._cells(layer)]
        return shape[0] * sum(self._held(name, suffix).size for suffix in cells for name in ("W", "U"))

    @property
    def _ways(self) -> tuple[int, ...]:
        """The directions: 1 from the first step to the last, -1 from the last to the first."""
        return (1, -1) if self.bidirectional else (1,)

    def _cells(self, layer: int) -> Iterator[tuple[int, str, int]]:
        """For each direction of a layer: its index in a state, the suffix of its parameters, and 1 or -1."""
        for place, way in enumerate(self._ways, start=layer * len(self._ways)):
            yield place, f"_{layer + 1}" * (layer > 0) + "_back" * (way < 0), way

    def _held(self, name: str, suffix: str) -> Parameter:
        found: Parameter = vars(self)[name + suffix]
        return found

    def _begin(self, samples: int, dtype: Any, state: Any) -> State:
        shape = (self.layers * len(self._ways), samples, self.hidden_size)
        if state is None:
            return tuple(np.zeros(shape, dtype) for _ in self.held)
        if not isinstance(state, tuple | list) or [np.shape(part) for part in state] != [shape] * len(self.held):
            got = [np.shape(part) for part in state] if isinstance(state, tuple | list) else state
            raise ShapeError(
                f"carries ({', '.join(self.held)}), each {shape}, got {got}: pass what run returned for the same batch",
                self,
            )
        return tuple(np.asarray(part, dtype) for part in state)

    # ---- ONNX ----

    def onnx(self, graph: Any, x: str) -> str:
        assert self.input_shape is not None
        ways, H = len(self._ways), self.hidden_size
        for layer in range(self.layers):
            arrays = [
                np.stack(parts) for parts in zip(*(self._onnx_arrays(s) for _, s, _ in self._cells(layer)), strict=True)
            ]
            y = graph.add(
                type(self).__name__,
                graph.add("Transpose", x, perm=[1, 0, 2]),
                *(graph.constant(array) for array in arrays),
                hidden_size=H,
                direction="bidirectional" if self.bidirectional else "forward",
                **self.onnx_options,
            )
            y = graph.add("Transpose", y, perm=[2, 0, 1, 3])
            x = graph.add("Reshape", y, graph.constant([-1, self.input_shape[0], ways * H], np.int64))
        if self.sequence:
            return x
        last = [(self.input_shape[0] - 1, 0), (0, H)][:ways]  # the step and the features where each direction ends
        parts = [
            graph.add(
                "Slice",
                graph.add("Gather", x, graph.constant(step, np.int64), axis=1),
                *(graph.constant([number], np.int64) for number in (feature, feature + H, 1)),
            )
            for step, feature in last
        ]
        joined: str = graph.add("Concat", *parts, axis=1)
        return joined

    def _onnx_arrays(self, suffix: str) -> tuple[Array, Array, Array]:
        """W (G H, D), R (G H, H), B (2 G H,) of one direction, in ONNX's gate order."""
        W, U, b = (self._gates_of(self._held(name, suffix).value) for name in ("W", "U", "b"))
        return W.T, U.T, np.concatenate((b, self.onnx_hidden_bias(suffix)))

    def onnx_hidden_bias(self, suffix: str) -> Array:
        """The second half of ONNX's B (G H,)."""
        return np.zeros_like(self._held("b", suffix).value)

    def _gates_of(self, array: Array) -> Array:
        """`array` with the gates along its last axis in ONNX's order."""
        parts = np.split(array, self.gates, axis=-1)
        return np.concatenate([parts[gate] for gate in self.onnx_gates], axis=-1)


def check_sequence(layer: Layer, shape: Shape) -> None:
    """Raise ShapeError unless the shape of a sample is (T, D) with at least one step."""
    if len(shape) != 2 or shape[0] < 1:
        raise layer.shape_error(f"needs sequences (T, D) of 1 step or more, got {shape}: put Reshape((T, D)) before it")


def checked_mask(layer: Layer, x: Array, mask: Array | None) -> Array | None:
    """`mask` (N, T) for sequences x (N, T, ...), checked.

    Raises:
        ShapeError: its shape does not match, or it is not boolean.
    """
    if mask is None:
        return None
    mask = np.asarray(mask)
    if mask.shape != x.shape[:2] or mask.dtype != bool:
        raise ShapeError(
            f"needs a boolean mask {x.shape[:2]}, got {mask.dtype} {mask.shape}: pass true at every real step", layer
        )
    return mask


def without_padding(x: Array, mask: Array | None) -> Array:
    """x (N, T, D) with 0 where mask (N, T) is false."""
    return x if mask is None else np.where(mask[:, :, np.newaxis], x, 0)


def _turned(mask: Array | None, way: int) -> Array | None:
    return None if mask is None else np.ascontiguousarray(mask[:, ::way])
