"""`common.time_layers`: the second book's layers for whole sequences. The star import includes `common.layers`.

xs is (N, T, D); for words, (N, T). TimeRNN and TimeLSTM compute the same as a loop over RNN and LSTM, but use the
kernels of `chainrule.kernels`, after one product with Wx for all steps.
Legend: N batch, T steps, D inputs, H hidden size, V vocabulary.
"""

from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array
from chainrule.errors import ShapeError
from chainrule.scratch.layers import *  # noqa: F403
from chainrule.scratch.layers import Affine, SigmoidWithLoss, SoftmaxWithLoss
from chainrule.scratch.time_steps import GRU, LSTM, RNN  # noqa: F401


def _rows_times(xs: Array, W: Array) -> Array:
    """Return xs W for xs (N, T, D), as a single product of N T rows, which is faster than N small ones."""
    return (xs.reshape(-1, xs.shape[2]) @ W).reshape(*xs.shape[:2], W.shape[1])


class _Recurrent:
    """A recurrent layer with Wx, Wh, b as in its step layer.

    `h` is the last state, from which a stateful layer continues, and `dh` the gradient of the first state.
    """

    def __init__(self, Wx: Array, Wh: Array, b: Array, stateful: bool = False) -> None:
        self.params = [Wx, Wh, b]
        self.grads = [np.zeros_like(param) for param in self.params]
        self.h: Any = None
        self.dh: Any = None
        self.stateful = stateful
        self.cache: Any = None

    def set_state(self, h: Array) -> None:
        self.h = h

    def reset_state(self) -> None:
        self.h = None

    def _begin(self, state: Any, xs: Array) -> Array:
        """Return the state before the first step: zeros, or the remembered state of a stateful layer."""
        shape, dtype = (len(xs), len(self.params[1])), np.result_type(xs, *self.params)
        if not self.stateful or state is None:
            return np.zeros(shape, dtype)
        if state.shape != shape:
            raise ShapeError(
                f"{type(self).__name__}: the state has shape {state.shape}, but this batch needs {shape}: call"
                " reset_state() before a batch of another size"
            )
        return np.ascontiguousarray(state, dtype)

    def _affine(self, xs: Array, order: Any = slice(None)) -> tuple[Array, Array]:
        """Return xs Wx + b for all steps, and Wh, with the columns in the given order."""
        Wx, Wh, b = (np.ascontiguousarray(param[..., order], np.result_type(xs, *self.params)) for param in self.params)
        return _rows_times(xs, Wx) + b, Wh

    def _affine_backward(self, das: Array, xs: Array, h: Array, hs: Array) -> Array:
        """Return dxs for a_t = x_t Wx + h_{t-1} Wh + b, and fill `grads`, summed over batch and time."""
        flat = das.reshape(-1, das.shape[2])
        before = np.concatenate([h[:, None], hs[:, :-1]], axis=1)
        dWx, dWh, db = self.grads
        dWx[...] = xs.reshape(len(flat), -1).T @ flat
        dWh[...] = before.reshape(len(flat), -1).T @ flat
        db[...] = flat.sum(axis=0)
        return _rows_times(das, self.params[0].T)


class TimeRNN(_Recurrent):
    """h_t = tanh(x_t Wx + h_{t-1} Wh + b) for each step of xs (N, T, D) -> hs (N, T, H)."""

    def forward(self, xs: Array) -> Array:
        h = self._begin(self.h, xs)
        a, Wh = self._affine(xs)
        hs = kernels.rnn_forward(a, Wh, h, None)
        self.h = hs[:, -1]
        self.cache = xs, Wh, h, hs
        return hs

    def backward(self, dhs: Array) -> Array:
        xs, Wh, h, hs = self.cache
        # from the last step to the first: dh_t = dhs_t + da_{t+1} Wh^T, da_t = dh_t (1 - h_t^2)
        das, self.dh = kernels.rnn_backward(np.ascontiguousarray(dhs, hs.dtype), np.zeros_like(h), Wh, hs, None)
        return self._affine_backward(das, xs, h, hs)


