"""What destinations were told of whom, with the CRM's own answer, and once more what was refused."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from sync.admin.asking import actor
from sync.admin.base import ReadOnly, column
from sync.admin.filters import Places, words
from sync.admin.values import day_and_time, link, link_to
from sync.models import Action, Delivery, Destination, Supporter
from sync.push import destinations


class OfDestination(Places):
    """Deliveries of one destination."""

    model, title, parameter_name, field = Destination, "destination", "destination", "destination_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        """Return them by name."""
        return [(str(pk), name) for pk, name in Destination.objects.order_by("name").values_list("pk", "name")]


@admin.register(Delivery)
class Deliveries(ReadOnly):
    """One line for each person, action and order to forget."""

    list_display = ("number", "to", "kind", "about", "standing", "attempts", "answer", "next", "done")
    list_filter = (
        OfDestination,
        words("state", "state", ("waiting", "delivered", "rejected", "skipped")),
        words("kind", "kind", ("person", "action", "erasure")),
    )
    list_select_related = ("destination",)
    actions = ("try_again",)
    unread = ("told_email",)
    sections = (
        ("", ("to", "kind", "about", "what", "standing", "attempts", "answer", "next", "done", "created_at")),
        ("There", ("remote_id", "remote_others", "told_status")),
    )

    @column("delivery")
    def number(self, one: Delivery) -> str:
        return str(one.pk)

    @column("to")
    def to(self, one: Delivery) -> Any:
        return link(one.destination)

    @column("about")
    def about(self, one: Delivery) -> Any:
        return link_to(Supporter, one.supporter_id) if one.kind != "erasure" else f"supporter {one.supporter_id}"

    @column("action")
    def what(self, one: Delivery) -> Any:
        return link_to(Action, one.action_id, f"action {one.action_id}") if one.action_id else None

    @column("state", label={"waiting": "info", "delivered": "success", "rejected": "danger"})
    def standing(self, one: Delivery) -> str:
        return one.state

    @column("what the CRM said")
    def answer(self, one: Delivery) -> str:
        return one.error

    @column("next attempt")
    def next(self, one: Delivery) -> Any:
        return day_and_time(one.due_at)

    @column("delivered")
    def done(self, one: Delivery) -> Any:
        return day_and_time(one.delivered_at)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Trying again needs more than looking."""
        return request.user.has_perm("sync.change_delivery")

    @admin.action(description="Try what was refused again", permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        """Queue the selected ones again."""
        number = destinations.retry(list(queryset.values_list("pk", flat=True)[:10_000]), actor(request))
        messages.success(request, f"{number} will be tried again." if number else "None of these was refused.")
