"""Subjects of the course: its exercises, judged by the lessons; the layers of `scratch`, checked by check_layer."""

import copy
import inspect
import re
from collections.abc import Callable, Iterator
from functools import partial
from types import FunctionType
from typing import Any

import numpy as np

from chainrule.lessons import EXERCISES, find_lessons, judge
from chainrule.models import TwoLayerNet
from chainrule.scratch import layers, time_layers, time_steps
from chainrule.scratch.check import check_layer, check_network
from chainrule.scratch.multi_layer_net import MultiLayerNet
from chainrule.scratch.multi_layer_net_extend import MultiLayerNetExtend
from mutants.trial import Configuration, Subject

__all__ = ["exercises", "of_a_class", "scratch_layers"]

Rng = np.random.Generator
Made = tuple[Any, list[Any]]
"""A layer and the arguments of its forward."""


def exercises() -> Iterator[Subject]:
    """The solutions of the 21 lessons."""
    for lesson in find_lessons():
        namespace: dict[str, Any] = {}
        for cell in lesson.cells:
            if cell.is_code and "import" in cell.text:
                exec("\n".join(re.findall(r"^(?:from|import) .*$", cell.text, re.MULTILINE)), namespace)
            if cell.exercise:
                break
        key = str(cell.exercise)
        source = EXERCISES[key].solved(cell.text)
        exec(source, namespace)
        cls = namespace[EXERCISES[key].class_name]
        is_network = key in ("network", "language_model")
        method, draw = ("gradient", network_gradients) if is_network else ("backward", layer_gradients)
        configuration = Configuration(
            f"lesson {key}", partial(draw, partial(_EXERCISES[key], cls)), partial(_judged, key, cls)
        )
        yield Subject(f"lesson {key}", vars(cls)[method], source, source, (configuration,))


def _judged(key: str, cls: Any) -> str:
    verdict = judge(key, cls)
    return "" if verdict.ok else verdict.lines[0]


def _numbers(least: float, *spread: float) -> Callable[[Any, Rng], Made]:
    return lambda cls, rng: (cls(), [float(least + s * rng.random()) for s in spread])


def _rows(cls: Any, rng: Rng) -> Made:
    return cls(), [rng.standard_normal((rng.integers(2, 7), rng.integers(2, 7)))]


def _labelled(cls: Any, rng: Rng) -> Made:
    N, C = rng.integers(2, 7), rng.integers(2, 5)
    return cls(), [rng.standard_normal((N, C)), np.eye(C)[rng.integers(C, size=N)]]


def _affine(cls: Any, rng: Rng) -> Made:
    N, D, H = rng.permutation([2, 3, 4, 5, 6])[:3]
    return cls(rng.standard_normal((D, H)), rng.standard_normal(H)), [rng.standard_normal((N, D))]


def _normalization(cls: Any, rng: Rng) -> Made:
    N, D = rng.integers(3, 8), rng.integers(2, 6)
    return cls(rng.standard_normal(D), rng.standard_normal(D)), [rng.standard_normal((N, D))]


def _convolution(cls: Any, rng: Rng) -> Made:
    FN, C, H, W = np.add(rng.integers(2, 5, 4), (0, 0, 3, 2))
    return cls(rng.standard_normal((FN, C, 3, 2)), rng.standard_normal(FN)), [rng.standard_normal((3, C, H, W))]


def _two_layers(cls: Any, rng: Rng) -> Made:
    np.random.seed(rng.integers(1000))
    return cls(6, 5, 3), [rng.standard_normal((4, 6)), np.eye(3)[rng.integers(3, size=4)]]


def _recurrent(gates: int, whole: bool, cls: Any, rng: Rng) -> Made:
    """Return a step of x and its states, or (whole) a layer of xs (N, T, D)."""
    N, T, D, H = rng.permutation([2, 3, 4, 5])
    layer = cls(*(0.5 * rng.standard_normal(shape) for shape in ((D, gates * H), (H, gates * H), (gates * H,))))
    states = [rng.standard_normal((N, H)) for _ in range(2 if gates == 4 else 1)]
    if not whole:
        return layer, [rng.standard_normal((N, D)), *states]
    if hasattr(layer, "set_state"):
        layer.stateful = True
        layer.set_state(*states)
    return layer, [rng.standard_normal((N, T, D))]


def _attended(cls: Any, rng: Rng) -> Made:
    N, T, H = rng.permutation([2, 3, 4])
    return cls(), [rng.standard_normal((N, T, H)), rng.standard_normal((N, H))]


def _sequences(cls: Any, rng: Rng) -> Made:
    """Draw scores (N, T, V) and labels, some of which are ignored."""
    N, T, V = rng.permutation([3, 4, 5])
    ts = rng.integers(V, size=(N, T))
    ts[0, 1:] = ts[1, -1] = -1
    return cls(), [rng.standard_normal((N, T, V)), ts]


def _words(cls: Any, rng: Rng) -> Made:
    np.random.seed(rng.integers(1000))
    return cls(7, 4, 3), [rng.integers(7, size=(5, 4)), rng.integers(7, size=(5, 4))]


