"""`common.multi_layer_net_extend`: the same network with optional batch normalization and dropout."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.scratch.gradient import numerical_gradient
from chainrule.scratch.layers import *  # noqa: F403
from chainrule.scratch.layers import BatchNormalization, Dropout
from chainrule.scratch.multi_layer_net import MultiLayerNet


class MultiLayerNetExtend(MultiLayerNet):
    """Affine, BatchNorm, activation, Dropout for each hidden layer; `dropout_ration` is the book's spelling."""

    def __init__(
        self,
        input_size: int,
        hidden_size_list: Sequence[int],
        output_size: int,
        activation: str = "relu",
        weight_init_std: str | float = "relu",
        weight_decay_lambda: float = 0,
        use_dropout: bool = False,
        dropout_ration: float = 0.5,
        use_batchnorm: bool = False,
    ) -> None:
        self.use_dropout = use_dropout
        self.dropout_ration = dropout_ration
        self.use_batchnorm = use_batchnorm
        super().__init__(input_size, hidden_size_list, output_size, activation, weight_init_std, weight_decay_lambda)

    def _add_hidden(self, index: int, activation: Callable[[], Any]) -> None:
        self._add_affine(index)
        if self.use_batchnorm:
            size = self.hidden_size_list[index - 1]
            gamma = self.params[f"gamma{index}"] = np.ones(size)
            beta = self.params[f"beta{index}"] = np.zeros(size)
            self.layers[f"BatchNorm{index}"] = BatchNormalization(gamma, beta)
        self.layers[f"Activation_function{index}"] = activation()
        if self.use_dropout:
            self.layers[f"Dropout{index}"] = Dropout(self.dropout_ration)

    def predict(self, x: Array, train_flg: bool = False) -> Array:
        """Return the scores (N, C) of x (N, D)."""
        for key, layer in self.layers.items():
            x = layer.forward(x, train_flg) if "Dropout" in key or "BatchNorm" in key else layer.forward(x)
        return x

    def loss(self, x: Array, t: Array, train_flg: bool = False) -> float:
        """Return the cross-entropy plus lambda / 2 times the sum of the squared weights."""
        return self.last_layer.forward(self.predict(x, train_flg), t) + self._decay()

    def numerical_gradient(self, x: Array, t: Array) -> dict[str, Array]:
        """Return the gradient of every parameter by central differences; meaningless with dropout's changing masks."""
        return {
            key: numerical_gradient(lambda _: self.loss(x, t, train_flg=True), value)
            for key, value in self.params.items()
        }

    def gradient(self, x: Array, t: Array) -> dict[str, Array]:
        """Return the gradient of every parameter by backpropagation."""
        self.loss(x, t, train_flg=True)
        return self._backward()

    def _backward(self) -> dict[str, Array]:
        grads = super()._backward()
        for index in range(1, self.hidden_layer_num + 1) if self.use_batchnorm else ():
            layer = self.layers[f"BatchNorm{index}"]
            grads[f"gamma{index}"], grads[f"beta{index}"] = layer.dgamma, layer.dbeta
        return grads
