"""Who goes on: worked by hand, and the same whoever is quicker."""

import math
import random

import pytest

from chainrule.sweeps.race import verdicts_of

SIX = [[0.5], [0.4], [0.6], [0.7], [0.1], [0.65]]


def test_halving_decides_for_all_when_the_last_has_got_there():
    assert verdicts_of([*SIX[:5], []], [False] * 6, 2, 1 / 3, waits=True) == [[]] * 6
    going_on = verdicts_of(SIX, [False] * 6, 2, 1 / 3, waits=True)
    assert going_on == [[False], [False], [False], [True], [False], [True]]


def test_asha_decides_by_those_that_come_before():
    """A third of 1, 2, 3, 4, 5, 6, but at least one: the best of those so far, and of six the better two."""
    going_on = verdicts_of(SIX, [False] * 6, 2, 1 / 3, waits=False)
    assert going_on == [[True], [False], [True], [True], [False], [True]]
    missing = [*SIX[:2], [], *SIX[3:]]
    assert verdicts_of(missing, [False] * 6, 2, 1 / 3, waits=False) == [[True], [False], [], [], [], []]


def test_of_equals_the_earlier_one_goes_on_and_what_failed_does_not_count():
    assert verdicts_of([[0.5]] * 3, [False] * 3, 2, 1 / 3, waits=False) == [[True], [False], [False]]
    for waits in (True, False):
        assert verdicts_of([[], [0.1]], [True, False], 2, 0.5, waits=waits) == [[], [True]]
    assert verdicts_of([[-math.inf]], [False], 2, 0.5, waits=False) == [[True]]


@pytest.mark.parametrize("waits", [True, False])
def test_verdicts_do_not_depend_on_who_is_quicker(waits):
    """Trials that advance in any order, one rung at a time as far as the verdicts let them, end alike."""
    rng = random.Random(0)
    full = [[rng.random() for _ in range(4)] for _ in range(30)]
    breaks = [rng.choice([None, None, None, 0, 1, 2]) for _ in full]  # the rung that a trial fails to get to
    ends = []
    for seed in range(10):
        order = random.Random(seed)
        marks: list[list[float]] = [[] for _ in full]
        failed = [False] * len(full)
        while True:
            verdicts = verdicts_of(marks, failed, 4, 1 / 3, waits=waits)
            ready = [
                n
                for n, passed in enumerate(verdicts)
                if all(passed) and not failed[n] and len(marks[n]) == len(passed) < 4
            ]
            if not ready:
                break
            number = order.choice(ready)
            if breaks[number] == len(marks[number]):
                failed[number] = True
            else:
                marks[number].append(full[number][len(marks[number])])
        ends.append((marks, failed))
    assert all(end == ends[0] for end in ends)
    reached = [sum(len(mine) > rung for mine in ends[0][0]) for rung in range(4)]
    assert 30 > reached[0] > reached[1] > reached[2] >= reached[3] >= 1
