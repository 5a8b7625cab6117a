"""One HTTP client for each destination: where it may connect to, how long it waits, how much it reads.

The address is checked where the connection is made, so that a name cannot mean one thing when it is checked and
another when it is used. Redirects are not followed, and no proxy is taken from the environment.
"""

from __future__ import annotations

import ipaddress
import math
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore2
import httpx2
from django.conf import settings

from sync.connectors.contract import NoAnswer, Request, Response

CONNECT, READ = 5.0, 30.0
#: From the first byte to the last; a lease is longer than this.
WHOLE = 60.0
LARGEST_BODY = 4 * 1024 * 1024
_AGENT = "proca-crm"
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class PrivateAddress(httpcore2.ConnectError):
    """A destination points to an address that is not public, and PUSH_ALLOW_HOSTS does not allow it."""


class Client:
    """Sends the requests of one destination. `before_each` may refuse by raising: it is asked before every request.

    `within` is how many seconds all of them may take together, where somebody waits for a page.
    """

    def __init__(
        self,
        before_each: Callable[[], None] = lambda: None,
        *,
        allowed: Iterable[str] | None = None,
        within: float = math.inf,
    ) -> None:
        self._before_each = before_each
        self._until = time.monotonic() + within
        places = settings.PUSH_ALLOW_HOSTS if allowed is None else tuple(allowed)
        transport = httpx2.HTTPTransport(trust_env=False)
        # The library's own seam for this takes a whole transport of one's own; the pool is the same.
        transport._pool._network_backend = _Guarded(places)
        self._client = httpx2.Client(
            transport=transport,
            follow_redirects=False,
            trust_env=False,
            headers={"user-agent": _AGENT},
        )

    def send(self, request: Request) -> Response:
        """Send a request and read the answer; raises `NoAnswer`."""
        self._before_each()
        if self.left <= 0:
            raise NoAnswer("timeout")
        with _told():
            content = request.content or None
            with self._client.stream(
                request.method, request.url, headers=dict(request.headers), content=content, timeout=self._patience()
            ) as answer:
                return _read(answer, self._until)

    @property
    def left(self) -> float:
        """How many seconds are left for all that is still to be asked."""
        return self._until - time.monotonic()

    def _patience(self) -> httpx2.Timeout:
        left = max(self.left, 0.001)
        return httpx2.Timeout(min(READ, left), connect=min(CONNECT, left))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _read(answer: httpx2.Response, latest: float) -> Response:
    until, body = min(time.monotonic() + WHOLE, latest), b""
    for block in answer.iter_bytes():
        body += block
        if len(body) > LARGEST_BODY:
            raise NoAnswer("the answer is too large")
        if time.monotonic() > until:
            raise NoAnswer("the answer takes too long")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    return Response(status=answer.status_code, headers=headers, content=body)


@contextmanager
def _told() -> Iterator[None]:
    """Turn what the library raises into a code; its own words quote addresses."""
    try:
        yield
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol):
        raise NoAnswer("the address is no http address", lasting=True) from None
    except httpx2.ConnectTimeout:
        raise NoAnswer("connect timeout") from None
    except httpx2.TimeoutException:
        raise NoAnswer("timeout") from None
    except httpx2.ConnectError as error:
        raise _not_connected(error) from None
    except httpx2.HTTPError as error:
        raise NoAnswer(_name(error)) from None
    except (ValueError, UnicodeError):
        raise NoAnswer("a header or the address holds what HTTP cannot carry", lasting=True) from None


def _not_connected(error: BaseException) -> NoAnswer:
    causes = list(_causes(error))
    if any(isinstance(one, PrivateAddress) for one in causes):
        return NoAnswer("the address is private: name its host in PUSH_ALLOW_HOSTS to allow it", lasting=True)
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in causes):
        return NoAnswer("the TLS certificate is not valid for it", lasting=True)
    if any(isinstance(one, socket.gaierror) for one in causes):
        return NoAnswer("the name of the host is unknown")
    return NoAnswer(
        "connection refused" if any(isinstance(one, ConnectionRefusedError) for one in causes) else "no connection"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _name(error: Exception) -> str:
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in type(error).__name__)
    return words.strip()


class _Guarded(httpcore2.SyncBackend):
    """Resolves a name once, and connects to that very address if it may."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = Allowed(allowed)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Any:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError("resolve") from error
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        refused = [one for one in addresses if not self._allowed.may_reach(host, one)]
        if refused:
            # All of them: a name that is half private is a trick.
            raise PrivateAddress("private")
        return self._first(addresses, port, timeout, local_address, socket_options)

    def _first(self, addresses: list[str], *more: Any) -> Any:
        for last, address in enumerate(addresses, start=1):
            try:
                return super().connect_tcp(address, *more)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if last == len(addresses):
                    raise
        raise httpcore2.ConnectError("resolve")


class Allowed:
    """Which private places may be reached: hosts by name, addresses, networks."""

    def __init__(self, places: Iterable[str]) -> None:
        self._hosts: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for place in places:
            try:
                self._networks.append(ipaddress.ip_network(place.strip("[]"), strict=False))
            except ValueError:
                self._hosts.add(place.lower().rstrip("."))

    def may_reach(self, host: str, address: str) -> bool:
        """Tell whether a connection to this address, found under this name, may be made."""
        parsed = _unwrapped(ipaddress.ip_address(address.partition("%")[0]))
        if _is_public(parsed) or host.lower().rstrip(".") in self._hosts:
            return True
        return any(parsed in network for network in self._networks if network.version == parsed.version)


def _unwrapped(address: _Address) -> _Address:
    """Take an IPv4 address out of the IPv6 forms that lead to it."""
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or address.sixtofour or _nat64(address) or address
    return address


def _nat64(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in ipaddress.ip_network("64:ff9b::/96"):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _is_public(address: _Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved
