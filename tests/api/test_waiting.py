"""Answers that must not be late, and forwarded headers that nobody vouches for."""

from __future__ import annotations

import asyncio
from typing import Any

from sync.api import waiting
from sync.api.waiting import Waiting
from tests.api.conftest import anne


def test_a_question_that_the_database_is_too_slow_for_is_answered_all_the_same(monkeypatch):
    monkeypatch.setattr(waiting, "_LOOKUP_SECONDS", 0.05)
    sent: list[Any] = []

    async def frozen(*_arguments: Any) -> None:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    for path in ("/api/v1/proca/lookup", "/api/v1/proca/lookup/"):
        scope = {"type": "http", "method": "POST", "path": path}
        asyncio.run(Waiting(frozen, ask=frozen)(scope, receive, send))

    starts, bodies = sent[::2], sent[1::2]
    assert [start["status"] for start in starts] == [200, 200]
    assert [dict(start["headers"])[b"content-type"] for start in starts] == [b"application/json"] * 2
    assert [body["body"] for body in bodies] == [b"{}"] * 2


def test_forwarded_headers_count_only_where_a_proxy_is_trusted(api, received, settings):
    received(anne(1), anne(2))
    reader = api("read")
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "crm.example.org"}

    plain = reader.get("supporters/", page_size=1, headers=headers).json()["next"]
    settings.ALLOWED_HOSTS = ["crm.example.org", "testserver"]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.USE_X_FORWARDED_HOST = True
    trusted = reader.get("supporters/", page_size=1, headers=headers).json()["next"]

    assert plain.startswith("http://testserver/api/v1/supporters/?")
    assert trusted.startswith("https://crm.example.org/api/v1/supporters/?")


def test_the_server_believes_no_forwarded_header_by_itself(server, tokens):
    with server.client(tokens["ingest"]) as client:
        client.post("/api/v1/proca/messages/", json=[anne(900), anne(901)])
    with server.client(tokens["read"]) as client:
        answer = client.get("/api/v1/supporters/?page_size=1", headers={"X-Forwarded-Proto": "https"})

    assert answer.json()["next"].startswith(server.address)
