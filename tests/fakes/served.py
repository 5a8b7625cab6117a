"""A CRM in memory behind a real HTTP server, for trials of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from sync.connectors.contract import Request
from tests.fakes.server import Call, Reply, Server


class Served(Server):
    """Hands every call on to a fake, as if it had come to the vendor's own address."""

    def __init__(self, fake: Any, vendor: str) -> None:
        super().__init__(self._pass_on)
        self.fake, self._vendor = fake, vendor

    def _pass_on(self, call: Call) -> Reply:
        query = "?" + urlencode(call.query) if call.query else ""
        url = self._vendor + call.path + query
        request = Request(method=call.method, url=url, headers=call.headers, content=call.body)
        try:
            answer = self.fake.send(request)
        except AssertionError as broken:
            self.violation(f"{call.method} {call.path}: {broken}")
            return Reply(500, "a rule was broken")
        return Reply(answer.status, answer.content, dict(answer.headers))


@contextmanager
def served(fake: Any, vendor: str) -> Iterator[Served]:
    """A running CRM."""
    one = Served(fake, vendor)
    with one.running():
        yield one
