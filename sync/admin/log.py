"""What people and programs did: ids and words, never what was written. To be read, and not to be changed.

The audit holds what was done to people, destinations and tokens; Django's own log what was done to users and groups.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest

from sync.admin.base import ReadOnly, column
from sync.admin.filters import whole_number
from sync.admin.values import day_and_time
from sync.models import AuditEntry


@admin.register(AuditEntry)
class Audit(ReadOnly):
    """Who did what to which row, and when."""

    list_display = ("when", "actor", "action", "object", "object_id", "note")
    search_fields = ("object_id",)
    search_help_text = "Id of what it was done to"
    sections = (("", ("when", "actor", "action", "object", "object_id", "note")),)

    @column("when")
    def when(self, entry: AuditEntry) -> Any:
        return day_and_time(entry.at)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        """Find what was done to an id, by the index of each kind of thing."""
        number = whole_number(search_term)
        if number is None:
            return (queryset.none() if search_term.strip() else queryset), False
        kinds = AuditEntry.objects.order_by().values_list("object", flat=True).distinct()
        return queryset.filter(object__in=list(kinds), object_id=number), False


@admin.register(LogEntry)
class Log(ReadOnly):
    """What was done to users and groups."""

    list_display = ("at", "user", "what", "object_repr", "details")
    list_select_related = ("user", "content_type")
    sections = (("", ("at", "user", "what", "object_repr", "details")),)

    @column("when")
    def at(self, entry: LogEntry) -> Any:
        return day_and_time(entry.action_time)

    @column("what")
    def what(self, entry: LogEntry) -> str:
        return str(entry.get_action_flag_display())

    @column("details")
    def details(self, entry: LogEntry) -> str:
        return entry.get_change_message()

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whoever manages users also sees what they did."""
        return request.user.has_perm("auth.view_user")
