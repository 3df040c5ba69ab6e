"""The exercises: the setup of each, what its forward must return, one solution, and a hint."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from chainrule.arrays import Array
from chainrule.scratch import layers, time_layers, time_steps

__all__ = ["EXERCISES", "Draw", "Exercise", "Task"]


class Task(NamedTuple):
    """An object of the learner's class, the arguments of its forward (for a network: x, t), what forward must return,
    and how many gradients backward must return."""

    layer: Any
    arguments: list[Any]
    expected: Callable[[], Any]
    gradients: int = 1


class Draw:
    """One of the draws that an exercise is checked on: the first has the usual sizes, the others have their own."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._rng = np.random.default_rng(np.random.SeedSequence([number, 20_260_415]))

    def sizes(self, *usual: int) -> tuple[int, ...]:
        """`count` different lengths of 3 or more."""
        if self.number == 0:
            return usual
        return tuple(int(size) for size in self._rng.permutation(np.arange(3, 9))[: len(usual)])

    def array(self, *shape: int) -> Array:
        return self._rng.standard_normal(shape)

    def number_near(self, value: float) -> float:
        return value if self.number == 0 else float(value * np.exp(0.5 * self._rng.standard_normal()))

    def words(self, count: int, *shape: int) -> Array:
        """Whole numbers below `count`."""
        return self._rng.integers(count, size=shape)

    def one_hot(self, samples: int, classes: int) -> Array:
        labels = [0, 2, 1, 1] if self.number == 0 else self._rng.integers(classes, size=samples)
        return np.eye(classes)[labels]


@dataclass(frozen=True)
class Exercise:
    """One class to complete.

    Attributes:
        class_name: the name of the learner's class.
        set_up: makes the task of a draw.
        solution: the lines that replace those marked `# your lines`.
        reminder: a hint about what is differentiated, in English and Chinese.
    """

    class_name: str
    set_up: Callable[[Any, Draw], Task]
    solution: str
    reminder: tuple[str, str]

    def solved(self, unfinished: str) -> str:
        """The code of an exercise with the solution filled in."""
        marked = next(line for line in unfinished.splitlines() if line.endswith("# your lines"))
        indent = marked[: len(marked) - len(marked.lstrip())]
        return unfinished.replace(marked, "\n".join(indent + line for line in self.solution.splitlines()))


def _numbers(forward: Callable[..., float], *values: float) -> Callable[[Any, Draw], Task]:
    """A layer without parameters, on plain numbers."""

    def set_up(cls: Any, draw: Draw) -> Task:
        arguments = [draw.number_near(value) for value in values]
        return Task(cls(), arguments, lambda: forward(*arguments), len(arguments))

    return set_up


def _rows(forward: Callable[[Array], Array]) -> Callable[[Any, Draw], Task]:
    """A layer without parameters, on a batch of rows."""

    def set_up(cls: Any, draw: Draw) -> Task:
        x = draw.array(*draw.sizes(4, 5))
        return Task(cls(), [x], lambda: forward(x))

    return set_up


def _labelled(forward: Callable[[Array, Array], Any]) -> Callable[[Any, Draw], Task]:
    """A loss on scores and one-hot labels."""

    def set_up(cls: Any, draw: Draw) -> Task:
        samples, classes = draw.sizes(4, 3)
        x, t = draw.array(samples, classes), draw.one_hot(samples, classes)
        return Task(cls(), [x, t], lambda: forward(x, t))

    return set_up


def _softmax_loss(x: Array, t: Array) -> Any:
    return layers.SoftmaxWithLoss().forward(x, t)


def _affine(cls: Any, draw: Draw) -> Task:
    samples, inputs, outputs = draw.sizes(4, 5, 3)
    x, W, b = draw.array(samples, inputs), draw.array(inputs, outputs), draw.array(outputs)
    return Task(cls(W.copy(), b.copy()), [x], lambda: x @ W + b, 3)


def _batch_normalization(cls: Any, draw: Draw) -> Task:
    samples, features = draw.sizes(4, 5)
    x, gamma, beta = draw.array(samples, features), draw.array(features), draw.array(features)
    return Task(cls(gamma.copy(), beta.copy()), [x], lambda: layers.BatchNormalization(gamma, beta).forward(x), 3)


