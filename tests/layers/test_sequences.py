"""Sequence layers: values by hand, states carried on, padding without influence, errors."""

import math

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import OptionError, ShapeError
from chainrule.gradcheck import check_array

RECURRENT = [
    cr.RNN(3),
    cr.RNN(3, 2, sequence=False),
    cr.LSTM(3, 2),
    cr.GRU(3, 2),
    cr.RNN(2, 2, bidirectional=True),
    cr.LSTM(2, 2, bidirectional=True, sequence=False),
    cr.GRU(2, 2, bidirectional=True, sequence=False),
]
LENGTHS = np.array([6, 1, 4])
MASK = np.arange(6) < LENGTHS[:, np.newaxis]


def build(layer: cr.Layer, *shape: int) -> cr.Layer:
    """Return a copy in double precision with parameters moved off their initial values."""
    layer = layer.copy()
    rng = np.random.default_rng(0)
    layer.build(shape, rng)
    layer = layer.astype("float64")
    for parameter in layer.parameters.values():
        parameter.value += 0.3 * rng.standard_normal(parameter.shape)
    return layer


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def gradients(layer: cr.Layer) -> np.ndarray:
    """Return what was added since the last call."""
    found = layer.gradients.copy()
    layer.gradients.fill(0)
    return found


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_rnn_by_hand():
    rnn = build(cr.RNN(1), 2, 1)
    rnn.values[...] = [2.0, 3.0, 0.5]  # W, U, b
    y, cache = rnn.forward(np.array([[[0.1], [-0.2]]]))
    first = math.tanh(0.2 + 0.5)
    second = math.tanh(-0.4 + 3 * first + 0.5)
    np.testing.assert_allclose(y[0, :, 0], [first, second], rtol=1e-12)
    # dy = [0 1]: da2 = 1 - h2^2, da1 = 3 da2 (1 - h1^2)
    dx = rnn.backward(np.array([[[0.0], [1.0]]]), cache)
    two = 1 - second**2
    one = 3 * two * (1 - first**2)
    np.testing.assert_allclose(rnn.gradients, [0.1 * one - 0.2 * two, first * two, one + two], rtol=1e-12)
    np.testing.assert_allclose(dx[0, :, 0], [2 * one, 2 * two], rtol=1e-12)


def test_lstm_by_hand():
    lstm = build(cr.LSTM(1), 1, 1)
    lstm.values[...] = [1, 2, 3, 4, 5, 6, 7, 8, 0.1, 0.2, 0.3, 0.4]  # W, U, b, each in the order i, f, g, o
    begin = np.full((1, 1, 1), 0.5), np.full((1, 1, 1), -2.0)
    y, (h, c), _ = lstm.run(np.array([[[0.1]]]), begin)
    i, f, g, o = 0.1 + 2.5 + 0.1, 0.2 + 3 + 0.2, 0.3 + 3.5 + 0.3, 0.4 + 4 + 0.4
    cell = sigmoid(f) * -2 + sigmoid(i) * math.tanh(g)
    assert c.item() == pytest.approx(cell, rel=1e-12)
    assert y.item() == h.item() == pytest.approx(sigmoid(o) * math.tanh(cell), rel=1e-12)


def test_gru_by_hand():
    gru = build(cr.GRU(1), 1, 1)
    gru.values[...] = [1, 2, 3, 4, 5, 6, 0.1, 0.2, 0.3, 0.7]  # W, U, b, each in the order r, z, n; b_hidden
    y, (h,), _ = gru.run(np.array([[[0.1]]]), (np.full((1, 1, 1), 0.5),))
    r, z = sigmoid(0.1 + 2 + 0.1), sigmoid(0.2 + 2.5 + 0.2)
    n = math.tanh(0.3 + 0.3 + r * (3 + 0.7))
    assert y.item() == h.item() == pytest.approx((1 - z) * n + z * 0.5, rel=1e-12)


