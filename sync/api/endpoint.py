"""What every address of the API does before it answers: who asks, may they, how often, and is every parameter known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.conf import settings
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.permissions import BasePermission
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from sync.access.limits import Limit, Shares
from sync.access.tokens import Caller, Scope
from sync.api.auth import Bearer
from sync.api.problems import (
    CHANGED_MEANWHILE,
    NOT_AUTHENTICATED,
    TOO_LARGE,
    TOO_MANY_REQUESTS,
    Problem,
    answer,
    invalid,
)
from sync.api.schema import Schema
from sync.api.waiting import ASKED_AGAIN

#: Far above what an integration needs, and below what a loop gone wild would do to everybody else.
REQUESTS = Limit("requests", most=60_000, seconds=60, share=100)
_shares = Shares()


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter, for the document: what it is for and what it may be."""

    description: str
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "string"})


JSON = "application/json"
READ_ONLY: dict[str, Scope] = {"GET": Scope.READ, "HEAD": Scope.READ}


class Json(BaseRenderer):
    """JSON with every number exactly as it is kept."""

    media_type = JSON
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        """Return the bytes."""
        return b"" if data is None else as_json(data)


class AlwaysJson(BaseContentNegotiation):
    """There is one form, whatever the client would rather have; streams are asked for with `format`."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Take the parser of the content type, JSON where none is said."""
        kind = (request.content_type or JSON).partition(";")[0].strip().lower()
        return parsers[0] if kind == JSON or kind.endswith("+json") else None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        """Take the only one."""
        return renderers[0], JSON


class HasScope(BasePermission):
    """The token has the scope that the method needs."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Tell whether it may."""
        who = caller_of(request)
        needed = view.scopes.get(request.method)
        # A method without a scope is one that does not exist: 405, for everybody with a token.
        return who is not None and (needed is None or who.may(needed))


class Endpoint(APIView):
    """An address. `scopes` says what each method needs, `parameters` which query parameters GET takes."""

    authentication_classes = (Bearer,)
    permission_classes = (HasScope,)
    renderer_classes = (Json,)
    parser_classes = (JSONParser,)
    content_negotiation_class = AlwaysJson
    http_method_names = ("get", "head", "post", "patch", "delete")
    scopes: ClassVar[Mapping[str, Scope]] = READ_ONLY
    parameters: ClassVar[Mapping[str, Parameter]] = {}
    #: For the document: its name, bodies, answers by status, and statuses of problems beside those all have.
    operation: ClassVar[str] = ""
    requests: ClassVar[Mapping[str, Any]] = {}
    answers: ClassVar[Mapping[str, Mapping[Any, Any]]] = {}
    statuses: ClassVar[Mapping[str, tuple[int, ...]]] = {}
    schema = Schema()
    is_throttled: ClassVar[bool] = True

    def get_exception_handler(self) -> Any:
        """Return how errors are answered."""
        return answer

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what cannot be answered before anything is read."""
        super().initial(request, *args, **kwargs)
        if length(request) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise Problem(TOO_LARGE, "MAX_BODY_MB says how much is taken")
        self._refuse_unknown_parameters(request)

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> Any:
        """Tell apart who is unknown and who may not."""
        if caller_of(request) is None:
            raise Problem(
                NOT_AUTHENTICATED,
                "Send a token: Authorization: Bearer TOKEN",
                headers={"WWW-Authenticate": 'Bearer realm="proca-crm"'},
            )
        super().permission_denied(request, message, code)

    def check_throttles(self, request: Request) -> None:
        """Count the request, but not the same one asked again while its client waits."""
        who = self.who
        if self.is_throttled and not request.META.get(ASKED_AGAIN) and not _shares.use(REQUESTS, who.name):
            raise Problem(
                TOO_MANY_REQUESTS, "This token asks too often", headers={"Retry-After": str(REQUESTS.seconds)}
            )

    @property
    def who(self) -> Caller:
        """Return who asks."""
        who = caller_of(self.request)
        assert who is not None
        return who

    def questions(self, request: Request) -> dict[str, str]:
        """Return the query parameters, each said once."""
        query = request.query_params
        if twice := [name for name in query if len(query.getlist(name)) > 1]:
            raise invalid({name: ["said more than once"] for name in twice})
        return {name: query[name] for name in query}

    def _refuse_unknown_parameters(self, request: Request) -> None:
        known = self.parameters if request.method in ("GET", "HEAD") else ()
        if unknown := [name for name in request.query_params if name not in known]:
            raise invalid({name[:100]: ["there is no such parameter here"] for name in unknown})


def caller_of(request: Request) -> Caller | None:
    """Return who asks; None where nobody said who they are."""
    user: Any = request.user
    return user if isinstance(user, Caller) else None


# --- Revisions -----------------------------------------------------------------------------------------


def with_etag(request: Request, content: Any) -> Response:
    """Answer with an object and its revision, or 304 where the client has it."""
    etag = etag_of(content)
    named = _names(request.META.get("HTTP_IF_NONE_MATCH", ""))
    if request.method in ("GET", "HEAD") and (etag in named or "*" in named):
        return Response(status=304, headers={"ETag": etag})
    return Response(content, headers={"ETag": etag})


def refuse_if_changed(request: Request, content: Any) -> None:
    """Answer 412 where the client says which revision it has seen, and this is another.

    A proxy that compresses makes our tag weak; it still names the same revision, so it is taken as it is meant.
    """
    header = request.META.get("HTTP_IF_MATCH", "")
    if not header:
        return
    named = _names(header)
    if "*" not in named and etag_of(content) not in named:
        raise Problem(CHANGED_MEANWHILE, "Read it again, and then change it")


def etag_of(content: Any) -> str:
    """Return the tag of a revision: it changes when anything shown does."""
    return f'"{hashlib.blake2b(as_json(content), digest_size=12).hexdigest()}"'


def as_json(content: Any) -> bytes:
    """Return the bytes of a value. Half a character, which no encoding has, is written as an escape."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(content, separators=(",", ":")).encode()


def length(request: Request) -> int:
    """Return how long a request says that its body is; 0 where it does not."""
    text = str(request.META.get("CONTENT_LENGTH") or "0")
    return int(text) if text.isascii() and text.isdigit() else 0


def _names(header: str) -> list[str]:
    return [one.strip().removeprefix("W/") for one in header.split(",")]
