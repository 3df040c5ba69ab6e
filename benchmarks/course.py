"""Measure how much faster the book's scripts run on chainrule than on the plain NumPy layers that the book teaches.

The same networks, steps and data (MNIST, batches of 100) run twice, taking turns, each in a separate process: with
`chainrule.scratch`, and with the plain layers of this file, which follow the book's formulas in NumPy and do not use
chainrule. A step is the same as in the scripts: a random batch, the gradient, the update, and the loss once more.
Chapter 5 is one epoch including the accuracies at its end, on all 60,000 and 10,000 digits; chapters 7 and 8 measure
the accuracy on 2,000 digits per epoch, which takes a hundredth of their time and is left out.

Usage: python benchmarks/course.py [ROUNDS]
"""

import json
import platform
import subprocess
import sys
import time
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import chainrule as cr
from chainrule.bench.fair import begin_fairly
from chainrule.kernels import IMPLEMENTATION
from chainrule.scratch import layers, optimizer, util
from chainrule.scratch.dataset.mnist import load_mnist

RESULTS = Path(__file__).parent / "results" / "course.json"


class PlainRelu:
    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dout[self.mask] = 0
        return dout


class PlainAffine:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.shape = x.shape
        self.x = x.reshape(len(x), -1)
        return np.dot(self.x, self.W) + self.b

    def backward(self, dout):
        self.dW, self.db = np.dot(self.x.T, dout), np.sum(dout, axis=0)
        return np.dot(dout, self.W.T).reshape(self.shape)


class PlainSoftmaxWithLoss:
    def forward(self, x, t):
        x = x - x.max(axis=-1, keepdims=True)
        self.y, self.t = np.exp(x) / np.exp(x).sum(axis=-1, keepdims=True), t
        return -np.sum(np.log(self.y[np.arange(len(t)), t] + 1e-7)) / len(t)

    def backward(self, dout=1):
        dx = self.y.copy()
        dx[np.arange(len(dx)), self.t] -= 1
        return dx / len(dx)


def plain_im2col(x, height, width, stride, pad):
    """Return the windows as rows, using one slice per position in the window, as in the book."""
    N, C, H, W = x.shape
    out_h, out_w = (H + 2 * pad - height) // stride + 1, (W + 2 * pad - width) // stride + 1
    image = np.pad(x, [(0, 0), (0, 0), (pad, pad), (pad, pad)])
    col = np.zeros((N, C, height, width, out_h, out_w))
    for i in range(height):
        for j in range(width):
            col[:, :, i, j] = image[:, :, i : i + stride * out_h : stride, j : j + stride * out_w : stride]
    return col.transpose(0, 4, 5, 1, 2, 3).reshape(N * out_h * out_w, -1), out_h, out_w


class PlainConvolution:
    def __init__(self, W, b, stride=1, pad=0):
        self.W, self.b, self.stride, self.pad = W, b, stride, pad

    def forward(self, x):
        F, _, height, width = self.W.shape
        self.x = x
        self.col, out_h, out_w = plain_im2col(x, height, width, self.stride, self.pad)
        self.col_W = self.W.reshape(F, -1).T
        return (np.dot(self.col, self.col_W) + self.b).reshape(len(x), out_h, out_w, -1).transpose(0, 3, 1, 2)

    def backward(self, dout):
        F, C, height, width = self.W.shape
        dout = dout.transpose(0, 2, 3, 1).reshape(-1, F)
        self.db = np.sum(dout, axis=0)
        self.dW = np.dot(self.col.T, dout).transpose(1, 0).reshape(F, C, height, width)
        return util.col2im(np.dot(dout, self.col_W.T), self.x.shape, height, width, self.stride, self.pad)


class PlainPooling:
    def __init__(self, pool_h, pool_w, stride=2, pad=0):
        self.size, self.stride, self.pad = (pool_h, pool_w), stride, pad

    def forward(self, x):
        self.x = x
        col, out_h, out_w = plain_im2col(x, *self.size, self.stride, self.pad)
        col = col.reshape(-1, self.size[0] * self.size[1])
        self.arg_max = np.argmax(col, axis=1)
        return np.max(col, axis=1).reshape(len(x), out_h, out_w, x.shape[1]).transpose(0, 3, 1, 2)

    def backward(self, dout):
        dout = dout.transpose(0, 2, 3, 1)
        spread = np.zeros((dout.size, self.size[0] * self.size[1]))
        spread[np.arange(self.arg_max.size), self.arg_max.flatten()] = dout.flatten()
        col = spread.reshape(dout.shape[0] * dout.shape[1] * dout.shape[2], -1)
        return util.col2im(col, self.x.shape, *self.size, self.stride, self.pad)


class PlainDropout:
    def __init__(self, ratio=0.5):
        self.ratio = ratio

    def forward(self, x):
        self.mask = np.random.rand(*x.shape) > self.ratio
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask


class PlainSGD:
    def __init__(self, lr):
        self.lr = lr

    def update(self, params, grads):
        for key in params:
            params[key] -= self.lr * grads[key]


class PlainAdam:
    def __init__(self, lr):
        self.lr, self.iter, self.m, self.v = lr, 0, None, None

    def update(self, params, grads):
        if self.m is None:
            self.m, self.v = ({key: np.zeros_like(value) for key, value in params.items()} for _ in range(2))
        self.iter += 1
        rate = self.lr * np.sqrt(1 - 0.999**self.iter) / (1 - 0.9**self.iter)
        for key in params:
            self.m[key] += 0.1 * (grads[key] - self.m[key])
            self.v[key] += 0.001 * (grads[key] ** 2 - self.v[key])
            params[key] -= rate * self.m[key] / (np.sqrt(self.v[key]) + 1e-7)


