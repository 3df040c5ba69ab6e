"""`common.layers`: the lesson's layers, which remember their last forward pass.

They hold the arrays W and b that they are given, never copies: the lesson updates its parameters in place. The star
import carries `np` and `common.functions`, as the lesson's does.
"""

from typing import Any

import numpy as np

from chainrule import kernels
from chainrule.arrays import Array
from chainrule.scratch.functions import *  # noqa: F403
from chainrule.scratch.functions import cross_entropy_error, softmax
from chainrule.scratch.functions import sigmoid as _sigmoid


class Relu:
    """y = max(x, 0); `mask` is where x <= 0."""

    def __init__(self) -> None:
        self.mask: Any = None

    def forward(self, x: Array) -> Array:
        self.mask = x <= 0
        return kernels.relu_forward(x)

    def backward(self, dout: Array) -> Array:
        # out = x, out[mask] = 0; like the lesson's, this writes into dout
        dout[self.mask] = 0
        return dout


class Sigmoid:
    """y = 1 / (1 + exp(-x)); `out` is y."""

    def __init__(self) -> None:
        self.out: Any = None

    def forward(self, x: Array) -> Array:
        self.out = _sigmoid(x)
        return self.out  # type: ignore[no-any-return]

    def backward(self, dout: Array) -> Array:
        # out = 1 / (1 + exp(-x))
        return kernels.sigmoid_backward(dout, self.out)


class Affine:
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
        self.dW = np.zeros(self.W.shape, np.result_type(self.x, dout))
        kernels.add_affine_weight_gradient(self.x, dout, self.dW)
        self.db = kernels.affine_bias_gradient(dout)
        return kernels.affine_input_gradient(dout, self.W).reshape(self.original_x_shape)


class SoftmaxWithLoss:
    """Softmax, then cross-entropy; labels one-hot, as indices (N,) or (N, 1). `y` are the probabilities."""

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
        # loss = -sum(log(softmax(x)[t])) / N; dout is 1 in the lesson
        N = self.t.shape[0]
        dx: Array
        if self.t.size == self.y.size:
            dx = (self.y - self.t) / N
        else:
            dx = self.y.copy()
            dx[np.arange(N), self.t.reshape(-1)] -= 1
            dx /= N
        return dx * dout
