"""Weights from PyTorch and Keras are loaded into a network, each in the right place or not at all."""

import ast
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import chainrule as cr
from chainrule.errors import ModelFileError
from chainrule.io import load_weights


def network() -> cr.Sequential:
    layers = [cr.Conv2D(4, 3), cr.BatchNorm(), cr.ReLU(), cr.Flatten(), cr.Affine(6), cr.Tanh()]
    return cr.Sequential(*layers, cr.Affine(6), cr.Affine(2)).build((1, 5, 5), seed=0)


def state(names: tuple[str, ...] = ("0", "1", "4", "6", "10")) -> dict[str, np.ndarray]:
    """Return the arrays as PyTorch stores them: Linear weights as (outputs, inputs)."""
    rng = np.random.default_rng(1)

    def draw(*shape: int) -> np.ndarray:
        return rng.random(shape, np.float32)

    conv, norm, one, two, three = names
    return {
        f"{conv}.weight": draw(4, 1, 3, 3),
        f"{conv}.bias": draw(4),
        f"{norm}.weight": draw(4),
        f"{norm}.bias": draw(4),
        f"{norm}.running_mean": draw(4),
        f"{norm}.running_var": draw(4),
        f"{norm}.num_batches_tracked": np.array(7),
        f"{one}.weight": draw(6, 36),
        f"{one}.bias": draw(6),
        f"{two}.weight": draw(6, 6),
        f"{two}.bias": draw(6),
        f"{three}.weight": draw(2, 6),
        f"{three}.bias": draw(2),
    }


@pytest.mark.parametrize("names", [("0", "1", "4", "6", "10"), ("conv1", "conv1_norm", "fc1", "fc2", "fc10")])
def test_layers_and_modules_are_paired_in_order(names, tmp_path):
    theirs = state(names)
    save_file(theirs, tmp_path / "model.safetensors")
    net = network()
    pairs = load_weights(net, tmp_path / "model.safetensors")
    assert pairs["0.Conv2D.W"] == f"{names[0]}.weight"
    assert pairs["1.BatchNorm.running_variance"] == f"{names[1]}.running_var"
    assert pairs["6.Affine.W"] == f"{names[3]}.weight"
    np.testing.assert_array_equal(net.arrays["4.Affine.W"], theirs[f"{names[2]}.weight"].T)
    np.testing.assert_array_equal(net.arrays["6.Affine.W"], theirs[f"{names[3]}.weight"].T)  # square: transposed too
    np.testing.assert_array_equal(net.arrays["1.BatchNorm.gamma"], theirs[f"{names[1]}.weight"])
    again = network()
    assert load_weights(again, tmp_path / "model.safetensors", mapping=pairs) == pairs
    np.testing.assert_array_equal(again.values, net.values)


def test_what_does_not_fit_changes_nothing(tmp_path):
    path = tmp_path / "model.safetensors"
    net = network()
    before = net.values.copy()
    theirs = state()
    save_file(theirs | {"10.weight": np.zeros((3, 6), np.float32)}, path)
    with pytest.raises(ModelFileError, match=r"none of its arrays fit 7.Affine \(7.Affine.W \(6, 2\).*unused: 10.bias"):
        load_weights(net, path)
    save_file(theirs | {"12.weight": np.zeros((3, 6), np.float32)}, path)
    with pytest.raises(ModelFileError, match="no layer for its 12.weight"):
        load_weights(net, path)
    save_file(theirs, path)
    pairs = load_weights(network(), path)
    with pytest.raises(ModelFileError, match="the mapping names 'zzz', which does not exist"):
        load_weights(net, path, mapping=pairs | {"0.Conv2D.b": "zzz"})
    with pytest.raises(ModelFileError, match=r"does not fit 0.Conv2D.b of \(4,\)"):
        load_weights(net, path, mapping=pairs | {"0.Conv2D.b": "10.bias"})
    with pytest.raises(ModelFileError, match=r"mapping has \['0.bias'\] for 0.Conv2D.b: keep one"):
        load_weights(net, path, mapping={"0.Conv2D.b": ["0.bias"]})
    save_file(theirs | {"0.bias": np.full(4, np.nan, np.float32)}, path)
    with pytest.raises(ModelFileError, match="array 0.Conv2D.b contains nan"):
        load_weights(net, path)
    np.testing.assert_array_equal(net.values, before)


