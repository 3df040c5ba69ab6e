"""AdaGrad, RMSProp, Adam, AdamW: each parameter has its own step size, set by the size of its past gradients.

AdaGrad  h <- h + g^2
RMSProp  h <- decay_rate h + (1 - decay_rate) g^2
Adam     h <- beta2 h + (1 - beta2) g^2,   and g is replaced by its mean  m <- beta1 m + (1 - beta1) g

p <- p - learning_rate g / (sqrt(h) + epsilon)
"""

import math

from chainrule import kernels
from chainrule.arrays import Array
from chainrule.errors import OptionError
from chainrule.optimizers.base import Optimizer, check_share, decays
from chainrule.parameters import Parameter, spans
from chainrule.schedules import Rate

__all__ = ["AdaGrad", "Adam", "AdamW", "RMSProp"]


class AdaGrad(Optimizer):
    """p <- p - learning_rate g / (sqrt(h) + epsilon), h the sum of all g^2 so far  (Duchi, Hazan and Singer 2011).

    Args:
        learning_rate: above 0, or a Schedule.
        epsilon: keeps the divisor away from zero.
        weight_decay: 0 (none) or above.
    """

    state_names = ("square",)

    def __init__(self, learning_rate: Rate = 0.01, epsilon: float = 1e-10, weight_decay: float = 0.0) -> None:
        super().__init__(learning_rate, weight_decay)
        _check_epsilon(epsilon)
        self.epsilon = epsilon

    def update(self, values: Array, gradients: Array, state: dict[str, Array], rate: float) -> None:
        kernels.adagrad_update(values, gradients, state["square"], rate, self.epsilon)


class RMSProp(Optimizer):
    """p <- p - learning_rate g / (sqrt(h) + epsilon), h a running mean of g^2  (Tieleman and Hinton 2012).

    Args:
        learning_rate: above 0, or a Schedule.
        decay_rate: the fraction of h kept at each step.
        epsilon: keeps the divisor away from zero.
        weight_decay: 0 (none) or above.
    """

    state_names = ("square",)

    def __init__(
        self, learning_rate: Rate = 0.001, decay_rate: float = 0.99, epsilon: float = 1e-8, weight_decay: float = 0.0
    ) -> None:
        super().__init__(learning_rate, weight_decay)
        check_share(decay_rate, "decay_rate", 0.99)
        _check_epsilon(epsilon)
        self.decay_rate = decay_rate
        self.epsilon = epsilon

    def update(self, values: Array, gradients: Array, state: dict[str, Array], rate: float) -> None:
        kernels.rmsprop_update(values, gradients, state["square"], rate, self.decay_rate, self.epsilon)


class Adam(Optimizer):
    """p <- p - learning_rate m / (sqrt(h) + epsilon), m and h running means of g and g^2, corrected for their start at
    zero  (Kingma and Ba 2014, arXiv:1412.6980).

    Args:
        learning_rate: above 0, or a Schedule.
        beta1, beta2: the fractions of m and of h kept at each step.
        epsilon: keeps the divisor away from zero.
        weight_decay: 0 (none) or above.
    """

    state_names = ("mean", "square")

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(learning_rate, weight_decay)
        check_share(beta1, "beta1", 0.9)
        check_share(beta2, "beta2", 0.999)
        _check_epsilon(epsilon)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon

    def update(self, values: Array, gradients: Array, state: dict[str, Array], rate: float) -> None:
        mean, square = state["mean"], state["square"]
        kernels.adam_update(values, gradients, mean, square, rate, self.beta1, self.beta2, self.epsilon, self.steps)


class AdamW(Adam):
    """Adam with decoupled weight decay, p <- (1 - learning_rate weight_decay) p, not part of the gradient
    (Loshchilov and Hutter 2017, arXiv:1711.05101).

    Args:
        learning_rate, beta1, beta2, epsilon: as for Adam.
        weight_decay: 0 (none) or above.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(learning_rate, beta1, beta2, epsilon, weight_decay)

    def decay(self, values: Array, gradients: Array, parameters: list[Parameter], rate: float) -> None:
        if self.weight_decay:
            for span in spans(parameters, decays):
                kernels.decay_update(values[span], 1 - rate * self.weight_decay)


def _check_epsilon(epsilon: float) -> None:
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise OptionError(f"epsilon must be a number above 0, got {epsilon}: 1e-8 is usual")
