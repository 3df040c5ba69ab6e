"""`run --check` on layers in other styles: wherever they store parameters and gradients, each gradient is compared."""

import numpy as np
import pytest

from chainrule.scratch.check import check_layer, check_network

RNG = np.random.default_rng(1)
X = RNG.standard_normal((4, 6))
W, B = RNG.standard_normal((6, 5)), RNG.standard_normal(5)
SQUARE = RNG.standard_normal((5, 5))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Lists:
    """The second book's style: params and grads are lists, grads are filled in place."""

    def __init__(self):
        self.params, self.grads = [W, B], [np.zeros_like(W), np.zeros_like(B)]

    def forward(self, x):
        self.x = x
        return x @ self.params[0] + self.params[1]

    def backward(self, dout):
        self.grads[0][...] = self.x.T @ dout
        self.grads[1][...] = dout.sum(axis=0)
        return dout @ self.params[0].T


class Dicts:
    def __init__(self):
        self.params, self.grads = {"weight": W, "bias": B}, {}

    def forward(self, x):
        self.x = x
        return x @ self.params["weight"] + self.params["bias"]

    def backward(self, dout):
        self.grads["weight"], self.grads["bias"] = self.x.T @ dout, dout.sum(axis=0)
        return dout @ self.params["weight"].T


class Accumulates:
    """Accumulates into gradients that start at nonzero values."""

    def __init__(self):
        self.W, self.b, self.W_grad, self.b_grad = W, B, np.ones_like(W), np.ones_like(B)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.W_grad += self.x.T @ dout
        self.b_grad = self.b_grad + dout.sum(axis=0)
        return dout @ self.W.T


class Parameter:
    def __init__(self, data):
        self.data, self.grad = data, None


class Objects:
    def __init__(self):
        self.w, self.c = Parameter(W), Parameter(B)

    def forward(self, x):
        self.x = x
        return x @ self.w.data + self.c.data

    def backward(self, dout):
        self.w.grad, self.c.grad = self.x.T @ dout, dout.sum(axis=0)
        return dout @ self.w.data.T


class Slots:
    __slots__ = ("bias", "gb", "gw", "w", "x")

    def __init__(self):
        self.w, self.bias = W, B

    def forward(self, x):
        self.x = x
        return x @ self.w + self.bias

    def backward(self, dout):
        self.gw, self.gb = self.x.T @ dout, dout.sum(axis=0)
        return dout @ self.w.T


class ReturnsDict:
    def __init__(self):
        self.W, self.b = W, B

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        return {"dx": dout @ self.W.T, "dW": self.x.T @ dout, "db": dout.sum(axis=0)}


class ReturnsParametersFirst(ReturnsDict):
    def backward(self, dout):
        dW = self.x.T @ dout
        db = dout.sum(axis=0)
        dx = dout @ self.W.T
        return dW, db, dx


class Caches:
    """Stores nothing on self: forward returns a cache and backward takes it."""

    def __init__(self):
        self.W, self.b = W, B

    def forward(self, x):
        return x @ self.W + self.b, (x, self.W)

    def backward(self, dout, cache):
        x, weights = cache
        return dout @ weights.T, x.T @ dout, dout.sum(axis=0)


class Recurrent:
    """A step of a recurrent network: two inputs, and parameters of equal shape (5, 5) and (5, 5)."""

    def __init__(self):
        self.params = [SQUARE, SQUARE.T + 1, B]
        self.grads = [np.zeros_like(p) for p in self.params]

    def forward(self, x, h_prev):
        Wx, Wh, b = self.params
        h = np.tanh(x @ Wx + h_prev @ Wh + b)
        self.cache = x, h_prev, h
        return h

    def backward(self, dh):
        Wx, Wh, _ = self.params
        x, h_prev, h = self.cache
        dt = dh * (1 - h**2)
        self.grads[0][...], self.grads[1][...], self.grads[2][...] = x.T @ dt, h_prev.T @ dt, dt.sum(axis=0)
        return dt @ Wx.T, dt @ Wh.T