def _dropout(cls: Any, draw: Draw) -> Task:
    layer, x = cls(), draw.array(*draw.sizes(4, 5))

    def expected() -> Array:
        mask = np.asarray(layer.mask)
        return x * mask if 0 < mask.mean() < 1 else np.full(x.shape, np.nan)

    return Task(layer, [x], expected)


def _convolution(cls: Any, draw: Draw) -> Task:
    samples, channels, filters = draw.sizes(4, 3, 2)
    (height, width), (FH, FW) = ((6, 5), (3, 2)) if draw.number == 0 else ((5, 7), (2, 3))
    x, W, b = draw.array(samples, channels, height, width), draw.array(filters, channels, FH, FW), draw.array(filters)
    return Task(cls(W.copy(), b.copy()), [x], lambda: layers.Convolution(W, b).forward(x), 3)


def _network(cls: Any, draw: Draw) -> Task:
    samples, inputs, hidden, classes = draw.sizes(4, 6, 5, 3)
    net = cls(inputs, hidden, classes)
    for value in net.params.values():
        value[...] = 0.5 * draw.array(*value.shape)
    x, t = draw.array(samples, inputs), draw.one_hot(samples, classes)

    def expected() -> Any:
        p = net.params
        return _softmax_loss(np.maximum(x @ p["W1"] + p["b1"], 0) @ p["W2"] + p["b2"], t)

    return Task(net, [x, t], expected, 4)


def _recurrent_arrays(draw: Draw, gates: int) -> tuple[Array, Array, Array, Array, list[Array]]:
    """xs (N, T, D), the states h and c (N, H), dhs (N, T, H); and Wx, Wh, b."""
    samples, steps, inputs, hidden = draw.sizes(4, 3, 5, 2)
    weights = [draw.array(inputs, gates * hidden), draw.array(hidden, gates * hidden), draw.array(gates * hidden)]
    h, c, dhs = draw.array(samples, hidden), draw.array(samples, hidden), draw.array(samples, steps, hidden)
    return draw.array(samples, steps, inputs), h, c, dhs, [0.5 * weight for weight in weights]


def _rnn(cls: Any, draw: Draw) -> Task:
    xs, h, _, _, weights = _recurrent_arrays(draw, 1)
    x = xs[:, 0].copy()
    return Task(cls(*map(np.copy, weights)), [x, h], lambda: time_steps.RNN(*weights).forward(x, h), 5)


def _through_time(cls: Any, draw: Draw) -> Task:
    xs, _, _, _, weights = _recurrent_arrays(draw, 1)
    return Task(
        cls(*map(np.copy, weights)),
        [xs],
        lambda: time_layers.TimeRNN(weights[0], weights[1], weights[2]).forward(xs),
        4,
    )


def _lstm(cls: Any, draw: Draw) -> Task:
    xs, h, c, _, weights = _recurrent_arrays(draw, 4)
    x = xs[:, 0].copy()
    return Task(cls(*map(np.copy, weights)), [x, h, c], lambda: time_steps.LSTM(*weights).forward(x, h, c), 6)


def _attention(cls: Any, draw: Draw) -> Task:
    _, h, _, hs, _ = _recurrent_arrays(draw, 1)

    def expected() -> Array:
        a = layers.softmax((hs * h[:, None]).sum(axis=2))
        context: Array = (a[:, :, None] * hs).sum(axis=1)
        return context

    return Task(cls(), [hs, h], expected, 2)


def _sequence_loss(cls: Any, draw: Draw) -> Task:
    samples, steps, words = draw.sizes(4, 3, 5)
    xs, ts = draw.array(samples, steps, words), draw.words(words, samples, steps)
    ts[0, 1:] = ts[1, -1] = -1
    return Task(cls(), [xs, ts], lambda: time_layers.TimeSoftmaxWithLoss().forward(xs, ts))


def _language_model(cls: Any, draw: Draw) -> Task:
    samples, steps, words, size, hidden = draw.sizes(4, 3, 6, 5, 2)
    model = cls(words, size, hidden)
    for value in model.params.values():
        value[...] = 0.5 * draw.array(*value.shape)
    x, t = draw.words(words, samples, steps), draw.words(words, samples, steps)

    def expected() -> Any:
        p = model.params
        hs = time_layers.TimeRNN(p["Wx"], p["Wh"], p["b"]).forward(p["E"][x])
        return time_layers.TimeSoftmaxWithLoss().forward(hs @ p["W"] + p["c"], t)

    return Task(model, [x, t], expected, 6)


