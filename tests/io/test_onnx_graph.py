"""How a graph is read: exporters' guards, nested branches, axes in the model's order."""

import warnings

import numpy as np
import pytest
from onnx import TensorProto, helper

import chainrule as cr
from chainrule.errors import ModelFileError, OptionError
from chainrule.io.onnx_export import export_onnx
from chainrule.io.onnx_import import from_onnx, import_onnx
from onnx_made import imported_equal, model, node

RNG = np.random.default_rng(0)


def rows(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((5, *shape)).astype(np.float32)


def names(layers: list[cr.Layer]) -> list[str]:
    return [type(layer).__name__ for layer in layers]


def conv(x: str, y: str, filters: int, channels: int, arrays: dict, size: int = 1) -> object:
    arrays[f"W_{y}"] = RNG.standard_normal((filters, channels, size, size)).astype(np.float32)
    return node("Conv", [x, f"W_{y}"], [y], pads=[size // 2] * 4)


# ---- guards that exporters add ----


def test_softplus_that_is_guarded_against_overflow():
    nodes = [
        node("Softplus", ["x"], ["s"]),
        node("Greater", ["x", "bound"], ["g"]),
        node("Where", ["g", "x", "s"], ["y"]),
    ]
    x = np.array([[-3, 0, 19, 21, 50]], np.float32)
    assert names(imported_equal(model(nodes, {"bound": 20}, (5,)), x)) == ["Softplus"]
    with pytest.raises(ModelFileError, match="operators Greater, Where"):
        from_onnx(model(nodes, {"bound": 1}, (5,)))  # another function


FROM_THE_END = {
    "Where": [node("Add", ["x", "i_count"], ["a"]), node("Where", ["l", "a", "x"], ["w"])],
    "Mul": [
        node("Add", ["x", "i_count"], ["a"]),
        node("Cast", ["l"], ["c"], to=7),
        node("Not", ["l"], ["n"]),
        node("Cast", ["n"], ["d"], to=7),
        node("Mul", ["a", "c"], ["p"]),
        node("Mul", ["d", "x"], ["q"]),
        node("Add", ["q", "p"], ["w"]),
    ],
}
"""As PyTorch's exporters and tf2onnx export Keras's Embedding."""


def indexed(formula: list) -> object:
    nodes = [node("Less", ["x", "i_zero"], ["l"]), *formula, node("Gather", ["W", "w"], ["y"])]
    made = model(nodes, {"i_zero": 0, "i_count": 7, "i_one": 1, "W": RNG.random((7, 3))}, (4,))
    made.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    return made


@pytest.mark.parametrize("how", FROM_THE_END)
def test_indices_that_may_be_counted_from_the_end(how):
    x = np.random.default_rng(0).integers(0, 7, (5, 4))
    assert names(imported_equal(indexed(FROM_THE_END[how]), x)) == ["Embedding"]


@pytest.mark.parametrize(
    "formula", [[node("Add", ["x", "i_one"], ["w"])], [node("Neg", ["x"], ["w"])], [node("Mod", ["x", "i_one"], ["w"])]]
)
def test_other_indices_are_told(formula):
    with pytest.raises(ModelFileError, match="operators (Mod|Neg)|Add of whole numbers"):
        from_onnx(indexed(formula))


def test_what_takes_everything_does_nothing():
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Expand", ["x", "s"], ["e"]),
        node("Slice", ["e", "i_zero", "i_end", "i_axis"], ["t"]),
        node("Identity", ["t"], ["i"]),
        node("Concat", ["i"], ["c"], axis=1),
        node("Relu", ["c"], ["y"]),
    ]
    arrays = {"i_zero": [0], "i_end": [2**62], "i_axis": [1]}
    assert names(imported_equal(model(nodes, arrays, (4,)), rows(4))) == ["ReLU"]


# ---- branches ----


def test_maps_joined_anew_for_each_layer_are_joined_once():
    """DenseNet: x, f(x), g([x, f(x)]), ... are concatenated before each layer; no layer may occur twice."""
    arrays: dict = {}
    nodes = [
        node("Concat", ["x"], ["c0"], axis=1),
        conv("c0", "f1", 2, 3, arrays, 3),
        node("Concat", ["x", "f1"], ["c1"], axis=1),
        conv("c1", "f2", 2, 5, arrays, 3),
        node("Concat", ["x", "f1", "f2"], ["c2"], axis=1),
        conv("c2", "f3", 2, 7, arrays, 3),
        node("Concat", ["x", "f1", "f2", "f3"], ["y"], axis=1),
    ]
    imported_equal(model(nodes, arrays, (3, 4, 5)), rows(3, 4, 5))
    net = from_onnx(model(nodes, arrays, (3, 4, 5)))
    assert len(net.parameters) == 3


def shared(operator: str, arrays: dict) -> list:
    """x + tanh(z) + relu(z), where z is x after an operator with weights that the branches share."""
    weights = [name for name in arrays if name.startswith(operator)]
    return [
        node(operator, ["x", *weights], ["z"]),
        node("Add", ["z", "shift"], ["a"]),
        node("Tanh", ["a"], ["t"]),
        node("Relu", ["a"], ["r"]),
        node("Sum", ["x", "t", "r"], ["y"]),
    ]


def test_layers_that_branches_share_are_trained_as_one():
    arrays = {"Conv W": RNG.standard_normal((3, 3, 1, 1)), "shift": RNG.random((3, 1, 1))}
    made = model(shared("Conv", arrays), arrays, (3, 4, 5))
    imported_equal(made, rows(3, 4, 5))
    net = from_onnx(made)
    assert [parameter.shape for parameter in net.parameters.values()] == [(3, 3, 1, 1), (3,)]
    assert cr.gradcheck(net, batch=3, seed=0).ok


def test_a_bias_that_one_branch_lacks_is_not_taken_in():
    """y = x + tanh(W x + b) + relu(W x)."""
    arrays = {"W": RNG.standard_normal((4, 4)), "b": RNG.random(4)}
    nodes = [
        node("MatMul", ["x", "W"], ["z"]),
        node("Identity", ["z"], ["i"]),
        node("Add", ["i", "b"], ["a"]),
        node("Tanh", ["a"], ["t"]),
        node("Relu", ["z"], ["r"]),
        node("Sum", ["x", "t", "r"], ["y"]),
    ]
    imported_equal(model(nodes, arrays, (4,)), rows(4))
    assert cr.gradcheck(from_onnx(model(nodes, arrays, (4,))), batch=3, seed=0).ok


def test_running_statistics_are_not_shared_by_branches():
    arrays = {f"BatchNormalization {name}": np.ones(3) for name in "gbmv"} | {"shift": 1}
    with pytest.raises(ModelFileError, match="branches that share a BatchNorm: they do not nest"):
        from_onnx(model(shared("BatchNormalization", arrays), arrays, (3, 4, 5)))


def test_branches_that_share_too_much_are_told():
    """A few hundred nodes with more paths than there are atoms."""
    nodes, last, before = [], "x", "x"
    for place in range(100):
        nodes.append(node("Add", [last, before], [f"a{place}"]))
        nodes.append(node("Relu", [f"a{place}"], [f"r{place}"]))
        last, before = f"r{place}", last
    with pytest.raises(ModelFileError, match="more than 20,000"):
        from_onnx(model([*nodes, node("Relu", [last], ["y"])], {}, (4,)))


def test_one_branch_less_another():
    nodes = [node("Tanh", ["x"], ["t"]), node("Sub", ["x", "t"], ["y"])]
    imported_equal(model(nodes, {}, (4,)), rows(4))


@pytest.mark.parametrize("axis", [1, 2, 3, -1])
def test_branches_join_along_any_axis(axis):
    nodes = [node("Relu", ["x"], ["r"]), node("Tanh", ["x"], ["t"]), node("Concat", ["r", "t"], ["y"], axis=axis)]
    imported_equal(model(nodes, {}, (2, 3, 4)), rows(2, 3, 4))


def test_a_second_output_is_not_taken_for_the_first():
    nodes = [node("MaxPool", ["x"], ["a", "places"], kernel_shape=[2, 2]), node("Cast", ["places"], ["y"], to=1)]
    with pytest.raises(ModelFileError, match=r"MaxPool \(output 2\)"):
        from_onnx(model(nodes, {}, (1, 4, 4)))


@pytest.mark.parametrize("beta", [True, False])
def test_layer_norm_as_tf2onnx_spells_it_out(beta):
    """x r + (-mean r + beta), with r = gamma / sqrt(variance + epsilon)."""
    nodes = [
        node("ReduceMean", ["x"], ["m"], axes=[-1]),
        node("Neg", ["m"], ["minus"]),
        node("Sub", ["x", "m"], ["d"]),
        node("Mul", ["d", "d"], ["s"]),
        node("ReduceMean", ["s"], ["v"], axes=[-1]),
        node("Add", ["v", "eps"], ["e"]),
        node("Sqrt", ["e"], ["q"]),
        node("Reciprocal", ["q"], ["i"]),
        node("Mul", ["i", "gamma"], ["r"]),
        node("Mul", ["x", "r"], ["xr"]),
        node("Mul", ["minus", "r"], ["mr"]),
        node("Add", ["mr", "beta"], ["mb"]),
        node("Add", ["xr", "mb" if beta else "mr"], ["y"]),
    ]
    arrays = {"eps": 0.01, "gamma": RNG.random(4), "beta": RNG.random(4)}
    assert names(imported_equal(model(nodes, arrays, (3, 4)), rows(3, 4))) == ["LayerNorm"]


# ---- axes ----


@pytest.mark.parametrize(
    ("operator", "axes"),
    [
        ("ReduceMean", [1]),
        ("ReduceMean", [2, 3]),
        ("ReduceMean", [-1, 1]),
        ("ReduceMax", [2]),
        ("ReduceMax", [-2, -1]),
        ("ReduceSum", [3]),
        ("ReduceMean", [1, 2, 3]),
    ],
)
@pytest.mark.parametrize("keepdims", [0, 1])
def test_a_mean_or_the_largest_along_any_axes(operator, axes, keepdims):
    given = {"axes": axes} if operator != "ReduceSum" else {}
    inputs = ["x", "i_axes"] if operator == "ReduceSum" else ["x"]
    nodes = [node(operator, inputs, ["m"], keepdims=keepdims, **given), node("Sigmoid", ["m"], ["y"])]
    imported_equal(model(nodes, {"i_axes": axes}, (2, 3, 4)), rows(2, 3, 4))


@pytest.mark.parametrize("operator", ["GlobalAveragePool", "GlobalMaxPool"])
@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4)])
def test_global_pools(operator, shape):
    imported_equal(model([node(operator, ["x"], ["y"])], {}, shape), rows(*shape))


