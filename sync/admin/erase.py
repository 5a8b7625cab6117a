"""The page that erases a supporter: what it reaches, what it does not, and a confirmation that is typed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.widgets import UnfoldAdminTextInputWidget

from sync.access import audit
from sync.admin.asking import actor, ask, refusal
from sync.admin.base import ReadOnly
from sync.admin.values import address, amount
from sync.models import Action, Consent, Delivery, Supporter
from sync.store import asked
from sync.store.whom import NotPossible


class Confirmation(forms.Form):
    """The id, typed: nobody erases somebody by one click too many."""

    confirm = forms.CharField(widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "inputmode": "numeric"}))

    def __init__(self, supporter: Supporter, data: Any = None) -> None:
        super().__init__(data)
        self._id = str(supporter.pk)
        self.fields["confirm"].label = f"Type {self._id}, the id of this supporter"

    def clean_confirm(self) -> str:
        """Take the id and nothing else."""
        typed: str = self.cleaned_data["confirm"]
        if typed != self._id:
            raise forms.ValidationError("This is not the id of this supporter. Nobody was erased.")
        return typed


def view(page: ReadOnly, request: HttpRequest, supporter: Supporter) -> HttpResponse:
    """Show what it would reach, or erase."""
    form = Confirmation(supporter, request.POST or None)
    if request.method == "POST" and form.is_valid() and ask(form, lambda: asked.erase(supporter=supporter.pk)):
        audit.record(actor(request), "erase", "supporter", supporter.pk)
        messages.success(request, f"Supporter {supporter.pk} was erased.")
        return HttpResponseRedirect(reverse("admin:sync_supporter_changelist"))
    try:
        reached = asked.would_erase(supporter=supporter.pk)
    except NotPossible as error:
        messages.error(request, refusal(error))
        return HttpResponseRedirect(reverse("admin:sync_supporter_changelist"))
    return page.page(
        request,
        supporter,
        "desk/erase.html",
        form=form,
        numbers=_numbers(supporter, reached.keys),
        back=address(supporter),
    )


def _numbers(supporter: Supporter, keys: int) -> list[tuple[str, str]]:
    told = Delivery.objects.filter(supporter_id=supporter.pk, kind="person").exclude(told=0)
    return [
        (amount(keys), "emails and contactRefs: gone, and recognised should old messages come again"),
        (
            amount(Action.objects.filter(supporter=supporter).count()),
            "actions: kept without the person and their words",
        ),
        (amount(Consent.objects.filter(supporter=supporter).count()), "consent entries: gone"),
        (amount(told.count()), "other systems that know this person: told to forget"),
    ]
