"""One step of a recurrent layer: RNN, LSTM and GRU as in the second book, written to be read.

forward takes x (N, D) and the previous state, and returns the next state. backward takes the gradient of the next state
and returns dx and the gradient of the previous state, which the step before continues with. `common.time_layers` runs
these steps over time.
Legend: N batch, D inputs, H hidden size.
"""

from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.scratch.functions import sigmoid

__all__ = ["GRU", "LSTM", "RNN"]


class _Step:
    """A step with Wx (D, G H), Wh (H, G H), b (G H,) for G gates, and their gradients in `grads`."""

    def __init__(self, Wx: Array, Wh: Array, b: Array) -> None:
        self.params = [Wx, Wh, b]
        self.grads = [np.zeros_like(param) for param in self.params]
        self.cache: Any = None

    def _affine_backward(self, da: Array, x: Array, h_prev: Array) -> tuple[Array, Array]:
        """Return dx and dh_prev for a = x Wx + h_prev Wh + b, and fill `grads`."""
        Wx, Wh, _ = self.params
        dWx, dWh, db = self.grads
        dWx[...] = x.T @ da
        dWh[...] = h_prev.T @ da
        db[...] = da.sum(axis=0)
        return da @ Wx.T, da @ Wh.T


class RNN(_Step):
    """h_next = tanh(x Wx + h_prev Wh + b)  (Elman 1990)."""

    def forward(self, x: Array, h_prev: Array) -> Array:
        Wx, Wh, b = self.params
        h_next: Array = np.tanh(x @ Wx + h_prev @ Wh + b)
        self.cache = x, h_prev, h_next
        return h_next

    def backward(self, dh_next: Array) -> tuple[Array, Array]:
        x, h_prev, h_next = self.cache
        # h_next = tanh(a)
        da = dh_next * (1 - h_next**2)
        # a = x Wx + h_prev Wh + b
        return self._affine_backward(da, x, h_prev)


class LSTM(_Step):
    """Four gates side by side in the order f, g, i, o; the state is h and the cell c  (Hochreiter, Schmidhuber 1997).

    f, i, o = sigmoid, g = tanh of x Wx + h_prev Wh + b;  c_next = f c_prev + i g;  h_next = o tanh(c_next).
    """

    def forward(self, x: Array, h_prev: Array, c_prev: Array) -> tuple[Array, Array]:
        Wx, Wh, b = self.params
        f, g, i, o = np.split(x @ Wx + h_prev @ Wh + b, 4, axis=1)
        f, g, i, o = sigmoid(f), np.tanh(g), sigmoid(i), sigmoid(o)
        c_next = f * c_prev + i * g
        h_next = o * np.tanh(c_next)
        self.cache = x, h_prev, c_prev, f, g, i, o, c_next
        return h_next, c_next

    def backward(self, dh_next: Array, dc_next: Array) -> tuple[Array, Array, Array]:
        x, h_prev, c_prev, f, g, i, o, c_next = self.cache
        # h_next = o tanh(c_next)
        tanh_c = np.tanh(c_next)
        do = dh_next * tanh_c
        dc = dc_next + dh_next * o * (1 - tanh_c**2)
        # c_next = f c_prev + i g
        df, dg, di = dc * c_prev, dc * i, dc * g
        # f, i, o = sigmoid, g = tanh of the four parts of a
        da = np.hstack([df * f * (1 - f), dg * (1 - g**2), di * i * (1 - i), do * o * (1 - o)])
        # a = x Wx + h_prev Wh + b
        dx, dh_prev = self._affine_backward(da, x, h_prev)
        return dx, dh_prev, dc * f


class GRU(_Step):
    """Two gates and a candidate side by side in the order z, r, h  (Cho et al. 2014, arXiv:1406.1078).

    z, r = sigmoid, candidate = tanh of their parts of x Wx + h_prev Wh + b, with r h_prev in place of h_prev for the
    candidate;  h_next = (1 - z) h_prev + z candidate.
    """

    def forward(self, x: Array, h_prev: Array) -> Array:
        Wx, Wh, b = self.params
        H = len(Wh)
        a = x @ Wx + b
        gates = sigmoid(a[:, : 2 * H] + h_prev @ Wh[:, : 2 * H])
        z, r = gates[:, :H], gates[:, H:]
        candidate = np.tanh(a[:, 2 * H :] + (r * h_prev) @ Wh[:, 2 * H :])
        self.cache = x, h_prev, z, r, candidate
        h_next: Array = (1 - z) * h_prev + z * candidate
        return h_next

    def backward(self, dh_next: Array) -> tuple[Array, Array]:
        Wx, Wh, _ = self.params
        dWx, dWh, db = self.grads
        x, h_prev, z, r, candidate = self.cache
        H = len(Wh)
        # h_next = (1 - z) h_prev + z candidate
        dz = dh_next * (candidate - h_prev)
        dh_prev = dh_next * (1 - z)
        # candidate = tanh(... + (r h_prev) Wh)
        da_candidate = dh_next * z * (1 - candidate**2)
        dreset = da_candidate @ Wh[:, 2 * H :].T
        dh_prev = dh_prev + dreset * r
        # z, r = sigmoid(... + h_prev Wh)
        da_gates = np.hstack([dz * z * (1 - z), dreset * h_prev * r * (1 - r)])
        dh_prev = dh_prev + da_gates @ Wh[:, : 2 * H].T
        da = np.hstack([da_gates, da_candidate])
        dWx[...] = x.T @ da
        dWh[:, : 2 * H] = h_prev.T @ da_gates
        dWh[:, 2 * H :] = (r * h_prev).T @ da_candidate
        db[...] = da.sum(axis=0)
        return da @ Wx.T, dh_prev
