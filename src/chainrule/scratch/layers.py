"""`common.layers`: the layers of both books, which remember their last forward pass.

They hold the arrays W and b that they are given, never copies, because the book updates parameters in place. The first
book reads a gradient as `dW`; the second has lists, `params` and `grads`, and backward fills the arrays of `grads`. The
star import includes `np`, `GPU` and `common.functions`, as in the book.
"""

from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array
from chainrule.scratch.config import GPU  # noqa: F401
from chainrule.scratch.functions import *  # noqa: F403
from chainrule.scratch.functions import cross_entropy_error, softmax
from chainrule.scratch.functions import sigmoid as _sigmoid
from chainrule.scratch.functions import tanh as _tanh
from chainrule.scratch.util import col2im, im2col  # noqa: F401

_EPSILON = 10e-7
"""The book's epsilon of batch normalization."""


class _Layer:
    """`params` and `grads` as lists, the way the second book reads them; models concatenate those of many layers."""

    _grads: Any = None

    @property
    def params(self) -> list[Any]:
        """The learned arrays."""
        return []

    @property
    def grads(self) -> list[Any]:
        """One gradient per array in `params`: always the same arrays, created on first access."""
        if self._grads is None:
            self._grads = [np.zeros_like(param) for param in self.params]
            self._fill_grads()
        return self._grads  # type: ignore[no-any-return]

    def _gradients(self) -> list[Any]:
        """Return the gradients of the last backward pass; None before it."""
        return []

    def _fill_grads(self) -> None:
        for grad, gradient in zip(self._grads or (), self._gradients(), strict=False):
            grad[...] = 0 if gradient is None else gradient


class _WeightAndBias(_Layer):
    W: Any
    b: Any
    dW: Any
    db: Any

    @property
    def params(self) -> list[Any]:
        return [self.W, self.b]

    def _gradients(self) -> list[Any]:
        return [self.dW, self.db]


class Relu(_Layer):
    """y = max(x, 0); `mask` is where x <= 0."""

    def __init__(self) -> None:
        self.mask: Any = None

    def forward(self, x: Array) -> Array:
        out, self.mask = kernels.masked_relu_forward(x)
        return out

    def backward(self, dout: Array) -> Array:
        # out = x, out[mask] = 0; as in the book, this writes into dout
        kernels.zero_update(dout, self.mask)
        return dout


class Sigmoid(_Layer):
    """y = 1 / (1 + exp(-x)); `out` is y."""

    def __init__(self) -> None:
        self.out: Any = None

    def forward(self, x: Array) -> Array:
        self.out = _sigmoid(x)
        return self.out  # type: ignore[no-any-return]

    def backward(self, dout: Array) -> Array:
        # out = 1 / (1 + exp(-x))
        return kernels.sigmoid_backward(dout, self.out)


class Tanh(_Layer):
    """y = tanh(x), from the Chinese course; `out` is y."""

    def __init__(self) -> None:
        self.out: Any = None

    def forward(self, x: Array) -> Array:
        self.out = _tanh(x)
        return self.out  # type: ignore[no-any-return]

    def backward(self, dout: Array) -> Array:
        # out = tanh(x)
        return kernels.tanh_backward(dout, self.out)


class Affine(_WeightAndBias):
    """out = xW + b for x of any shape, flattened to (N, D); `dW` and `db` after backward."""

    def __init__(self, W: Array, b: Array) -> None:
        self.W = W
        self.b = b
        self.x: Any = None
        self.original_x_shape: Any = None
        self.dW: Any = None
        self.db: Any = None

    def forward(self, x: Array) -> Array:
        self.original_x_shape = x.shape
        self.x = x.reshape(x.shape[0], -1)
        return kernels.affine_forward(self.x, self.W, self.b)

    def backward(self, dout: Array) -> Array:
        # out = np.dot(x, W) + b
        self.dW = kernels.affine_weight_gradient(self.x, dout)
        self.db = kernels.affine_bias_gradient(dout)
        self._fill_grads()
        return kernels.affine_input_gradient(dout, self.W).reshape(self.original_x_shape)


class MatMul:
    """out = xW for x (N, D), W (D, M)."""

    def __init__(self, W: Array) -> None:
        self.params = [W]
        self.grads = [np.zeros_like(W)]
        self.x: Any = None

    def forward(self, x: Array) -> Array:
        self.x = x
        out: Array = np.dot(x, self.params[0])
        return out

    def backward(self, dout: Array) -> Array:
        # out = np.dot(x, W)
        self.grads[0][...] = np.dot(self.x.T, dout)
        dx: Array = np.dot(dout, self.params[0].T)
        return dx


