"""Subjects of the catalogue: layers, losses and reference kernels, checked by gradcheck.

Which functions belong to backward is found by running every row: those that backward calls and forward does not.
"""

import inspect
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import numpy as np

import chainrule as cr
from catalogue import CATALOGUE, Row
from chainrule import kernels
from chainrule.arrays import Array
from chainrule.layers.fused import AffineChain, BatchNormReLU, ConvReLUPool, EmbeddedRecurrence
from chainrule.layers.recurrent import Recurrent
from chainrule.parameters import held
from mutants import sequences
from mutants.trial import Configuration, Subject

__all__ = ["catalogue_functions", "losses"]

_SOURCE = Path(cr.__file__).parent


def _conv_relu_pool(bias: bool = True) -> cr.Layer:
    conv, relu, pool = cr.Conv2D(3, (3, 2), padding=(1, 0), bias=bias), cr.ReLU(), cr.MaxPool2D(2)
    cr.Sequential(conv, relu, pool).build((2, 4, 5))
    return ConvReLUPool(conv, relu, pool)


def _batch_norm_relu(shape: tuple[int, ...]) -> cr.Layer:
    norm = cr.BatchNorm()
    norm.build(shape, np.random.default_rng(0))
    return BatchNormReLU(norm)


class _HoldingChain(AffineChain):
    """One whose weights get deferred products, as in training with plain SGD."""

    def backward(self, dy: Array, cache: Any, *, input_gradient: bool = True) -> Array | None:
        with held([affine.W for affine in self.affines]):
            return super().backward(dy, cache, input_gradient=input_gradient)


def _affine_chain(shape: tuple[int, ...], factor: float = 0.5, kind: type[AffineChain] = AffineChain) -> cr.Layer:
    affines = [cr.Affine(4), cr.Affine(5), cr.Affine(2)]
    cr.Sequential(cr.Flatten(), affines[0], cr.ReLU(), affines[1], cr.ReLU(), affines[2]).build(shape)
    chain = kind(factor, affines, spans=6)
    chain.input_shape = shape
    return chain


def _embedded(recurrent: Recurrent) -> cr.Layer:
    embedding = cr.Embedding(5, 3)
    cr.Sequential(embedding, recurrent).build((4,))
    return EmbeddedRecurrence(embedding, recurrent)


ROWS = [
    *CATALOGUE,
    *sequences.ROWS,
    Row("Conv2D-same-uneven", lambda: cr.Conv2D(3, (3, 4), padding="same"), (2, 5, 6)),
    Row("MaxPool2D-one-sided", lambda: cr.MaxPool2D((2, 3), stride=2, padding=(1, 0)), (3, 4, 5)),
    Row("AvgPool2D-one-sided", lambda: cr.AvgPool2D((2, 3), stride=(1, 2), padding=(1, 0)), (3, 4, 5)),
    Row("Pad-down", lambda: cr.Pad((1, 0)), (3, 2, 4)),
    Row("Pad-all", lambda: cr.Pad(2), (3, 2, 4)),
    Row("Embedding-reshaped", lambda: cr.Sequential(cr.Reshape((2, 2)), cr.Embedding(5, 3)), (4,), entries=5),
    Row("Embedding-parallel", lambda: cr.Parallel(cr.Embedding(5, 3), cr.Embedding(5, 3)), (4,), entries=5),
    Row("ConvReLUPool", _conv_relu_pool, (2, 4, 5)),
    Row("ConvReLUPool-without-bias", lambda: _conv_relu_pool(bias=False), (2, 4, 5)),
    Row("BatchNormReLU", lambda: _batch_norm_relu((4,)), (4,)),
    Row("BatchNormReLU-images", lambda: _batch_norm_relu((3, 4, 2)), (3, 4, 2)),
    Row("EmbeddedRecurrence", lambda: _embedded(cr.LSTM(2)), (4,), entries=5),
    Row("EmbeddedRecurrence-both-ways", lambda: _embedded(cr.GRU(2, layers=2, bidirectional=True)), (4,), entries=5),
    Row("AffineChain", lambda: _affine_chain((3,)), (3,)),
    Row("AffineChain-images", lambda: _affine_chain((1, 3, 2)), (1, 3, 2)),
    Row("AffineChain-holding", lambda: _affine_chain((1, 3, 2), 1, _HoldingChain), (1, 3, 2)),
    Row("AffineChain-holding-halved", lambda: _affine_chain((3,), 0.5, _HoldingChain), (3,)),
    Row("AffineChain-holding-doubled", lambda: _affine_chain((3,), 2, _HoldingChain), (3,)),
]


