"""The time of a step with N workers: a formula, and a simulation of workers of unequal speed.

A step is the slowest worker's share of the batch, then one all-reduce of P numbers, in which each of N workers sends
2 (N - 1) messages with 1/N of the numbers each:

    step(N) = max over workers of compute(parts / N) + 2 (N - 1) latency + 2 (N - 1) / N  bytes / bandwidth

So the computing time falls with N, and the communication does not: another worker pays off as long as it saves more in
the first term than it adds to the others. (Thakur, Rabenseifner and Gropp 2005, "Optimization of Collective
Communication Operations in MPICH"; Hockney's model of latency and bandwidth.)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import OptionError

__all__ = ["ONE_MACHINE", "Costs", "pays", "simulate"]

_NUMBER = 4
"""Bytes per float32."""
_PASSES = 3
"""Multiply-adds of forward and backward together, relative to forward."""


@dataclass(frozen=True)
class Costs:
    """The speed of one worker and of its connection to the others.

    Attributes:
        latency: seconds per empty message.
        bandwidth: bytes per second between two workers.
        rate: multiply-adds per second.
    """

    latency: float
    bandwidth: float
    rate: float

    def __post_init__(self) -> None:
        if not (self.latency >= 0 and self.bandwidth > 0 and self.rate > 0):
            raise OptionError(f"latency must be 0 or more, bandwidth and rate above 0, got {self}")

    def all_reduce(self, numbers: int, workers: int) -> float:
        """Seconds to all-reduce this many numbers."""
        sent = 2 * (workers - 1) / workers * numbers * _NUMBER
        return 2 * (workers - 1) * self.latency + sent / self.bandwidth

    def step(self, parameters: int, multiply_adds: int, batch_size: int, workers: int) -> float:
        """Seconds per step, for this many multiply-adds per sample in forward and workers of equal speed."""
        computing = _PASSES * multiply_adds * batch_size / workers / self.rate
        return computing + self.all_reduce(parameters, workers)


ONE_MACHINE = Costs(latency=50e-6, bandwidth=2e9, rate=50e9)
"""Processes on one machine with one core each; about what benchmarks/scaling.py measures."""


def pays(parameters: int, multiply_adds: int, batch_size: int, workers: int, costs: Costs = ONE_MACHINE) -> bool:
    """Whether this many workers are estimated to be faster than one."""
    one, many = (costs.step(parameters, multiply_adds, batch_size, count) for count in (1, workers))
    return many < one


def simulate(parts: Sequence[float], share: int, all_reduce: float, workers: int, steps: int, seed: int) -> Array:
    """Seconds (steps,) of simulated steps; the time of each part is drawn from measured times.

    Args:
        parts: measured seconds of single parts.
        share: parts per batch.
        all_reduce: seconds per all-reduce.
        workers: the number that share the parts.
        steps: the number to simulate.
        seed: for the draws.
    """
    rng = np.random.default_rng(seed)
    sizes = np.diff([share * rank // workers for rank in range(workers + 1)])
    slowest = np.zeros(steps)
    for size in sizes:
        slowest = np.maximum(slowest, rng.choice(np.asarray(parts, float), (steps, size)).sum(axis=1))
    result: Array = slowest + all_reduce
    return result
