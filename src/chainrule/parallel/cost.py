"""What a step costs with so many workers: a formula, and a simulation of workers that are not equally quick.

A step is the slowest worker's share of the batch, then one all-reduce of P numbers, which with N workers sends N - 1
messages twice, each of 1/N of the numbers:

    step(N) = max over workers of compute(parts / N) + 2 (N - 1) latency + 2 (N - 1) / N  bytes / bandwidth

So computing shrinks with N and exchanging does not: another worker pays while what it takes off the first term is more
than what it adds to the others. (Thakur, Rabenseifner and Gropp 2005, "Optimization of Collective Communication
Operations in MPICH"; Hockney's model of latency and bandwidth.)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import OptionError

__all__ = ["ONE_MACHINE", "Costs", "pays", "simulate"]

_NUMBER = 4
"""Bytes of a float32."""
_PASSES = 3
"""Multiply-adds of forward and backward, of those of forward."""


@dataclass(frozen=True)
class Costs:
    """Of one worker and what connects it with the others.

    Attributes:
        latency: seconds of a message that carries nothing.
        bandwidth: bytes a second between two workers.
        rate: multiply-adds a second.
    """

    latency: float
    bandwidth: float
    rate: float

    def __post_init__(self) -> None:
        if not (self.latency >= 0 and self.bandwidth > 0 and self.rate > 0):
            raise OptionError(f"latency must be 0 or more, bandwidth and rate above 0, got {self}")

    def all_reduce(self, numbers: int, workers: int) -> float:
        """Seconds to add so many numbers of each worker."""
        sent = 2 * (workers - 1) / workers * numbers * _NUMBER
        return 2 * (workers - 1) * self.latency + sent / self.bandwidth

    def step(self, parameters: int, multiply_adds: int, batch_size: int, workers: int) -> float:
        """Seconds of a step of a network with so many multiply-adds a sample in forward, all workers equally quick."""
        computing = _PASSES * multiply_adds * batch_size / workers / self.rate
        return computing + self.all_reduce(parameters, workers)


ONE_MACHINE = Costs(latency=50e-6, bandwidth=2e9, rate=50e9)
"""Processes of one machine that have a core each; of the order of what benchmarks/scaling.py measures."""


def pays(parameters: int, multiply_adds: int, batch_size: int, workers: int, costs: Costs = ONE_MACHINE) -> bool:
    """Whether so many workers make a step quicker than one does, by this estimate."""
    one, many = (costs.step(parameters, multiply_adds, batch_size, count) for count in (1, workers))
    return many < one


def simulate(parts: Sequence[float], share: int, all_reduce: float, workers: int, steps: int, seed: int) -> Array:
    """Seconds (steps,) of steps in which each worker's parts take as long as parts drawn from measured ones.

    Args:
        parts: seconds of single parts, as they were measured.
        share: parts of a batch.
        all_reduce: seconds of the exchange.
        workers: who share the parts.
        steps: how many.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    sizes = np.diff([share * rank // workers for rank in range(workers + 1)])
    slowest = np.zeros(steps)
    for size in sizes:
        slowest = np.maximum(slowest, rng.choice(np.asarray(parts, float), (steps, size)).sum(axis=1))
    result: Array = slowest + all_reduce
    return result
