"""Messages that could not be stored: why, and once more."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.http import Http404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from sync.access import audit
from sync.access.tokens import Scope
from sync.api import shapes
from sync.api.endpoint import JSON, Endpoint
from sync.api.ingest import keys
from sync.api.lists import Resource, list_of, one_of
from sync.intake.retry import retry
from sync.intake.sources import NotKept
from sync.models import QuarantinedMessage
from sync.read.records import Kind
from sync.terms import to_instant

_NAMES = (
    *("id", "code", "where", "queue", "reader", "attempts"),
    *("received_at", "last_attempt_at", "not_before"),
)
QUARANTINE = Resource(
    Kind("quarantine", QuarantinedMessage, dict(zip(_NAMES, _NAMES, strict=True)), {}), shapes.QuarantinedShape, {}
)
_SCOPES = {"GET": Scope.ADMIN, "HEAD": Scope.ADMIN}


class Quarantine(list_of(QUARANTINE)):  # type: ignore[misc]
    """Messages that could not be stored, without what they say."""

    scopes: ClassVar[dict[str, Scope]] = _SCOPES


class QuarantineOne(one_of(QUARANTINE)):  # type: ignore[misc]
    """One of them, without what it says."""

    scopes: ClassVar[dict[str, Scope]] = _SCOPES


class Retry(Endpoint):
    """Tries to store a message once more."""

    operation = "quarantine_retry"
    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.ADMIN}
    answers: ClassVar[dict[str, Any]] = {"POST": {(200, JSON): shapes.RetriedShape}}

    def post(self, _request: Request, id: int) -> Response:  # noqa: A002 - the name in the address
        """Say whether it worked."""
        if QUARANTINE.get(self.who, id) is None:
            raise Http404
        try:
            done = retry([id], keys(settings.PROCA_KEYS), now=to_instant(timezone.now()))
        except NotKept:
            return Response({"stored": False})
        audit.record(self.who.name, "retried", "quarantined message", id)
        return Response({"stored": bool(done.stored)})
