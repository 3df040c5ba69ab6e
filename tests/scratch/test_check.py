"""`chainrule run --check`: the course's layers pass, and the mistake in a learner's layer is named."""

import re
from pathlib import Path

import numpy as np
import pytest

from chainrule.scratch import layers
from chainrule.scratch.check import check_layer, check_network
from chainrule.scratch.layercheck import PASSES
from chainrule.scratch.multi_layer_net_extend import MultiLayerNetExtend

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 6))
IMAGES = RNG.standard_normal((3, 2, 6, 5))
W, B = RNG.standard_normal((6, 5)), RNG.standard_normal(5)
FILTERS = RNG.standard_normal((3, 2, 3, 3))


class Multiply:
    """Two plain numbers in, two gradients out."""

    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        return dout * self.y, dout * self.x


class OwnGenerator:
    """Draws from its own generator, and stores its input under a name with a gradient beside it."""

    def __init__(self):
        self.rng = np.random.default_rng(1)
        self.x = self.dx = None

    def forward(self, x):
        self.x = x
        self.mask = self.rng.random(x.shape) > 0.5
        return x * self.mask

    def backward(self, dout):
        self.dx = dout * self.mask
        return self.dx


RIGHT = {
    "Affine": (layers.Affine(W, B), [X]),
    "Affine of float32": (layers.Affine(W.astype(np.float32), B.astype(np.float32)), [X.astype(np.float32)]),
    "Affine of images": (layers.Affine(RNG.standard_normal((60, 4)), np.zeros(4)), [IMAGES]),
    "Relu": (layers.Relu(), [X]),
    "Relu at zeros": (layers.Relu(), [X * (X > 0)]),
    "Sigmoid": (layers.Sigmoid(), [X]),
    "SoftmaxWithLoss": (layers.SoftmaxWithLoss(), [X, np.array([0, 3, 1, 5])]),
    "SoftmaxWithLoss of scores far apart": (layers.SoftmaxWithLoss(), [30 * X, np.array([0, 3, 1, 5])]),
    "SoftmaxWithLoss, one-hot": (layers.SoftmaxWithLoss(), [X, np.eye(6)[[0, 3, 1, 5]]]),
    "BatchNormalization": (layers.BatchNormalization(RNG.standard_normal(6), np.zeros(6)), [X]),
    "Dropout": (layers.Dropout(0.4), [X]),
    "Convolution": (layers.Convolution(FILTERS, np.zeros(3), 2, 1), [IMAGES]),
    "Pooling": (layers.Pooling(2, 2, 2), [IMAGES]),
    "Multiply": (Multiply(), [100, 1.5]),
    "OwnGenerator": (OwnGenerator(), [X]),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_layers_pass_and_stay_as_they_are(name):
    layer, arguments = RIGHT[name]
    state, before = np.random.get_state()[1].copy(), {key: np.copy(value) for key, value in vars(layer).items()}
    check = check_layer(layer, arguments)
    assert (check.failure, check.findings) == (None, ())
    expected = {"Affine": 3, "BatchNormalization": 3, "Convolution": 3, "Multiply": 2}
    assert len(check.rows) == expected.get(name.split()[0], 1)
    assert all(row.checked for row in check.rows)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    assert vars(layer).keys() == before.keys()
    for key, value in vars(layer).items():
        if key != "rng":
            np.testing.assert_array_equal(value, before[key])


def broken(kind, change):
    """A layer of the course with `change(layer, dx)` applied after its backward pass, which returns another dx."""

    class Broken(kind):
        def backward(self, dout):
            return change(self, dout.copy() if np.ndim(dout) else dout, super().backward(dout))

    return Broken


def assign(name, value):
    def change(layer, dout, dx):
        setattr(layer, name, value(layer, dout))
        return dx

    return change


@pytest.mark.parametrize(
    ("layer", "arguments", "gradient", "pattern"),
    [
        (broken(layers.Affine, assign("dW", lambda layer, dout: layer.dW.T))(W, B), [X], "dW", "transposed"),
        (broken(layers.Affine, assign("dW", lambda layer, dout: -layer.dW))(W, B), [X], "dW", "sign"),
        (broken(layers.Affine, assign("dW", lambda layer, dout: None))(W, B), [X], "dW", "missing"),
        (broken(layers.Affine, assign("db", lambda layer, dout: dout.sum(axis=1)))(W, B), [X], "db", "axis"),
        (broken(layers.Affine, assign("db", lambda layer, dout: dout.mean(axis=0)))(W, B), [X], "db", "over batch"),
        (broken(layers.Affine, assign("db", lambda layer, dout: dout))(W, B), [X], "db", "unsummed"),
        (broken(layers.Affine, lambda layer, dout, dx: None)(W, B), [X], "dx", "missing"),
        (broken(layers.Relu, lambda layer, dout, dx: dout * layer.mask)(), [X], "dx", "inverted"),
        (
            broken(layers.SoftmaxWithLoss, lambda layer, dout, dx: 4 * dx)(),
            [X, np.array([0, 3, 1, 5])],
            "dx",
            "times batch",
        ),
        (
            broken(layers.Sigmoid, lambda layer, dout, dx: layer.out * (1 - layer.out))(),
            [X],
            "dx",
            "dout",
        ),
        (
            broken(layers.BatchNormalization, lambda layer, dout, dx: dout * layer.gamma / layer.std)(np.ones(6), B[0]),
            [X],
            "dx",
            "statistics",
        ),
        (
            broken(layers.Convolution, assign("dW", lambda layer, dout: layer.dW[:, :, ::-1]))(FILTERS, np.zeros(3)),
            [IMAGES],
            "dW",
            "order",
        ),
    ],
)
def test_mistakes_are_told_by_name(layer, arguments, gradient, pattern):
    check = check_layer(layer, arguments)
    assert [(finding.name, finding.pattern) for finding in check.findings] == [(gradient, pattern)]


def test_two_gradients_that_are_exchanged():
    class Exchanged(Multiply):
        def backward(self, dout):
            return super().backward(dout)[::-1]

    assert [finding.pattern for finding in check_layer(Exchanged(), [100, 1.5]).findings] == ["swapped", "swapped"]


def test_gradients_that_only_backward_makes_and_one_that_it_forgets():
    class Late:
        def __init__(self, W, b):
            self.W, self.b, self.scale = W, b, np.full(5, 2.0)

        def forward(self, x):
            self.x = x
            return (x @ self.W + self.b) * self.scale

        def backward(self, dout):
            dout = dout * self.scale
            self.dW = self.x.T @ dout
            return dout @ self.W.T

    check = check_layer(Late(W, B), [X])
    assert [row.name for row in check.rows] == ["dx", "dW", "db"]
    assert [(finding.name, finding.pattern) for finding in check.findings] == [("db", "missing")]


def test_single_precision_within_a_layer_is_compared_with_wider_steps():
    class Coarse(layers.Sigmoid):
        def forward(self, x):
            return super().forward(x.astype(np.float32).astype(float))

    class Hidden(Coarse):
        def forward(self, x):
            return super().forward(x).astype(np.float64)

    class Wrong(Hidden):
        def backward(self, dout):
            return 1.1 * super().backward(dout)

    for right in (Coarse(), Hidden()):
        check = check_layer(right, [X])
        assert (check.ok, check.failure, len(check.rows)) == (True, None, 1)
    assert [finding.pattern for finding in check_layer(Wrong(), [X]).findings] == ["factor"]

    class Flat(layers.Relu):
        """Rounded to integers: nothing can be differentiated."""

        def forward(self, x):
            return np.round(super().forward(x))

    check = check_layer(Flat(), [X])
    assert (check.rows, check.produced) == ((), 1)
    assert [finding.pattern for finding in check.skipped] == ["noise"]


def test_what_does_not_take_the_small_batch_is_told():
    class Fixed(layers.Relu):
        def backward(self, dout):
            return dout.reshape(100, -1)

    assert check_layer(Fixed(), [X]).failure.startswith("ValueError: cannot reshape")


def test_networks():
    np.random.seed(0)
    net = MultiLayerNetExtend(6, [5], 3, use_batchnorm=True, use_dropout=True, weight_decay_lambda=0.1)
    t = np.array([0, 1, 2, 1])
    check = check_network(net, X, t)
    assert (check.failure, check.findings) == (None, ())
    assert [row.name for row in check.rows] == [f'gradient["{key}"]' for key in net.params if key != "b1"]
    # batch normalization subtracts what a preceding bias adds
    assert [(skipped.name, skipped.pattern) for skipped in check.skipped] == [('gradient["b1"]', "small")]

    class Undecayed(MultiLayerNetExtend):
        def gradient(self, x, t):
            return super().gradient(x, t) | {"W1": self.layers["Affine1"].dW}

    net = Undecayed(6, [5], 3, weight_decay_lambda=0.1)
    assert [finding.name for finding in check_network(net, X, t).findings] == ['gradient["W1"]']


SCRIPT = """\
import numpy as np
from common.layers import *
from own import MyAffine
from dataset.mnist import load_mnist


class MyRelu:
    def forward(self, x):
        self.mask = x <= 0
        return np.where(self.mask, 0, x)

    def backward(self, dout):
        return dout


class Net:
    def __init__(self):
        self.params = {"W": 0.01 * np.random.randn(784, 10), "b": np.zeros(10)}
        self.layers = [MyAffine(self.params["W"], self.params["b"]), MyRelu(), SoftmaxWithLoss()]

    def loss(self, x, t):
        return self.layers[2].forward(self.layers[1].forward(self.layers[0].forward(x)), t)

    def gradient(self, x, t):
        self.loss(x, t)
        dout = 1
        for layer in self.layers[::-1]:
            dout = layer.backward(dout)
        return {"W": self.layers[0].dW, "b": self.layers[0].db}


np.random.seed(0)
(x, t), _ = load_mnist()
net = Net()
for i in range(3):
    grads = net.gradient(x[100 * i: 100 * i + 100], t[100 * i: 100 * i + 100])
    print(i, np.random.rand(), sum(np.abs(g).sum() for g in grads.values()))
"""
OWN = """\
import numpy as np


class MyAffine:
    def __init__(self, W, b):
        self.W, self.b, self.dW, self.db = W, b, None, None

    def forward(self, x):
        self.x = x
        return np.dot(x, self.W) + self.b

    def backward(self, dout):
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout, axis=0)
        return np.dot(dout, self.W.T)
"""


@pytest.fixture
def script(tmp_path) -> Path:
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "net.py").write_text(SCRIPT)
    return tmp_path / "net.py"


