"""Recover the gradient from a parameter update inside backward: find its learning rate, or detect an optimizer."""

from collections.abc import Callable, Sequence

import numpy as np

from chainrule.arrays import Array
from chainrule.numerical import central_difference
from chainrule.scratch.probe import Outcome, Probe, Target
from chainrule.scratch.upstream import leaves

__all__ = ["learning_rate", "moved_alike", "numerical"]

_MORE_PROBES = 400
"""Elements of a wrong gradient that are probed to diagnose it."""


def learning_rate(probe: Probe, moved: Sequence[Target], outcome: Outcome, rng: np.random.Generator) -> float | None:
    """Return the learning rate of an update: the candidate number that fits best, otherwise the rate it implies.

    Return None if there is no candidate and nothing moves.
    """
    numbers = [float(value) for value in probe.numbers() if float(value) > 0]
    shown = 0.0
    for target in moved:
        expected = numerical(target.value, probe.objective, (), rng)
        known = ~np.isnan(expected)
        step, right = -outcome.moved.get(target.name, np.zeros_like(expected))[known], expected[known]
        if right.any():
            shown = float(step @ right / (right @ right))
            break
    else:
        if not numbers:
            return None
    if not numbers:
        return shown if shown > 0 else 1.0
    return min(numbers, key=lambda number: abs(np.log(number / shown)) if shown > 0 else number)


def moved_alike(probe: Probe, outcome: Outcome) -> set[str]:
    """Return the names of targets whose update stays the same for half the upstream gradient.

    Optimizers such as Adam divide the gradient by its size.
    """
    if not outcome.moved:
        return set()
    above = [leaf for leaf in leaves(probe.upstream) if isinstance(leaf, np.ndarray)]
    for leaf in above:
        leaf[...] = leaf / 2
    try:
        halved = probe.backward().moved
    finally:
        for leaf in above:
            leaf[...] = 2 * leaf
    return {
        name
        for name, moved in outcome.moved.items()
        if name in halved and np.allclose(halved[name], moved, rtol=1e-3, atol=1e-3 * np.abs(moved).max())
    }


def numerical(
    value: Array, objective: Callable[[], float], kinks: Sequence[tuple[int, ...]], rng: np.random.Generator
) -> Array:
    """Return the numerical gradient at up to 400 elements, and NaN at the others and on kinks."""
    expected = np.full(value.shape, np.nan)
    places = rng.permutation(value.size)[:_MORE_PROBES]
    for flat in places:
        index = tuple(int(i) for i in np.unravel_index(flat, value.shape))
        expected[index] = central_difference(objective, value, index)
    for index in kinks:
        expected[index] = np.nan
    expected[np.abs(expected) < 1e-9 * np.nanmax(np.abs(expected), initial=0.0)] = 0
    return expected