@pytest.mark.parametrize("perm", [[0, 2, 1, 3], [0, 3, 2, 1], [0, 2, 3, 1], [0, 3, 1, 2]])
def test_any_order_of_axes(perm):
    nodes = [node("Transpose", ["x"], ["t"], perm=perm), node("Sigmoid", ["t"], ["s"]), node("Flatten", ["s"], ["y"])]
    imported_equal(model(nodes, {}, (2, 3, 4)), rows(2, 3, 4))


def test_one_channel_is_brought_to_the_front_by_a_reshape():
    """As tf2onnx exports it: the network reads (C, H, W), like all of Keras's here."""
    arrays: dict = {"i_to": [-1, 1, 4, 5], "i_back": [-1, 4, 5, 1]}
    nodes = [
        node("Reshape", ["x", "i_to"], ["f"]),
        conv("f", "c", 1, 1, arrays, 3),
        node("Reshape", ["c", "i_back"], ["y"]),
    ]
    net = from_onnx(model(nodes, arrays, (4, 5, 1)))
    assert names(net.layers) == ["Conv2D"]
    assert net.input_shape == (1, 4, 5)


@pytest.mark.parametrize("operator", ["Expand", "Tile"])
def test_numbers_that_repeat(operator):
    """Keras's UpSampling2D through tf2onnx: an axis of length 1 is repeated and merged into the one before."""
    to = {"Expand": [1, 1, 1, 2, 1], "Tile": [1, 1, 1, 2, 1]}[operator]
    nodes = [
        node("Unsqueeze", ["x", "i_axis"], ["u"]),
        node(operator, ["u", "i_by"], ["t"]),
        node("Reshape", ["t", "i_to"], ["y"]),
    ]
    arrays = {"i_axis": [3], "i_by": to, "i_to": [0, 2, 6, 4]}
    assert "Expand" in names(imported_equal(model(nodes, arrays, (2, 3, 4)), rows(2, 3, 4)))
    with pytest.raises(ModelFileError, match=r"a Tile of samples of \(2,\) to \(4,\)"):
        from_onnx(model([node("Tile", ["x", "i_by"], ["y"])], {"i_by": [1, 2]}, (2,)))


