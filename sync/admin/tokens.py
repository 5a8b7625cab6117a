"""Tokens of programs: who has one, what it may, whether it is used, and its end."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from sync.access.tokens import revoke
from sync.admin.base import ReadOnly, column
from sync.admin.values import day_and_time
from sync.models import Token


@admin.register(Token)
class Tokens(ReadOnly):
    """Made by `manage.py create_token`, ended here. The token itself is kept nowhere."""

    list_display = ("name", "begins", "may", "whose", "state", "used", "expires")
    actions = ("end",)
    sections = (("", ("name", "begins", "may", "whose", "state", "created", "used", "expires", "ended")),)

    @column("begins with")
    def begins(self, token: Token) -> str:
        return f"{token.prefix}…"

    @column("scopes")
    def may(self, token: Token) -> str:
        return ", ".join(token.scopes)

    @column("organisation")
    def whose(self, token: Token) -> Any:
        return token.org if token.org is not None else "all"

    @column("state", label={"good": "success", "revoked": "danger", "expired": "warning"})
    def state(self, token: Token) -> str:
        if token.revoked_at is not None:
            return "revoked"
        return "expired" if token.expires_at is not None and token.expires_at <= timezone.now() else "good"

    @column("made")
    def created(self, token: Token) -> Any:
        return day_and_time(token.created_at)

    @column("last used")
    def used(self, token: Token) -> Any:
        return day_and_time(token.last_used_at)

    @column("good until")
    def expires(self, token: Token) -> Any:
        return day_and_time(token.expires_at)

    @column("revoked")
    def ended(self, token: Token) -> Any:
        return day_and_time(token.revoked_at)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Ending a token needs more than looking at the list."""
        return request.user.has_perm("sync.change_token")

    @admin.action(description="Revoke them: they are refused from now on", permissions=["revoke"])
    def end(self, request: HttpRequest, queryset: QuerySet[Token]) -> None:
        """End the selected tokens at once."""
        ended = sum(revoke(token, actor=f"user {request.user.pk}") for token in queryset)
        self.message_user(request, f"{ended} revoked", messages.SUCCESS)
