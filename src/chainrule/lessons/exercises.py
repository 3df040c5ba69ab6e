"""The exercises: how each is set up, what its forward must give, one way to solve it, and what to think of."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.scratch import layers

__all__ = ["EXERCISES", "Exercise"]

_LABELS = np.eye(3)[[0, 2, 1, 1]]


@dataclass(frozen=True)
class Exercise:
    """One class to be finished.

    Attributes:
        class_name: of the learner's class.
        set_up: (the class, a generator) -> an object of it and the arguments of its forward (of a network: x, t).
        forward: the same arguments -> what forward must give; None where random numbers decide.
        solution: lines that take the place of those marked `# your lines`.
        reminder: what is differentiated, in English and Chinese.
    """

    class_name: str
    set_up: Callable[[Any, np.random.Generator], tuple[Any, list[Any]]]
    forward: Callable[..., Any] | None
    solution: str
    reminder: tuple[str, str]

    def solved(self, unfinished: str) -> str:
        """The code of an exercise with the solution in it."""
        marked = next(line for line in unfinished.splitlines() if line.endswith("# your lines"))
        indent = marked[: len(marked) - len(marked.lstrip())]
        return unfinished.replace(marked, "\n".join(indent + line for line in self.solution.splitlines()))


def _numbers(*values: float) -> Callable[[Any, np.random.Generator], tuple[Any, list[Any]]]:
    """A layer without parameters, of plain numbers."""
    return lambda cls, rng: (cls(), list(values))


def _rows(cls: Any, rng: np.random.Generator) -> tuple[Any, list[Any]]:
    """A layer without parameters, of a batch of rows."""
    return cls(), [rng.standard_normal((4, 5))]


def _labelled(cls: Any, rng: np.random.Generator) -> tuple[Any, list[Any]]:
    return cls(), [rng.standard_normal((4, 3)), _LABELS]


_FIXED = np.random.default_rng(0)
_W, _B = _FIXED.standard_normal((5, 3)), _FIXED.standard_normal(3)
_GAMMA, _BETA = _FIXED.standard_normal(5), _FIXED.standard_normal(5)
_FILTERS, _BIASES = _FIXED.standard_normal((2, 3, 3, 2)), _FIXED.standard_normal(2)


def _network(cls: Any, rng: np.random.Generator) -> tuple[Any, list[Any]]:
    net = cls(6, 5, 3)
    for value in net.params.values():
        value[...] += 0.1 * rng.standard_normal(value.shape)
    return net, [rng.standard_normal((4, 6)), _LABELS]


def _softmax_loss(x: Array, t: Array) -> Any:
    return layers.SoftmaxWithLoss().forward(x, t)


EXERCISES = {
    "graph": Exercise(
        "Shop",
        _numbers(100.0, 2.0, 1.1),
        lambda price, count, tax: price * count * tax,
        "return dout * self.count * self.tax, dout * self.price * self.tax, dout * self.price * self.count",
        (
            "out = price * count * tax; each derivative is the product of the others",
            "out = price * count * tax；每个导数是其余两个的乘积",
        ),
    ),
    "chain": Exercise(
        "Composite",
        _numbers(3.0, 4.0),
        lambda x, y: (x + y) ** 2 * y,
        "dt = dout * 2 * self.t * self.y\nreturn dt, dt + dout * self.t**2",
        (
            "out = t² y with t = x + y; y is used twice, so two parts add up",
            "out = t² y，t = x + y；y 用了两次，两部分相加",
        ),
    ),
    "divide": Exercise(
        "Divide",
        _numbers(3.0, 4.0),
        lambda x, y: x / y,
        "return dout / self.y, -dout * self.x / self.y**2",
        ("out = x / y", "out = x / y"),
    ),
    "relu": Exercise(
        "Relu",
        _rows,
        lambda x: np.maximum(x, 0),
        "return np.where(self.mask, 0, dout)",
        ("out is x where the mask is off, else 0", "mask 为假处 out 等于 x，其余为 0"),
    ),
    "sigmoid": Exercise(
        "Sigmoid",
        _rows,
        lambda x: 1 / (1 + np.exp(-x)),
        "return dout * self.out * (1 - self.out)",
        ("the derivative is y (1 - y), times dout", "导数是 y (1 - y)，再乘 dout"),
    ),
    "affine": Exercise(
        "Affine",
        lambda cls, rng: (cls(_W.copy(), _B.copy()), [rng.standard_normal((4, 5))]),
        lambda x: x @ _W + _B,
        "self.dW = np.dot(self.x.T, dout)\nself.db = dout.sum(axis=0)\nreturn np.dot(dout, self.W.T)",
        (
            "out = x W + b; each gradient has the shape of what it belongs to",
            "out = x W + b；每个梯度与它所属的量形状相同",
        ),
    ),
    "softmax": Exercise(
        "SoftmaxWithLoss",
        _labelled,
        _softmax_loss,
        "return dout * (self.y - self.t) / len(self.t)",
        ("loss is a mean over N samples", "损失是 N 个样本的平均"),
    ),
    "network": Exercise(
        "TwoLayerNet",
        _network,
        None,
        "dout = self.affine2.backward(self.last.backward(1))\n"
        "self.affine1.backward(self.relu1.backward(dout))\n"
        'return {"W1": self.affine1.dW, "b1": self.affine1.db, "W2": self.affine2.dW, "b2": self.affine2.db}',
        ("back through the layers in reverse, then the layers' dW and db", "按相反的次序经过各层，再取各层的 dW 与 db"),
    ),
    "tanh": Exercise(
        "Tanh",
        _rows,
        np.tanh,
        "return dout * (1 - self.out**2)",
        ("the derivative of tanh is 1 - tanh²", "tanh 的导数是 1 - tanh²"),
    ),
    "squared": Exercise(
        "SquaredError",
        _labelled,
        lambda y, t: 0.5 * np.sum((y - t) ** 2) / len(y),
        "return dout * (self.y - self.t) / len(self.y)",
        ("the half and the square cancel; the mean over N does not", "½ 与平方的 2 抵消；但平均的 1/N 不会消失"),
    ),
    "valley": Exercise(
        "Valley",
        _numbers(-7.0, 2.0),
        lambda x, y: x**2 / 20 + y**2,
        "return dout * self.x / 10, dout * 2 * self.y",
        ("out = x²/20 + y²", "out = x²/20 + y²"),
    ),
    "leaky": Exercise(
        "LeakyRelu",
        _rows,
        lambda x: np.where(x <= 0, 0.01 * x, x),
        "return np.where(self.mask, 0.01 * dout, dout)",
        ("the slope is 0.01 where the mask is on, else 1", "mask 为真处斜率是 0.01，其余为 1"),
    ),
    "batchnorm": Exercise(
        "BatchNormalization",
        lambda cls, rng: (cls(_GAMMA.copy(), _BETA.copy()), [rng.standard_normal((4, 5))]),
        lambda x: layers.BatchNormalization(_GAMMA, _BETA).forward(x),
        "N = len(dout)\n"
        "self.dbeta, self.dgamma = dout.sum(axis=0), (dout * self.xn).sum(axis=0)\n"
        "dxn = self.gamma * dout\n"
        "dstd = -(dxn * self.xc).sum(axis=0) / self.std**2\n"
        "dxc = dxn / self.std + dstd * self.xc / (N * self.std)\n"
        "return dxc - dxc.mean(axis=0)",
        ("the mean and the std depend on every sample of the batch", "均值和标准差依赖于批次中的每个样本"),
    ),
    "dropout": Exercise(
        "Dropout",
        _rows,
        None,
        "return dout * self.mask",
        ("out = x * mask", "out = x * mask"),
    ),
    "convolution": Exercise(
        "Convolution",
        lambda cls, rng: (cls(_FILTERS.copy(), _BIASES.copy()), [rng.standard_normal((4, 3, 6, 5))]),
        lambda x: layers.Convolution(_FILTERS, _BIASES).forward(x),
        "FN, _, FH, FW = self.W.shape\n"
        "dout = dout.transpose(0, 2, 3, 1).reshape(-1, FN)\n"
        "self.db = dout.sum(axis=0)\n"
        "self.dW = (self.col.T @ dout).T.reshape(self.W.shape)\n"
        "return col2im(dout @ self.col_W.T, self.x.shape, FH, FW)",
        ("out = col · col_W + b, an Affine layer of windows", "out = col · col_W + b，即窗口的 Affine 层"),
    ),
}
"""By the name that the notebooks give them."""
