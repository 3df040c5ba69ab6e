"""`common.multi_layer_net`: a network of Affine layers with a list of hidden sizes."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.scratch.gradient import numerical_gradient
from chainrule.scratch.layers import *  # noqa: F403
from chainrule.scratch.layers import Affine, Relu, Sigmoid, SoftmaxWithLoss


class MultiLayerNet:
    """Affine and an activation for each hidden layer, then a last Affine and softmax with loss.

    Args:
        input_size, hidden_size_list, output_size: number of units in each layer.
        activation: "relu" or "sigmoid".
        weight_init_std: "relu" or "he" for sqrt(2 / n), "sigmoid" or "xavier" for sqrt(1 / n), or a number.
        weight_decay_lambda: strength of the L2 penalty on the weights.

    Attributes:
        params: W1, b1, W2, ...: the same array objects that the layers hold.
        layers: an OrderedDict of Affine1, Activation_function1, ...
    """

    def __init__(
        self,
        input_size: int,
        hidden_size_list: Sequence[int],
        output_size: int,
        activation: str = "relu",
        weight_init_std: str | float = "relu",
        weight_decay_lambda: float = 0,
    ) -> None:
        self.input_size = input_size
        self.output_size = output_size
        self.hidden_size_list = hidden_size_list
        self.hidden_layer_num = len(hidden_size_list)
        self.weight_decay_lambda = weight_decay_lambda
        self.params: dict[str, Array] = {}
        self._init_weight(weight_init_std)
        self.layers: OrderedDict[str, Any] = OrderedDict()
        for index in range(1, self.hidden_layer_num + 1):
            self._add_hidden(index, {"sigmoid": Sigmoid, "relu": Relu}[activation])
        self._add_affine(self.hidden_layer_num + 1)
        self.last_layer = SoftmaxWithLoss()

    def _add_hidden(self, index: int, activation: Callable[[], Any]) -> None:
        self._add_affine(index)
        self.layers[f"Activation_function{index}"] = activation()

    def _add_affine(self, index: int) -> None:
        self.layers[f"Affine{index}"] = Affine(self.params[f"W{index}"], self.params[f"b{index}"])

    def _init_weight(self, weight_init_std: str | float) -> None:
        """Draw W1 to Wn in this order from NumPy's global generator, which the book seeds."""
        sizes = [self.input_size, *self.hidden_size_list, self.output_size]
        for index in range(1, len(sizes)):
            scale: Any = weight_init_std
            if str(weight_init_std).lower() in ("relu", "he"):
                scale = np.sqrt(2.0 / sizes[index - 1])
            elif str(weight_init_std).lower() in ("sigmoid", "xavier"):
                scale = np.sqrt(1.0 / sizes[index - 1])
            self.params[f"W{index}"] = scale * np.random.randn(sizes[index - 1], sizes[index])
            self.params[f"b{index}"] = np.zeros(sizes[index])

    def predict(self, x: Array) -> Array:
        """Return the scores (N, C) of x (N, D)."""
        for layer in self.layers.values():
            x = layer.forward(x)
        return x

    def loss(self, x: Array, t: Array) -> float:
        """Return the cross-entropy plus lambda / 2 times the sum of the squared weights."""
        return self.last_layer.forward(self.predict(x), t) + self._decay()

    def _decay(self) -> float:
        weights = (self.params[f"W{index}"] for index in range(1, self.hidden_layer_num + 2))
        return sum(0.5 * self.weight_decay_lambda * float(np.sum(W**2)) for W in weights)

    def accuracy(self, x: Array, t: Array) -> float:
        """Return the share of samples whose highest score is at their label (an index, or one-hot)."""
        y = np.argmax(self.predict(x), axis=1)
        if t.ndim != 1:
            t = np.argmax(t, axis=1)
        return float(np.sum(y == t) / float(x.shape[0]))

    def numerical_gradient(self, x: Array, t: Array) -> dict[str, Array]:
        """Return the gradient of every parameter by central differences, which is slow."""
        return {key: numerical_gradient(lambda _: self.loss(x, t), value) for key, value in self.params.items()}

    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        """Return the gradient of every parameter by backpropagation."""
        self.loss(x, t)
        return self._backward()

    def _backward(self) -> dict[str, Array]:
        dout: Any = self.last_layer.backward(1)
        for layer in reversed(self.layers.values()):
            dout = layer.backward(dout)
        grads: dict[str, Array] = {}
        for index in range(1, self.hidden_layer_num + 2):
            affine = self.layers[f"Affine{index}"]
            grads[f"W{index}"] = affine.dW + self.weight_decay_lambda * affine.W
            grads[f"b{index}"] = affine.db
        return grads