def test_the_cell_remembers_at_first():
    lstm = build(cr.LSTM(3, 2, bidirectional=True, forget_bias=1.5), 4, 2)
    fresh = cr.LSTM(3, 2, bidirectional=True, forget_bias=1.5)
    fresh.build((4, 2), np.random.default_rng(0))
    assert list(fresh.parameters) == list(lstm.parameters)
    assert list(fresh.parameters)[:9] == [*"WUb", "W_back", "U_back", "b_back", "W_2", "U_2", "b_2"]
    for name, parameter in fresh.parameters.items():
        if name.startswith("b"):
            assert parameter.value.tolist() == [0] * 3 + [1.5] * 3 + [0] * 6


@pytest.mark.parametrize("layer", RECURRENT, ids=repr)
def test_gradients_of_states(layer):
    """The gradient of the state before a stretch, through the one after it."""
    layer, x = build(layer, 4, 3), normal(1, 2, 4, 3)
    _, state, _ = layer.run(normal(2, 2, 4, 3))
    y, after, cache = layer.run(x, state)
    dy, dafter = normal(3, *y.shape), tuple(normal(4 + i, *part.shape) for i, part in enumerate(after))
    dx, dstate = layer.run_backward(dy, cache, dafter)
    found = gradients(layer)

    def objective() -> float:
        y, after, _ = layer.run(x, state)
        return float((dy * y).sum() + sum((d * part).sum() for d, part in zip(dafter, after, strict=True)))

    arrays = [(x, dx), *zip(state, dstate, strict=True), (layer.values, found)]
    for values, gradient in arrays:
        row = check_array("", values, gradient, objective, None, 1e-6, 1e-9, np.random.default_rng(0))
        assert row.ok
        assert row.compared == values.size
    none, again = layer.run_backward(dy, cache, dafter, input_gradient=False)
    assert none is None
    np.testing.assert_array_equal(gradients(layer), found)
    np.testing.assert_array_equal(np.stack(again), np.stack(dstate))


def a_network() -> cr.Sequential:
    """Every layer that carries state, also inside composite layers."""
    return cr.Sequential(
        cr.Embedding(5, 6),
        cr.Residual(cr.LayerNorm(), cr.LSTM(6, 2)),
        cr.Parallel(cr.GRU(4), cr.Sequential(cr.RNN(4), cr.Tanh()), join="sum"),
        cr.PointwiseAffine(3),
    )


def test_stretches_are_the_whole():
    """Outputs of a single pass, and of stretches of any length with the state carried on."""
    net = build(a_network(), 9)
    x = np.random.default_rng(1).integers(0, 5, (2, 9))
    whole = net(x)
    state, parts = None, []
    for start, stop in ((0, 4), (4, 5), (5, 9)):
        y, state, _ = net.run(x[:, start:stop], state)
        parts.append(y)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=1e-10, atol=1e-12)


def test_backward_of_a_stretch_ends_at_its_first_step():
    """Truncated backpropagation through time: the incoming state counts as a constant."""
    net, x = build(a_network(), 4), np.random.default_rng(1).integers(0, 5, (2, 8))
    _, state, _ = net.run(x[:, :4])
    y, _, cache = net.run(x[:, 4:], state)
    dy = normal(2, *y.shape)
    assert net.backward(dy, cache) is None

    def objective() -> float:
        return float((dy * net.run(x[:, 4:], state)[0]).sum())

    row = check_array("", net.values, net.gradients, objective, None, 1e-6, 1e-9, np.random.default_rng(0))
    assert row.ok
    assert row.compared == net.values.size


