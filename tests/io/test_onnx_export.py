"""Every layer of the catalogue computes the same in ONNX Runtime."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest

import chainrule as cr
from catalogue import CATALOGUE, Row
from chainrule.errors import ModelFileError, NotBuiltError, OptionError
from chainrule.io.int8 import in_int8, quantize
from chainrule.io.onnx_export import export_onnx, to_onnx, without_onnx
from chainrule.io.onnx_import import import_onnx
from chainrule.models import NETWORKS


def run(model, x: np.ndarray) -> np.ndarray:
    content = model if isinstance(model, str) else model.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"input": x})
    return y


def settle(net: cr.Sequential) -> cr.Sequential:
    """Parameters and running statistics moved off their initial values."""
    rng = np.random.default_rng(5)
    for name, array in net.arrays.items():
        array[...] += 0.3 * rng.random(array.shape, np.float32) * (1 if "running" not in name else 2)
    return net


@pytest.mark.parametrize("row", CATALOGUE, ids=lambda row: row.name)
def test_every_layer_of_the_catalogue(row: Row):
    net = settle(cr.Sequential(row.make()).build(row.shape, seed=0))
    if without_onnx(net):
        with pytest.raises(ModelFileError, match=r"write the method onnx\(self, graph, x\)"):
            to_onnx(net)
        return
    model = to_onnx(net)
    for batch in (1, 3):
        rng = np.random.default_rng(batch)
        if row.entries:
            x = rng.integers(0, row.entries, (batch, *row.shape))
        else:
            x = rng.standard_normal((batch, *row.shape)).astype(np.float32)
        np.testing.assert_allclose(run(model, x), net(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_named_networks_read_pixels(name, mnist, tmp_path):
    net = NETWORKS[name]().build((1, 28, 28), seed=0)
    net.labels = tuple("0123456789")
    x = mnist[1].x[:5]
    export_onnx(net, tmp_path / "net.onnx", softmax=True, input_type="uint8")
    probabilities = run(str(tmp_path / "net.onnx"), x)
    np.testing.assert_allclose(probabilities, net.predict_probabilities(x), atol=1e-5)
    model = onnx.load(tmp_path / "net.onnx")
    assert json.loads({p.key: p.value for p in model.metadata_props}["labels"]) == list("0123456789")
    assert model.graph.output[0].name == "probabilities"
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"


@pytest.mark.parametrize("name", ["mlp", "lenet", "resnet-mini"])
def test_eight_bits_a_weight(name, small, tmp_path):
    """A quarter of the size, computes the same as the rounded copy, and can be imported again."""
    net = NETWORKS[name]().build((1, 28, 28), seed=0)
    x = small[1].x[:20]
    export_onnx(net, tmp_path / "full.onnx", input_type="uint8")
    export_onnx(net, tmp_path / "int8.onnx", input_type="uint8", int8=True)
    sizes = [(tmp_path / f"{name}.onnx").stat().st_size for name in ("full", "int8")]
    assert sizes[1] < 0.35 * sizes[0]
    rounded = in_int8(net)
    assert not np.array_equal(rounded.values, net.values)
    np.testing.assert_allclose(run(str(tmp_path / "int8.onnx"), x), rounded(x), atol=0.03)  # it rounds x as well
    np.testing.assert_allclose(import_onnx(tmp_path / "int8.onnx")(x), rounded(x), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(rounded(x), net(x), atol=0.05 * np.abs(net(x)).max())


def test_each_channel_has_its_own_step():
    weights = np.array([[1.0, 100.0, 0.0], [-0.5, 30.0, 0.0]], np.float32)
    numbers, steps = quantize(weights, axis=1)
    assert numbers.tolist() == [[127, 127, 0], [-64, 38, 0]]
    np.testing.assert_allclose(steps, [1 / 127, 100 / 127, 1])


def test_double_precision_networks_are_written_in_single():
    net = settle(cr.Sequential(cr.Affine(3)).build((4,), seed=0)).astype("float64")
    x = np.ones((2, 4), np.float32)
    np.testing.assert_allclose(run(to_onnx(net), x), net(x.astype(float)), atol=1e-6)


def test_what_cannot_be_exported(tmp_path):
    class Own(cr.Layer):
        def forward(self, x, *, train=False, rng=None):
            return x, None

    class Other(Own):
        pass

    net = cr.Sequential(Own(), cr.Residual(Other()), cr.Affine(2)).build((3,))
    with pytest.raises(ModelFileError, match=r"no operator for Other, Own: write the method onnx\(self, graph, x\)"):
        export_onnx(net, tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())
    with pytest.raises(NotBuiltError):
        to_onnx(cr.Sequential(cr.Affine(2)))
    net = cr.Sequential(cr.Affine(2)).build((3,))
    with pytest.raises(OptionError, match="must be float32 or uint8 for this network, got 'int64'"):
        to_onnx(net, input_type="int64")
    with pytest.raises(OptionError, match="must be int64 for this network, got 'uint8'"):
        to_onnx(cr.Sequential(cr.Embedding(3, 2)).build((4,)), input_type="uint8")