class Embedding:
    """out = W[idx]: the rows of W (V, D) at idx, an array of integers of any shape."""

    def __init__(self, W: Array) -> None:
        self.params = [W]
        self.grads = [np.zeros_like(W)]
        self.idx: Any = None

    def forward(self, idx: Array) -> Array:
        self.idx = idx
        out: Array = self.params[0][idx]
        return out

    def backward(self, dout: Array) -> None:
        # out = W[idx]; a row that occurs twice in idx gets both gradients
        (dW,) = self.grads
        dW[...] = 0
        np.add.at(dW, self.idx, dout)


class Softmax(_Layer):
    """y = softmax(x) over the last axis; `out` is y."""

    def __init__(self) -> None:
        self.out: Any = None

    def forward(self, x: Array) -> Array:
        self.out = softmax(x)
        return self.out  # type: ignore[no-any-return]

    def backward(self, dout: Array) -> Array:
        # out = exp(x) / sum(exp(x)): each x also lowers all the others
        dx: Array = self.out * (dout - np.sum(dout * self.out, axis=-1, keepdims=True))
        return dx


class SoftmaxWithLoss(_Layer):
    """Softmax, then cross-entropy; labels one-hot or as indices (N,) or (N, 1). `y` holds the probabilities."""

    def __init__(self) -> None:
        self.loss: Any = None
        self.y: Any = None
        self.t: Any = None

    def forward(self, x: Array, t: Array) -> float:
        self.t = t
        self.y = softmax(x)
        self.loss = cross_entropy_error(self.y, self.t)
        return self.loss  # type: ignore[no-any-return]

    def backward(self, dout: float = 1) -> Array:
        # loss = -sum(log(softmax(x)[t])) / N; dout is 1 in the book
        N = self.t.shape[0]
        dx: Array
        if self.t.size == self.y.size:
            dx = (self.y - self.t) / N
        else:
            dx = self.y.copy()
            dx[np.arange(N), self.t.reshape(-1)] -= 1
            dx /= N
        return dx * dout


class SigmoidWithLoss(_Layer):
    """Sigmoid, then two-class cross-entropy: scores x (N,), labels t (N,) 0 or 1. `y` holds the probabilities."""

    def __init__(self) -> None:
        self.loss: Any = None
        self.y: Any = None
        self.t: Any = None

    def forward(self, x: Array, t: Array) -> float:
        self.t = t
        self.y = _sigmoid(x)
        self.loss = cross_entropy_error(np.stack([1 - self.y, self.y], axis=1), t)
        return self.loss  # type: ignore[no-any-return]

    def backward(self, dout: float = 1) -> Array:
        # loss = -mean(t log(sigmoid(x)) + (1 - t) log(1 - sigmoid(x)))
        dx: Array = (self.y - self.t) * dout / len(self.t)
        return dx


class Dropout(_Layer):
    """Non-inverted dropout: training multiplies by a mask of 0 and 1, testing by the share that is kept."""

    def __init__(self, dropout_ratio: float = 0.5) -> None:
        self.dropout_ratio = dropout_ratio
        self.mask: Any = None

    def forward(self, x: Array, train_flg: bool = True) -> Array:
        if not train_flg:
            return x * (1.0 - self.dropout_ratio)
        self.mask = np.random.rand(*x.shape) > self.dropout_ratio
        out: Array = x * self.mask
        return out

    def backward(self, dout: Array) -> Array:
        # out = x * mask
        dx: Array = dout * self.mask
        return dx


