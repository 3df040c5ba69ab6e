"""Check that 32 clients are served as fast beside a hostile client of each kind, and beside all of them, as alone.

The 32 send a 28 x 28 picture as JSON repeatedly, each over its own connection, RATE times per second; /healthz is
requested at the same time on a new connection each time. The hostile clients, in a separate process, send JSON of
nearly a mebibyte and of more, pictures of 25 million pixels and more, a zip that unpacks to 256 MiB, and incomplete
headers, hold 512 silent connections, and leave event streams unread.

Usage: python tests/server/siege.py [SECONDS [RATE]]
"""

import asyncio
import io
import json
import multiprocessing
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

CLIENTS = 32
RATE = 5.0
"""Requests per second of each client: 160 in total."""

KINDS = ("long JSON", "bombs", "half heads", "512 idle", "streams left")
"""Kinds of hostile clients."""

_REFUSED = (400, 408, 413, 415, 422, 429, 503)


@dataclass
class Outcome:
    """The clients' measurements: seconds per request, errors, and the server's memory in MB."""

    seconds: list[float] = field(default_factory=list)
    health: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    hostile: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        third = max(1, len(self.memory) // 3)
        return (
            f"{len(self.seconds)} requests of {CLIENTS} clients, {len(self.errors)} errors {self.errors[:3]}\n"
            f"ms: {_quantiles(self.seconds)}\n/healthz, n = {len(self.health)}, ms: {_quantiles(self.health)}\n"
            f"memory, MB: at first {self.memory[0]:.0f}, most {max(self.memory):.0f}, "
            f"most in the last third {max(self.memory[-third:]):.0f}\nhostile: {self.hostile}"
        )


def siege(seconds: float, rate: float = RATE, *, kinds: Sequence[str] = KINDS) -> Outcome:
    """A server in its own process, its 32 clients, and one hostile client of each of these kinds."""
    command = [sys.executable, "-m", "chainrule", "serve", "freehand", "--port", "0", "--no-open"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not kinds:
            return asyncio.run(_serve_all(address, process.pid, seconds, rate))
        enemy = context.Process(target=_attack, args=(address, seconds + 1, kinds, told))
        enemy.start()
        told.get(timeout=60)  # its bombs are ready
        outcome = asyncio.run(_serve_all(address, process.pid, seconds, rate))
        outcome.hostile = told.get(timeout=60)
        enemy.join(10)
        enemy.close()
        told.close()
        return outcome
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)


async def _serve_all(address: str, process: int, seconds: float, rate: float) -> Outcome:
    outcome, end = Outcome(), time.perf_counter() + seconds
    pixels = np.random.default_rng(0).integers(0, 256, (CLIENTS, 784)).tolist()
    bodies = [json.dumps({"pixels": row}).encode() for row in pixels]
    clients = (_client(address, body, index / CLIENTS / rate, rate, end, outcome) for index, body in enumerate(bodies))
    await asyncio.gather(_watch(address, process, end, outcome), *clients)
    return outcome


async def _client(address: str, body: bytes, wait: float, rate: float, end: float, outcome: Outcome) -> None:
    await asyncio.sleep(wait)
    sent = _head(address, "POST", "/api/predict", len(body)) + body
    reader, writer = await _connect(address)
    due = time.perf_counter()
    while due < end:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(10):
                writer.write(sent)
                status, _ = await _answer(reader)
            if status != 200:
                outcome.errors.append(f"status {status}")
        except (OSError, EOFError, TimeoutError) as error:
            outcome.errors.append(repr(error))
            reader, writer = await _connect(address)
        outcome.seconds.append(time.perf_counter() - began)
        due = max(due + 1 / rate, time.perf_counter() - 1 / rate)
        await asyncio.sleep(due - time.perf_counter())
    writer.close()
    await writer.wait_closed()


async def _watch(address: str, process: int, end: float, outcome: Outcome) -> None:
    while time.perf_counter() < end:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(10):
                reader, writer = await _connect(address)
                writer.write(_head(address, "GET", "/healthz"))
                status, _ = await _answer(reader)
                writer.close()
                await writer.wait_closed()
            if status != 200:
                outcome.errors.append(f"/healthz: status {status}")
        except (OSError, EOFError, TimeoutError) as error:
            outcome.errors.append(f"/healthz: {error!r}")
        outcome.health.append(time.perf_counter() - began)
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
        outcome.memory.append(int(found[1]) / 1024 if found else 0.0)
        await asyncio.sleep(0.1)


def _attack(address: str, seconds: float, kinds: Sequence[str], told: "multiprocessing.Queue[object]") -> None:
    bombs = _bombs()
    told.put("ready")
    told.put(asyncio.run(_attack_all(address, seconds, kinds, bombs)))


async def _attack_all(
    address: str, seconds: float, kinds: Sequence[str], bombs: list[tuple[str, bytes]]
) -> dict[str, int]:
    counts: dict[str, int] = {}
    end = time.perf_counter() + seconds

    async def again(name: str, act: Callable[[], Awaitable[None]]) -> None:
        while time.perf_counter() < end:
            with suppress(OSError, EOFError, TimeoutError):
                async with asyncio.timeout(max(0.01, end - time.perf_counter())):
                    await act()
                counts[name] = counts.get(name, 0) + 1
            await asyncio.sleep(0)

    acts: dict[str, Callable[[], Awaitable[None]]] = {
        "long JSON": lambda: _send_json(address),
        "bombs": lambda: _send_bombs(address, bombs),
        "half heads": lambda: _send_half(address),
        "512 idle": lambda: _stay_idle(address),
        "streams left": lambda: _leave_streams(address),
    }
    await asyncio.gather(*(again(kind, acts[kind]) for kind in kinds))
    return counts


async def _send_json(address: str) -> None:
    longest = b'{"pixels": [' + b"7," * 520_000 + b"7]}"
    for body in (longest, b"[" * 1_000_000, b'{"pixels": [' + b"9" * 1_000_000 + b"]}", b"[" * (4 * 2**20)):
        await _post(address, "/api/predict", body, "application/json")


async def _send_bombs(address: str, bombs: list[tuple[str, bytes]]) -> None:
    for kind, body in bombs:
        for path in ("/api/read", "/api/predict"):
            await _post(address, path, body, kind)


async def _send_half(address: str) -> None:
    held = [await _connect(address) for _ in range(64)]
    for _, writer in held:
        writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: ")
    for _ in range(20):  # one byte now and then, as if more were to come
        await asyncio.sleep(1)
        for _, writer in held:
            if not writer.transport.is_closing():
                writer.write(b"x")
    _close(held)


async def _stay_idle(address: str) -> None:
    held = [await _connect(address) for _ in range(512)]
    try:
        await asyncio.wait([asyncio.ensure_future(reader.read(1)) for reader, _ in held], timeout=5)
        await asyncio.sleep(1)
    finally:
        _close(held)


async def _leave_streams(address: str) -> None:
    name = json.loads(await _post(address, "/api/training", b"{}", "application/json"))
    place = f"/api/training/{name['name']}/events" if "name" in name else "/api/training/1/events"
    held = [await _connect(address) for _ in range(80)]
    for _, writer in held:
        writer.write(_head(address, "GET", place))
    await asyncio.sleep(5)
    _close(held)


async def _post(address: str, path: str, body: bytes, kind: str) -> bytes:
    reader, writer = await _connect(address)
    try:
        writer.write(_head(address, "POST", path, len(body), kind) + body)
        status, answer = await _answer(reader)
        assert status < 300 or status in _REFUSED, (path, kind, status, answer[:200])
        return answer
    finally:
        writer.close()


async def _connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    place = urlsplit(address)
    return await asyncio.open_connection(place.hostname, place.port)


def _head(address: str, method: str, path: str, size: int = 0, kind: str = "application/json") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {urlsplit(address).netloc}"]
    if method == "POST":
        lines += [f"Content-Type: {kind}", f"Content-Length: {size}"]
    return "\r\n".join([*lines, "", ""]).encode()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    found = re.search(rb"content-length: (\d+)", head)
    return int(head.split()[1]), await reader.readexactly(int(found[1]) if found else 0)


def _close(held: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]) -> None:
    for _, writer in held:
        writer.close()


