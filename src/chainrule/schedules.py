"""Learning-rate schedules: the learning rate as a function of the number of steps done.

An optimizer takes one instead of a number: `SGD(learning_rate=Cosine(0.1, steps=6000))`.
"""

import math
from typing import TypeAlias

from chainrule.config import Configured
from chainrule.errors import OptionError

__all__ = ["Constant", "Cosine", "Exponential", "OneCycle", "Rate", "Schedule", "StepDecay", "Warmup", "rate_at"]


class Schedule(Configured):
    """A learning rate for every step."""

    def __call__(self, step: int) -> float:
        """step (0 for the first) -> the learning rate of that step; after its end a schedule keeps its last rate."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__")


Rate: TypeAlias = float | Schedule


class Constant(Schedule):
    """The same rate at every step, like a plain number."""

    def __init__(self, rate: float) -> None:
        _check_rate(rate)
        self.rate = rate

    def __call__(self, step: int) -> float:
        return self.rate


class StepDecay(Schedule):
    """rate factor^(step // every): the rate drops after every `every` steps.

    Args:
        rate: the initial rate.
        every: steps between two drops.
        factor: the factor of each drop.
    """

    def __init__(self, rate: float, every: int, factor: float = 0.1) -> None:
        _check_rate(rate)
        _check_steps(every, "every")
        _check_rate(factor, "factor")
        self.rate = rate
        self.every = every
        self.factor = factor

    def __call__(self, step: int) -> float:
        rate: float = self.rate * self.factor ** (step // self.every)
        return rate


class Cosine(Schedule):
    """From `rate` to `final` along half a cosine  (Loshchilov and Hutter 2016, arXiv:1608.03983).

    Args:
        rate: the rate of the first step.
        steps: the number of steps until the final rate is reached.
        final: 0 or more.
    """

    def __init__(self, rate: float, steps: int, final: float = 0.0) -> None:
        _check_rate(rate)
        _check_steps(steps, "steps")
        if not 0 <= final <= rate:
            raise OptionError(f"final must be from 0 to the first rate {rate}, got {final}")
        self.rate = rate
        self.steps = steps
        self.final = final

    def __call__(self, step: int) -> float:
        return _cosine(self.rate, self.final, step / self.steps)


class OneCycle(Schedule):
    """Up from rate / 25 to `rate` in the first part of the steps, then down to rate / 250,000, both along a cosine
    (Smith and Topin 2017, arXiv:1708.07120).

    Args:
        rate: the highest rate.
        steps: the length of the whole cycle.
        rise: the fraction of the cycle in which the rate rises, between 0 and 1.
    """

    def __init__(self, rate: float, steps: int, rise: float = 0.3) -> None:
        _check_rate(rate)
        _check_steps(steps, "steps")
        if not 0 < rise < 1:
            raise OptionError(f"rise must be between 0 and 1, got {rise}: 0.3 is usual")
        self.rate = rate
        self.steps = steps
        self.rise = rise

    def __call__(self, step: int) -> float:
        first, last, top = self.rate / 25, self.rate / 250_000, self.rise * self.steps
        if step < top:
            return _cosine(first, self.rate, step / top)
        return _cosine(self.rate, last, (step - top) / (self.steps - top))


class Exponential(Schedule):
    """From `first` to `last` in equal ratios, for the learning-rate range test  (Smith 2015, arXiv:1506.01186).

    Args:
        first, last: above 0.
        steps: the number of steps until the last is reached.
    """

    def __init__(self, first: float, last: float, steps: int) -> None:
        _check_rate(first, "first")
        _check_rate(last, "last")
        _check_steps(steps, "steps")
        self.first = first
        self.last = last
        self.steps = steps

    def __call__(self, step: int) -> float:
        rate: float = self.first * (self.last / self.first) ** min(step / self.steps, 1.0)
        return rate


class Warmup(Schedule):
    """Linear from rate / steps up to `rate` in the first steps, then `after`  (Goyal et al. 2017, arXiv:1706.02677).

    Args:
        after: a rate, or a schedule, which starts at its own step 0 after the warm-up.
        steps: the length of the warm-up.
    """

    def __init__(self, after: Rate, steps: int) -> None:
        if not isinstance(after, Schedule):
            _check_rate(after)
        _check_steps(steps, "steps")
        self.after = after
        self.steps = steps

    def __call__(self, step: int) -> float:
        if step < self.steps:
            return rate_at(self.after, 0) * (step + 1) / self.steps
        return rate_at(self.after, step - self.steps)


def rate_at(rate: Rate, step: int) -> float:
    """The learning rate at a step, from a number or a schedule."""
    return rate(step) if isinstance(rate, Schedule) else rate


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(progress, 1.0))) / 2


def _check_rate(rate: float, what: str = "rate") -> None:
    if not (math.isfinite(rate) and rate > 0):
        raise OptionError(f"{what} must be a number above 0, got {rate}")


def _check_steps(steps: int, what: str) -> None:
    if steps < 1:
        raise OptionError(f"{what} must be 1 step or more, got {steps}")
