"""Decides which requests are allowed, by the server's name in them, the page that they come from, and the token.

Any web site can point a name of its own at 127.0.0.1 and have the visitor's browser send requests to this server (DNS
rebinding). It cannot choose what the browser writes into Host and Origin, so these headers decide.
"""

import hmac
import ipaddress
import re
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.types import Scope

from chainrule.server.problems import ProblemError

__all__ = ["LOOPBACK", "Access"]

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""The names of a server that only this machine can reach."""

_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}))(?::(?P<port>[0-9]{1,5}))?")
_PORTS = {"http": 80, "https": 443}
_OPEN = ("/healthz",)
"""Paths that need no token."""


class Access:
    """The names of a server, and its token if it has one.

    Args:
        hosts: names or addresses allowed in Host, without ports; IPv6 in brackets.
        any_address: whether any numeric address is allowed too, for a server that listens on all addresses. (Anybody
            can point a name at this server, but not a number.)
        token: what a client must present, or None.
    """

    def __init__(self, hosts: Iterable[str] = LOOPBACK, *, any_address: bool = False, token: str | None = None) -> None:
        self.hosts = frozenset(host.lower() for host in hosts)
        self.any_address, self.token = any_address, token

    def refusal(self, scope: Scope) -> ProblemError | None:
        """Why a request is refused; None if it is allowed."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1:
            return ProblemError(400, f"a request needs one Host header, got {len(hosts)}")
        here = _parsed(hosts[0].decode("latin-1"), scope["scheme"])
        if here is None:
            return ProblemError(400, "the Host header is not a host and port")
        if not self._is_named(here[0]):
            return ProblemError(
                403,
                "this server does not have that name: open the address that it printed, or start it with --allow-host",
            )
        for name, value in scope["headers"]:
            if name == b"origin" and not _is_origin(value.decode("latin-1"), scope["scheme"], here):
                return ProblemError(403, "asked from the page of another site: use this server's own page")
        if self.token is not None and scope["path"] not in _OPEN and not self._is_shown(scope):
            return ProblemError(401, "this server asks for its token: open the address that it printed")
        return None

    def cookie(self, scope: Scope) -> str | None:
        """The cookie that stores a token from the address for the page's own requests."""
        if self.token is None or not self._is_same(_in_address(scope)):
            return None
        return f"{_cookie_name(scope)}={self.token}; Path=/; HttpOnly; SameSite=Strict"

    def _is_named(self, name: str) -> bool:
        if name in self.hosts:
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return self.any_address

    def _is_shown(self, scope: Scope) -> bool:
        shown = [_in_address(scope)]
        for name, value in scope["headers"]:
            if name == b"authorization":
                shown.append(value.decode("latin-1").removeprefix("Bearer "))
            elif name == b"cookie":
                shown.append(_in_cookies(value.decode("latin-1"), _cookie_name(scope)))
        return any(self._is_same(token) for token in shown)

    def _is_same(self, token: str | None) -> bool:
        return token is not None and hmac.compare_digest(token.encode(), (self.token or "").encode())


def _parsed(host: str, scheme: str) -> tuple[str, int] | None:
    """Name and port; by default the scheme's port."""
    found = _HOST.fullmatch(host)
    if found is None:
        return None
    return found["name"].lower(), int(found["port"] or _PORTS.get(scheme, 80))


def _is_origin(origin: str, scheme: str, here: tuple[str, int]) -> bool:
    own, _, host = origin.partition("://")
    return own == scheme and _parsed(host, scheme) == here


def _in_address(scope: Scope) -> str | None:
    try:
        tokens = parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=100).get("token")
    except ValueError:  # more fields than that
        return None
    return tokens[0] if tokens else None


def _in_cookies(text: str, name: str) -> str | None:
    try:
        cookie = SimpleCookie(text).get(name)
    except CookieError:
        return None
    return None if cookie is None else cookie.value


def _cookie_name(scope: Scope) -> str:
    """The cookie's name, which contains the port because all servers on a host share its cookies."""
    server = scope.get("server")
    return f"chainrule-token-{server[1] if server else 0}"
