"""TwoLayerNet: the lesson's class, which computes the gradient both ways."""

from collections.abc import Iterator, MutableMapping

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import OptionError, ShapeError
from chainrule.functions import class_indices
from chainrule.initializers import Normal
from chainrule.layers import Affine, Layer, ReLU, Sequential
from chainrule.losses import SoftmaxCrossEntropy
from chainrule.metrics import accuracy
from chainrule.numerical import gradient_in_place
from chainrule.parameters import Parameter

__all__ = ["TwoLayerNet"]


class _Params(MutableMapping[str, Array]):
    """The parameters' own arrays under the lesson's names; assigning an array copies it into place."""

    def __init__(self, parameters: dict[str, Parameter]) -> None:
        self._parameters = parameters

    def __getitem__(self, name: str) -> Array:
        return self._parameters[name].value

    def __setitem__(self, name: str, value: Array) -> None:
        self._parameters[name].value = value

    def __delitem__(self, name: str) -> None:
        raise OptionError(f"{name} is a part of the network and cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def __repr__(self) -> str:
        return repr(dict(self))


class TwoLayerNet:
    """Affine, ReLU, Affine, followed by softmax with cross-entropy (the lesson's network).

    Args:
        input_size: D, 784 for MNIST.
        hidden_size: H.
        output_size: C, the classes.
        weight_init_std: standard deviation of the initial weights.
        seed: decides the initial weights.
        dtype: "float32", or "float64" to compare the two gradients to the last digit.

    Attributes:
        params: "W1" (D, H), "b1" (H,), "W2" (H, C), "b2" (C,): the arrays themselves, to be updated in place.
        layers: "Affine1", "Relu1", "Affine2".
        network: the same layers as one Sequential.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        weight_init_std: float = 0.01,
        *,
        seed: int = 0,
        dtype: str = "float32",
    ) -> None:
        initializer = Normal(weight_init_std)
        network = Sequential(Affine(hidden_size, initializer), ReLU(), Affine(output_size, initializer))
        self.network = network.build((input_size,), seed=seed).astype(dtype)
        self.layers: dict[str, Layer] = dict(zip(("Affine1", "Relu1", "Affine2"), self.network.layers, strict=True))
        self.params = _Params(dict(zip(("W1", "b1", "W2", "b2"), self.network.parameters.values(), strict=True)))
        self.last_layer = SoftmaxCrossEntropy()

    def predict(self, x: Array) -> Array:
        """x (N, D) -> logits (N, C)."""
        return self.network(self._rows(x))

    def loss(self, x: Array, t: Array) -> float:
        """x (N, D), labels t as class indices (N,) or one-hot (N, C) -> mean cross-entropy."""
        return self.last_layer(self.predict(x), t)[0]

    def accuracy(self, x: Array, t: Array) -> float:
        """The fraction of x (N, D) classified as t, 0..1."""
        return accuracy(self.predict(x), t)

    def numerical_gradient(self, x: Array, t: Array) -> dict[str, Array]:
        """The gradient by central differences: two forward passes per parameter, in float64.

        Returns:
            float64 arrays with the parameters' names and shapes.
        """
        twin = self.network.astype(np.float64)
        x = self._rows(x).astype(np.float64)
        t = class_indices(t, len(x), self.params["b2"].size)

        def loss() -> float:
            return self.last_layer(twin(x), t)[0]

        gradients = (gradient_in_place(loss, value) for value in twin.arrays.values())
        return dict(zip(self.params, gradients, strict=True))

    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        """The gradient by backpropagation: one forward and one backward pass.

        Returns:
            arrays with the parameters' names, shapes and dtype; copies that the caller owns.
        """
        self.network.gradients.fill(0)
        logits, cache = self.network.forward(self._rows(x), train=True)
        _, dlogits = self.last_layer(logits, t)
        self.network.backward(dlogits, cache, input_gradient=False)
        gradients = (parameter.grad.copy() for parameter in self.network.parameters.values())
        return dict(zip(self.params, gradients, strict=True))

    def _rows(self, x: Array) -> Array:
        x = np.asarray(x)
        inputs = self.params["W1"].shape[0]
        if x.ndim == 1 and x.shape[0] == inputs:
            x = x[np.newaxis]
        if x.ndim != 2 or x.shape[1] != inputs:
            raise ShapeError(f"TwoLayerNet reads rows (N, {inputs}), got {x.shape}: use x.reshape(len(x), -1)")
        return x.astype(self.network.dtype, copy=False)