_EXERCISES: dict[str, Callable[[Any, Rng], Made]] = {
    "graph": _numbers(0.5, 100, 5, 1),
    "chain": _numbers(0.5, 5, 5),
    "divide": _numbers(0.5, 5, 5),
    "valley": _numbers(-7, 14, 14),
    "relu": _rows,
    "sigmoid": _rows,
    "tanh": _rows,
    "leaky": _rows,
    "dropout": _rows,
    "affine": _affine,
    "softmax": _labelled,
    "squared": _labelled,
    "network": _two_layers,
    "batchnorm": _normalization,
    "convolution": _convolution,
    "rnn": partial(_recurrent, 1, False),
    "through_time": partial(_recurrent, 1, True),
    "lstm": partial(_recurrent, 4, False),
    "attention": _attended,
    "sequence_loss": _sequences,
    "language_model": _words,
}
"""Draw inputs for each exercise, independent of those that the lessons choose."""


def layer_gradients(make: Callable[[Rng], Made], draw: int) -> dict[str, Any]:
    """Run one forward and backward pass of a layer on random inputs; return its result, and the attributes d..."""
    rng = np.random.default_rng([draw, 17])
    layer, arguments = make(rng)
    np.random.seed(draw)
    out = layer.forward(*arguments)
    outs = out if isinstance(out, tuple) else (out,)
    is_loss = np.ndim(outs[0]) == 0 and any(np.ndim(value) for value in arguments)
    # the upstream gradient of a loss is 1
    returned = layer.backward(*([1] if is_loss else [rng.standard_normal(np.shape(one))[()] for one in outs]))
    several = returned if isinstance(returned, tuple) else () if returned is None else (returned,)
    shapes = [np.shape(value) for value in several]
    if len(set(shapes)) == len(shapes):  # then the order is a matter of style, because shapes identify each
        several = tuple(sorted(several, key=np.shape))
    found = {f"out {index}": value for index, value in enumerate(outs)}
    found |= {f"returned {index}": value for index, value in enumerate(several)}
    found |= {f"grads {index}": value for index, value in enumerate(getattr(layer, "grads", ()))}
    return found | {name: value for name, value in vars(layer).items() if re.fullmatch(r"d[a-zA-Z]\w*", name)
                    and (isinstance(value, np.ndarray) or value is None)}  # fmt: skip


def network_gradients(make: Callable[[Rng], Made], draw: int) -> dict[str, Any]:
    """Return the gradients of a network on random inputs."""
    rng = np.random.default_rng([draw, 17])
    network, (x, t) = make(rng)
    found: dict[str, Any] = {}
    for step in range(2):  # as in training: parameters change, then the next gradient
        for value in network.params.values():
            value[...] += 0.1 * rng.standard_normal(value.shape)
        np.random.seed(draw)
        gradient = network.gradient(x, t)
        found |= {f"{step} {key}": np.array(gradient[key]) for key in network.params}
    return found


def _checked(check: Callable[..., Any], make: Callable[[Rng], Made], whole: bool = False) -> str:
    """Return what is found wrong; with `whole`, also what is taken as constant, as in the report of `run --check`."""
    # the shapes of one seed may hide what those of another show: 2 * H is 2 + H if H is 2
    return _told(check, make, whole, 5) or _told(check, make, whole, 6)


def _told(check: Callable[..., Any], make: Callable[[Rng], Made], whole: bool, seed: int) -> str:
    np.random.seed(3)
    layer, arguments = make(np.random.default_rng(seed))
    if check is check_layer:
        out = copy.deepcopy(layer).forward(*arguments)
        np.random.seed(3)
        answer = check(layer, arguments, upstream=list(out) if isinstance(out, tuple) else [1])
    else:
        answer = check(layer, *arguments)
    constants = f"taken as constant: {answer.constants}" if whole and answer.constants else ""
    return answer.failure or "".join(str(finding) for finding in answer.findings[:1]) or constants


def of_a_class(
    cls: Any, makes: dict[str, Callable[[Rng], Made]], method: str = "backward", whole: bool = False
) -> Subject:
    """Return the mutants of a class's own method, checked by check_layer (for a network: check_network).

    whole: the layer has a gradient for everything that it reads.
    """
    function = vars(cls)[method]
    assert isinstance(function, FunctionType)
    draw, check = (layer_gradients, check_layer) if method == "backward" else (network_gradients, check_network)
    configurations = tuple(
        Configuration(
            f"{cls.__module__} {cls.__name__} {name}", partial(draw, make), partial(_checked, check, make, whole)
        )
        for name, make in makes.items()
    )
    source = inspect.getsource(cls)
    return Subject(f"{cls.__module__.split('.')[-1]} {cls.__name__}", function, source, source, configurations)


def _indices(cls: Any, rng: Rng) -> Made:
    layer, (x, t) = _labelled(cls, rng)
    return layer, [x, t.argmax(axis=1)]


