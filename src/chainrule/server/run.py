"""Runs the server: binds its port, announces the page's address, and shuts down gracefully."""

import ipaddress
import secrets
import socket
import sys
from collections.abc import Callable, Sequence

import uvicorn

from chainrule.errors import OptionError
from chainrule.files import explain
from chainrule.layers import Sequential
from chainrule.server.access import LOOPBACK, Access
from chainrule.server.app import create_app
from chainrule.server.protocol import bounded_protocol
from chainrule.server.sharing import Opened

__all__ = ["serve"]


_SWITCH = 0.0005
"""Seconds after which a computing thread yields; with Python's 5 ms, an answer waits for several such threads."""


class _Server(uvicorn.Server):
    """Ends the trainings first, so that no client waits for their events."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.config.app.state.trainings.close()  # type: ignore[union-attr]
        await super().shutdown(sockets)


def serve(
    networks: dict[str, Sequential],
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    allowed: Sequence[str] = (),
    with_token: bool | None = None,
    opened: Sequence[Opened] = (),
    ready: Callable[[str], None],
) -> None:
    """Serve networks until Ctrl-C or SIGTERM.

    Args:
        networks: by name; the first is the default.
        host: the address to listen on; 127.0.0.1 can be reached only from this machine.
        port: 0 takes a free one.
        allowed: further names of this server that clients may send in Host.
        with_token: whether clients need a token, which is new each time and part of the page's address; by default if
            other machines can reach the server.
        opened: trainings read from files, shown as they were.
        ready: called with the page's address once it can be opened.

    Raises:
        OptionError: the server cannot listen on the port.
    """
    listener = _listen(host, port)
    address, taken = listener.getsockname()[:2]
    number = ipaddress.ip_address(address.partition("%")[0])
    token = None
    if with_token or (with_token is None and not number.is_loopback):
        token = secrets.token_urlsafe(32)
    shown = "127.0.0.1" if number.is_unspecified else f"[{host}]" if ":" in host else host
    names = (*LOOPBACK, shown, *allowed)
    config = uvicorn.Config(
        create_app(networks, Access(names, any_address=number.is_unspecified, token=token), opened),
        http=bounded_protocol(),
        log_level="warning",
        access_log=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
        server_header=False,
        backlog=256,
    )
    ready(f"http://{shown}:{taken}/" + (f"?token={token}" if token else ""))
    sys.setswitchinterval(_SWITCH)
    with listener:
        _Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise OptionError(f"--port must be from 0 to 65535, got {port}")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(256)
    except OSError as error:
        raise OptionError(
            f"cannot listen at {host} port {port}: {explain(error)} (--port 0 takes a free one)"
        ) from error
    return listener