class Overtime:
    """Unrolled over time: layers created in forward share the parameters; the state stays on the layer."""

    def __init__(self):
        self.params = [SQUARE, SQUARE.T + 1, B]
        self.grads = [np.zeros_like(p) for p in self.params]
        self.h = self.dh = None

    def forward(self, xs):
        self.layers, self.h, hs = [], np.zeros((len(xs), 5)), np.empty(xs.shape)
        for t in range(xs.shape[1]):
            layer = Recurrent()
            layer.params = self.params
            hs[:, t] = self.h = layer.forward(xs[:, t], self.h)
            self.layers.append(layer)
        return hs

    def backward(self, dhs):
        dxs, dh = np.empty_like(dhs), 0
        sums = [np.zeros_like(grad) for grad in self.grads]
        for t in reversed(range(dhs.shape[1])):
            dxs[:, t], dh = self.layers[t].backward(dhs[:, t] + dh)
            for i, grad in enumerate(self.layers[t].grads):
                sums[i] += grad
        for grad, total in zip(self.grads, sums, strict=True):
            grad[...] = total
        self.dh = dh
        return dxs


class Gated:
    """Two outputs, two upstream gradients, state as argument and result."""

    def __init__(self):
        self.W = SQUARE

    def forward(self, x, c):
        self.x, self.c = x, c
        self.g = sigmoid(x @ self.W)
        self.new = self.g * c
        return np.tanh(self.new), self.new

    def backward(self, dh, dc):
        dnew = dc + dh * (1 - np.tanh(self.new) ** 2)
        dg = dnew * self.c * self.g * (1 - self.g)
        self.dW = self.x.T @ dg
        return dg @ self.W.T, dnew * self.g


class Updates:
    def __init__(self):
        self.W, self.b, self.lr = W, B, 0.05

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        dx = dout @ self.W.T
        self.W = self.W - self.lr * self.x.T @ dout
        self.b = self.b - self.lr * dout.sum(axis=0)
        return dx


class Neuron:
    """Plain numbers as parameters."""

    def __init__(self):
        self.w, self.b = 0.5, -0.2

    def forward(self, x):
        self.x = x
        return self.w * x + self.b

    def backward(self, dout):
        self.dw, self.db = dout * self.x, dout
        return dout * self.w


class WholeNumbers:
    """Arrays of integers, as people type them."""

    def __init__(self):
        self.W = np.array([[1, 2], [3, 4], [5, 6]])

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.W.T


class Prints(Neuron):
    def forward(self, x):
        print("forward")
        return super().forward(x)


class TwoInputsInAList:
    def forward(self, xs):
        self.xs = xs
        return xs[0] * xs[1]

    def backward(self, dout):
        return [dout * self.xs[1], dout * self.xs[0]]


IMAGES3 = RNG.standard_normal((3, 4, 5))
ROWS5 = RNG.standard_normal((3, 5))
STYLES = {
    Lists: ([X], (1,), 3),
    Dicts: ([X], (1,), 3),
    Accumulates: ([X], (1,), 3),
    Objects: ([X], (1,), 3),
    Slots: ([X], (1,), 3),
    ReturnsDict: ([X], (1,), 3),
    ReturnsParametersFirst: ([X], (1,), 3),
    Recurrent: ([ROWS5, ROWS5 + 1], (1,), 5),
    Overtime: ([IMAGES3], (1,), 4),
    Gated: ([ROWS5, ROWS5 + 1], (ROWS5, ROWS5), 3),
    Updates: ([X], (1,), 3),
    Neuron: ([1.5], (1,), 3),
    WholeNumbers: ([np.array([[1, 0, 2]])], (1,), 2),
    Prints: ([1.5], (1,), 3),
    TwoInputsInAList: ([[X, X + 1]], (1,), 2),
}


@pytest.mark.parametrize("kind", STYLES)
def test_every_gradient_of_a_right_layer_is_compared(kind, capsys):
    arguments, upstream, count = STYLES[kind]
    check = check_layer(kind(), arguments, upstream=upstream)
    assert (check.failure, check.findings, check.constants) == (None, (), ())
    assert [finding.name for finding in check.skipped] == (["dh"] if kind is Overtime else [])  # forward starts afresh
    assert len(check.rows) == count
    assert capsys.readouterr().out == ""


