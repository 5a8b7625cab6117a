"""The consent ledger, and what follows from it: whom each organisation may mail."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from sync.admin.base import ReadOnly, column
from sync.admin.filters import OfOrg, words
from sync.admin.people import person
from sync.admin.values import KIND_COLOURS, STATUS_COLOURS, day_and_time, kind_words, link, link_to, shown
from sync.models import Action, Consent, Subscription, Supporter
from sync.read.people import matching
from sync.terms import ConsentKind, Source, Status


class OfPeople(ReadOnly):
    """Rows that belong to supporters and are searched by them."""

    list_select_related = ("supporter", "org")
    search_fields = ("supporter",)
    search_help_text = "Name, email, contactRef or id of a supporter"
    unread = ("org__given",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find rows of the people whom a term means."""
        if not search_term.strip():
            return queryset, False
        people = Supporter.objects.filter(matching(search_term)).values("pk")
        return queryset.filter(supporter__in=people), False


@admin.register(Subscription)
class Subscriptions(OfPeople):
    """Whether an organisation may mail a supporter, and at which address."""

    list_display = ("who", "to", "state", "address", "since", "said_by")
    list_display_links = ("state",)
    list_filter = (OfOrg, words("status", "status", Status))
    sections = (("", ("who", "to", "state", "address", "since", "said_by", "updated_at")),)

    @column("supporter")
    def who(self, one: Subscription) -> Any:
        return person(one.supporter)

    @column("organisation")
    def to(self, one: Subscription) -> Any:
        return link(one.org)

    @column("status", label=STATUS_COLOURS)
    def state(self, one: Subscription) -> str:
        return one.status

    @column("mailed at")
    def address(self, one: Subscription) -> Any:
        return shown(one.email)

    @column("since")
    def since(self, one: Subscription) -> Any:
        return day_and_time(one.status_changed_at)

    @column("said by")
    def said_by(self, one: Subscription) -> Any:
        return shown(one.source)


@admin.register(Consent)
class Consents(OfPeople):
    """Every word on consent, whoever said it."""

    list_display = ("at", "what", "who", "to", "address", "said_by", "reason")
    list_display_links = ("at",)
    list_filter = (OfOrg, words("kind", "kind", ConsentKind), words("source", "said by", Source))
    sections = (
        ("", ("at", "what", "who", "to", "address", "counts", "said_by", "destination", "note")),
        ("Where it comes from", ("action_page_link", "recorded_at")),
    )

    @column("when")
    def at(self, entry: Consent) -> Any:
        return day_and_time(entry.occurred_at)

    @column("what", label=KIND_COLOURS)
    def what(self, entry: Consent) -> tuple[str, str]:
        return entry.kind, kind_words(entry.kind)

    @column("supporter")
    def who(self, entry: Consent) -> Any:
        return person(entry.supporter)

    @column("organisation")
    def to(self, entry: Consent) -> Any:
        return link(entry.org) if entry.org_id else "every one"

    @column("address")
    def address(self, entry: Consent) -> Any:
        return shown(entry.email)

    @column("said by")
    def said_by(self, entry: Consent) -> str:
        return f"{entry.source} ({entry.destination})" if entry.destination else entry.source

    @column("reason")
    def reason(self, entry: Consent) -> Any:
        return shown(entry.note)

    @column("action")
    def action_page_link(self, entry: Consent) -> Any:
        if not entry.action_id:
            return None
        found = Action.objects.filter(action_id=entry.action_id).values_list("pk", flat=True).first()
        return link_to(Action, found, f"action {entry.action_id}") if found else f"action {entry.action_id}"
