"""Measure several implementations of the same work in turns, so that a slow moment of the machine affects all alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

__all__ = ["OURS", "Result", "Run", "by_turns"]

OURS = "chainrule"
"""The implementation that the others are compared with."""

Run = Callable[[], float]
"""Runs one round of the work and returns the seconds per unit (a step, a batch, an import)."""


class Result(NamedTuple):
    """All rounds of one implementation; each ratio is its time divided by chainrule's in the same round."""

    seconds: list[float]
    ratios: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)


def by_turns(runs: Mapping[str, Run], rounds: int, warm_up: int = 1) -> dict[str, Result]:
    """Run `rounds` rounds of every implementation, after `warm_up` untimed ones; one of them must be OURS.

    There is a pause before each run, because the threads of the previous one (OpenBLAS, OpenMP) spin for a while and
    would take time from this one.
    """
    for _ in range(warm_up):
        for run in runs.values():
            run()
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            time.sleep(0.2)
            seconds[name].append(run())
    own = seconds[OURS]
    return {
        name: Result(times, [time / mine for time, mine in zip(times, own, strict=True)])
        for name, times in seconds.items()
    }