def test_a_cache_that_forward_returns():
    layer = Caches()
    returned = layer.forward(X)
    check = check_layer(layer, [X], upstream=(np.ones((4, 5)), returned[1]), returned=returned)
    assert (check.failure, check.findings, check.skipped, len(check.rows)) == (None, (), (), 3)


@pytest.mark.parametrize(("kind", "which"), [(kind, which) for kind in STYLES for which in range(STYLES[kind][2])])
def test_each_of_its_gradients_is_told_when_it_is_wrong(kind, which):
    """Scale every produced gradient in turn by 1.01."""
    arguments, upstream, _ = STYLES[kind]
    names = [row.name for row in check_layer(kind(), arguments, upstream=upstream).rows]

    class Wrong(kind):
        __slots__ = ()

        def backward(self, *dout):
            spoiled = _Spoiled(self, names[which])
            return spoiled.after(super().backward(*dout))

    check = check_layer(Wrong(), arguments, upstream=upstream)
    assert [finding.name for finding in check.findings] == [names[which]]


class _Spoiled:
    """Change the named gradient: returned, stored on the layer, or the update made from it."""

    def __init__(self, layer, name):
        self.layer, self.name = layer, name
        update = name.removeprefix("update of ")
        self.before = getattr(layer, update).copy() if update != name else None

    def after(self, returned):
        layer, name = self.layer, self.name
        if self.before is not None:
            name = name.removeprefix("update of ")
            setattr(layer, name, self.before + 1.01 * (getattr(layer, name) - self.before))
        elif isinstance(layer, Accumulates) and name.endswith("_grad"):
            setattr(layer, name, 1 + 1.01 * (getattr(layer, name) - 1))
        elif isinstance(returned, dict):
            returned[name] = 1.01 * returned[name]
        elif isinstance(returned, tuple | list):
            order = {ReturnsParametersFirst: ["dW", "db", "dx"], TwoInputsInAList: ["dxs[0]", "dxs[1]"]}
            order |= {Recurrent: ["dx", "dh_prev"], Gated: ["dx", "dc"]}
            parts = next(order[kind] for kind in order if isinstance(layer, kind))
            if name in parts:
                return type(returned)(1.01 * v if p == name else v for p, v in zip(parts, returned, strict=True))
            self._attribute()
        elif name in ("dx", "dxs"):
            return 1.01 * returned
        else:
            self._attribute()
        return returned

    def _attribute(self):
        scope = {"layer": self.layer}
        exec(f"layer.{self.name} = layer.{self.name} * 1.01", scope)


def test_what_has_no_gradient_and_what_belongs_to_nothing_are_named():
    class Odd:
        def __init__(self):
            self.W, self.scale = W, np.full(5, 2.0)

        def forward(self, x):
            self.x = x
            return (x @ self.W) * self.scale

        def backward(self, dout):
            self.intermediate = dout * self.scale
            self.dW = self.x.T @ self.intermediate
            return self.intermediate @ self.W.T

    check = check_layer(Odd(), [X])
    assert [row.name for row in check.rows] == ["dx", "dW"]
    assert check.constants == ("scale",)
    assert [(finding.name, finding.pattern) for finding in check.skipped] == [("intermediate", "unmatched")]


@pytest.mark.parametrize(
    ("backward", "name", "pattern"),
    [
        ("return dout * self.x * (1 - self.x)", "dx", "input"),
        ("return dout * sigmoid(self.out) * (1 - sigmoid(self.out))", "dx", "argument"),
        ("return dout", "dx", "passed on"),
    ],
)
def test_a_derivative_of_the_wrong_argument(backward, name, pattern):
    scope = {"sigmoid": sigmoid}
    exec(
        "class Sigmoid:\n"
        "    def forward(self, x):\n        self.x, self.out = x, sigmoid(x)\n        return self.out\n"
        f"    def backward(self, dout):\n        {backward}\n",
        scope,
    )
    assert [(f.name, f.pattern) for f in check_layer(scope["Sigmoid"](), [X]).findings] == [(name, pattern)]


