"""GRU: one gate decides how much of the state is kept, another how much of it the candidate sees.

    r, z = sigmoid of x_t W + h_{t-1} U + b,   n = tanh(x_t W + b + r (h_{t-1} U + b_hidden))   in the order r, z, n
    h_t = (1 - z) n + z h_{t-1},   y_t = h_t

With dh_t the gradient of h_t, from y_t and from the next step, and inner = h_{t-1} U + b_hidden,

    dz = dh_t (h_{t-1} - n) z (1 - z),   dn = dh_t (1 - z) (1 - n^2),   dr = dn inner r (1 - r)
    da_t = [dr, dz, dn],   du_t = [dr, dz, dn r]
    dU = sum of h_{t-1}^T du_t,   db_hidden = sum of dn r,   dh_{t-1} = dh_t z + du_t U^T,   and dW, db, dx as in
    recurrent.py

(Cho et al. 2014, arXiv:1406.1078; the reset gate is applied after the product, so that one product serves all gates.)
Legend: N batch, T steps, D features, H hidden size.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array
from chainrule.layers.recurrent import Recurrent, State
from chainrule.parameters import Parameter

__all__ = ["GRU"]


class GRU(Recurrent):
    """x (N, T, D) -> y (N, T, H), gated recurrent units; or only the last state (N, H). Gates r, z, n.

    Args:
        hidden_size: H.
        layers: the number of stacked layers; each reads the states of the one below.
        bidirectional: whether each layer reads in both directions; the states are concatenated, (N, T, 2 H).
        sequence: whether y is all states, or (False) only the last state of each direction.
        initializer: draws W and U; b and b_hidden start at zero.

    Example:
        >>> net = Sequential(Embedding(80, 16), GRU(32), PointwiseAffine(80)).build((20,), seed=0)
        >>> logits, state, cache = net.run(np.zeros((1, 20), int))  # then continue: net.run(more, state)
    """

    gates = 3
    gate_names = ("r", "z", "n")
    onnx_gates = (1, 0, 2)  # z, r, h
    onnx_options = MappingProxyType({"linear_before_reset": 1})

    def build_step(self, suffix: str) -> None:
        vars(self)["b_hidden" + suffix] = Parameter(np.zeros(self.hidden_size, np.float32), decay=False)

    def steps(self, suffix: str, a: Array, begin: State, mask: Array | None) -> tuple[State, tuple[Array, ...]]:
        (h,), U, b_hidden = begin, self._held("U", suffix).value, self._held("b_hidden", suffix).value
        states, gates, inners = kernels.gru_forward(a, U, b_hidden, h, mask)
        return (states,), (gates, inners)

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
        U, (dh,), (h,), (of_all,), (gates, inners) = self._held("U", suffix).value, end, begin, states, kept
        # h_t = (1 - z) n + z h_{t-1}, n = tanh(a_n + r (u_n + b_hidden)), u = h_{t-1} @ U
        da, du, dh = kernels.gru_backward(dy, dh, U, h, of_all, gates, inners, mask)
        self._held("b_hidden", suffix).grad += du[:, :, 2 * self.hidden_size :].sum(axis=(0, 1))
        return da, du, (dh,)

    def onnx_hidden_bias(self, suffix: str) -> Array:
        b_hidden = self._held("b_hidden", suffix).value
        return np.concatenate((np.zeros(2 * self.hidden_size, b_hidden.dtype), b_hidden))
