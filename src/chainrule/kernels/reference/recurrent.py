"""Recurrences over whole sequences: the steps of RNN, LSTM and GRU after xW + b, and backpropagation through time.

a (N, T, G H) is xW + b with the G gates side by side, U (H, G H), h and c (N, H) the state before the first step, and
mask (N, T) is true for real steps (None: all). A masked step leaves the state unchanged. Backward takes dy (N, T, H),
the gradient of every state, and dh, dc, the additional gradient of the state after the last step; it returns da, from
which dW, db and dx follow as in Affine, and the gradient of the initial state.
Legend: N batch, T steps, H hidden size.
"""

import numpy as np

from chainrule.arrays import Array
from chainrule.kernels.reference.elementwise import sigmoid_forward

__all__ = ["gru_backward", "gru_forward", "lstm_backward", "lstm_forward", "rnn_backward", "rnn_forward"]


def rnn_forward(a: Array, U: Array, h: Array, mask: Array | None) -> Array:
    """a (N, T, H) -> the states (N, T, H), h_t = tanh(a_t + h_{t-1} U)."""
    states = np.empty_like(a)
    for t in range(a.shape[1]):
        h = _chosen(np.tanh(a[:, t] + h @ U), h, mask, t)
        states[:, t] = h
    return states


def rnn_backward(dy: Array, dh: Array, U: Array, states: Array, mask: Array | None) -> tuple[Array, Array]:
    """da (N, T, H) and the initial state's gradient (N, H); dU is the sum of h_{t-1}^T da_t."""
    da = np.empty_like(states)
    for t in reversed(range(states.shape[1])):
        dh, past = _divided(dh + dy[:, t], mask, t)
        # h_t = tanh(a_t + h_{t-1} U)
        da[:, t] = dh * (1 - np.square(states[:, t]))
        dh = da[:, t] @ U.T + past
    return da, dh


def lstm_forward(a: Array, U: Array, h: Array, c: Array, mask: Array | None) -> tuple[Array, Array, Array]:
    """a (N, T, 4H) with the gates i, f, g, o side by side -> states, cells (N, T, H) and gate values (N, T, 4H).

    i, f, o = sigmoid, g = tanh of a_t + h_{t-1} U;  c_t = f c_{t-1} + i g;  h_t = o tanh(c_t).
    """
    gates = np.empty_like(a)
    states, cells = (np.empty((*a.shape[:2], len(U)), a.dtype) for _ in range(2))
    for t in range(a.shape[1]):
        i, f, g, o = np.split(a[:, t] + h @ U, 4, axis=1)
        i, f, g, o = sigmoid_forward(i), sigmoid_forward(f), np.tanh(g), sigmoid_forward(o)
        inner = f * c + i * g
        h, c = _chosen(o * np.tanh(inner), h, mask, t), _chosen(inner, c, mask, t)
        gates[:, t] = np.concatenate((i, f, g, o), axis=1)
        states[:, t], cells[:, t] = h, c
    return states, cells, gates


def lstm_backward(
    dy: Array, dh: Array, dc: Array, U: Array, c: Array, cells: Array, gates: Array, mask: Array | None
) -> tuple[Array, Array, Array]:
    """da (N, T, 4H) and the gradients of the initial h and c (N, H); dU is the sum of h_{t-1}^T da_t."""
    da = np.empty_like(gates)
    for t in reversed(range(gates.shape[1])):
        dh, past = _divided(dh + dy[:, t], mask, t)
        dc, past_cell = _divided(dc, mask, t)
        i, f, g, o = np.split(gates[:, t], 4, axis=1)
        before = cells[:, t - 1] if t else c
        tanh_cell = np.tanh(cells[:, t])
        # h_t = o tanh(c_t)
        do = dh * tanh_cell
        dc = dc + dh * o * (1 - np.square(tanh_cell))
        # c_t = f c_{t-1} + i g
        di, df, dg = dc * g, dc * before, dc * i
        # i, f, o = sigmoid, g = tanh of a_t + h_{t-1} U
        da[:, t] = np.concatenate(
            (di * i * (1 - i), df * f * (1 - f), dg * (1 - np.square(g)), do * o * (1 - o)), axis=1
        )
        dh = da[:, t] @ U.T + past
        dc = dc * f + past_cell
    return da, dh, dc


def gru_forward(a: Array, U: Array, b_hidden: Array, h: Array, mask: Array | None) -> tuple[Array, Array, Array]:
    """a (N, T, 3H) with the gates r, z, n side by side -> states (N, T, H), gates (N, T, 3H), inner (N, T, H).

    With u = h_{t-1} U in three parts:  r, z = sigmoid(a_t + u);  inner = u_n + b_hidden;  n = tanh(a_n + r inner);
    h_t = (1 - z) n + z h_{t-1}.
    """
    gates = np.empty_like(a)
    states, inners = (np.empty((*a.shape[:2], len(U)), a.dtype) for _ in range(2))
    for t in range(a.shape[1]):
        (a_r, a_z, a_n), (u_r, u_z, u_n) = np.split(a[:, t], 3, axis=1), np.split(h @ U, 3, axis=1)
        r, z, inner = sigmoid_forward(a_r + u_r), sigmoid_forward(a_z + u_z), u_n + b_hidden
        n = np.tanh(a_n + r * inner)
        h = _chosen((1 - z) * n + z * h, h, mask, t)
        gates[:, t] = np.concatenate((r, z, n), axis=1)
        states[:, t], inners[:, t] = h, inner
    return states, gates, inners


def gru_backward(
    dy: Array, dh: Array, U: Array, h: Array, states: Array, gates: Array, inners: Array, mask: Array | None
) -> tuple[Array, Array, Array]:
    """da, du (N, T, 3H), the initial state's gradient (N, H); u is h_{t-1} U, so dU is the sum of h_{t-1}^T du_t."""
    da, du = np.empty_like(gates), np.empty_like(gates)
    for t in reversed(range(gates.shape[1])):
        dh, past = _divided(dh + dy[:, t], mask, t)
        r, z, n = np.split(gates[:, t], 3, axis=1)
        before = states[:, t - 1] if t else h
        # h_t = (1 - z) n + z h_{t-1}
        dz = dh * (before - n) * z * (1 - z)
        # n = tanh(a_n + r inner), inner = u_n + b_hidden
        dn = dh * (1 - z) * (1 - np.square(n))
        dr = dn * inners[:, t] * r * (1 - r)
        da[:, t] = np.concatenate((dr, dz, dn), axis=1)
        du[:, t] = np.concatenate((dr, dz, dn * r), axis=1)
        dh = dh * z + du[:, t] @ U.T + past
    return da, du, dh


def _chosen(new: Array, old: Array, mask: Array | None, t: int) -> Array:
    """`new` in the samples where step t is real, `old` in the others."""
    return new if mask is None else np.where(mask[:, t, np.newaxis], new, old)


def _divided(gradient: Array, mask: Array | None, t: int) -> tuple[Array, Array | float]:
    """Split a state's gradient: the part for step t, and the part that skips it where the step is masked."""
    if mask is None:
        return gradient, 0.0
    there = mask[:, t, np.newaxis]
    return np.where(there, gradient, 0), np.where(there, 0, gradient)
