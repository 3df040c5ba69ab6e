"""The learning-rate range test: raise the rate from step to step and watch the loss.

(Smith 2015, arXiv:1506.01186.) A short training on a copy of the network, from a rate at which nothing moves to one at
which everything breaks; the rate to use lies where the loss still falls, below where it is lowest and rises again.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import DivergenceError, OptionError
from chainrule.layers import Sequential
from chainrule.losses import Loss
from chainrule.markup import fragment, lines
from chainrule.optimizers import Optimizer
from chainrule.schedules import Exponential, Schedule
from chainrule.training.evaluate import Batches
from chainrule.training.history import Step
from chainrule.training.trainer import Trainer

__all__ = ["RangeTest", "find_learning_rate"]

_BROKEN = 4.0
_SHARE = 1 / 3
"""The share of the rate with the lowest loss that is proposed; docs/decisions/017-which-learning-rate.md."""


@dataclass(frozen=True)
class RangeTest:
    """rates, losses: one number a step done. smoothed: means of the losses around each. proposal: a rate to begin
    with."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    proposal: float

    def _repr_html_(self) -> str:
        """HTML for notebooks: the loss against the rate."""
        return fragment(str(self), lines([("smoothed loss", self.smoothed), ("loss of a step", self.losses)]))

    def __str__(self) -> str:
        return (
            f"learning rate {self.proposal:.2g} (of {len(self.rates)} tried from {self.rates[0]:.2g} "
            f"to {self.rates[-1]:.2g})"
        )


def find_learning_rate(
    network: Sequential,
    data: Batches,
    *,
    loss: Loss,
    optimizer: Callable[[Schedule], Optimizer],
    batch_size: int = 100,
    first: float = 1e-6,
    last: float = 10.0,
    steps: int = 200,
    seed: int = 0,
    follow: Callable[[Step], None] = lambda step: None,
) -> RangeTest:
    """Train a copy of the network with a rate that grows from `first` to `last`; the network is not changed.

    Ends early where the smoothed loss is four times its lowest, or not finite. The proposal is a third of the rate at
    which the smoothed loss is lowest.

    Args:
        network: built.
        data: labelled.
        loss: to be watched.
        optimizer: makes the optimizer from a learning rate, such as `lambda rate: SGD(rate, momentum=0.9)`.
        batch_size: samples per step.
        first, last: the range.
        steps: how many rates are tried, 10 or more.
        seed: decides the batches.
        follow: called with each step, for a progress bar.

    Raises:
        OptionError: the range or the steps are no use.
        DivergenceError: the loss was broken before ten steps: begin with a smaller rate.
    """
    if not 0 < first < last or steps < 10:
        raise OptionError(f"the range test needs 0 < first < last and 10 steps or more, got {first}, {last}, {steps}")
    schedule = Exponential(first, last, steps - 1)
    trainer = Trainer(network.copy(), loss=loss, optimizer=optimizer(schedule), seed=seed)
    rates: list[float] = []
    losses: list[float] = []
    width = max(1, steps // 20)
    try:
        while len(rates) < steps:
            for step in trainer.steps(data, batch_size=batch_size):
                follow(step)
                rates.append(step.learning_rate)
                losses.append(step.loss)
                if len(rates) == steps or (len(rates) > 10 and _is_broken(losses, width)):
                    return _result(rates, losses, width)
            trainer.end_epoch()
    except DivergenceError:
        if len(rates) < 10:
            raise
    return _result(rates, losses, width)


def _is_broken(losses: list[float], width: int) -> bool:
    """Whether the latest losses are far above the lowest stretch so far."""
    smoothed = _smooth(np.array(losses), width)
    return float(np.mean(losses[-width:])) > _BROKEN * float(smoothed.min())


def _result(rates: list[float], losses: list[float], width: int) -> RangeTest:
    smoothed = _smooth(np.array(losses), width)
    proposal = rates[int(smoothed.argmin())] * _SHARE
    return RangeTest(tuple(rates), tuple(losses), tuple(smoothed.tolist()), float(f"{proposal:.1e}"))


def _smooth(values: Array, width: int) -> Array:
    """The mean of each value and up to `width` neighbours on either side."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    first, stop = np.maximum(places - width, 0), np.minimum(places + width + 1, len(values))
    means: Array = (sums[stop] - sums[first]) / (stop - first)
    return means
