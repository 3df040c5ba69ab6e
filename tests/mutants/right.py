"""The reverse test: randomly drawn correct layers and networks, none of which may be called wrong."""

import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

import chainrule as cr
from catalogue import CATALOGUE
from chainrule.scratch import layers
from chainrule.scratch.check import check_layer, check_network
from chainrule.scratch.multi_layer_net_extend import MultiLayerNetExtend
from chainrule.text import table
from mutants.handmade import HANDMADE

__all__ = ["INPUTS", "Case", "draw_case"]

Rng = np.random.Generator
Array = np.ndarray
Said = tuple[str, str, str, str]
"""The checker, what it was given, "right", "wrong" or "not compared", and its message."""
CASES = 2000
INPUTS: dict[str, Callable[[Rng, tuple[int, ...]], Array]] = {
    "ordinary": lambda rng, shape: rng.standard_normal(shape),
    "saturated": lambda rng, shape: 100 * rng.standard_normal(shape),
    "whole numbers": lambda rng, shape: rng.integers(-2, 3, shape).astype(float),
    "zeros": lambda rng, shape: np.zeros(shape),
    "equal rows": lambda rng, shape: np.repeat(rng.standard_normal((1, *shape[1:])), shape[0], axis=0),
    "a batch of one": lambda rng, shape: rng.standard_normal((1, *shape[1:])),
    "far from zero": lambda rng, shape: 1000 + rng.standard_normal(shape),
    "tiny": lambda rng, shape: 1e-6 * rng.standard_normal(shape),
    "large": lambda rng, shape: 1e4 * rng.standard_normal(shape),
    "mostly zeros": lambda rng, shape: rng.standard_normal(shape) * (rng.random(shape) < 0.1),
    "pixels": lambda rng, shape: rng.integers(0, 256, shape) / 255,
}
"""Kinds of numbers that layers receive."""


@dataclass(frozen=True)
class Case:
    """Return a checker's verdict on something correct, "right", "wrong" or "not compared", and its message."""

    number: int
    checker: str
    kind: str
    inputs: str
    said: str
    words: str = ""


