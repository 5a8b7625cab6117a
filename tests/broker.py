"""Proca's side of the queue: its topology, declared as its server does, and raw messages as it sends them.

org.N.deliver ──▶ cus.N.deliver ──▶ reader
 (topic)              ▲    │ rejected
                      │    ▼
org.N.retry ◀── org.N.fail ◀── org.N.fail
 (direct)        TTL   (queue)      (fanout)
"""

import contextlib
import json
import urllib.error
import urllib.request
import uuid
from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pika

from tests.servers import RabbitMQ, wait_until

FAIL_TTL_MS = 300
PERSISTENT = pika.BasicProperties(delivery_mode=2)


@dataclass(slots=True)
class Broker:
    """One vhost for one test, seen by an administrator."""

    server: RabbitMQ
    vhost: str

    @property
    def host(self) -> str:
        """Where it listens."""
        return "127.0.0.1"

    @property
    def port(self) -> int:
        """Without TLS; `server.tls_port` with it."""
        return self.server.port

    # --- For the consumer under test ------------------------------------------------------------------

    def url(self, *, tls: bool = False, port: int | None = None, password: str | None = None) -> str:
        """`PROCA_URL` of the user who may only read."""
        user, own = self.server.reader
        scheme = "amqps" if tls else "amqp"
        port = port or (self.server.tls_port if tls else self.server.port)
        return f"{scheme}://{user}:{quote(password or own, safe='')}@127.0.0.1:{port}/{self.vhost}"

    def env(self, queue: str = "cus.7.deliver", **more: Any) -> dict[str, str]:
        """Settings for a command that reads `queue`; `more` as for `url`."""
        settings = {"PROCA_URL": self.url(**more), "PROCA_QUEUE": queue}
        return settings | ({"PROCA_CA_FILE": str(self.server.ca_file)} if more.get("tls") else {})

    # --- Proca's server -------------------------------------------------------------------------------

    def declare(
        self,
        queue: str = "cus.7.deliver",
        *,
        ttl_ms: int = FAIL_TTL_MS,
        arguments: dict[str, Any] | None = None,
    ) -> str:
        """A queue `cus.N.…` with its retry circuit. Returns its name."""
        org = queue.split(".")[1]
        fail, retry = f"org.{org}.fail", f"org.{org}.retry"
        # First of all: a policy set later does not free what already waits.
        policy = {
            "pattern": f"^org\\.{org}\\.fail$",
            "definition": {"message-ttl": ttl_ms},
            "apply-to": "queues",
        }
        self.api("PUT", f"policies/{quote(self.vhost, safe='')}/{fail}", policy)
        dead_letters = {"x-dead-letter-exchange": fail, "x-dead-letter-routing-key": queue}
        deliver = queue.replace("cus.", "org.", 1)
        with self.channel() as channel:
            channel.exchange_declare(fail, "fanout", durable=True)
            channel.exchange_declare(retry, "direct", durable=True)
            channel.exchange_declare(deliver, "topic", durable=True)
            channel.queue_declare(fail, durable=True, arguments={"x-dead-letter-exchange": retry})
            channel.queue_declare(queue, durable=True, arguments=dead_letters | (arguments or {}))
            channel.queue_bind(fail, fail)
            channel.queue_bind(queue, retry, routing_key=queue)
            channel.queue_bind(queue, deliver, routing_key="#")
        return queue

    def declare_system(self) -> str:
        """`system.deliver`, which has no circuit: what is rejected there is gone."""
        with self.channel() as channel:
            channel.queue_declare("system.deliver", durable=True)
        return "system.deliver"

    def publish(self, *messages: Any, queue: str = "cus.7.deliver", routing_key: str = "petition.short_name") -> None:
        """Sends messages as Proca does: JSON (bytes go as they are), no properties but persistence."""
        exchange = queue.replace("cus.", "org.", 1) if queue.startswith("cus.") else ""
        self.publish_raw(map(as_body, messages), exchange=exchange, routing_key=routing_key if exchange else queue)

    def publish_raw(self, bodies: Iterable[bytes], *, exchange: str, routing_key: str) -> None:
        """Many bodies, fast; all are in their queues when this returns."""
        with self.channel() as channel:
            for body in bodies:
                channel.basic_publish(exchange, routing_key, body, PERSISTENT)
            # Answered after everything that came before it on this channel.
            channel.basic_qos(prefetch_count=1)

    def depth(self, queue: str = "cus.7.deliver") -> int:
        """How many messages are ready, those in a consumer's hand not counted."""
        with self.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).method.message_count)

    def consumers(self, queue: str = "cus.7.deliver") -> int:
        """How many consumers are attached."""
        with self.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).method.consumer_count)

    def take_all(self, queue: str = "cus.7.deliver") -> list[tuple[bytes, dict[str, Any]]]:
        """Empties a queue: bodies and headers (`org.N.fail` shows what waits there)."""
        taken = []
        with self.channel() as channel:
            while (got := channel.basic_get(queue, auto_ack=True))[0]:
                taken.append((got[2], got[1].headers or {}))
        return taken

    def delete(self, queue: str = "cus.7.deliver") -> None:
        """Deletes a queue under its consumers: the server cancels them."""
        with self.channel() as channel:
            channel.queue_delete(queue)

    # --- Trouble --------------------------------------------------------------------------------------

    def connections_of_reader(self) -> list[str]:
        """Names of the reader's connections to this vhost; known about a second after they were made."""
        user = self.server.reader[0]
        everything = self.api("GET", f"vhosts/{quote(self.vhost, safe='')}/connections")
        return [one["name"] for one in everything if one.get("user") == user]

    def cut(self) -> int:
        """Closes every connection of the reader from the server's side; waits until there is one."""
        names = wait_until(self.connections_of_reader, "a connection to cut", 15)
        for name in names:
            self.api("DELETE", f"connections/{quote(name, safe='')}")
        return len(names)

    # --- Plumbing -------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def channel(self) -> Iterator[Any]:
        """A channel of the administrator."""
        parameters = pika.ConnectionParameters(
            "127.0.0.1",
            self.server.port,
            self.vhost,
            pika.PlainCredentials(*self.server.admin),
            socket_timeout=30,
        )
        connection = pika.BlockingConnection(parameters)
        try:
            yield connection.channel()
        finally:
            connection.close()

    def api(self, method: str, path: str, content: Any = None) -> Any:
        """The management API, under /api/."""
        return management(self.server, method, path, content)


def management(server: RabbitMQ, method: str, path: str, content: Any = None) -> Any:
    """One request to the management API as administrator."""
    login = b64encode(":".join(server.admin).encode()).decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.http_port}/api/{path}",
        data=None if content is None else json.dumps(content).encode(),
        method=method,
        headers={"Authorization": f"Basic {login}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        body = answer.read()
    return json.loads(body) if body else None


@contextlib.contextmanager
def vhost_of_its_own(server: RabbitMQ) -> Iterator[Broker]:
    """A vhost that is gone afterwards; the reader may read there, and nothing else."""
    vhost = f"proca_{uuid.uuid4().hex[:12]}"
    rights = {"configure": "^$", "write": "^$", "read": ".*"}
    management(server, "PUT", f"vhosts/{vhost}", {})
    management(server, "PUT", f"permissions/{vhost}/{server.reader[0]}", rights)
    try:
        yield Broker(server, vhost)
    finally:
        # A test may have stopped the server.
        with contextlib.suppress(urllib.error.URLError):
            management(server, "DELETE", f"vhosts/{vhost}")


def as_body(message: Any) -> bytes:
    """A message as Proca's server writes it."""
    if isinstance(message, bytes):
        return message
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
