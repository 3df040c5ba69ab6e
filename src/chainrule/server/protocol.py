"""Connections before and between requests: heads have a deadline and a size, and idle ones make room for new ones."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["bounded_protocol"]

_PATIENCE = 10.0
"""Seconds in which a request's head has to come."""
_LARGEST_HEAD = 64 * 1024
_MOST = 400
"""Connections at once; of more, the one that has been idle longest is closed, first of those that asked nothing yet."""


def bounded_protocol(patience: float = _PATIENCE, most: int = _MOST) -> type[HttpToolsProtocol]:
    """uvicorn's protocol for one server, which by itself waits for a head as long as the client likes."""
    # on which no request is being served, the oldest first: those that never had one, and those that are kept
    silent: dict[HttpToolsProtocol, None] = {}
    kept: dict[HttpToolsProtocol, None] = {}

    class Bounded(HttpToolsProtocol):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._head = self._coming = 0
            self._is_in_head = False
            self._deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            silent[self] = None
            self._begin_head()  # the first one has to come soon; for others uvicorn keeps the connection as it was told
            if len(self.connections) > most:
                next(iter(silent or kept))._end()  # type: ignore[attr-defined]

        def connection_lost(self, exc: Exception | None) -> None:
            silent.pop(self, None)
            kept.pop(self, None)
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
            silent.pop(self, None)
            kept.pop(self, None)
            self._end_head()
            super().on_headers_complete()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if not self.pipeline and not self.transport.is_closing():
                kept[self] = None

        def _begin_head(self) -> None:
            self._end_head()
            # what came with a head's beginning is not counted: the end of a large body may lie before it
            self._head, self._is_in_head = -self._coming, True
            self._deadline = self.loop.call_later(patience, self._end)

        def _end_head(self) -> None:
            self._is_in_head = False
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _end(self) -> None:
            silent.pop(self, None)
            kept.pop(self, None)
            self._end_head()
            if not self.transport.is_closing():
                self.transport.abort()

    return Bounded