def catalogue_functions() -> Iterator[Subject]:
    """Return every function that only the backward passes call."""
    configurations = {(row.name, train): _configuration(row, train) for row in ROWS for train in (True, False)}
    users: dict[CodeType, list[tuple[str, bool]]] = {}
    for row in ROWS:
        for train in (True, False):
            for code in _backward_codes(row, train):
                users.setdefault(code, []).append((row.name, train))
    for function in sorted(_functions(), key=lambda f: (f.__module__, f.__qualname__)):
        if keys := users.get(function.__code__):
            owner = _owner(function)
            yield Subject(
                f"{function.__module__.removeprefix('chainrule.')} {function.__qualname__}",
                function,
                inspect.getsource(owner or function),
                inspect.getsource(owner) if owner else "",
                tuple(configurations[key] for key in keys),
            )


def _configuration(row: Row, train: bool) -> Configuration:
    name = f"{row.name} {'training' if train else 'inference'}"
    return Configuration(name, partial(_row_gradients, row, train), partial(_row_told, row, train))


def _inputs(row: Row, rng: np.random.Generator, batch: int) -> Array:
    if row.entries is not None:
        return rng.integers(0, row.entries, (batch, *row.shape))
    return rng.standard_normal((batch, *row.shape))


def _made(row: Row, rng: np.random.Generator) -> cr.Layer:
    """Return the row's layer as it would be after some training."""
    layer = row.make()
    layer.build(row.shape, rng)
    for name, buffer in layer.buffers.items():
        draw = rng.uniform(0.5, 2, buffer.value.shape)
        buffer.value = draw - 1 if name.endswith("mean") else draw
    return layer


def _row_gradients(row: Row, train: bool, draw: int) -> dict[str, Any]:
    """Run one training or inference pass on random inputs; gradients are added to those already in the parameters."""
    rng = np.random.default_rng([draw, 23])
    layer = _made(row, rng).astype(np.float64)
    for parameter in layer.parameters.values():
        parameter.value += 0.3 * rng.standard_normal(parameter.shape)
        parameter.grad = rng.standard_normal(parameter.shape)
    x = _inputs(row, rng, 2 + draw % 5)
    found: dict[str, Any] = {}
    y, cache = layer.forward(x, train=train, rng=np.random.default_rng(draw))
    found["out"] = y
    dy = rng.standard_normal(y.shape)
    dx = layer.backward(dy, cache)
    if row.entries is None:  # integers have no gradient
        found["dx"] = dx
    found |= {name: parameter.grad.copy() for name, parameter in layer.parameters.items()}
    if layer.parameters:
        layer.backward(dy, cache, input_gradient=False)
        found |= {f"again {name}": parameter.grad.copy() for name, parameter in layer.parameters.items()}
    return found


def _row_told(row: Row, train: bool) -> str:
    for batch in (4, 2, 5):  # 4 may happen to equal the length of another axis
        rng = np.random.default_rng(7)
        layer, inputs = _made(row, rng), _inputs(row, rng, batch)
        report = cr.gradcheck(layer, shape=row.shape, seed=3, train=train, inputs=inputs)
        if not report.ok:
            return str(report)
    return ""


def _backward_codes(row: Row, train: bool) -> set[CodeType]:
    """Return the functions of chainrule's layers and kernels that run during backward but not during forward."""
    layer = row.make()
    layer.build(row.shape, np.random.default_rng(0))
    x = _inputs(row, np.random.default_rng(0), 3)
    (y, cache), forward = _called(lambda: layer.forward(x, train=train, rng=np.random.default_rng(0)))
    _, backward = _called(lambda: layer.backward(y, cache))
    return backward - forward


def _called(action: Callable[[], Any]) -> tuple[Any, set[CodeType]]:
    codes: set[CodeType] = set()
    sys.setprofile(lambda frame, event, _: codes.add(frame.f_code))
    try:
        result = action()
    finally:
        sys.setprofile(None)
    return result, codes


@cache
def _modules() -> list[Any]:
    rooms = ("chainrule.layers.", "chainrule.kernels.reference.")
    return [module for name, module in sorted(sys.modules.items()) if name.startswith(rooms)]


def _functions() -> Iterator[FunctionType]:
    for module in _modules():
        for value in vars(module).values():
            if getattr(value, "__module__", None) != module.__name__:
                continue
            members = vars(value).values() if isinstance(value, type) else [value]
            yield from (inspect.unwrap(member) for member in members if isinstance(member, FunctionType))


def _owner(function: FunctionType) -> Any:
    name = function.__qualname__.partition(".")
    return getattr(sys.modules[function.__module__], name[0]) if name[1] else None


class Weighted(cr.Loss):
    """A loss with sample weights."""

    def __init__(self, loss: cr.Loss, weights: tuple[float, ...] | None) -> None:
        self.loss = loss
        self.weights = weights

    def __call__(self, outputs: Array, targets: Array, weights: Array | None = None) -> tuple[float, Array]:
        return self.loss(outputs, targets, None if self.weights is None else np.array(self.weights))