class BatchNormalization(_Layer):
    """Normalizes each activation over the batch; images (N, C, H, W) are flattened to (N, C H W).

    Ioffe and Szegedy 2015, arXiv:1502.03167. The running means start at zero, as in the book.
    """

    def __init__(
        self,
        gamma: Any,
        beta: Any,
        momentum: float = 0.9,
        running_mean: Array | None = None,
        running_var: Array | None = None,
    ) -> None:
        self.gamma = gamma
        self.beta = beta
        self.momentum = momentum
        self.running_mean = running_mean
        self.running_var = running_var
        self.input_shape: Any = None
        self.batch_size: Any = None
        self.xc: Any = None
        self.xn: Any = None
        self.std: Any = None
        self.dgamma: Any = None
        self.dbeta: Any = None

    @property
    def params(self) -> list[Any]:
        return [self.gamma, self.beta]

    def _gradients(self) -> list[Any]:
        return [self.dgamma, self.dbeta]

    def forward(self, x: Array, train_flg: bool = True) -> Array:
        self.input_shape = x.shape
        x = x.reshape(len(x), -1)
        if self.running_mean is None or self.running_var is None:
            self.running_mean, self.running_var = np.zeros(x.shape[1]), np.zeros(x.shape[1])
        if train_flg:
            mean = x.mean(axis=0)
            self.xc = x - mean
            variance = np.mean(self.xc**2, axis=0)
            self.std = np.sqrt(variance + _EPSILON)
            self.xn = self.xc / self.std
            self.batch_size = len(x)
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * variance
            xn = self.xn
        else:
            xn = (x - self.running_mean) / np.sqrt(self.running_var + _EPSILON)
        out: Array = self.gamma * xn + self.beta
        return out.reshape(self.input_shape)

    def backward(self, dout: Array) -> Array:
        dout = dout.reshape(len(dout), -1)
        # out = gamma xn + beta
        self.dbeta = dout.sum(axis=0)
        self.dgamma = np.sum(self.xn * dout, axis=0)
        self._fill_grads()
        dxn = self.gamma * dout
        # xn = (x - mean) / std, where mean and std depend on every x of the batch
        dx: Array = (dxn - dxn.mean(axis=0) - self.xn * np.mean(dxn * self.xn, axis=0)) / self.std
        return dx.reshape(self.input_shape)


class Convolution(_WeightAndBias):
    """x (N, C, H, W), W (FN, C, FH, FW), b (FN,) or 0 -> (N, FN, OH, OW).

    `col` and `col_W` are the factors of the book's matrix product; here they are computed only on access.
    """

    def __init__(self, W: Array, b: Any, stride: int = 1, pad: int = 0) -> None:
        self.W = W
        self.b = b
        self.stride = stride
        self.pad = pad
        self.x: Any = None
        self.dW: Any = None
        self.db: Any = None

    @property
    def col(self) -> Array | None:
        """The windows of x as rows."""
        height, width = self.W.shape[2:]
        return None if self.x is None else im2col(self.x, height, width, self.stride, self.pad)

    @property
    def col_W(self) -> Array:  # noqa: N802 (the book's name)
        """The filters as columns."""
        columns: Array = self.W.reshape(len(self.W), -1).T
        return columns

    @property
    def _reading(self) -> tuple[tuple[int, int], tuple[tuple[int, int], tuple[int, int]], int]:
        """The window geometry as the kernels expect it: stride, padding, groups."""
        return (self.stride, self.stride), ((self.pad, self.pad), (self.pad, self.pad)), 1

    def forward(self, x: Array) -> Array:
        self.x = x.astype(np.result_type(self.W, np.float32), copy=False)
        b = np.broadcast_to(np.asarray(self.b, self.x.dtype), len(self.W))
        return kernels.conv_forward(self.x, self.W.astype(self.x.dtype, copy=False), b, *self._reading)

    def backward(self, dout: Array) -> Array:
        # out = b + the sum of W x over a window
        dout = np.ascontiguousarray(dout, self.x.dtype)
        self.db = kernels.conv_bias_gradient(dout)
        self.dW = kernels.conv_weight_gradient(self.x, dout, self.W.shape, *self._reading)
        self._fill_grads()
        W = self.W.astype(self.x.dtype, copy=False)
        return kernels.conv_input_gradient(dout, W, self.x.shape, *self._reading)


class Pooling(_Layer):
    """Max pooling of x (N, C, H, W). `arg_max` is the position of each maximum in its window, in the book's order."""

    def __init__(self, pool_h: int, pool_w: int, stride: int = 2, pad: int = 0) -> None:
        self.pool_h = pool_h
        self.pool_w = pool_w
        self.stride = stride
        self.pad = pad
        self.x: Any = None
        self._place: Any = None

    @property
    def arg_max(self) -> Any:
        """Positions of the maxima, (N OH OW C,)."""
        return None if self._place is None else self._place.transpose(0, 2, 3, 1).ravel()

    @property
    def _windows(self) -> tuple[tuple[int, int], tuple[int, int], tuple[tuple[int, int], tuple[int, int]]]:
        return (self.pool_h, self.pool_w), (self.stride, self.stride), ((self.pad, self.pad), (self.pad, self.pad))

    def forward(self, x: Array) -> Array:
        self.x = x
        out, self._place = kernels.max_pool_forward(x, *self._windows)
        return out

    def backward(self, dout: Array) -> Array:
        # out = x[arg_max]
        dout = np.ascontiguousarray(dout)
        return kernels.max_pool_backward(dout, self._place, self.x.shape, *self._windows)
