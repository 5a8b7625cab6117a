"""The way through the desk: what people look for first, and the internals tucked away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

#: (title, icon, model) by group. A model is named as in its address.
_GROUPS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "People",
        (
            ("Supporters", "group", "sync_supporter"),
            ("Subscriptions", "mark_email_read", "sync_subscription"),
            ("Consent ledger", "fact_check", "sync_consent"),
        ),
    ),
    (
        "Campaigns",
        (
            ("Actions", "campaign", "sync_action"),
            ("Campaigns", "flag", "sync_campaign"),
            ("Action pages", "web", "sync_actionpage"),
            ("Organisations", "apartment", "sync_org"),
        ),
    ),
    (
        "Messages from Proca",
        (
            ("Quarantine", "report", "sync_quarantinedmessage"),
            ("Notices", "notifications", "sync_notice"),
            ("Messages by day", "bar_chart", "sync_intakecount"),
        ),
    ),
    (
        "Other systems",
        (
            ("Destinations", "hub", "sync_destination"),
            ("Deliveries", "outbox", "sync_delivery"),
            ("API tokens", "key", "sync_token"),
        ),
    ),
    (
        "Desk",
        (
            ("Users", "person", "auth_user"),
            ("Groups", "groups", "auth_group"),
            ("What was done", "history", "sync_auditentry"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the groups of the sidebar; models that stand in none of them are internals."""
    registered = {_name(model): model for model in admin.site._registry}
    start = [{"title": "Overview", "icon": "monitor_heart", "link": reverse("admin:index")}]
    groups: list[dict[str, Any]] = [{"items": start}]
    for title, pages in _GROUPS:
        items = [_item(text, icon, name, registered[name]) for text, icon, name in pages if name in registered]
        groups.append({"title": title, "separator": True, "items": items})
    named = {name for _, pages in _GROUPS for _, _, name in pages}
    inner = [
        _item(str(model._meta.verbose_name_plural).capitalize(), "database", name, model)
        for name, model in sorted(registered.items())
        if name not in named
    ]
    return [*groups, {"title": "Internals", "separator": True, "collapsible": True, "items": inner}]


def _item(title: str, icon: str, name: str, model: Any) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse(f"admin:{name}_changelist"), "permission": _may_see(model)}


def _may_see(model: Any) -> Callable[[HttpRequest], bool]:
    # A plain function: the theme copies what it gets, and cannot copy a page.
    def may_see(request: HttpRequest) -> bool:
        return admin.site._registry[model].has_view_permission(request)

    return may_see


def _name(model: Any) -> str:
    return f"{model._meta.app_label}_{model._meta.model_name}"
