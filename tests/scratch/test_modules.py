"""The course's modules behave as its scripts expect: names, aliasing, quirks, and the same gradients."""

import numpy as np
import pytest

from chainrule.errors import DataError
from chainrule.scratch import functions, gradient, layers, optimizer, util
from chainrule.scratch.dataset.mnist import load_mnist
from chainrule.scratch.load_data import get_data
from chainrule.scratch.multi_layer_net import MultiLayerNet
from chainrule.scratch.multi_layer_net_extend import MultiLayerNetExtend
from chainrule.scratch.trainer import Trainer

RNG = np.random.default_rng(0)


def test_star_import_carries_what_scripts_use():
    names: dict = {}
    exec("from chainrule.scratch.layers import *", names)
    assert {"np", "Relu", "Sigmoid", "Affine", "SoftmaxWithLoss", "softmax", "cross_entropy_error", "sigmoid"} <= set(
        names
    )
    exec("from chainrule.scratch.optimizer import *", names := {})
    assert {"np", "SGD", "Momentum"} <= set(names)
    exec("from chainrule.scratch.functions import *", names := {})
    assert {"np", "identity_function", "step_function", "relu_grad", "sigmoid_grad", "mean_squared_error"} <= set(names)


def check(layer, x: np.ndarray) -> None:
    """Compare a layer's backward with the numerical gradient of a random projection."""
    dout = RNG.standard_normal(layer.forward(x).shape)
    numerical = gradient.numerical_gradient(lambda _: np.sum(layer.forward(x) * dout), x)
    layer.forward(x)
    np.testing.assert_allclose(layer.backward(dout.copy()), numerical, atol=1e-6)


def test_gradients_of_the_layers():
    check(layers.Relu(), RNG.standard_normal((3, 4)))
    check(layers.Sigmoid(), RNG.standard_normal((3, 4)))
    check(layers.Tanh(), RNG.standard_normal((3, 4)))
    affine = layers.Affine(RNG.standard_normal((12, 5)), RNG.standard_normal(5))
    x = RNG.standard_normal((3, 3, 4))  # N-D input is flattened, and its gradient has the original shape
    check(affine, x)
    dout = RNG.standard_normal((3, 5))
    affine.forward(x)
    affine.backward(dout)
    for array, analytic in ((affine.W, affine.dW), (affine.b, affine.db)):
        numerical = gradient.numerical_gradient(lambda _: np.sum(affine.forward(x) * dout), array)
        np.testing.assert_allclose(analytic, numerical, atol=1e-6)


@pytest.mark.parametrize("form", ["indices", "one-hot", "column"])
def test_softmax_with_loss(form):
    x, t = RNG.standard_normal((4, 3)), np.array([0, 2, 1, 1])
    t = {"indices": t, "one-hot": np.eye(3)[t], "column": t.reshape(-1, 1)}[form]
    layer = layers.SoftmaxWithLoss()
    numerical = gradient.numerical_gradient(lambda _: layer.forward(x, t), x)
    loss = layer.forward(x, t)
    assert layer.loss == loss == functions.cross_entropy_error(layer.y, t)
    np.testing.assert_allclose(layer.backward(), numerical, atol=1e-6)
    np.testing.assert_allclose(layer.y.sum(axis=1), 1)


def test_layers_hold_the_arrays_they_are_given():
    W, b = np.zeros((2, 2)), np.zeros(2)
    affine = layers.Affine(W, b)
    W += 1
    assert affine.forward(np.ones((1, 2))).tolist() == [[2, 2]]
    params = {"b": b}
    optimizer.SGD(lr=0.5).update(params, {"b": np.ones(2)})
    assert affine.b.tolist() == [-0.5, -0.5]


def test_relu_backward_writes_into_dout_as_the_lesson_does():
    relu, dout = layers.Relu(), np.ones((1, 2))
    relu.forward(np.array([[-1.0, 1.0]]))
    assert relu.backward(dout) is dout
    assert dout.tolist() == [[0, 1]]
    assert relu.mask.tolist() == [[True, False]]


