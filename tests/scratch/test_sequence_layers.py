"""`chainrule run --check` on sequence layers: correct ones pass, and every bug planted in a learner's own is found."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from chainrule.scratch import time_layers, time_steps
from chainrule.scratch.check import check_layer

SOURCE = Path(__file__).with_name("sequence_layers.py").read_text("utf-8")
RNG = np.random.default_rng(0)


def drawn(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


X, H, XS = drawn(4, 6), drawn(4, 5), drawn(4, 3, 6)
IDX, WORDS = np.array([0, 3, 3, 1]), np.array([[0, 2, 2], [1, 2, 0], [5, 5, 5], [2, 1, 6]])
TS = np.array([[1, 0, -1], [2, 2, 2], [-1, -1, 3], [0, 1, -1]])
LAYERS = {
    "MatMul": ([(6, 5)], [X]),
    "Embedding": ([(7, 5)], [IDX]),
    "Softmax": ([], [X]),
    "SigmoidWithLoss": ([], [drawn(4), np.array([0, 1, 1, 0])]),
    "RNN": ([(6, 5), (5, 5), (5,)], [X, H]),
    "LSTM": ([(6, 20), (5, 20), (20,)], [X, H, drawn(4, 5)]),
    "GRU": ([(6, 15), (5, 15), (15,)], [X, H]),
    "TimeRNN": ([(6, 5), (5, 5), (5,)], [XS]),
    "TimeLSTM": ([(6, 20), (5, 20), (20,)], [XS]),
    "TimeEmbedding": ([(7, 5)], [WORDS]),
    "TimeAffine": ([(6, 5), (5,)], [XS]),
    "TimeSoftmaxWithLoss": ([], [drawn(4, 3, 5), TS]),
    "WeightSum": ([], [drawn(4, 3, 5), drawn(4, 3)]),
    "AttentionWeight": ([], [drawn(4, 3, 5), H]),
}
"""Shapes of parameters, and arguments of forward."""
BUGS = [
    ("MatMul", "np.dot(self.x.T, dout)", "np.dot(self.x.T, dout) / len(dout)"),
    ("Embedding", "np.add.at(dW, self.idx, dout)", "dW[self.idx] = dout"),
    ("Embedding", "np.add.at(dW, self.idx, dout)", "dW[self.idx] += dout"),
    ("Embedding", "        dW[...] = 0\n", "        dW[...] = 1\n"),
    ("Softmax", " - self.out * dx.sum(axis=1, keepdims=True)", ""),
    ("Softmax", "dx.sum(axis=1, keepdims=True)", "dx.sum(axis=0, keepdims=True)"),
    ("SigmoidWithLoss", " / self.t.shape[0]", ""),
    ("SigmoidWithLoss", "(self.y - self.t)", "(self.t - self.y)"),
    ("RNN", "dh_next * (1 - h_next**2)", "dh_next"),
    ("RNN", "(1 - h_next**2)", "(1 - h_next)"),
    ("RNN", "np.dot(h_prev.T, dt)", "np.dot(h_next.T, dt)"),
    ("RNN", "np.dot(dt, Wh.T)", "np.dot(dt, Wh)"),
    ("RNN", "np.dot(dt, Wx.T), np.dot(dt, Wh.T)", "np.dot(dt, Wx.T), dt"),
    ("TimeRNN", "dhs[:, t, :] + dh)", "dhs[:, t, :])"),
    ("TimeRNN", "grads[i] += grad", "grads[i] = grad"),
    ("TimeRNN", "for t in reversed(range(T)):", "for t in range(T):"),
    ("LSTM", "* i * (1 - i)", ""),
    ("LSTM", "* f * (1 - f)", ""),
    ("LSTM", "* o * (1 - o)", ""),
    ("LSTM", "* (1 - g**2)", ""),
    ("LSTM", "ds = dc_next + ", "ds = "),
    ("LSTM", " * (1 - tanh_c_next**2)", ""),
    ("LSTM", "dc_prev = ds * f", "dc_prev = ds"),
    ("LSTM", "do = dh_next * tanh_c_next", "do = dh_next * c_next"),
    ("LSTM", "np.hstack((df, dg, di, do))", "np.hstack((di, df, dg, do))"),
    ("LSTM", "dA.sum(axis=0)", "dA.mean(axis=0)"),
    ("TimeLSTM", "dhs[:, t, :] + dh, dc)", "dhs[:, t, :], dc)"),
    ("TimeLSTM", "dhs[:, t, :] + dh, dc)", "dhs[:, t, :] + dh, 0)"),
    ("TimeLSTM", "grads[i] += grad", "grads[i] = grad"),
    ("GRU", "dh_prev += r * dhr", "dh_prev += dhr"),
    ("GRU", "(h_hat - h_prev)", "h_hat"),
    ("GRU", "np.dot((r * h_prev).T, dt)", "np.dot(h_prev.T, dt)"),
    ("GRU", "dr = dhr * h_prev * r * (1 - r)", "dr = dhr * h_prev"),
    ("TimeEmbedding", "grad += self.layers[t].grads[0]", "grad = self.layers[t].grads[0]"),
    ("TimeAffine", "np.sum(dout, axis=0)", "np.sum(dout[: 5], axis=1)"),
    ("TimeAffine", "np.dot(rx.T, dout)", "np.dot(rx.T, dout) / T"),
    ("TimeSoftmaxWithLoss", "        dx *= mask[:, np.newaxis]\n", ""),
    ("TimeSoftmaxWithLoss", "dout / mask.sum()", "dout / (N * T)"),
    ("TimeSoftmaxWithLoss", "dout / mask.sum()", "dout"),
    ("WeightSum", "np.sum(dt * hs, axis=2)", "np.sum(dt * hs, axis=2) / hs.shape[1]"),
    ("WeightSum", "return dt * ar,", "return dt,"),
    ("AttentionWeight", "ds = self.softmax.backward(da)", "ds = da"),
    ("AttentionWeight", "return dt * hr,", "return dt * hs,"),
]
"""Bugs: the class, the text to replace, and its replacement."""


def module(source):
    names = {"__name__": "sequence_layers"}
    exec(source, names)
    return SimpleNamespace(**names)


def checked(classes, name, **options):
    shapes, arguments = LAYERS[name]
    layer = getattr(classes, name)(*(drawn(*shape) for shape in shapes), **options)
    return check_layer(layer, arguments, {}, above(layer.forward(*arguments)))


def above(out):
    """Return backward's arguments for a result of forward."""
    return [1.5] if np.ndim(out) == 0 else [drawn(*np.shape(one)) for one in listed(out)]