@pytest.mark.parametrize("layer", RECURRENT, ids=repr)
def test_what_stands_at_padding_does_not_matter(layer):
    """Padding contributes to no output, state or gradient; a shorter sequence gives what it gives alone."""
    layer, x = build(layer, 6, 3), normal(1, 3, 6, 3)
    y, state, cache = layer.run(x, None, MASK)
    dy = normal(2, *y.shape)
    dx = layer.backward(dy, cache)
    found = gradients(layer)
    other = np.where(MASK[:, :, np.newaxis], x, 1e3 * normal(3, *x.shape))
    other_dy = np.where(MASK[:, :, np.newaxis], dy, 1e3) if layer.sequence else dy
    other_y, other_state, cache = layer.run(other, None, MASK)
    np.testing.assert_array_equal(other_y, y)
    np.testing.assert_array_equal(np.stack(other_state), np.stack(state))
    np.testing.assert_array_equal(layer.backward(other_dy, cache), dx)
    np.testing.assert_array_equal(gradients(layer), found)
    assert not dx[~MASK].any()
    for sample, length in enumerate(LENGTHS):
        alone, alone_state, cache = layer.run(x[sample : sample + 1, :length])
        padded = y[sample : sample + 1, :length] if layer.sequence else y[sample : sample + 1]
        np.testing.assert_allclose(alone, padded, rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(np.stack(alone_state)[:, :, 0], np.stack(state)[:, :, sample], rtol=1e-9, atol=1e-15)
        up = dy[sample : sample + 1, :length] if layer.sequence else dy[sample : sample + 1]
        np.testing.assert_allclose(layer.backward(up, cache)[0], dx[sample, :length], rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(gradients(layer), found, rtol=1e-10, atol=1e-13)
    if layer.sequence:
        assert not y[~MASK].any()


def test_padding_before_a_sequence_is_the_same():
    layer, x = build(cr.LSTM(3, bidirectional=True, sequence=False), 6, 3), normal(1, 3, 6, 3)
    turned = np.stack([np.roll(row, 6 - length, axis=0) for row, length in zip(x, LENGTHS, strict=True)])
    np.testing.assert_allclose(layer.run(turned, None, MASK[:, ::-1])[0], layer.run(x, None, MASK)[0], rtol=1e-12)


def test_padded_networks_take_the_mask_from_their_numbers():
    net = build(cr.Padded(*a_network().layers, padding=4), 6)
    x = np.random.default_rng(1).integers(0, 4, (3, 6))
    x[~MASK] = 4
    y, cache = net.forward(x)
    dy = np.where(MASK[:, :, np.newaxis], normal(2, *y.shape), 0)
    net.backward(dy, cache)
    found = gradients(net)
    net.layers[0].W.value[4] = 1e3  # the padding's row
    again, cache = net.forward(x)
    np.testing.assert_array_equal(again[MASK], y[MASK])
    net.backward(dy, cache)
    np.testing.assert_array_equal(gradients(net), found)
    np.testing.assert_array_equal(net(x), again)
    only_first, _, _ = net.run(x, None, np.arange(6) < np.ones((3, 1)))
    np.testing.assert_array_equal(only_first[:, 0], again[:, 0])
    trace = net.trace(x, normal(3, *y.shape), cr.MeanSquaredError())
    np.testing.assert_array_equal(trace.outputs, again)


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        (lambda: cr.RNN(0), OptionError, "RNN needs a hidden_size and layers of 1 or more, got 0 and 1"),
        (lambda: cr.GRU(3, 0), OptionError, "GRU needs a hidden_size and layers of 1 or more, got 3 and 0"),
        (lambda: cr.LSTM(3, forget_bias=math.nan), OptionError, "forget_bias must be a finite number, got nan"),
        (
            lambda: cr.Sequential(cr.LSTM(3)).build((4,)),
            ShapeError,
            r"^LSTM\(3\) as layer 0 needs sequences \(T, D\) of 1 step or more, got \(4,\): put Reshape",
        ),
        (lambda: cr.Sequential(cr.RNN(3)).build((0, 4)), ShapeError, r"of 1 step or more, got \(0, 4\)"),
        (lambda: cr.Sequential(cr.RNN(2**15)).build((1, 2)), ShapeError, "numbers"),
        (lambda: cr.Sequential(cr.GRU(2**10)).build((2**20, 1)), ShapeError, "numbers"),
        (
            lambda: build(cr.GRU(3), 4, 2).run(np.zeros((2, 4, 2)), (np.zeros((1, 3, 3)),)),
            ShapeError,
            r"carries \(h\), each \(1, 2, 3\), got \[\(1, 3, 3\)\]: pass what run returned for the same batch",
        ),
        (
            lambda: build(cr.LSTM(3), 4, 2).run(np.zeros((2, 4, 2)), (np.zeros((1, 2, 3)),)),
            ShapeError,
            r"carries \(h, c\), each",
        ),
        (
            lambda: build(cr.RNN(3), 4, 2).run(np.zeros((2, 4, 2)), None, np.ones((2, 3), bool)),
            ShapeError,
            r"needs a boolean mask \(2, 4\), got bool \(2, 3\)",
        ),
        (
            lambda: build(cr.RNN(3), 4, 2).run(np.zeros((2, 4, 2)), None, np.ones((2, 4))),
            ShapeError,
            r"needs a boolean mask \(2, 4\), got float64 \(2, 4\)",
        ),
        (
            lambda: cr.Sequential(cr.RNN(3)).build((4, 2)).run(np.zeros((2, 4, 3), np.float32)),
            ShapeError,
            r"runs over sequences \(N, T, 2\), got \(2, 4, 3\)",
        ),
        (lambda: cr.Padded(cr.Embedding(3, 2), padding=0.5), OptionError, "padding must be a whole number"),
        (lambda: cr.Padded(cr.Embedding(3, 2)).build((4,))(np.zeros((2, 4))), cr.errors.DataError, "whole numbers"),
    ],
)
def test_misuse_is_told(action, error, message):
    with pytest.raises(error, match=message):
        action()


