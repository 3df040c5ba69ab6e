"""Build ONNX models from nodes, and check that the imported network computes what ONNX Runtime computes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import chainrule as cr
from chainrule.io.onnx_import import from_onnx

__all__ = ["imported_equal", "model", "node"]

node = helper.make_node


def model(nodes: Sequence[Any], arrays: dict[str, Any], shape: Sequence[int], opset: int = 17) -> Any:
    """Build a model from x (N, *shape) to y; arrays whose names start with i are int64, the others float32."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", *shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.asarray(value, np.int64 if name.startswith("i") else np.float32), name)
            for name, value in arrays.items()
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def imported_equal(made: Any, x: np.ndarray) -> list[cr.Layer]:
    """Return the imported model's layers, after checking that it computes the same for x as ONNX Runtime."""
    net = from_onnx(made, keep_softmax=True)
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(net(x), session.run(None, {"x": x})[0], rtol=1e-5, atol=1e-5)
    return list(net.layers)
