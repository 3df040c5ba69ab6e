"""Model files: bit-exact, readable by other libraries, and every kind of damage gives one clear ModelFileError."""

import json
import re

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import chainrule as cr
from chainrule.errors import FileError, ModelFileError
from chainrule.io.safetensors import read_safetensors, write_safetensors


class Mean(cr.Layer):
    """Adds a saved, untrained array, the purpose of a Buffer."""

    def build(self, shape, rng):
        self.mean = cr.Buffer(np.zeros(shape, np.float32))
        return shape

    def forward(self, x, *, train=False, rng=None):
        if train:
            self.mean.value = x.mean(axis=0)
        return x - self.mean.value, None

    def backward(self, dy, cache, *, input_gradient=True):
        return dy


@pytest.fixture
def net() -> cr.Sequential:
    return cr.models.two_layer(classes=3, hidden=4).build((1, 2, 2), seed=0)


@pytest.fixture
def path(net, tmp_path):
    cr.save(net, tmp_path / "net.safetensors", labels="abc")
    return tmp_path / "net.safetensors"


def test_what_is_saved_is_loaded(net, path):
    again = cr.load(path)
    assert again.labels == ("a", "b", "c")
    assert repr(again) == repr(net)
    assert again.input_shape == (1, 2, 2)
    assert again.values.tobytes() == net.values.tobytes()


