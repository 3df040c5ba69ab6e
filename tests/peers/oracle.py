"""Compare a layer of ours with PyTorch's: the same numbers through both, in float64 or float32."""

from collections.abc import Callable

import numpy as np
import torch

import chainrule as cr

torch.set_num_threads(1)  # the test processes share the cores


def tensor(array: np.ndarray, gradient: bool = True) -> torch.Tensor:
    return torch.tensor(np.array(array), requires_grad=gradient)


_RTOL = {"float64": 1e-10, "float32": 1e-5}


def agree(ours: np.ndarray, theirs: torch.Tensor | np.ndarray, rtol: float | None = None) -> None:
    """Check for equal shapes, dtypes and values: 1e-10 in float64, 1e-5 in float32; looser in sums of both signs."""
    theirs = theirs.detach().numpy() if isinstance(theirs, torch.Tensor) else theirs
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    scale = max(1.0, float(np.abs(theirs).max(initial=0)))
    rtol = _RTOL[str(theirs.dtype)] if rtol is None else rtol
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=(1e-12 if theirs.itemsize == 8 else 1e-5) * scale)


def compare(
    layer: cr.Layer,
    theirs: Callable[..., torch.Tensor],
    x: np.ndarray,
    *,
    train: bool = False,
    seed: int = 0,
    dtype: str = "float64",
) -> cr.Layer:
    """Check forward, input and parameter gradients of a layer, at random parameters and a random upstream gradient.

    `theirs` is called with x and the layer's parameters by name, as tensors.
    """
    rng = np.random.default_rng(seed)
    x = x.astype(dtype) if x.dtype.kind == "f" else x
    layer.build(x.shape[1:], rng)
    layer = layer.astype(dtype)
    for parameter in layer.parameters.values():
        parameter.value += rng.standard_normal(parameter.shape).astype(dtype)
    x_tensor = tensor(x, gradient=x.dtype.kind == "f")
    parameters = {name.rpartition(".")[2]: tensor(p.value) for name, p in layer.parameters.items()}
    y, cache = layer.forward(x, train=train, rng=np.random.default_rng(seed))
    y_theirs = theirs(x_tensor, **parameters)
    agree(y, y_theirs)
    dy = rng.standard_normal(y.shape).astype(dtype)
    y_theirs.backward(torch.tensor(dy))
    dx = layer.backward(dy, cache)
    if x.dtype.kind == "f":
        agree(dx, x_tensor.grad)
    for name, parameter in layer.parameters.items():
        agree(parameter.grad, parameters[name.rpartition(".")[2]].grad)
    return layer
