"""What came in: messages in quarantine, notices, and how many came on which day."""

from __future__ import annotations

import time
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse

from sync.access import audit
from sync.admin.advice import advice
from sync.admin.asking import actor
from sync.admin.base import ReadOnly, column
from sync.admin.filters import words
from sync.admin.values import amount, day_and_time
from sync.intake.keys import load_keys
from sync.intake.retry import retry
from sync.intake.sources import NotKept
from sync.models import IntakeCount, Notice, QuarantinedMessage
from sync.proca.shapes import Code
from sync.store.errors import Away, told_apart
from sync.store.quarantine import discard
from sync.terms import Verdict

#: A body can be megabytes; the page shows its beginning.
_MOST_SHOWN = 100_000


@admin.register(QuarantinedMessage)
class Quarantine(ReadOnly):
    """Messages that could not be stored: why, and what can be done."""

    list_display = ("number", "reason", "where", "queue", "reader", "attempts", "came", "tried", "not_before")
    list_filter = (words("code", "reason", Code),)
    unread = ("body", "headers")
    page_template = "desk/quarantined.html"
    actions = ("try_again", "throw_away")
    sections = (
        ("Why it is here", ("code", "where", "attempts")),
        ("How it came", ("queue", "reader", "came", "tried", "not_before", "headers")),
    )

    @column("message")
    def number(self, message: QuarantinedMessage) -> str:
        return str(message.pk)

    @column("reason", label={"clock": "info"})
    def reason(self, message: QuarantinedMessage) -> str:
        return message.code

    @column("came")
    def came(self, message: QuarantinedMessage) -> Any:
        return day_and_time(message.received_at)

    @column("last tried")
    def tried(self, message: QuarantinedMessage) -> Any:
        return day_and_time(message.last_attempt_at)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Trying again, and seeing the message itself, need more than looking at the list."""
        return request.user.has_perm("sync.change_quarantinedmessage")

    def has_discard_permission(self, request: HttpRequest) -> bool:
        """Throwing away is for good."""
        return request.user.has_perm("sync.delete_quarantinedmessage")

    @admin.action(description="Try to store them again", permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[QuarantinedMessage]) -> None:
        """Try the selected messages again, as the command does."""
        _retry(request, list(queryset.values_list("pk", flat=True)))

    @admin.action(description="Throw them away for good", permissions=["discard"])
    def throw_away(self, request: HttpRequest, queryset: QuerySet[QuarantinedMessage]) -> None:
        """Throw the selected messages away, as the command does."""
        _discard(request, list(queryset.values_list("pk", flat=True)))

    def get_urls(self) -> list[Any]:
        """Add what can be done with one message."""
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/message/", view(self.body_view), name="sync_quarantinedmessage_body"),
            path("<int:pk>/retry/", view(self.retry_view), name="sync_quarantinedmessage_retry"),
            path("<int:pk>/discard/", view(self.discard_view), name="sync_quarantinedmessage_discard"),
            *super().get_urls(),
        ]

    def page(self, request: HttpRequest, one: Model, template: str, **context: Any) -> Any:
        """Tell the page what this person may do."""
        allowed = {"may_retry": self.has_retry_permission(request), "may_discard": self.has_discard_permission(request)}
        return super().page(request, one, template, advice=advice(getattr(one, "code", "")), **allowed, **context)

    def body_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show the message as it came, to those who may."""
        if not self.has_retry_permission(request):
            raise PermissionDenied
        message = self.get_object(request, str(pk))
        if message is None:
            return self.missing(request, str(pk))
        audit.record(actor(request), "looked at", "quarantined message", pk)
        body = bytes(message.body)
        text = body[:_MOST_SHOWN].decode("utf-8", "backslashreplace")
        page: HttpResponse = self.page(
            request, message, "desk/quarantined_body.html", body=text, size=len(body), cut=len(body) > _MOST_SHOWN
        )
        return page

    def retry_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Try one message again."""
        if request.method != "POST" or not self.has_retry_permission(request):
            raise PermissionDenied
        _retry(request, [pk])
        return _list()

    def discard_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Throw one message away."""
        if request.method != "POST" or not self.has_discard_permission(request):
            raise PermissionDenied
        _discard(request, [pk])
        return _list()


def _retry(request: HttpRequest, ids: list[int]) -> None:
    try:
        done = retry(ids, load_keys(), now=time.time_ns() // 1000)
    except Away:
        messages.error(request, "The database does not answer; nothing is lost, try again later.")
    except (ImproperlyConfigured, NotKept) as failure:
        messages.error(request, str(failure))
    else:
        _record(request, "retried", ids)
        if done.stored:
            messages.success(request, f"{done.stored} stored.")
        if done.kept:
            messages.warning(request, f"{done.kept} still cannot be stored and stay here.")
        if not done.stored + done.kept:
            messages.info(request, "Nothing was left to try: somebody was faster.")


def _discard(request: HttpRequest, ids: list[int]) -> None:
    try:
        with told_apart():
            discard(ids)
    except Away:
        messages.error(request, "The database does not answer; nothing was thrown away.")
    else:
        _record(request, "discarded", ids)
        messages.success(request, f"{len(ids)} thrown away.")


def _record(request: HttpRequest, action: str, ids: list[int]) -> None:
    """Keep in the audit what was done to one message, or to how many."""
    one = ids[0] if len(ids) == 1 else None
    audit.record(actor(request), action, "quarantined message", one, "" if one else f"{len(ids)} messages")


def _list() -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:sync_quarantinedmessage_changelist"))


@admin.register(Notice)
class Notices(ReadOnly):
    """Messages that change nobody and that people should see."""

    list_display = ("at", "what", "reader", "recorded")
    unread = ("payload",)
    sections = (("", ("at", "kind", "reader", "recorded")), ("What it says", ("payload",)))

    @column("when")
    def at(self, notice: Notice) -> Any:
        return day_and_time(notice.occurred_at)

    @column("what")
    def what(self, notice: Notice) -> str:
        return notice.kind.replace("_", " ")

    @column("came")
    def recorded(self, notice: Notice) -> Any:
        return day_and_time(notice.recorded_at)


@admin.register(IntakeCount)
class IntakeCounts(ReadOnly):
    """How many messages of a source ended how on a day."""

    list_display = ("day", "source", "verdict", "counted", "last")
    list_filter = (words("verdict", "what became of them", Verdict),)
    ordering = ("-day", "source", "verdict")
    sections = (("", ("day", "source", "verdict", "counted", "last")),)

    @column("messages")
    def counted(self, count: IntakeCount) -> str:
        return amount(count.number)

    @column("the last one")
    def last(self, count: IntakeCount) -> Any:
        return day_and_time(count.last_at)