def _columns(cls: Any, rng: Rng) -> Made:
    layer, (x, t) = _indices(cls, rng)
    return layer, [x, t.reshape(-1, 1)]


def _images(rng: Rng) -> Any:
    return rng.standard_normal((rng.integers(2, 4), rng.integers(2, 4), 6, 5))


def _affine_of_images(cls: Any, rng: Rng) -> Made:
    x = _images(rng)
    return cls(rng.standard_normal((x[0].size, 4)), rng.standard_normal(4)), [x]


def _padded_convolution(cls: Any, rng: Rng) -> Made:
    x = _images(rng)
    return cls(rng.standard_normal((4, x.shape[1], 3, 2)), rng.standard_normal(4), 2, 1), [x]


def _normalization_of_images(cls: Any, rng: Rng) -> Made:
    x = _images(rng)
    return cls(rng.standard_normal(x[0].size), rng.standard_normal(x[0].size)), [x]


def _network(cls: Any, hidden: list[int], options: dict[str, Any], rng: Rng) -> Made:
    np.random.seed(rng.integers(1000))
    return cls(5, hidden, 3, **options), [rng.standard_normal((7, 5)), rng.integers(3, size=7)]


def _two_layer_net(rng: Rng) -> Made:
    net = TwoLayerNet(5, 4, 3, 0.5, seed=int(rng.integers(1000)), dtype="float64")
    return net, [rng.standard_normal((7, 5)), rng.integers(3, size=7)]


def _table(cls: Any, rng: Rng) -> Made:
    return cls(rng.standard_normal((6, 4))), [rng.integers(6, size=(5, 3))]


def _affine_of_sequences(cls: Any, rng: Rng) -> Made:
    return cls(rng.standard_normal((4, 5)), rng.standard_normal(5)), [rng.standard_normal((2, 3, 4))]


_WORD_LAYERS: dict[str, Callable[[Any, Rng], Made]] = {
    "MatMul": lambda cls, rng: (cls(rng.standard_normal((4, 5))), [rng.standard_normal((3, 4))]),
    "Embedding": _table,
    "Softmax": _rows,
    "SigmoidWithLoss": lambda cls, rng: (cls(), [rng.standard_normal(5), rng.integers(2, size=5)]),
}
_STEPS = {
    "RNN": partial(_recurrent, 1, False),
    "LSTM": partial(_recurrent, 4, False),
    "GRU": partial(_recurrent, 3, False),
}
_TIME_LAYERS: dict[str, Callable[[Any, Rng], Made]] = {
    "TimeRNN": partial(_recurrent, 1, True),
    "TimeLSTM": partial(_recurrent, 4, True),
    "TimeGRU": partial(_recurrent, 3, True),
    "TimeEmbedding": _table,
    "TimeAffine": _affine_of_sequences,
    "TimeSoftmaxWithLoss": _sequences,
}


def scratch_layers() -> Iterator[Subject]:
    """Return every layer and network of `chainrule.scratch`, and TwoLayerNet."""
    rows: dict[str, dict[str, Callable[[Any, Rng], Made]]] = {
        "Relu": {"rows": _rows},
        "Sigmoid": {"rows": _rows},
        "Tanh": {"rows": _rows},
        "Affine": {"rows": _affine, "images": _affine_of_images},
        "SoftmaxWithLoss": {"one-hot": _labelled, "indices": _indices, "columns": _columns},
        "Dropout": {"rows": _rows},
        "BatchNormalization": {"rows": _normalization, "images": _normalization_of_images},
        "Convolution": {"plain": _convolution, "padded": _padded_convolution},
        "Pooling": {"2": lambda cls, rng: (cls(2, 2, 2), [_images(rng)])}
        | {"3 by 2": lambda cls, rng: (cls(3, 2, 1, 1), [_images(rng)])},
    }
    for name, makes in rows.items():
        if cls := getattr(layers, name, None):
            yield of_a_class(cls, {key: partial(make, cls) for key, make in makes.items()})
    for module, of_sequences in ((layers, _WORD_LAYERS), (time_steps, _STEPS), (time_layers, _TIME_LAYERS)):
        for name, make in of_sequences.items():
            cls = getattr(module, name)
            yield of_a_class(cls, {"plain": partial(make, cls)}, whole=module is not layers)
    deep, options = [4, 6, 5], {"weight_decay_lambda": 0.1}
    variants = {"plain": ([4, 6], {}), "decay": (deep, options), "sigmoid": ([4], {"activation": "sigmoid"})}
    yield of_a_class(
        MultiLayerNet, {key: partial(_network, MultiLayerNet, *value) for key, value in variants.items()}, "_backward"
    )
    variants |= {"batch norm": (deep, {"use_batchnorm": True}), "dropout": ([4, 6], {"use_dropout": True})}
    makes = {key: partial(_network, MultiLayerNetExtend, *value) for key, value in variants.items()}
    yield of_a_class(MultiLayerNetExtend, makes, "_backward")
    yield of_a_class(TwoLayerNet, {"plain": _two_layer_net}, "gradient")
