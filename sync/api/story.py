"""A person's story, and everything that is held of them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from sync.access import audit
from sync.access.tokens import Scope
from sync.api import shapes
from sync.api.endpoint import JSON, Endpoint, Parameter
from sync.api.lists import PAGING, Resource
from sync.api.paging import DEFAULT_SIZE, LARGEST_SIZE
from sync.api.problems import invalid
from sync.api.resources import ACTIONS, CONSENTS
from sync.api.supporters import moved
from sync.api.whereabouts import survivor
from sync.read.records import time_text
from sync.read.subject import everything_about
from sync.read.timeline import Event, Kind, timeline

_RECORDS: dict[str, Resource] = {Kind.ACTION: ACTIONS, Kind.CONSENT: CONSENTS}


class Timeline(Endpoint):
    """What happened to a person, the newest first."""

    operation = "supporters_timeline"
    parameters: ClassVar[dict[str, Parameter]] = {name: PAGING[name] for name in ("cursor", "page_size")}
    answers: ClassVar[dict[str, Any]] = {"GET": {(200, JSON): shapes.page_of(shapes.EventShape)}}
    statuses: ClassVar[dict[str, tuple[int, ...]]] = {"GET": (410,)}

    def get(self, request: Request, id: int) -> HttpResponseBase:  # noqa: A002 - the name in the address
        """Return a page of it."""
        now = survivor(id)
        if now != id:
            return moved(request, id, now)
        try:
            page = timeline(id, before=request.query_params.get("cursor"), limit=_size(request))
        except ValueError:
            raise invalid({"cursor": ["take it from `next`"]}) from None
        events = [_event(event) for event in page.events if self._may_see(event)]
        return Response({"next": _next(request, page.older), "previous": None, "results": events})

    def _may_see(self, event: Event) -> bool:
        if event.kind is Kind.DELIVERY:
            return self.who.sees(event.row.destination.org_id)
        return event.kind is not Kind.CONSENT or self.who.sees(event.row.org_id)


class Export(Endpoint):
    """Everything held about a person, for the person."""

    operation = "supporters_export"
    scopes: ClassVar[dict[str, Scope]] = {"GET": Scope.ADMIN, "HEAD": Scope.ADMIN}
    answers: ClassVar[dict[str, Any]] = {"GET": {(200, JSON): OpenApiTypes.OBJECT}}
    statuses: ClassVar[dict[str, tuple[int, ...]]] = {"GET": (410,)}

    def get(self, request: Request, id: int) -> HttpResponseBase:  # noqa: A002 - the name in the address
        """Return all of it."""
        now = survivor(id)
        if now != id:
            return moved(request, id, now)
        content = everything_about(id, sees=self.who.sees)
        audit.record(self.who.name, "exported", "supporter", id)
        return Response(content)


def _event(event: Event) -> dict[str, Any]:
    return {"at": time_text(event.at), "kind": str(event.kind), "object": _object(event)}


def _object(event: Event) -> dict[str, Any]:
    resource = _RECORDS.get(event.kind)
    if resource is not None:
        return resource.record(getattr(event.row, path) for path in resource.kind.fields.values())
    if event.kind is Kind.MERGE:
        return {"id": event.row.pk, "into": event.row.into_id}
    told = event.row
    return {"id": told.pk, "destination": told.destination_id, "kind": told.kind, "action": told.action_id}


def _size(request: Request) -> int:
    text = request.query_params.get("page_size", str(DEFAULT_SIZE))
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= LARGEST_SIZE):
        raise invalid({"page_size": [f"a whole number from 1 to {LARGEST_SIZE}"]})
    return int(text)


def _next(request: Request, older: str | None) -> str | None:
    if older is None:
        return None
    query = request.query_params.copy()
    query["cursor"] = older
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