def causal_network() -> cr.Sequential:
    return cr.Sequential(
        cr.Embedding(5, 8),
        cr.Positions(length=12),
        cr.Positions("sinusoidal"),
        cr.TransformerBlock(8, heads=2, causal=True),
        cr.TransformerBlock(8, heads=1, causal=True, rotary=True),
        cr.LayerNorm(),
        cr.PointwiseAffine(5),
    )


def test_attention_by_hand():
    attention = build(cr.Attention(1), 2, 2)
    attention.values[...] = 0
    attention.W_in.value = np.hstack([np.eye(2), np.eye(2), np.eye(2)])
    attention.W_out.value = np.eye(2)
    attention.b_out.value = np.array([10, 20])
    x = np.array([[[1.0, 0.0], [0.0, 2.0]]])
    # scores / sqrt(2): step 0 [1 0], step 1 [0 4]
    first, second = 1 / (1 + math.exp(-1 / math.sqrt(2))), 1 / (1 + math.exp(-4 / math.sqrt(2)))
    expected = [[10 + first, 20 + 2 * (1 - first)], [10 + 1 - second, 20 + 2 * second]]
    np.testing.assert_allclose(attention(x)[0], expected, rtol=1e-12)
    causal = cr.Attention(1, causal=True)
    causal.build((2, 2), np.random.default_rng(0))
    causal = causal.astype("float64")
    causal.values[...] = attention.values
    np.testing.assert_allclose(causal(x)[0], [[11, 20], expected[1]], rtol=1e-12)


def test_turned_queries_and_keys_see_how_far_apart_they_are():
    """The same sequence later in time: the output is the same, although the angles differ."""
    attention, x = build(cr.Attention(2, rotary=True), 3, 8), normal(1, 2, 3, 8)
    _, (keys, values, _), _ = attention.run(normal(2, 2, 4, 8))
    _, (later_keys, _, _), _ = attention.run(x, (keys, values, None))
    first = attention.run(x)
    assert not np.allclose(later_keys[:, 4:], first[1][0])
    nothing = np.zeros((2, 4), bool)  # the first four are padding
    later, _, _ = attention.run(x, (keys, values, nothing))
    np.testing.assert_allclose(later, first[0], rtol=1e-10, atol=1e-12)
    plain = cr.Attention(2)
    plain.build((3, 8), np.random.default_rng(0))
    plain = plain.astype("float64")
    plain.values[...] = attention.values
    assert not np.allclose(plain(x), first[0])