def test_a_wrong_layer_of_a_script_is_found(script, chainrule):
    plain, checked = chainrule("run", script), chainrule("run", "--check", script)
    assert (plain.returncode, checked.returncode) == (0, 1)
    printed = plain.stdout.splitlines()
    lines = checked.stdout.splitlines()
    assert lines[: len(printed)] == printed  # the script's results are the same
    rows = {
        (name, gradient): line
        for line in lines
        if (m := re.match(r"(\w+) \(.*?\) +(d\w+) ", line))
        for name, gradient in [m.groups()]
    }
    assert {key: line.split()[-1] for key, line in rows.items()} == {
        ("SoftmaxWithLoss", "dx"): "ok",
        ("MyRelu", "dx"): "WRONG",
        ("MyAffine", "dx"): "ok",
        ("MyAffine", "dW"): "ok",
        ("MyAffine", "db"): "ok",
    }
    assert "MyAffine (own.py:12)" in rows["MyAffine", "db"]
    assert "SoftmaxWithLoss (chainrule)" in rows["SoftmaxWithLoss", "dx"]
    assert "MyRelu.backward (net.py:12): dx is dout itself" in checked.stdout
    assert lines[-2] == "Net.gradient (net.py:24): wrong as well, because its layers are: fix them first"
    assert lines[-1] == "7 of 7 gradients compared, 3 wrong"


