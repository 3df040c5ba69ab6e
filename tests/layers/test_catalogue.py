"""Properties that hold for every layer: each is checked on each row of the catalogue."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import chainrule as cr
from catalogue import CATALOGUE, Row
from chainrule import initializers, layers
from chainrule.config import from_config, to_config

BATCH = 4
CLASSES = {name: getattr(room, name) for room in (layers, initializers) for name in room.__all__}


@pytest.fixture(params=CATALOGUE, ids=lambda row: row.name)
def row(request) -> Row:
    return request.param


def built(row: Row, dtype: str = "float64", seed: int = 0) -> cr.Layer:
    """Return the row's layer with parameters moved off their initial values."""
    layer = row.make()
    layer.build(row.shape, np.random.default_rng(seed))
    layer = layer.astype(dtype)
    rng = np.random.default_rng(seed + 1)
    for parameter in layer.parameters.values():
        parameter.value += (0.3 * rng.standard_normal(parameter.shape)).astype(dtype)
    return layer


def inputs(row: Row, dtype: str = "float64", batch: int = BATCH, seed: int = 7) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if row.entries is not None:
        return rng.integers(0, row.entries, (batch, *row.shape))
    return rng.standard_normal((batch, *row.shape)).astype(dtype)


def training(layer: cr.Layer, x: np.ndarray):
    """Run the training pass with the same random numbers each time."""
    return layer.forward(x, train=True, rng=np.random.default_rng(0))


def upstream(layer: cr.Layer, x: np.ndarray) -> np.ndarray:
    y = layer(x)
    return np.random.default_rng(8).standard_normal(y.shape).astype(y.dtype)


def read_only(value):
    """Make every array in a cache of tuples, lists and dicts read-only."""
    if isinstance(value, np.ndarray):
        value = value.view()
        value.flags.writeable = False
        return value
    if isinstance(value, list | tuple):
        return type(value)(read_only(item) for item in value)
    return value


def snapshot(value):
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, list | tuple):
        return [snapshot(item) for item in value]
    return value


def gradients(layer: cr.Layer) -> dict[str, np.ndarray]:
    return {name: parameter.grad.copy() for name, parameter in layer.parameters.items()}


@pytest.mark.parametrize("train", [True, False], ids=["train", "inference"])
def test_backward_is_the_derivative_of_forward(row, train):
    chosen = inputs(row) if row.entries else None
    report = cr.gradcheck(row.make(), shape=row.shape, batch=BATCH, seed=3, train=train, inputs=chosen)
    assert report.ok, str(report)
    assert [r.name for r in report.rows] == ([] if row.entries else ["input"]) + list(built(row).parameters)
    assert not any(r.kinks for r in report.rows)


def test_output_has_the_shape_that_build_promised(row):
    layer = row.make()
    shape = layer.build(row.shape, np.random.default_rng(0))
    assert layer(inputs(row, "float32")).shape == (BATCH, *shape)


def test_two_backwards_double_the_gradients(row):
    layer, x = built(row), inputs(row)
    dy = upstream(layer, x)
    _, cache = layer.forward(x, train=True, rng=np.random.default_rng(0))
    layer.backward(dy, cache)
    once = gradients(layer)
    layer.backward(dy, cache)
    for name, gradient in gradients(layer).items():
        assert np.abs(once[name]).max() > 0
        np.testing.assert_allclose(gradient, 2 * once[name], rtol=1e-12)


def test_inputs_upstream_gradient_and_cache_are_never_written(row):
    layer, x = built(row), inputs(row)
    dy = upstream(layer, x)
    _, cache = training(layer, read_only(x))
    before = snapshot([x, dy, cache])
    layer.backward(read_only(dy), read_only(cache))
    for old, new in zip(_arrays(before), _arrays([x, dy, cache]), strict=True):
        np.testing.assert_array_equal(old, new)


def _arrays(value) -> list[np.ndarray]:
    if isinstance(value, np.ndarray):
        return [value]
    return [array for item in value for array in _arrays(item)] if isinstance(value, list | tuple) else []


