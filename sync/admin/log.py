"""What people did at the desk: Django's log, to be read and not to be changed. It holds ids, never what was written."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.http import HttpRequest

from sync.admin.base import ReadOnly, column
from sync.admin.values import day_and_time


@admin.register(LogEntry)
class Log(ReadOnly):
    """Who did what to which row, and when."""

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
