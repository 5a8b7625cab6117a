"""Subscriptions and the consent ledger: read, and reported back by CRMs."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import Http404
from rest_framework.request import Request
from rest_framework.response import Response

from sync.access import audit
from sync.access.tokens import Scope
from sync.api import shapes
from sync.api.asking import answered
from sync.api.bodies import number_of, text_of, time_of, told, word_of
from sync.api.endpoint import JSON, READ_ONLY, refuse_if_changed, with_etag
from sync.api.lists import list_of, one_of
from sync.api.problems import invalid
from sync.api.resources import CONSENTS, SUBSCRIPTIONS
from sync.read.records import Record
from sync.rules.identity import email_key
from sync.store import asked
from sync.store.asked import Said
from sync.terms import ConsentKind, Instant, Source, Status, to_datetime

_REPORTED = tuple(map(str, (Status.UNSUBSCRIBED, Status.SUBSCRIBED, Status.BOUNCED)))
_KINDS = tuple(map(str, ConsentKind))
_WHOM = ("supporter", "email", "contact_ref")

Subscriptions = list_of(SUBSCRIPTIONS)


class SubscriptionOne(one_of(SUBSCRIPTIONS)):  # type: ignore[misc]
    """One subscription. PATCH is how a CRM reports back; the answer shows the status that holds then."""

    scopes: ClassVar[dict[str, Scope]] = {**READ_ONLY, "PATCH": Scope.WRITE}
    requests: ClassVar[dict[str, Any]] = {"PATCH": shapes.StatusIn}
    answers: ClassVar[dict[str, Any]] = {
        "GET": {(200, JSON): shapes.SubscriptionShape, 304: None},
        "PATCH": {(200, JSON): shapes.SubscriptionShape},
    }
    statuses: ClassVar[dict[str, tuple[int, ...]]] = {"PATCH": (410, 412)}

    def patch(self, request: Request, id: int) -> Response:  # noqa: A002 - the name in the address
        """Add what was reported to the ledger."""
        refuse_if_changed(request, self.read(id))
        content = told(request, ("status", "occurred_at", "reason"), missing=("status",))
        status = word_of(content, "status", _REPORTED)
        reason = text_of(content, "reason") if content.get("reason") is not None else ""
        at = time_of(content, "occurred_at")
        with answered():
            added = asked.set_status(id, status, said=Said(source=Source.API, note=reason), at=at)
        if added.is_new:
            audit.record(self.who.name, f"reported {status}", "subscription", id)
        return with_etag(request, self.read(id))


class Consents(list_of(CONSENTS)):  # type: ignore[misc]
    """The consent ledger, in the order of the entries' ids."""

    scopes: ClassVar[dict[str, Scope]] = {**READ_ONLY, "POST": Scope.WRITE}
    requests: ClassVar[dict[str, Any]] = {"POST": shapes.ConsentIn}
    statuses: ClassVar[dict[str, tuple[int, ...]]] = {"POST": (410,)}

    def post(self, request: Request) -> Response:
        """Add an entry: 201, and 200 for one that is there already."""
        content = told(request, (*_WHOM, "org", "kind", "occurred_at", "reason"), missing=("kind",))
        kind = word_of(content, "kind", _KINDS)
        whom = _whom(content)
        org = self._org(content)
        at = time_of(content, "occurred_at")
        reason = text_of(content, "reason") if content.get("reason") is not None else ""
        with answered(subject=next(iter(whom))):
            added = asked.add_consent(org=org, kind=kind, said=Said(source=Source.API, note=reason), at=at, **whom)
        if added.is_new:
            audit.record(self.who.name, f"added {kind}", "consent", added.consent)
        entry = None if added.consent is None else CONSENTS.get(self.who, added.consent)
        return Response(entry or _waiting(whom, org, kind, at, reason), 201 if added.is_new else 200)

    def _org(self, content: dict[str, Any]) -> int | None:
        """Return the organisation it speaks for: a token's own, where it has one, and no other."""
        org = number_of(content, "org")
        if not self.who.sees(org):
            raise Http404
        return self.who.org if org is None else org


Consents.answers = {
    **Consents.answers,
    "POST": {(201, JSON): shapes.AddedConsent, (200, JSON): shapes.AddedConsent},
}


def _whom(content: dict[str, Any]) -> dict[str, Any]:
    """Return whom an entry speaks of: an id, a contactRef or an email, which may come along as the address."""
    given: dict[str, Any] = {
        "supporter": number_of(content, "supporter"),
        "contact_ref": None if content.get("contact_ref") is None else text_of(content, "contact_ref"),
        "email": None if content.get("email") is None else text_of(content, "email"),
    }
    named = {name: value for name, value in given.items() if value is not None}
    if not named or {"supporter", "contact_ref"} <= set(named):
        raise invalid({"supporter": ["one of supporter, email and contact_ref is needed"]})
    return named


def _waiting(whom: dict[str, Any], org: int | None, kind: str, at: Instant, reason: str) -> Record:
    """Return an entry that shows at nobody: it waits for who has the key, or was said before an erasure."""
    return CONSENTS.record(
        {
            "kind": kind,
            "org_id": org,
            "occurred_at": to_datetime(at),
            "email": email_key(whom.get("email")) or None,
            "source": str(Source.API),
            "note": reason or None,
        }.get(path)
        for path in CONSENTS.kind.fields.values()
    )