def test_numerical_gradient_moves_x_itself_and_puts_it_back():
    x = np.array([[3.0, 4.0]])
    before = x.copy()
    np.testing.assert_allclose(gradient.numerical_gradient(lambda _: np.sum(x**2), x), [[6, 8]], rtol=1e-6)
    np.testing.assert_array_equal(x, before)
    with pytest.raises(DataError, match="needs floating-point numbers, got int64"):
        gradient.numerical_gradient(lambda _: 0.0, np.array([1, 2]))


def test_optimizers_take_plain_numbers():
    for kind, expected in ((optimizer.SGD, [-0.1, -0.2]), (optimizer.Momentum, [-0.1, -0.29])):
        params, steps, update = {"x": 0.0}, [], kind(lr=0.1)
        for _ in range(2):
            update.update(params, {"x": 1.0})
            steps.append(params["x"])
        np.testing.assert_allclose(steps, expected)


def test_functions():
    x = np.array([-1000.0, 0.0, 1000.0])
    np.testing.assert_allclose(functions.sigmoid(x), [0, 0.5, 1])
    assert functions.step_function(x).tolist() == [0, 0, 1]
    assert functions.relu(x).tolist() == [0, 0, 1000]
    assert functions.relu_grad(x).tolist() == [0, 1, 1]
    np.testing.assert_allclose(functions.sigmoid_grad(np.array([0.0])), [0.25])
    np.testing.assert_allclose(functions.softmax(np.array([1.0, 1.0])), [0.5, 0.5])
    np.testing.assert_allclose(functions.softmax(np.array([[1000.0, 1000.0]])), [[0.5, 0.5]])
    y = np.array([0.1, 0.9])
    for t in (np.array(1), np.array([0, 1])):  # 1-D probabilities, index or one-hot
        assert functions.cross_entropy_error(y, t) == pytest.approx(-np.log(0.9 + 1e-7))
    assert functions.sum_squared_error(y, np.array([0, 1])) == pytest.approx(0.01)
    assert functions.mean_squared_error is functions.sum_squared_error
    assert functions.softmax_loss(np.array([[0.0, 0.0]]), np.array([1])) == pytest.approx(np.log(2), abs=1e-6)
    assert functions.identity_function(x) is x


def test_activations_of_the_chinese_course():
    """Known values, slopes, extremes without a warning (an error here), scalars and integers."""
    known = {
        functions.tanh: (0.76159415595576489, lambda x: 1 / np.cosh(x) ** 2, (-1, 1)),
        functions.softplus: (1.31326168751822283, functions.sigmoid, (0, 1000)),
        functions.swish: (
            0.73105857863000488,
            lambda x: functions.sigmoid(x) * (1 + x * functions.sigmoid(-x)),
            (0, 1000),
        ),
        functions.leaky_relu: (1, lambda x: np.where(x > 0, 1, 0.01), (-10, 1000)),
    }
    x = RNG.standard_normal((3, 4))
    for function, (at_one, slope, ends) in known.items():
        assert float(function(1)) == pytest.approx(at_one, rel=1e-15)
        np.testing.assert_allclose(gradient.numerical_diff(function, x), slope(x), atol=1e-7)
        np.testing.assert_allclose(function(np.array([-1000, 1000])), ends, atol=1e-12)
        np.testing.assert_allclose(function(x.astype(np.float32)), function(x), rtol=1e-5, atol=1e-7)
    assert functions.leaky_relu(-2.0, 0.5) == -1


def test_tanh_remembers_its_output():
    layer = layers.Tanh()
    out = layer.forward(np.array([[0.0, -1000.0]]))
    assert layer.out is out
    assert out.tolist() == [[0, -1]]
    assert layer.backward(np.array([[3.0, 2.0]])).tolist() == [[3, 0]]