class TimeLSTM(_Recurrent):
    """An LSTM over xs (N, T, D) -> hs (N, T, H); `c` is the last cell state."""

    def __init__(self, Wx: Array, Wh: Array, b: Array, stateful: bool = False) -> None:
        super().__init__(Wx, Wh, b, stateful)
        self.c: Any = None

    def forward(self, xs: Array) -> Array:
        h, c = self._begin(self.h, xs), self._begin(self.c, xs)
        a, Wh = self._affine(xs, self._order)
        hs, cs, gates = kernels.lstm_forward(a, Wh, h, c, None)
        self.h, self.c = hs[:, -1], cs[:, -1]
        self.cache = xs, Wh, h, c, hs, cs, gates
        return hs

    def backward(self, dhs: Array) -> Array:
        xs, Wh, h, c, hs, cs, gates = self.cache
        # from the last step to the first; each step is LSTM.backward
        none = np.zeros_like(h)
        dhs = np.ascontiguousarray(dhs, hs.dtype)
        das, self.dh, _ = kernels.lstm_backward(dhs, none, none, Wh, c, cs, gates, None)
        return self._affine_backward(das[..., np.argsort(self._order)], xs, h, hs)

    def set_state(self, h: Array, c: Array | None = None) -> None:
        self.h, self.c = h, c

    def reset_state(self) -> None:
        self.h, self.c = None, None

    @property
    def _order(self) -> Array:
        """Column indices that reorder the book's gates f, g, i, o to the kernel's order i, f, g, o."""
        f, g, i, o = np.split(np.arange(4 * len(self.params[1])), 4)
        return np.concatenate([i, f, g, o])


class TimeGRU(_Recurrent):
    """A GRU over xs (N, T, D) -> hs (N, T, H)."""

    def __init__(self, Wx: Array, Wh: Array, b: Array, stateful: bool = False) -> None:
        super().__init__(Wx, Wh, b, stateful)
        self.layers: Any = None

    def forward(self, xs: Array) -> Array:
        self.h = self._begin(self.h, xs)
        self.layers, hs = [], []
        for t in range(xs.shape[1]):
            layer = GRU(*self.params)
            self.h = layer.forward(xs[:, t], self.h)
            self.layers.append(layer)
            hs.append(self.h)
        return np.stack(hs, axis=1)

    def backward(self, dhs: Array) -> Array:
        for grad in self.grads:
            grad[...] = 0
        self.dh, dxs = np.zeros_like(dhs[:, 0]), []
        for t in reversed(range(dhs.shape[1])):
            # h_t goes to the output and to the next step
            dx, self.dh = self.layers[t].backward(dhs[:, t] + self.dh)
            dxs.append(dx)
            for grad, of_step in zip(self.grads, self.layers[t].grads, strict=True):
                np.add(grad, of_step, out=grad)
        return np.stack(dxs[::-1], axis=1)


class TimeBiLSTM:
    """Two TimeLSTM layers, one reading backwards: xs (N, T, D) -> (N, T, 2 H)."""

    def __init__(
        self, Wx1: Array, Wh1: Array, b1: Array, Wx2: Array, Wh2: Array, b2: Array, stateful: bool = False
    ) -> None:
        self.forward_lstm = TimeLSTM(Wx1, Wh1, b1, stateful)
        self.backward_lstm = TimeLSTM(Wx2, Wh2, b2, stateful)
        self.params = self.forward_lstm.params + self.backward_lstm.params
        self.grads = self.forward_lstm.grads + self.backward_lstm.grads

    def forward(self, xs: Array) -> Array:
        ahead, back = self.forward_lstm.forward(xs), self.backward_lstm.forward(xs[:, ::-1])
        return np.concatenate([ahead, back[:, ::-1]], axis=2)

    def backward(self, dhs: Array) -> Array:
        ahead, back = np.split(dhs, 2, axis=2)
        return self.forward_lstm.backward(ahead) + self.backward_lstm.backward(back[:, ::-1])[:, ::-1]


class TimeEmbedding:
    """out = W[xs]: a row of W (V, D) for each word of xs (N, T) -> (N, T, D)."""

    def __init__(self, W: Array) -> None:
        self.params = [W]
        self.grads = [np.zeros_like(W)]
        self.W = W
        self.xs: Any = None

    def forward(self, xs: Array) -> Array:
        self.xs = xs
        out: Array = self.W[xs]
        return out

    def backward(self, dout: Array) -> None:
        # out = W[xs]; a word that occurs several times gets the sum of the gradients
        (dW,) = self.grads
        dW[...] = kernels.embedding_weight_gradient(self.xs, dout, len(self.W))


class TimeAffine:
    """out = xW + b for x (N, T, D) at every step; W (D, M)."""

    def __init__(self, W: Array, b: Array) -> None:
        self.params = [W, b]
        self.grads = [np.zeros_like(W), np.zeros_like(b)]
        self.x: Any = None

    def forward(self, x: Array) -> Array:
        self.x = x
        W, b = self.params
        return _rows_times(x, W) + b

    def backward(self, dout: Array) -> Array:
        # out = x W + b, as one product whose rows are all steps of the batch
        W, _ = self.params
        dW, db = self.grads
        rows, drows = self.x.reshape(-1, len(W)), dout.reshape(-1, dout.shape[2])
        dW[...] = rows.T @ drows
        db[...] = drows.sum(axis=0)
        return _rows_times(dout, W.T)