# ---- which layer gets which module ----


def chain(*layers: cr.Layer, shape: tuple[int, ...] = (6,), seed: int = 0) -> cr.Sequential:
    """Return a network whose arrays all differ."""
    net = cr.Sequential(*layers).build(shape, seed=seed)
    rng = np.random.default_rng(seed)
    for name, array in net.arrays.items():
        array[...] = rng.uniform(0.5, 1.5, array.shape) * (0.3 if name.endswith("W") else 1)
    return net


_TORCH = {"W": "weight", "b": "bias", "gamma": "weight", "beta": "bias", "running_variance": "running_var"}
_KERAS = {"W": "kernel", "b": "bias", "running_mean": "moving_mean", "running_variance": "moving_variance"}


def saved(net: cr.Sequential, path, names: dict[str, str], keras: bool = False, order=sorted) -> None:
    """Write the network as PyTorch (or Keras) would, with new layer names and the keys in a given order."""
    state = {}
    for name, array in net.arrays.items():
        layer, _, own = name.rpartition(".")
        slopes = own == "slopes"
        if keras:
            kind = "alpha" if slopes else _KERAS.get(own, own)
            there = (
                np.moveaxis(array, (0, 1), (3, 2)) if array.ndim == 4 else array.reshape(1, 1, -1) if slopes else array
            )
        else:
            kind = "weight" if slopes else _TORCH.get(own, own)
            there = array.T if array.ndim == 2 else array
        state[f"{names[layer]}{'/' if keras else '.'}{kind}"] = np.ascontiguousarray(there)
    keys = order(state)
    np.savez(path, **{key: state[key] for key in keys})


def layers_of(net: cr.Sequential) -> list[str]:
    return list(dict.fromkeys(name.rpartition(".")[0] for name in net.arrays))


def same(*layers: str) -> tuple[cr.Sequential, cr.Sequential]:
    """Return two networks of four equal layers with different weights."""
    nets = [chain(*(cr.Affine(6) for _ in range(4)), seed=seed) for seed in (1, 2)]
    return nets[0], nets[1]


NUMBERED = [
    ("0", "2", "4", "10"),
    ("fc1", "fc2", "fc3", "fc4"),
    ("fc8", "fc9", "fc10", "fc11"),
    ("fc1", "fc2", "fc21", "fc31"),
    ("net.1.fc_2", "net.1.fc_10", "net.2.fc_1", "net.10.fc_0"),
    ("module.block1x1.9", "module.block1x1.11", "module.block1x1.12", "module.block1x1.100"),
    ("a.h09", "a.h10", "a.h11", "a.h" + "2" * 5000),
]


@pytest.mark.parametrize("names", NUMBERED, ids=lambda names: names[1])
def test_numbers_tell_the_order(names, tmp_path):
    theirs, ours = same()
    saved(theirs, tmp_path / "model.npz", dict(zip(layers_of(theirs), names, strict=True)))
    load_weights(ours, tmp_path / "model.npz")
    np.testing.assert_array_equal(ours.values, theirs.values)


WORDS = [
    ("fc_in", "fc_mid", "fc_out", "head"),
    ("encoder.0", "encoder.2", "decoder.0", "decoder.2"),
    ("fc1", "fc2", "fc3", "fc"),
    ("fc1", "fc11", "fc12", "fc2"),  # where it is unclear whether 11 means eleven
    ("q1", "k1", "v1", "o1"),
    ("conv1x1", "conv3x3", "conv5x5", "conv7x7"),
    ("fc", "fc_1", "fc_2", "fc_3"),  # in Keras it would be an order
    ("a1b", "a2c", "a3d", "a4e"),
]


@pytest.mark.parametrize("names", WORDS, ids=lambda names: names[0])
def test_words_tell_none_and_the_error_has_the_mapping(names, tmp_path):
    theirs, ours = same()
    before = ours.values.copy()
    layers = dict(zip(layers_of(theirs), names, strict=True))
    path = tmp_path / "model.npz"
    saved(theirs, path, layers)
    with pytest.raises(ModelFileError, match="in several ways, and the names do not decide") as error:
        load_weights(ours, path)
    np.testing.assert_array_equal(ours.values, before)
    choices = ast.literal_eval(re.search(r"mapping=(\{.*\})", str(error.value))[1])
    right = {name: f"{layers[name.rpartition('.')[0]]}.weight" for name in choices}
    assert all(right[name] in options for name, options in choices.items())
    load_weights(ours, path, mapping=right)
    np.testing.assert_array_equal(ours.values, theirs.values)