def test_a_script_that_is_right(script, chainrule):
    script.write_text(SCRIPT.replace("return dout\n", "return np.where(self.mask, 0, dout)\n", 1))
    told = chainrule("run", "--check", "--language", "zh", script)
    assert told.returncode == 0, told.stdout
    assert told.stdout.splitlines()[-1] == "每个 backward 都是其 forward 的导数：7 个梯度比较了 7 个，全部一致"
    late = chainrule("run", script, "--check")
    assert late.returncode == 0
    assert (
        "--check is passed to the script; to use chainrule's, put it before the script: chainrule run --check net.py"
        in late.stderr
    )
    script.write_text("print('no layers')")
    assert "nothing was checked" in chainrule("run", "--check", script).stdout
    assert chainrule("run", "--check", "--language", "fr", script).returncode == 2


def test_chapter_scripts_with_plain_numbers(script, chainrule):
    """ch05's apples: layers of plain numbers, called by hand."""
    script.write_text(
        "class AddLayer:\n"
        "    def forward(self, x, y): return x + y\n"
        "    def backward(self, dout): return dout, -dout\n"
        "add = AddLayer()\nprint(add.forward(200, 450), add.backward(1.1))\n"
    )
    told = chainrule("run", "--check", script)
    assert told.returncode == 1
    assert "650 (1.1, -1.1)" in told.stdout
    assert "AddLayer.backward (net.py:3): dy has the wrong sign" in told.stdout