def test_an_activation_left_out_of_a_layer_that_has_one():
    class Dense:
        def __init__(self):
            self.W, self.b = W, B

        def forward(self, x):
            self.x, self.y = x, np.tanh(x @ self.W + self.b)
            return self.y

        def backward(self, dout):
            self.dW, self.db = self.x.T @ dout, (dout * (1 - self.y**2)).sum(axis=0)
            return (dout * (1 - self.y**2)) @ self.W.T

    assert [(f.name, f.pattern) for f in check_layer(Dense(), [X]).findings] == [("dW", "activation")]


@pytest.mark.parametrize(
    ("dx", "pattern"),
    [
        ("d - self.xn * (d * self.xn).mean(axis=0)", "mean term"),
        ("d - d.mean(axis=0)", "variance term"),
        ("d", "statistics"),
        ("d - d.mean(axis=0) - self.xn * (d * self.xn).mean(axis=0)", None),
    ],
)
def test_a_term_of_batch_normalization_left_out(dx, pattern):
    scope = {"np": np, "g": B}
    exec(
        "class Norm:\n"
        "    def __init__(self):\n        self.gamma = g\n"
        "    def forward(self, x):\n"
        "        self.std = np.sqrt(x.var(axis=0) + 1e-7)\n"
        "        self.xn = (x - x.mean(axis=0)) / self.std\n"
        "        return self.gamma * self.xn\n"
        "    def backward(self, dout):\n"
        "        self.dgamma = (dout * self.xn).sum(axis=0)\n"
        "        d = self.gamma * dout\n"
        f"        return ({dx}) / self.std\n",
        scope,
    )
    check = check_layer(scope["Norm"](), [RNG.standard_normal((7, 5))])
    assert [finding.pattern for finding in check.findings] == ([pattern] if pattern else [])


def test_dx_from_weights_that_were_updated_before():
    class Early(Updates):
        def backward(self, dout):
            super().backward(dout)
            return dout @ self.W.T

    assert [(f.name, f.pattern) for f in check_layer(Early(), [X]).findings] == [("dx", "updated")]


def test_a_mask_that_the_given_samples_do_not_show():
    """Pixels are never negative: new inputs are drawn with both signs."""

    class Relu:
        def forward(self, x):
            return np.maximum(x, 0)

        def backward(self, dout):
            return dout

    assert not check_layer(Relu(), [np.abs(X)]).ok


def test_equal_seeds_do_not_hide_a_product_with_the_wrong_array():
    class Relu:
        def forward(self, x):
            self.x = x
            return np.maximum(x, 0)

        def backward(self, dout):
            return dout * (dout > 0)

    for seed in range(5):
        x = np.random.default_rng(seed).standard_normal((4, 5))
        assert not check_layer(Relu(), [x], seed=seed).ok


def test_a_generator_of_the_module_and_one_out_of_reach():
    def layer(generator, draws):
        scope = {"np": np, "rng": generator, "draws": draws}
        exec(
            "class Dropout:\n"
            "    def forward(self, x):\n        self.mask = draws(x.shape) > 0.5\n        return x * self.mask\n"
            "    def backward(self, dout):\n        return dout * self.mask\n",
            scope,
        )
        return scope["Dropout"]()

    generator = np.random.default_rng(3)
    state = generator.bit_generator.state
    assert check_layer(layer(generator, generator.random), [X]).failure is None
    assert generator.bit_generator.state == state
    hidden = np.random.default_rng(3)
    check = check_layer(layer(None, lambda shape: hidden.random(shape)), [X])
    assert "it uses a random generator that cannot be reset" in check.failure


class Remembers:
    """Parameters whose shape depends on the first input; every call of forward is recorded in a list."""

    def __init__(self):
        self.parameters, self.gradients, self.inputs = {"W": None}, {"W": None}, []

    def forward(self, x):
        if self.parameters["W"] is None:
            self.parameters["W"], self.gradients["W"] = np.random.randn(x.shape[1], 5), np.zeros((x.shape[1], 5))
        self.inputs.append(x)
        return x @ self.parameters["W"]

    def backward(self, dout):
        self.gradients["W"] += self.inputs[0].T @ dout
        return dout @ self.parameters["W"].T


