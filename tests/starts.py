"""A thousand randomly drawn training setups, none of which may be rejected: `make false-alarms` runs all of them.

Every named network, on typical data (MNIST in other forms) and on data that is hard to check: black images, a single
class, equal images, duplicates, saturated weights.
"""

import sys
import time
from collections.abc import Iterator

import numpy as np

import chainrule as cr
from chainrule.gradcheck import GradientReport
from chainrule.models import NETWORKS
from chainrule.training import prove

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def _two_of_ten(x, y, rng):
    chosen = np.sort(np.flatnonzero((y == 3) | (y == 7)))
    return cr.Dataset(255 - x[chosen], (y[chosen] == 7).astype(int), ("3", "7"))


def _dark_on_white_by_class(x, y, rng):
    order = np.argsort(y, kind="stable")
    return cr.Dataset(255 - x[order], y[order])


DATA = {
    "as it is": lambda x, y, rng: cr.Dataset(x, y),
    "dark on white, class by class": _dark_on_white_by_class,
    "two of ten": _two_of_ten,
    "floats 0..1": lambda x, y, rng: cr.Dataset((x / 255).astype("f"), y),
    "floats 0..255": lambda x, y, rng: cr.Dataset(x.astype("f"), y),
    "floats -1000..1000": lambda x, y, rng: cr.Dataset(x * (2000 / 255) - 1000, y),
    "four channels": lambda x, y, rng: cr.Dataset(np.repeat(x, 4, axis=1), y),
    "one-hot": lambda x, y, rng: cr.Dataset(x, np.eye(10)[y], WORDS),
    "words": lambda x, y, rng: cr.Dataset(x, y, WORDS),
    "black": lambda x, y, rng: cr.Dataset(np.zeros_like(x), y),
    "white": lambda x, y, rng: cr.Dataset(np.full_like(x, 255), y),
    "one class": lambda x, y, rng: cr.Dataset(x[y == 7], y[y == 7], WORDS),
    "one image again and again": lambda x, y, rng: cr.Dataset(np.repeat(x[:1], len(x), axis=0), y),
    "one image": lambda x, y, rng: cr.Dataset(x[:1], y[:1], WORDS),
    "two images": lambda x, y, rng: cr.Dataset(x[:2], y[:2], WORDS),
    "black and white": lambda x, y, rng: cr.Dataset(np.where(x > 127, 255, 0).astype(np.uint8), y),
    "noise": lambda x, y, rng: cr.Dataset(rng.integers(0, 256, x.shape, dtype=np.uint8), y),
}
STARTS = ("new", "large weights", "small weights", "dead units", "trained on one class")
"""The weights at the start of training: those of `build`, or what a resumed or imported network may have."""


def starts(count: int, seed: int) -> Iterator[tuple[str, GradientReport]]:
    """Yield `count` setups: a description of each, and the result of the check."""
    train, _ = cr.data.mnist()
    for number, child in enumerate(np.random.SeedSequence(seed).spawn(count)):
        rng = np.random.default_rng(child)
        # every network with every kind of data in turn, the rest at random
        model = list(NETWORKS)[number % len(NETWORKS)]
        kind = list(DATA)[number % len(DATA)]
        start = "new" if rng.random() < 0.6 else str(rng.choice(STARTS[1:]))
        chosen = rng.choice(len(train), 200, replace=False)
        digits = np.ascontiguousarray(train.x[chosen, :, 4:24, 4:24])  # without their margin: half the work
        data = DATA[kind](digits, train.y[chosen], rng)
        network = NETWORKS[model](len(data.classes)).build(data.sample_shape, seed=int(rng.integers(1 << 30)))
        _change(network, start, data, rng)
        loss = cr.SoftmaxCrossEntropy(float(rng.choice((0.0, 0.0, 0.1))))
        yield f"{model} on {kind}, {start}", prove(network, data, loss, seed=int(rng.integers(1 << 30)))


def _change(network, start, data, rng):
    if start in ("large weights", "small weights"):
        network.values[...] *= 30 if start == "large weights" else 1e-3
    if start == "dead units":
        for parameter in network.parameters.values():
            if parameter.value.ndim == 1:
                parameter.value[...] -= 3 * rng.random(parameter.shape).astype(parameter.value.dtype)
    if start == "trained on one class":
        optimizer = cr.Adam(0.01)
        x, _ = data.head(4)
        for _ in range(3):
            logits, cache = network.forward(x, train=True, rng=rng)
            _, dlogits = cr.SoftmaxCrossEntropy()(logits, np.zeros(len(x), int))
            network.backward(dlogits, cache, input_gradient=False)
            optimizer.step(network)


def main(count: int) -> int:
    """Run `count` setups and report; return 1 if any was rejected."""
    began, alarms, empty, compared, kinks, hidden = time.perf_counter(), 0, 0, 0, 0, 0
    for what, report in starts(count, seed=0):
        compared, kinks, hidden = compared + report.compared, kinks + report.kinks, hidden + report.hidden
        empty += not report.compared
        if not report.ok:
            alarms += 1
            print(f"FALSE ALARM: {what}\n{report}", flush=True)
    print(
        f"{count:,} starts: {alarms} false alarms; {compared:,} gradients compared, {kinks:,} on kinks, "
        f"{hidden:,} too small to tell; {empty} starts of which nothing could be compared; "
        f"{time.perf_counter() - began:.0f} s"
    )
    return 1 if alarms else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
