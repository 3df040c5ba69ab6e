"""`common.optimizer`: the optimizers of both books, on dicts (the first book) or lists (the second) of parameters.

Parameters are arrays, which are updated in place, or plain numbers. State is created at the first update, one entry per
key of a dict or index of a list.
"""

from typing import Any

import numpy as np

from chainrule import kernels

State = Any
"""A dict or a list."""


def _keys(params: State) -> Any:
    return params.keys() if isinstance(params, dict) else range(len(params))


def _zeros(params: State) -> dict[Any, Any]:
    return {key: np.zeros_like(params[key]) for key in _keys(params)}


class SGD:
    """p <- p - lr g."""

    def __init__(self, lr: float = 0.01) -> None:
        self.lr = lr

    def update(self, params: State, grads: State) -> None:
        for key in _keys(params):
            params[key] -= self.lr * grads[key]


class Momentum:
    """v <- momentum v - lr g; p <- p + v."""

    def __init__(self, lr: float = 0.01, momentum: float = 0.9) -> None:
        self.lr = lr
        self.momentum = momentum
        self.v: dict[Any, Any] | None = None

    def update(self, params: State, grads: State) -> None:
        if self.v is None:
            self.v = _zeros(params)
        for key in _keys(params):
            self.v[key] = self.momentum * self.v[key] - self.lr * grads[key]
            params[key] += self.v[key]


class Nesterov(Momentum):
    """p <- p + momentum^2 v - (1 + momentum) lr g; v <- momentum v - lr g  (Bengio et al. 2012, arXiv:1212.0901)."""

    def update(self, params: State, grads: State) -> None:
        if self.v is None:
            self.v = _zeros(params)
        for key in _keys(params):
            params[key] += self.momentum**2 * self.v[key] - (1 + self.momentum) * self.lr * grads[key]
            self.v[key] = self.momentum * self.v[key] - self.lr * grads[key]


class AdaGrad:
    """h <- h + g^2; p <- p - lr g / (sqrt(h) + 1e-7)."""

    def __init__(self, lr: float = 0.01) -> None:
        self.lr = lr
        self.h: dict[Any, Any] | None = None

    def update(self, params: State, grads: State) -> None:
        if self.h is None:
            self.h = _zeros(params)
        for key in _keys(params):
            self.h[key] = self._added(self.h[key], grads[key])
            params[key] -= self.lr * grads[key] / (np.sqrt(self.h[key]) + 1e-7)

    def _added(self, h: Any, g: Any) -> Any:
        return h + g * g


class RMSprop(AdaGrad):
    """h <- decay h + (1 - decay) g^2; p <- p - lr g / (sqrt(h) + 1e-7)."""

    def __init__(self, lr: float = 0.01, decay_rate: float = 0.99) -> None:
        super().__init__(lr)
        self.decay_rate = decay_rate

    def _added(self, h: Any, g: Any) -> Any:
        return self.decay_rate * h + (1 - self.decay_rate) * g * g


class RMSProp(RMSprop):
    """RMSprop under the Chinese course's name, with the decay called `alpha` or `decay`."""

    def __init__(self, lr: float = 0.01, decay: float = 0.9, alpha: float | None = None) -> None:
        super().__init__(lr, decay if alpha is None else alpha)


class Adam:
    """Adam: moments of g and g^2, with the bias correction in the rate  (Kingma and Ba 2014, arXiv:1412.6980).

    `alpha1` and `alpha2` are the Chinese course's names for `beta1` and `beta2`.
    """

    def __init__(
        self,
        lr: float = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        alpha1: float | None = None,
        alpha2: float | None = None,
    ) -> None:
        self.lr = lr
        self.beta1 = beta1 if alpha1 is None else alpha1
        self.beta2 = beta2 if alpha2 is None else alpha2
        self.iter = 0
        self.m: dict[Any, Any] | None = None
        self.v: dict[Any, Any] | None = None
        self._copies: dict[Any, Any] = {}  # copies of the gradients, because the kernel clears its input

    def update(self, params: State, grads: State) -> None:
        if self.m is None or self.v is None:
            self.m, self.v, self._copies = _zeros(params), _zeros(params), _zeros(params)
        self.iter += 1
        correction = np.sqrt(1.0 - self.beta2**self.iter)
        rate = self.lr * correction / (1.0 - self.beta1**self.iter)
        epsilon = 1e-7 / correction  # the kernel adds it after the correction, the book before
        for key in _keys(params):
            value = params[key]
            if isinstance(value, np.ndarray) and value.flags.c_contiguous:
                np.copyto(self._copies[key], grads[key])
                kernels.adam_update(
                    value.reshape(-1),
                    self._copies[key].reshape(-1),
                    self.m[key].reshape(-1),
                    self.v[key].reshape(-1),
                    self.lr,
                    self.beta1,
                    self.beta2,
                    epsilon,
                    self.iter,
                )
            else:
                self.m[key] = self.m[key] + (1 - self.beta1) * (grads[key] - self.m[key])
                self.v[key] = self.v[key] + (1 - self.beta2) * (grads[key] ** 2 - self.v[key])
                params[key] -= rate * self.m[key] / (np.sqrt(self.v[key]) + 1e-7)
