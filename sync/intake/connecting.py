"""How to reach the broker: what to read, address, TLS, and which refusals will not pass by themselves."""

from __future__ import annotations

import logging
import random
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelClosedByBroker,
    ConnectionClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from sync.intake.sources import Origin

if TYPE_CHECKING:
    from proca_crm.broker import Broker

#: What pika raises when the network, the broker or a channel fails.
TROUBLE = (AMQPError, AMQPConnectorException, OSError)

#: A frozen network is noticed after two of these; the broker's own 60 s would take two minutes.
HEARTBEAT_SECONDS = 30

#: What the protocol can say; 0 would mean everything.
MAX_PREFETCH = 65_535
MAX_BATCH = MAX_PREFETCH // 2

#: The first wait before another attempt, and the longest.
BACKOFF_SECONDS = (1.0, 60.0)

_SECONDS_TO_CONNECT = 10
_SECONDS_TO_LOG_IN = 15
_REFUSED = 403
_NO_SUCH_VHOST = 530

_UNTRUSTED = (
    "is not signed by an authority that is trusted here: set PROCA_CA_FILE to the certificate of the one who did"
)
_OTHER_HOST = "is for another host name: PROCA_URL must name the broker as its certificate does"
#: What OpenSSL finds wrong with a certificate, for the person who can do something about it.
_CERTIFICATE = {
    9: "is not valid yet: see whether the clock of this machine is right",
    10: "has expired: whoever runs the broker must renew it",
    18: f"is self-signed; it {_UNTRUSTED}",
    19: _UNTRUSTED,
    20: _UNTRUSTED,
    21: _UNTRUSTED,
    62: _OTHER_HOST,
    64: _OTHER_HOST,
}

# It writes a traceback for every failed attempt; what happened is said here, once.
logging.getLogger("pika").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What to read, and how."""

    broker: Broker
    origins: tuple[Origin, ...]
    ca_file: str | None = None
    batch_size: int = 1_000
    batch_wait: float = 0.2
    limit: int | None = None
    drain: bool = False
    #: Nothing is acknowledged: everything stays in the queue.
    dry_run: bool = False
    #: So many consumers are ours.
    consumers: int = 1
    heartbeat: int = HEARTBEAT_SECONDS

    @property
    def prefetch(self) -> int:
        """How many messages may be unacknowledged for each consumer: a batch in hand and one that fills."""
        every = self.limit or MAX_PREFETCH if self.dry_run else 2 * self.batch_size // len(self.origins)
        return max(1, min(every, self.limit or MAX_PREFETCH, MAX_PREFETCH))


@dataclass(slots=True)
class Backoff:
    """How long to wait before the next attempt; doubles until something was really done."""

    attempts: int = 0

    def next(self) -> float:
        """Return seconds, somewhere in the upper half, so that many clients do not come back together."""
        longest: float = min(BACKOFF_SECONDS[0] * 2**self.attempts, BACKOFF_SECONDS[1])
        self.attempts = min(self.attempts + 1, 10)
        return longest * random.uniform(0.5, 1)  # noqa: S311 - not a secret

    def done(self) -> None:
        """Start from the beginning next time."""
        self.attempts = 0


def parameters(reading: Reading) -> pika.ConnectionParameters:
    """Return pika's parameters. Certificate and host name are always checked where TLS is spoken."""
    broker = reading.broker
    tls = None
    if broker.tls:
        tls = pika.SSLOptions(ssl.create_default_context(cafile=reading.ca_file), broker.host)
    return pika.ConnectionParameters(
        host=broker.host,
        port=broker.port,
        virtual_host=broker.vhost,
        credentials=pika.PlainCredentials(broker.username, broker.password),
        ssl_options=tls,
        heartbeat=lambda _connection, proposed: min(proposed or reading.heartbeat, reading.heartbeat),
        socket_timeout=_SECONDS_TO_CONNECT,
        stack_timeout=_SECONDS_TO_LOG_IN,
        client_properties={"connection_name": "proca-crm"},
    )


def lasting_reason(error: BaseException) -> str | None:
    """Return why connecting cannot work, for the operator; None where trying again is worth it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        words = _CERTIFICATE.get(error.verify_code, f"is not trusted ({error.verify_message})")
        return f"the broker's certificate {words}"
    if isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER":
        return "the broker does not speak TLS on this port; PROCA_URL says amqps"
    if isinstance(error, AuthenticationError) or _says(error, ProbableAuthenticationError, _REFUSED):
        return "the broker refuses this user and password"
    if _says(error, ProbableAccessDeniedError, _NO_SUCH_VHOST, _REFUSED):
        return "the vhost does not exist, or this user may not enter it"
    if isinstance(error, ChannelClosedByBroker) and error.reply_code == 404:
        return "the queue does not exist"
    if isinstance(error, ChannelClosedByBroker) and error.reply_code == _REFUSED:
        return "this user may not read the queue"
    return None


def passing_reason(error: BaseException) -> str:
    """Return a code for the log: kind of error and the broker's number, never its text."""
    if isinstance(error, ChannelClosedByBroker | ConnectionClosedByBroker):
        return f"{type(error).__name__}:{error.reply_code}"
    return type(error).__name__


def _says(error: BaseException, kind: type[BaseException], *codes: int) -> bool:
    """Whether pika guessed this from the broker's own answer and not from a connection that broke off."""
    return isinstance(error, kind) and any(f"({code})" in str(error.args) for code in codes)