EXERCISES = {
    "graph": Exercise(
        "Shop",
        _numbers(lambda price, count, tax: price * count * tax, 100.0, 2.0, 1.1),
        "return dout * self.count * self.tax, dout * self.price * self.tax, dout * self.price * self.count",
        (
            "out = price * count * tax; each derivative is the product of the others",
            "out = price * count * tax；每个导数是其余两个的乘积",
        ),
    ),
    "chain": Exercise(
        "Composite",
        _numbers(lambda x, y: (x + y) ** 2 * y, 3.0, 4.0),
        "dt = dout * 2 * self.t * self.y\nreturn dt, dt + dout * self.t**2",
        (
            "out = t² y with t = x + y; y is used twice, so two parts add up",
            "out = t² y，t = x + y；y 用了两次，两部分相加",
        ),
    ),
    "divide": Exercise(
        "Divide",
        _numbers(lambda x, y: x / y, 3.0, 4.0),
        "return dout / self.y, -dout * self.x / self.y**2",
        ("out = x / y", "out = x / y"),
    ),
    "relu": Exercise(
        "Relu",
        _rows(lambda x: np.maximum(x, 0)),
        "return np.where(self.mask, 0, dout)",
        ("out is x where the mask is False, otherwise 0", "mask 为假处 out 等于 x，其余为 0"),
    ),
    "sigmoid": Exercise(
        "Sigmoid",
        _rows(lambda x: 1 / (1 + np.exp(-x))),
        "return dout * self.out * (1 - self.out)",
        ("the derivative is y (1 - y), times dout", "导数是 y (1 - y)，再乘 dout"),
    ),
    "affine": Exercise(
        "Affine",
        _affine,
        "self.dW = np.dot(self.x.T, dout)\nself.db = dout.sum(axis=0)\nreturn np.dot(dout, self.W.T)",
        (
            "out = x W + b; each gradient has the shape of its own array",
            "out = x W + b；每个梯度与它所属的量形状相同",
        ),
    ),
    "softmax": Exercise(
        "SoftmaxWithLoss",
        _labelled(_softmax_loss),
        "return dout * (self.y - self.t) / len(self.t)",
        ("loss is a mean over N samples", "损失是 N 个样本的平均"),
    ),
    "network": Exercise(
        "TwoLayerNet",
        _network,
        "dout = self.affine2.backward(self.last.backward(1))\n"
        "self.affine1.backward(self.relu1.backward(dout))\n"
        'return {"W1": self.affine1.dW, "b1": self.affine1.db, "W2": self.affine2.dW, "b2": self.affine2.db}',
        ("back through the layers in reverse, then the layers' dW and db", "按相反的次序经过各层，再取各层的 dW 与 db"),
    ),
    "tanh": Exercise(
        "Tanh",
        _rows(np.tanh),
        "return dout * (1 - self.out**2)",
        ("the derivative of tanh is 1 - tanh²", "tanh 的导数是 1 - tanh²"),
    ),
    "squared": Exercise(
        "SquaredError",
        _labelled(lambda y, t: 0.5 * np.sum((y - t) ** 2) / len(y)),
        "return dout * (self.y - self.t) / len(self.y)",
        ("the half and the square cancel; the mean over N does not", "½ 与平方的 2 抵消；但平均的 1/N 不会消失"),
    ),
    "valley": Exercise(
        "Valley",
        _numbers(lambda x, y: x**2 / 20 + y**2, -7.0, 2.0),
        "return dout * self.x / 10, dout * 2 * self.y",
        ("out = x²/20 + y²", "out = x²/20 + y²"),
    ),
    "leaky": Exercise(
        "LeakyRelu",
        _rows(lambda x: np.where(x <= 0, 0.01 * x, x)),
        "return np.where(self.mask, 0.01 * dout, dout)",
        ("the slope is 0.01 where the mask is True, otherwise 1", "mask 为真处斜率是 0.01，其余为 1"),
    ),
    "batchnorm": Exercise(
        "BatchNormalization",
        _batch_normalization,
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
        _dropout,
        "return dout * self.mask",
        ("out = x * mask", "out = x * mask"),
    ),
    "convolution": Exercise(
        "Convolution",
        _convolution,
        "FN, _, FH, FW = self.W.shape\n"
        "dout = dout.transpose(0, 2, 3, 1).reshape(-1, FN)\n"
        "self.db = dout.sum(axis=0)\n"
        "self.dW = (self.col.T @ dout).T.reshape(self.W.shape)\n"
        "return col2im(dout @ self.col_W.T, self.x.shape, FH, FW)",
        ("out = col · col_W + b, an Affine layer on windows", "out = col · col_W + b，即窗口的 Affine 层"),
    ),
    "rnn": Exercise(
        "RNN",
        _rnn,
        "da = dh_next * (1 - self.h_next**2)\n"
        "self.dWx, self.dWh, self.db = self.x.T @ da, self.h_prev.T @ da, da.sum(axis=0)\n"
        "return da @ self.Wx.T, da @ self.Wh.T",
        ("h_next = tanh(a), and a is the sum of two Affine layers", "h_next = tanh(a)，a 是两个 Affine 层之和"),
    ),
    "through_time": Exercise(
        "ThroughTime",
        _through_time,
        "self.dWx, self.dWh, self.db = np.zeros_like(self.Wx), np.zeros_like(self.Wh), np.zeros_like(self.b)\n"
        "dh, dxs = 0, []\n"
        "for t in reversed(range(dhs.shape[1])):\n"
        "    dx, dh = self.layers[t].backward(dhs[:, t] + dh)\n"
        "    dWx, dWh, db = self.layers[t].grads\n"
        "    self.dWx, self.dWh, self.db = self.dWx + dWx, self.dWh + dWh, self.db + db\n"
        "    dxs.append(dx)\n"
        "return np.stack(dxs[::-1], axis=1)",
        (
            "h_t goes to the output and to the next step; every step uses the same weights",
            "h_t 既是输出又传给下一步；各步共用权重",
        ),
    ),
    "lstm": Exercise(
        "LSTM",
        _lstm,
        "tanh_c = np.tanh(self.c_next)\n"
        "dc = dc_next + dh_next * self.o * (1 - tanh_c**2)\n"
        "df, dg, di, do = dc * self.c_prev, dc * self.i, dc * self.g, dh_next * tanh_c\n"
        "df, di, do = df * self.f * (1 - self.f), di * self.i * (1 - self.i), do * self.o * (1 - self.o)\n"
        "da = np.hstack([df, dg * (1 - self.g**2), di, do])\n"
        "self.dWx, self.dWh, self.db = self.x.T @ da, self.h_prev.T @ da, da.sum(axis=0)\n"
        "return da @ self.Wx.T, da @ self.Wh.T, dc * self.f",
        (
            "the cell is used twice: in h_next = o tanh(c_next), and by the next step",
            "记忆单元用了两次：h_next = o tanh(c_next)，以及下一步",
        ),
    ),
    "attention": Exercise(
        "Attention",
        _attention,
        "da = (self.hs * dc[:, None]).sum(axis=2)\n"
        "ds = self.a * (da - (self.a * da).sum(axis=1, keepdims=True))\n"
        "dhs = self.a[:, :, None] * dc[:, None] + ds[:, :, None] * self.h[:, None]\n"
        "return dhs, (ds[:, :, None] * self.hs).sum(axis=1)",
        ("hs is used twice: for the scores, and in the mean", "hs 用了两次：算得分，以及求平均"),
    ),
    "sequence_loss": Exercise(
        "SequenceLoss",
        _sequence_loss,
        "dx = self.y - np.eye(self.y.shape[2])[self.t]\nreturn dout * dx * self.mask[:, :, None] / self.mask.sum()",
        ("loss is a mean over the labels that count", "损失是计入的标签上的平均"),
    ),
    "language_model": Exercise(
        "LanguageModel",
        _language_model,
        'grads["W"] += self.hs[step].T @ dscores[:, step]\n'
        'grads["c"] += dscores[:, step].sum(axis=0)\n'
        'da = (dscores[:, step] @ p["W"].T + dh) * (1 - self.hs[step] ** 2)\n'
        'embedded = p["E"][x[:, step]]\n'
        'grads["Wx"] += embedded.T @ da\n'
        'grads["Wh"] += self.hs[step - 1].T @ da\n'
        'grads["b"] += da.sum(axis=0)\n'
        'np.add.at(grads["E"], x[:, step], da @ p["Wx"].T)\n'
        'dh = da @ p["Wh"].T',
        (
            "a state goes to its scores and to the next step; a row of E may be used many times",
            "状态既传给得分又传给下一步；E 的一行可能用很多次",
        ),
    ),
}
"""The exercises by their name in the notebooks."""
