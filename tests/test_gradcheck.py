"""The checker itself is checked: it finds planted bugs, names kinks, and changes nothing."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import kernels
from chainrule.errors import OptionError

SHAPE = (5,)


class Broken(cr.Affine):
    """An Affine whose backward has one planted bug."""

    bug = "none"

    def backward(self, dy, cache, *, input_gradient=True):
        x, W, N = cache, self.W.value, len(dy)
        dW, db, dx = x.T @ dy, dy.sum(axis=0), dy @ W.T
        match self.bug:
            case "mean instead of sum":
                dW = dW / N
            case "bias gradient is the mean":
                db = db / N
            case "sign":
                dx = -dx
            case "upstream gradient ignored":
                dW = x.T @ np.ones_like(dy)
            case "bias ignores upstream":
                db = np.full_like(db, N)
            case "bias of the first sample only":
                db = dy[0]
            case "transposed input gradient":
                dx = (dy @ W.T)[:, ::-1]
            case "input gradient of the last sample":
                dx = np.broadcast_to(dx[-1], dx.shape)
            case "factor two":
                dW = 2 * dW
            case "forgotten weight gradient":
                dW = np.zeros_like(dW)
            case "one wrong element":
                dW[1, 2] += 0.01
            case "square of the input":
                dW = (x * x).T @ dy
        self.W.grad += dW
        self.b.grad += db
        return dx


BUGS = [
    "mean instead of sum",
    "bias gradient is the mean",
    "sign",
    "upstream gradient ignored",
    "bias ignores upstream",
    "bias of the first sample only",
    "transposed input gradient",
    "input gradient of the last sample",
    "factor two",
    "forgotten weight gradient",
    "one wrong element",
    "square of the input",
]


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bug_in_affine_is_found(bug):
    layer = Broken(4)
    layer.bug = bug
    report = cr.gradcheck(layer, shape=SHAPE)
    assert not report.ok
    assert "WRONG" in str(report)


def test_without_a_bug_all_is_well():
    assert cr.gradcheck(Broken(4), shape=SHAPE).ok


class Elementwise(cr.Layer):
    """y = f(x) with a given backward."""

    def __init__(self, forward, backward):
        self.function, self.derivative = forward, backward

    def forward(self, x, *, train=False, rng=None):
        return self.function(x), x

    def backward(self, dy, cache, *, input_gradient=True):
        return self.derivative(dy, cache)


@pytest.mark.parametrize(
    ("name", "forward", "backward"),
    [
        ("mask from the wrong side", lambda x: np.maximum(x, 0), lambda dy, x: dy * (x < 0)),
        ("mask of dy instead of x", lambda x: np.maximum(x, 0), lambda dy, x: dy * (dy > 0)),
        ("sigmoid of the input, not the output", np.tanh, lambda dy, x: dy * (1 - x * x)),
        ("softmax without the sum", None, None),
        ("reshape instead of transpose", None, None),
        ("NaN", np.sin, lambda dy, x: dy * np.nan),
    ],
)
def test_planted_bug_in_an_activation_is_found(name, forward, backward):
    def softmax(x):
        e = np.exp(x)
        return e / e.sum(axis=-1, keepdims=True)

    if name == "softmax without the sum":  # with an upstream gradient of ones, the true dx is 0 and this looks right
        forward, backward = softmax, lambda dy, x: softmax(x) * (dy - dy.mean(axis=-1, keepdims=True))
    if name == "reshape instead of transpose":
        forward = lambda x: np.swapaxes(x, 1, 2)  # noqa: E731
        backward = lambda dy, x: dy.reshape(x.shape)  # noqa: E731
    assert not cr.gradcheck(Elementwise(forward, backward), shape=(3, 4)).ok


class Convolution(cr.Conv2D):
    """A Conv2D whose backward has one planted bug."""

    bug = "none"

    def backward(self, dy, cache, *, input_gradient=True):
        x, W, stride, padding = cache, self.W.value, *self.reading()[:2]
        if self.bug == "swapped paddings":  # swaps height and width; the shapes still fit
            padding = padding[::-1]
        dW = kernels.conv_weight_gradient(x, dy, W.shape, stride, padding, 1)
        dx = kernels.conv_input_gradient(dy, W, x.shape, stride, padding, 1)
        match self.bug:
            case "flipped kernel":
                dx = kernels.conv_input_gradient(dy, W[:, :, ::-1, ::-1], x.shape, stride, padding, 1)
            case "flipped weight gradient":
                dW = dW[:, :, ::-1, ::-1]
            case "swapped axes of the kernel":
                dW = dW.swapaxes(2, 3)
            case "padding forgotten":
                dx = np.roll(dx, 1, axis=2)
            case "NHWC reshape":
                dx = dx.transpose(0, 2, 3, 1).reshape(dx.shape)
            case "missing 1 / N":
                dW = dW / len(x)
            case "bias summed over the batch only":
                self.b.grad += dy.sum(axis=0)[:, 0, 0]
        if self.bug != "bias summed over the batch only":
            self.b.grad += dy.sum(axis=(0, 2, 3))
        self.W.grad += dW
        return dx


CONVOLUTION_BUGS = [
    "swapped paddings",
    "flipped kernel",
    "flipped weight gradient",
    "swapped axes of the kernel",
    "padding forgotten",
    "NHWC reshape",
    "missing 1 / N",
    "bias summed over the batch only",
]


@pytest.mark.parametrize("bug", CONVOLUTION_BUGS)
def test_planted_bug_in_convolution_is_found(bug):
    layer = Convolution(3, 3, stride=3, padding=(1, 0))
    layer.bug = bug
    assert not cr.gradcheck(layer, shape=(2, 6, 6)).ok


class Normalisation(cr.BatchNorm):
    """A BatchNorm whose backward has one planted bug."""

    bug = "none"

    def backward(self, dy, cache, *, input_gradient=True):
        _, x, mean, inverse_std = cache
        gamma, count = self.gamma.value, len(x)
        dy = dy.reshape(x.shape)
        h = (x - mean[:, None]) * inverse_std[:, None]
        dgamma, dbeta = (dy * h).sum(axis=(0, 2)), dy.sum(axis=(0, 2))
        through_mean, through_variance = (dbeta / count)[:, None], h * (dgamma / count)[:, None]
        match self.bug:
            case "dropped term of the mean":
                through_mean = 0
            case "dropped term of the variance":
                through_variance = 0
            case "gamma forgotten":
                gamma = np.ones_like(gamma)
            case "divided by one less":
                through_mean = through_mean * count / (count - 1)
            case "gamma's gradient from x":
                dgamma = (dy * x).sum(axis=(0, 2))
            case "epsilon forgotten":
                inverse_std = 1 / np.sqrt(1 / inverse_std**2 - self.epsilon)
        self.gamma.grad += dgamma
        self.beta.grad += dbeta
        return ((gamma * inverse_std)[:, None] * (dy - through_mean - through_variance)).reshape(len(x), -1)


NORMALISATION_BUGS = [
    "dropped term of the mean",
    "dropped term of the variance",
    "gamma forgotten",
    "divided by one less",
    "gamma's gradient from x",
    "epsilon forgotten",
]


@pytest.mark.parametrize("bug", NORMALISATION_BUGS)
def test_planted_bug_in_batch_norm_is_found(bug):
    layer = Normalisation(epsilon=1e-3)
    layer.bug = bug
    assert not cr.gradcheck(layer, shape=(3,), train=True).ok


def test_without_a_bug_these_are_well_too():
    assert cr.gradcheck(Convolution(3, 3, stride=3, padding=(1, 0)), shape=(2, 6, 6)).ok
    assert cr.gradcheck(Normalisation(epsilon=1e-3), shape=(3,), train=True).ok


class OtherMask(cr.Dropout):
    """Draws a new mask in backward."""

    def backward(self, dy, cache, *, input_gradient=True):
        return dy * (np.random.default_rng(5).random(dy.shape) >= self.rate) / (1 - self.rate)


class Unscaled(cr.Dropout):
    """Forgets to divide by 1 - rate."""

    def backward(self, dy, cache, *, input_gradient=True):
        return dy * cache


class LastOnly(cr.Parallel):
    """Keeps one branch's gradient instead of the sum."""

    def backward(self, dy, cache, *, input_gradient=True):
        return self.branches[-1].backward(dy, cache[0][-1])


