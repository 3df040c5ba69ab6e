"""ONNX Runtime: inference of the same network, written as an ONNX graph."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from chainrule.arrays import Array
from chainrule.bench.rounds import Run
from chainrule.bench.work import Goal, Work, check_same, repeated
from chainrule.data import Dataset
from chainrule.errors import OptionError
from chainrule.layers import Affine, Conv2D, Flatten, MaxPool2D, ReLU, Scale, Sequential

__all__ = ["inference", "time_to", "training", "version"]


def version() -> str:
    """Return ONNX Runtime's version."""
    return str(onnxruntime.__version__)


def _model(net: Sequential) -> Any:
    nodes: list[Any] = []
    weights: list[Any] = []

    def weight(array: Array) -> str:
        weights.append(numpy_helper.from_array(np.ascontiguousarray(array), f"w{len(weights)}"))
        return f"w{len(weights) - 1}"

    def node(kind: str, *more: str, **attributes: Any) -> None:
        nodes.append(helper.make_node(kind, [f"x{len(nodes)}", *more], [f"x{len(nodes) + 1}"], **attributes))

    for layer in net.layers:
        match layer:
            case Scale():
                node("Cast", to=TensorProto.FLOAT)
                node("Mul", weight(np.array(layer.factor, np.float32)))
            case Flatten():
                node("Flatten")
            case ReLU():
                node("Relu")
            case Affine():
                node("Gemm", weight(layer.W.value), weight(layer.b.value))
            case Conv2D():
                stride, ((top, bottom), (left, right)), groups, dilation = layer.reading()
                pads = [top, left, bottom, right]
                windows = {"strides": stride, "pads": pads, "group": groups, "dilations": dilation}
                node("Conv", weight(layer.W.value), weight(layer.b.value), **windows)
            case MaxPool2D():
                assert layer.input_shape is not None
                kernel, stride, _ = layer.windows(layer.input_shape)
                node("MaxPool", kernel_shape=kernel, strides=stride)
            case _:
                raise OptionError(f"{layer!r} has no counterpart in this benchmark")
    assert net.input_shape is not None
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x0", TensorProto.UINT8, ["N", *net.input_shape])],
        [helper.make_tensor_value_info(f"x{len(nodes)}", TensorProto.FLOAT, None)],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def inference(net: Sequential, x: Array, repeats: int) -> Mapping[str, Run]:
    """Return inference with the runtime's default number of threads."""
    session = onnxruntime.InferenceSession(_model(net).SerializeToString(), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"x0": x})
    check_same("ONNX Runtime", logits, net, x)
    return {"ONNX Runtime": repeated(lambda: session.run(None, {"x0": x}), repeats)}


def training(net: Sequential, work: Work, train: Dataset, *, compiled: bool = True) -> Mapping[str, Run]:
    """Return nothing: ONNX Runtime does not train."""
    return {}


def time_to(goal: Goal, net: Sequential, train: Dataset, test: Dataset, seed: int) -> float | None:
    """Return None: ONNX Runtime does not train."""
    return None