class TimeSoftmaxWithLoss:
    """Softmax, then cross-entropy of scores xs (N, T, V): the mean over labels ts (N, T) other than `ignore_label`.

    Labels may also be one-hot, (N, T, V).
    """

    def __init__(self) -> None:
        self.params: list[Any] = []
        self.grads: list[Any] = []
        self.cache: Any = None
        self.ignore_label = -1

    def forward(self, xs: Array, ts: Array) -> float:
        if ts.ndim == 3:
            ts = ts.argmax(axis=2)
        rows, given = xs.reshape(-1, xs.shape[2]), ts.reshape(-1)
        mask = given != self.ignore_label
        labels = np.where(mask, given, 0)
        shifted = rows - rows.max(axis=1, keepdims=True)
        scores = shifted[np.arange(len(rows)), labels]
        y = np.exp(shifted, out=shifted)
        total = y.sum(axis=1, keepdims=True)
        y /= total
        self.cache = xs.shape, labels, mask, y
        return float(np.sum(np.log(total[mask, 0]) - scores[mask]) / max(mask.sum(), 1))

    def backward(self, dout: float = 1) -> Array:
        shape, labels, mask, y = self.cache
        # loss = -sum(log softmax(x)[t]) / number of labels, over those not ignored
        dx: Array = y.copy()
        dx[np.arange(len(dx)), labels] -= 1
        dx *= np.asarray(dout / max(mask.sum(), 1), dx.dtype)
        dx[~mask] = 0
        return dx.reshape(shape)


class TimeDropout:
    """Inverted dropout: training scales kept values by 1 / (1 - dropout_ratio); without `train_flg` nothing changes."""

    def __init__(self, dropout_ratio: float = 0.5) -> None:
        self.params: list[Any] = []
        self.grads: list[Any] = []
        self.dropout_ratio = dropout_ratio
        self.train_flg = True
        self.mask: Any = None

    def forward(self, xs: Array) -> Array:
        self.mask = np.ones((), np.float32)
        if self.train_flg:
            stays = np.random.rand(*xs.shape) > self.dropout_ratio
            self.mask = stays.astype(np.float32) / np.float32(1 - self.dropout_ratio)
        out: Array = xs * self.mask
        return out

    def backward(self, dout: Array) -> Array:
        # out = xs * mask
        dx: Array = dout * self.mask
        return dx


class _OneByOne:
    """The mean of one loss per step of xs and ts."""

    kind: Any

    def __init__(self) -> None:
        self.params: list[Any] = []
        self.grads: list[Any] = []
        self.layers: list[Any] = []

    def forward(self, xs: Array, ts: Array) -> float:
        self.layers = [self.kind() for _ in range(xs.shape[1])]
        losses = [layer.forward(xs[:, t], ts[:, t]) for t, layer in enumerate(self.layers)]
        return float(sum(losses) / len(losses))

    def backward(self, dout: float = 1) -> Array:
        # loss = sum of the layers' losses / T
        return np.stack([layer.backward(dout / len(self.layers)) for layer in self.layers], axis=1)


class TimeSigmoidWithLoss(_OneByOne):
    """SigmoidWithLoss at each step: scores xs (N, T), labels ts (N, T) of 0 and 1."""

    kind = SigmoidWithLoss


class Simple_TimeSoftmaxWithLoss(_OneByOne):  # noqa: N801 (the book's name)
    """SoftmaxWithLoss at each step, with a plain loop: xs (N, T, V), labels ts (N, T)."""

    kind = SoftmaxWithLoss


class Simple_TimeAffine:  # noqa: N801 (the book's name)
    """Affine at each step, with a plain loop; `dW` and `db` are summed over time."""

    def __init__(self, W: Array, b: Array) -> None:
        self.W = W
        self.b = b
        self.dW: Any = None
        self.db: Any = None
        self.layers: list[Any] = []

    def forward(self, xs: Array) -> Array:
        self.layers = [Affine(self.W, self.b) for _ in range(xs.shape[1])]
        return np.stack([layer.forward(xs[:, t]) for t, layer in enumerate(self.layers)], axis=1)

    def backward(self, dout: Array) -> Array:
        dxs = [layer.backward(np.ascontiguousarray(dout[:, t])) for t, layer in enumerate(self.layers)]
        self.dW = sum(layer.dW for layer in self.layers)
        self.db = sum(layer.db for layer in self.layers)
        return np.stack(dxs, axis=1)
