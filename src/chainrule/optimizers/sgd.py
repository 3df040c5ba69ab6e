"""SGD: steps straight down the gradient, with or without momentum."""

from chainrule import kernels
from chainrule.arrays import Array
from chainrule.errors import OptionError
from chainrule.optimizers.base import Optimizer, check_share, trains
from chainrule.parameters import Parameter, placed, spans
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

    @property
    def takes_products(self) -> bool:
        return not self.weight_decay  # weight decay is added to the whole gradient

    def apply(self, values: Array, gradients: Array, parameters: list[Parameter], rate: float) -> None:
        if not any([parameter.waits for parameter in parameters]):  # noqa: C419 - in half the time
            super().apply(values, gradients, parameters, rate)
            return
        for span in spans(parameters, lambda parameter: trains(parameter) and not parameter.waits):
            self.update(values[span], gradients[span], self.state_of(span), rate)
        for parameter, span in placed(parameters):
            if trains(parameter) and parameter.waits:
                shape, velocity = parameter.shape, self.state_of(span).get("velocity")
                kernels.sgd_product_update(
                    values[span].reshape(shape),
                    gradients[span].reshape(shape),
                    None if velocity is None else velocity.reshape(shape),
                    *parameter.take_product(),
                    rate,
                    self.momentum,
                    self.nesterov,
                )

    def update(self, values: Array, gradients: Array, state: dict[str, Array], rate: float) -> None:
        kernels.sgd_update(values, gradients, state.get("velocity"), rate, self.momentum, self.nesterov)
