"""Destinations: where changes go, how each stands, whether it works. Settings are for administrators' tokens."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from sync.access.tokens import Caller, Scope
from sync.api import push_shapes as shapes
from sync.api.bodies import told
from sync.api.endpoint import JSON, Endpoint, refuse_if_changed, with_etag
from sync.api.lists import PAGING
from sync.api.paging import page
from sync.api.problems import CONFLICT, Problem, invalid
from sync.api.shapes import page_of
from sync.api.whereabouts import survivor
from sync.models import Destination
from sync.push import audience, checking, destinations, explain, filling
from sync.push.registry import UnknownKind, connector
from sync.push.standing import in_words
from sync.read.records import Record, time_text

_WRITES: dict[str, Scope] = {
    "GET": Scope.READ,
    "HEAD": Scope.READ,
    "POST": Scope.ADMIN,
    "PATCH": Scope.ADMIN,
    "DELETE": Scope.ADMIN,
}
_PAGES = {name: one for name, one in PAGING.items() if name != "format"}
_LARGEST_ID = 2**63 - 1


def visible(who: Caller) -> QuerySet[Destination]:
    """Return the destinations that a token sees."""
    rows = Destination.objects.select_related("standing")
    return rows if who.org is None else rows.filter(org_id=who.org)


def found(who: Caller, pk: int) -> Destination:
    """Return a destination, or answer 404."""
    one = visible(who).filter(pk=pk).first() if pk <= _LARGEST_ID else None
    if one is None:
        raise Http404
    return one


def record(destination: Destination, who: Caller) -> Record:
    """Return a destination as it is shown."""
    return {
        "id": destination.pk,
        "name": destination.name,
        "kind": destination.kind,
        "org": destination.org_id,
        "state": destination.standing.state,
        "state_reason": in_words(destination.standing) or None,
        "settings": _settings(destination) if who.may(Scope.ADMIN) else None,
        "audience": {**audience.DEFAULT, **destination.audience},
        "testing": destination.testing,
        "actions": destination.actions,
        "consent_source": destination.consent_source,
        "on_bounce": destination.on_bounce,
        "mapping": destination.mapping,
        "tags": destination.tags,
        "language": destination.language,
        "batch_size": destination.batch_size,
        "rate_limit": destination.rate_limit,
    }


def _settings(destination: Destination) -> Record:
    try:
        return destinations.shown_settings(destination, connector(destination.kind))
    except UnknownKind:
        return dict(destination.settings)


class Destinations(Endpoint):
    """All destinations; POST makes another one, paused unless `state` says otherwise."""

    operation = "destinations_list"
    scopes: ClassVar[dict[str, Scope]] = _WRITES
    parameters: ClassVar[dict[str, Any]] = _PAGES
    requests: ClassVar[dict[str, Any]] = {"POST": shapes.DestinationIn}
    answers: ClassVar[dict[str, Any]] = {
        "GET": {(200, JSON): page_of(shapes.DestinationShape)},
        "POST": {(201, JSON): shapes.DestinationShape},
    }

    def get(self, request: Request) -> Response:
        """Return a page."""
        self.questions(request)
        rows = visible(self.who)
        shown = page(request, rows, ["pk"])
        by_id = {one.pk: one for one in rows.filter(pk__in=[row[0] for row in shown.rows])}
        results = [record(by_id[row[0]], self.who) for row in shown.rows]
        return Response({"next": shown.next, "previous": shown.previous, "results": results})

    def post(self, request: Request) -> Response:
        """Make one."""
        values = told(request, destinations.FIELDS, missing=("name", "kind"))
        if self.who.org is not None and values.setdefault("org", self.who.org) != self.who.org:
            raise invalid({"org": ["another organisation than the token's"]})
        try:
            made = destinations.create(values, self.who.name)
        except destinations.Invalid as error:
            raise _problem(error) from None
        return Response(record(found(self.who, made.pk), self.who), 201)


class DestinationOne(Endpoint):
    """One destination."""

    operation = "destinations"
    scopes: ClassVar[dict[str, Scope]] = _WRITES
    requests: ClassVar[dict[str, Any]] = {"PATCH": shapes.DestinationIn}
    answers: ClassVar[dict[str, Any]] = {
        "GET": {(200, JSON): shapes.DestinationShape, 304: None},
        "PATCH": {(200, JSON): shapes.DestinationShape},
        "DELETE": {204: None},
    }
    statuses: ClassVar[dict[str, tuple[int, ...]]] = {"PATCH": (409, 412)}

    def get(self, request: Request, id: int) -> Response:  # noqa: A002 - the name in the address
        """Return it with its revision."""
        return with_etag(request, record(found(self.who, id), self.who))

    def patch(self, request: Request, id: int) -> Response:  # noqa: A002 - the name in the address
        """Change what is given, and nothing else. A change of its place needs its secrets again."""
        one = found(self.who, id)
        refuse_if_changed(request, record(one, self.who))
        values = told(request, destinations.FIELDS)
        if self.who.org is not None and values.get("org", self.who.org) != self.who.org:
            raise invalid({"org": ["another organisation than the token's"]})
        try:
            destinations.change(one, values, self.who.name)
        except destinations.Invalid as error:
            raise _problem(error) from None
        except UnknownKind:
            raise Problem(CONFLICT, "No connector of this kind is installed") from None
        return with_etag(request, record(found(self.who, id), self.who))

    def delete(self, _request: Request, id: int) -> Response:  # noqa: A002 - the name in the address
        """Delete it; what the CRM holds stays there."""
        destinations.remove(found(self.who, id), self.who.name)
        return Response(status=204)


def _problem(error: destinations.Invalid) -> Problem:
    return invalid({name[:100]: [words] for name, words in error.errors.items()})


class Test(Endpoint):
    """Whether it works: answered in our words and with the status code, never with the CRM's body."""

    operation = "destinations_test"
    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.ADMIN}
    requests: ClassVar[dict[str, Any]] = {"POST": OpenApiTypes.OBJECT}
    answers: ClassVar[dict[str, Any]] = {"POST": {(200, JSON): shapes.CheckShape}}

    def post(self, _request: Request, id: int) -> Response:  # noqa: A002 - the name in the address
        """Ask the CRM."""
        try:
            return Response(checking.as_record(checking.check(found(self.who, id))))
        except UnknownKind:
            raise Problem(CONFLICT, "No connector of this kind is installed") from None


