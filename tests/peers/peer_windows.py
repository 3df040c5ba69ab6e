"""PyTorch modules that slide windows over images and signals or pad them: exported, imported, and trained further."""

import io
import warnings

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import chainrule as cr
from chainrule.io.onnx_import import from_onnx

torch.set_num_threads(1)  # the test processes share the cores

IMAGES = [
    nn.Conv2d(3, 4, 3, padding=2, dilation=2),
    nn.Conv2d(3, 6, (3, 2), stride=2, padding="valid", dilation=(1, 3), groups=3),
    nn.Conv2d(3, 4, 4, padding="same"),
    nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
    nn.Conv2d(3, 4, 3, padding=(0, 2), padding_mode="replicate"),
    nn.MaxPool2d(3, 2, 1, ceil_mode=True),
    nn.MaxPool2d((2, 3), ceil_mode=True),
    nn.AvgPool2d(3, 2, 1),
    nn.AvgPool2d(3, 2, 1, ceil_mode=True),
    nn.AvgPool2d(2, 3, 1, ceil_mode=True, count_include_pad=False),
    nn.ReflectionPad2d((1, 2, 0, 3)),
    nn.ReplicationPad2d(2),
    nn.ZeroPad2d((1, 0, 2, 1)),
    nn.ConstantPad2d(1, 0.5),
]
SIGNALS = [
    nn.Conv1d(3, 4, 3, padding=2, dilation=2),
    nn.Conv1d(3, 6, 3, stride=2, groups=3, padding=1, padding_mode="replicate"),
    nn.MaxPool1d(3, 2, 1, ceil_mode=True),
    nn.AvgPool1d(3, 2, 1),
    nn.AdaptiveAvgPool1d(1),
    nn.BatchNorm1d(3),
    nn.ConstantPad1d((2, 0), 0.5),
    nn.ReflectionPad1d(2),
    nn.Sequential(
        nn.ZeroPad1d((4, 0)), nn.Conv1d(3, 4, 3, dilation=2), nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten()
    ),
]


def exported(module: nn.Module, x: torch.Tensor, exporter: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporters' own warnings
        if exporter == "dynamo":
            shapes = ({0: torch.export.Dim("N")},)
            return torch.onnx.export(module, (x,), dynamic_shapes=shapes, dynamo=True, verbose=False).model_proto
        content = io.BytesIO()
        options = {"input_names": ["x"], "dynamic_axes": {"x": {0: "N"}}, "dynamo": False}
        torch.onnx.export(module, (x,), content, **options)
    return onnx.load_from_string(content.getvalue())


@pytest.mark.parametrize("exporter", ["TorchScript", "dynamo"])
@pytest.mark.parametrize("module", IMAGES + SIGNALS, ids=repr)
def test_a_module(module, exporter):
    torch.manual_seed(0)
    x = torch.randn(3, 3, 7, 6) if module in IMAGES else torch.randn(3, 3, 8)
    net = from_onnx(exported(module.eval(), x, exporter))
    y = module(x).detach().numpy()
    np.testing.assert_allclose(net(x.numpy()), y, rtol=1e-5, atol=1e-5)
    report = cr.gradcheck(net.astype("float64"), batch=2, sample=30)
    assert report.ok, str(report)