def test_the_batch_stays_first():
    with pytest.raises(ModelFileError, match=r"Transpose to \[1, 0\]: the batch must stay first"):
        from_onnx(model([node("Transpose", ["x"], ["y"], perm=[1, 0])], {}, (4,)))


@pytest.mark.parametrize("axis", [1, 2, 3])
def test_softmax_along_any_axis(axis):
    imported_equal(model([node("Softmax", ["x"], ["y"], axis=axis)], {}, (2, 3, 4)), rows(2, 3, 4))
    with pytest.raises(ModelFileError, match="opset below 13"):
        from_onnx(model([node("Softmax", ["x"], ["y"], axis=1)], {}, (2, 3, 4), 11))


def test_linear_layers_along_the_last_axis():
    arrays = {"W": RNG.standard_normal((4, 6)), "b": RNG.standard_normal(6), "gamma": -RNG.random(6)}
    nodes = [
        node("MatMul", ["x", "W"], ["m"]),
        node("Add", ["b", "m"], ["a"]),
        node("Gelu", ["a"], ["g"]),
        node("Mul", ["gamma", "g"], ["y"]),
    ]
    layers = imported_equal(model(nodes, arrays, (3, 4), 20), rows(3, 4))
    assert names(layers) == ["PointwiseAffine", "GELU", "ScaleShift"]