def test_a_layer_that_remembers_every_call_and_makes_its_parameters_late():
    layer = Remembers()
    layer.forward(X)
    check = check_layer(layer, [X[:3]])
    assert (check.failure, check.findings, check.skipped) == (None, (), ())
    assert [row.name for row in check.rows] == ["dx", 'gradients["W"]']


class Shared:
    """A network as a layer: one array occurs twice in params, and its gradient is the sum of two."""

    def __init__(self):
        self.left, self.right = Lists(), Lists()
        self.params = self.left.params + self.right.params
        self.grads = self.left.grads + self.right.grads

    def forward(self, x, t):
        self.t = t
        self.y = self.left.forward(x[:, 0]) + self.right.forward(x[:, 1])
        return ((self.y - t) ** 2).sum() / 2

    def backward(self, dout=1):
        d = dout * (self.y - self.t)
        self.left.backward(d)
        self.right.backward(d)


def test_weights_that_two_layers_share_in_a_network():
    check = check_layer(Shared(), [RNG.standard_normal((3, 2, 6)), RNG.standard_normal((3, 5))])
    assert (check.failure, check.findings, check.skipped) == (None, (), ())
    assert [row.name for row in check.rows] == ["grads[0] + grads[2]", "grads[1] + grads[3]"]


@pytest.mark.parametrize(
    ("gradient", "ok"),
    [
        ("self.loss(x, t)\n        return {'W': x.T @ (self.y - t)}", True),
        ("return {'W': x.T @ (self.y - t)}", False),  # left behind by another batch
        (
            "self.loss(x, t)\n        self.g = self.g + x.T @ (self.y - t)\n        return {'W': self.g}",
            False,
        ),  # accumulates
    ],
)
def test_a_network_whose_gradient_leans_on_what_was_there_before(gradient, ok):
    scope = {"W": W}
    exec(
        "class Net:\n"
        "    def __init__(self):\n        self.params, self.g = {'W': W}, 0\n"
        "    def loss(self, x, t):\n        self.y = x @ self.params['W']\n"
        "        return ((self.y - t) ** 2).sum() / 2\n"
        f"    def gradient(self, x, t):\n        {gradient}\n",
        scope,
    )
    net = scope["Net"]()
    t = RNG.standard_normal((4, 5))
    net.loss(X, t)
    check = check_network(net, X, t)
    assert (check.failure, check.ok) == (None, ok)


class Adam:
    def __init__(self):
        self.m = self.v = np.zeros(1)

    def step(self, gradient):
        self.m, self.v = self.m * 0.9 + gradient * 0.1, self.v * 0.99 + gradient**2 * 0.01
        return 0.01 * self.m / 0.1 / (np.sqrt(self.v / 0.01) + 1e-8)


class Adapts:
    """Other names for the two methods, and an update of the weights inside backward."""

    def __init__(self, optimizer=None, factor=1):
        self.W, self.optimizer, self.factor = W.copy(), optimizer, factor
        self.keep_probability = 0.8  # not a learning rate

    def forward_pass(self, x, training=True):
        self.x = x
        return x @ self.W

    def backward_pass(self, dout):
        dx, dW = dout @ self.W.T * self.factor, self.x.T @ dout
        self.W -= 0.1 * dW if self.optimizer is None else self.optimizer.step(dW)
        return dx


@pytest.mark.parametrize("optimizer", [None, Adam()])
@pytest.mark.parametrize("factor", [1, 2])
def test_an_update_by_adam_is_no_gradient(optimizer, factor):
    check = check_layer(Adapts(optimizer, factor), [X], {"training": True}, backward="backward_pass")
    assert check.failure is None
    assert [row.name for row in check.rows] == ["dx", "update of W"][: 1 if optimizer else 2]
    assert [row.ok for row in check.rows] == [factor == 1, True][: len(check.rows)]
    assert [(finding.name, finding.pattern) for finding in check.skipped] == (
        [("update of W", "divided")] if optimizer else []
    )


