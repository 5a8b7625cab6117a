"""Tokens end: by time, and by a click at the desk that is kept in the audit."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone

from sync.access import tokens
from sync.access.tokens import Scope


def test_an_admin_token_may_everything_but_take_messages_in(store_database):
    _, text = tokens.issue("admin", [Scope.ADMIN], org=None, actor="test")

    who = tokens.caller(text)

    assert [who.may(scope) for scope in (Scope.READ, Scope.WRITE, Scope.ADMIN, Scope.INGEST)] == [True] * 3 + [False]


def test_a_token_ends_when_its_time_is_over(store_database):
    soon = timezone.now() + timedelta(days=1)
    _, text = tokens.issue("short", [Scope.READ], org=None, actor="test", expires_at=soon)
    over, old = tokens.issue("old", [Scope.READ], org=None, actor="test", expires_at=timezone.now())

    assert tokens.caller(text) is not None
    assert tokens.caller(old) is None
    assert tokens.caller(text[:-1]) is None
    assert tokens.caller("") is None
    assert str(over) == f"token {over.pk}"


def test_its_last_use_is_noted(store_database):
    token, text = tokens.issue("used", [Scope.READ], org=None, actor="test")

    tokens.caller(text)

    token.refresh_from_db()
    assert token.last_used_at is not None


@pytest.mark.parametrize("may", [True, False])
def test_a_token_is_revoked_at_the_desk_by_whoever_may(store_database, may):
    token, text = tokens.issue("CRM", [Scope.READ], org=7, actor="test")
    user = get_user_model().objects.create_user("anne", password="x", is_staff=True, is_superuser=may)
    if not may:
        from django.contrib.auth.models import Permission

        user.user_permissions.add(Permission.objects.get(codename="view_token"))
    desk = Client()
    desk.force_login(user)

    page = desk.get("/admin/sync/token/")
    alone = desk.get(f"/admin/sync/token/{token.pk}/change/")
    done = desk.post("/admin/sync/token/", {"action": "end", "_selected_action": [token.pk]}, follow=True)

    assert done.status_code == 200
    assert text[:12] in page.content.decode()
    assert token.digest not in page.content.decode() + alone.content.decode()
    assert (tokens.caller(text) is None) is may
    audit = store_database.query("SELECT actor FROM sync_auditentry WHERE action = 'revoked'")
    assert audit == ([(f"user {user.pk}",)] if may else [])
