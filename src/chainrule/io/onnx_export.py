"""A network as an ONNX model: every layer becomes standard operators, preprocessing and class names included.

The batch is symbolic, the numbers are float32, the operators those of opset 17 (so ONNX Runtime 1.12 and later run it).
https://onnx.ai/onnx/operators
"""

import json
import math
import os
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from chainrule.errors import MissingExtraError, ModelFileError, NotBuiltError, OptionError
from chainrule.files import replacing
from chainrule.io.int8 import channel_axis, quantize
from chainrule.layers import (
    GELU,
    Affine,
    BatchNorm,
    Conv2D,
    Dropout,
    Embedding,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    LayerNorm,
    LeakyReLU,
    Parallel,
    ReLU,
    Reshape,
    Residual,
    Scale,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Standardize,
    Tanh,
)
from chainrule.version import __version__

__all__ = ["export_onnx", "to_onnx", "without_onnx"]

_OPSET, _IR = 17, 8
_FLOAT = 1
_INPUTS = {"float32": _FLOAT, "uint8": 2, "int64": 7}
"""ONNX's type numbers."""


def export_onnx(
    network: Sequential,
    path: str | os.PathLike[str],
    *,
    softmax: bool = False,
    input_type: str = "",
    labels: Sequence[str] | None = None,
    int8: bool = False,
) -> None:
    """Write a built network as an ONNX file, atomically.

    Args:
        network: built; ends in logits.
        path: usually ends in .onnx.
        softmax: the output is then "probabilities" (N, C) instead of "logits".
        input_type: of "input" (N, *input_shape): float32, uint8 (pixels), or int64 (read by an Embedding); by default
            int64 before an Embedding, otherwise float32.
        labels: class names, kept as the model's metadata "labels" (JSON); by default the network's own.
        int8: store weights of Affine and Conv2D in eight bits, with one step per output; a quarter of the size
            (`io.int8`).

    Raises:
        NotBuiltError: the network is not built.
        ModelFileError: a layer (such as your own) has no ONNX operator; the message names all of them.
        FileError: the file cannot be written.
    """
    content = to_onnx(network, softmax=softmax, input_type=input_type, labels=labels, int8=int8).SerializeToString()
    with replacing(path) as file:
        file.write(content)


def to_onnx(
    network: Sequential,
    *,
    softmax: bool = False,
    input_type: str = "",
    labels: Sequence[str] | None = None,
    int8: bool = False,
) -> Any:
    """The network as a checked onnx.ModelProto."""
    if network.input_shape is None or network.output_shape is None:
        raise NotBuiltError("the network has no parameters yet: call net.build(input_shape, seed=0) first")
    if unknown := without_onnx(network):
        raise ModelFileError(
            f"ONNX has no operator for {', '.join(unknown)}: write the method onnx(self, graph, x) of the layer "
            "(see Layer.onnx), or export a network without it"
        )
    reads = "int64" if next(_leaves(network), network).reads == "indices" else "float32"
    kind = input_type or reads
    if kind not in _INPUTS or (reads == "int64") != (kind == "int64"):
        known = "int64" if reads == "int64" else "float32 or uint8"
        raise OptionError(f"input_type must be {known} for this network, got {input_type!r}")
    onnx = _onnx()
    helper = onnx.helper
    graph = _Graph(network, onnx, int8)
    value = graph.add("Cast", "input", to=_FLOAT) if kind == "uint8" else "input"
    value = graph.layer(network, value)
    output = "probabilities" if softmax else "logits"
    graph.nodes.append(helper.make_node("Softmax" if softmax else "Identity", [value], [output]))
    if softmax:
        graph.nodes[-1].attribute.append(helper.make_attribute("axis", -1))
    shapes = [["N", *shape] for shape in (network.input_shape, network.output_shape)]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "network",
            [helper.make_tensor_value_info("input", _INPUTS[kind], shapes[0])],
            [helper.make_tensor_value_info(output, _FLOAT, shapes[1])],
            graph.arrays,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR,
        producer_name="chainrule",
        producer_version=__version__,
    )
    names = network.labels if labels is None else tuple(labels)
    told = {} if names is None else {"labels": json.dumps(list(names))}
    if network.preparation is not None:
        told["preparation"] = json.dumps(network.preparation.describe())
    helper.set_model_props(model, told)
    onnx.checker.check_model(model, full_check=True)
    return model


