"""Connections between requests: request heads have a deadline and a size limit, idle connections make room for new."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["bounded_protocol"]

_PATIENCE = 10.0
"""Seconds within which a request's head must arrive."""
_LARGEST_HEAD = 64 * 1024
_MOST = 400
"""Connections at once; beyond that, the longest idle one is closed, those without any request yet first."""


class _Bounded(HttpToolsProtocol):
    """A connection of one server, whose subclass holds what all its connections share."""

    patience: ClassVar[float]
    most: ClassVar[int]
    # connections on which no request is being served, oldest first: those without any yet, and those kept after one
    silent: ClassVar[dict[_Bounded, None]]
    kept: ClassVar[dict[_Bounded, None]]

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head = self._coming = 0
        self._is_in_head = False
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.silent[self] = None
        self._begin_head()  # uvicorn itself times only the requests after the first
        if len(self.connections) > self.most:
            next(iter(self.silent or self.kept))._end()

    def connection_lost(self, exc: Exception | None) -> None:
        self.silent.pop(self, None)
        self.kept.pop(self, None)
        self._end_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._coming = len(data)
        super().data_received(data)
        if self._is_in_head:
            self._head += len(data)
            if self._head > _LARGEST_HEAD:
                self._end()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begin_head()

    def on_headers_complete(self) -> None:
        self.silent.pop(self, None)
        self.kept.pop(self, None)
        self._end_head()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.pipeline and not self.transport.is_closing():
            self.kept[self] = None

    def _begin_head(self) -> None:
        self._end_head()
        # bytes that arrived with the start of a head are not counted: the end of a large body may precede it
        self._head, self._is_in_head = -self._coming, True
        self._deadline = self.loop.call_later(self.patience, self._end)

    def _end_head(self) -> None:
        self._is_in_head = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _end(self) -> None:
        self.silent.pop(self, None)
        self.kept.pop(self, None)
        self._end_head()
        if not self.transport.is_closing():
            self.transport.abort()


def bounded_protocol(patience: float = _PATIENCE, most: int = _MOST) -> type[HttpToolsProtocol]:
    """uvicorn's protocol for one server, with limits: uvicorn alone waits for a head as long as the client likes."""
    return type("Bounded", (_Bounded,), {"patience": patience, "most": most, "silent": {}, "kept": {}})
