"""Models made in PyTorch come over: their weights as safetensors, their graphs as ONNX."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import chainrule as cr
from chainrule.io import load_weights
from chainrule.io.onnx_import import import_onnx


class Digits(nn.Module):
    """Convolutions with a residual, norms and a classifier, as people write them."""

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
        model(torch.randn(50, 1, 10, 10))  # moves the running statistics
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


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the exporter that needs no further package
def test_a_graph(trained, tmp_path):
    model, x, y = trained
    path = tmp_path / "model.onnx"
    with torch.no_grad():
        torch.onnx.export(
            model, (torch.from_numpy(x),), path, input_names=["x"], dynamic_axes={"x": {0: "N"}}, dynamo=False
        )
    net = import_onnx(path)
    np.testing.assert_allclose(net(x), y, atol=1e-5)
    kinds = [type(layer).__name__ for layer in net.layers]
    assert "Residual" in kinds
    assert "GELU" in kinds
