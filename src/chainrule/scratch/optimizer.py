"""`common.optimizer`: the lesson's optimizers, on dicts of arrays (changed in place) or of plain numbers."""

import numpy as np

from chainrule.arrays import Array


class SGD:
    """p <- p - lr g."""

    def __init__(self, lr: float = 0.01) -> None:
        self.lr = lr

    def update(self, params: dict[str, Array], grads: dict[str, Array]) -> None:
        for key in params:
            params[key] -= self.lr * grads[key]


class Momentum:
    """v <- momentum v - lr g; p <- p + v."""

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        self.lr = lr
        self.momentum = momentum
        self.v: dict[str, Array] | None = None

    def update(self, params: dict[str, Array], grads: dict[str, Array]) -> None:
        if self.v is None:
            self.v = {key: np.zeros_like(value) for key, value in params.items()}
        for key in params:
            self.v[key] = self.momentum * self.v[key] - self.lr * grads[key]
            params[key] += self.v[key]
