"""All trainings of a server: starts, finds, watches, and discards them when nobody watches any more."""

import asyncio
import itertools
import secrets
import threading
import time
from collections.abc import AsyncIterator, Iterator

import numpy as np
from pydantic import BaseModel

from chainrule.arrays import Array
from chainrule.data import mnist
from chainrule.server.problems import ProblemError
from chainrule.server.settings import Points, Settings
from chainrule.server.sharing import Opened
from chainrule.server.shelf import Served
from chainrule.server.tasks import Pair, make_task
from chainrule.server.training import Point, Progress, Training

__all__ = ["News", "Trainings"]

_MOST = 8
_UNWATCHED = 30.0
"""Seconds after which an unwatched training is paused, and may be discarded for a new one."""

_TICK = 0.05
_MOST_KEPT = 4
"""Maximum number of uploaded data sets; beyond it, the oldest is discarded."""


class News(BaseModel):
    """News since the last event."""

    progress: Progress
    points: list[Point]


_WATCHERS = 64
"""Maximum number of event streams at once."""


class Trainings:
    """Up to eight of them."""

    def __init__(self) -> None:
        self._all: dict[str, Training | Opened] = {}
        self._numbers = itertools.count(1)
        self._data: Pair | None = None
        self._uploads: dict[str, Pair] = {}
        self._lock = threading.Lock()
        self._watchers = 0
        self.closed = False

    def __iter__(self) -> Iterator[Training | Opened]:
        return iter(list(self._all.values()))

    def begin(self, settings: Settings) -> Training:
        """A new training, paused before its first step."""
        task = make_task(settings, self.data, self._uploads)
        with self._lock:
            self._make_room()
            name = self._name()
            training = self._all[name] = Training(name, settings, task)
            return training

    def add(self, opened: Opened) -> None:
        """Keep a training that was read from a file, and give it a name."""
        with self._lock:
            self._make_room()
            opened.name = self._name()
            self._all[opened.name] = opened

    def keep(self, data: Pair) -> str:
        """Keep data that a client sent; return its ID."""
        with self._lock:
            name = self._name()
            self._uploads[name] = data
            if len(self._uploads) > _MOST_KEPT:
                del self._uploads[next(iter(self._uploads))]
            return name

    def data(self) -> Pair:
        """MNIST, read on first use."""
        with self._lock:
            if self._data is None:
                self._data = mnist()
            return self._data

    def plane(self, training: Training | Opened) -> tuple[Array, Array]:
        """The smallest and largest x of the points that a training learns from, each (2,).

        Raises:
            ProblemError: it learns from something else, or from data that was discarded.
        """
        data = training.settings.data
        if isinstance(data, Points):
            return np.full(2, -1.0), np.ones(2)
        if isinstance(training, Training) and training.task.train.sample_shape == (2,):
            x = training.task.train.x
            return x.min(axis=0), x.max(axis=0)
        raise ProblemError(422, f"training {training.name} learns from no points in the plane: there is no map")

    def _name(self) -> str:
        """An ID that no earlier server has used, because an old address may still name one of its trainings."""
        return f"{next(self._numbers)}-{secrets.token_hex(4)}"

    def get(self, name: str) -> Training | Opened:
        if name not in self._all:
            raise ProblemError(404, f"there is no training {name!r}: begin one with POST /api/training")
        return self._all[name]

    def served(self, name: str) -> Served:
        """The network of "training:ID:STEP", or of the last snapshot of "training:ID"."""
        _, _, rest = name.partition(":")
        number, _, step = rest.partition(":")
        training = self.get(number)
        if step and not step.isdecimal():
            raise ProblemError(422, f"{name!r} is not a model: write training:ID:STEP")
        return Served(name, training.at(int(step[:12]) if step else 10**12))

    async def watch(self, training: Training | Opened) -> AsyncIterator[News]:
        """Yield news of a training whenever there is some, until it ends."""
        self._watchers += 1
        try:
            async for news in self._news(training):
                yield news
        finally:
            self._watchers -= 1

    def check_room_to_watch(self) -> None:
        """Raise ProblemError if too many clients are watching for others to be served."""
        if self._watchers >= _WATCHERS:
            raise ProblemError(503, f"{_WATCHERS} clients are watching already: close some")

    async def _news(self, training: Training | Opened) -> AsyncIterator[News]:
        version, seen, first = -1, 0, True
        told = 0.0
        while not self.closed and training.name in self._all:
            training.watched = time.monotonic()
            if training.version != version or time.monotonic() - told > 5:
                version, told = training.version, time.monotonic()
                points = [point for point in training.points if point.step >= seen]
                seen = points[-1].step if points else seen
                progress = training.progress()
                yield News(progress=progress.model_copy(update={} if first else {"settings": None}), points=points)
                first = False
                if progress.state in ("stopped", "failed"):
                    return
            await asyncio.sleep(_TICK)

    def pause_unwatched(self) -> None:
        """Pause trainings that nobody watches."""
        for training in list(self._all.values()):
            if time.monotonic() - training.watched > _UNWATCHED and training.progress().state == "playing":
                training.pause()

    def close(self) -> None:
        """End all trainings."""
        self.closed = True
        for training in self._all.values():
            training.stop()
        for training in self._all.values():
            training.join(2.0)

    def _make_room(self) -> None:
        """If there are too many, discard one that has ended or has been unwatched for longest."""
        if len(self._all) < _MOST:
            return
        ended = {name for name, one in self._all.items() if one.progress().state in ("stopped", "failed")}
        oldest = min(self._all.values(), key=lambda training: (training.name not in ended, training.watched))
        if oldest.name not in ended and time.monotonic() - oldest.watched < _UNWATCHED:
            raise ProblemError(429, f"{_MOST} trainings are being watched already: stop one of them")
        oldest.stop()
        del self._all[oldest.name]
