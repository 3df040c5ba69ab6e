"""SGD: straight down the gradient, with or without momentum."""

from chainrule import kernels
from chainrule.arrays import Array
from chainrule.errors import OptionError
from chainrule.optimizers.base import Optimizer, check_share
from chainrule.schedules import Rate

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent: v <- momentum v + g;  p <- p - learning_rate v.

    With `nesterov`, p <- p - learning_rate (g + momentum v). Sutskever et al. 2013, "On the importance of
    initialization and momentum in deep learning".

    Args:
        learning_rate: above 0, or a Schedule.
        momentum: 0 (none) up to, not including, 1.
        nesterov: look ahead along the momentum.
        weight_decay: 0 (none) or above.
    """

    def __init__(
        self, learning_rate: Rate = 0.01, momentum: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0
    ) -> None:
        super().__init__(learning_rate, weight_decay)
        check_share(momentum, "momentum", 0.9)
        if nesterov and momentum == 0:
            raise OptionError("nesterov needs a momentum above 0: 0.9 is usual")
        self.momentum = momentum
        self.nesterov = nesterov
        self.state_names = ("velocity",) if momentum else ()

    def update(self, values: Array, gradients: Array, state: dict[str, Array], rate: float) -> None:
        kernels.sgd_update(values, gradients, state.get("velocity"), rate, self.momentum, self.nesterov)
