"""Where changes go: each CRM, how it stands, and the buttons that people need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from unfold.widgets import UnfoldAdminSelectWidget

from sync.admin.asking import actor
from sync.admin.base import ReadOnly, column
from sync.admin.destination_form import DestinationForm, mapping_text
from sync.admin.destination_preview import parts
from sync.admin.filters import OfOrg, whole_number
from sync.admin.values import address, amount, day_and_time, link
from sync.models import Destination
from sync.push import audience, checking, destinations, filling, numbers
from sync.push.registry import UnknownKind, connector, connectors
from sync.push.standing import in_words

_STATES = {"active": "success", "paused": "info", "failing": "danger"}
_CHANGE = "sync.change_destination"


@admin.register(Destination)
class Destinations(ReadOnly):
    """CRMs that are told."""

    list_display = ("called", "kind_title", "owner", "standing_now", "why", "last")
    list_filter = (OfOrg,)
    list_select_related = ("org", "standing")
    unread = ("org__given",)
    page_template = "desk/destination.html"
    change_list_template = "desk/destinations.html"
    sections = (
        ("How it stands", ("standing_now", "why", "since", "last", "waiting", "rejected", "to_forget", "progress")),
        ("What it is", ("kind_title", "owner", "shown_settings", "called_back_at")),
        ("Who and what is sent", ("shown_audience", "actions", "testing", "consent_source", "on_bounce")),
        ("Fields", ("shown_mapping", "tags", "language", "batch_size", "rate_limit")),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Return the rows with how they stand."""
        found: QuerySet[Any] = super().get_queryset(request).select_related("standing", "org")
        return found

    @column("destination")
    def called(self, one: Destination) -> str:
        return one.name

    @column("kind")
    def kind_title(self, one: Destination) -> str:
        return connectors()[one.kind].title if one.kind in connectors() else f"{one.kind} (not installed)"

    @column("organisation")
    def owner(self, one: Destination) -> Any:
        return link(one.org)

    @column("state", label=_STATES)
    def standing_now(self, one: Destination) -> str:
        return one.standing.state

    @column("why")
    def why(self, one: Destination) -> str:
        return in_words(one.standing)

    @column("since")
    def since(self, one: Destination) -> Any:
        return day_and_time(one.standing.since)

    @column("last success")
    def last(self, one: Destination) -> Any:
        return day_and_time(one.standing.delivered_at)

    @column("people waiting")
    def waiting(self, one: Destination) -> str:
        return _counted(numbers.of(one).waiting)

    @column("refused by the CRM")
    def rejected(self, one: Destination) -> str:
        return _counted(numbers.of(one).rejected)

    @column("orders to forget not delivered yet")
    def to_forget(self, one: Destination) -> str:
        return _counted(numbers.of(one).to_forget)

    @column("filling")
    def progress(self, one: Destination) -> str:
        found = filling.progress(one.standing)
        if found is None:
            return ""
        return f"{100 * found.done // max(found.total, 1)} %"

    @column("settings")
    def shown_settings(self, one: Destination) -> Any:
        if one.kind not in connectors():
            return one.settings
        kind = connector(one.kind)
        shown = destinations.shown_settings(one, kind)
        return {setting.title: _called(one, setting.among, shown[setting.key]) for setting in kind.settings}

    @column("address for the CRM's webhook")
    def called_back_at(self, one: Destination) -> str:
        has_inbox = one.kind in connectors() and connector(one.kind).inbox is not None
        return f"{settings.PUBLIC_URL}/api/v1/destinations/{one.pk}/inbound/" if has_inbox else ""

    @column("audience")
    def shown_audience(self, one: Destination) -> Any:
        return {**audience.DEFAULT, **one.audience}

    @column("mapping")
    def shown_mapping(self, one: Destination) -> Any:
        return mapping_text(one.mapping).splitlines() or "the kind's own"

    # What can be done.

    def get_urls(self) -> list[Any]:
        """Add the pages and buttons of a destination."""
        buttons: tuple[tuple[str, Callable[[HttpRequest, Destination], None]], ...] = (
            ("check", _check),
            ("pause", lambda request, one: destinations.pause(one, actor(request))),
            ("resume", _resume),
            ("resync", lambda request, one: destinations.resync(one, actor(request))),
        )
        view = self.admin_site.admin_view
        return [
            path("add/", view(self.add), name="sync_destination_add"),
            path("<int:pk>/edit/", view(self.edit), name="sync_destination_edit"),
            path("<int:pk>/preview/", view(self.preview), name="sync_destination_preview"),
            path("<int:pk>/remove/", view(self.remove), name="sync_destination_remove"),
            *(
                path(f"<int:pk>/{name}/", view(self._button(do)), name=f"sync_destination_{name}")
                for name, do in buttons
            ),
            *super().get_urls(),
        ]

    def _button(self, do: Callable[[HttpRequest, Destination], None]) -> Callable[..., HttpResponse]:
        def pressed(request: HttpRequest, pk: int) -> HttpResponse:
            one = self._for_change(request, pk)
            if one is None:
                return self.missing(request, str(pk))
            if request.method != "POST":
                raise PermissionDenied
            do(request, one)
            return HttpResponseRedirect(address(one))

        return pressed

    def _for_change(self, request: HttpRequest, pk: int) -> Destination | None:
        if not request.user.has_perm(_CHANGE):
            raise PermissionDenied
        one: Destination | None = self.get_object(request, str(pk))
        return one

    def page(self, request: HttpRequest, one: Model, template: str, **context: Any) -> TemplateResponse:
        """Tell the page what this person may do."""
        may = request.user.has_perm(_CHANGE)
        return super().page(request, one, template, may_change=may, **context)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Offer to add one."""
        may = request.user.has_perm("sync.add_destination")
        return super().changelist_view(request, {"may_add": may, **(extra_context or {})})

    def add(self, request: HttpRequest) -> HttpResponse:
        """First the kind, then its form."""
        if not request.user.has_perm("sync.add_destination"):
            raise PermissionDenied
        kind = request.GET.get("kind", "")
        if kind not in connectors():
            return self._form(request, None, _Kinds(), "Which kind?", method="get")
        form = DestinationForm(kind, request.POST or None)
        if request.method == "POST" and form.is_valid():
            made = _asked(form, lambda values: destinations.create({"kind": kind, **values}, actor(request)))
            if made is not None:
                messages.success(request, "Made, and paused: check it, look at the preview, then resume.")
                return HttpResponseRedirect(address(made))
        return self._form(request, None, form, f"New destination: {connector(kind).title}")

    def edit(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Change what people say of it."""
        one = self._for_change(request, pk)
        if one is None:
            return self.missing(request, str(pk))
        try:
            form = DestinationForm(one.kind, request.POST or None, one)
        except UnknownKind:
            messages.error(request, "No connector of this kind is installed.")
            return HttpResponseRedirect(address(one))
        if request.method == "POST" and form.is_valid():
            changed = _asked(form, lambda values: destinations.change(one, values, actor(request)))
            if changed is not None:
                messages.success(request, "Saved.")
                return HttpResponseRedirect(address(one))
        return self._form(request, one, form, "Change this destination")

    def _form(
        self, request: HttpRequest, one: Destination | None, form: forms.Form, heading: str, method: str = "post"
    ) -> HttpResponse:
        back = reverse("admin:sync_destination_changelist") if one is None else address(one)
        submit = "Go on" if method == "get" else "Save"
        template = "desk/choose.html" if method == "get" else "desk/form.html"
        about = one if one is not None else Destination(name="New destination")
        answer: HttpResponse = super().page(
            request, about, template, heading=heading, form=form, back=back, submit=submit
        )
        return answer

    def remove(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask, then delete it with what is known of its deliveries."""
        if not request.user.has_perm("sync.delete_destination"):
            raise PermissionDenied
        one: Destination | None = self.get_object(request, str(pk))
        if one is None:
            return self.missing(request, str(pk))
        if request.method == "POST":
            destinations.remove(one, actor(request))
            messages.success(request, "Deleted. What the CRM holds stays there.")
            return HttpResponseRedirect(reverse("admin:sync_destination_changelist"))
        return self.page(
            request,
            one,
            "desk/form.html",
            heading="Delete this destination?",
            intro="Nobody is told anything more, stops and erasures neither. What the CRM holds stays there.",
            form=forms.Form(),
            back=address(one),
            submit="Delete it",
            button="desk-danger",
        )

    def preview(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show what would be sent: in numbers, and of one person in full. A button asks the CRM."""
        one = self._for_change(request, pk)
        if one is None or one.kind not in connectors():
            return self.missing(request, str(pk))
        supporter = whole_number(request.GET.get("supporter"))
        shown = parts(one, supporter, asks=request.method == "POST")
        return self.page(request, one, "desk/preview.html", back=address(one), **shown)


class _Kinds(forms.Form):
    """The kinds that are installed."""

    kind = forms.ChoiceField(widget=UnfoldAdminSelectWidget)

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        field = self.fields["kind"]
        assert isinstance(field, forms.ChoiceField)
        kinds = sorted(connectors().values(), key=lambda one: one.title)
        field.choices = [(one.kind, one.title) for one in kinds]


def _asked(form: DestinationForm, what: Callable[[dict[str, Any]], Destination]) -> Destination | None:
    try:
        return what(form.values())
    except destinations.Invalid as invalid:
        form.refuse(invalid.errors)
    except ValueError as error:
        form.refuse({"mapping": str(error)})
    return None


def _resume(request: HttpRequest, one: Destination) -> None:
    try:
        destinations.resume(one, actor(request))
    except destinations.Invalid as invalid:
        for words in invalid.errors.values():
            messages.error(request, f"{words}.")


def _check(request: HttpRequest, one: Destination) -> None:
    try:
        result = checking.check(one)
    except UnknownKind:
        messages.error(request, "No connector of this kind is installed.")
        return
    if result.problems:
        messages.warning(request, f"It gets in as {result.says}, but something is to be done.")
        for problem in result.problems:
            messages.warning(request, f"{problem[:1].upper()}{problem[1:]}.")
    elif result.works:
        found = "; ".join(f"{len(choices)} {name}" for name, choices in result.found.items())
        messages.success(request, f"It works: {result.says}." + (f" Found: {found}." if found else ""))
    else:
        messages.error(request, f"It does not work: {result.says}.")


def _called(one: Destination, among: str, value: Any) -> Any:
    """What was found under an id by its name."""
    titles = {choice["id"]: choice["title"] for choice in one.standing.found.get(among, ())}
    return titles.get(value, value)


def _counted(number: int) -> str:
    return f"{amount(number)} or more" if number >= numbers.MOST else amount(number)
