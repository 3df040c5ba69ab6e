"""What every request passes through: limits of size, time and number, headers for safety, and counters."""

import asyncio
import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chainrule.server.problems import ProblemError, answer

__all__ = ["Guard", "Metrics"]

_LARGEST_BODY = 32 * 2**20
_MOST = 256
"""Requests served at once."""

_PATIENCE = 20.0
"""Seconds in which a body has to come."""

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
    """Counters of one server, for Prometheus."""

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

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics
        self._active = 0
        self._children: dict[tuple[str, int], Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            await send(message)

        self._active += 1
        self.metrics.active.set(self._active)
        try:
            refusal = self._refusal(Headers(scope=scope))
            app: ASGIApp = self.app if refusal is None else answer(refusal.status, refusal.text)
            await app(scope, _bounded(receive), tell)
        finally:
            self._active -= 1
            self.metrics.active.set(self._active)
            route = scope.get("route")
            self._count(getattr(route, "path", "other"), status, time.perf_counter() - started)

    def _refusal(self, headers: Headers) -> ProblemError | None:
        if self._active > _MOST:
            return ProblemError(503, f"more than {_MOST} requests at once: try again in a second")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > _LARGEST_BODY:
            return _too_large()
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != headers.get("host"):
            return ProblemError(403, f"asked from a page of {origin}: use this server's own page")
        return None

    def _count(self, path: str, status: int, seconds: float) -> None:
        key = (path, status)
        if key not in self._children:
            self._children[key] = (self.metrics.requests.labels(path, str(status)), self.metrics.seconds.labels(path))
        counter, histogram = self._children[key]
        counter.inc()
        histogram.observe(seconds)


def _bounded(receive: Receive) -> Receive:
    """`receive` that ends with a ProblemError where the body is too large or too slow."""
    size, more = 0, True
    deadline = time.monotonic() + _PATIENCE

    async def bounded() -> Message:
        nonlocal size, more
        if not more:  # waiting for the client to go, which may take as long as it likes
            return await receive()
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                message = await receive()
        except TimeoutError:
            raise ProblemError(408, f"the body did not come within {_PATIENCE:.0f} s: send it again") from None
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
        if size > _LARGEST_BODY:
            raise _too_large()
        return message

    return bounded


def _too_large() -> ProblemError:
    return ProblemError(413, f"the body is larger than {_LARGEST_BODY // 2**20} MiB: make the picture smaller")