def test_many_layers_of_one_shape_are_told_in_part(tmp_path):
    theirs = chain(*(cr.Affine(2) for _ in range(50)), shape=(2,))
    words = [f"{a}{b}" for a in "abcde" for b in "klmnopqrst"]
    saved(theirs, tmp_path / "model.npz", dict(zip(layers_of(theirs), words, strict=True)))
    with pytest.raises(ModelFileError, match=r"mapping=\{.*\} \(and 10 more layers\)"):
        load_weights(theirs, tmp_path / "model.npz")


def test_shapes_that_fit_in_one_way_need_no_names(tmp_path):
    theirs, ours = (chain(cr.Affine(4), cr.Affine(5), cr.LayerNorm(), cr.Affine(4), seed=seed) for seed in (1, 2))
    saved(theirs, tmp_path / "model.npz", dict(zip(layers_of(theirs), ("z", "y", "x", "10"), strict=True)))
    load_weights(ours, tmp_path / "model.npz")
    np.testing.assert_array_equal(ours.values, theirs.values)


def test_a_square_weight_is_read_as_its_name_says(tmp_path):
    W, b = np.arange(9, dtype=np.float32).reshape(3, 3), np.zeros(3, np.float32)
    net = chain(cr.Affine(3), shape=(3,))
    for kind, expected in (("weight", W.T), ("kernel", W), ("kernel:0", W), ("W", W)):
        np.savez(tmp_path / "one.npz", **{f"dense/{kind}": W, "dense/bias": b})
        load_weights(net, tmp_path / "one.npz") if kind != "W" else load_weights(
            net, tmp_path / "one.npz", {"0.Affine.b": "dense/bias"}
        )
        np.testing.assert_array_equal(net.arrays["0.Affine.W"], expected)
    np.savez(tmp_path / "one.npz", arr_0=W, arr_1=b)
    with pytest.raises(ModelFileError, match="'arr_0' fits 0.Affine.W in several ways: name it .weight"):
        load_weights(net, tmp_path / "one.npz", {"0.Affine.W": "arr_0", "0.Affine.b": "arr_1"})
    wide = chain(cr.Affine(4), shape=(3,))
    np.savez(tmp_path / "one.npz", arr_0=np.ones((4, 3), np.float32), arr_1=np.zeros(4, np.float32))
    load_weights(wide, tmp_path / "one.npz", {"0.Affine.W": "arr_0", "0.Affine.b": "arr_1"})
    assert (wide.arrays["0.Affine.W"] == 1).all()


def test_a_linear_without_a_bias_makes_it_zero(tmp_path):
    ours = chain(cr.Affine(6), cr.Affine(6), seed=2)
    W = np.random.default_rng(0).random((2, 6, 6), np.float32)
    np.savez(tmp_path / "model.npz", **{"0.weight": W[0], "1.weight": W[1], "1.bias": np.ones(6, np.float32)})
    assert "0.Affine.b" not in load_weights(ours, tmp_path / "model.npz")
    assert not ours.arrays["0.Affine.b"].any()
    assert ours.arrays["1.Affine.b"].all()
    load_weights(ours, tmp_path / "model.npz", {"0.Affine.W": "0.weight"})
    assert not ours.arrays["0.Affine.b"].any()


def test_a_file_of_our_own(tmp_path):
    theirs, ours = same()
    cr.save(theirs, tmp_path / "own.safetensors")
    assert load_weights(ours, tmp_path / "own.safetensors") == {name: name for name in ours.arrays}
    np.testing.assert_array_equal(ours.values, theirs.values)
    shifted = chain(cr.Scale(1.0), *(cr.Affine(6) for _ in range(4)), seed=3)
    pairs = load_weights(shifted, tmp_path / "own.safetensors")
    assert pairs["1.Affine.W"] == "0.Affine.W"
    np.testing.assert_array_equal(shifted.values, theirs.values)


def test_one_matrix_in_two_places(tmp_path):
    tied = cr.Affine(6)
    ours = chain(tied, cr.ReLU(), tied, cr.Affine(6))
    theirs = chain(cr.Affine(6), cr.Affine(6), seed=4)
    saved(theirs, tmp_path / "model.npz", dict(zip(layers_of(theirs), ("0", "4"), strict=True)))
    assert load_weights(ours, tmp_path / "model.npz")["3.Affine.W"] == "4.weight"


