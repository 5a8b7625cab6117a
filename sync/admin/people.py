"""Supporters: the list, its search, and the page that tells a person's whole story."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse

from sync.admin import consent_entry, edit, erase, merge, share
from sync.admin.base import ReadOnly, column
from sync.admin.filters import Country, HasStatus, TookPart, whole_number
from sync.admin.story import lines
from sync.admin.values import address, amount, day_and_time, link, names, shown
from sync.models import Destination, FormerSupporter, Subscription, Supporter
from sync.push import explain
from sync.read.people import matching, survivor_of
from sync.read.timeline import timeline

View = Callable[[ReadOnly, HttpRequest, Supporter], HttpResponse]

#: What each button of a person's page needs.
_MAY = {
    "edit": "sync.change_supporter",
    "add_consent": "sync.add_consent",
    "share": "sync.change_sharedemail",
    "erase": "sync.delete_supporter",
}
#: Events of a person's story on one page.
_EVENTS = 50


@admin.register(Supporter)
class Supporters(ReadOnly):
    """People, newest first."""

    list_display = ("person", "shown_email", "status", "country", "postcode", "actions_taken", "last_seen", "changed")
    list_filter = (HasStatus, TookPart, Country)
    search_fields = ("search_key",)
    search_help_text = "Name, email, contactRef or id"
    sortable_by = ("changed",)
    unread = ("extra", "contact_refs", "other_emails")
    page_template = "desk/supporter.html"
    sections = (
        ("Contact", ("email", "email_state", "other_emails", "phone", "language")),
        ("Person", ("first_name", "last_name", "birth_date", "extra")),
        ("Address", ("street_line", "postcode", "locality", "region", "country", "area")),
        ("Known since", ("first_action_at", "last_action_at", "action_count", "details_given_at", "contact_refs")),
    )

    @column("supporter")
    def person(self, supporter: Supporter) -> str:
        return names(supporter)

    @column("email")
    def shown_email(self, supporter: Supporter) -> Any:
        return shown(supporter.email)

    @column("email status", label={"double_opt_in": "success", "spam": "danger", "bounce": "warning"})
    def status(self, supporter: Supporter) -> str | None:
        return supporter.email_status

    @column("actions")
    def actions_taken(self, supporter: Supporter) -> str:
        return amount(supporter.action_count)

    @column("last action")
    def last_seen(self, supporter: Supporter) -> Any:
        return day_and_time(supporter.last_action_at)

    @column("changed", ordering="updated_at")
    def changed(self, supporter: Supporter) -> Any:
        return day_and_time(supporter.updated_at)

    @column("email status")
    def email_state(self, supporter: Supporter) -> Any:
        if supporter.email_status is None:
            return None
        since = supporter.email_status_changed_at
        return f"{supporter.email_status}, since {since:%Y-%m-%d %H:%M}" if since else supporter.email_status

    @column("street")
    def street_line(self, supporter: Supporter) -> str:
        return " ".join(part for part in (supporter.street, supporter.street_number) if part)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Supporter], search_term: str
    ) -> tuple[QuerySet[Supporter], bool]:
        """Find people by the search that every face shares: by index, never in the middle of a text."""
        return (queryset.filter(matching(search_term)) if search_term.strip() else queryset), False

    def get_urls(self) -> list[Any]:
        """Add what can be done with a person, each on a page of its own."""
        views = (
            ("edit", edit.view, "sync.change_supporter"),
            ("consent", consent_entry.view, "sync.add_consent"),
            ("merge", merge.view, "sync.change_supporter"),
            ("share", share.view, "sync.change_sharedemail"),
            ("erase", erase.view, "sync.delete_supporter"),
        )
        own = [
            path(f"<int:pk>/{name}/", self._for(show, permission), name=f"sync_supporter_{name}")
            for name, show, permission in views
        ]
        return [*own, *super().get_urls()]

    def _for(self, view: View, permission: str) -> Callable[..., HttpResponse]:
        """Return the view for whoever may; an id that was merged away leads to the person."""

        def opened(request: HttpRequest, pk: int) -> HttpResponse:
            if not request.user.has_perm(permission):
                raise PermissionDenied
            supporter = self.get_object(request, str(pk))
            return self.missing(request, str(pk)) if supporter is None else view(self, request, supporter)

        guarded: Callable[..., HttpResponse] = self.admin_site.admin_view(opened)
        return guarded

    def missing(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Lead an id that was merged away to the person; say so of one that was erased."""
        number = whole_number(object_id)
        former = None if number is None else FormerSupporter.objects.filter(pk=number).first()
        if former is None or not self.has_view_permission(request):
            return super().missing(request, object_id)
        survivor = survivor_of(former.pk)
        if survivor is None:
            messages.info(request, f"Supporter {former.pk} was erased.")
            return HttpResponseRedirect(reverse("admin:sync_supporter_changelist"))
        messages.info(request, f"Supporter {former.pk} was merged into supporter {survivor}.")
        return HttpResponseRedirect(reverse("admin:sync_supporter_change", args=[survivor]))

    def page(self, request: HttpRequest, one: Model, template: str, **context: Any) -> Any:
        """Add the subscriptions and the story to the person's page."""
        if template == self.page_template:
            context |= self._story(request, one)
        return super().page(request, one, template, **context)

    def _story(self, request: HttpRequest, one: Model) -> dict[str, Any]:
        before = request.GET.get("before")
        try:
            told = timeline(one.pk, before=before, limit=_EVENTS)
        except ValueError:
            told, before = timeline(one.pk, limit=_EVENTS), None
        subscriptions = Subscription.objects.filter(supporter=one.pk).select_related("org").defer("org__given")
        return {
            "story": lines(told.events),
            "older": told.older,
            "is_first_page": before is None,
            "subscriptions": subscriptions.order_by("org_id"),
            "told_of": explain.of_supporter(one.pk, Destination.objects.select_related("standing").order_by("pk")),
            "page_address": address(one),
            "called": names(one),
            "may": {name: request.user.has_perm(permission) for name, permission in _MAY.items()},
        }


def person(one: Model | None) -> Any:
    """Return a link to a supporter by name, for the lists of what people did."""
    return shown(None) if one is None else link(one, names(one))
