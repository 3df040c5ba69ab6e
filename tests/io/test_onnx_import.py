"""ONNX models become networks that compute the same; unsupported ones are reported, and no other file is touched."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import chainrule as cr
from catalogue import CATALOGUE, Row
from chainrule.errors import ModelFileError
from chainrule.io.onnx_export import export_onnx, to_onnx, without_onnx
from chainrule.io.onnx_import import from_onnx, import_onnx
from chainrule.models import NETWORKS

WRITTEN = [row for row in CATALOGUE if not without_onnx(cr.Sequential(row.make()).build(row.shape, seed=0))]


@pytest.mark.parametrize("row", WRITTEN, ids=lambda row: row.name)
def test_what_was_exported_comes_back(row: Row):
    net = cr.Sequential(row.make()).build(row.shape, seed=0)
    rng = np.random.default_rng(5)
    for name, array in net.arrays.items():
        array[...] += 0.3 * rng.random(array.shape, np.float32) * (1 if "running" not in name else 2)
    back = from_onnx(to_onnx(net), keep_softmax=True)
    if row.entries:
        x = rng.integers(0, row.entries, (3, *row.shape))
    else:
        x = rng.standard_normal((3, *row.shape)).astype(np.float32)
    np.testing.assert_allclose(back(x), net(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_named_networks_come_back_and_can_be_trained_on(name, small, tmp_path):
    train, _ = small
    net = NETWORKS[name]().build((1, 28, 28), seed=0)
    net.labels = tuple("0123456789")
    export_onnx(net, tmp_path / "net.onnx", softmax=True, input_type="uint8")
    back = import_onnx(tmp_path / "net.onnx")
    assert back.labels == net.labels
    np.testing.assert_allclose(back(train.x[:5]), net(train.x[:5]), rtol=1e-4, atol=1e-5)
    t = cr.Trainer(back, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.SGD(0.01), seed=0)
    *_, last = t.steps(train, batch_size=100)
    assert np.isfinite(last.loss)
    cr.save(back, tmp_path / "net.safetensors")
    np.testing.assert_array_equal(cr.load(tmp_path / "net.safetensors")(train.x[:2]), back(train.x[:2]))


def model(nodes, arrays=(), shape=("N", 4), outputs=("y",), kind=TensorProto.FLOAT, opset=17):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", "M"]) for name in outputs],
        [
            numpy_helper.from_array(np.asarray(value, np.float32 if name[0] != "i" else np.int64), name)
            for name, value in arrays
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def test_matmul_and_add_become_one_affine():
    W, b = np.arange(12).reshape(4, 3), np.array([1, 2, 3])
    net = from_onnx(
        model(
            [helper.make_node("MatMul", ["x", "W"], ["h"]), helper.make_node("Add", ["b", "h"], ["y"])],
            [("W", W), ("b", b)],
        )
    )
    assert [type(layer) for layer in net.layers] == [cr.Affine]
    np.testing.assert_allclose(net(np.ones((2, 4), np.float32)), np.ones((2, 4)) @ W + b)


@pytest.mark.parametrize("half_outside", [True, False])
def test_gelu_as_it_is_written_elsewhere(half_outside):
    nodes = [
        helper.make_node("Div", ["x", "c"], ["a"]),
        helper.make_node("Erf", ["a"], ["e"]),
        helper.make_node("Add", ["e", "one"], ["s"]),
    ]
    if half_outside:
        nodes += [helper.make_node("Mul", ["x", "s"], ["m"]), helper.make_node("Mul", ["m", "half"], ["y"])]
    else:
        nodes += [helper.make_node("Mul", ["s", "half"], ["m"]), helper.make_node("Mul", ["x", "m"], ["y"])]
    net = from_onnx(model(nodes, [("c", 2**0.5), ("one", 1), ("half", 0.5)]))
    x = np.linspace(-3, 3, 12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_allclose(net(x), cr.GELU()(x), atol=1e-6)


def test_all_that_is_unknown_is_named_at_once(tmp_path):
    nodes = [
        helper.make_node("Sin", ["x"], ["a"]),
        helper.make_node("Cos", ["a"], ["b"]),
        helper.make_node("Relu", ["b"], ["y"]),
    ]
    onnx.save(model(nodes), tmp_path / "m.onnx")
    with pytest.raises(ModelFileError, match=r"cannot import .*: no layer supports the operators Cos, Sin: "):
        import_onnx(tmp_path / "m.onnx")


@pytest.mark.parametrize(
    ("nodes", "arrays", "told"),
    [
        ([helper.make_node("Softmax", ["x"], ["y"], axis=0)], [], "a Softmax over the batch"),
        ([helper.make_node("Reshape", ["x", "i"], ["y"])], [("i", [2, 2])], r"Reshape of samples of \(4,\) to \(2,\)"),
        ([helper.make_node("Gemm", ["x", "W"], ["y"], alpha=2.0)], [("W", np.ones((4, 2)))], "Gemm with alpha = 2.0"),
        ([helper.make_node("Gemm", ["x", "W"], ["y"])], [("W", np.ones((5, 2)))], "do not fit"),
        ([helper.make_node("Selu", ["x"], ["y"], alpha=1.0)], [], "Selu with alpha = 1.0"),
        ([helper.make_node("LogSoftmax", ["x"], ["y"], axis=0)], [], "a LogSoftmax over the batch"),
        ([helper.make_node("Clip", ["x", "a", "b"], ["y"])], [("a", 1.0), ("b", 0.0)], "a Clip from 1.0 to 0.0"),
        ([helper.make_node("PRelu", ["x", "a"], ["y"])], [("a", np.ones((2, 4)))], r"slopes of \(2, 4\)"),
        ([helper.make_node("Div", ["c", "x"], ["y"])], [("c", 2)], "constant Div x"),
        ([helper.make_node("Erf", ["x"], ["y"])], [], "not part of a GELU"),
    ],
)
def test_what_a_layer_does_not_do_is_told(nodes, arrays, told):
    with pytest.raises(ModelFileError, match=told):
        from_onnx(model(nodes, arrays))


def test_open_shapes_and_outputs():
    relu = model([helper.make_node("Relu", ["x"], ["y"])], shape=("N", "D"))
    with pytest.raises(ModelFileError, match=r"its input is \(N, \?\): pass the shape"):
        from_onnx(relu)
    assert from_onnx(relu, input_shape=(3,)).output_shape == (3,)
    two = model([helper.make_node("ArgMax", ["x"], ["z"]), helper.make_node("Relu", ["x"], ["y"])], outputs=("z", "y"))
    assert [type(layer) for layer in from_onnx(two).layers] == [cr.ReLU]  # the first one that can be computed
    with pytest.raises(ModelFileError, match="operators ArgMax"):
        from_onnx(two, output="z")
    with pytest.raises(ModelFileError, match="no output 'w': use one of z, y"):
        from_onnx(two, output="w")
    with pytest.raises(ModelFileError, match="numbers per sample, more than"):
        from_onnx(model([helper.make_node("Relu", ["x"], ["y"])], shape=("N", 2**20, 2**20)))


def test_damaged_files(tmp_path):
    net = cr.Sequential(cr.Affine(3)).build((4,))
    export_onnx(net, tmp_path / "net.onnx")
    content = (tmp_path / "net.onnx").read_bytes()
    for name, damaged in (("empty", b""), ("text", b"hello world"), ("cut", content[: len(content) // 2])):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(ModelFileError):
            import_onnx(tmp_path / name)
    with pytest.raises(ModelFileError, match="there is no such file"):
        import_onnx(tmp_path / "none.onnx")


def test_loops_and_claims_that_do_not_hold(tmp_path):
    loop = model([helper.make_node("Relu", ["b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])], outputs=("b",))
    (tmp_path / "loop.onnx").write_bytes(loop.SerializeToString())
    with pytest.raises(ModelFileError, match="or is damaged"):
        import_onnx(tmp_path / "loop.onnx")
    huge = model([helper.make_node("Gemm", ["x", "W"], ["y"])], [("W", np.ones((4, 2)))])
    huge.graph.initializer[0].dims[:] = [4, 2**40]
    (tmp_path / "huge.onnx").write_bytes(huge.SerializeToString())
    with pytest.raises(ModelFileError):
        import_onnx(tmp_path / "huge.onnx")


def test_arrays_outside_are_read_from_the_models_folder_only(tmp_path):
    made = model([helper.make_node("Gemm", ["x", "W"], ["y"])], [("W", np.arange(8).reshape(4, 2))])
    folder = tmp_path / "models"
    folder.mkdir()
    onnx.save(made, folder / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    assert import_onnx(folder / "m.onnx").output_shape == (2,)
    (folder / "m.data").rename(tmp_path / "secret")
    for location in ("../secret", str(tmp_path / "secret"), "link"):
        if location == "link":
            (folder / "link").symlink_to(tmp_path / "secret")
        outside = onnx.load(folder / "m.onnx", load_external_data=False)
        for entry in outside.graph.initializer[0].external_data:
            if entry.key == "location":
                entry.value = location
        (folder / "bad.onnx").write_bytes(outside.SerializeToString())
        with pytest.raises(ModelFileError, match="outside the model's folder"):
            import_onnx(folder / "bad.onnx")
    with pytest.raises(ModelFileError, match="which is missing: put it beside the model"):
        import_onnx(folder / "m.onnx")