def test_util():
    curve = util.smooth_curve([1.0] * 30)
    np.testing.assert_allclose(curve, np.ones(30))
    x, t = np.arange(10)[:, None], np.arange(10)
    shuffled, labels = util.shuffle_dataset(x, t)
    assert (shuffled[:, 0] == labels).all()
    assert sorted(labels) == list(range(10))


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("flatten", [True, False])
@pytest.mark.parametrize("one_hot", [True, False])
def test_load_mnist(mnist, normalize, flatten, one_hot):
    (x_train, t_train), (x_test, t_test) = load_mnist(normalize=normalize, flatten=flatten, one_hot_label=one_hot)
    assert x_train.shape == ((60000, 784) if flatten else (60000, 1, 28, 28))
    assert x_test.dtype == (np.float32 if normalize else np.uint8)
    assert x_test.max() == (1 if normalize else 255)
    assert t_test.shape == ((10000, 10) if one_hot else (10000,))
    assert t_test.dtype == (np.float64 if one_hot else np.uint8)
    labels = t_train.argmax(axis=1) if one_hot else t_train
    np.testing.assert_array_equal(labels, mnist[0].y)


def numerical_of(layer, array: np.ndarray, x: np.ndarray, dout: np.ndarray, *options) -> np.ndarray:
    return gradient.numerical_gradient(lambda _: np.sum(layer.forward(x, *options) * dout), array)


@pytest.mark.parametrize(("stride", "pad"), [(1, 0), (2, 1)])
def test_convolution_is_that_of_columns(stride, pad):
    x, W, b = RNG.standard_normal((2, 3, 7, 6)), RNG.standard_normal((4, 3, 3, 2)), RNG.standard_normal(4)
    layer = layers.Convolution(W, b, stride, pad)
    out = layer.forward(x)
    size = [int(util.conv_output_size(n, k, stride, pad)) for n, k in zip(x.shape[2:], W.shape[2:], strict=True)]
    by_columns = (layer.col @ layer.col_W + b).reshape(2, *size, 4).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(out, by_columns, atol=1e-10)
    dout = RNG.standard_normal(out.shape)
    dx = layer.backward(dout)
    for array, found in ((x, dx), (W, layer.dW), (b, layer.db)):
        np.testing.assert_allclose(found, numerical_of(layer, array, x, dout), atol=1e-6)
    assert layers.Convolution(W, 0).forward(x).shape == (2, 4, 5, 5)  # a filter without bias


def test_columns_go_back_where_they_came_from():
    x = RNG.standard_normal((2, 3, 6, 5)).astype(np.float32)
    col = util.im2col(x, 3, 2, stride=1, pad=1)
    assert (col.shape, col.dtype) == ((2 * 6 * 6, 18), np.float64)
    counts = util.col2im(np.ones_like(col), x.shape, 3, 2, stride=1, pad=1)
    np.testing.assert_allclose(util.col2im(col, x.shape, 3, 2, stride=1, pad=1), x * counts, rtol=1e-6)


def test_pooling():
    layer, x = layers.Pooling(2, 2, stride=2), RNG.standard_normal((2, 3, 4, 6))
    out = layer.forward(x)
    np.testing.assert_array_equal(out, x.reshape(2, 3, 2, 2, 3, 2).max(axis=(3, 5)))
    assert layer.arg_max.shape == (2 * 2 * 3 * 3,)
    dout = RNG.standard_normal(out.shape)
    np.testing.assert_allclose(layer.backward(dout), numerical_of(layer, x, x, dout), atol=1e-6)