def listed(value):
    return list(value) if isinstance(value, tuple) else [] if value is None else [value]


@pytest.mark.parametrize("name", LAYERS)
def test_right_layers_pass(name):
    check = checked(module(SOURCE), name)
    assert (check.failure, check.findings) == (None, ())
    assert check.rows
    assert all(row.checked for row in check.rows)


@pytest.mark.parametrize("name", ["TimeRNN", "TimeLSTM"])
def test_layers_that_carry_their_state_on_pass(name):
    check = checked(module(SOURCE), name, stateful=True)
    assert (check.failure, check.findings) == (None, ())
    assert len(check.rows) >= 4


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug[0]}: {bug[2].strip()[:40]}")
def test_each_planted_bug_is_told(bug):
    name, right, wrong = bug
    before, head, rest = SOURCE.partition(f"class {name}:")
    own, end, after = rest.partition("\nclass ")
    forward, backward, body = own.partition("    def backward")
    assert right in body
    check = checked(module(before + head + forward + backward + body.replace(right, wrong) + end + after), name)
    assert check.findings, "not noticed"


@pytest.mark.parametrize("name", [name for name in LAYERS if hasattr(time_layers, name)])
def test_chainrules_layers_compute_what_the_readers_do_and_pass(name):
    shapes, arguments = LAYERS[name]
    params = [drawn(*shape) for shape in shapes]
    theirs, ours = (getattr(classes, name)(*map(np.copy, params)) for classes in (module(SOURCE), time_layers))
    outs = [layer.forward(*arguments) for layer in (theirs, ours)]
    upstream = above(outs[0])
    below = [layer.backward(*upstream) for layer in (theirs, ours)]
    for one, other in zip(*map(listed, outs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    for one, other in zip(*map(listed, below), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    for one, other in zip(theirs.grads, ours.grads, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    check = check_layer(ours, arguments, {}, upstream)
    assert (check.failure, check.findings) == (None, ())


def test_the_time_layers_are_loops_over_a_step():
    for whole, step in ((time_layers.TimeRNN, time_steps.RNN), (time_layers.TimeLSTM, time_steps.LSTM)):
        gates = 4 if step is time_steps.LSTM else 1
        params = [RNG.standard_normal(shape) for shape in ((6, gates * 5), (5, gates * 5), (gates * 5,))]
        state = [np.zeros((4, 5))] * (2 if gates == 4 else 1)
        hs = whole(*params).forward(XS.astype(float))
        for t in range(XS.shape[1]):
            out = step(*params).forward(XS[:, t], *state)
            state = list(out) if isinstance(out, tuple) else [out]
            np.testing.assert_allclose(hs[:, t], state[0], rtol=1e-12)