def without_onnx(network: Layer) -> list[str]:
    """The names of the layers without an ONNX form: they have no `onnx` method and no operator here."""
    return sorted(
        {
            type(layer).__name__
            for layer in _leaves(network)
            if type(layer) not in _OPERATORS and type(layer).onnx is Layer.onnx
        }
    )


class _Graph:
    """The nodes and arrays of a model under construction."""

    def __init__(self, network: Sequential, onnx: Any, int8: bool) -> None:
        self._onnx = onnx
        self._int8 = int8
        self.nodes: list[Any] = []
        self.arrays: list[Any] = []
        self._names = {id(holder): name for name, holder in [*network.parameters.items(), *network.buffers.items()]}
        self._written: set[str] = set()

    def layer(self, layer: Layer, x: str) -> str:
        """Add this layer's operators and return the name of its output."""
        own = _OPERATORS.get(type(layer))
        return own(self, layer, x) if own else layer.onnx(self, x)

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        output = f"v{len(self.nodes)}"
        self.nodes.append(self._onnx.helper.make_node(operator, list(inputs), [output], **attributes))
        return output

    def held(self, holder: Any) -> str:
        """The name of a Parameter's or Buffer's array; a shared one is written once."""
        name = self._names[id(holder)]
        if name not in self._written:
            self._written.add(name)
            value = np.ascontiguousarray(holder.value, np.float32)
            self.arrays.append(self._onnx.numpy_helper.from_array(value, name))
        return name

    def weights(self, layer: Affine | Conv2D) -> str:
        """The name of a layer's W, stored in eight bits if asked for."""
        axis = channel_axis(layer)
        if not self._int8 or axis is None:
            return self.held(layer.W)
        name = self._names[id(layer.W)]
        if name not in self._written:
            self._written.add(name)
            numbers, steps = quantize(layer.W.value, axis)
            parts = {"numbers": numbers, "steps": steps, "zero": np.zeros(len(steps), np.int8)}
            self.arrays += [self._onnx.numpy_helper.from_array(array, f"{name}.{key}") for key, array in parts.items()]
            inputs = [f"{name}.{key}" for key in parts]
            self.nodes.append(self._onnx.helper.make_node("DequantizeLinear", inputs, [name], axis=axis))
        return name

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        """The name of an array that is not a parameter."""
        name = f"c{len(self.arrays)}"
        self.arrays.append(self._onnx.numpy_helper.from_array(np.asarray(value, dtype), name))
        return name


def _onnx() -> Any:
    try:
        import onnx
    except ModuleNotFoundError:
        raise MissingExtraError("onnx", "ONNX", "onnx") from None
    return onnx


def _leaves(layer: Layer) -> Any:
    """The layers that are not containers, in order."""
    if isinstance(layer, Sequential | Parallel) and type(layer) in _OPERATORS:
        for _, child in layer.children():
            yield from _leaves(child)
    else:
        yield layer


def _sequential(graph: _Graph, layer: Sequential, x: str) -> str:
    assert layer.input_shape is not None
    for _, child, shape in layer.parts(layer.input_shape):
        child.build(shape, np.random.default_rng(0))  # already built: a layer used in two places gets its shape here
        x = graph.layer(child, x)
    return x


def _residual(graph: _Graph, layer: Residual, x: str) -> str:
    return graph.add("Add", x, _sequential(graph, layer, x))


def _parallel(graph: _Graph, layer: Parallel, x: str) -> str:
    assert layer.input_shape is not None
    outputs: list[str] = []
    for _, branch, shape in layer.parts(layer.input_shape):
        branch.build(shape, np.random.default_rng(0))  # as in a Sequential
        outputs.append(graph.layer(branch, x))
    if layer.join != "product":
        return graph.add("Concat", *outputs, axis=1) if layer.join == "concat" else graph.add("Sum", *outputs)
    return reduce(lambda product, output: graph.add("Mul", product, output), outputs)


