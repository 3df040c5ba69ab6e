"""PyTorch modules through both of its exporters: the imported network computes what ONNX Runtime computes."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from chainrule.io.onnx_import import import_onnx

EXPORTERS = [("TorchScript", 9), ("TorchScript", 13), ("TorchScript", 17), ("dynamo", 18), ("dynamo", 23)]

pytestmark = pytest.mark.filterwarnings("ignore")  # warnings from the exporters


def export(module: nn.Module, x: torch.Tensor, exporter: str, opset: int, path) -> None:
    module.eval()
    if exporter == "dynamo":
        shapes = ({0: torch.export.Dim("N")},)
        torch.onnx.export(module, (x,), path, dynamic_shapes=shapes, dynamo=True, verbose=False, opset_version=opset)
    else:
        options = {"input_names": ["x"], "dynamic_axes": {"x": {0: "N"}}, "dynamo": False}
        torch.onnx.export(module, (x,), path, opset_version=opset, **options)


def kinds_when_equal(module: nn.Module, x: torch.Tensor, exporter: str, opset: int, path) -> list[str]:
    """Return the kinds of the imported layers, after checking that they compute what ONNX Runtime does."""
    export(module, x, exporter, opset, path)
    net = import_onnx(path, keep_softmax=True)
    session = onnxruntime.InferenceSession(onnx.load(path).SerializeToString(), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    np.testing.assert_allclose(net(x.numpy()), y, rtol=1e-5, atol=1e-5)
    return [type(layer).__name__ for layer in net.layers]


def drawn(module: nn.Module) -> nn.Module:
    """Move parameters off their initial values."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.uniform_(parameter, 0.5, 1.5)
    return module


class OwnRMSNorm(nn.Module):
    """As language models write it."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(5))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


class OwnLayerNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(5))

    def forward(self, x):
        centered = x - x.mean(-1, keepdim=True)
        return self.weight * centered / torch.sqrt((centered * centered).mean(-1, keepdim=True) + 1e-5) + 0.5


class Excited(nn.Module):
    """Squeeze-and-excitation, as in MobileNetV3 and EfficientNet."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 2, 1), nn.ReLU(), nn.Conv2d(2, 4, 1), nn.Hardsigmoid()
        )

    def forward(self, x):
        return self.weights(x) * x


class Gated(nn.Module):
    """A gated linear unit with two matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.value, self.gate = nn.Linear(6, 5), nn.Linear(6, 5)

    def forward(self, x):
        return self.value(x) * nn.functional.silu(self.gate(x))


@pytest.mark.parametrize(("exporter", "opset"), EXPORTERS)
@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.ConvTranspose2d(4, 6, 3),
        lambda: nn.ConvTranspose2d(4, 6, (2, 3), 2, groups=2, bias=False),
        lambda: nn.ConvTranspose2d(4, 5, 3, (2, 3), (1, 2), (1, 2)),
    ],
    ids=["plain", "groups", "padding"],
)
def test_transposed_convolutions(make, exporter, opset, tmp_path):
    module = drawn(nn.Sequential(make(), nn.Tanh()))
    kinds = kinds_when_equal(module, torch.randn(3, 4, 5, 6), exporter, opset, tmp_path / "m.onnx")
    assert kinds == ["ConvTranspose2D", "Tanh"]


@pytest.mark.parametrize(("exporter", "opset"), EXPORTERS)
@pytest.mark.parametrize(
    "options",
    [
        {"scale_factor": (2, 3)},
        {"scale_factor": 2, "mode": "bilinear"},
        {"scale_factor": 2, "mode": "bilinear", "align_corners": True},
        {"size": (10, 12), "mode": "bilinear"},
    ],
    ids=["nearest", "bilinear", "corners", "size"],
)
def test_upsampling(options, exporter, opset, tmp_path):
    if opset < 11 and "mode" in options:
        pytest.skip("Resize of these opsets is asymmetric, and so not what PyTorch computes")
    module = drawn(nn.Sequential(nn.Conv2d(4, 4, 1), nn.Upsample(**options)))
    kinds = kinds_when_equal(module, torch.randn(3, 4, 5, 6), exporter, opset, tmp_path / "m.onnx")
    assert kinds == ["Conv2D", "Upsample"]


@pytest.mark.parametrize(("exporter", "opset"), EXPORTERS)
@pytest.mark.parametrize(("make", "shape"), [(Excited, (4, 7, 6)), (Gated, (6,))])
def test_products(make, shape, exporter, opset, tmp_path):
    module = drawn(nn.Sequential(make(), nn.Tanh()))
    kinds = kinds_when_equal(module, torch.randn(3, *shape), exporter, opset, tmp_path / "m.onnx")
    assert kinds == ["Parallel", "Tanh"]


@pytest.mark.parametrize(("exporter", "opset"), EXPORTERS)
@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: nn.LayerNorm(5), "LayerNorm"),
        (lambda: nn.LayerNorm(5, bias=False), "LayerNorm"),
        (lambda: nn.LayerNorm([4, 5], elementwise_affine=False), "LayerNorm"),
        (OwnLayerNorm, "LayerNorm"),
        (OwnRMSNorm, "RMSNorm"),
        (lambda: nn.RMSNorm(5), "RMSNorm"),
    ],
    ids=["LayerNorm", "without-bias", "without-both", "own-LayerNorm", "own-RMSNorm", "RMSNorm"],
)
def test_norms(make, kind, exporter, opset, tmp_path):
    module = drawn(nn.Sequential(make(), nn.Tanh()))
    if isinstance(module[0], nn.RMSNorm) and exporter == "TorchScript":
        pytest.skip("this exporter has no form of it")
    x = 3 * torch.randn(3, 4, 5)
    assert kinds_when_equal(module, x, exporter, opset, tmp_path / "m.onnx")[0] == kind
