"""Access control by the Host, the Origin, and the token; and connections that only cost memory."""

import http.client
import json
import signal
import socket
import time
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest

from server.conftest import serving

JSON = {"Content-Type": "application/json"}


def raw(address: str, sent: bytes, timeout: float = 20) -> bytes:
    """Return a server's answer to raw bytes, until it closes the connection."""
    place = urlsplit(address)
    with socket.create_connection((place.hostname, place.port), timeout) as connection:
        connection.sendall(sent)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def status(address: str, *lines: str) -> int:
    head = "\r\n".join(("GET /api/models HTTP/1.1", *lines, "Connection: close", "", ""))
    return int(raw(address, head.encode("latin-1")).split()[1])


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST"])
def test_a_server_is_called_by_its_names(address, name):
    port = urlsplit(address).port
    assert status(address, f"Host: {name}:{port}") == 200
    assert status(address, f"Host: {name}") == 200


@pytest.mark.parametrize(
    "lines",
    [
        ("Host: evil.example",),
        ("Host: evil.example:8000",),
        ("Host: 127.0.0.1.evil.example",),
        ("Host: localhost.",),
        ("Host: 10.0.0.7",),
        ("Host: ",),
        ("Host: localhost@evil.example",),
        ("Host: localhost/evil",),
        ("Host: localhost:99999x",),
        ("Host: [::1",),
        ("Host: localhost\xe9",),
        ("Host: localhost", "Host: localhost"),
        ("Host: localhost", "host: evil.example"),
        ("X-Forwarded-Host: localhost",),
    ],
)
def test_other_names_are_refused(address, lines):
    assert status(address, *lines) in (400, 403)


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://localhost:{port}", 200),
        ("https://localhost:{port}", 403),
        ("http://localhost", 403),
        ("http://localhost:1", 403),
        ("http://evil.example:{port}", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_an_origin_is_compared_with_scheme_and_port(address, origin, expected):
    port = urlsplit(address).port
    assert status(address, f"Host: localhost:{port}", f"Origin: {origin.format(port=port)}") == expected


def test_a_name_that_is_allowed():
    with serving("--allow-host", "teacher.example") as (address, _):
        assert status(address, "Host: teacher.example") == 200
        assert status(address, "Host: evil.example") == 403


def test_a_server_that_others_reach_has_a_token():
    with serving("--host", "0.0.0.0") as (printed, _):
        address, _, token = printed.partition("/?token=")
        assert len(token) > 40
        assert httpx.get(f"{address}/healthz").status_code == 200
        refused = httpx.get(f"{address}/api/models")
        assert refused.status_code == 401
        assert "open the address that it printed" in refused.json()["error"]
        assert httpx.get(f"{address}/api/models?token=wrong").status_code == 401
        assert httpx.get(f"{address}/api/models", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        with httpx.Client() as client:
            assert client.get(printed).status_code == 200
            assert client.get(f"{address}/api/models").status_code == 200  # the page's own requests, with its cookie
        assert status(address, "Host: 192.168.1.7:8000", f"Authorization: Bearer {token}") == 200
        assert status(address, "Host: evil.example", f"Authorization: Bearer {token}") == 403


def test_no_token_is_said():
    with serving("--host", "0.0.0.0", "--no-token") as (address, process):
        assert "token" not in address
        assert httpx.get(f"{address}/api/models").status_code == 200
        assert "no token: anyone who can reach this address" in process.stderr.readline()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[" * 500_000, (400, 422)),
        (b'{"pixels": [' + b"1," * 600_000 + b"1]}", (413,)),
        (b'{"pixels": [' + b"9" * 900_000 + b"]}", (400, 422)),
        (b'{"pixels": [1e999]}', (400, 422)),
        (b'{"pixels": ["\\ud800"]}', (400, 422)),
        (b'{"\\ud800": 1}', (400, 422)),
        (b'{"pixels": ' + b"[" * 5000 + b"]" * 5000 + b"}", (400, 422)),
        (b'{"pixels": [' + b"[1]," * 200_000 + b"[1]]}", (422,)),
    ],
)
@pytest.mark.parametrize("path", ["/api/predict", "/api/training"])
def test_long_and_odd_json_is_refused_and_nobody_waits(address, path, body, expected):
    answer = httpx.post(f"{address}{path}", content=body, headers=JSON, timeout=20)
    too_long_for_settings = path == "/api/training" and len(body) > 16 * 1024
    assert answer.status_code in ((413,) if too_long_for_settings else expected), answer.text
    assert "Traceback" not in answer.text
    assert isinstance(json.loads(answer.text)["error"], str)
    began = time.perf_counter()
    assert httpx.get(f"{address}/healthz").status_code == 200
    assert time.perf_counter() - began < 5


def test_heads_are_bounded(own_address):
    place = urlsplit(own_address)
    sent = 0
    with socket.create_connection((place.hostname, place.port), 20) as connection, suppress(ConnectionError):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        for _ in range(2000):
            connection.sendall(b"X-Long: " + b"x" * 8192 + b"\r\n")
            sent += 8192
            time.sleep(0.001)
    assert sent < 8 * 2**20  # it was closed long before everything was sent
    assert httpx.get(f"{own_address}/healthz").status_code == 200


def test_idle_connections_make_room(own_address):
    place = urlsplit(own_address)
    idle = [socket.create_connection((place.hostname, place.port), 20) for _ in range(512)]
    try:
        assert httpx.get(f"{own_address}/healthz", timeout=20).status_code == 200
        idle[0].settimeout(5)
        assert idle[0].recv(1) == b""
    except ConnectionResetError:
        pass  # the oldest one was closed
    finally:
        for connection in idle:
            connection.close()


def test_a_kept_connection_serves_again(own_address):
    place = urlsplit(own_address)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
    for _ in range(3):
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        assert answer.status == 200
        answer.read()
    connection.close()


def test_a_head_may_begin_behind_a_large_body():
    body = b"x" * 100_000
    large = f"POST /api/models HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    with serving() as (address, process):
        place = urlsplit(address)
        with socket.create_connection((place.hostname, place.port), 20) as connection:
            process.send_signal(signal.SIGSTOP)  # so that everything is read at once
            connection.sendall(large + b"GET /healthz HTT")
            process.send_signal(signal.SIGCONT)
            answers = connection.recv(2**16)
            connection.sendall(b"P/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            while more := connection.recv(2**16):
                answers += more
            assert answers.count(b"HTTP/1.1 ") == 2
            assert b"HTTP/1.1 200 " in answers