class LeavesAll:
    """Returns nothing and stores output and gradients in the layer, as in another book."""

    def __init__(self, factor=1):
        self.weights, self.factor = W.copy(), factor

    def forward(self, inputs, training=True):
        self.inputs = inputs
        self.output = inputs @ self.weights

    def backward(self, dvalues):
        self.dweights = self.inputs.T @ dvalues
        self.dinputs = self.factor * dvalues @ self.weights.T


class LossOfSamples:
    """A loss per sample, whose backward takes the predictions instead of a gradient."""

    def forward(self, y_pred, y_true):
        return -np.log(np.clip(y_pred, 1e-7, 1 - 1e-7)[range(len(y_pred)), y_true])

    def backward(self, dvalues, y_true):
        self.dinputs = -np.eye(dvalues.shape[1])[y_true] / dvalues / len(dvalues)


class WholeNetwork:
    """Backward takes the input, the target and the output, and does not say which loss it starts from."""

    def __init__(self):
        self.W = W.copy()

    def forward(self, x):
        return sigmoid(x @ self.W)

    def backward(self, x, y, output):
        self.W += x.T @ ((y - output) * output * (1 - output))


@pytest.mark.parametrize("factor", [1, 2])
def test_a_layer_that_returns_nothing(factor):
    check = check_layer(LeavesAll(factor), [X], {"training": True}, upstream=(np.ones((4, 5)),))
    assert (check.failure, check.skipped) == (None, ())
    assert [(row.name, row.ok) for row in check.rows] == [("dinputs", factor == 1), ("dweights", True)]


def test_a_loss_of_each_sample():
    probabilities = RNG.dirichlet(np.ones(3), 4)
    t = np.array([0, 2, 1, 1])
    check = check_layer(LossOfSamples(), [probabilities, t], upstream=(probabilities, t))
    assert (check.failure, check.findings, check.skipped, len(check.rows)) == (None, (), (), 1)


def test_a_network_that_starts_from_a_loss_of_its_own():
    net, y = WholeNetwork(), RNG.random((4, 5))
    output = net.forward(X)
    check = check_layer(net, [X], upstream=(X, y, output), returned=output)
    assert (check.failure, check.findings, check.rows) == (None, (), ())
    assert [finding.pattern for finding in check.skipped] == ["begins"]


class Decays:
    """Adds weight decay to its own gradients."""

    def __init__(self, factor=2):
        self.W, self.b, self.l2, self.factor = W.copy(), B.copy(), 0.01, factor

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout + self.factor * self.l2 * self.W
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


@pytest.mark.parametrize(("factor", "name", "ok"), [(2, "dW without weight decay", True), (3, "dW", False)])
def test_weight_decay_of_the_layer_is_apart(factor, name, ok):
    check = check_layer(Decays(factor), [X], upstream=(np.ones((4, 5)),))
    assert {row.name: row.ok for row in check.rows} == {"dx": True, name: ok, "db": True}


def test_a_layer_that_knows_its_neighbours_is_checked_alone():
    first, second = Lists(), Lists()
    first.next, second.prev = second, first
    for layer in (first, second):
        check = check_layer(layer, [X], upstream=(np.ones((4, 5)),))
        assert (check.failure, check.findings, check.skipped, len(check.rows)) == (None, (), (), 3)


@pytest.mark.parametrize("sign", [1, -1])
def test_an_update_that_an_input_of_zeros_does_not_show(sign):
    class Learns:
        def __init__(self):
            self.W = W.copy()

        def forward(self, x):
            self.x = x
            return x @ self.W

        def backward(self, dout, rate):
            dx = dout @ self.W.T
            self.W -= sign * rate * self.x.T @ dout
            return dx

    check = check_layer(Learns(), [np.zeros((1, 6))], upstream=(np.ones((1, 5)), 0.1))
    assert {row.name: row.ok for row in check.rows} == {"dx": True, "update of W": sign == 1}
