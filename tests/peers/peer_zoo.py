"""ONNX models from the field: a sample of the zoo on every run, and three networks that are trained further."""

import contextlib
import io
import warnings
from collections import Counter

import numpy as np
import pytest
import torch

import chainrule as cr
from chainrule.io.onnx_import import import_onnx
from peers import zoo
from peers.zoo_networks import MobileNetV2, ResNet18, UNet, rescued

QUICK = [
    "mnist-example.trace17",
    "lenet.dynamo18-fixed",
    "activations.dynamo21",
    "resnet18.trace13",
    "mobilenet-v2.dynamo18",
    "mobilenet-v3.trace11-fixed",
    "se-resnet.dynamo21",
    "unet.trace17",
    "unet-bilinear.trace13",
    "densenet.trace11-fixed",
    "inception.trace17",
    "convnext.dynamo18",
    "group-norm.trace17",
    "style.trace11-fixed",
    "audio.dynamo18",
    "text.trace13",
    "text-cnn.trace17",
    "training-mode.trace17",
    "adaptive.trace13",
    "shuffle.dynamo18",
    "k-mnist.keras",
    "k-residual.keras",
    "k-text.keras",
    "digits-mlp.sklearn",
]
REFUSED = {"rare-activations.trace17": "operators Abs, "}


@pytest.mark.filterwarnings("ignore")  # warnings from the exporters
def test_a_part_of_the_zoo(tmp_path, capsys):
    """`python -m peers.zoo` runs them all."""
    results = {}
    for case in zoo.cases():
        if case.name in QUICK or case.name in REFUSED:
            path = zoo.made(case, tmp_path)
            assert path is not None, case.name
            results[case.name] = zoo.outcome(path)
    with capsys.disabled():
        print(f"\nONNX models made elsewhere: {dict(Counter(result.kind for result in results.values()))}")
    assert {name: result for name, result in results.items() if result.kind == "wrong"} == {}
    assert {name: results[name] for name in QUICK if results[name].kind != "equal"} == {}
    for name, told in REFUSED.items():
        assert results[name].kind == "refused"
        assert told in results[name].told


class Pixelwise(torch.nn.Module):
    """A U-Net with a score per class: the mean over its map, so that labels apply to whole images."""

    def __init__(self):
        super().__init__()
        self.net = UNet(8, classes=10)

    def forward(self, x):
        return self.net(x).mean((2, 3))


NETWORKS = {"resnet18": ResNet18, "mobilenet-v2": MobileNetV2, "unet": Pixelwise}


def exported(name: str, path, training: bool) -> tuple[torch.nn.Module, np.ndarray, np.ndarray]:
    torch.manual_seed(0)
    model = NETWORKS[name]()
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    with torch.no_grad():
        rescued(model)
    x = torch.randn(6, 3, 32, 32)
    mode = torch.onnx.TrainingMode.TRAINING if training else torch.onnx.TrainingMode.EVAL
    with contextlib.redirect_stdout(io.StringIO()):
        options = {"input_names": ["x"], "dynamic_axes": {"x": {0: "N"}}, "do_constant_folding": not training}
        torch.onnx.export(model.train(training), (x,), path, dynamo=False, training=mode, **options)
    return model, x.numpy(), np.arange(6) % 10


def assert_trained(net: cr.Sequential, x: np.ndarray, labels: np.ndarray, rate: float) -> None:
    """Several SGD steps on a batch lower the loss; single ones may not, as batch norm over six samples is steep."""
    loss, optimizer, losses = cr.SoftmaxCrossEntropy(), cr.SGD(rate), []
    for _ in range(5):
        logits, cache = net.forward(x, train=True, rng=np.random.default_rng(0))
        value, dlogits = loss(logits, labels)
        net.backward(dlogits, cache, input_gradient=False)
        optimizer.step(net)
        losses.append(value)
    assert min(losses[1:]) < losses[0]


@pytest.mark.filterwarnings("ignore")  # warnings from the exporters
@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_pytorchs_and_training_goes_on(name, tmp_path):
    model, x, labels = exported(name, tmp_path / "model.onnx", training=True)
    with warnings.catch_warnings(record=True):
        net = import_onnx(tmp_path / "model.onnx")
    with torch.no_grad():
        theirs = model.eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(net(x), theirs, atol=1e-5 * np.abs(theirs).max())

    # the gradient of every parameter in training mode, in float64; arrays are paired by their values
    exact, model = net.astype("float64"), model.double().train()
    value = torch.nn.functional.cross_entropy(model(torch.from_numpy(x).double()), torch.from_numpy(labels))
    value.backward()
    logits, cache = exact.forward(x.astype(np.float64), train=True)
    ours, dlogits = cr.SoftmaxCrossEntropy()(logits, labels)
    exact.backward(dlogits, cache, input_gradient=False)
    np.testing.assert_allclose(ours, value.item(), rtol=1e-9)
    held = {(p.shape, p.value.astype(np.float32).tobytes()): p.grad for p in exact.parameters.values()}
    count = 0
    for parameter in model.parameters():
        array, gradient = parameter.detach().numpy().astype(np.float32), parameter.grad.numpy()
        if array.ndim == 2:
            array, gradient = array.T, gradient.T
        mine = held[array.shape, array.tobytes()]
        np.testing.assert_allclose(mine, gradient, atol=1e-4 * np.abs(gradient).max() + 1e-12)
        count += 1
    assert count == len(exact.parameters)

    assert_trained(net, x, labels, 1e-4)


@pytest.mark.filterwarnings("ignore")  # warnings from the exporters
@pytest.mark.parametrize("name", NETWORKS)
def test_what_was_exported_for_inference_agrees_and_can_be_trained_on(name, tmp_path):
    model, x, labels = exported(name, tmp_path / "model.onnx", training=False)
    net = import_onnx(tmp_path / "model.onnx")
    given = torch.from_numpy(x).requires_grad_()
    logits = model(given)
    torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels)).backward()
    ours, cache = net.forward(x)
    np.testing.assert_allclose(ours, logits.detach().numpy(), atol=1e-5 * np.abs(ours).max())
    dx = net.backward(cr.SoftmaxCrossEntropy()(ours, labels)[1], cache)
    theirs = given.grad.numpy()
    np.testing.assert_allclose(dx, theirs, atol=1e-4 * np.abs(theirs).max())
    assert_trained(net, x, labels, 1e-4)