def draw_case(number: int) -> Case:
    """Return case `number`, the same each time."""
    rng = np.random.default_rng([number, 41])
    np.random.seed(number)
    inputs = list(INPUTS)[number % len(INPUTS)]
    draws = (_handmade, _of_scratch, _network, _brick, _bricks)
    checker, kind, said, words = draws[number // len(INPUTS) % len(draws)](rng, inputs)
    return Case(number, checker, kind, inputs, said, words)


def _numbers(rng: Rng, inputs: str, *shape: int) -> Array:
    return INPUTS[inputs](rng, (int(rng.integers(2, 7)), *shape))


def _labels(rng: Rng, samples: int, classes: int) -> Array:
    """Draw labels of all classes, or of one class."""
    return np.full(samples, rng.integers(classes)) if rng.random() < 0.3 else rng.integers(0, classes, samples)


def _weights(rng: Rng, *shape: int) -> Array:
    """Draw weights as initialized, ordinary, or so far below zero that most units behind them are dead."""
    return rng.standard_normal(shape) * rng.choice([0.01, 1, 3]) - rng.choice([0, 0, 0.5])


def _pair(rng: Rng, kind: str, cls: Any, inputs: str) -> tuple[Any, list[Any]]:  # noqa: PLR0911 (a case a kind)
    """Return a layer of a class and the arguments of its forward."""
    D, H = int(rng.integers(2, 8)), int(rng.integers(2, 6))
    x = _numbers(rng, inputs, D)
    match kind:
        case "affine":
            return cls(_weights(rng, D, H), _weights(rng, H)), [x]
        case "normalization":
            return cls(1 + 0.1 * rng.standard_normal(D), _weights(rng, D)), [x]
        case "images":
            C = int(rng.integers(1, 4))
            image = _numbers(rng, inputs, C, int(rng.integers(4, 7)), int(rng.integers(4, 7)))
            return _of_images(rng, cls, C), [image]
        case "losses":
            numbers = "MeanSquaredError" in cls.__name__
            return cls(), [x, rng.standard_normal(x.shape) if numbers else _labels(rng, len(x), D)]
    name = cls.__name__
    if name == "Embedding":
        return cls(_weights(rng, D, H)), [rng.integers(0, D, (len(x), 3))]
    if name == "Multiply":
        return cls(), [x, _numbers(rng, inputs, D)[:1] * np.ones_like(x)]
    return (cls(_weights(rng, D, D), _weights(rng, D)) if name == "Residual" else cls()), [x]


def _of_images(rng: Rng, cls: Any, channels: int) -> Any:
    if cls.__name__ == "Pooling":
        return cls() if cls is not layers.Pooling else cls(2, 2, int(rng.integers(1, 3)))
    return cls(_weights(rng, 3, channels, 3, 2), _weights(rng, 3))


def _handmade(rng: Rng, inputs: str) -> Said:
    kind = str(rng.choice(list(HANDMADE)))
    return _checked(rng, kind, HANDMADE[kind][rng.integers(len(HANDMADE[kind]))], inputs)


def _of_scratch(rng: Rng, inputs: str) -> Said:
    kinds = {
        "elementwise": [layers.Relu, layers.Sigmoid, layers.Tanh, layers.Dropout],
        "affine": [layers.Affine],
        "normalization": [layers.BatchNormalization],
        "images": [layers.Convolution, layers.Pooling],
        "losses": [layers.SoftmaxWithLoss],
    }
    kind = str(rng.choice(list(kinds)))
    return _checked(rng, kind, kinds[kind][rng.integers(len(kinds[kind]))], inputs)


def _checked(rng: Rng, kind: str, cls: Any, inputs: str) -> Said:
    layer, arguments = _pair(rng, kind, cls, inputs)
    name = f"{cls.__module__.split('.')[-1]} {cls.__name__}"
    return _said("check_layer", name, check_layer(layer, arguments))


def _network(rng: Rng, inputs: str) -> Said:
    """Draw a network of the course with random options."""
    options = {
        "activation": str(rng.choice(["relu", "sigmoid"])),
        "weight_init_std": (0.01, "relu", 1.0)[rng.integers(3)],
        "weight_decay_lambda": float(rng.choice([0, 0.1])),
        "use_batchnorm": bool(rng.random() < 0.4),
        "use_dropout": bool(rng.random() < 0.3),
    }
    network = MultiLayerNetExtend(5, [int(n) for n in rng.integers(2, 7, rng.integers(1, 4))], 3, **options)
    x = _numbers(rng, inputs, 5)
    t = _labels(rng, len(x), 3)
    names = " ".join(name for name in ("use_batchnorm", "use_dropout") if options[name])
    return _said("check_network", f"network {options['activation']} {names}", check_network(network, x, t))


def _said(checker: str, kind: str, answer: Any) -> Said:
    if not answer.ok:
        return checker, kind, "wrong", "; ".join(map(str, answer.findings))
    compared = any(row.checked for row in answer.rows)
    return checker, kind, "right" if compared else "not compared", answer.failure or ""


def _brick(rng: Rng, inputs: str) -> Said:
    """Draw a row of the catalogue."""
    row = CATALOGUE[rng.integers(len(CATALOGUE))]
    x = rng.integers(0, row.entries, (4, *row.shape)) if row.entries else _numbers(rng, inputs, *row.shape)
    return _by_gradcheck(rng, row.name, row.make(), x)


def _bricks(rng: Rng, inputs: str) -> Said:
    """Draw a network of layers for images or rows, with or without a loss."""
    activations = [cr.ReLU, cr.LeakyReLU, cr.Tanh, cr.Sigmoid, cr.GELU, cr.SiLU, cr.Softplus]
    several = [activations[k]() for k in rng.integers(len(activations), size=3)]
    normalized = [cr.BatchNorm()] if rng.random() < 0.3 else [cr.LayerNorm()] if rng.random() < 0.3 else []
    head = [cr.Affine(int(rng.integers(2, 6))), *normalized, several[1], cr.Affine(3)]
    if rng.random() < 0.5:
        net = cr.Sequential(*head[:-1], cr.Residual(cr.Affine(head[0].outputs), several[2]), head[-1])
        x = _numbers(rng, inputs, 4)
    else:
        pool = (cr.MaxPool2D, cr.AvgPool2D)[rng.integers(2)]
        net = cr.Sequential(cr.Conv2D(3, (3, 2), padding=1), several[0], pool(2), cr.Flatten(), *head)
        x = _numbers(rng, inputs, 2, 4, 5)
    labels = _labels(rng, len(x), 3)
    options = {"loss": cr.SoftmaxCrossEntropy(), "labels": labels} if rng.random() < 0.5 else {}
    return _by_gradcheck(rng, "network of bricks", net, x, options)


def _by_gradcheck(rng: Rng, kind: str, layer: cr.Layer, x: Array, options: Any = None) -> Said:
    train = bool(rng.random() < 0.5) and len(x) > 1
    seed = int(rng.integers(1000))
    report = cr.gradcheck(layer, inputs=x, train=train, seed=seed, **(options or {}))
    wrong = "; ".join(f"{row.name} {row.error:.1e} at {list(row.worst)}" for row in report.rows if not row.ok)
    return "gradcheck", kind, "right" if report.ok else "wrong", wrong


def main() -> int:
    """Draw all cases and print each checker's verdicts for each kind of input."""
    with ProcessPoolExecutor() as pool:
        cases = list(pool.map(draw_case, range(CASES), chunksize=20))
    counts = Counter((case.checker, case.inputs, case.said) for case in cases)
    said = ("right", "wrong", "not compared")
    rows = [
        (checker, inputs, *(f"{counts[checker, inputs, word]}" for word in said))
        for checker in ("check_layer", "check_network", "gradcheck")
        for inputs in INPUTS
    ]
    rows.append(("all", "", *(f"{sum(case.said == word for case in cases)}" for word in said)))
    print(table(("checker", "inputs", *said), rows))
    for case in cases:
        if case.said != "right":
            print(f"{case.said}: number {case.number}, {case.checker} of {case.kind}, {case.inputs}: {case.words}")
    return int(any(case.said == "wrong" for case in cases))


if __name__ == "__main__":
    sys.exit(main())