@pytest.mark.parametrize("shape", [(6, 5), (4, 2, 3, 3)])
def test_batch_normalization(shape):
    size = int(np.prod(shape[1:]))
    gamma, beta = RNG.standard_normal(size), RNG.standard_normal(size)
    layer, x = layers.BatchNormalization(gamma, beta), RNG.standard_normal(shape)
    out = layer.forward(x, True)
    rows = x.reshape(len(x), -1)
    np.testing.assert_allclose(layer.running_mean, 0.1 * rows.mean(axis=0))
    np.testing.assert_allclose(layer.running_var, 0.1 * rows.var(axis=0))
    dout = RNG.standard_normal(shape)
    dx = layer.backward(dout)
    found = {"x": (x, dx), "gamma": (gamma, layer.dgamma), "beta": (beta, layer.dbeta)}
    for array, analytic in found.values():
        np.testing.assert_allclose(analytic, numerical_of(layer, array, x, dout, True), atol=1e-5)
    assert layer.batch_size == len(x)
    mean, variance = layer.running_mean, layer.running_var
    expected = gamma * (rows - mean) / np.sqrt(variance + 10e-7) + beta
    np.testing.assert_allclose(layer.forward(x, False).reshape(len(x), -1), expected)
    assert out.shape == shape


def test_dropout_is_not_inverted_and_draws_as_the_lesson_does():
    layer, x = layers.Dropout(0.3), np.ones((4, 5))
    np.random.seed(3)
    out = layer.forward(x)
    np.random.seed(3)
    np.testing.assert_array_equal(out, np.random.rand(4, 5) > 0.3)
    np.testing.assert_array_equal(layer.backward(np.full((4, 5), 2.0)), 2.0 * layer.mask)
    np.testing.assert_allclose(layer.forward(x, train_flg=False), 0.7)


RULES = {
    "Nesterov": lambda g: [-0.19 * g, -0.19 * g - 0.19 * g - 0.081 * g],
    "AdaGrad": lambda g: [-0.1, -0.1 - 0.1 / np.sqrt(2)],
    "RMSprop": lambda g: [-0.1 / np.sqrt(0.01), -0.1 / np.sqrt(0.01) - 0.1 / np.sqrt(0.0199)],
    "Adam": lambda g: [-0.1, -0.2],
}


@pytest.mark.parametrize("name", RULES)
def test_optimizers_by_closed_forms_on_arrays_and_numbers(name):
    for value in (np.zeros(3), 0.0):
        params, steps, kind = {"x": value}, [], getattr(optimizer, name)(lr=0.1)
        held = params["x"]
        for _ in range(2):
            kind.update(params, {"x": np.full(3, 1.0) if isinstance(value, np.ndarray) else 1.0})
            steps.append(float(np.mean(params["x"])))
        np.testing.assert_allclose(steps, RULES[name](1.0), rtol=1e-5)
        if isinstance(value, np.ndarray):
            assert params["x"] is held  # updated in place, because a layer holds it


def test_names_of_the_chinese_course():
    assert optimizer.RMSProp(lr=0.1, alpha=0.8).decay_rate == optimizer.RMSProp(decay=0.8).decay_rate == 0.8
    adam = optimizer.Adam(lr=0.01, alpha1=0.8, alpha2=0.99)
    assert (adam.beta1, adam.beta2) == (0.8, 0.99)
    assert functions.identity is functions.identity_function
    assert functions.cross_entropy is functions.cross_entropy_error
    assert gradient.numerical_diff(lambda x: x**2, 3.0) == pytest.approx(6)
    np.testing.assert_allclose(
        gradient.numerical_gradient_2d(lambda x: np.sum(x**2), np.array([[1.0, 2], [3, 4]])),
        [[2, 4], [6, 8]],
        rtol=1e-6,
    )


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
@pytest.mark.parametrize("batchnorm", [False, True])
def test_deep_networks_have_the_gradients_of_their_loss(activation, batchnorm):
    np.random.seed(0)
    net = MultiLayerNetExtend(
        6,
        [5, 4],
        3,
        activation=activation,
        weight_init_std=activation,
        weight_decay_lambda=0.1,
        use_batchnorm=batchnorm,
    )
    keys = ["Affine1", *(["BatchNorm1"] if batchnorm else []), "Activation_function1", "Affine2"]
    assert [key for key in net.layers if key in keys] == keys
    for key in net.params:
        net.params[key] += 0.1 * RNG.standard_normal(net.params[key].shape)
    x, t = RNG.standard_normal((7, 6)), RNG.integers(0, 3, 7)
    slow, fast = net.numerical_gradient(x, t), net.gradient(x, t)
    assert slow.keys() == fast.keys() == net.params.keys()
    for key, expected in slow.items():
        # the loss is log(p + 1e-7), whose derivative differs from the book's by 1e-7 / p
        np.testing.assert_allclose(fast[key], expected, atol=1e-4, err_msg=key)


