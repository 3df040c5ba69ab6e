"""The named optimizers and schedules of recipes and the command line."""

from collections.abc import Callable
from typing import NamedTuple

from chainrule.errors import OptionError
from chainrule.optimizers import SGD, AdaGrad, Adam, AdamW, Muon, Optimizer, RMSProp
from chainrule.schedules import Cosine, OneCycle, Rate, StepDecay, Warmup

__all__ = ["OPTIMIZERS", "SCHEDULES", "Choice", "make_rate", "usual_optimizer"]


class Choice(NamedTuple):
    """An optimizer: how to make it from a rate and a weight decay (None: its own), and its default rate."""

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
"""Schedules from a rate and the total number of steps; "step" divides the rate by 10 after each third."""


def usual_optimizer(model: str) -> str:
    """The default optimizer of a named network: plain SGD for the lesson's, otherwise Adam."""
    return "sgd" if model in ("two-layer", "mlp") else "adam"


def make_rate(schedule: str, rate: float, steps: int, warmup: int) -> Rate:
    """The learning rate for a training of `steps` steps; it rises over the first `warmup` of them."""
    if warmup and warmup >= steps:
        raise OptionError(f"--warmup {warmup} is not shorter than the training of {steps:,} steps: warm up for less")
    after = SCHEDULES[schedule](rate, steps - warmup)
    return Warmup(after, warmup) if warmup else after