def test_between_two_transposes_channels_are_first_all_the_same():
    """ConvNeXt's block: a norm and linear layers over the channels of each pixel, with the channels last."""
    arrays: dict = {"W": RNG.standard_normal((3, 6)), "b": RNG.standard_normal(6), "V": RNG.standard_normal((6, 3))}
    arrays |= {"gamma": RNG.random(3) + 0.5, "beta": RNG.random(3), "scale": RNG.random(3)}
    nodes = [
        conv("x", "c", 3, 3, arrays, 3),
        node("Transpose", ["c"], ["t"], perm=[0, 2, 3, 1]),
        node("LayerNormalization", ["t", "gamma", "beta"], ["n"]),
        node("MatMul", ["n", "W"], ["m"]),
        node("Add", ["m", "b"], ["a"]),
        node("Relu", ["a"], ["r"]),
        node("MatMul", ["r", "V"], ["v"]),
        node("Mul", ["v", "scale"], ["s"]),
        node("Transpose", ["s"], ["u"], perm=[0, 3, 1, 2]),
        node("Add", ["x", "u"], ["y"]),
    ]
    (block,) = imported_equal(model(nodes, arrays, (3, 4, 5)), rows(3, 4, 5))
    kinds = ["Conv2D", "Transpose", "LayerNorm", "Transpose", "Conv2D", "ReLU", "Conv2D", "ScaleShift"]
    assert names(block.layers) == kinds


def test_constants_of_any_shape():
    arrays = {"a": RNG.standard_normal((3, 4)), "b": RNG.standard_normal((1, 2, 1, 4)), "c": -2, "W": np.eye(4)}
    nodes = [
        node("MatMul", ["x", "W"], ["m"]),
        node("Mul", ["m", "a"], ["p"]),
        node("Sub", ["b", "p"], ["q"]),
        node("Div", ["q", "c"], ["y"]),
    ]
    assert names(imported_equal(model(nodes, arrays, (2, 3, 4)), rows(2, 3, 4))) == ["PointwiseAffine", "ScaleShift"]
    wide = {"a": np.ones((7, 2, 3, 4))}
    with pytest.raises(ModelFileError, match=r"Mul with a constant of \(7, 2, 3, 4\)"):
        from_onnx(model([node("Mul", ["x", "a"], ["y"])], wide, (2, 3, 4)))


