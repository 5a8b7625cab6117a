"""What the rules work with: browsable for whoever wants to know why, and out of everybody else's way."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path

from sync.admin.base import ReadOnly, column
from sync.admin.merge import undo_view
from sync.admin.people import person
from sync.admin.share import unshare_view
from sync.admin.values import as_json, day_and_time, link_to, shown
from sync.models import (
    Change,
    Contact,
    Erasure,
    FormerSupporter,
    Installation,
    Link,
    Mark,
    SharedEmail,
    Supporter,
    Voice,
    WaitingEntries,
)
from sync.rules.identity import email_key, ref_key
from sync.terms import to_datetime


@admin.register(Contact)
class Contacts(ReadOnly):
    """Pairs of an email and a contactRef, as messages gave them, with all that they said."""

    list_display = ("__str__", "email", "ref", "who", "home", "marked")
    list_select_related = ("supporter",)
    search_fields = ("email",)
    search_help_text = "Email or contactRef, whole"
    unread = ("said",)
    sections = (("", ("email", "ref", "who", "home", "marked")), ("What messages said", ("all_said",)))

    @column("supporter")
    def who(self, contact: Contact) -> Any:
        return person(contact.supporter)

    @column("as it is kept")
    def all_said(self, contact: Contact) -> Any:
        return as_json(contact.said)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Contact], search_term: str
    ) -> tuple[QuerySet[Contact], bool]:
        """Find contacts by a whole key."""
        if not search_term.strip():
            return queryset, False
        email = email_key(search_term)
        # The second condition is that of the partial index.
        return (
            queryset.filter(email=email) if email else queryset.filter(ref=ref_key(search_term)).exclude(ref="")
        ), False


@admin.register(FormerSupporter)
class FormerSupporters(ReadOnly):
    """Ids that are no supporter any more."""

    list_display = ("id", "now", "at")
    sections = (("", ("id", "now", "at")),)

    def get_urls(self) -> list[Any]:
        """Add the undo of a merge by hand."""
        view = self.admin_site.admin_view(self.undo)
        return [path("<int:pk>/undo/", view, name="sync_formersupporter_undo"), *super().get_urls()]

    def undo(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Undo a merge by hand."""
        former = self.get_object(request, str(pk))
        return self.missing(request, str(pk)) if former is None else undo_view(self, request, former)

    @column("is now")
    def now(self, former: FormerSupporter) -> Any:
        return "erased" if former.into_id is None else link_to(Supporter, former.into_id)

    @column("since")
    def at(self, former: FormerSupporter) -> Any:
        return day_and_time(former.since)


@admin.register(Voice)
class Voices(ReadOnly):
    """Contacts that spoke of an action beside the one whom it belongs to."""

    list_display = ("__str__", "action_id", "pair", "at")
    sections = (("", ("action_id", "pair", "at")),)

    @column("details given")
    def at(self, voice: Voice) -> Any:
        return _time(voice.details_at)


@admin.register(Link)
class Links(ReadOnly):
    """Contacts that people linked: merges by hand and their undo, edits of an email."""

    list_display = ("__str__", "kind", "a", "b", "newest")
    sections = (("", ("kind", "a", "b", "steps")),)

    @column("newest")
    def newest(self, one: Link) -> Any:
        return one.history[-1][1] if one.history else None

    @column("what happened")
    def steps(self, one: Link) -> Any:
        return [f"{to_datetime(at):%Y-%m-%d %H:%M:%S} {what}" for at, what in one.history]


@admin.register(WaitingEntries)
class Waiting(ReadOnly):
    """Entries about keys that nobody has yet, kept under their hashes."""

    list_display = ("__str__", "entries_waiting")
    sections = (("", ("email_hash", "ref_hash", "entries")),)

    @column("entries")
    def entries_waiting(self, waiting: WaitingEntries) -> int:
        return len(waiting.entries)


@admin.register(SharedEmail)
class SharedEmails(ReadOnly):
    """Emails that several people share, as an operator said."""

    list_display = ("__str__", "email", "is_shared", "since")
    page_template = "desk/shared_email.html"
    sections = (("", ("email", "is_shared", "since")),)

    def get_urls(self) -> list[Any]:
        """Add taking it back."""
        view = self.admin_site.admin_view(self.unshare)
        return [path("<int:pk>/unshare/", view, name="sync_sharedemail_unshare"), *super().get_urls()]

    def unshare(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Say that it is not shared any more."""
        shared = self.get_object(request, str(pk))
        return self.missing(request, str(pk)) if shared is None else unshare_view(self, request, shared)

    def page(self, request: HttpRequest, one: Model, template: str, **context: Any) -> TemplateResponse:
        """Offer to take it back to whoever may."""
        assert isinstance(one, SharedEmail)
        may = self.is_shared(one) and one.email and request.user.has_perm("sync.change_sharedemail")
        return super().page(request, one, template, may_unshare=may, **context)

    @column("shared", boolean=True)
    def is_shared(self, one: SharedEmail) -> bool:
        return bool(one.history and one.history[-1][1])

    @column("since")
    def since(self, one: SharedEmail) -> Any:
        return _time(one.history[-1][0]) if one.history else shown(None)


@admin.register(Erasure)
class Erasures(ReadOnly):
    """Erasure marks: when, and nothing of whom."""

    list_display = ("__str__", "moment")
    sections = (("", ("moment", "spam")),)

    @column("when")
    def moment(self, erasure: Erasure) -> Any:
        return _time(erasure.at)


@admin.register(Mark)
class Marks(ReadOnly):
    """Keyed hashes that an erasure has reached."""

    list_display = ("__str__", "key_hash", "of")
    sections = (("", ("key_hash", "of")),)

    @column("erasure")
    def of(self, mark: Mark) -> Any:
        return link_to(Erasure, mark.erasure_id, f"erasure {mark.erasure_id}")


@admin.register(Change)
class Changes(ReadOnly):
    """The change log, newest first."""

    list_display = ("id", "kind", "object_id", "at", "origin")
    sections = (("", ("id", "kind", "object", "object_id", "at", "data", "origin")),)

    @column("when")
    def at(self, change: Change) -> Any:
        return day_and_time(change.occurred_at)


@admin.register(Installation)
class Installations(ReadOnly):
    """Facts about this database."""

    list_display = ("name", "value")
    sections = (("", ("name", "value")),)


def _time(at: int | None) -> Any:
    """An Instant; one that is older than every time is unknown."""
    try:
        return shown(None if at is None else to_datetime(at))
    except OverflowError:
        return "unknown"