# ---- Keras's order of image axes ----


def image_chain(seed: int) -> cr.Sequential:
    layers = [cr.Conv2D(3, 2), cr.PReLU(shared=False), cr.Flatten(), cr.BatchNorm(), cr.Affine(5), cr.LayerNorm()]
    return chain(*layers, cr.Affine(5), shape=(2, 5, 4), seed=seed)


KERAS_NAMES = ("conv2d", "p_re_lu", "batch_normalization", "dense", "layer_normalization", "dense_1")


def test_the_order_of_flattened_numbers_is_asked_for(tmp_path):
    theirs, ours = image_chain(1), image_chain(2)
    path = tmp_path / "model.npz"
    saved(theirs, path, dict(zip(layers_of(theirs), KERAS_NAMES, strict=True)), keras=True)
    with pytest.raises(ModelFileError, match=r"3.BatchNorm has one number per .* pass channels_last=True if"):
        load_weights(ours, path)
    load_weights(ours, path, channels_last=False)
    np.testing.assert_array_equal(ours.values, theirs.values)
    load_weights(ours, path, channels_last=True)
    for name, array in ours.arrays.items():
        there = theirs.arrays[name]
        if name.startswith("3.") or name == "4.Affine.W":
            there = np.moveaxis(there.reshape(4, 3, 3, -1), 2, 0).reshape(there.shape)  # (H, W, C) -> (C, H, W)
            assert not np.array_equal(array, theirs.arrays[name])
        np.testing.assert_array_equal(array, there)


@pytest.mark.parametrize(
    "layers",
    [
        (cr.Conv2D(3, 1), cr.Parallel(cr.Flatten(), cr.Flatten()), cr.Affine(2)),
        (cr.Conv2D(3, 1), cr.Flatten(), cr.Residual(cr.Affine(60)), cr.Affine(2)),
        (cr.Flatten(), cr.Affine(24), cr.Reshape((4, 3, 2)), cr.Conv2D(2, 1)),
        (cr.Conv2D(3, 1), cr.Transpose((1, 2, 0)), cr.Flatten(), cr.Affine(2)),
        (cr.Conv2D(3, 1), cr.Flatten(), cr.Slice(0, 30), cr.Affine(2)),
    ],
)
def test_an_order_that_cannot_be_told_is_refused(layers, tmp_path):
    theirs = cr.Sequential(*layers).build((2, 5, 4), seed=1)
    path = tmp_path / "model.npz"
    names = {name: f"layer_{index}" for index, name in enumerate(layers_of(theirs))}
    saved(theirs, path, names, keras=True)
    with pytest.raises(ModelFileError, match="their order in the Keras model is unknown"):
        load_weights(theirs.copy(), path, channels_last=True)
    load_weights(theirs.copy(), path, channels_last=False)


@pytest.mark.parametrize(
    "layers", [(cr.Conv2D(1, 2), cr.Flatten(), cr.Affine(2)), (cr.GlobalAvgPool2D(), cr.Affine(2))]
)
def test_no_order_is_asked_for_where_there_is_none(layers, tmp_path):
    theirs = cr.Sequential(*layers).build((2, 5, 4), seed=1)
    names = {name: f"layer_{index}" for index, name in enumerate(layers_of(theirs))}
    saved(theirs, tmp_path / "model.npz", names, keras=True)
    ours = cr.Sequential(*(type(layer)(*layer_arguments(layer)) for layer in layers)).build((2, 5, 4), seed=2)
    load_weights(ours, tmp_path / "model.npz")
    np.testing.assert_array_equal(ours.values, theirs.values)


def layer_arguments(layer: cr.Layer) -> tuple[object, ...]:
    return (1, 2) if isinstance(layer, cr.Conv2D) else (2,) if isinstance(layer, cr.Affine) else ()


def test_a_depthwise_kernel(tmp_path):
    kernel = np.random.default_rng(0).random((3, 2, 4, 2), np.float32)
    net = chain(cr.Conv2D(8, (3, 2), groups=4, bias=False), shape=(4, 5, 5))
    for kind in ("kernel", "depthwise_kernel"):
        np.savez(tmp_path / "one.npz", **{f"a/{kind}": kernel})
        load_weights(net, tmp_path / "one.npz")
        np.testing.assert_array_equal(net.arrays["0.Conv2D.W"][5, 0], kernel[:, :, 2, 1])