def test_group_norm_as_pytorch_spells_it_out():
    nodes = [
        node("Reshape", ["x", "i_groups"], ["g"]),
        node("InstanceNormalization", ["g", "one", "zero"], ["n"], epsilon=0.01),
        node("Shape", ["x"], ["s"]),
        node("Reshape", ["n", "s"], ["b"]),
        node("Mul", ["b", "gamma"], ["m"]),
        node("Add", ["m", "beta"], ["y"]),
    ]
    arrays = {"i_groups": [0, 2, -1], "one": [1, 1], "zero": [0, 0], "gamma": RNG.random((4, 1, 1))}
    arrays["beta"] = RNG.random((4, 1, 1))
    (layer,) = imported_equal(model(nodes, arrays, (4, 3, 5)), rows(4, 3, 5))
    assert (type(layer), layer.groups, layer.epsilon) == (cr.GroupNorm, 2, pytest.approx(0.01))
    last = arrays | {"gamma": RNG.random(5), "beta": RNG.random(5)}  # not the channels
    assert names(imported_equal(model(nodes, last, (4, 3, 5)), rows(4, 3, 5))) == ["GroupNorm", "ScaleShift"]


def test_group_norm_with_a_scale_for_each_group():
    arrays = {"gamma": [0.5, -2.0], "beta": [1.0, 0.0]}
    nodes = [node("GroupNormalization", ["x", "gamma", "beta"], ["y"], num_groups=2)]
    (layer,) = imported_equal(model(nodes, arrays, (4, 3, 5), 18), rows(4, 3, 5))
    np.testing.assert_array_equal(layer.gamma.value, [0.5, 0.5, -2, -2])


# ---- integers, batches, training ----


@pytest.mark.parametrize(("to", "fine"), [(1, True), (11, True), (7, False), (9, False)])
def test_a_cast_may_not_cut_numbers_off(to, fine):
    made = model([node("Cast", ["x"], ["c"], to=to), node("Cast", ["c"], ["y"], to=1)], {}, (4,))
    if fine:
        assert imported_equal(made, rows(4)) == []
    else:
        with pytest.raises(ModelFileError, match=f"Cast to ONNX's type {to}"):
            from_onnx(made)


@pytest.mark.parametrize("batch", [1, 8])
def test_a_batch_that_the_exporter_fixed(batch):
    arrays = {"i_to": [batch, -1], "i_out": [batch, 3, 4]}
    nodes = [node("Reshape", ["x", "i_to"], ["f"]), node("Relu", ["f"], ["r"]), node("Reshape", ["r", "i_out"], ["y"])]
    for free in (True, False):  # declared free, yet fixed
        made = model(nodes, arrays, (2, 6))
        if not free:
            made.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
        imported_equal(made, np.random.default_rng(0).random((batch, 2, 6), np.float32))
        assert from_onnx(made)(rows(2, 6)).shape == (5, 3, 4)


def batch_norm(opset: int) -> object:
    arrays = {"g": [2, -1, 1], "b": [0, 1, 2], "m": [1, 2, 3], "v": [1, 4, 9]}
    outputs = ["y", "m2", "v2"] if opset >= 14 else ["y", "m2", "v2", "m3", "v3"]
    options = {"training_mode": 1} if opset >= 14 else {}
    return model([node("BatchNormalization", ["x", "g", "b", "m", "v"], outputs, **options)], arrays, (3, 4), opset)


@pytest.mark.parametrize("opset", [11, 17])
def test_a_norm_exported_in_training_mode_keeps_its_running_statistics(opset):
    with pytest.warns(UserWarning, match="exported in training mode: its BatchNorm layers have the running statistics"):
        net = from_onnx(batch_norm(opset))
    np.testing.assert_array_equal(net.layers[0].running_mean.value, [1, 2, 3])


