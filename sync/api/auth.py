"""Who asks: a bearer token, or what Proca's server sends in its place. Never the admin's session."""

from __future__ import annotations

import base64
import binascii

from django.http import HttpRequest
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from sync.access import limits
from sync.access.clients import client
from sync.access.limits import Limit
from sync.access.tokens import Caller, caller
from sync.api.problems import TOO_MANY_REQUESTS, Problem

#: Nobody guesses 256 bits; this keeps the log and the database quiet. A good token is never held up by it.
WRONG_TOKENS = Limit("wrong-token", most=300, seconds=60)


class Bearer(authentication.BaseAuthentication):
    """`Authorization: Bearer TOKEN`."""

    def authenticate(self, request: Request) -> tuple[Caller, str] | None:
        """Return who asks; None without any credentials."""
        text = self.token(request.META.get("HTTP_AUTHORIZATION", ""))
        if text is None:
            return None
        who = caller(text)
        if who is None:
            _count_wrong_one(request._request)
            raise exceptions.AuthenticationFailed
        return who, "token"

    def authenticate_header(self, _request: Request) -> str:
        """Make DRF answer 401 and not 403."""
        return 'Bearer realm="proca-crm"'

    def token(self, header: str) -> str | None:
        """Return the token in a header."""
        scheme, _, rest = header.partition(" ")
        return rest.strip() if scheme.lower() == "bearer" else None


class FromProca(Bearer):
    """As Proca sends it: also HTTP Basic with the token as password, and the token alone."""

    def token(self, header: str) -> str | None:
        """Return the token in a header."""
        scheme, _, rest = header.strip().partition(" ")
        if scheme.lower() == "basic":
            return _password(rest.strip())
        if header.strip() and not rest:
            return header.strip()
        return super().token(header)


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _count_wrong_one(request: HttpRequest) -> None:
    if limits.count(WRONG_TOKENS, client(request)) > WRONG_TOKENS.most:
        raise Problem(TOO_MANY_REQUESTS, "Too many wrong tokens", headers={"Retry-After": str(WRONG_TOKENS.seconds)})
