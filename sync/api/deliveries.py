"""Deliveries: what became of what destinations were told, and once more what was refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from sync.access.tokens import Caller, Scope
from sync.api import push_shapes as shapes
from sync.api.endpoint import JSON, Endpoint
from sync.api.lists import Resource, list_of, number, one_of, word
from sync.api.problems import invalid
from sync.models import Delivery
from sync.push import destinations
from sync.read.people import survivor_of
from sync.read.records import Kind, Record

_KIND = Kind(
    "deliveries",
    Delivery,
    {
        "id": "id",
        "destination": "destination_id",
        "supporter": "supporter_id",
        "action": "action_id",
        "kind": "kind",
        "state": "state",
        "attempts": "attempts",
        "next_attempt_at": "due_at",
        "error": "error",
        "created_at": "created_at",
        "delivered_at": "delivered_at",
    },
    {},
)
_NUMBERS = ("destination", "supporter")
_LARGEST_ID = 2**63 - 1


def _own(who: Caller) -> Q:
    return Q() if who.org is None else Q(destination__org=who.org)


def _finish(record: Record) -> Record:
    return record | {"error": record["error"] or None}


class _Deliveries(Resource):
    """Deliveries have filters of their own."""

    def rows(self, who: Caller, questions: Mapping[str, str]) -> QuerySet[Any]:
        """Return the rows that fit."""
        rows = Delivery.objects.filter(self.visible(who))
        for name, text in questions.items():
            rows = rows.filter(**{f"{name}_id": _id(name, text)} if name in _NUMBERS else {name: _word(name, text)})
        return rows


def _id(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:20]) <= _LARGEST_ID:
        raise invalid({name: ["a whole number"]})
    number = int(text)
    return survivor_of(number) or number if name == "supporter" else number


_WORDS = {
    "state": ("waiting", "delivered", "rejected", "skipped"),
    "kind": ("person", "action", "erasure"),
}


def _word(name: str, text: str) -> str:
    if text not in _WORDS[name]:
        raise invalid({name: ["one of " + ", ".join(_WORDS[name])]})
    return text


DELIVERIES = _Deliveries(
    _KIND,
    shapes.DeliveryShape,
    {
        "destination": number("to whom"),
        "supporter": number("about whom; a former id works too"),
        "state": word("how it stands", _WORDS["state"]),
        "kind": word("what is told", _WORDS["kind"]),
    },
    visible=_own,
    finish=_finish,
)

Deliveries, DeliveryOne = list_of(DELIVERIES, streams=False), one_of(DELIVERIES)


class Retry(Endpoint):
    """Tries once more what was refused."""

    operation = "deliveries_retry"
    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.ADMIN}
    requests: ClassVar[dict[str, Any]] = {"POST": OpenApiTypes.OBJECT}
    answers: ClassVar[dict[str, Any]] = {"POST": {(200, JSON): shapes.RetriedDeliveryShape}}

    def post(self, _request: Request, id: int) -> Response:  # noqa: A002 - the name in the address
        """Queue it."""
        if DELIVERIES.get(self.who, id) is None:
            raise Http404
        return Response({"retried": bool(destinations.retry([id], self.who.name))})
