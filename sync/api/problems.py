"""Errors as RFC 9457 problems: one list of types, and every error of the API is one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

from sync.read.filters import BadFilter
from sync.store.errors import Away, Refused, told_apart

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"
_URN = "urn:proca-crm:problem:"
#: How long a client should wait while the database is away.
_RETRY_AFTER = 10


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of problem: the end of its URN, the status, the title."""

    name: str
    status: int
    title: str

    @property
    def type(self) -> str:
        """The URN."""
        return _URN + self.name


INVALID = Kind("invalid", 400, "The request says something that is not possible")
NOT_AUTHENTICATED = Kind("not-authenticated", 401, "A token is needed")
NOT_ALLOWED = Kind("not-allowed", 403, "The token's scopes do not allow this")
NOT_FOUND = Kind("not-found", 404, "There is no such thing here")
METHOD_NOT_ALLOWED = Kind("method-not-allowed", 405, "This cannot be done here")
CONFLICT = Kind("conflict", 409, "Somebody else has this already")
UNKNOWN_CURSOR = Kind("unknown-cursor", 409, "The cursor is not one of this database")
ERASED = Kind("erased", 410, "This person was erased")
EXPIRED_CURSOR = Kind("expired-cursor", 410, "The cursor is older than the changes that are kept")
LENGTH_REQUIRED = Kind("length-required", 411, "The request does not say how long it is")
CHANGED_MEANWHILE = Kind("changed-meanwhile", 412, "It is not as it was when you read it")
TOO_LARGE = Kind("too-large", 413, "The request is too large")
WRONG_CONTENT_TYPE = Kind("wrong-content-type", 415, "The body must be JSON")
TOO_MANY_REQUESTS = Kind("too-many-requests", 429, "Too many requests")
FAILED = Kind("failed", 500, "Something went wrong here")
BUSY = Kind("busy", 503, "As many whole lists are being read as can be at once")
UNAVAILABLE = Kind("unavailable", 503, "The database does not answer right now")

KINDS = (
    INVALID,
    NOT_AUTHENTICATED,
    NOT_ALLOWED,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    CONFLICT,
    UNKNOWN_CURSOR,
    ERASED,
    EXPIRED_CURSOR,
    LENGTH_REQUIRED,
    CHANGED_MEANWHILE,
    TOO_LARGE,
    WRONG_CONTENT_TYPE,
    TOO_MANY_REQUESTS,
    FAILED,
    UNAVAILABLE,
    BUSY,
)
_BY_STATUS = {kind.status: kind for kind in reversed(KINDS)}


class Problem(Exception):
    """An error to answer with. `detail` and `errors` repeat no value of the request."""

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        errors: Mapping[str, list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(kind.name)
        self.kind, self.detail = kind, detail
        self.headers = dict(headers or {})
        self.content: dict[str, Any] = {
            "type": kind.type,
            "title": kind.title,
            "status": kind.status,
            "detail": detail,
            "errors": dict(errors or {}),
            **more,
        }


def invalid(errors: Mapping[str, list[str]]) -> Problem:
    """Return the problem of fields or parameters that are wrong, each with the reasons."""
    return Problem(INVALID, "Look at " + ", ".join(sorted(errors)), errors=errors)


def unavailable() -> Problem:
    """Return the problem of a database that is away."""
    return Problem(UNAVAILABLE, "Try again in a moment", headers={"Retry-After": str(_RETRY_AFTER)})


def answer(error: Exception, _context: Any = None) -> Response | None:
    """Turn what a view raised into its answer; None for what is our own fault."""
    problem = _as_problem(error)
    if problem is None:
        return None
    return Response(problem.content, problem.kind.status, headers=problem.headers, content_type=CONTENT_TYPE)


def as_response(problem: Problem) -> HttpResponse:
    """Return a problem as the answer of a plain Django view."""
    return JsonResponse(problem.content, status=problem.kind.status, headers=problem.headers, content_type=CONTENT_TYPE)


def _as_problem(error: Exception) -> Problem | None:
    if isinstance(error, Problem):
        return error
    for kinds, make in _MEANINGS:
        if isinstance(error, kinds):
            return make(error)
    return None


def _of_drf(error: Exception) -> Problem:
    assert isinstance(error, exceptions.APIException)
    kind = _BY_STATUS.get(error.status_code, INVALID)
    headers = {}
    if kind is NOT_AUTHENTICATED:
        headers["WWW-Authenticate"] = 'Bearer realm="proca-crm"'
    if isinstance(error, exceptions.MethodNotAllowed):
        return Problem(kind, "The method is not one of those that work here")
    if isinstance(error, exceptions.ParseError):
        return Problem(kind, "The body is not JSON")
    return Problem(kind, kind.title, headers=headers)


def _of_database(error: Exception) -> Problem:
    """What was not told apart before: away, or a fault of ours whose text may quote a row."""
    try:
        with told_apart():
            raise error
    except Away:
        return unavailable()
    except Refused as refused:
        log.error("request_refused_by_database", code=refused.code)  # noqa: TRY400 - the traceback may quote a row
    except (DatabaseError, InterfaceError):
        log.error("request_failed", error=type(error).__name__)  # noqa: TRY400 - the traceback may quote a row
    return Problem(FAILED, "It is in the log")


_MEANINGS: tuple[tuple[tuple[type[Exception], ...], Callable[[Any], Problem]], ...] = (
    ((BadFilter,), lambda error: invalid({error.name: [error.reason]})),
    ((Http404,), lambda _error: Problem(NOT_FOUND, "Look at the address and the id")),
    ((PermissionDenied,), lambda _error: Problem(NOT_ALLOWED, NOT_ALLOWED.title)),
    ((RequestDataTooBig,), lambda _error: Problem(TOO_LARGE, "MAX_BODY_MB says how much is taken")),
    ((Away,), lambda _error: unavailable()),
    ((Refused,), lambda _error: Problem(INVALID, "The database does not take these values")),
    ((exceptions.APIException,), _of_drf),
    ((DatabaseError, InterfaceError), _of_database),
)


# --- Errors before any view of ours --------------------------------------------------------------------


def _handler(kind: Kind, plain: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    def handle(request: HttpRequest, *arguments: Any, **more: Any) -> HttpResponse:
        if request.path_info.startswith("/api/"):
            return as_response(Problem(_meant(kind, arguments, more), kind.title))
        return plain(request, *arguments, **more)

    return handle


def _meant(kind: Kind, arguments: tuple[Any, ...], more: dict[str, Any]) -> Kind:
    error = more.get("exception", arguments[0] if arguments else None)
    if isinstance(error, RequestDataTooBig):
        return TOO_LARGE
    return INVALID if isinstance(error, SuspiciousOperation) else kind


def handlers() -> tuple[Callable[..., HttpResponse], ...]:
    """Return Django's handlers for 400, 403, 404 and 500, which answer the API's paths with problems."""
    from django.views import defaults

    return (
        _handler(INVALID, defaults.bad_request),
        _handler(NOT_ALLOWED, defaults.permission_denied),
        _handler(NOT_FOUND, defaults.page_not_found),
        _handler(FAILED, defaults.server_error),
    )