def _bombs() -> list[tuple[str, bytes]]:
    """A PNG and a JPEG with the maximum number of pixels, a TIFF and a PNG with more, and a zip called a picture."""
    bombs = []
    for kind, side, options in (
        ("PNG", (5000, 5000), {}),
        ("JPEG", (5000, 5000), {}),
        ("TIFF", (7000, 7000), {"compression": "tiff_deflate"}),
    ):
        file = io.BytesIO()
        Image.new("L", side).save(file, kind, **options)
        bombs.append((f"image/{kind.lower()}", file.getvalue()))
    file = io.BytesIO()
    Image.new("1", (20000, 20000)).save(file, "PNG")
    bombs.append(("image/png", file.getvalue()))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("zeros", "w") as member:
        for _ in range(256):
            member.write(bytes(2**20))
    return [*bombs, ("image/png", file.getvalue()), ("application/zip", file.getvalue())]


def _quantiles(seconds: list[float]) -> str:
    half, most = np.quantile(seconds, [0.5, 0.99]) * 1000
    return f"median {half:.1f}, p99 {most:.1f}, max {max(seconds) * 1000:.1f}"


if __name__ == "__main__":
    numbers = [float(text) for text in sys.argv[1:]]
    seconds, rate = numbers[0] if numbers else 60, numbers[1] if len(numbers) > 1 else RATE
    for kinds in ((), *((kind,) for kind in KINDS), KINDS):
        print(", ".join(kinds) or "nobody", "->", siege(seconds, rate, kinds=kinds), flush=True)