def test_batch_is_the_sum_of_its_samples(row):
    """In training if a sample's result does not depend on its batch, else in inference."""
    together, apart = built(row), built(row)
    x = inputs(row)
    dy = upstream(together, x)
    y, cache = training(together, x) if row.alone else together.forward(x)
    dx = together.backward(dy, cache)
    for i in range(BATCH):
        one = x[i : i + 1]
        y_i, cache = training(apart, one) if row.alone else apart.forward(one)
        np.testing.assert_allclose(y_i[0], y[i], rtol=1e-12, atol=1e-14)
        dx_i = apart.backward(dy[i : i + 1], cache)
        if row.entries is None:
            np.testing.assert_allclose(dx_i[0], dx[i], rtol=1e-12, atol=1e-14)
    for name, gradient in gradients(apart).items():
        np.testing.assert_allclose(gradient, gradients(together)[name], rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_in_is_dtype_out(row, dtype):
    layer, x = built(row, dtype), inputs(row, dtype)
    y, cache = training(layer, x)
    dx = layer.backward(np.ones_like(y), cache)
    assert y.dtype == dtype
    assert dx is None if row.entries else dx.dtype == dtype
    assert all(parameter.grad.dtype == parameter.value.dtype == dtype for parameter in layer.parameters.values())


def test_same_seed_gives_the_same_bytes(row):
    def run() -> list[bytes]:
        layer = row.make()
        layer.build(row.shape, np.random.default_rng(5))
        x = inputs(row, "float32")
        y, cache = layer.forward(x, train=True, rng=np.random.default_rng(6))
        dx = layer.backward(y, cache)
        arrays = [y, dx, layer.values, layer.gradients, *layer.arrays.values()]
        return [a.tobytes() for a in arrays if a is not None]

    assert run() == run()


def test_used_twice_in_one_network(row):
    """One layer used twice with different inputs: caches must not mix, gradients must add up."""
    layer, x = built(row), inputs(row)
    other = x[::-1].copy()
    dy = upstream(layer, x)
    (_, first), (_, second) = training(layer, x), training(layer, other)
    dx, d_other = layer.backward(dy, first), layer.backward(dy, second)
    alone, alone_other = built(row), built(row)
    np.testing.assert_array_equal(dx, alone.backward(dy, training(alone, x)[1]))
    np.testing.assert_array_equal(d_other, alone_other.backward(dy, training(alone_other, other)[1]))
    for name, gradient in gradients(layer).items():
        np.testing.assert_allclose(gradient, gradients(alone)[name] + gradients(alone_other)[name], rtol=1e-12)


def test_threads_do_not_disturb_each_other(row):
    layer = built(row)
    batches = [inputs(row, seed=i) for i in range(16)]
    expected = [layer(x) for x in batches]
    with ThreadPoolExecutor(4) as pool:
        for got, want in zip(pool.map(layer, batches), expected, strict=True):
            np.testing.assert_array_equal(got, want)


def test_backward_follows_inference_too(row):
    """Caches from inference work for backward, even if training has changed running statistics in between."""
    layer, x = built(row), inputs(row)
    dy = upstream(layer, x)
    _, cache = layer.forward(x)
    expected = layer.backward(dy, cache)
    gradient = layer.gradients.copy()
    training(layer, inputs(row, seed=1))
    again = layer.backward(dy, cache)
    if row.entries is None:
        np.testing.assert_array_equal(again, expected)
    np.testing.assert_allclose(layer.gradients, 2 * gradient, rtol=1e-12)


def test_call_equals_inference_forward_and_changes_nothing(row):
    layer, x = built(row), inputs(row)
    before = {name: array.copy() for name, array in layer.arrays.items()}
    np.testing.assert_array_equal(layer(x), layer.forward(x)[0])
    for name, array in layer.arrays.items():
        np.testing.assert_array_equal(array, before[name])


def test_without_input_gradient_the_parameter_gradients_are_the_same(row):
    layer, other, x = built(row), built(row), inputs(row)
    dy = upstream(layer, x)
    layer.backward(dy, training(layer, x)[1])
    other.backward(dy, training(other, x)[1], input_gradient=False)
    np.testing.assert_array_equal(layer.gradients, other.gradients)


def test_empty_batch(row):
    layer, x = built(row), inputs(row, batch=0)
    y, cache = layer.forward(x, train=True, rng=np.random.default_rng(0))
    assert len(y) == 0
    dx = layer.backward(y, cache)
    assert dx is None if row.entries else dx.shape == x.shape
    assert not layer.gradients.any()


def test_repr_makes_the_layer_again(row):
    layer = row.make()
    if "shared" not in row.name:  # text cannot distinguish one layer used twice from two identical ones
        again = eval(repr(layer), {name: getattr(cr, name) for name in cr.__all__})
        assert repr(again) == repr(layer)


def test_config_round_trip(row):
    layer = row.make()
    config = json.loads(json.dumps(to_config(layer)))
    again = from_config(config, CLASSES)
    assert to_config(again) == config
    layer.build(row.shape, np.random.default_rng(1))
    again.build(row.shape, np.random.default_rng(1))
    assert list(again.parameters) == list(layer.parameters)
    np.testing.assert_array_equal(again(inputs(row, "float32")), layer(inputs(row, "float32")))


def test_save_and_load_are_bit_exact(row, tmp_path):
    net = cr.Sequential(row.make()).build(row.shape, seed=2)
    cr.save(net, tmp_path / "net.safetensors")
    again = cr.load(tmp_path / "net.safetensors")
    assert repr(again) == repr(net)
    assert again.values.tobytes() == net.values.tobytes()
    x = inputs(row, "float32")
    assert again(x).tobytes() == net(x).tobytes()


def test_building_again_only_checks_the_shape(row):
    layer = row.make()
    shape = layer.build(row.shape, np.random.default_rng(0))
    before = layer.values.copy()
    assert layer.build(row.shape, np.random.default_rng(99)) == shape
    np.testing.assert_array_equal(layer.values, before)
    if before.size:
        other = (*row.shape[:-1], row.shape[-1] + 1) if row.shape else (1,)
        with pytest.raises(cr.errors.ShapeError, match="was built for"):
            layer.build(other, np.random.default_rng(0))


def test_values_and_gradients_are_one_buffer_each(row):
    net = cr.Sequential(row.make()).build(row.shape, seed=0)
    assert net.values.size == sum(parameter.size for parameter in net.parameters.values())
    net.values[...] = np.arange(net.values.size)
    net.gradients[...] = -np.arange(net.values.size)
    expected = 0
    for parameter in net.parameters.values():
        flat = parameter.value.ravel()
        assert np.array_equal(flat, np.arange(expected, expected + flat.size))
        assert np.array_equal(parameter.grad.ravel(), -flat)
        expected += flat.size


def test_copy_is_independent(row):
    layer = built(row)
    other = layer.copy()
    before = layer.values.copy()
    other.values[...] += 1
    np.testing.assert_array_equal(layer.values, before)
    for name, parameter in other.parameters.items():
        np.testing.assert_allclose(parameter.value, layer.parameters[name].value + 1)