# ---- any network with any names: correct or rejected ----

FLAT = st.sampled_from(
    ["Affine", "Affine", "PointwiseAffine", "RMSNorm", "BatchNorm", "LayerNorm", "PReLU", "GroupNorm"]
)
IMAGE = st.sampled_from(["Conv2D", "Conv2D", "Depthwise", "BatchNorm", "PReLU", "GroupNorm", "InstanceNorm"])
MAKE = {
    "Affine": lambda: cr.Affine(6),
    "Conv2D": lambda: cr.Conv2D(6, 3, padding=1, groups=2),
    "Depthwise": lambda: cr.Conv2D(6, 3, padding=1, groups=6, bias=False),
    "BatchNorm": cr.BatchNorm,
    "PointwiseAffine": lambda: cr.PointwiseAffine(6),
    "RMSNorm": cr.RMSNorm,
    "LayerNorm": cr.LayerNorm,
    "PReLU": lambda: cr.PReLU(shared=False),
    "GroupNorm": lambda: cr.GroupNorm(3),
    "InstanceNorm": cr.InstanceNorm,
}
WORD = {"Affine": "fc", "Conv2D": "conv", "BatchNorm": "bn", "LayerNorm": "norm", "PReLU": "act"}


@st.composite
def recipes(draw) -> list[object]:
    """Draw layer names, nested in a list for a Residual; two lists are the branches of a sum."""
    parts: list[object] = []
    for kinds in (IMAGE, FLAT):
        for _ in range(draw(st.integers(0, 4))):
            shape = draw(st.sampled_from(["one", "one", "residual", "sum"]))
            part = [draw(kinds) for _ in range(draw(st.integers(1, 3)))]
            parts.append(part[0] if shape == "one" else part if shape == "residual" else (part, [draw(kinds)]))
        parts += ["Flatten", "Affine"] if kinds is IMAGE else []
    return [*parts, "Affine"]


def made(recipe: list[object], seed: int) -> cr.Sequential:
    def make(part: object) -> cr.Layer:
        if isinstance(part, tuple):
            return cr.Parallel(*(cr.Sequential(*map(make, branch)) for branch in part), join="sum")
        if isinstance(part, list):
            return cr.Residual(*map(make, part))
        return cr.Flatten() if part == "Flatten" else MAKE[part]()

    return chain(*map(make, recipe), shape=(6, 3, 2), seed=seed)


def named(net: cr.Sequential, scheme: str, words: list[str]) -> dict[str, str]:
    names, counts = {}, dict[str, int]()
    for index, layer in enumerate(layers_of(net)):
        kind = layer.rpartition(".")[2]
        counts[kind] = number = counts.get(kind, 0) + 1
        stem = WORD.get(kind, kind)
        names[layer] = {
            "indices": f"net.{2 * index}",
            "counts": f"{stem}{number}",
            "nested": f"part{index // 4}.{stem}{number}",
            "keras": stem if number == 1 else f"{stem}_{number - 1}",
            "words": words[index],
        }[scheme]
    return names


@settings(max_examples=150, deadline=None, derandomize=True)
@given(recipes(), st.sampled_from(["indices", "counts", "nested", "keras", "words"]), st.randoms(use_true_random=False))
def test_any_network_under_any_names_is_right_or_refused(tmp_path_factory, recipe, scheme, random):
    path = tmp_path_factory.mktemp("any") / "model.npz"
    theirs, ours = made(recipe, 1), made(recipe, 2)
    words = random.sample([f"{a}_{b}" for a in "abcdefgh" for b in "pqrstuvw"], 64)
    keras = scheme == "keras"
    saved(theirs, path, named(theirs, scheme, words), keras, lambda keys: random.sample(sorted(keys), len(keys)))
    try:
        load_weights(ours, path, channels_last=False)
    except ModelFileError as error:
        assert "in several ways" in str(error)
        assert scheme != "indices" or any(isinstance(part, tuple) for part in recipe)
        return
    for name, array in ours.arrays.items():
        np.testing.assert_array_equal(array, theirs.arrays[name], err_msg=name)
