"""The page that adds an entry to the consent ledger by hand, with its reason."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from sync.access import audit
from sync.admin.asking import actor, ask
from sync.admin.base import ReadOnly
from sync.admin.values import address, kind_words
from sync.models import Org, Supporter
from sync.store import asked
from sync.store.asked import Said
from sync.terms import ADDRESS_STOPS, ConsentKind, Source, to_instant

#: Neither an organisation nor an address.
_ALL = "all"
_MEANS = {
    ConsentKind.OPT_IN: "opt-in: wants mail",
    ConsentKind.OPT_OUT: "opt-out: did not ask for mail",
    ConsentKind.DOUBLE_OPT_IN: "double opt-in: confirmed it by a click, also after a complaint",
    ConsentKind.UNSUB: "unsubscribed: wants no mail any more",
    ConsentKind.SPAM: "spam complaint: no mail, until confirmed by a click",
    ConsentKind.BOUNCE: "bounce: the address does not work",
    ConsentKind.BLOCKED: "blocked: the address takes nothing of ours",
    ConsentKind.INACTIVE: "inactive: nobody reads this address any more",
}


class Entry(forms.Form):
    """What was said, to whom, of which address, when, and why it is written here."""

    kind = forms.ChoiceField(
        label="What was said",
        choices=[("", "Choose"), *((str(kind), words) for kind, words in _MEANS.items())],
        widget=UnfoldAdminSelectWidget,
    )
    org = forms.ChoiceField(label="For", widget=UnfoldAdminSelectWidget)
    email = forms.ChoiceField(label="Address", widget=UnfoldAdminSelectWidget)
    occurred_at = forms.DateTimeField(
        label="When (UTC)",
        required=False,
        input_formats=["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d"],
        help_text="2026-05-17 or 2026-05-17 14:30; empty: now.",
        widget=UnfoldAdminTextInputWidget,
    )
    reason = forms.CharField(
        label="Reason",
        help_text="Kept with the entry: how you know. “Asked by phone”, “paper form of the spring fair”.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )

    def __init__(self, supporter: Supporter, data: Any = None) -> None:
        super().__init__(data)
        orgs = [(str(org.pk), str(org)) for org in Org.objects.order_by("pk").defer("given")[:500]]
        self._choices("org", [*orgs, (_ALL, "every organisation")])
        self.initial["org"] = str(settings.PROCA_ORG or "")
        emails = [email for email in (supporter.email, *supporter.other_emails) if email]
        self._choices("email", [*((email, email) for email in emails), (_ALL, "the person as a whole")])

    def _choices(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def clean(self) -> dict[str, Any]:
        """Refuse what would speak of nothing."""
        given = super().clean() or {}
        given |= {name: None for name in ("org", "email") if given.get(name) == _ALL}
        kind = given.get("kind")
        if kind in ADDRESS_STOPS and given.get("email", "") is None:
            self.add_error("email", "This is said of an address: choose one.")
        if kind in (ConsentKind.OPT_IN, ConsentKind.OPT_OUT) and given.get("org", "") is None:
            self.add_error("org", "Consent is given to one organisation: choose it.")
        return given


def view(page: ReadOnly, request: HttpRequest, supporter: Supporter) -> HttpResponse:
    """Show the form, or add the entry."""
    form = Entry(supporter, request.POST or None)
    if request.method == "POST" and form.is_valid() and ask(form, lambda: _add(supporter, form.cleaned_data)):
        kind = form.cleaned_data["kind"]
        audit.record(actor(request), f"consent {kind}", "supporter", supporter.pk)
        messages.success(request, f"Added to the ledger: {kind_words(kind)}.")
        return HttpResponseRedirect(address(supporter))
    return page.page(
        request,
        supporter,
        "desk/form.html",
        heading="Add a consent entry",
        form=form,
        back=address(supporter),
        submit="Add to the ledger",
        intro="The ledger only grows: an entry cannot be changed or taken away, a newer one can say otherwise.",
    )


def _add(supporter: Supporter, given: dict[str, Any]) -> None:
    at = given["occurred_at"]
    asked.add_consent(
        supporter=supporter.pk,
        org=int(given["org"]) if given["org"] else None,
        kind=given["kind"],
        email=given["email"],
        at=None if at is None else to_instant(at.astimezone(UTC)),
        said=Said(source=Source.ADMIN, note=given["reason"]),
    )