def test_same_network_same_bytes(net, path, tmp_path):
    cr.save(cr.load(path), tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_float64_and_frozen_come_back(net, tmp_path):
    net = net.astype("float64")
    net.layers[2].freeze()
    cr.save(net, tmp_path / "x")
    again = cr.load(tmp_path / "x")
    assert again.values.dtype == np.float64
    assert [name for name, p in again.parameters.items() if p.frozen] == ["2.Affine.W", "2.Affine.b"]


def test_buffers_and_own_layers(tmp_path):
    net = cr.Sequential(Mean(), cr.Affine(2)).build((3,), seed=0)
    net.forward(np.array([[1, 2, 3]], np.float32), train=True)
    assert list(net.buffers) == ["0.Mean.mean"]
    cr.save(net, tmp_path / "x")
    assert cr.load(tmp_path / "x", layers=[Mean]).buffers["0.Mean.mean"].value.tolist() == [1, 2, 3]
    with pytest.raises(ModelFileError, match=r"unknown layer 'Mean': pass its class as layers=\[Mean\]"):
        cr.load(tmp_path / "x")


def test_the_safetensors_library_reads_our_files_and_we_its(net, path, tmp_path):
    theirs = safetensors.numpy.load_file(path)
    assert {name: a.tobytes() for name, a in theirs.items()} == {name: a.tobytes() for name, a in net.arrays.items()}
    arrays = {"a": np.arange(6, dtype=np.int64).reshape(2, 3), "b": np.array(1.5, np.float16), "c": np.zeros((0, 4))}
    safetensors.numpy.save_file(arrays, tmp_path / "theirs", {"key": "value"})
    read, metadata = read_safetensors(tmp_path / "theirs")
    assert metadata == {"key": "value"}
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


@given(
    st.dictionaries(
        st.text(min_size=1).filter(lambda name: name != "__metadata__"),
        st.tuples(st.lists(st.integers(0, 3), max_size=3), st.sampled_from(["f4", "f8", "u1", "i8", "?"])),
        max_size=4,
    )
)
def test_any_arrays_round_trip(tmp_path_factory, shapes):
    path = tmp_path_factory.mktemp("arrays") / "file"
    arrays = {name: np.ones(shape, dtype) for name, (shape, dtype) in shapes.items()}
    write_safetensors(path, arrays, {"a": "b"})
    read, metadata = read_safetensors(path)
    assert metadata == {"a": "b"}
    assert list(read) == list(arrays)
    for name, array in arrays.items():
        assert read[name].dtype == array.dtype
        np.testing.assert_array_equal(read[name], array)


def test_every_truncation_is_told(path):
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(ModelFileError):
            cr.load(path)


@settings(max_examples=300)
@given(st.integers(0, 10**6), st.integers(0, 255))
def test_any_changed_byte_loads_or_is_told(tmp_path_factory, place, byte):
    path = tmp_path_factory.getbasetemp() / "changed"
    if not hasattr(test_any_changed_byte_loads_or_is_told, "content"):
        cr.save(cr.Sequential(cr.Affine(2), cr.ReLU()).build((3,), seed=0), path)
        test_any_changed_byte_loads_or_is_told.content = path.read_bytes()
    content = bytearray(test_any_changed_byte_loads_or_is_told.content)
    content[place % len(content)] = byte
    path.write_bytes(content)
    try:
        cr.load(path)
    except ModelFileError:
        pass


def rewrite(path, change):
    """Save the file again with changed arrays and metadata."""
    arrays, metadata = read_safetensors(path)
    arrays = dict(arrays)
    change(arrays, metadata)
    write_safetensors(path, arrays, metadata)


def config(metadata, change):
    network = json.loads(metadata["network"])
    change(network["arguments"]["layers"])
    metadata["network"] = json.dumps(network)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, m: a.pop("4.Affine.b"), r"array 4\.Affine\.b is missing \(1 of 4\)"),
        (
            lambda a, m: a.update({"2.Affine.W": np.zeros((3, 4), np.float32)}),
            r"array 2\.Affine\.W has shape \(3, 4\), the network needs \(4, 4\)",
        ),
        (lambda a, m: a.update(extra=np.zeros(1)), "array extra does not belong to any layer"),
        (lambda a, m: a.update({"4.Affine.b": np.zeros(3, np.int64)}), "has type int64, the network needs float32"),
        (lambda a, m: config(m, lambda layers: layers[3].update(type="Vanish")), "unknown layer 'Vanish'"),
        (lambda a, m: config(m, lambda layers: layers[3].update(type=["x"])), "unknown layer"),
        (lambda a, m: config(m, lambda layers: layers[2]["arguments"].pop("outputs")), "Affine cannot be rebuilt"),
        (lambda a, m: config(m, lambda layers: layers[2]["arguments"].update(outputs=-1)), "Affine cannot be rebuilt"),
        (
            lambda a, m: config(m, lambda layers: layers[2]["arguments"].update(outputs=10**15)),
            "more than the file has",
        ),
        (lambda a, m: config(m, lambda layers: layers.insert(0, {"repeat": 99})), "repeats a layer that it does not"),
        (
            lambda a, m: m.update(chainrule="99.0.0"),
            rf"made by chainrule 99\.0\.0, this is {re.escape(cr.__version__)}: pip install --upgrade",
        ),
        (lambda a, m: m.update(chainrule="98.1.0"), r"made by chainrule 98\.1\.0"),
        (lambda a, m: m.update(chainrule="new"), "'new', which is not a valid version"),
        (lambda a, m: m.pop("network"), "it has no 'network', so chainrule did not save it"),
        (lambda a, m: m.clear(), "it has no 'chainrule'"),
        (lambda a, m: m.update(input_shape="[1, 2, 3]"), r"array 2\.Affine\.W has shape"),
        (lambda a, m: m.update(network="{"), "its description is damaged"),
        (lambda a, m: m.update(network='{"type": "ReLU", "arguments": {}}'), "it does not describe a network"),
        (lambda a, m: m.update(dtype='"int8"'), "array|type|int8"),
    ],
)
def test_files_that_do_not_fit_are_told(path, change, message):
    rewrite(path, change)
    with pytest.raises(ModelFileError, match=message) as caught:
        cr.load(path)
    assert str(caught.value).startswith(f"cannot load {path}: ")


def test_other_files_are_told(tmp_path):
    with pytest.raises(ModelFileError, match="there is no such file"):
        cr.load(tmp_path / "missing")
    with pytest.raises(ModelFileError, match="this is a folder"):
        cr.load(tmp_path)
    (tmp_path / "text").write_text("a long enough text that is no model")
    with pytest.raises(ModelFileError, match="is not a safetensors file"):
        cr.load(tmp_path / "text")
    (tmp_path / "pickle").write_bytes(b"\x80\x04\x95" + bytes(50))
    with pytest.raises(ModelFileError, match="is not a safetensors file"):
        cr.load(tmp_path / "pickle")


def test_what_cannot_be_saved_is_told(net, tmp_path):
    with pytest.raises(ModelFileError, match=r"2 labels do not fit the network's outputs \(3,\)"):
        cr.save(net, tmp_path / "x", labels="ab")
    with pytest.raises(FileError, match="cannot write"):
        cr.save(net, tmp_path / "no" / "folder" / "x")
    net = cr.Sequential(cr.Scale(lambda: 1))
    with pytest.raises(cr.errors.OptionError, match="cannot save the argument <function"):
        cr.save(net.build((1,), seed=0), tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
