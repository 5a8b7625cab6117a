"""A client of the API, on both databases, and a way to fill them as Proca does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from sync.access.tokens import Scope, digest, issue
from sync.intake.sources import Raw
from sync.intake.take import take
from sync.proca.encryption import KeyStore
from sync.terms import Verdict
from tests.api.serving import Server, served
from tests.builders import wire
from tests.databases import copy_of_template
from tests.environment import environment_for_tests
from tests.project import Project

#: Well after every time in the builders' messages.
NOW = 1_800_000_000_000_000


class Api:
    """Speaks to the API with one token, as JSON; answers are Django's test responses."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.client = Client(headers={"authorization": f"Bearer {token}"} if token else {})

    def get(self, path: str, /, *, headers: dict[str, str] | None = None, **query: Any) -> Any:
        return self.client.get(f"/api/v1/{path}", query, headers=headers)

    def post(self, path: str, content: Any = None, *, headers: dict[str, str] | None = None) -> Any:
        return self._send(self.client.post, path, content, headers)

    def patch(self, path: str, content: Any, *, headers: dict[str, str] | None = None) -> Any:
        return self._send(self.client.patch, path, content, headers)

    def delete(self, path: str, *, headers: dict[str, str] | None = None) -> Any:
        return self.client.delete(f"/api/v1/{path}", headers=headers)

    def follow(self, address: str) -> Any:
        """GET an address as `next` gives it."""
        return self.client.get(address.removeprefix("http://testserver"))

    def results(self, path: str, **query: Any) -> list[dict[str, Any]]:
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.content
        found: list[dict[str, Any]] = answer.json()["results"]
        return found

    @staticmethod
    def _send(send: Callable[..., Any], path: str, content: Any, headers: dict[str, str] | None) -> Any:
        body = content if isinstance(content, bytes) else b"" if content is None else json.dumps(content).encode()
        return send(f"/api/v1/{path}", body, content_type="application/json", headers=headers)


@pytest.fixture
def api(store_database: Any) -> Callable[..., Api]:
    """`api("read")`, `api("write", org=7)`: a client with a token of these scopes; `api()` has none."""

    def with_scopes(*scopes: str, org: int | None = None) -> Api:
        if not scopes:
            return Api("")
        return Api(issue("test", map(Scope, scopes), org=org, actor="test")[1])

    return with_scopes


@pytest.fixture
def received(store_database: Any) -> Callable[..., list[Verdict]]:
    """`received(an_action(…), …, org=7)`: these messages were taken in."""

    def receive(*messages: Any, org: int = 7) -> list[Any]:
        raws = [
            Raw(body=message if isinstance(message, bytes) else wire(message), queue="cus.7.deliver", reader=org)
            for message in messages
        ]
        return list(take(raws, KeyStore.empty(), now=NOW))

    return receive


@pytest.fixture(scope="session")
def installed() -> Iterator[Project]:
    """The project on a PostgreSQL database for all trials of the server."""
    with copy_of_template("postgresql") as database:
        yield Project(database, environment_for_tests() | {"DATABASE_URL": database.url})


@pytest.fixture(scope="session")
def tokens(installed: Project) -> dict[str, str]:
    """A token of each kind, all of organisation 7."""

    # As the command writes them, which has trials of its own: a process for each would take seconds.
    texts = {scope: f"proca_trial-{scope}" for scope in ("read", "ingest", "write")}
    for scope, text in texts.items():
        row = ("trial", text[:12], digest(text), json.dumps([scope]))
        columns = "name, prefix, digest, scopes, org, created_at"
        installed.query(f"INSERT INTO sync_token ({columns}) VALUES (%s, %s, %s, %s, 7, now())", row)
    return texts


@pytest.fixture(scope="session")
def server(installed: Project) -> Iterator[Server]:
    """The README's server, with a low limit for bodies."""
    with served(installed, MAX_BODY_MB="8") as running:
        yield running


def anne(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A sign-up of somebody of their own, told apart by a number."""
    from tests.builders import an_action, changed

    message = an_action(
        actionId=number, contact={"email": f"anne{number}@example.org", "contactRef": f"ref{number:040d}"}
    )
    return changed(message, changes)
