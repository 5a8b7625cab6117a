"""Pigeon, the imaginary service of the worked example, as its module says. What it checks:

- every request has the key (`authorization: Bearer`), or gets 401;
- PUT takes `name` and `mail` and nothing else, or 400 `unknown_field`;
- somebody who left there is mailed again only by `mail: true`, said explicitly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from sync.connectors.contract import Request, Response


class Pigeon:
    """The service in memory."""

    settings: ClassVar = {"url": "https://pigeon.example.org/api", "key": "a-key-of-pigeon"}
    reads_bodies = True

    def __init__(self) -> None:
        self.subscribers: dict[str, dict[str, Any]] = {}
        self.refused: set[str] = set()

    @property
    def people(self) -> Mapping[str, str]:
        """Everybody there."""
        return {email: "subscribed" if one["mail"] else "other" for email, one in self.subscribers.items()}

    def stop(self, email: str, at: datetime) -> None:
        """Somebody leaves there."""
        self.subscribers[email] |= {"mail": False, "left_at": at.isoformat()}

    def refuse(self, email: str) -> None:
        """Take nothing about an address."""
        self.refused.add(email)

    def send(self, request: Request) -> Response:
        """Answer."""
        if request.headers.get("authorization") != "Bearer a-key-of-pigeon":
            return _json(401, {"message": "no"})
        path = unquote(urlsplit(request.url).path.removeprefix("/api/"))
        if path == "me":
            return _json(200, {"account": "test"})
        email = path.removeprefix("subscribers/")
        if email in self.refused:
            return _json(400, {"code": "bad_address", "message": f"{email} is no good"})
        return self._subscriber(request, email)

    def _subscriber(self, request: Request, email: str) -> Response:
        email = next((one for one, held in self.subscribers.items() if held["id"] == email), email)
        if request.method == "DELETE":
            return Response(status=204 if self.subscribers.pop(email, None) else 404)
        if request.method == "GET":
            held = self.subscribers.get(email)
            return _json(200, held) if held is not None else _json(404, {})
        return self._put(email, json.loads(request.content))

    def _put(self, email: str, body: dict[str, Any]) -> Response:
        if set(body) - {"name", "mail"}:
            return _json(400, {"code": "unknown_field"})
        held = self.subscribers.setdefault(
            email, {"id": f"p{len(self.subscribers) + 1}", "name": None, "mail": True, "left_at": None}
        )
        held |= body
        if held["mail"]:
            held["left_at"] = None
        return _json(200, held)


def _json(status: int, body: Any) -> Response:
    return Response(status=status, content=json.dumps(body).encode())
