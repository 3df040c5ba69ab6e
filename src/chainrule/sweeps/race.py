"""Which trials continue: decided by their results, never by which was faster.

Every trial trains to the first rung (a number of epochs); the better of those that reach it continue to the next.
Successive halving decides for all at once, when the last has arrived (Jamieson and Talwalkar 2016, arXiv:1502.07943).
ASHA does not wait (Li, Jamieson, Rostamizadeh, Gonina, Hardt, Recht and Talwalkar 2018, arXiv:1810.05934, "A System for
Massively Parallel Hyperparameter Tuning"): a trial continues if it is among the better of those that arrived before it.
Here, unlike there, "before" means by number and not by time: a trial may have to wait for one with a smaller number,
and in return every run of a sweep stops the same trials.
"""

import math
from bisect import bisect, insort
from collections.abc import Sequence

__all__ = ["verdicts_of"]

_ROUNDING = 1e-9
"""A third of three is one."""


def verdicts_of(
    marks: Sequence[Sequence[float]], failed: Sequence[bool], rungs: int, keep: float, *, waits: bool
) -> list[list[bool]]:
    """For each trial, whether it continues after the first rung, the second, ..., as far as that is decided.

    Args:
        marks: for each trial, its result at each rung it has reached; larger is better.
        failed: for each trial, whether it failed and so gets no further.
        rungs: how many there are; nothing is decided at the last.
        keep: the share that continues; at least one does.
        waits: successive halving instead of ASHA.
    """
    verdicts: list[list[bool]] = [[] for _ in marks]
    for rung in range(rungs - 1):
        there: list[tuple[float, int]] = []  # better ones first; of equals, the earlier one
        for number, mine in enumerate(marks):
            if not all(verdicts[number]) or (failed[number] and len(mine) <= rung):
                continue  # it never reaches this rung
            if len(verdicts[number]) < rung or len(mine) <= rung:
                break  # it may still
            place = -mine[rung], number
            insort(there, place)
            if not waits:
                verdicts[number].append(bisect(there, place) <= max(1, int(keep * len(there) + _ROUNDING)))
        else:
            if waits:
                going_on = max(1, math.ceil(keep * len(there)))
                for position, (_, number) in enumerate(there):
                    verdicts[number].append(position < going_on)
    return verdicts
