"""Which requests are for this server: by the name that they call it, the page that they come from, and its token.

A page of any site can point a name of its own at 127.0.0.1 and let the reader's browser ask this server (DNS
rebinding). It cannot choose what the browser writes into Host and Origin, so these decide.
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
"""What a server that only this machine reaches is called."""

_HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}))(?::(?P<port>[0-9]{1,5}))?")
_PORTS = {"http": 80, "https": 443}
_OPEN = ("/healthz",)
"""What is answered without the token."""


class Access:
    """The names of a server, and its token if it has one.

    Args:
        hosts: names or addresses, without ports, that Host may have; IPv6 in brackets.
        any_address: whether every number of an address will do as well, for a server at all addresses of its machine.
            (A name can be pointed at this server by somebody else; a number cannot.)
        token: what a client has to show, or None.
    """

    def __init__(self, hosts: Iterable[str] = LOOPBACK, *, any_address: bool = False, token: str | None = None) -> None:
        self.hosts = frozenset(host.lower() for host in hosts)
        self.any_address, self.token = any_address, token

    def refusal(self, scope: Scope) -> ProblemError | None:
        """Why a request is not for this server; None if it is."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1:
            return ProblemError(400, f"a request needs one Host header, got {len(hosts)}")
        here = _parsed(hosts[0].decode("latin-1"), scope["scheme"])
        if here is None:
            return ProblemError(400, "the Host header is no host and port")
        if not self._is_named(here[0]):
            return ProblemError(403, "this server is not called so: open the address that it printed, or --allow-host")
        for name, value in scope["headers"]:
            if name == b"origin" and not _is_origin(value.decode("latin-1"), scope["scheme"], here):
                return ProblemError(403, "asked from the page of another site: use this server's own page")
        if self.token is not None and scope["path"] not in _OPEN and not self._is_shown(scope):
            return ProblemError(401, "this server asks for its token: open the address that it printed")
        return None

    def cookie(self, scope: Scope) -> str | None:
        """The cookie that keeps a token given in the address, for the page's own requests."""
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
    """Name and port, the scheme's own where none is written."""
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
    """Cookies are shared by the ports of a host, and so by several servers."""
    server = scope.get("server")
    return f"chainrule-token-{server[1] if server else 0}"
