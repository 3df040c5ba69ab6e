"""How one or many processes divide a batch into parts: the gradient is the same to the byte, whoever computes which."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from chainrule.arrays import Array
from chainrule.layers import Sequential
from chainrule.summation import PairwiseSum

__all__ = ["Alone", "Workers", "add_parts", "share_of"]

_FIGURES = 2
"""Loss and accuracy, which are sent along with the gradients."""


class Workers(Protocol):
    """The processes that train one network together, as the trainer sees them; `parallel` has those of MPI.

    Attributes:
        stopping: whether one of them was asked to stop; all learn of it after the same step.
    """

    stopping: bool

    def rank_and_size(self) -> tuple[int, int]:
        """This worker's number, from 0, and how many there are."""
        ...

    def all_reduce(self, own: PairwiseSum, parts: int) -> Array:
        """The sum of all parts, where this worker has added `share_of(parts, ...)`; the same bytes for all."""
        ...


class Alone:
    """A single worker that does everything."""

    stopping = False

    def rank_and_size(self) -> tuple[int, int]:
        return 0, 1

    def all_reduce(self, own: PairwiseSum, parts: int) -> Array:
        return own.result()


def share_of(parts: int, rank: int, size: int) -> range:
    """The parts that a worker computes; each is one worker's."""
    return range(parts * rank // size, parts * (rank + 1) // size)


def add_parts(
    network: Sequential,
    add_gradients: Callable[[Array, Array, float, np.random.Generator], tuple[float, float | None]],
    x: Array,
    labels: Array,
    parts: int,
    noise: np.random.Generator,
    workers: Workers,
) -> tuple[float, float]:
    """Store the gradient of a batch in the network, and return the mean loss and accuracy.

    Each part starts from the same buffers (running means) and has random numbers of its own; gradients and buffers are
    means over the parts, weighted by their samples, added in a fixed order.

    Args:
        network: its gradients are zero.
        add_gradients: forward and backward of x and labels, its gradients times a share; returns loss and accuracy.
        x, labels: the whole batch (N, ...).
        parts: the number of parts, at most one per sample.
        noise: seeds each part; it ends in the same state on all workers.
        workers: the workers that share the parts.
    """
    parts = min(parts, len(x))
    cuts = np.linspace(0, len(x), parts + 1).round().astype(int)
    seeds = noise.integers(2**63, size=parts)
    buffers = list(network.buffers.values())
    before = [buffer.value.copy() for buffer in buffers]
    gradients = network.gradients
    length = gradients.size + sum(buffer.value.size for buffer in buffers) + _FIGURES
    own = PairwiseSum(length, gradients.dtype)
    for number in share_of(parts, *workers.rank_and_size()):
        first, stop = cuts[number : number + 2]
        share = float(stop - first) / len(x)
        rng = np.random.default_rng(seeds[number])
        figures = add_gradients(x[first:stop], labels[first:stop], share, rng)
        means = [share * buffer.value.ravel() for buffer in buffers]
        told = np.array([share * (figure or 0.0) for figure in figures], gradients.dtype)
        own.add(number, 1, np.concatenate([gradients, *means, told]).astype(gradients.dtype, copy=False))
        gradients.fill(0)
        for buffer, value in zip(buffers, before, strict=True):
            buffer.value = value
    total = workers.all_reduce(own, parts)
    place = gradients.size
    gradients[...] = total[:place]
    for buffer in buffers:
        buffer.value = total[place : place + buffer.value.size].reshape(buffer.value.shape)
        place += buffer.value.size
    loss, right = total[-_FIGURES:]
    return float(loss), float(right)
