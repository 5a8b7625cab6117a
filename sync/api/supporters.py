"""People: the list, the search that leaves no address in a log, single ones."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from sync.access import audit
from sync.access.tokens import Scope
from sync.api import shapes
from sync.api.asking import answered
from sync.api.bodies import text_of, told
from sync.api.endpoint import JSON, READ_ONLY, Endpoint, refuse_if_changed, with_etag
from sync.api.lists import list_of, one_of
from sync.api.paging import page
from sync.api.problems import invalid
from sync.api.resources import SUPPORTERS
from sync.api.whereabouts import survivor
from sync.store import asked
from sync.terms import DETAILS

#: What a key in a body may be.
_KEYS = ("email", "contact_ref")
_EDITABLE = ("email", *DETAILS)


class Supporters(list_of(SUPPORTERS)):  # type: ignore[misc]
    """All supporters that fit the filters, in the order of their ids."""

    def own(self, questions: dict[str, str]) -> dict[str, str]:
        """Let a token of one organisation ask of its own subscriptions only."""
        if self.who.org is None or not {"status", "org"} & set(questions):
            return questions
        # Nobody is subscribed at the organisation 0.
        asked = questions.get("org", str(self.who.org))
        return questions | {"org": asked if asked == str(self.who.org) else str(2**63 - 1)}


class Search(Endpoint):
    """Who has a key. Like the list, with the key in the body, so that it stands in no log."""

    operation = "supporters_search"
    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.READ}
    requests: ClassVar[dict[str, Any]] = {"POST": shapes.KeyIn}
    answers: ClassVar[dict[str, Any]] = {"POST": {(200, JSON): shapes.page_of(shapes.SupporterShape)}}

    def post(self, request: Request) -> Response:
        """Return those who have the key: one, or several who share an email."""
        given = told(request, _KEYS)
        if len(given) != 1:
            raise invalid({"email": ["either email or contact_ref"]})
        questions = {name: text_of(given, name) for name in given}
        found = page(request, SUPPORTERS.rows(self.who, questions), SUPPORTERS.paths)
        return Response({"next": None, "previous": None, "results": [SUPPORTERS.record(row) for row in found.rows]})


class One(one_of(SUPPORTERS)):  # type: ignore[misc]
    """One supporter. The id of somebody merged leads to who has the contacts now; of somebody erased, nowhere."""

    scopes: ClassVar[dict[str, Scope]] = {**READ_ONLY, "PATCH": Scope.WRITE, "DELETE": Scope.ADMIN}
    requests: ClassVar[dict[str, Any]] = {"PATCH": shapes.Details}
    answers: ClassVar[dict[str, Any]] = {
        "GET": {(200, JSON): shapes.SupporterShape, 301: None, 304: None},
        "PATCH": {(200, JSON): shapes.SupporterShape},
        "DELETE": {204: None},
    }
    statuses: ClassVar[dict[str, tuple[int, ...]]] = {"GET": (410,), "PATCH": (409, 410, 412), "DELETE": (410,)}

    def get(self, request: Request, id: int) -> HttpResponseBase:  # noqa: A002 - the name in the address
        """Return the person with their revision."""
        now = survivor(id)
        if now != id:
            return moved(request, id, now)
        return with_etag(request, self.read(id))

    def patch(self, request: Request, id: int) -> Response:  # noqa: A002 - the name in the address
        """Edit details. What is not named stays; null clears, but an email can only be replaced."""
        now = survivor(id)
        changes = told(request, _EDITABLE)
        seen = self.read(now)
        refuse_if_changed(request, seen)
        # A revision that the client named holds until the moment of writing, not only until here.
        holds = {name: seen[name] for name in changes} if "HTTP_IF_MATCH" in request.META else None
        with answered():
            changed = asked.edit(now, changes, postcode_seen=seen["postcode"] or "", seen=holds)
        if changed:
            audit.record(self.who.name, "edited", "supporter", now, ", ".join(sorted(changes)))
        return with_etag(request, self.read(survivor(now)))

    def delete(self, request: Request, id: int) -> Response:  # noqa: A002 - the name in the address
        """Erase the person, and remember to."""
        now = survivor(id)
        refuse_if_changed(request, self.read(now))
        with answered():
            asked.erase(supporter=now)
        audit.record(self.who.name, "erased", "supporter", now)
        return Response(status=204)


def moved(request: Request, former: int, now: int) -> HttpResponseBase:
    """Lead to the same address of who has the contacts now."""
    path = request.get_full_path().replace(f"/supporters/{former}/", f"/supporters/{now}/", 1)
    return HttpResponsePermanentRedirect(request.build_absolute_uri(path))
