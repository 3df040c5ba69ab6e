"""A race: the gradient by numerical differentiation against the gradient by backpropagation.

Three methods to compute the same numbers, on one TwoLayerNet and one batch:

    numerical              two whole forward passes for each parameter, as the definition says
    numerical, clever      two passes for each parameter, but only through what that parameter touches
    backpropagation        one forward and one backward pass for all of them
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import OptionError
from chainrule.metrics import accuracy
from chainrule.models import TwoLayerNet
from chainrule.numerical import STEP, central_difference
from chainrule.training.evaluate import Batches

__all__ = ["RaceRow", "race"]

_LEARNING_RATE = 0.1


@dataclass(frozen=True)
class RaceRow:
    """One method to compute the gradient.

    Attributes:
        way: its name.
        seconds: for one whole gradient; extrapolated where `measured` is smaller than `parameters`.
        measured, parameters: parameters whose derivative was computed, of how many.
        difference: largest difference from backpropagation, relative to the array's largest gradient.
        steps: training steps that fit into `wall` seconds; below 1 the first step is not even done.
        accuracy: on the test data after the whole ones of these steps.
    """

    way: str
    seconds: float
    measured: int
    parameters: int
    difference: float
    steps: float
    wall: float
    accuracy: float


def race(
    train: Batches, test: Batches, *, seconds: float = 20.0, batch_size: int = 100, seed: int = 0
) -> Iterator[RaceRow]:
    """Yield the three rows, slowest first, in about `seconds` seconds (half for the first way, a quarter for training).

    Args:
        train, test: MNIST, or images of the same kind.
        seconds: bounds the whole; with too few of them the numerical ways are measured on a part of the parameters.
        batch_size: samples in the batch.
        seed: decides network, batch and the order in which parameters are probed.
    """
    if not seconds > 0:
        raise OptionError(f"seconds must be above 0, got {seconds}")
    x, t = next(iter(_rows(train, batch_size, seed)))
    x_test, t_test = next(iter(_rows(test, len(test), None)))
    net = TwoLayerNet(x.shape[1], 50, int(max(t.max(), t_test.max())) + 1, seed=seed, dtype="float64")
    exact = net.gradient(x, t)
    parameters = sum(array.size for array in exact.values())
    wall = seconds / 4
    numerical = [
        ("numerical differentiation", _probe_plainly(net, x, t, seed), seconds / 2),
        ("numerical, only what a parameter touches", _probe_cleverly(net, x, t), seconds / 5),
    ]
    trained = _accuracies(seed, train, batch_size, wall, x_test, t_test, net)
    for way, probes, limit in numerical:
        took, measured, difference = _measure(probes, exact, limit)
        took *= parameters / measured
        steps = wall / took
        yield RaceRow(way, took, measured, parameters, difference, steps, wall, trained(int(steps))[1])
    took = _median_seconds(lambda: net.gradient(x, t), limit=min(0.5, seconds / 20))
    steps_done, reached = trained(None)
    yield RaceRow("backpropagation", took, parameters, parameters, 0.0, steps_done, wall, reached)


def _rows(data: Batches, batch_size: int, seed: int | None) -> Iterator[tuple[Array, Array]]:
    rng = None if seed is None else np.random.default_rng(seed)
    for x, labels in data.batches(batch_size, rng):
        assert labels is not None
        yield x.reshape(len(x), -1) / 255, labels


def _measure(
    probes: Iterator[tuple[str, tuple[Array, ...], Array]], exact: dict[str, Array], limit: float
) -> tuple[float, int, float]:
    """Run probes for `limit` seconds: the time taken, the number of derivatives, the largest relative difference."""
    started, measured, difference = time.perf_counter(), 0, 0.0
    for name, where, derivatives in probes:
        measured += derivatives.size
        gap = np.abs(derivatives - exact[name][where]).max() / np.abs(exact[name]).max()
        difference = max(difference, float(gap))
        if time.perf_counter() - started > limit:
            break
    return time.perf_counter() - started, measured, difference


def _probe_plainly(net: TwoLayerNet, x: Array, t: Array, seed: int) -> Iterator[tuple[str, tuple[Array, ...], Array]]:
    """Each parameter by the definition, in random order, so that any part is a fair sample."""
    places = [(name, index) for name, array in net.params.items() for index in np.ndindex(array.shape)]
    order = np.random.default_rng(seed).permutation(len(places))

    def loss() -> float:
        return net.loss(x, t)

    for position in order:
        name, index = places[position]
        derivative = central_difference(loss, net.params[name], index)
        yield name, tuple(np.array([i]) for i in index), np.array([derivative])


def _probe_cleverly(net: TwoLayerNet, x: Array, t: Array) -> Iterator[tuple[str, tuple[Array, ...], Array]]:
    """A weight into hidden unit j changes only that unit; a weight into output k only that logit."""
    W1, b1, W2, b2 = net.params.values()
    a = x @ W1 + b1
    hidden = np.maximum(a, 0)
    logits = hidden @ W2 + b2

    def loss(changed: Array) -> Array:
        """Logits (..., N, C) -> mean cross-entropy (...)."""
        top = changed.max(axis=-1, keepdims=True)
        log_total = np.log(np.exp(changed - top).sum(axis=-1)) + top[..., 0]
        picked: Array = np.take_along_axis(changed, np.broadcast_to(t[:, None], (*changed.shape[:-1], 1)), -1)[..., 0]
        mean: Array = (log_total - picked).mean(axis=-1)
        return mean

    def difference(logits_at: Callable[[float], Array]) -> Array:
        return (loss(logits_at(STEP)) - loss(logits_at(-STEP))) / (2 * STEP)

    ones = np.ones(len(x))
    # h x_i is how far unit j moves for W1[i, j], h hidden_j how far logit k moves for W2[j, k]; h for the biases
    by_input, by_hidden = np.vstack([x.T, ones]), np.vstack([hidden.T, ones])
    for j in range(W1.shape[1]):
        moved = difference(lambda h, j=j: logits + _shift(a[:, j], h * by_input)[..., None] * W2[j])  # type: ignore[misc]
        yield "W1", (slice(None), np.array(j)), moved[:-1]  # type: ignore[misc]
        yield "b1", (np.array([j]),), moved[-1:]
    columns = np.eye(W2.shape[1])
    for k in range(W2.shape[1]):
        moved = difference(lambda h, k=k: logits + h * by_hidden[..., None] * columns[k])  # type: ignore[misc]
        yield "W2", (slice(None), np.array(k)), moved[:-1]  # type: ignore[misc]
        yield "b2", (np.array([k]),), moved[-1:]


def _shift(a: Array, by: Array) -> Array:
    """The change of relu(a) when a changes."""
    moved: Array = np.maximum(a + by, 0) - np.maximum(a, 0)
    return moved


def _median_seconds(run: Callable[[], object], limit: float) -> float:
    times: list[float] = []
    run()
    while not times or (sum(times) < limit and len(times) < 200):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def _accuracies(
    seed: int, train: Batches, batch_size: int, wall: float, x_test: Array, t_test: Array, like: TwoLayerNet
) -> Callable[[int | None], tuple[float, float]]:
    """A function that trains a fresh network for so many steps (None: for `wall` seconds): steps, test accuracy.

    All three ways find the same gradient, so they make the same network in the same number of steps.
    """

    def train_for(steps: int | None) -> tuple[float, float]:
        net = TwoLayerNet(x_test.shape[1], 50, like.params["b2"].size, seed=seed)
        started, done, epoch = time.perf_counter(), 0, seed
        while steps is None or done < steps:
            for x, t in _rows(train, batch_size, epoch):
                if done == steps or (steps is None and time.perf_counter() - started > wall):
                    return done, accuracy(net.predict(x_test), t_test)
                for name, gradient in net.gradient(x, t).items():
                    net.params[name] -= _LEARNING_RATE * gradient
                done += 1
            epoch += 1
        return done, accuracy(net.predict(x_test), t_test)

    return train_for
