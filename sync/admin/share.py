"""The page that says that an email is shared by several people, and the one that takes it back."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.widgets import UnfoldAdminSelectWidget

from sync.access import audit
from sync.admin.asking import actor, ask, ask_plainly
from sync.admin.base import ReadOnly
from sync.admin.values import address
from sync.models import SharedEmail, Supporter
from sync.store import asked


class Address(forms.Form):
    """One of the person's emails."""

    email = forms.ChoiceField(label="Email that several people use", widget=UnfoldAdminSelectWidget)

    def __init__(self, supporter: Supporter, data: Any = None) -> None:
        super().__init__(data)
        field = self.fields["email"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(email, email) for email in (supporter.email, *supporter.other_emails) if email]


def view(page: ReadOnly, request: HttpRequest, supporter: Supporter) -> HttpResponse:
    """Show the form, or say that an email is shared."""
    form = Address(supporter, request.POST or None)
    if request.method == "POST" and form.is_valid():
        email = form.cleaned_data["email"]
        if ask(form, lambda: asked.share(email, shared=True)):
            audit.record(actor(request), "share email", "supporter", supporter.pk)
            messages.success(request, "The email is shared now: people who have it are told apart by contactRef.")
            return HttpResponseRedirect(address(supporter))
    return page.page(
        request,
        supporter,
        "desk/form.html",
        heading="Several people use one email",
        form=form,
        back=address(supporter),
        submit="They are several people",
        intro=(
            "A family or an office can have one address. Once it is marked as shared it makes nobody the same person "
            "any more: who has it is told apart by contactRef, now and in all that came before. A bounce of it still "
            "speaks of everybody who has it. This can be taken back under Internals, Shared emails."
        ),
    )


def unshare_view(page: ReadOnly, request: HttpRequest, shared: SharedEmail) -> HttpResponse:
    """Say that an email is not shared any more."""
    if request.method != "POST" or not request.user.has_perm("sync.change_sharedemail") or not shared.email:
        raise PermissionDenied
    if ask_plainly(request, lambda: asked.share(shared.email, shared=False)):
        audit.record(actor(request), "unshare email", "sharedemail", shared.pk)
        messages.success(request, "The email is not shared any more: whoever has it is one person.")
    return HttpResponseRedirect(address(shared))
