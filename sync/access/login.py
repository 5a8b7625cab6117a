"""Logging in at the desk, with an end to guessing: wrong attempts are counted in the database, for all processes."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from sync.access import limits
from sync.access.clients import client
from sync.access.limits import Limit

#: Of one name from one address: nobody mistypes more often. Nobody else is locked out of that name by it.
WRONG_PASSWORDS = Limit("wrong-password", most=10, seconds=900)
#: Of any name from one address: an office has one, and a list of passwords has more lines.
WRONG_LOGINS = Limit("wrong-login", most=100, seconds=900)


class LimitedLogin(ModelBackend):
    """Django's own, behind the two limits."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> Any:
        """Return the user; None for a wrong password. Raises ValidationError, which forms show, after too many."""
        if request is None:
            return super().authenticate(request, username, password, **kwargs)
        name = (username or kwargs.get("username") or "").casefold()
        attempts = ((WRONG_PASSWORDS, f"{name}\n{client(request)}"), (WRONG_LOGINS, client(request)))
        if any(limits.is_over(limit, whom) for limit, whom in attempts):
            raise ValidationError("Too many wrong attempts. Try again in a quarter of an hour.", code="too_many")
        user = super().authenticate(request, username, password, **kwargs)
        if user is None:
            for limit, whom in attempts:
                limits.count(limit, whom)
        return user