def test_what_comes_later_is_not_seen():
    net = build(causal_network(), 9)
    x = np.random.default_rng(1).integers(0, 5, (2, 9))
    other = x.copy()
    other[:, 5:] = (x[:, 5:] + 1) % 5
    np.testing.assert_array_equal(net(other)[:, :5], net(x)[:, :5])
    assert not np.allclose(net(other)[:, 5:], net(x)[:, 5:])


def test_keys_and_values_are_carried_on():
    """Running one step at a time, or several, gives the same as the whole sequence at once."""
    net = build(causal_network(), 9)
    x = np.random.default_rng(1).integers(0, 5, (2, 9))
    whole, state, parts = net(x), None, []
    for start, stop in ((0, 4), (4, 5), (5, 6), (6, 9)):
        y, state, _ = net.run(x[:, start:stop], state)
        parts.append(y)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=1e-10, atol=1e-12)


def test_backward_of_a_stretch_counts_keys_before_it_as_constants():
    net, x = build(causal_network(), 4), np.random.default_rng(1).integers(0, 5, (2, 8))
    _, state, _ = net.run(x[:, :4])
    y, _, cache = net.run(x[:, 4:], state)
    dy = normal(2, *y.shape)
    net.backward(dy, cache)

    def objective() -> float:
        return float((dy * net.run(x[:, 4:], state)[0]).sum())

    row = check_array("", net.values, net.gradients, objective, 300, 1e-6, 1e-9, np.random.default_rng(0))
    assert row.ok
    assert row.compared == 300


