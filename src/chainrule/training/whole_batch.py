"""Parts of a batch that run side by side, so that BatchNorm can normalize over the whole batch.

A part that runs from beginning to end knows nothing of the others. Here each part has a copy of the network and a
thread, and stops at each BatchNorm until all parts have brought their sums there, those of other workers too. Threads
take turns: one computes at a time. The sums are added along the tree of a `PairwiseSum`, so any number of workers comes
to the same bytes. (Over workers this is known as synchronized batch normalization: Peng et al. 2018, arXiv:1711.07240.)

The price is memory: the activations of all parts of a worker are there at once, and each part has weights of its own.
"""

import contextvars
import threading
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from chainrule.arrays import Array
from chainrule.layers import BatchNorm, Layer, Sequential
from chainrule.summation import PairwiseSum
from chainrule.training.parts import Workers, divide, flattened, share_of, take_total

__all__ = ["BATCH_NORMS", "WholeBatch", "norms_of"]

BATCH_NORMS = ("part", "batch")
"""What BatchNorm may normalize over."""

_Compute = Callable[
    [Array, Array, float, np.random.Generator, Sequential, Callable[[float], bool]], tuple[float, float | None]
]
"""Forward, and backward if that is agreed to of the loss; adds gradients times a share, returns loss and accuracy."""


class WholeBatch:
    """Computes the gradient of a batch from parts that meet at each BatchNorm."""

    def __init__(self) -> None:
        self._copies: list[Sequential] = []

    def add_parts(
        self,
        network: Sequential,
        compute: _Compute,
        x: Array,
        labels: Array,
        parts: int,
        noise: np.random.Generator,
        workers: Workers,
    ) -> tuple[float, float]:
        """As `parts.add_parts`, with means over the batch in each BatchNorm."""
        cuts, seeds = divide(len(x), parts, noise)
        count = len(seeds)
        mine = share_of(count, *workers.rank_and_size())
        # a worker without a part follows the last one, and adds nothing
        numbers = list(mine) or [count - 1]
        while len(self._copies) < len(numbers):
            self._copies.append(network.copy())
        meeting = _Meeting(mine, count, workers)
        found: dict[int, Array] = {}

        def run(number: int, own: Sequential) -> None:
            _take_state(own, network)
            for norm in norms_of(own):
                norm.across = lambda sums: meeting.add(number, sums)
            first, stop = cuts[number : number + 2]
            share = float(stop - first) / len(x)

            def agreed(loss: float) -> bool:
                return bool(np.isfinite(meeting.add(number, np.array([loss])))[0])

            rng = np.random.default_rng(seeds[number])
            figures = compute(x[first:stop], labels[first:stop], share, rng, own, agreed)
            found[number] = flattened(own, share, figures)

        meeting.hold([partial(run, number, own) for number, own in zip(numbers, self._copies, strict=False)])
        own_sum = PairwiseSum(len(found[numbers[0]]), network.gradients.dtype)
        for number in mine:
            own_sum.add(number, 1, found[number])
        return take_total(network, workers.all_reduce(own_sum, count))


def norms_of(layer: Layer) -> Iterator[BatchNorm]:
    """The layers that normalize over a batch, at any depth."""
    if isinstance(layer, BatchNorm):
        yield layer
    for _, child in layer.children():
        yield from norms_of(child)


def _take_state(own: Sequential, network: Sequential) -> None:
    """Give a copy the weights and buffers of the network, and no gradients."""
    own.values[...] = network.values
    own.gradients.fill(0)
    for mine, theirs in zip(own.buffers.values(), network.buffers.values(), strict=True):
        mine.value = theirs.value.copy()


class _GivenUpError(Exception):
    """Another part has failed, so that this one would wait for ever."""


class _Meeting:
    """Where the parts of this worker wait for each other and for those of the other workers."""

    def __init__(self, added: range, parts: int, workers: Workers) -> None:
        self.added, self.parts, self.workers = added, parts, workers
        self.turn = threading.Condition()  # who holds it computes
        self.brought: dict[int, Array] = {}
        self.total = np.zeros(0)
        self.round = 0
        self.ended = 0
        self.errors: list[BaseException] = []

    def add(self, number: int, array: Array) -> Array:
        """The sum of what all parts bring, as float64; waits until all have."""
        here = self.round
        self.brought[number] = np.array(array, np.float64)
        self.turn.notify_all()
        self.turn.wait_for(lambda: self.round > here or self.errors)
        if self.errors:
            raise _GivenUpError
        return self.total

    def hold(self, runs: list[Callable[[], None]]) -> None:
        """Run all parts to their end; raises what the first one that failed has raised."""
        threads = [
            threading.Thread(target=contextvars.copy_context().run, args=(self._run, run), daemon=True) for run in runs
        ]
        for thread in threads:
            thread.start()
        try:
            with self.turn:
                while self.ended < len(runs):
                    self.turn.wait_for(lambda: self.errors or len(self.brought) + self.ended == len(runs))
                    if self.errors:
                        break
                    if self.brought:
                        self._sum()
        except BaseException as error:
            with self.turn:
                self.errors.append(error)
                self.turn.notify_all()
        for thread in threads:
            thread.join()
        if self.errors:
            raise self.errors[0]

    def _sum(self) -> None:
        own = PairwiseSum(len(next(iter(self.brought.values()))), np.float64)
        for number in self.added:
            own.add(number, 1, self.brought[number])
        self.total = self.workers.all_reduce(own, self.parts)
        self.brought = {}
        self.round += 1
        self.turn.notify_all()

    def _run(self, run: Callable[[], None]) -> None:
        with self.turn:
            try:
                run()
            except _GivenUpError:
                pass
            except BaseException as error:
                self.errors.append(error)
            self.ended += 1
            self.turn.notify_all()
