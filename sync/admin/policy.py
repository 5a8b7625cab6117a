"""The page that gives an organisation another policy: first how many subscriptions it would change, then the change."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.widgets import UnfoldAdminSelectWidget

from sync.access import audit
from sync.admin.asking import actor, ask_plainly
from sync.admin.base import ReadOnly
from sync.admin.values import address, amount
from sync.models import Org, Subscription
from sync.read.figures import rows
from sync.store import policies
from sync.terms import Policy

#: People wait for the answer, and a proxy waits a minute at most.
_SECONDS_TO_LOOK = 5
_SECONDS_TO_FOLD = 15

WORDS = {
    Policy.OPT_IN: "An opt-in subscribes at once",
    Policy.DOUBLE_OPT_IN: "An opt-in waits for the click in the mail",
}


class Choice(forms.Form):
    """One of the policies, or none of its own."""

    policy = forms.ChoiceField(label="Policy", required=False, widget=UnfoldAdminSelectWidget)

    def __init__(self, org: Org, data: Any = None) -> None:
        super().__init__(data, initial={"policy": org.policy or ""})
        default = WORDS[Policy(settings.SUBSCRIPTION_POLICY)].lower()
        field = self.fields["policy"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", f"As the settings say: {default}"), *((str(one), text) for one, text in WORDS.items())]


def view(page: ReadOnly, request: HttpRequest, org: Org) -> HttpResponse:
    """Show the choice, what it would change, or make the change."""
    if not request.user.has_perm("sync.change_org"):
        raise PermissionDenied
    form = Choice(org, request.POST if "policy" in request.POST else None)
    if request.method == "POST" and "go_on" in request.POST:
        return _fold_on(request, org)
    seen = None
    if request.method == "POST" and form.is_valid():
        policy = form.cleaned_data["policy"] or None
        if "save" in request.POST:
            return _save(request, org, policy)
        seen = policies.preview(org.pk, policy, seconds=_SECONDS_TO_LOOK)
    return page.page(
        request,
        org,
        "desk/policy.html",
        form=form,
        seen=seen,
        moves=[] if seen is None else sorted((*move, amount(number)) for move, number in seen.moves.items()),
        all=rows(Subscription.objects.filter(org=org.pk)),
        unfinished=org.folded_to is not None,
        back=address(org),
    )


def _save(request: HttpRequest, org: Org, policy: str | None) -> HttpResponse:
    if not ask_plainly(request, lambda: policies.set_policy(org.pk, policy)):
        return HttpResponseRedirect(address(org))
    audit.record(actor(request), "policy", "org", org.pk, policy or "default")
    return _fold_on(request, org)


def _fold_on(request: HttpRequest, org: Org) -> HttpResponse:
    """Let subscriptions follow for a while; the page says so where some are left."""
    done: list[bool] = []
    if not ask_plainly(request, lambda: done.append(policies.fold_on(org.pk, seconds=_SECONDS_TO_FOLD))):
        return HttpResponseRedirect(address(org))
    if done == [True]:
        messages.success(request, "Saved, and all subscriptions follow the new policy.")
        return HttpResponseRedirect(address(org))
    return HttpResponseRedirect(reverse("admin:sync_org_policy", args=[org.pk]))