PLAIN = SimpleNamespace(
    Relu=PlainRelu, Affine=PlainAffine, SoftmaxWithLoss=PlainSoftmaxWithLoss, Convolution=PlainConvolution,
    Pooling=PlainPooling, Dropout=PlainDropout, SGD=PlainSGD, Adam=PlainAdam,
)  # fmt: skip
OURS = SimpleNamespace(**vars(layers) | vars(optimizer))


class Net:
    """A list of layers; those with W hold the parameters."""

    def __init__(self, own, stack):
        self.layers, self.last = stack, own.SoftmaxWithLoss()
        learned = OrderedDict((i, layer) for i, layer in enumerate(stack) if hasattr(layer, "W"))
        self.learned = learned
        self.params = {f"{name}{i}": getattr(layer, name) for i, layer in learned.items() for name in "Wb"}

    def predict(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def loss(self, x, t):
        return self.last.forward(self.predict(x), t)

    def accuracy(self, x, t):
        return np.mean(self.predict(x).argmax(axis=1) == t)

    def gradient(self, x, t):
        self.loss(x, t)
        dout = self.last.backward(1)
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return {f"{name}{i}": getattr(layer, f"d{name}") for i, layer in self.learned.items() for name in "Wb"}


def two_layer(own):
    sizes = [(784, 50), (50, 10)]
    first, second = (own.Affine(0.01 * np.random.randn(*size), np.zeros(size[1])) for size in sizes)
    return Net(own, [first, own.Relu(), second]), own.SGD(0.1)


def simple_convnet(own):
    convolution = own.Convolution(0.01 * np.random.randn(30, 1, 5, 5), np.zeros(30))
    first, second = (own.Affine(0.01 * np.random.randn(*size), np.zeros(size[1])) for size in ((4320, 100), (100, 10)))
    return Net(own, [convolution, own.Relu(), own.Pooling(2, 2, 2), first, own.Relu(), second]), own.Adam(0.001)


def deep_convnet(own):
    stack, channels = [], 1
    for index, (filters, pad) in enumerate(((16, 1), (16, 1), (32, 1), (32, 2), (64, 1), (64, 1))):
        W = np.sqrt(2 / (9 * channels)) * np.random.randn(filters, channels, 3, 3)
        stack += [own.Convolution(W, np.zeros(filters), 1, pad), own.Relu()]
        stack += [own.Pooling(2, 2, 2)] if index % 2 else []
        channels = filters
    for size in ((64 * 4 * 4, 50), (50, 10)):
        stack += [own.Affine(np.sqrt(2 / size[0]) * np.random.randn(*size), np.zeros(size[1]))]
        stack += [own.Relu(), own.Dropout(0.5)] if size[1] == 50 else [own.Dropout(0.5)]
    return Net(own, stack), own.Adam(0.001)


def seconds(make, own, steps, data, whole):
    """Return the seconds per step, and the last loss."""
    np.random.seed(0)
    net, update = make(own)
    x, t = data[0]
    for step in range(steps + 1):
        if step == 1:
            started = time.perf_counter()
        chosen = np.random.choice(len(x), 100)
        x_batch, t_batch = x[chosen], t[chosen]
        update.update(net.params, net.gradient(x_batch, t_batch))
        loss = net.loss(x_batch, t_batch)
    if whole:
        for part in data:
            net.accuracy(*part)
    return (time.perf_counter() - started) / steps, loss


CHAPTERS = {
    "ch05 two-layer": (two_layer, 600, True),
    "ch07 simple convnet": (simple_convnet, 40, False),
    "ch08 deep convnet": (deep_convnet, 10, False),
}


def alone(name, who):
    """Run `seconds` in a separate process, like a script."""
    done = subprocess.run([sys.executable, __file__, name, who], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def one(name, who):
    make, steps, flatten = CHAPTERS[name]
    data = load_mnist(flatten=flatten)
    print(json.dumps(seconds(make, {"plain": PLAIN, "ours": OURS}[who], steps, data, whole=make is two_layer)))


def main(rounds: int) -> None:
    rows = {}
    for name in CHAPTERS:
        ratios, times = [], []
        for _ in range(rounds):
            (theirs, loss_plain), (own, loss_own) = (alone(name, who) for who in ("plain", "ours"))
            assert abs(loss_plain - loss_own) < 0.05 * abs(loss_plain) + 1e-3, (loss_plain, loss_own)
            ratios.append(theirs / own)
            times.append(own)
        rows[name] = {"ratios": ratios, "ms a step, median": 1000 * float(np.median(times))}
        print(f"{name:20} {np.median(ratios):.1f} times as fast ({min(ratios):.1f} to {max(ratios):.1f}, {rounds} "
              f"rounds), {1000 * np.median(times):.2f} ms a step", flush=True)  # fmt: skip
    about = {
        "chainrule": cr.__version__,
        "kernels": IMPLEMENTATION,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    RESULTS.write_text(json.dumps(about | {"rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    begin_fairly(sys.argv)
    if len(sys.argv) > 2:
        one(*sys.argv[1:])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
