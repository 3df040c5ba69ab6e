"""MPIWorkers: the processes started by `mpiexec`, which train one network together."""

import atexit
import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import accumulate
from types import FrameType
from typing import Any

import numpy as np

from chainrule.arrays import Array
from chainrule.errors import ChainruleError, MissingExtraError, OptionError, WorkerLostError
from chainrule.parallel.launch import LOST
from chainrule.summation import PairwiseSum

__all__ = ["MPIWorkers", "started_by_mpi"]

_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
"""Environment variables that mpiexec sets for its processes: Open MPI's, MPICH's."""
_STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name)]
"""Signals that ask all workers to end. mpiexec forwards SIGUSR1, and ends its processes with SIGTERM."""
_START = 60.0
"""Minimum timeout at the start, in seconds: workers do not load their data equally fast."""
_END = 10
"""Factor on the timeout at the end, when the first worker evaluates and writes."""
_BUSY, _PAUSE = 0.002, 50e-6
"""Seconds of polling for an answer without pauses, and the pauses after that."""


def started_by_mpi() -> int | None:
    """The number of processes started by mpiexec, including this one; None if this one was not."""
    sizes = [os.environ[name] for name in _SIZES if name in os.environ]
    return int(sizes[0]) if sizes and sizes[0].isdecimal() else None


class MPIWorkers:
    """The four calls through which workers cooperate; a worker gives up after waiting `timeout` seconds.

    (Until the first answer, at least a minute.)

    Args:
        timeout: seconds.
        size: the required number of workers; None for any.

    Attributes:
        stopping: whether one of them was asked to end; all learn of it in the same `all_reduce`.

    Raises:
        MissingExtraError: mpi4py is not installed.
        OptionError: mpiexec started a different number of processes.
    """

    def __init__(self, timeout: float, size: int | None = None) -> None:
        try:
            with _or_die(max(timeout, _START)):  # MPI waits here for processes that may already be dead
                from mpi4py import MPI
        except ModuleNotFoundError:
            raise MissingExtraError("mpi4py", "training by several workers", "mpi") from None
        self._mpi: Any = MPI
        self._world: Any = MPI.COMM_WORLD
        self._timeout = timeout
        self._now = max(timeout, _START)
        self._asked = False
        self.stopping = False
        self.rank, self.size = int(self._world.Get_rank()), int(self._world.Get_size())
        if size is not None and size != self.size:
            raise OptionError(f"mpiexec has started {self.size} processes for --workers {size}: give both one number")

    def rank_and_size(self) -> tuple[int, int]:
        """This worker's number, from 0, and the number of workers."""
        return self.rank, self.size

    def all_reduce(self, own: PairwiseSum, parts: int) -> Array:
        """The sum (L,) of `parts` arrays; worker r has added numbers parts r // size to parts (r + 1) // size.

        Each worker receives all blocks of one slice of the arrays, adds them along the tree of `PairwiseSum`, and sends
        the sum to all. So the bytes are the same for any number of workers, and no worker sends much more than twice
        the array.

        Raises:
            WorkerLostError: another worker is dead or has not answered in time.
        """
        world, dtype = self._world, own.dtype
        cuts = np.linspace(0, own.length, self.size + 1).astype(int)
        mine = int(cuts[self.rank + 1] - cuts[self.rank])
        blocks = [_blocks(parts, rank, self.size) for rank in range(self.size)]
        asked = np.array([self._asked], dtype)  # precedes each message, so that all learn of it at once
        messages = [
            np.concatenate([asked, *(array[cuts[rank] : cuts[rank + 1]] for _, _, array in own.blocks)])
            for rank in range(self.size)
        ]
        out_counts = [message.nbytes for message in messages]
        in_counts = [(1 + len(theirs) * mine) * dtype.itemsize for theirs in blocks]
        received = np.empty(sum(in_counts) // dtype.itemsize, dtype)
        self._wait(
            world.Ialltoallv(
                [np.concatenate(messages), (out_counts, _places(out_counts)), self._mpi.BYTE],
                [received, (in_counts, _places(in_counts)), self._mpi.BYTE],
            )
        )
        stretch, place = PairwiseSum(mine, dtype), 0
        for theirs in blocks:
            self.stopping = bool(self.stopping or received[place])
            place += 1
            for first, count in theirs:
                stretch.add(first, count, received[place : place + mine])
                place += mine
        total = np.empty(own.length, dtype)
        counts = [int(count) * dtype.itemsize for count in np.diff(cuts)]
        self._wait(
            world.Iallgatherv(
                [np.ascontiguousarray(stretch.result()), self._mpi.BYTE],
                [total, (counts, _places(counts)), self._mpi.BYTE],
            )
        )
        return total

    def broadcast(self, array: Array) -> Array:
        """Worker 0's array; the others pass one of the same shape and dtype.

        Raises:
            WorkerLostError: another worker is dead or has not answered in time.
        """
        array = np.array(array)
        self._wait(self._world.Ibcast([array, self._mpi.BYTE], root=0))
        return array

    def barrier(self) -> None:
        """Wait until all workers are here.

        Raises:
            WorkerLostError: another worker is dead or has not answered in time.
        """
        self._wait(self._world.Ibarrier())

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Within the block, a signal asks all workers to end, and a worker that fails ends the others too."""
        before = {number: signal.signal(number, self._ask) for number in _STOPPING}
        atexit.register(_die_after, self._timeout)  # runs before MPI's final wait for the others
        try:
            try:
                yield
            except KeyboardInterrupt:
                self.barrier()
                raise
            self._now = _END * self._timeout
            self.barrier()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            lost = LOST if isinstance(error, WorkerLostError) else 2
            atexit.register(self._world.Abort, lost if isinstance(error, ChainruleError) else 1)
            raise
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True

    def _wait(self, request: Any) -> None:
        started = time.monotonic()
        try:
            while not request.Test():
                waited = time.monotonic() - started
                if waited > self._now:
                    raise WorkerLostError(f"a worker has not answered for {self._now:g} s")
                time.sleep(0 if waited < _BUSY else _PAUSE)
            self._now = self._timeout
        except self._mpi.Exception as error:
            raise WorkerLostError(f"a worker is lost: {error}") from error


def _blocks(parts: int, rank: int, size: int) -> list[tuple[int, int]]:
    """First part and number of parts of each block that a worker has."""
    layout = PairwiseSum(0)
    for part in range(parts * rank // size, parts * (rank + 1) // size):
        layout.add(part, 1, np.empty(0, np.float32))
    return [(first, count) for first, count, _ in layout.blocks]


def _places(counts: list[int]) -> list[int]:
    """The offset of each of several consecutive messages."""
    return [0, *accumulate(counts[:-1])]


def _die_after(seconds: float) -> None:
    """End this process after this many seconds, whatever it is doing; 0 cancels that."""
    if hasattr(signal, "SIGALRM"):
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(math.ceil(seconds))


@contextmanager
def _or_die(seconds: float) -> Iterator[None]:
    """End this process unless the block finishes in this many seconds: for calls that nothing else interrupts."""
    _die_after(seconds)
    try:
        yield
    finally:
        _die_after(0)
