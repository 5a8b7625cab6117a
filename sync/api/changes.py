"""The change feed: what changed, in the order of the commits, and by waiting for it."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from django.db import connection
from rest_framework.request import Request
from rest_framework.response import Response

from sync.api import shapes
from sync.api.endpoint import JSON, Endpoint, Parameter
from sync.api.lists import Resource, word
from sync.api.problems import EXPIRED_CURSOR, UNKNOWN_CURSOR, Problem, invalid
from sync.api.resources import ACTION_PAGES, ACTIONS, CAMPAIGNS, CONSENTS, ORGS, SUBSCRIPTIONS, SUPPORTERS
from sync.api.waiting import CAN_WAIT, HOLD
from sync.changes import feed
from sync.changes.feed import Line, Lines
from sync.models import Consent
from sync.read.records import time_text

LARGEST_WAIT = 30
_DEFAULT_LIMIT, _LARGEST_LIMIT = 100, 1000
#: How often a server without a place to wait (runserver) looks again.
_PAUSE = 0.25
_WHOLE = re.compile(r"[0-9]{1,9}")
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")

_RESOURCES: dict[str, Resource] = {
    "supporter": SUPPORTERS,
    "action": ACTIONS,
    "subscription": SUBSCRIPTIONS,
    "consent": CONSENTS,
    "campaign": CAMPAIGNS,
    "page": ACTION_PAGES,
    "org": ORGS,
}


class Changes(Endpoint):
    """What changed after a cursor. With `wait`, answers as soon as there is something, or when the time is over."""

    operation = "changes"
    parameters: ClassVar[dict[str, Parameter]] = {
        "after": Parameter("`next_after` of the last answer; 0, or nothing, for the beginning"),
        "limit": Parameter(
            "how many at most",
            {"type": "integer", "minimum": 1, "maximum": _LARGEST_LIMIT, "default": _DEFAULT_LIMIT},
        ),
        "wait": Parameter(
            "how many seconds to wait for a change",
            {"type": "number", "minimum": 0, "maximum": LARGEST_WAIT, "default": 0},
        ),
        "kind": word("changes of this kind only", feed.KINDS),
        "expand": Parameter("1: each object as it is now", {"type": "integer", "enum": [0, 1], "default": 0}),
    }
    answers: ClassVar[dict[str, Any]] = {"GET": {(200, JSON): shapes.ChangesShape}}
    statuses: ClassVar[dict[str, tuple[int, ...]]] = {"GET": (409, 410)}

    def get(self, request: Request) -> Response:
        """Return the next changes."""
        asked = self.questions(request)
        limit = _number(asked, "limit", _DEFAULT_LIMIT, 1, _LARGEST_LIMIT)
        wait = _number(asked, "wait", 0, 0, LARGEST_WAIT)
        expand = bool(_number(asked, "expand", 0, 0, 1))
        kinds = [_kind(asked["kind"])] if "kind" in asked else []
        cursor = asked.get("after", feed.BEGINNING)
        newest = feed.newest_id()
        found, lines = self._read(cursor, int(limit), kinds)
        until = time.monotonic() + wait
        headers = {}
        if wait and not lines and found.is_last:
            if request.META.get(CAN_WAIT):
                headers[HOLD.decode()] = f"{newest} {wait}"
            else:
                found, lines = self._wait(found, lines, until, int(limit), kinds)
        results = [_shown(line) for line in lines]
        if expand:
            self._expand(results)
        return Response({"results": results, "next_after": found.next_after}, headers=headers)

    def _read(self, cursor: str, limit: int, kinds: Sequence[str]) -> tuple[Lines, list[Line]]:
        try:
            found = feed.after(cursor, limit=limit, kinds=kinds)
        except feed.BadCursor:
            raise invalid({"after": ["take it from `next_after`, or 0"]}) from None
        except feed.UnknownCursor as unknown:
            detail = "The database was restored, or is another one: read everything again, then go on after `newest`"
            raise Problem(UNKNOWN_CURSOR, detail, newest=unknown.newest) from None
        except feed.ExpiredCursor as expired:
            detail = "Read everything again (supporters/?format=ndjson and the other lists), then go on after `oldest`"
            raise Problem(EXPIRED_CURSOR, detail, oldest=expired.oldest) from None
        return found, self._visible(found.lines)

    def _wait(
        self, found: Lines, lines: list[Line], until: float, limit: int, kinds: Sequence[str]
    ) -> tuple[Lines, list[Line]]:
        """Wait here, in this request's thread, but without a connection."""
        while not lines and time.monotonic() < until:
            connection.close()
            time.sleep(min(_PAUSE, max(0.0, until - time.monotonic())))
            found, lines = self._read(found.next_after, limit, kinds)
        return found, lines

    def _visible(self, lines: Iterable[Line]) -> list[Line]:
        """Leave out what belongs to an organisation that the token does not see."""
        who = self.who
        if who.org is None:
            return list(lines)
        entries = [line.object_id for line in lines if line.object == "consent"]
        orgs = dict(Consent.objects.filter(pk__in=entries).values_list("pk", "org_id"))
        return [
            line
            for line in lines
            if who.sees(line.data.get("org"))
            and (line.object != "consent" or (line.object_id in orgs and who.sees(orgs[line.object_id])))
        ]

    def _expand(self, results: list[dict[str, Any]]) -> None:
        """Put each object in place of its kind: one query for each kind, whatever their number."""
        wanted: dict[str, set[int]] = defaultdict(set)
        for result in results:
            wanted[result["object"]].add(result["object_id"])
        found = {
            (name, record["id"]): record
            for name, ids in wanted.items()
            if (resource := _RESOURCES.get(name)) is not None
            for record in _records(resource, resource.visible(self.who), ids)
        }
        for result in results:
            result["object"] = found.get((result["object"], result["object_id"]))


def _records(resource: Resource, visible: Any, ids: set[int]) -> list[dict[str, Any]]:
    rows = resource.kind.model._default_manager.filter(visible, pk__in=ids).values_list(*resource.paths)
    return [resource.record(values) for values in rows]


def _shown(line: Line) -> dict[str, Any]:
    return {
        "id": line.id,
        "kind": line.kind,
        "object": line.object,
        "object_id": line.object_id,
        "occurred_at": time_text(line.occurred_at),
        "data": line.data,
    }


def _kind(text: str) -> str:
    if text not in feed.KINDS:
        raise invalid({"kind": ["one of " + ", ".join(feed.KINDS)]})
    return text


def _number(asked: dict[str, str], name: str, default: float, least: int, most: int) -> float:
    text = asked.get(name)
    if text is None:
        return default
    form = _DECIMAL if name == "wait" else _WHOLE
    if not form.fullmatch(text) or not least <= float(text) <= most:
        raise invalid({name: [f"a number from {least} to {most}"]})
    return float(text)
