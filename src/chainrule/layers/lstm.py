"""LSTM: a state and a cell; the cell is only added to and partly forgotten, so gradients survive many steps.

    i, f, o = sigmoid,  g = tanh   of the four parts of x_t W + h_{t-1} U + b, in the order i, f, g, o
    c_t = f c_{t-1} + i g,   h_t = o tanh(c_t),   y_t = h_t

With dh_t and dc_t the gradients of h_t and c_t, from y_t and from the next step,

    do = dh_t tanh(c_t),   dc_t <- dc_t + dh_t o (1 - tanh(c_t)^2)
    di = dc_t g,   df = dc_t c_{t-1},   dg = dc_t i,   dc_{t-1} = dc_t f
    da_t = [di i (1 - i), df f (1 - f), dg (1 - g^2), do o (1 - o)]
    dU = sum of h_{t-1}^T da_t,   dh_{t-1} = da_t U^T,   and dW, db, dx as in recurrent.py

(Hochreiter and Schmidhuber 1997, "Long short-term memory"; the forget gate: Gers, Schmidhuber and Cummins 2000,
"Learning to forget"; why it starts open: Jozefowicz, Zaremba and Sutskever 2015, "An empirical exploration of
recurrent network architectures".)
Legend: N batch, T steps, D features, H hidden size.
"""

from __future__ import annotations

import math

from chainrule import kernels
from chainrule.arrays import Array
from chainrule.errors import OptionError
from chainrule.initializers import Initializer, Xavier
from chainrule.layers.recurrent import Recurrent, State

__all__ = ["LSTM"]


class LSTM(Recurrent):
    """x (N, T, D) -> y (N, T, H), long short-term memory; or only the last state (N, H). Gates i, f, g, o.

    Args:
        hidden_size: H.
        layers: the number of stacked layers; each reads the states of the one below.
        bidirectional: whether each layer reads in both directions; the states are concatenated, (N, T, 2 H).
        sequence: whether y is all states, or (False) only the last state of each direction.
        forget_bias: the initial value of the forget gate's part of b; above 0 the cell remembers at first.
        initializer: draws W and U; the rest of b starts at zero.

    Example:
        >>> net = Sequential(Embedding(80, 16), LSTM(32, layers=2), PointwiseAffine(80)).build((20,), seed=0)
        >>> logits, state, cache = net.run(np.zeros((1, 20), int))  # then continue: net.run(more, state)
    """

    gates = 4
    held = ("h", "c")
    gate_names = ("i", "f", "g", "o")
    onnx_gates = (0, 3, 1, 2)  # i, o, f, c

    def __init__(
        self,
        hidden_size: int,
        layers: int = 1,
        bidirectional: bool = False,
        sequence: bool = True,
        forget_bias: float = 1.0,
        initializer: Initializer = Xavier(),  # noqa: B008 (an initializer has no state)
    ) -> None:
        super().__init__(hidden_size, layers, bidirectional, sequence, initializer)
        if not math.isfinite(forget_bias):
            raise OptionError(f"forget_bias must be a finite number, got {forget_bias}: 1 is usual")
        self.forget_bias = forget_bias

    def build_step(self, suffix: str) -> None:
        self._held("b", suffix).value[self.hidden_size : 2 * self.hidden_size] = self.forget_bias

    def steps(self, suffix: str, a: Array, begin: State, mask: Array | None) -> tuple[State, tuple[Array, ...]]:
        h, c = begin
        states, cells, gates = kernels.lstm_forward(a, self._held("U", suffix).value, h, c, mask)
        return (states, cells), (gates,)

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
        U, (dh, dc), (_, c), (_, cells), (gates,) = self._held("U", suffix).value, end, begin, states, kept
        # c_t = f c_{t-1} + i g, h_t = o tanh(c_t), the gates of a_t + h_{t-1} @ U
        da, dh, dc = kernels.lstm_backward(dy, dh, dc, U, c, cells, gates, mask)
        return da, da, (dh, dc)