@pytest.mark.parametrize("layer", [cr.Attention(2), cr.Attention(2, causal=True, rotary=True)], ids=repr)
@pytest.mark.parametrize("before", [False, True])
def test_attention_to_padding_is_none(layer, before):
    """Padding changes no output and no gradient; a shorter sequence gives what it gives alone."""
    mask = MASK[:, ::-1] if before else MASK
    layer, x = build(layer, 6, 8), normal(1, 3, 6, 8)
    y, _, cache = layer.run(x, None, mask)
    dy = normal(2, *y.shape)
    dx = layer.backward(dy, cache)
    found = gradients(layer)
    there = mask[:, :, np.newaxis]
    other_y, _, cache = layer.run(np.where(there, x, 1e3 * normal(3, *x.shape)), None, mask)
    np.testing.assert_array_equal(other_y, y)
    np.testing.assert_array_equal(layer.backward(np.where(there, dy, 1e3), cache), dx)
    np.testing.assert_array_equal(gradients(layer), found)
    assert not dx[~mask].any()
    assert not y[~mask].any()
    for sample in range(3):
        alone, _, cache = layer.run(x[sample : sample + 1, mask[sample]])
        np.testing.assert_allclose(alone[0], y[sample, mask[sample]], rtol=1e-9, atol=1e-12)
        up = dy[sample : sample + 1, mask[sample]]
        np.testing.assert_allclose(layer.backward(up, cache)[0], dx[sample, mask[sample]], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(gradients(layer), found, rtol=1e-9, atol=1e-12)


def test_padding_is_carried_on_too():
    """Stretches of padded sequences, with and without a mask, give the same as the whole with one."""
    layer, x = build(cr.Attention(2, causal=True), 8, 4), normal(1, 3, 8, 4)
    mask = np.ones((3, 8), bool)
    mask[:, 3:6] = MASK[:, 3:]
    whole, _, _ = layer.run(x, None, mask)
    state, parts = None, []
    for start, stop, told in ((0, 3, False), (3, 6, True), (6, 8, False)):
        y, state, _ = layer.run(x[:, start:stop], state, mask[:, start:stop] if told else None)
        parts.append(y)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("mask", [None, np.arange(5) < np.array([[5], [3], [0]])], ids=["all", "masked"])
def test_cross_attention(mask):
    """Queries from one sequence, keys and values from another of a different length; all gradients."""
    layer, x, memory = build(cr.Attention(2), 4, 6), normal(1, 3, 4, 6), normal(2, 3, 5, 6)
    y, cache = layer.attend(x, memory, mask)
    dy = normal(3, *y.shape)
    dx, dmemory = layer.attend_backward(dy, cache)

    def objective() -> float:
        return float((dy * layer.attend(x, memory, mask)[0]).sum())

    for values, gradient in ((x, dx), (memory, dmemory), (layer.values, gradients(layer))):
        row = check_array("", values, gradient, objective, None, 1e-6, 1e-9, np.random.default_rng(0))
        assert row.ok
        assert row.compared == values.size
    same, _ = layer.attend(x, x)
    np.testing.assert_allclose(same, layer(x), rtol=1e-12)
    if mask is not None:
        assert not dmemory[~mask].any()
        again, _ = layer.attend(x, np.where(mask[:, :, np.newaxis], memory, 1e6), mask)
        np.testing.assert_array_equal(again, y)
        np.testing.assert_array_equal(y[2], np.broadcast_to(layer.b_out.value, (4, 6)))  # there is nothing to attend to


def test_shares_do_not_overflow():
    layer = build(cr.Attention(1), 3, 2)
    layer.values[...] = 0
    layer.W_in.value[...] = np.hstack([np.eye(2) * 1e4] * 2 + [np.eye(2)])
    y, cache = layer.forward(np.array([[[1.0, 0], [0, 1], [2, 2]]]))
    np.testing.assert_array_equal(cache[3][3][0, 0], [[0, 0, 1]] * 3)
    assert np.isfinite(y).all()


def test_sinusoids_by_hand():
    positions = build(cr.Positions("sinusoidal"), 3, 4)
    y = positions(np.zeros((1, 3, 4)))
    expected = [[math.sin(t), math.sin(t / 100), math.cos(t), math.cos(t / 100)] for t in range(3)]
    np.testing.assert_allclose(y[0], expected, atol=1e-12)
    later, place, _ = positions.run(np.zeros((1, 1, 4)), 2)
    np.testing.assert_allclose(later[0, 0], expected[2], atol=1e-12)
    assert place == 3


def test_a_block_is_its_two_residuals():
    block = cr.TransformerBlock(6, 2, causal=True, expansion=3, initializer=cr.Normal(0.1))
    net = cr.Sequential(block).build((5, 6), seed=1)
    first, second = block.layers
    np.testing.assert_array_equal(net(np.ones((1, 5, 6), np.float32)), second(first(np.ones((1, 5, 6), np.float32))))
    assert [type(layer).__name__ for layer in first.layers] == ["LayerNorm", "Attention"]
    assert repr(first.layers[1]) == "Attention(2, causal=True, initializer=Normal(std=0.1))"
    assert [getattr(layer, "outputs", None) for layer in second.layers] == [None, 18, None, 6]
    rows = net.summary().rows
    assert [row.layer.split("(")[0] for row in rows] == [
        "TransformerBlock", "Residual", "LayerNorm", "Attention", "Residual", "LayerNorm", "PointwiseAffine", "GELU",
        "PointwiseAffine",
    ]  # fmt: skip
    assert sum(row.multiply_adds for row in rows) == 5 * (4 * 36 + 2 * 5 * 6) + 5 * 2 * 6 * 18


def test_tied_weights_are_one_table(tmp_path):
    words = cr.Embedding(7, 3)
    net = cr.Sequential(words, cr.LSTM(3), cr.Unembedding(words)).build((4,), seed=0)
    assert sum(name.endswith("Embedding.W") for name in net.parameters) == 1
    x = np.array([[0, 1, 2, 6]])
    before = net(x)
    words.W.value[5] += 1  # a row that is never looked up, but is compared with at every step
    assert (net(x) != before).any(axis=(0, 1)).tolist() == [False] * 5 + [True, False]
    cr.save(net, tmp_path / "net.safetensors")
    for again in (cr.load(tmp_path / "net.safetensors"), net.copy()):
        assert again.layers[2].embedding is again.layers[0]
        assert again.layers[2].W is again.layers[0].W
        np.testing.assert_array_equal(again(x), net(x))
    trace = net.trace(x, np.zeros((1, 4, 7)), cr.MeanSquaredError())
    np.testing.assert_array_equal(trace.outputs, net(x))
    assert set(trace["2.Unembedding"].gradients) == {"W"}
    assert net.summary().parameters == net.values.size


@pytest.mark.parametrize(
    ("action", "error", "message"),
    [
        (lambda: cr.Attention(0), OptionError, "Attention needs 1 head or more, got 0"),
        (
            lambda: cr.Sequential(cr.Attention(4)).build((3, 6)),
            ShapeError,
            r"cannot divide 6 features into 4 heads, got \(3, 6\)",
        ),
        (
            lambda: cr.Sequential(cr.Attention(2, rotary=True)).build((3, 6)),
            ShapeError,
            "cannot divide 6 features into 2 heads of an even number of features",
        ),
        (lambda: cr.Sequential(cr.Attention(2)).build((6,)), ShapeError, r"needs sequences \(T, D\) of 1 step or more"),
        (lambda: cr.Sequential(cr.Attention(2)).build((2**20, 2)), ShapeError, "numbers"),
        (lambda: cr.Sequential(cr.Attention(2)).build((2, 2**13)), ShapeError, "numbers"),
        (
            lambda: build(cr.Attention(2), 3, 4).run(np.zeros((2, 3, 4)), (np.zeros((2, 5, 4)),)),
            ShapeError,
            r"carries \(keys, values, mask\) of \(2, S, 4\): pass what run returned for the same batch",
        ),
        (
            lambda: build(cr.Attention(2), 3, 4).run(np.zeros((2, 3, 4)), (np.zeros((1, 5, 4)),) * 2 + (None,)),
            ShapeError,
            "pass what run returned for the same batch",
        ),
        (
            lambda: build(cr.Attention(2), 3, 4).attend(np.zeros((2, 3, 4)), np.zeros((2, 3, 5))),
            ShapeError,
            r"attends from \(N, T, 4\) to \(N, S, 4\), got \(2, 3, 4\) and \(2, 3, 5\)",
        ),
        (
            lambda: build(cr.Attention(2), 3, 4).attend(np.zeros((2, 3, 4)), np.zeros((3, 3, 4))),
            ShapeError,
            "attends from",
        ),
        (lambda: cr.Positions("rotary"), OptionError, r'"learned" or "sinusoidal", got \'rotary\'; .*rotary=True'),
        (lambda: cr.Positions(length=0), OptionError, "length is the number of learned positions, 1 or more, got 0"),
        (lambda: cr.Positions("sinusoidal", 3), OptionError, "got 3 with kind 'sinusoidal'"),
        (lambda: cr.Sequential(cr.Positions(length=3)).build((4, 2)), ShapeError, r"has 3 positions, got \(4, 2\)"),
        (lambda: cr.Sequential(cr.Positions("sinusoidal")).build((4, 3)), ShapeError, "use an even number"),
        (lambda: cr.Sequential(cr.Positions()).build((4,)), ShapeError, r"needs sequences \(T, D\)"),
        (
            lambda: build(cr.Positions(), 4, 2).run(np.zeros((1, 3, 2)), 2),
            cr.errors.DataError,
            r"Positions\(\) has 4 learned positions, got 5 steps: use a larger length, or start over",
        ),
        (lambda: cr.TransformerBlock(0, 1), OptionError, "needs a size and expansion of 1 or more, got 0 and 4"),
        (lambda: cr.Unembedding(cr.Affine(3)), OptionError, "takes the Embedding whose table it shares"),
        (
            lambda: cr.Sequential(cr.RNN(3), cr.Unembedding(cr.Embedding(5, 3))).build((4, 3)),
            ShapeError,
            r"as layer 1 has no table yet: put its Embedding before it in the network",
        ),
        (
            lambda: cr.Sequential(*(e := [cr.Embedding(5, 3)]), cr.RNN(2), cr.Unembedding(*e)).build((4,)),
            ShapeError,
            r"needs the 3 features of its Embedding along the last axis, got \(4, 2\)",
        ),
    ],
)
def test_misuse_of_attention_is_told(action, error, message):
    with pytest.raises(error, match=message):
        action()
