"""A receiver of signed webhooks. It checks, by the official library:

- `webhook-id`, `webhook-timestamp`, `webhook-signature` are there and right for the very bytes sent
  (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, "Signature scheme");
- the body is `{type, timestamp, data}` ("Payload structure");
- a repeated `webhook-id` holds the same event ("Idempotency"): it is not applied twice.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from standardwebhooks import Webhook

from tests.fakes.server import Call, Reply, Server

SECRET = "whsec_" + base64.b64encode(b"a secret of a receiver, for tests").decode()


class Receiver(Server):
    """Keeps people as told: by supporter id, with their subscription and actions."""

    def __init__(self) -> None:
        super().__init__(self._take)
        self.people: dict[int, dict[str, Any]] = {}
        self.actions: dict[int, dict[str, Any]] = {}
        self.erased: list[int] = []
        self.events: list[tuple[str, dict[str, Any]]] = []
        self._seen: dict[str, bytes] = {}

    def _take(self, call: Call) -> Reply:
        body = Webhook(SECRET).verify(call.body, dict(call.headers))
        if set(body) != {"type", "timestamp", "data"}:
            self.violation("payload structure")
        message_id = call.headers["webhook-id"]
        if message_id not in self._seen:
            self._apply(body["type"], body["data"])
        self._seen[message_id] = call.body
        return Reply(204)

    def _apply(self, kind: str, said: dict[str, Any]) -> None:
        self.events.append((kind, said))
        if kind == "supporter.changed":
            for former in said["merged_ids"]:
                self.people.pop(former, None)
            self.people[said["supporter"]["id"]] = said
        elif kind == "action.recorded":
            if said["action"]["action_id"] in self.actions:
                self.violation("an action was told twice")
            self.actions[said["action"]["action_id"]] = said
        elif kind == "supporter.erased":
            for one in (said["supporter"], *said["merged_ids"]):
                self.people.pop(one, None)
            self.erased.append(said["supporter"])

    def statuses(self) -> dict[int, str | None]:
        """The last word on each person's mail."""
        return {who: said["subscription"] and said["subscription"]["status"] for who, said in self.people.items()}

    def types(self) -> list[str]:
        """What came, in order."""
        return [kind for kind, _ in self.events]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A running receiver."""
    one = Receiver()
    with one.running():
        yield one
