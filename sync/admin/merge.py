"""The pages that merge two supporters by hand: look for the other one, see what it would make, do it; and undo it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextInputWidget

from sync.access import audit
from sync.admin.asking import actor, ask_plainly, refusal
from sync.admin.base import ReadOnly
from sync.admin.filters import whole_number
from sync.admin.values import address, names, shown
from sync.models import FormerSupporter, Org, Subscription, Supporter
from sync.read.people import matching
from sync.store import asked, previews
from sync.store.merges import linked_by_hand
from sync.store.whom import NotPossible
from sync.terms import DETAILS

_FOUND_AT_MOST = 20
_COMPARED = ("email", "other_emails", *DETAILS, "language", "contact_refs", "action_count")


class Search(forms.Form):
    """Whom to merge with."""

    term = forms.CharField(
        label="Look for the other one",
        help_text="Name, email, contactRef or id.",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
    )


def view(page: ReadOnly, request: HttpRequest, supporter: Supporter) -> HttpResponse:
    """Look for somebody; or, with somebody chosen, show what it would make, and do it."""
    other = _chosen(request)
    if other is None:
        return _search(page, request, supporter)
    if request.method == "POST":
        return _merge(request, supporter, other)
    return _preview(page, request, supporter, other)


def _chosen(request: HttpRequest) -> Supporter | None:
    number = whole_number(request.GET.get("with"))
    return None if number is None else Supporter.objects.filter(pk=number).first()


def _search(page: ReadOnly, request: HttpRequest, supporter: Supporter) -> HttpResponse:
    # Sent in the body: what is looked for must not stand in the log of any server.
    form = Search(request.POST or None)
    found = None
    if request.method == "POST" and form.is_valid():
        people = Supporter.objects.filter(matching(form.cleaned_data["term"])).exclude(pk=supporter.pk)
        found = [(one, names(one)) for one in people.order_by("pk")[:_FOUND_AT_MOST]]
    return page.page(request, supporter, "desk/merge_search.html", form=form, found=found, back=address(supporter))


def _merge(request: HttpRequest, supporter: Supporter, other: Supporter) -> HttpResponse:
    if ask_plainly(request, lambda: asked.merge(supporter.pk, other.pk)):
        audit.record(actor(request), "merge", "supporter", supporter.pk, f"with {other.pk}")
        messages.success(request, f"Supporters {supporter.pk} and {other.pk} are one now.")
    return HttpResponseRedirect(address(supporter))


def _preview(page: ReadOnly, request: HttpRequest, supporter: Supporter, other: Supporter) -> HttpResponse:
    try:
        made = previews.merged(supporter.pk, other.pk)
    except NotPossible as error:
        messages.error(request, refusal(error))
        return HttpResponseRedirect(address(supporter))
    columns = [[getattr(one, name) for name in _COMPARED] for one in (supporter, other)]
    columns.append([made.columns[name] for name in _COMPARED])
    compared = zip(_COMPARED, *columns, strict=True)
    rows = [(name.replace("_", " "), *map(shown, values)) for name, *values in compared if any(values)]
    return page.page(
        request,
        supporter,
        "desk/merge.html",
        other=other,
        rows=rows,
        statuses=_statuses(supporter, other, made),
        back=address(supporter),
    )


def _statuses(supporter: Supporter, other: Supporter, made: previews.Merged) -> list[tuple[str, Any, Any, Any]]:
    found = Subscription.objects.filter(supporter__in=[supporter.pk, other.pk])
    now = {(one.supporter_id, one.org_id): one.status for one in found}
    titles = {org.pk: str(org) for org in Org.objects.filter(pk__in=made.statuses).defer("given")}
    return [
        (titles.get(org, str(org)), now.get((supporter.pk, org)), now.get((other.pk, org)), status)
        for org, status in sorted(made.statuses.items())
    ]


def undo_view(page: ReadOnly, request: HttpRequest, former: FormerSupporter) -> HttpResponse:
    """Ask whether a merge by hand is to be undone, and undo it."""
    if not request.user.has_perm("sync.change_supporter"):
        raise PermissionDenied
    survivor = reverse("admin:sync_supporter_change", args=[former.into_id or former.pk])
    if request.method == "POST":
        if ask_plainly(request, lambda: asked.undo_merge(former.pk)):
            audit.record(actor(request), "undo merge", "supporter", former.pk)
            messages.success(request, f"Supporter {former.pk} is a supporter of its own again.")
            survivor = reverse("admin:sync_supporter_change", args=[former.pk])
        return HttpResponseRedirect(survivor)
    return page.page(request, former, "desk/undo_merge.html", by_hand=bool(linked_by_hand(former.pk)), back=survivor)
