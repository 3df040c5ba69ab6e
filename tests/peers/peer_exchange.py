"""Models from PyTorch, scikit-learn and Keras can be loaded: weights as safetensors, graphs as ONNX."""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from skl2onnx import to_onnx
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import chainrule as cr
from chainrule.io import load_weights
from chainrule.io.onnx_import import import_onnx


class Digits(nn.Module):
    """Convolutions with a residual connection, norms and a classifier, as people write them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.fc1 = nn.Linear(4 * 5 * 5, 16)
        self.fc2 = nn.Linear(16, 10)

    def forward(self, x):
        x = torch.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 2)
        x = x + torch.nn.functional.silu(self.conv2(x))
        x = torch.flatten(x, 1)
        return self.fc2(torch.nn.functional.gelu(self.fc1(x)))


def ours() -> cr.Sequential:
    return cr.Sequential(
        cr.Conv2D(4, 3, padding=1),
        cr.BatchNorm(),
        cr.ReLU(),
        cr.MaxPool2D(2),
        cr.Residual(cr.Conv2D(4, 3, padding=1), cr.SiLU()),
        cr.Flatten(),
        cr.Affine(16),
        cr.GELU(),
        cr.Affine(10),
    ).build((1, 10, 10), seed=0)


@pytest.fixture(scope="module")
def trained() -> tuple[Digits, np.ndarray, np.ndarray]:
    torch.manual_seed(0)
    model = Digits()
    with torch.no_grad():
        model(torch.randn(50, 1, 10, 10))  # changes the running statistics
    model.eval()
    x = torch.randn(7, 1, 10, 10)
    return model, x.numpy(), model(x).detach().numpy()


def test_a_state_dict(trained, tmp_path):
    model, x, y = trained
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    net = ours()
    pairs = load_weights(net, tmp_path / "model.safetensors")
    assert list(pairs.values())[6] == "conv2.weight"
    np.testing.assert_allclose(net(x), y, atol=1e-5)


@pytest.mark.filterwarnings("ignore")  # warnings from the exporters
@pytest.mark.parametrize("exporter", ["TorchScript", "dynamo"])
def test_a_graph(trained, exporter, tmp_path):
    model, x, y = trained
    path = tmp_path / "model.onnx"
    if exporter == "dynamo":
        shapes = ({0: torch.export.Dim("N")},)
        torch.onnx.export(model, (torch.from_numpy(x),), path, dynamic_shapes=shapes, dynamo=True, verbose=False)
    else:
        options = {"input_names": ["x"], "dynamic_axes": {"x": {0: "N"}}, "dynamo": False}
        torch.onnx.export(model, (torch.from_numpy(x),), path, **options)
    net = import_onnx(path)
    np.testing.assert_allclose(net(x), y, atol=1e-5)
    kinds = [type(layer).__name__ for layer in net.layers]
    assert "Residual" in kinds
    assert "GELU" in kinds


# ---- scikit-learn's networks through skl2onnx ----


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # it need not be accurate
def test_a_classifier_of_scikit_learn_in_a_pipeline(tmp_path):
    X, y = load_digits(return_X_y=True)
    X = X.astype(np.float32)
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((20,), max_iter=30, random_state=0)).fit(X, y)
    (tmp_path / "digits.onnx").write_bytes(to_onnx(pipeline, X[:1]).SerializeToString())
    net = import_onnx(tmp_path / "digits.onnx")
    assert net.labels == tuple("0123456789")
    np.testing.assert_allclose(net.predict_probabilities(X), pipeline.predict_proba(X), atol=1e-5)
    # and it can be trained further
    trainer = cr.Trainer(net, loss=cr.SoftmaxCrossEntropy(), optimizer=cr.Adam(), seed=0)
    before = cr.evaluate(net, cr.Dataset(X, y)).loss
    list(trainer.fit(cr.Dataset(X, y), epochs=3))
    assert cr.evaluate(net, cr.Dataset(X, y)).loss < before


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_two_classes_and_numbers_of_scikit_learn(activation, tmp_path):
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X).astype(np.float32)
    options = {"hidden_layer_sizes": (7, 5), "activation": activation, "max_iter": 20, "random_state": 0}
    classifier = MLPClassifier(**options).fit(X, y)
    (tmp_path / "two.onnx").write_bytes(to_onnx(classifier, X[:1]).SerializeToString())
    net = import_onnx(tmp_path / "two.onnx")
    assert net.labels == ("0", "1")
    np.testing.assert_allclose(net.predict_probabilities(X), classifier.predict_proba(X), atol=1e-5)
    regressor = MLPRegressor(**options).fit(X, X[:, 0] * 3)
    (tmp_path / "numbers.onnx").write_bytes(to_onnx(regressor, X[:1]).SerializeToString())
    net = import_onnx(tmp_path / "numbers.onnx")
    np.testing.assert_allclose(net(X)[:, 0], regressor.predict(X), atol=1e-4)


# ---- Keras ----


def images_of_keras() -> keras.Model:
    inputs = keras.Input((13, 9, 2))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    x = keras.layers.Conv2D(4, 3, activation="relu")(x)
    x = keras.layers.MaxPooling2D()(x)
    y = keras.layers.Conv2D(4, 3, padding="same")(x)
    y = keras.layers.BatchNormalization()(y)
    x = keras.layers.Add()([x, keras.layers.ReLU()(y)])
    x = keras.layers.Concatenate()([x, keras.layers.Conv2D(3, 1)(x)])
    x = keras.layers.Conv2D(6, 3, strides=2, padding="same")(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dropout(0.5)(x)
    return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))


def pooled_of_keras() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(5, 3, activation="tanh"),
            keras.layers.AveragePooling2D(2),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(4, activation="silu"),
            keras.layers.Dense(3),
        ]
    )


@pytest.mark.filterwarnings("ignore")  # a warning from the exporter
@pytest.mark.parametrize("make", [images_of_keras, pooled_of_keras])
def test_models_of_keras_have_their_channels_last(make, tmp_path):
    keras.utils.set_random_seed(0)
    model = make()
    x = np.random.default_rng(0).random((6, *model.input_shape[1:]), np.float32)
    for variable in model.non_trainable_variables:  # running statistics as after training
        if "moving" in variable.name:
            variable.assign(np.linspace(0.5, 1.5, variable.shape[0], dtype=np.float32))
    y = model.predict(x, verbose=0)
    model.export(str(tmp_path / "model.onnx"), format="onnx", verbose=False)
    net = import_onnx(tmp_path / "model.onnx", keep_softmax=True)
    assert net.input_shape == (x.shape[3], *x.shape[1:3])  # channels first, as everywhere in chainrule
    np.testing.assert_allclose(net(x.transpose(0, 3, 1, 2)), y, atol=1e-5)
