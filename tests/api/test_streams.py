"""Whole lists as streams, by the server of the README: nobody waits for slow readers, and length costs no memory."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sync.api.streams import AT_ONCE
from tests.api.conftest import anne
from tests.builders import wire

#: Far more than the buffers of a connection hold.
LONG_LIST = """
    INSERT INTO sync_action (action_id, action_type, testing, created_at, custom_fields, with_consent, said)
    SELECT 20000000 + n, 'register', false, now(), json_build_object('text', repeat('x', 2000)), false, '{}'
      FROM generate_series(1, 20000) AS n
"""
#: The README starts two processes.
PROCESSES = 2


@contextmanager
def slow_reader(server, token: str) -> Iterator[bytes]:
    """Somebody who asks for a whole list and reads how the answer begins; gives that beginning."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        asked = (
            f"GET /api/v1/actions/?format=ndjson HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        )
        plain.sendall(asked.encode())
        yield plain.recv(2000)


def _begins(server, token: str) -> bool:
    with slow_reader(server, token) as begun:
        return begun.startswith(b"HTTP/1.1 200")


def _until(condition) -> None:
    """Far sooner than a client that reads nothing is given up."""
    for _ in range(200):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")


def test_slow_readers_keep_nobody_else_waiting(server, tokens, installed):
    installed.query(LONG_LIST)
    with ExitStack() as readers:
        begun = [readers.enter_context(slow_reader(server, tokens["read"])) for _ in range(12)]

        with server.client(tokens["ingest"]) as proca, server.client() as anybody:
            healthy = [anybody.get("/healthz").status_code for _ in range(8)]
            taken = [proca.post("/api/v1/proca/messages/", content=wire(anne(n))).status_code for n in range(30, 34)]

    streamed, refused = ([one for one in begun if one.startswith(b"HTTP/1.1 " + code)] for code in (b"200", b"503"))
    assert healthy == [200] * 8
    assert taken == [200] * 4
    assert 1 <= len(streamed) <= AT_ONCE * PROCESSES
    assert len(streamed) + len(refused) == len(begun)
    assert all(b"urn:proca-crm:problem:busy" in one and b"retry-after: 30" in one.lower() for one in refused)


def test_a_stream_that_was_left_or_read_makes_room_for_another(server, tokens, installed):
    installed.query(LONG_LIST.replace("20000000", "30000000"))
    for _ in range(3 * AT_ONCE * PROCESSES):
        _until(lambda: _begins(server, tokens["read"]))

    with server.client(tokens["read"]) as client:
        for _ in range(3 * AT_ONCE * PROCESSES):
            _until(lambda: client.get("/api/v1/campaigns/?format=csv").status_code == 200)
