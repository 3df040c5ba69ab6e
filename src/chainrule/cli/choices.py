"""Which optimizers and schedules have a name on the command line."""

from collections.abc import Callable
from typing import NamedTuple

from chainrule.data import BUNDLED, REMOTE
from chainrule.errors import OptionError
from chainrule.optimizers import SGD, AdaGrad, Adam, AdamW, Muon, Optimizer, RMSProp
from chainrule.schedules import Cosine, OneCycle, Rate, StepDecay, Warmup

__all__ = ["DATA", "OPTIMIZERS", "SCHEDULES", "Choice", "make_rate", "usual_optimizer"]

DATA = (
    f"A name ({', '.join([*BUNDLED, *REMOTE])}), or a path: .csv, .npz, a folder of IDX files, of .npy files, or of a "
    "folder of pictures for each class."
)
"""The help of --data."""


class Choice(NamedTuple):
    """An optimizer: how it is made from a learning rate, and the rate where none is given."""

    make: Callable[[Rate], Optimizer]
    usual_rate: float


OPTIMIZERS: dict[str, Choice] = {
    "sgd": Choice(SGD, 0.1),
    "momentum": Choice(lambda rate: SGD(rate, momentum=0.9), 0.05),
    "nesterov": Choice(lambda rate: SGD(rate, momentum=0.9, nesterov=True), 0.05),
    "adagrad": Choice(AdaGrad, 0.01),
    "rmsprop": Choice(RMSProp, 0.001),
    "adam": Choice(Adam, 0.001),
    "adamw": Choice(AdamW, 0.001),
    "muon": Choice(Muon, 0.01),
}

SCHEDULES: dict[str, Callable[[float, int], Rate]] = {
    "constant": lambda rate, steps: rate,
    "step": lambda rate, steps: StepDecay(rate, every=max(1, steps // 3)),
    "cosine": Cosine,
    "one-cycle": OneCycle,
}
"""From the rate and the number of steps in all; "step" divides the rate by 10 after each third."""


def usual_optimizer(model: str) -> str:
    """What a named network is trained with where nothing is said: the lesson's plain SGD, Adam where it convolves."""
    return "sgd" if model in ("two-layer", "mlp") else "adam"


def make_rate(schedule: str, rate: float, steps: int, warmup: int) -> Rate:
    """The learning rate of a training of `steps` steps, the first `warmup` of them rising to it."""
    if warmup and warmup >= steps:
        raise OptionError(f"--warmup {warmup} is not shorter than the training of {steps:,} steps: warm up for less")
    after = SCHEDULES[schedule](rate, steps - warmup)
    return Warmup(after, warmup) if warmup else after
