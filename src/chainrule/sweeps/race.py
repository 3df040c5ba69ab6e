"""Who of the trials goes on: decided by what they have reached, never by who was quicker.

Every trial trains to the first rung (a number of epochs); the better ones among those that have got there go on to the
next. Successive halving decides that for all at once, when the last has got there (Jamieson and Talwalkar 2016,
arXiv:1502.07943). ASHA waits for nobody (Li, Jamieson, Rostamizadeh, Gonina, Hardt, Recht and Talwalkar 2018,
arXiv:1810.05934, "A System for Massively Parallel Hyperparameter Tuning"): a trial goes on if it is among the better
ones of those that were there before it. "Before" is meant here by number and not by time, which is the one change: a
trial may have to wait for one with a smaller number, and in return every run of a sweep stops the same trials.
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
    """For each trial, whether it went on from the first rung, the second, ..., as far as that is decided.

    Args:
        marks: for each trial, what it had reached at each rung that it has got to, the larger the better.
        failed: whether it gets no further by a failure of its own.
        rungs: how many there are; nothing is decided at the last.
        keep: the share that goes on, but at least one.
        waits: successive halving, and not ASHA.
    """
    verdicts: list[list[bool]] = [[] for _ in marks]
    for rung in range(rungs - 1):
        there: list[tuple[float, int]] = []  # the better ones first; of equals, the earlier one
        for number, mine in enumerate(marks):
            if not all(verdicts[number]) or (failed[number] and len(mine) <= rung):
                continue  # it never comes here
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
