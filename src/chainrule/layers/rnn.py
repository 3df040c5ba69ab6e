"""RNN: a state that every step of a sequence reads and writes.

    h_t = tanh(x_t W + h_{t-1} U + b),   y_t = h_t

With dh_t the gradient of h_t, from y_t and from the next step,

    da_t = dh_t (1 - h_t^2),   dU = sum of h_{t-1}^T da_t,   dh_{t-1} = da_t U^T,   and dW, db, dx as in recurrent.py

The gradient of a state far back is a product of many U^T, which vanishes or explodes (Elman 1990, "Finding structure in
time"; Bengio, Simard and Frasconi 1994, "Learning long-term dependencies with gradient descent is difficult").
Legend: N batch, T steps, D features, H hidden size.
"""

from __future__ import annotations

from chainrule import kernels
from chainrule.arrays import Array
from chainrule.layers.recurrent import Recurrent, State

__all__ = ["RNN"]


class RNN(Recurrent):
    """x (N, T, D) -> y (N, T, H), h_t = tanh(x_t W + h_{t-1} U + b); or only the last state (N, H).

    Args:
        hidden_size: H.
        layers: the number of stacked layers; each reads the states of the one below.
        bidirectional: whether each layer reads in both directions; the states are concatenated, (N, T, 2 H).
        sequence: whether y is all states, or (False) only the last state of each direction.
        initializer: draws W and U; b starts at zero.

    Example:
        >>> net = Sequential(Embedding(80, 16), RNN(32), PointwiseAffine(80)).build((20,), seed=0)
        >>> logits, state, cache = net.run(np.zeros((1, 20), int))  # then continue: net.run(more, state)
    """

    def steps(self, suffix: str, a: Array, begin: State, mask: Array | None) -> tuple[State, tuple[Array, ...]]:
        (h,) = begin
        return (kernels.rnn_forward(a, self._held("U", suffix).value, h, mask),), ()

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
        (dh,), (h,) = end, states
        # h_t = tanh(a_t + h_{t-1} @ U)
        da, dh = kernels.rnn_backward(dy, dh, self._held("U", suffix).value, h, mask)
        return da, da, (dh,)