def test_weights_are_drawn_as_the_lesson_draws_them():
    np.random.seed(1)
    net = MultiLayerNet(4, [3, 2], 2, weight_init_std="xavier")
    np.random.seed(1)
    for key, shape in (("W1", (4, 3)), ("W2", (3, 2)), ("W3", (2, 2))):
        np.testing.assert_array_equal(net.params[key], np.sqrt(1.0 / shape[0]) * np.random.randn(*shape))
    assert net.layers["Affine2"].W is net.params["W2"]
    assert net.accuracy(np.eye(4), np.array([0, 1, 0, 1])) == net.accuracy(np.eye(4), np.eye(2)[[0, 1, 0, 1]])


@pytest.mark.parametrize("name", ["SGD", "momentum", "Nesterov", "adagrad", "RMSprop", "Adam"])
def test_the_trainer_learns_with_each_optimizer(mnist, name, capsys):
    np.random.seed(0)
    (x, t), _ = load_mnist()
    x, t, x_test, t_test = x[:1000], t[:1000], x[1000:1500], t[1000:1500]
    net = MultiLayerNetExtend(784, [30], 10, use_dropout=True, dropout_ration=0.1)
    rate = {"lr": 0.001 if name in ("RMSprop", "Adam") else 0.1 if name == "SGD" else 0.01}
    trainer = Trainer(net, x, t, x_test, t_test, 5, 50, name, rate, evaluate_sample_num_per_epoch=200)
    trainer.train()
    assert (trainer.max_iter, trainer.iter_per_epoch, trainer.current_epoch) == (100, 20.0, 5)
    assert len(trainer.train_loss_list) == 100
    assert len(trainer.train_acc_list) == len(trainer.test_acc_list) == 5
    assert trainer.test_acc_list[-1] > 0.7
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"train loss:{trainer.train_loss_list[0]}"
    assert lines[1].startswith("=== epoch:1, train acc:0.")
    assert lines[-2:] == ["=============== Final Test Accuracy ===============", lines[-1]]
    assert lines[-1].startswith("test acc:0.")


def test_get_data_reads_the_courses_file_or_says_that_it_is_not_there(tmp_path, monkeypatch, capsys):
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    x_train, x_test, t_train, t_test = get_data()
    assert (x_train.shape, x_test.shape, t_train.shape, t_test.shape) == (
        (60000, 784),
        (10000, 784),
        (60000,),
        (10000,),
    )
    assert "using the MNIST bundled with chainrule" in capsys.readouterr().err
    pixels, labels = RNG.integers(0, 256, (50, 784)), RNG.integers(0, 10, 50)
    pixels[:, 0] = 7
    (tmp_path / "data").mkdir()
    rows = [",".join(["label", *(f"pixel{i}" for i in range(784))])]
    rows += [",".join(map(str, [label, *row])) for label, row in zip(labels, pixels, strict=True)]
    (tmp_path / "data" / "train.csv").write_text("\n".join(rows))
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import MinMaxScaler

    expected = train_test_split(pixels, labels, test_size=0.3, random_state=42)
    scaler = MinMaxScaler().fit(expected[0])
    found = get_data()
    for one, two in zip(
        found, [scaler.transform(expected[0]), scaler.transform(expected[1]), *expected[2:]], strict=True
    ):
        np.testing.assert_allclose(one, two)
    assert capsys.readouterr().err == ""
