"""What passes through each layer, seen from outside: trace and summary."""

from itertools import pairwise

import numpy as np
import pytest

import chainrule as cr
from chainrule.errors import ShapeError

RNG = np.random.default_rng


def small_network() -> cr.Sequential:
    return cr.Sequential(
        cr.Scale(1 / 255),
        cr.Conv2D(3, 3, padding="same"),
        cr.BatchNorm(),
        cr.Residual(cr.ReLU(), cr.Conv2D(3, 1)),
        cr.Parallel(cr.MaxPool2D(2), cr.Sequential(cr.AvgPool2D(2), cr.Tanh())),
        cr.Flatten(),
        cr.Affine(4),
    ).build((1, 6, 6), seed=0)


def test_trace_holds_everything_by_name_and_changes_nothing():
    net = small_network()
    x, labels = RNG(0).integers(0, 256, (5, 1, 6, 6), dtype=np.uint8), np.array([0, 1, 2, 3, 0])
    before = {name: array.copy() for name, array in net.arrays.items()}
    trace = net.trace(x, labels)
    assert [row.name for row in trace.rows] == [
        "0.Scale",
        "1.Conv2D",
        "2.BatchNorm",
        "3.Residual",
        "3.Residual.0.ReLU",
        "3.Residual.1.Conv2D",
        "4.Parallel",
        "4.Parallel.0.MaxPool2D",
        "4.Parallel.1.Sequential",
        "4.Parallel.1.Sequential.0.AvgPool2D",
        "4.Parallel.1.Sequential.1.Tanh",
        "5.Flatten",
        "6.Affine",
    ]
    for name, array in net.arrays.items():
        np.testing.assert_array_equal(array, before[name])
    assert not net.gradients.any()

    # same as by hand: a layer's output is the next one's input, and its dx is the previous one's dy
    loss, dlogits = cr.SoftmaxCrossEntropy()(net(x), labels)
    assert trace.loss == loss
    np.testing.assert_array_equal(trace.outputs, net(x))
    np.testing.assert_array_equal(trace.doutputs, dlogits)
    top = [row for row in trace.rows if row.name.count(".") == 1]
    for below, above in pairwise(top):
        np.testing.assert_array_equal(below.y, above.x)
        np.testing.assert_array_equal(below.dy, above.dx)
    np.testing.assert_array_equal(top[0].x, x)
    np.testing.assert_array_equal(top[-1].dy, dlogits)

    _, cache = net.forward(x)
    np.testing.assert_array_equal(top[0].dx, net.backward(dlogits, cache))
    for name, parameter in net.parameters.items():
        layer, _, own = name.rpartition(".")
        np.testing.assert_allclose(trace[layer].gradients[own], parameter.grad, rtol=1e-6)
    assert trace["3.Residual"].gradients == {}
    assert repr(trace["3.Residual"].layer) == repr(net.layers[3])


def test_trace_of_a_training_pass():
    net = cr.Sequential(cr.Affine(6), cr.Dropout(0.5), cr.BatchNorm(), cr.Affine(2)).build((3,), seed=0)
    x = RNG(0).standard_normal((8, 3)).astype(np.float32)
    trace = net.trace(x, np.zeros(8, int), train=True, rng=RNG(1))
    expected, _ = net.copy().forward(x, train=True, rng=RNG(1))
    np.testing.assert_array_equal(trace.outputs, expected)
    assert (trace["1.Dropout"].y == 0).any()
    np.testing.assert_allclose(trace["2.BatchNorm"].y.mean(axis=0), 0, atol=1e-6)


def test_trace_with_another_loss():
    net = cr.Sequential(cr.Affine(1)).build((3,), seed=0)
    x, targets = np.ones((2, 3), np.float32), np.zeros((2, 1))
    trace = net.trace(x, targets, cr.MeanSquaredError())
    assert trace.loss == pytest.approx(float(np.mean(net(x) ** 2)))


def test_a_layer_in_two_places_has_a_row_and_its_share_of_the_gradient_at_each():
    twice = cr.Affine(3)
    net = cr.Sequential(twice, cr.Tanh(), twice, cr.Affine(2)).build((3,), seed=0).astype("float64")
    x, labels = RNG(0).standard_normal((4, 3)), np.array([0, 1, 0, 1])
    trace = net.trace(x, labels)
    first, second = trace["0.Affine"], trace["2.Affine"]
    np.testing.assert_allclose(first.gradients["W"], first.x.T @ first.dy)
    np.testing.assert_allclose(second.gradients["W"], second.x.T @ second.dy)
    _, cache = net.forward(x)
    net.backward(trace.doutputs, cache)
    total = net.parameters["0.Affine.W"].grad
    np.testing.assert_allclose(first.gradients["W"] + second.gradients["W"], total)


def test_summary_of_a_convolutional_network():
    summary = cr.models.lenet().build((1, 28, 28), seed=0).summary()
    rows = {row.layer.split("(")[0] + row.name: row for row in summary.rows}
    assert rows["Conv2D1"].output_shape == (32, 28, 28)
    assert rows["Conv2D1"].multiply_adds == 32 * 9 * 28 * 28
    assert rows["Conv2D4"].parameters == 64 * 32 * 9 + 64
    assert summary.multiply_adds == 32 * 9 * 784 + 64 * 32 * 9 * 196 + 64 * 49 * 128 + 128 * 10
    # kept in training, in float32: the scaled image, ReLU's output, and which of four pixels was the largest (bytes)
    assert rows["Conv2D1"].memory == 784 * 4
    assert rows["ReLU2"].memory == 32 * 784 * 4
    assert rows["MaxPool2D3"].memory == 32 * 196
    assert rows["Conv2D4"].memory == 32 * 196 * 4
    assert rows["Flatten7"].memory == 0
    assert summary.memory == sum(row.memory for row in summary.rows)
    assert "bytes a sample" in str(summary)


