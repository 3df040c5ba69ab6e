"""PyTorch: eager, and with torch.compile if that works."""

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from chainrule.arrays import Array
from chainrule.bench.rounds import Run
from chainrule.bench.work import RATE, Goal, Work, check_same, repeated
from chainrule.data import Dataset
from chainrule.errors import OptionError
from chainrule.layers import (
    Affine,
    BatchNorm,
    Conv2D,
    Flatten,
    GlobalAvgPool2D,
    Layer,
    MaxPool2D,
    Parallel,
    ReLU,
    Residual,
    Scale,
    Sequential,
)

__all__ = ["convert", "inference", "stepping", "tell_uncompiled", "time_to", "training", "version"]


def version() -> str:
    """Return PyTorch's version."""
    return str(torch.__version__)


class _Scale(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Any) -> Any:
        return x.float().mul(self.factor)


class _Sum(nn.Module):
    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Any) -> Any:
        return sum(branch(x) for branch in self.branches)


def _values(module: Any, **arrays: Array) -> Any:
    with torch.no_grad():
        for name, array in arrays.items():
            getattr(module, name).copy_(torch.tensor(array))
    return module


def convert(layer: Layer) -> Any:
    """Convert a built layer of ours to a module with the same weights."""
    match layer:
        case Residual():
            return _Sum(nn.Identity(), nn.Sequential(*map(convert, layer.layers)))
        case Sequential():
            return nn.Sequential(*map(convert, layer.layers))
        case Parallel(join="sum"):
            return _Sum(*map(convert, layer.branches))
        case Scale():
            return _Scale(layer.factor)
        case Flatten():
            return nn.Flatten()
        case ReLU():
            return nn.ReLU()
        case Affine():
            W, b = layer.W.value, layer.b.value
            return _values(nn.Linear(*W.shape), weight=W.T, bias=b)
        case Conv2D():
            W = layer.W.value
            stride, ((top, bottom), (left, right)), groups, dilation = layer.reading()
            padding = (top, left) if (top, left) == (bottom, right) else 0
            conv = nn.Conv2d(W.shape[1] * groups, len(W), W.shape[2:], stride, padding, dilation, groups, layer.bias)
            _values(conv, weight=W, **({"bias": layer.b.value} if layer.bias else {}))
            return conv if padding else nn.Sequential(nn.ZeroPad2d((left, right, top, bottom)), conv)
        case MaxPool2D():
            assert layer.input_shape is not None
            kernel, stride, _ = layer.windows(layer.input_shape)
            return nn.MaxPool2d(kernel, stride)
        case GlobalAvgPool2D():
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        case BatchNorm():
            norm = nn.BatchNorm2d(layer.gamma.size, layer.epsilon, 1 - layer.momentum)
            return _values(norm, weight=layer.gamma.value, bias=layer.beta.value)
    raise OptionError(f"{layer!r} has no counterpart in this benchmark")


def training(net: Sequential, work: Work, train: Dataset, *, compiled: bool = True) -> Mapping[str, Run]:
    """Return SGD, eager and compiled."""
    runs = {"PyTorch, eager": _training(convert(net), work, train)}
    if not compiled:
        return runs
    try:
        run = _training(torch.compile(convert(net)), work, train)
        run()  # compiles now, or fails
        runs["PyTorch, compiled"] = run
    except Exception as error:  # whatever a compiler's stack raises; eager PyTorch is measured all the same
        tell_uncompiled(error)
    return runs


def tell_uncompiled(error: Exception) -> None:
    """Say on stderr, in a line, why compiled PyTorch is left out."""
    first = (str(error).splitlines() or [""])[0]
    print(f"PyTorch cannot compile here and is measured eager: {type(error).__name__}: {first:.200}", file=sys.stderr)


def _training(module: Any, work: Work, train: Dataset) -> Run:
    loss, optimizer = nn.CrossEntropyLoss(), torch.optim.SGD(module.parameters(), lr=RATE, momentum=work.momentum)
    images, labels = _tensors(train)

    def learn(chosen: Any) -> None:
        optimizer.zero_grad()
        loss(module(images[chosen]), labels[chosen]).backward()
        optimizer.step()

    return stepping(learn, len(images), work.batch, work.steps)


def stepping(learn: Callable[[Any], None], samples: int, batch: int, count: int) -> Run:
    """Return a run of `count` steps on shuffled batches of indices, which measures the seconds per step."""
    order, at = torch.randperm(samples), 0

    def run() -> float:
        nonlocal order, at
        started = time.perf_counter()
        for _ in range(count):
            if at + batch > samples:
                order, at = torch.randperm(samples), 0
            chosen = order[at : at + batch]
            at += batch
            learn(chosen)
        return (time.perf_counter() - started) / count

    return run


def inference(net: Sequential, x: Array, repeats: int) -> Mapping[str, Run]:
    """Return eager inference, in inference mode."""
    module, pixels = convert(net).eval(), torch.tensor(x)

    def logits() -> Any:
        with torch.inference_mode():
            return module(pixels)

    check_same("PyTorch", logits().numpy(), net, x)
    return {"PyTorch, eager": repeated(logits, repeats)}


def time_to(goal: Goal, net: Sequential, train: Dataset, test: Dataset, seed: int) -> float | None:
    """Return the seconds until the goal is reached, like chainrule's `time_to`."""
    torch.manual_seed(seed)
    started = time.perf_counter()
    module = convert(net)
    parameters = module.parameters()
    optimizer: Any = torch.optim.Adam(parameters, lr=0.001) if goal.adam else torch.optim.SGD(parameters, lr=0.1)
    loss = nn.CrossEntropyLoss()
    (images, labels), (test_images, test_labels) = _tensors(train), _tensors(test)
    for _ in range(goal.most_epochs):
        module.train()
        for chosen in torch.randperm(len(images)).split(100):
            optimizer.zero_grad()
            loss(module(images[chosen]), labels[chosen]).backward()
            optimizer.step()
        module.eval()
        with torch.inference_mode():
            pairs = zip(test_images.split(1000), test_labels.split(1000), strict=True)
            right = sum(int((module(x).argmax(1) == t).sum()) for x, t in pairs)
        if right >= goal.accuracy * len(test):
            return time.perf_counter() - started
    return float("inf")


def _tensors(data: Dataset) -> tuple[Any, Any]:
    assert data.y is not None
    return torch.tensor(data.x), torch.tensor(data.y.astype(np.int64))
