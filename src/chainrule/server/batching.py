"""Dynamic batching: requests that arrive together share one forward pass, and each gets its own answer."""

import asyncio
import time

import numpy as np

from chainrule.arrays import Array
from chainrule.layers import Sequential

__all__ = ["Batcher"]

_LARGEST = 64
"""Maximum number of samples in a forward pass."""

_SHORT = 0.002
"""Below this many seconds per sample, a forward pass is shorter than the switch to another thread and back."""


class Batcher:
    """Computes the probabilities of single samples by one network."""

    def __init__(self, network: Sequential) -> None:
        self.network = network
        self._waiting: list[tuple[Array, asyncio.Future[Array]]] = []
        self._running = False
        self._task: asyncio.Task[None] | None = None
        self._short = _seconds(network) < _SHORT

    async def predict(self, sample: Array) -> Array:
        """sample (*input_shape) -> probabilities (C,)."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Array] = loop.create_future()
        self._waiting.append((sample, future))
        if not self._running:
            self._running = True
            if self._short:
                loop.call_soon(self._run_all)  # after the other requests that have already arrived
            else:
                self._task = loop.create_task(self._run_aside())
        return await future

    def _take(self) -> list[tuple[Array, asyncio.Future[Array]]]:
        """The waiting samples that fit into one pass, all of one dtype."""
        dtype = self._waiting[0][0].dtype
        batch = [pair for pair in self._waiting if pair[0].dtype == dtype][:_LARGEST]
        taken = {id(pair) for pair in batch}
        self._waiting = [pair for pair in self._waiting if id(pair) not in taken]
        return batch

    def _run_all(self) -> None:
        try:
            while self._waiting:
                batch = self._take()
                _deliver(batch, _answers(self.network, batch))
        finally:
            self._running = False

    async def _run_aside(self) -> None:
        try:
            while self._waiting:
                batch = self._take()
                _deliver(batch, await asyncio.to_thread(_answers, self.network, batch))
        finally:
            self._running = False


def _answers(network: Sequential, batch: list[tuple[Array, asyncio.Future[Array]]]) -> Array | Exception:
    try:
        return network.predict_probabilities(np.stack([sample for sample, _ in batch]))
    except Exception as error:  # every waiting request gets it
        return error


def _deliver(batch: list[tuple[Array, asyncio.Future[Array]]], answers: Array | Exception) -> None:
    for index, (_, future) in enumerate(batch):
        if future.done():  # the client has disconnected
            continue
        if isinstance(answers, Exception):
            future.set_exception(answers)
        else:
            future.set_result(answers[index])


def _seconds(network: Sequential) -> float:
    """Measure how long a sample takes."""
    assert network.input_shape is not None
    sample = np.zeros((1, *network.input_shape), np.float32)
    network(sample)
    started = time.perf_counter()
    network(sample)
    return time.perf_counter() - started