def _affine(graph: _Graph, layer: Affine, x: str) -> str:
    return graph.add("Gemm", x, graph.weights(layer), graph.held(layer.b))


def _global_pool(graph: _Graph, layer: GlobalAvgPool2D, x: str) -> str:
    return graph.add("Flatten", graph.add("GlobalAveragePool", x))


def _batch_norm(graph: _Graph, layer: BatchNorm, x: str) -> str:
    holders = (layer.gamma, layer.beta, layer.running_mean, layer.running_variance)
    return graph.add("BatchNormalization", x, *map(graph.held, holders), epsilon=layer.epsilon)


def _layer_norm(graph: _Graph, layer: LayerNorm, x: str) -> str:
    arrays = graph.held(layer.gamma), graph.held(layer.beta)
    return graph.add("LayerNormalization", x, *arrays, axis=-layer.axes, epsilon=layer.epsilon)


def _embedding(graph: _Graph, layer: Embedding, x: str) -> str:
    return graph.add("Gather", graph.held(layer.W), x)


def _scale(graph: _Graph, layer: Scale, x: str) -> str:
    return graph.add("Mul", x, graph.constant(layer.factor))


def _standardize(graph: _Graph, layer: Standardize, x: str) -> str:
    assert layer.input_shape is not None
    along = (-1, *[1] * (len(layer.input_shape) - 1))
    mean, std = (graph.constant(np.reshape(numbers, along)) for numbers in (layer.mean, layer.std))
    return graph.add("Div", graph.add("Sub", x, mean), std)


def _reshape(graph: _Graph, layer: Reshape | Flatten, x: str) -> str:
    assert layer.output_shape is not None
    return graph.add("Reshape", x, graph.constant([-1, *layer.output_shape], np.int64))


def _gelu(graph: _Graph, layer: GELU, x: str) -> str:
    if layer.tanh:  # y = 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
        cubic = graph.add("Mul", graph.add("Mul", x, graph.add("Mul", x, x)), graph.constant(0.044715))
        inner = graph.add("Mul", graph.add("Add", x, cubic), graph.constant(math.sqrt(2 / math.pi)))
        share = graph.add("Add", graph.add("Tanh", inner), graph.constant(1))
        return graph.add("Mul", graph.add("Mul", x, share), graph.constant(0.5))
    # y = x (1 + erf(x / sqrt(2))) / 2
    erf = graph.add("Erf", graph.add("Mul", x, graph.constant(math.sqrt(0.5))))
    return graph.add("Mul", x, graph.add("Mul", graph.add("Add", erf, graph.constant(1)), graph.constant(0.5)))


def _plain(operator: str, **attributes: Any) -> Callable[[_Graph, Layer, str], str]:
    return lambda graph, layer, x: graph.add(operator, x, **attributes)


_OPERATORS: dict[type[Layer], Callable[[_Graph, Any, str], str]] = {
    Affine: _affine,
    BatchNorm: _batch_norm,
    Dropout: lambda graph, layer, x: x,  # does nothing in inference
    Embedding: _embedding,
    Flatten: _reshape,
    GELU: _gelu,
    GlobalAvgPool2D: _global_pool,
    LayerNorm: _layer_norm,
    LeakyReLU: lambda graph, layer, x: graph.add("LeakyRelu", x, alpha=layer.slope),
    Parallel: _parallel,
    ReLU: _plain("Relu"),
    Reshape: _reshape,
    Residual: _residual,
    Scale: _scale,
    Sequential: _sequential,
    SiLU: lambda graph, layer, x: graph.add("Mul", x, graph.add("Sigmoid", x)),
    Sigmoid: _plain("Sigmoid"),
    Softmax: _plain("Softmax", axis=-1),
    Softplus: _plain("Softplus"),
    Standardize: _standardize,
    Tanh: _plain("Tanh"),
}
"""The export of layers without an `onnx` method: (graph, layer, name of x) -> name of y."""