Draw = Callable[[np.random.Generator], Any]


def losses() -> Iterator[Subject]:
    """Return every loss and the kernels that it calls; a mutant that changes the loss itself does not count."""
    of_labels, of_shares, of_numbers = _labels, _shares, lambda rng: rng.standard_normal((5, 4))
    cases: list[tuple[cr.Loss, Draw, tuple[int, ...]]] = [
        (cr.SoftmaxCrossEntropy(), of_labels, (5, 4)),
        (cr.SoftmaxCrossEntropy(), lambda rng: np.eye(4)[_labels(rng)], (5, 4)),
        (cr.SoftmaxCrossEntropy(), of_shares, (5, 4)),
        (cr.SoftmaxCrossEntropy(0.2, class_weight=(1, 0.5, 0, 3)), of_labels, (5, 4)),
        (cr.SigmoidCrossEntropy(), of_shares, (5, 4)),
        (cr.MeanSquaredError(), of_numbers, (5, 4)),
        (cr.Huber(), of_numbers, (5, 4)),
        (cr.Huber(0.3), of_numbers, (5, 4)),
        (cr.NegativeSampling(), of_labels, (5, 4)),
        (cr.SequenceCrossEntropy(), lambda rng: rng.integers(0, 4, (5, 6)), (5, 6, 4)),
        (cr.SequenceCrossEntropy(3), lambda rng: rng.integers(0, 4, (5, 6)), (5, 6, 4)),
        (cr.CTC(), _words, (5, 8, 4)),
        (cr.CTC(), lambda rng: (_words(rng), rng.integers(5, 9, 5)), (5, 8, 4)),
    ]
    configurations = [
        (type(loss), Configuration(f"{loss} {index} {weights}",
                                   partial(_loss_gradients, Weighted(loss, weights), draw, shape),
                                   partial(_loss_told, Weighted(loss, weights), draw, shape)))
        for index, (loss, draw, shape) in enumerate(cases)
        for weights in (None, (1, 0, 2.5, 0.1, 3))
    ]  # fmt: skip
    for cls in dict.fromkeys(type(loss) for loss, _, _ in cases):
        own = tuple(configuration for kind, configuration in configurations if kind is cls)
        source = inspect.getsource(cls)
        part = r"^return" if cls in (cr.MeanSquaredError, cr.Huber, cr.CTC) else "kernels"
        part = "kernels|dlogits|dchosen" if cls is cr.SequenceCrossEntropy else part
        room = cls.__module__.removeprefix("chainrule.")
        yield Subject(f"{room} {cls.__name__}", inspect.unwrap(vars(cls)["__call__"]), source, source, own, part)
    for swift in (kernels.softmax_cross_entropy, kernels.weighted_cross_entropy, kernels.sigmoid_cross_entropy):
        kernel = inspect.unwrap(swift)
        kind = cr.SigmoidCrossEntropy if "sigmoid" in kernel.__name__ else cr.SoftmaxCrossEntropy
        own = tuple(configuration for cls, configuration in configurations if cls is kind)
        yield Subject(
            f"kernels.reference.losses {kernel.__name__}", kernel, inspect.getsource(kernel), "", own, "dlogits"
        )
    of_alignments = tuple(configuration for kind, configuration in configurations if kind is cr.CTC)
    ctc = sys.modules["chainrule.kernels.reference.ctc"]
    for function, part in (
        (vars(ctc)["ctc_loss"], "^behind|^ways|^of_class|^dlogits|^there|^return"),
        (vars(ctc)["_behind"], ""),
    ):
        source = inspect.getsource(function)
        yield Subject(f"kernels.reference.ctc {function.__name__}", function, source, "", of_alignments, part)


def _labels(rng: np.random.Generator) -> Array:
    return rng.integers(0, 4, 5)


def _shares(rng: np.random.Generator) -> Array:
    return rng.dirichlet(np.ones(4), 5)


def _words(rng: np.random.Generator) -> Array:
    """Draw up to three labels per sample, with equal neighbours among them."""
    words = rng.integers(1, 4, (5, 3))
    words[np.arange(3) >= rng.integers(0, 4, (5, 1))] = -1
    return words


def _loss_gradients(loss: cr.Loss, targets: Draw, shape: tuple[int, ...], draw: int) -> dict[str, Any]:
    rng = np.random.default_rng([draw, 29])
    value, gradient = loss(rng.standard_normal(shape), targets(rng))
    return {"out": value, "gradient": gradient}


def _loss_told(loss: cr.Loss, targets: Draw, shape: tuple[int, ...]) -> str:
    for seed in (31, 32, 33):
        rng = np.random.default_rng(seed)
        report = cr.gradcheck(cr.Sequential(), inputs=rng.standard_normal(shape), labels=targets(rng), loss=loss)
        if not report.ok:
            return str(report)
    return ""
