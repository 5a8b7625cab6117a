"""The address that a request comes from, as far as it can be believed."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def client(request: HttpRequest) -> str:
    """Return the address of who asks: the proxy's word where it is trusted, the connection's otherwise."""
    forwarded: str = request.META.get("HTTP_X_FORWARDED_FOR", "")
    if settings.TRUST_PROXY and forwarded:
        # The last one was added by our own proxy; the others are what the client claims.
        return forwarded.rpartition(",")[2].strip()
    return str(request.META.get("REMOTE_ADDR", ""))
