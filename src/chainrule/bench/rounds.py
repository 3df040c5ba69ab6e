"""Several ways of the same work, measured by turns, so that a slow moment of the machine meets them all alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

__all__ = ["OURS", "Result", "Run", "by_turns"]

OURS = "chainrule"
"""The name of the way that the others are compared with."""

Run = Callable[[], float]
"""One round of the work; returns the seconds that one unit of it (a step, a batch, an import) took."""


class Result(NamedTuple):
    """All rounds of one way. Ratios say how many times as long as chainrule it took, each within its own round."""

    seconds: list[float]
    ratios: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)


def by_turns(runs: Mapping[str, Run], rounds: int, warm_up: int = 1) -> dict[str, Result]:
    """`rounds` rounds of every way after `warm_up` that do not count; one of the ways is OURS.

    Before each there is a pause: threads of the way before (OpenBLAS, OpenMP) wait awake for a while, and would take
    time from this one.
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
