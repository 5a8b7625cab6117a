"""Proca's own ways in: messages as its server delivers them by HTTP, and its question what we know of somebody."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, ClassVar

import msgspec
import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from rest_framework.request import Request
from rest_framework.response import Response

from sync.access.tokens import Scope
from sync.api import shapes
from sync.api.auth import FromProca
from sync.api.endpoint import JSON, Endpoint, length
from sync.api.problems import LENGTH_REQUIRED, UNAVAILABLE, Problem, invalid
from sync.intake.keys import load_keys
from sync.intake.sources import GivenUp, NotKept, Raw
from sync.intake.take import take
from sync.proca.encryption import KeyStore
from sync.read.lookup import is_subscribed
from sync.store.errors import Away, told_apart
from sync.terms import Verdict, to_instant

log = structlog.get_logger(__name__)

#: How messages that came this way are counted and, if need be, kept.
QUEUE = "http"
_MOST = 1000
_array = msgspec.json.Decoder(list[msgspec.Raw])
_WORDS = {
    Verdict.STORED: "stored",
    Verdict.UPDATED: "updated",
    Verdict.DUPLICATE: "duplicate",
    Verdict.EVENT: "event",
    Verdict.QUARANTINED: "quarantined",
}


class FromTheServer(Endpoint):
    """What Proca's server calls. It counts anything but 200 as a failure and comes again, so it is never throttled."""

    authentication_classes = (FromProca,)
    scopes: ClassVar[dict[str, Scope]] = {"POST": Scope.INGEST}
    is_throttled = False

    @property
    def org(self) -> int:
        """Return whose messages these are: an ingest token has an organisation."""
        if self.who.org is None:
            raise Problem(UNAVAILABLE, "This token has no organisation: make another one")
        return self.who.org


class Messages(FromTheServer):
    """One message, or an array of up to 1000, exactly as on the queue. 200 once all are committed or in quarantine."""

    operation = "proca_messages"
    requests: ClassVar[dict[str, Any]] = {"POST": OpenApiTypes.ANY}
    answers: ClassVar[dict[str, Any]] = {"POST": {(200, JSON): shapes.ResultsShape}}
    statuses: ClassVar[dict[str, tuple[int, ...]]] = {"POST": (411,)}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what does not say how long it is, before it is read."""
        super().initial(request, *args, **kwargs)
        if "CONTENT_LENGTH" not in request.META or request.META.get("HTTP_TRANSFER_ENCODING"):
            raise Problem(LENGTH_REQUIRED, "Send Content-Length")

    def post(self, request: Request) -> Response:
        """Take them in."""
        # Whatever its content type says: Proca's server and tools say different things.
        bodies = _messages(request._request.body)
        headers = {"content_type": (request.content_type or "")[:200]}
        raws = [Raw(body=body, queue=QUEUE, reader=self.org, headers=headers) for body in bodies]
        try:
            results = take(raws, keys(settings.PROCA_KEYS), now=to_instant(timezone.now()))
        except NotKept:
            log.error("message_not_kept", queue=QUEUE)  # noqa: TRY400 - the traceback may quote the message
            raise Problem(UNAVAILABLE, "A message can be neither stored nor put in quarantine") from None
        words = [{"result": _WORDS[result]} for result in results if not isinstance(result, GivenUp)]
        return Response({"results": words})


class Lookup(FromTheServer):
    """What we know of somebody before their action is delivered: whether they are subscribed, and nothing else.

    Always 200: any other answer holds the person's action back at Proca.
    """

    operation = "proca_lookup"
    requests: ClassVar[dict[str, Any]] = {"POST": OpenApiTypes.OBJECT}
    answers: ClassVar[dict[str, Any]] = {"POST": {(200, JSON): OpenApiTypes.OBJECT}}

    def handle_exception(self, exc: Exception) -> Any:
        """While the database is away, nobody is known: neither the person nor the token."""
        if isinstance(exc, Away | DatabaseError | InterfaceError):
            return Response({})
        return super().handle_exception(exc)

    def post(self, request: Request) -> Response:
        """Answer about one person."""
        email, ref = _asked(request._request.body) if length(request) else ("", "")
        with told_apart():
            known = is_subscribed(self.org, email, ref)
        return Response({"action": {"customFields": {"isSubscribed": True}}} if known else {})


def _messages(body: bytes) -> list[bytes]:
    """Return the messages in a body, each as it is written. What is no array is one message, whatever it is."""
    if not body.lstrip(b" \t\r\n").startswith(b"["):
        return [body]
    try:
        found = [bytes(one) for one in _array.decode(body)]
    except (msgspec.MsgspecError, RecursionError):
        return [body]
    if len(found) > _MOST:
        raise invalid({"body": [f"at most {_MOST} messages at a time"]})
    return found


def _asked(body: bytes) -> tuple[str, str]:
    """Return email and contactRef of a question; a question that is none asks about nobody."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(content, dict):
        return "", ""
    email, ref = content.get("email"), content.get("contactRef")
    return (email if isinstance(email, str) else ""), (ref if isinstance(ref, str) else "")


@cache
def keys(_setting: str) -> KeyStore:
    """Read once: opening a box is much quicker with a key store that has seen its sender."""
    return load_keys()
