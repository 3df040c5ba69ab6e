"""Which optimizers and schedules have a name in a recipe and on the command line."""

from collections.abc import Callable
from typing import NamedTuple

from chainrule.errors import OptionError
from chainrule.optimizers import SGD, AdaGrad, Adam, AdamW, Muon, Optimizer, RMSProp
from chainrule.schedules import Cosine, OneCycle, Rate, StepDecay, Warmup

__all__ = ["OPTIMIZERS", "SCHEDULES", "Choice", "make_rate", "usual_optimizer"]


class Choice(NamedTuple):
    """An optimizer: how it is made from a rate and a weight decay (None: its own), and the rate where none is given."""

    make: Callable[[Rate, float | None], Optimizer]
    usual_rate: float


OPTIMIZERS: dict[str, Choice] = {
    "sgd": Choice(lambda rate, decay: SGD(rate, weight_decay=decay or 0.0), 0.1),
    "momentum": Choice(lambda rate, decay: SGD(rate, momentum=0.9, weight_decay=decay or 0.0), 0.05),
    "nesterov": Choice(lambda rate, decay: SGD(rate, momentum=0.9, nesterov=True, weight_decay=decay or 0.0), 0.05),
    "adagrad": Choice(lambda rate, decay: AdaGrad(rate, weight_decay=decay or 0.0), 0.01),
    "rmsprop": Choice(lambda rate, decay: RMSProp(rate, weight_decay=decay or 0.0), 0.001),
    "adam": Choice(lambda rate, decay: Adam(rate, weight_decay=decay or 0.0), 0.001),
    "adamw": Choice(lambda rate, decay: AdamW(rate) if decay is None else AdamW(rate, weight_decay=decay), 0.001),
    "muon": Choice(lambda rate, decay: Muon(rate, weight_decay=decay or 0.0), 0.01),
}

SCHEDULES: dict[str, Callable[[float, int], Rate]] = {
    "constant": lambda rate, steps: rate,
    "step": lambda rate, steps: StepDecay(rate, every=max(1, steps // 3)),
    "cosine": Cosine,
    "one-cycle": OneCycle,
}
"""From the rate and the number of steps in all; "step" divides the rate by 10 after each third."""


def usual_optimizer(model: str) -> str:
    """What a named network is trained with where nothing is said: the lesson's plain SGD, else Adam."""
    return "sgd" if model in ("two-layer", "mlp") else "adam"


def make_rate(schedule: str, rate: float, steps: int, warmup: int) -> Rate:
    """The learning rate of a training of `steps` steps, the first `warmup` of them rising to it."""
    if warmup and warmup >= steps:
        raise OptionError(f"--warmup {warmup} is not shorter than the training of {steps:,} steps: warm up for less")
    after = SCHEDULES[schedule](rate, steps - warmup)
    return Warmup(after, warmup) if warmup else after