def test_the_report_comes_also_where_the_script_fails(script, chainrule):
    script.write_text(SCRIPT + "\n1 / 0\n")
    told = chainrule("run", "--check", script)
    assert "ZeroDivisionError" in told.stderr
    assert "MyRelu.backward (net.py:12): dx is dout itself" in told.stdout


def test_backward_by_keyword_and_layers_of_our_own_kind(script, chainrule):
    script.write_text(
        "import numpy as np, chainrule as cr\n"
        "class Loss:\n"
        "    def forward(self, y, t): self.y, self.t = y, t; return np.sum((y - t) ** 2) / 2\n"
        "    def backward(self, dout=1): return self.t - self.y\n"
        "class Double(cr.Layer):\n"
        "    def forward(self, x, *, train=False, rng=None): return 2 * x, None\n"
        "    def backward(self, dy, cache, *, input_gradient=True): return dy\n"
        "double, loss = Double(), Loss()\n"
        "y, cache = double.forward(np.ones((4, 2)))\n"
        "loss.forward(y, np.zeros((4, 2)))\n"
        "double.backward(loss.backward(dout=1), cache)\n"
    )
    told = chainrule("run", "--check", script)
    assert "Loss.backward (net.py:4): dy has the wrong sign" in told.stdout
    assert "Double" not in told.stdout


@pytest.mark.parametrize(("forward", "backward"), PASSES)
def test_passes_of_other_names_and_modules_of_odd_files(forward, backward, script, chainrule):
    text = """
import sys, types
import numpy as np

odd = types.ModuleType("odd")
odd.__file__ = object
sys.modules["odd"] = odd
import email.message


class Double:
    def forward_pass(self, x):
        return 2 * x

    def backward_pass(self, accum_grad):
        return 3 * accum_grad


layer = Double()
layer.backward_pass(layer.forward_pass(np.ones((2, 3))))
"""
    script.write_text(text.replace("forward_pass", forward).replace("backward_pass", backward))
    told = chainrule("run", "--check", script)
    assert told.returncode == 1, told.stderr
    assert f"Double.{backward} (net.py:15): dx is 1.5 times" in told.stdout, told.stdout
