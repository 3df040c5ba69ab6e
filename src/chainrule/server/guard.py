"""Middleware for every request: limits on size, time and number, security headers, and counters."""

import asyncio
import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chainrule.server.access import Access
from chainrule.server.inputs import PICTURES
from chainrule.server.problems import ProblemError, answer

__all__ = ["Guard", "Metrics"]

_LARGEST_BODY = 32 * 2**20
_FILES, _LARGEST_FILE = "/api/files", 32 * 2**20 + 1
_LARGEST_JSON = 2**20
_LARGEST_SETTINGS = 2**14
"""Largest settings of a training, which are parsed on the event loop."""
_IN_FLIGHT = 128 * 2**20
"""Bytes of all request bodies in memory at once."""
_MOST = 256
"""Requests served at once; the state of the server can be queried in addition."""

_PATIENCE = 20.0
"""Seconds within which a body must arrive."""

_SAFETY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
_HEADERS = [(name.lower().encode(), value.encode()) for name, value in _SAFETY.items()]


class Metrics:
    """A server's counters for Prometheus."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("chainrule_requests", "Requests answered.", ("path", "status"), registry=self.registry)
        self.seconds = Histogram(
            "chainrule_request_seconds",
            "Seconds from a request's head to the end of its answer.",
            ("path",),
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
            registry=self.registry,
        )
        self.active = Gauge("chainrule_active_requests", "Requests being served.", registry=self.registry)


class Guard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, metrics: Metrics, access: Access) -> None:
        self.app, self.metrics, self.access = app, metrics, access
        self._active = 0
        self._bytes = 0
        self._children: dict[tuple[str, int], Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500
        cookie = None

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
                if cookie is not None:
                    message["headers"].append((b"set-cookie", cookie.encode()))
            await send(message)

        self._active += 1
        self.metrics.active.set(self._active)
        body = _Body(self, receive)
        try:
            refusal = self.access.refusal(scope) or self._refusal(scope, body)
            if refusal is None:
                cookie = self.access.cookie(scope)
            app: ASGIApp = self.app if refusal is None else answer(refusal.status, refusal.text)
            await app(scope, body.receive, tell)
        finally:
            self._bytes -= body.size
            self._active -= 1
            self.metrics.active.set(self._active)
            route = scope.get("route")
            self._count(getattr(route, "path", "other"), status, time.perf_counter() - started)

    def _refusal(self, scope: Scope, body: "_Body") -> ProblemError | None:
        if self._active > _MOST and scope["path"] != "/healthz":
            return ProblemError(503, f"more than {_MOST} requests at once: try again in a second")
        headers = Headers(scope=scope)
        if scope["path"] == _FILES:
            body.most = _LARGEST_FILE
        elif headers.get("content-type", "").partition(";")[0].strip().lower() not in PICTURES:
            body.most = _LARGEST_SETTINGS if scope["path"].startswith("/api/training") else _LARGEST_JSON
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdecimal()) or len(length) > 18 or int(length) > body.most:
            return _too_large(body.most)
        return None

    def take(self, size: int) -> None:
        """Count received bytes of a body.

        Raises:
            ProblemError: all requests together would hold too many.
        """
        if self._bytes + size > _IN_FLIGHT:
            raise ProblemError(503, "too many pictures at once: try again in a second")
        self._bytes += size

    def _count(self, path: str, status: int, seconds: float) -> None:
        key = (path, status)
        if key not in self._children:
            self._children[key] = (self.metrics.requests.labels(path, str(status)), self.metrics.seconds.labels(path))
        counter, histogram = self._children[key]
        counter.inc()
        histogram.observe(seconds)


class _Body:
    """Receives a client's body, within limits on size and time."""

    def __init__(self, guard: Guard, receive: Receive) -> None:
        self.size, self.most = 0, _LARGEST_BODY
        self._guard, self._receive = guard, receive
        self._more = True
        self._deadline = time.monotonic() + _PATIENCE

    async def receive(self) -> Message:
        """ASGI's receive; raises ProblemError if the body is too large or too slow."""
        if not self._more:  # waiting for the client to disconnect has no limit
            return await self._receive()
        try:
            async with asyncio.timeout(max(0.0, self._deadline - time.monotonic())):
                message = await self._receive()
        except TimeoutError:
            raise ProblemError(408, f"the body did not come within {_PATIENCE:.0f} s: send it again") from None
        came = len(message.get("body", b""))
        if self.size + came > self.most:
            raise _too_large(self.most)
        self._guard.take(came)
        self.size += came
        self._more = message.get("more_body", False)
        return message


def _too_large(most: int) -> ProblemError:
    told = {
        _LARGEST_BODY: "32 MiB: make the picture smaller",
        _LARGEST_FILE: "32 MiB: chainrule serve FILE opens a model of any size, chainrule train --data any data",
        _LARGEST_JSON: "1 MiB: send fewer numbers, or a picture file",
        _LARGEST_SETTINGS: "16 KiB: send the settings of the training and nothing else",
    }
    return ProblemError(413, f"the body is larger than {told[most]}")
