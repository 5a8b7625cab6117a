"""Where Proca's queue is: what `PROCA_URL` and its companions say, as one value."""

import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from proca_crm.environment import Misconfigured

PORTS = {"amqps": 5671, "amqp": 5672}
FORM = "must look like amqps://user:password@host/vhost, or host/vhost"


@dataclass(frozen=True, slots=True)
class Broker:
    """An address to connect to. Its text form does not contain the password."""

    host: str
    port: int
    vhost: str
    username: str
    password: str = field(repr=False)
    tls: bool = True


def parse_broker(url: str, username: str, password: str) -> Broker:
    """Reads `PROCA_URL`; user and password of the URL go before the separate ones.

    A `#` or a second `/` can belong to a password as well as end it, so such a URL is refused instead
    of guessed at: those characters are written %23 and %2F, or the password goes to PROCA_PASSWORD.
    """
    if re.search(r"[\s#?\\]", url):
        raise Misconfigured("PROCA_URL", f"has a space or one of # ? \\ in it (write # as %23); it {FORM}")
    scheme, marked, rest = url.partition("://")
    if not marked:
        scheme, rest = "amqps", url
    if scheme.lower() not in PORTS:
        raise Misconfigured("PROCA_URL", "must begin with amqps:// (or amqp:// without TLS)")
    place, slash, vhost = rest.partition("/")
    if not slash or not vhost:
        raise Misconfigured("PROCA_URL", f"names no vhost; it {FORM}")
    if "/" in vhost:
        raise Misconfigured("PROCA_URL", f"has a second / (write it as %2F); it {FORM}")
    login, _, address = place.rpartition("@")
    host, port = _host_and_port(address, PORTS[scheme.lower()])
    user, _, secret = login.partition(":")
    return Broker(
        host=host,
        port=port,
        vhost=unquote(vhost),
        username=_given("PROCA_USERNAME", unquote(user) or username),
        password=_given("PROCA_PASSWORD", unquote(secret) or password),
        tls=scheme.lower() == "amqps",
    )


def org_of_queue(queues: Sequence[str]) -> int | None:
    """N of the first queue named `cus.N.…`: whose messages these are."""
    for queue in queues:
        if match := re.match(r"cus\.([0-9]{1,18})\.", queue):
            return int(match[1])
    return None


def certificates(path: str) -> str:
    """A file of certificates to trust, tried out now rather than at the first connection."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except OSError as error:  # ssl.SSLError is one too
        reason = error.strerror if not isinstance(error, ssl.SSLError) else "no certificate in it"
        raise ValueError(f"cannot be used ({reason})") from None
    return path


def _host_and_port(address: str, default: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or re.search(r":$|[,;@]", address):
        raise Misconfigured("PROCA_URL", f"has no usable host and port; it {FORM}")
    return host, port or default


def _given(name: str, value: str) -> str:
    if not value:
        raise Misconfigured(name, "is not set, and PROCA_URL does not say it either")
    return value
