"""All trainings of a server: begun, found, watched, and thrown away when nobody looks any more."""

import asyncio
import itertools
import threading
import time
from collections.abc import AsyncIterator

from pydantic import BaseModel

from chainrule.data import Dataset, mnist
from chainrule.server.problems import ProblemError
from chainrule.server.shelf import Served
from chainrule.server.training import Point, Progress, Settings, Training

__all__ = ["News", "Trainings"]

_MOST = 8
_UNWATCHED = 30.0
"""Seconds after which a training that nobody watches is paused, and may be thrown away for a new one."""

_TICK = 0.05


class News(BaseModel):
    """What is new since the last event."""

    progress: Progress
    points: list[Point]


_WATCHERS = 64
"""Streams of events at once."""


class Trainings:
    """Up to eight of them."""

    def __init__(self) -> None:
        self._all: dict[str, Training] = {}
        self._numbers = itertools.count(1)
        self._data: tuple[Dataset, Dataset] | None = None
        self._lock = threading.Lock()
        self._watchers = 0
        self.closed = False

    def __iter__(self) -> "itertools.chain[Training]":
        return itertools.chain(list(self._all.values()))

    def begin(self, settings: Settings) -> Training:
        """A new training, paused before its first step."""
        data = self.data()
        with self._lock:
            if len(self._all) >= _MOST:
                self._make_room()
            name = str(next(self._numbers))
            training = self._all[name] = Training(name, settings, *data)
            return training

    def data(self) -> tuple[Dataset, Dataset]:
        """What is trained and tested on, read when it is first asked for."""
        with self._lock:
            if self._data is None:
                self._data = mnist()
            return self._data

    def get(self, name: str) -> Training:
        if name not in self._all:
            raise ProblemError(404, f"there is no training {name!r}: begin one with POST /api/training")
        return self._all[name]

    def served(self, name: str) -> Served:
        """The network of "training:ID:STEP", or of the last snapshot of "training:ID"."""
        _, _, rest = name.partition(":")
        number, _, step = rest.partition(":")
        training = self.get(number)
        if step and not step.isdecimal():
            raise ProblemError(422, f"{name!r} is no model: write training:ID:STEP")
        return Served(name, training.at(int(step[:12]) if step else 10**12))

    async def watch(self, training: Training) -> AsyncIterator[News]:
        """News of a training whenever there is some, until it ends."""
        self._watchers += 1
        try:
            async for news in self._news(training):
                yield news
        finally:
            self._watchers -= 1

    def check_room_to_watch(self) -> None:
        """Raise ProblemError where so many watch already that others would not be served."""
        if self._watchers >= _WATCHERS:
            raise ProblemError(503, f"{_WATCHERS} clients are watching already: close some")

    async def _news(self, training: Training) -> AsyncIterator[News]:
        version, seen = -1, 0
        told = 0.0
        while not self.closed and training.name in self._all:
            training.watched = time.monotonic()
            if training.version != version or time.monotonic() - told > 5:
                version, told = training.version, time.monotonic()
                points = [point for point in training.points if point.step >= seen]
                seen = points[-1].step if points else seen
                progress = training.progress()
                yield News(progress=progress, points=points)
                if progress.state in ("stopped", "failed"):
                    return
            await asyncio.sleep(_TICK)

    def pause_unwatched(self) -> None:
        """Pause what nobody looks at."""
        for training in list(self._all.values()):
            if time.monotonic() - training.watched > _UNWATCHED and training.progress().state == "playing":
                training.pause()

    def close(self) -> None:
        """End all."""
        self.closed = True
        for training in self._all.values():
            training.stop()
        for training in self._all.values():
            training.join(2.0)

    def _make_room(self) -> None:
        """Throw the one away that nobody has watched for longest."""
        oldest = min(self._all.values(), key=lambda training: training.watched)
        ended = oldest.progress().state in ("stopped", "failed")
        if not ended and time.monotonic() - oldest.watched < _UNWATCHED:
            raise ProblemError(429, f"{_MOST} trainings are being watched already: stop one of them")
        oldest.stop()
        del self._all[oldest.name]
