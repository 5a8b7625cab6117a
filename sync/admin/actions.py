"""What people did."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from sync.admin.base import ReadOnly, column
from sync.admin.filters import OfCampaign, truth, whole_number
from sync.admin.people import person
from sync.admin.values import day_and_time, link, shown
from sync.models import Action
from sync.read.money import with_currency


@admin.register(Action)
class Actions(ReadOnly):
    """Actions, newest first."""

    list_display = ("at", "what", "who", "where", "page_name", "money", "asked_for_mail", "marks")
    list_display_links = ("at",)
    list_filter = (OfCampaign, truth("testing", "test actions"))
    list_select_related = ("supporter", "campaign", "action_page")
    search_fields = ("action_id",)
    search_help_text = "Proca's number of an action"
    ordering = ("-created_at", "-pk")
    unread = ("said", "custom_fields", "tracking", "campaign__config", "campaign__given", "action_page__given")
    sections = (
        ("What", ("action_id", "action_type", "created_at", "stage", "testing", "dupe_rank")),
        ("Where", ("campaign", "action_page", "org", "tracking")),
        ("Who", ("who", "with_consent", "opt_in")),
        ("What was filled in", ("money", "custom_fields")),
    )

    @column("when")
    def at(self, action: Action) -> Any:
        return day_and_time(action.created_at)

    @column("action")
    def what(self, action: Action) -> str:
        return action.action_type.replace("_", " ")

    @column("supporter")
    def who(self, action: Action) -> Any:
        return person(action.supporter)

    @column("campaign")
    def where(self, action: Action) -> Any:
        return link(action.campaign)

    @column("page")
    def page_name(self, action: Action) -> Any:
        return link(action.action_page)

    @column("donation")
    def money(self, action: Action) -> Any:
        return shown(with_currency(action.donation))

    @column("asked for mail", label={"yes": "success"})
    def asked_for_mail(self, action: Action) -> str | None:
        return None if action.opt_in is None else ("yes" if action.opt_in else "no")

    @column("", label={"test": "info"})
    def marks(self, action: Action) -> str:
        return "test" if action.testing else (action.stage or "").replace("deliver", "").replace("_", " ")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Action], search_term: str
    ) -> tuple[QuerySet[Action], bool]:
        """Find one by Proca's number."""
        number = whole_number(search_term)
        if number is None:
            return (queryset.none() if search_term.strip() else queryset), False
        return queryset.filter(action_id=number), False
