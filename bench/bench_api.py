"""The API at a million supporters, by the server command of the README: requests a second, and how long they take.

`BENCH_SUPPORTERS` sets how many people there are.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.api.serving import Server, served
from tests.builders import an_action, wire
from tests.databases import Database, copy_of_template
from tests.environment import environment_for_tests
from tests.project import Project

PEOPLE = int(os.environ.get("BENCH_SUPPORTERS", "1000000"))
CLIENTS = 4
SECONDS = 8.0

_FILL = (
    "INSERT INTO sync_org (id, name, title, given) VALUES (7, 'greens', 'The Greens', '{}')",
    "INSERT INTO sync_campaign (proca_id, name, given) VALUES (3, 'forest', '{}')",
    """
    INSERT INTO sync_supporter (id, email, first_name, last_name, phone, postcode, country, area, language, extra,
                                contact_refs, other_emails, details_given_at, first_action_at, last_action_at,
                                action_count, search_key, created_at, updated_at)
    SELECT n, 'person' || n || '@example.org', 'Anne', 'Martin' || n, '+33612345678', '69001', 'FR', 'FR', 'fr', '{}',
           json_build_array('ref' || n), '[]', now(), now(), now(), 1, 'martin' || n || ' anne', now(),
           now() - n * interval '1 second'
      FROM generate_series(1, %s) AS n
    """,
    """
    INSERT INTO sync_contact (email, ref, supporter_id, home, said, marked)
    SELECT 'person' || n || '@example.org', 'ref' || n, n, n, '{}', false FROM generate_series(1, %s) AS n
    """,
    """
    INSERT INTO sync_subscription (supporter_id, org_id, status, email, status_changed_at, source, updated_at)
    SELECT n, 7, 'subscribed', 'person' || n || '@example.org', now(), 'proca', now()
      FROM generate_series(1, %s) AS n
    """,
    """
    INSERT INTO sync_action (action_id, supporter_id, campaign_id, org_id, action_type, stage, testing, created_at,
                             custom_fields, with_consent, opt_in, said)
    SELECT n, n, 1, 7, 'register', 'deliver', false, now(), '{"comment":"for our children"}', true, true, '{}'
      FROM generate_series(1, %s) AS n
    """,
    """
    INSERT INTO sync_change (kind, object, object_id, occurred_at, data, origin)
    SELECT 'supporter.changed', 'supporter', n, now(), '{}', '' FROM generate_series(1, %s) AS n
    """,
    "SELECT setval(pg_get_serial_sequence('sync_supporter', 'id'), %s)",
    "VACUUM ANALYZE",
)


def main() -> list[dict[str, Any]]:
    """Fills a database and asks for what integrations ask most."""
    with copy_of_template("postgresql") as database:
        _fill(database)
        project = Project(database, environment_for_tests() | {"DATABASE_URL": database.url})
        tokens = {scope: _token(project, scope) for scope in ("read", "ingest")}
        with served(project) as server:
            return list(_rows(server, tokens))


def _fill(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("SET synchronous_commit = off")
        for statement in _FILL:
            connection.execute(statement, (PEOPLE,) if "%s" in statement else ())


def _token(project: Project, scope: str) -> str:
    return project.manage("create_token", scope, "--scope", scope, "--org", "7").stdout.strip()


def _rows(server: Server, tokens: dict[str, str]) -> Any:
    read, ingest = tokens["read"], tokens["ingest"]
    cursor = _page_in_the_middle(server, read)
    some = random.Random(7)

    def person() -> int:
        return some.randint(1, PEOPLE)

    yield _measure(server, "healthz", read, lambda: ("GET", "/healthz", b""))
    yield _measure(server, "supporters, 100 rows", read, lambda: ("GET", "/api/v1/supporters/", b""))
    yield _measure(server, "supporters, 100 rows, half way", read, lambda: ("GET", cursor, b""))
    yield _measure(
        server,
        "supporter by email",
        read,
        lambda: ("GET", f"/api/v1/supporters/?email=person{person()}@example.org", b""),
    )
    yield _measure(server, "supporter by id", read, lambda: ("GET", f"/api/v1/supporters/{person()}/", b""))
    yield _measure(server, "changes, 100", read, lambda: ("GET", f"/api/v1/changes/?after={person()}", b""))
    yield _measure(server, "lookup", ingest, lambda: ("POST", "/api/v1/proca/lookup/", _question(person())))
    yield _measure(server, "ingest of 1,000", ingest, _thousand_new(), clients=1)


def _page_in_the_middle(server: Server, token: str) -> str:
    with server.client(token) as client:
        import base64

        half = base64.urlsafe_b64encode(f">{PEOPLE // 2}".encode()).decode().rstrip("=")
        assert client.get(f"/api/v1/supporters/?cursor={half}").json()["results"][0]["id"] == PEOPLE // 2 + 1
    return f"/api/v1/supporters/?cursor={half}"


def _question(number: int) -> bytes:
    return json.dumps({"email": f"person{number}@example.org", "contactRef": f"ref{number}"}).encode()


def _thousand_new() -> Callable[[], tuple[str, str, bytes]]:
    count = iter(range(10_000_000, 99_000_000, 1_000))

    def ask() -> tuple[str, str, bytes]:
        first = next(count)
        messages = [
            an_action(actionId=number, contact={"email": f"new{number}@example.org", "contactRef": f"new{number}"})
            for number in range(first, first + 1_000)
        ]
        return "POST", "/api/v1/proca/messages/", wire(messages)

    return ask


def _measure(
    server: Server, what: str, token: str, ask: Callable[[], tuple[str, str, bytes]], *, clients: int = CLIENTS
) -> dict[str, Any]:
    """Ask over and over, each client on a connection of its own."""
    with ThreadPoolExecutor(clients) as pool:
        started = time.monotonic()
        times = [one for taken in pool.map(lambda _: _ask(server, token, ask), range(clients)) for one in taken]
        seconds = time.monotonic() - started
    cuts = statistics.quantiles(times, n=100) if len(times) > 1 else [times[0]] * 99
    return {
        "request": what,
        "clients": clients,
        "requests": len(times),
        "a second": len(times) / seconds,
        "p50 ms": cuts[49] * 1000,
        "p99 ms": cuts[98] * 1000,
    }


def _ask(server: Server, token: str, ask: Callable[[], tuple[str, str, bytes]]) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    times, until = [], time.monotonic() + SECONDS
    while time.monotonic() < until or not times:
        method, path, body = ask()
        started = time.monotonic()
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        times.append(time.monotonic() - started)
        assert answer.status == 200, answer.status
    connection.close()
    return times
