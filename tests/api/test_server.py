"""The server of the README: clients that wait cost nothing, streams that break are seen to, bodies have a limit."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.api.conftest import anne
from tests.builders import wire

WAITING = 100
#: More than is on its way at any moment.
MANY_ACTIONS = """
    INSERT INTO sync_action (action_id, action_type, testing, created_at, custom_fields, with_consent, said)
    SELECT 10000000 + n, 'register', false, now(), json_build_object('text', repeat('x', 500)), false, '{}'
      FROM generate_series(1, 60000) AS n
"""
CUT_OFF = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE %s
"""


def post(server, tokens, content, **more) -> httpx2.Response:
    with server.client(tokens["ingest"]) as client:
        return client.post("/api/v1/proca/messages/", content=content, **more)


def test_a_hundred_clients_wait_and_everybody_else_is_served(server, tokens, installed):
    with server.client(tokens["read"]) as reader, server.client() as other, ThreadPoolExecutor(WAITING) as pool:
        after = _newest(reader)
        waiting = [
            pool.submit(reader.get, "/api/v1/changes/", params={"after": after, "wait": 30}) for _ in range(WAITING)
        ]
        _until(lambda: _requests_of(server) >= WAITING)
        connections = installed.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        times = sorted(_timed(other, "/healthz") for _ in range(20))
        assert not any(one.done() for one in waiting)
        assert post(server, tokens, wire(anne(1))).status_code == 200
        answers = [one.result() for one in waiting]

    # One of the connections is the one that counts them.
    assert connections <= 10 + 1
    # Milliseconds on a quiet machine, and the half minute of those who wait where they stand in the way.
    assert times[len(times) // 2] < 5
    assert {answer.status_code for answer in answers} == {200}
    assert all("supporter.changed" in {line["kind"] for line in answer.json()["results"]} for answer in answers)


def test_who_waits_in_vain_gets_an_empty_answer_in_time(server, tokens):
    with server.client(tokens["read"]) as client:
        after = _newest(client)
        started = time.monotonic()
        answer = client.get("/api/v1/changes/", params={"after": after, "wait": 1})

    assert answer.json() == {"results": [], "next_after": after}
    assert "x-hold" not in answer.headers
    assert time.monotonic() - started >= 1


def test_a_client_that_hangs_up_waits_no_longer(server, tokens):
    before = _requests_of(server)
    with socket.create_connection(("127.0.0.1", server.port)) as plain:
        headers = f"Host: localhost\r\nAuthorization: Bearer {tokens['read']}\r\n\r\n"
        plain.sendall(f"GET /api/v1/changes/?wait=30&kind=page.changed HTTP/1.1\r\n{headers}".encode())
        _until(lambda: _requests_of(server) > before)

    _until(lambda: _requests_of(server) <= before)


def test_a_thousand_messages_of_five_kilobytes_pass(server, tokens):
    messages = [anne(number, action={"customFields": {"comment": "x" * 5000}}) for number in range(1000, 2000)]

    answer = post(server, tokens, wire(messages))

    assert answer.status_code == 200
    assert [one["result"] for one in answer.json()["results"]] == ["stored"] * 1000


def test_a_body_above_the_limit_is_a_problem(server, tokens):
    answer = post(server, tokens, b"x" * (8 * 1024 * 1024 + 1))

    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")


def test_a_body_without_a_length_is_a_problem(server, tokens):
    answer = post(server, tokens, iter([wire(anne(3))]))

    assert (answer.status_code, answer.headers["content-type"]) == (411, "application/problem+json")


def test_a_stream_that_breaks_off_is_not_taken_for_whole(server, tokens, installed):
    assert post(server, tokens, wire(anne(5))).status_code == 200
    installed.query(MANY_ACTIONS)
    with server.client(tokens["read"]) as client, client.stream("GET", "/api/v1/actions/?format=ndjson") as answer:
        pieces = answer.iter_bytes()
        assert next(pieces)
        installed.query(CUT_OFF, ("FETCH%",))

        with pytest.raises(httpx2.RemoteProtocolError):
            list(pieces)


def test_the_demo_and_the_readme_start_the_same_server():
    from tests.databases import ROOT

    text = (ROOT / "run").read_text()

    assert '"gunicorn", "proca_crm.asgi", "--worker-class", "asgi"' in text


def _newest(client: httpx2.Client) -> str:
    """Return the cursor behind the last change, however many neighbours have made."""
    page = client.get("/api/v1/changes/", params={"limit": 1000}).json()
    while page["results"]:
        page = client.get("/api/v1/changes/", params={"limit": 1000, "after": page["next_after"]}).json()
    return str(page["next_after"])


def _timed(client: httpx2.Client, path: str) -> float:
    started = time.monotonic()
    assert client.get(path).status_code == 200
    return time.monotonic() - started


def _requests_of(server) -> int:
    """Connections that the server's processes hold."""
    found = 0
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        local, _remote, state = line.split()[1:4]
        found += state == "01" and int(local.rpartition(":")[2], 16) == server.port
    return found


def _until(condition) -> None:
    for _ in range(1800):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")
