"""The benchmarked work as chainrule does it: training steps, inference, training up to an accuracy."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from chainrule.arrays import Array
from chainrule.bench.dense import DENSE, dense_data
from chainrule.bench.rounds import Run
from chainrule.data import Dataset, mnist
from chainrule.errors import OptionError
from chainrule.layers import Affine, Conv2D, Layer, Sequential
from chainrule.losses import SoftmaxCrossEntropy
from chainrule.models import NETWORKS
from chainrule.optimizers import SGD, Adam
from chainrule.training import Trainer

__all__ = [
    "RATE",
    "Goal",
    "Work",
    "check_same",
    "data",
    "inference",
    "network",
    "products",
    "repeated",
    "stepping",
    "time_to",
    "training",
]

RATE = 0.05


class Work(NamedTuple):
    """A network of DENSE or NETWORKS, and the number of steps per round; `hidden` is for the two-layer network."""

    network: str
    steps: int
    batch: int = 100
    hidden: int = 50
    momentum: float = 0.0

    @property
    def title(self) -> str:
        return f"784-{self.hidden}-10" if self.network == "two-layer" else self.network


class Goal(NamedTuple):
    """A test accuracy to train up to, measured after each epoch."""

    network: str
    accuracy: float
    adam: bool
    most_epochs: int


def network(work: Work) -> Sequential:
    """Return the built network, always with the same initial weights."""
    if work.network in DENSE:
        layers, shape = DENSE[work.network]
        return Sequential(*layers()).build(shape, seed=0)
    options = {"hidden": work.hidden} if work.network == "two-layer" else {}
    return NETWORKS[work.network](**options).build((1, 28, 28), seed=0)


def data(work: Work) -> Dataset:
    """Return the training data of a network: MNIST's images, or dense numbers."""
    return dense_data(work.network) if work.network in DENSE else mnist()[0]


def training(work: Work, train: Dataset) -> Run:
    """Return a run of SGD steps on `data`: gathering, scaling of pixels, forward, loss, backward, update."""
    optimizer = SGD(RATE, momentum=work.momentum)
    return stepping(
        Trainer(network(work), loss=SoftmaxCrossEntropy(), optimizer=optimizer), train, work.batch, work.steps
    )


def stepping(trainer: Trainer, train: Dataset, batch: int, count: int) -> Run:
    """Return a run of `count` trainer steps, across epochs, which measures the seconds per step."""
    steps = trainer.steps(train, batch_size=batch)

    def run() -> float:
        nonlocal steps
        started, done = time.perf_counter(), 0
        while done < count:
            if next(steps, None) is None:
                trainer.end_epoch()
                steps = trainer.steps(train, batch_size=batch)
            else:
                done += 1
        return (time.perf_counter() - started) / count

    return run


def inference(net: Sequential, x: Array, repeats: int) -> Run:
    """Return a run that computes the logits of a batch of pixels."""
    return repeated(lambda: net(x), repeats)


def check_same(peer: str, logits: Array, net: Sequential, x: Array) -> None:
    """Raise OptionError unless the peer's logits for x match `net`'s up to rounding."""
    expected = net(x)
    if not np.allclose(logits, expected, rtol=1e-3, atol=1e-3 * float(np.abs(expected).max())):
        raise OptionError(f"{peer}'s network gives different outputs: the comparison would be meaningless")


def repeated(work: Callable[[], object], repeats: int) -> Run:
    """Return a run that repeats `work` and measures the mean seconds."""

    def run() -> float:
        started = time.perf_counter()
        for _ in range(repeats):
            work()
        return (time.perf_counter() - started) / repeats

    return run


def time_to(goal: Goal, train: Dataset, test: Dataset, seed: int) -> tuple[float, float]:
    """Return the seconds until the goal is reached (infinity if it is not), including tests, and the final accuracy."""
    started = time.perf_counter()
    net = NETWORKS[goal.network]().build((1, 28, 28), seed=seed)
    optimizer = Adam(0.001) if goal.adam else SGD(0.1)
    trainer = Trainer(net, loss=SoftmaxCrossEntropy(), optimizer=optimizer, seed=seed)
    accuracy = 0.0
    for epoch in trainer.fit(train, epochs=goal.most_epochs, validation=test):
        accuracy = epoch.validation_accuracy or 0.0
        if accuracy >= goal.accuracy:
            return time.perf_counter() - started, accuracy
    return float("inf"), accuracy


def products(net: Sequential, batch: int, repeats: int) -> Run:
    """Return a run of only the matrix products of a training step, by NumPy into allocated memory.

    A step cannot be faster than this unless it multiplies less. A convolution counts as the product with its windows,
    written out beforehand.
    """
    rng = np.random.default_rng(0)
    calls: list[tuple[Array, Array, Array]] = []
    first = True

    def add(rows: int, inner: int, columns: int) -> None:
        left, right = (rng.random(shape, np.float32) for shape in ((rows, inner), (inner, columns)))
        calls.append((left, right, np.empty((rows, columns), np.float32)))

    for layer in _leaves(net):
        if isinstance(layer, Affine):
            inputs, outputs = layer.W.shape
            sizes = (batch, inputs, outputs)
        elif isinstance(layer, Conv2D):
            assert layer.output_shape is not None
            filters, channels, height, width = layer.W.shape
            places = batch * layer.output_shape[1] * layer.output_shape[2]
            sizes = (places, channels * height * width, filters)
        else:
            continue
        samples, inputs, outputs = sizes
        add(samples, inputs, outputs)
        add(inputs, samples, outputs)
        if not first:  # the gradient of the input image is not needed
            add(samples, outputs, inputs)
        first = False

    def all_products() -> None:
        for left, right, out in calls:
            np.matmul(left, right, out=out)

    return repeated(all_products, repeats)


def _leaves(layer: Layer) -> list[Layer]:
    children = [child for _, child in layer.children()]
    return [leaf for child in children for leaf in _leaves(child)] if children else [layer]