def test_dropout_exported_in_training_mode_is_kept():
    made = model([node("Dropout", ["x", "ratio", "b"], ["y"])], {"ratio": 0.25}, (4,))
    made.graph.initializer.append(helper.make_tensor("b", TensorProto.BOOL, [], [1]))
    with pytest.warns(UserWarning, match="its Dropout layers"):
        net = from_onnx(made)
    assert [layer.rate if isinstance(layer, cr.Dropout) else None for layer in net.layers] == [0.25]
    made.graph.initializer[-1].int32_data[:] = [0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert from_onnx(made).layers == ()


# ---- pixels ----


def test_pixels_that_were_divided(tmp_path):
    net = cr.Sequential(cr.Conv2D(2, 3), cr.Flatten(), cr.Affine(3)).build((1, 6, 5), seed=0)
    export_onnx(net, tmp_path / "net.onnx")
    back = import_onnx(tmp_path / "net.onnx", input_scale=255)
    pixels = np.random.default_rng(0).integers(0, 256, (4, 1, 6, 5), np.uint8)
    np.testing.assert_allclose(back(pixels), net((pixels / 255).astype(np.float32)), atol=1e-5)
    assert isinstance(back.layers[0], cr.Scale)
    for wrong in (0, -1, float("nan"), float("inf"), "255"):
        with pytest.raises(OptionError, match="input_scale must be a number above 0"):
            import_onnx(tmp_path / "net.onnx", input_scale=wrong)


def test_indices_are_not_divided(tmp_path):
    net = cr.Sequential(cr.Embedding(5, 3)).build((4,), seed=0)
    export_onnx(net, tmp_path / "net.onnx")
    with pytest.raises(OptionError, match="reads indices"):
        import_onnx(tmp_path / "net.onnx", input_scale=255)


# ---- parts of samples ----


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps"),
    [
        ([1], [3], [1], [1]),
        ([0, -3], [-1, 2**62], [2, 3], [1, 1]),
        ([1, 0], [2**62, -1], [-1, -3], [2, 1]),
        ([0], [2**62], [2], [3]),
    ],
)
def test_slices(starts, ends, axes, steps):
    arrays = {"i_starts": starts, "i_ends": ends, "i_axes": axes, "i_steps": steps}
    nodes = [node("Slice", ["x", "i_starts", "i_ends", "i_axes", "i_steps"], ["y"])]
    assert set(names(imported_equal(model(nodes, arrays, (4, 5, 6)), rows(4, 5, 6)))) == {"Slice"}


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps", "told"),
    [
        ([0], [2], [0], [1], "along axis 0 of 2, or along the batch"),
        ([3], [0], [1], [-1], "a Slice of 3 to 0 by -1"),
        ([2], [2], [1], [1], "a Slice of 2 to 2"),
        ([2], [3], [7], [1], "along axis 7"),
    ],
)
def test_slices_that_no_layer_takes(starts, ends, axes, steps, told):
    arrays = {"i_starts": starts, "i_ends": ends, "i_axes": axes, "i_steps": steps}
    with pytest.raises(ModelFileError, match=told):
        from_onnx(model([node("Slice", ["x", "i_starts", "i_ends", "i_axes", "i_steps"], ["y"])], arrays, (4,)))


@pytest.mark.parametrize("axis", [1, -1])
def test_halves_that_go_different_ways(axis):
    """ShuffleNet's blocks, and gated units, where the second half gates the first."""
    nodes = [node("Split", ["x", "i_lengths"], ["a", "b"], axis=axis), node("Sigmoid", ["b"], ["s"])]
    arrays = {"i_lengths": [2, 2]}
    imported_equal(model([*nodes, node("Mul", ["a", "s"], ["y"])], arrays, (4, 3, 4)), rows(4, 3, 4))
    imported_equal(model([*nodes, node("Concat", ["s", "a"], ["y"], axis=1)], arrays, (4, 3, 4)), rows(4, 3, 4))


@pytest.mark.parametrize("place", [0, 2, -1])
def test_one_place_of_a_sequence(place):
    nodes = [node("Gather", ["x", "i_place"], ["g"], axis=1), node("Tanh", ["g"], ["y"])]
    assert names(imported_equal(model(nodes, {"i_place": place}, (3, 4)), rows(3, 4))) == ["Slice", "Flatten", "Tanh"]


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_channels_become_pixels(mode):
    nodes = [node("DepthToSpace", ["x"], ["y"], blocksize=2, mode=mode)]
    imported_equal(model(nodes, {}, (12, 3, 4)), rows(12, 3, 4))