class ThroughOnly(cr.Residual):
    """Forgets the shortcut."""

    def backward(self, dy, cache, *, input_gradient=True):
        return super().backward(dy, cache) - dy


class Overwriting(cr.Embedding):
    """If several positions look up one row, only the last one counts."""

    def backward(self, dy, cache, *, input_gradient=True):
        self.W.grad[cache] = dy


class EveryWinner(cr.MaxPool2D):
    """Spreads the gradient over all pixels of the window."""

    def backward(self, dy, cache, *, input_gradient=True):
        return (dy / 4).repeat(2, axis=2).repeat(2, axis=3)


@pytest.mark.parametrize(
    ("layer", "options"),
    [
        (OtherMask(0.5), {"shape": (5,), "train": True}),
        (Unscaled(0.5), {"shape": (5,), "train": True}),
        (LastOnly(cr.Tanh(), cr.Sigmoid(), join="sum"), {"shape": (5,)}),
        (ThroughOnly(cr.Tanh()), {"shape": (5,)}),
        (Overwriting(3, 2), {"inputs": np.array([[0, 1, 1], [2, 1, 0]])}),
        (EveryWinner(2), {"shape": (1, 4, 4)}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, cr.Layer) else "",
)
def test_planted_bug_in_other_layers_is_found(layer, options):
    assert not cr.gradcheck(layer, **options).ok


def test_a_place_without_a_derivative_is_named():
    """All four pixels of the window are equal: the left and right slopes differ, and neither is wrong."""
    report = cr.gradcheck(cr.MaxPool2D(2), inputs=np.zeros((1, 1, 2, 2)))
    assert report.ok
    assert report.rows[0].kinks == tuple((0, 0, i, j) for i in range(2) for j in range(2))


def test_a_wrong_derivative_on_a_steep_curve_is_no_kink():
    """x^2 has high curvature here: the one-sided slopes differ, but less with a smaller step."""
    layer = Elementwise(lambda x: 1e4 * x**2, lambda dy, x: dy * 2.1e4 * x)
    report = cr.gradcheck(layer, inputs=np.array([[0.5, 1e-6, -2.0]]))
    assert not report.ok
    assert report.rows[0].kinks == ()


def test_kink_is_named_not_hidden_and_not_an_error():
    x = np.array([[3e-6, 1.0, -1.0, 2.0]])  # the probe of x[0, 0] crosses zero, a smaller one does not
    report = cr.gradcheck(cr.ReLU(), inputs=x)
    (row,) = report.rows
    assert report.ok
    assert row.kinks == ((0, 0),)
    assert "[0, 0]" in str(report)


def test_a_wrong_derivative_is_no_kink():
    layer = Elementwise(lambda x: np.maximum(x, 0), lambda dy, x: dy * (x > 0) * 1.001)
    report = cr.gradcheck(layer, inputs=np.array([[1.0, 2.0, -1.0]]))
    assert not report.ok
    assert report.rows[0].kinks == ()


def test_zero_gradient_is_right_when_it_is_zero():
    assert cr.gradcheck(Elementwise(lambda x: 0 * x, lambda dy, x: 0 * dy), shape=(3,)).ok


def test_large_arrays_are_sampled_and_the_report_says_so():
    report = cr.gradcheck(cr.models.two_layer().build((1, 28, 28), seed=0), sample=50)
    rows = {row.name: row for row in report.rows}
    assert report.ok
    assert list(rows) == ["input", "2.Affine.W", "2.Affine.b", "4.Affine.W", "4.Affine.b"]
    assert rows["2.Affine.W"].checked == 50
    assert rows["4.Affine.b"].checked == 10
    assert "50 of 39,200" in str(report)


def test_checking_changes_nothing():
    net = cr.Sequential(cr.Affine(3), cr.Tanh(), cr.Affine(2)).build((4,), seed=0)
    before = net.values.copy(), net.gradients.copy()
    cr.gradcheck(net)
    np.testing.assert_array_equal(net.values, before[0])
    np.testing.assert_array_equal(net.gradients, before[1])
    layer = cr.Affine(3)
    cr.gradcheck(layer, shape=(2,))
    assert not layer.parameters


def test_whole_objective_with_loss():
    net = cr.Sequential(cr.Affine(6), cr.ReLU(), cr.Affine(3)).build((4,), seed=0)
    x = np.random.default_rng(0).standard_normal((5, 4))
    assert cr.gradcheck(net, inputs=x, labels=np.array([0, 1, 2, 0, 1]), loss=cr.SoftmaxCrossEntropy()).ok


def test_layer_of_unknown_shape():
    with pytest.raises(OptionError, match=r"gradcheck needs the input's shape for Affine\(3\)"):
        cr.gradcheck(cr.Affine(3))


class Sine(cr.Layer):
    """Its backward is passed as a function, right or wrong."""

    def __init__(self, way):
        self.way = way

    def build(self, shape, rng):
        self.b = cr.Parameter(np.full(shape, 0.3, np.float32))
        return shape

    def forward(self, x, *, train=False, rng=None):
        return np.sin(x + self.b.value), x

    def backward(self, dy, cache, *, input_gradient=True):
        return self.way(self, dy, cache, dy * np.cos(cache + self.b.value), input_gradient)


def right(layer, dy, x, dx, input_gradient):
    layer.b.grad += dx.sum(axis=0)
    return dx


def after(way):
    """A correct backward with `way` applied to dx."""

    def backward(layer, dy, x, dx, input_gradient):
        right(layer, dy, x, dx, input_gradient)
        return way(dx)

    return backward


def assigns(layer, dy, x, dx, input_gradient):
    layer.b.grad = dx.sum(axis=0)
    return dx


def only_with_input(layer, dy, x, dx, input_gradient):
    return right(layer, dy, x, dx if input_gradient else 2 * dx, input_gradient)


def writes(layer, dy, x, dx, input_gradient):
    x *= 2
    return right(layer, dy, x, dx, input_gradient)


@pytest.mark.parametrize(
    ("way", "row"),
    [
        (right, None),
        (after(lambda dx: None), "input"),
        (after(lambda dx: dx[:, :1]), "input"),
        (after(lambda dx: dx[:1]), "input"),
        (after(lambda dx: (dx,)), "input"),
        (after(lambda dx: dx.sum()), "input"),
        (after(lambda dx: np.concatenate([dx] * 2)), "input"),
        (after(lambda dx: dx * np.inf), "input"),
        (after(lambda dx: np.where(dx > 0, np.nan, dx)), "input"),
        (assigns, "b"),
        (only_with_input, "b, input_gradient=False"),
        (writes, "input, written to"),
    ],
)
def test_what_backward_leaves_undone_is_wrong_and_no_error(way, row):
    with np.errstate(invalid="ignore"):
        report = cr.gradcheck(Sine(way), shape=(3,), batch=4)
    assert [wrong.name for wrong in report.rows if not wrong.ok] == ([row] if row else [])
    assert ("WRONG" in str(report)) is bool(row)


def test_inputs_from_an_equal_seed_do_not_hide_a_product_with_the_wrong_array():
    class Relu(cr.Layer):
        def forward(self, x, *, train=False, rng=None):
            return np.maximum(x, 0), x

        def backward(self, dy, cache, *, input_gradient=True):
            return dy * (dy > 0)

    for seed in range(5):
        assert not cr.gradcheck(Relu(), inputs=np.random.default_rng(seed).standard_normal((4, 5)), seed=seed).ok


def test_a_loss_that_gives_no_gradient_of_this_shape():
    def loss(y, labels):
        return 0.0, None

    with pytest.raises(cr.errors.OptionError, match="must return \\(loss, gradient\\)"):
        cr.gradcheck(cr.Affine(2), inputs=np.ones((3, 2)), loss=loss, labels=np.zeros(3, int))


def test_a_gradient_of_zeros_throughout_is_not_counted_as_compared():
    """Where every unit is dead, a wrong backward pass gives zeros as well: nothing was told apart."""
    dead = cr.Sequential(cr.Affine(3), cr.ReLU())
    dead.build((2,))
    dead.parameters["0.Affine.b"].value -= 100
    report = cr.gradcheck(dead, inputs=np.ones((4, 2)), perturb=0)
    assert report.ok
    assert report.compared == 0
    assert "too small to tell" in str(report)