class Resync(Endpoint):
    """Sends the state of everybody again, beside the daily flow; GET says how far it is."""

    operation = "destinations_resync"
    scopes: ClassVar[dict[str, Scope]] = _WRITES
    requests: ClassVar[dict[str, Any]] = {"POST": OpenApiTypes.OBJECT}
    answers: ClassVar[dict[str, Any]] = {
        "GET": {(200, JSON): shapes.ProgressShape},
        "POST": {(202, JSON): shapes.ProgressShape},
    }

    def get(self, _request: Request, id: int) -> Response:  # noqa: A002 - the name in the address
        """Say how far it is."""
        return Response(_progress(found(self.who, id)))

    def post(self, _request: Request, id: int) -> Response:  # noqa: A002 - the name in the address
        """Begin."""
        destinations.resync(found(self.who, id), self.who.name)
        return Response(_progress(found(self.who, id)), 202)


def _progress(destination: Destination) -> Record:
    progress = filling.progress(destination.standing)
    if progress is None:
        return {"running": False, "done": None, "total": None}
    return {"running": True, "done": progress.done, "total": progress.total}


class OfSupporter(Endpoint):
    """For each destination whether it was told of a person, when, and why not."""

    operation = "supporters_destinations"
    answers: ClassVar[dict[str, Any]] = {"GET": {(200, JSON): shapes.ToldListShape}}
    statuses: ClassVar[dict[str, tuple[int, ...]]] = {"GET": (410,)}

    def get(self, _request: Request, id: int) -> Response:  # noqa: A002 - the name in the address
        """Tell of each."""
        told_of = explain.of_supporter(survivor(id), visible(self.who).order_by("pk"))
        return Response({"results": [_told(one) for one in told_of]})


def _told(one: explain.Told) -> Record:
    return {
        "destination": one.destination.pk,
        "name": one.destination.name,
        "told": one.told,
        "told_at": None if one.at is None else time_text(one.at),
        "status": one.status,
        "why_not": one.why or None,
    }