def test_summary_tells_what_stands_within():
    summary = small_network().summary()
    assert [row.name for row in summary.rows] == [
        "0",
        "1",
        "2",
        "3",
        "3.0",
        "3.1",
        "4",
        "4.0",
        "4.1.0",
        "4.1.1",
        "5",
        "6",
    ]
    assert [row.layer for row in summary.rows if row.name in "34"] == ["Residual", "Parallel"]
    assert {row.name: row.output_shape for row in summary.rows}["4"] == (6, 3, 3)
    assert sum(row.parameters for row in summary.rows) == summary.parameters == small_network().values.size


def test_summary_of_a_network_that_reads_indices():
    net = cr.Sequential(cr.Embedding(9, 4), cr.Flatten(), cr.Affine(2)).build((3,), seed=0)
    assert [row.memory for row in net.summary().rows] == [3 * 8, 0, 12 * 4]


def test_summary_counts_a_shared_table_once():
    table = cr.Embedding(9, 4)
    summary = cr.Sequential(table, cr.LSTM(4), cr.Unembedding(table)).build((3,), seed=0).summary()
    assert [row.output_shape for row in summary.rows] == [(3, 4), (3, 4), (3, 9)]
    assert [row.parameters for row in summary.rows] == [36, 144, 0]
    assert summary.parameters == 180


def writer(*layers: cr.Layer) -> cr.Sequential:
    return cr.Sequential(cr.Embedding(7, 6), *layers, cr.PointwiseAffine(7)).build((9,), seed=0).astype("float64")


def test_a_sequence_is_traced_with_its_own_loss_and_at_any_length():
    net = writer(cr.Positions(), cr.TransformerBlock(6, heads=2, causal=True))
    x, labels = RNG(0).integers(0, 7, (2, 2, 5))
    trace = net.trace(x, labels)
    logits, _, _ = net.run(x)
    assert trace.loss == cr.SequenceCrossEntropy()(logits, labels)[0]
    np.testing.assert_array_equal(trace.outputs, logits)
    shares = trace["2.TransformerBlock.0.Residual.1.Attention"].between["shares"]
    assert shares.shape == (2, 2, 5, 5)
    np.testing.assert_allclose(shares.sum(axis=3), 1)
    assert not np.triu(shares[0, 0], 1).any()
    assert trace["0.Embedding"].between == {} == trace["0.Embedding"].state_gradients
    with pytest.raises(ShapeError, match="runs over sequences"):
        net.trace(x[:, :, None], labels)
    classes = cr.Sequential(cr.Embedding(7, 6), cr.LSTM(6, sequence=False), cr.Affine(3)).build((9,), seed=0)
    with pytest.raises(ShapeError, match="reads"):
        classes.trace(x, labels[:, 0])


RECURRENT = [cr.RNN(6), cr.LSTM(6), cr.GRU(6), cr.LSTM(3, layers=2, bidirectional=True), cr.GRU(6, layers=2)]


@pytest.mark.parametrize("layer", RECURRENT, ids=repr)
def test_states_gates_and_what_comes_back_through_time(layer):
    """A state's gradient is how the loss changes when the next stretch begins with a state a little different."""
    net = writer(layer)
    x, labels = RNG(0).integers(0, 7, (2, 2, 5))
    row = net.trace(x, labels)[f"1.{type(layer).__name__}"]
    assert row.between.keys() >= {"h", *layer.gate_names}
    gates = [name for name in layer.gate_names if name not in "gn"]
    assert all((row.between[name] > 0).all() and (row.between[name] < 1).all() for name in gates)
    backs = row.state_gradients
    assert {array.shape for array in (*row.between.values(), *backs.values())} == {(2, 5, layer.hidden_size)}
    if layer.bidirectional:
        np.testing.assert_array_equal(np.concatenate((row.between["h_2"], row.between["h_2_back"]), axis=2), row.y)
        assert not backs["h_back"][:, 0].any()
        assert not backs["c_2"][:, -1].any()
        assert backs["h_back"][:, 1:].all()
        return
    cut = 3
    _, state, _ = net.run(x[:, :cut])
    share = (5 - cut) / 5  # of the labels

    def loss_behind(moved: tuple[np.ndarray, ...]) -> float:
        logits, _, _ = net.run(x[:, cut:], (None, moved, None))
        return share * cr.SequenceCrossEntropy()(logits, labels[:, cut:])[0]

    for place, name in enumerate(layer.held):
        for level in range(layer.layers):
            found = backs[name + f"_{level + 1}" * (level > 0)][:, cut - 1]
            numerical = np.zeros_like(found)
            for index in np.ndindex(found.shape):
                both = []
                for move in (1e-6, -1e-6):
                    moved = tuple(part.copy() for part in state[1])
                    moved[place][level][index] += move
                    both.append(loss_behind(moved))
                numerical[index] = (both[0] - both[1]) / 2e-6
            np.testing.assert_allclose(found, numerical, rtol=1e-5, atol=1e-9)


def test_the_last_states_gradient_is_what_the_output_asks_for():
    net = cr.Sequential(cr.RNN(4, sequence=False), cr.Affine(2)).build((6, 3), seed=0)
    trace = net.trace(RNG(0).standard_normal((2, 6, 3)).astype(np.float32), np.array([0, 1]))
    row = trace["0.RNN"]
    np.testing.assert_array_equal(row.state_gradients["h"][:, -1], row.dy)
    sizes = np.linalg.norm(row.state_gradients["h"], axis=2)
    assert (sizes[:, 0] < 0.5 * sizes[:, -1]).all()  # it vanishes on its way back
