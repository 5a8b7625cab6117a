"""The page that edits a supporter: only what its editor changed is written, and nothing that came since is undone."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.widgets import UnfoldAdminTextInputWidget

from sync.access import audit
from sync.admin.asking import actor, ask
from sync.admin.base import ReadOnly
from sync.admin.values import address
from sync.models import Supporter
from sync.store import asked
from sync.terms import DETAILS

FIELDS = ("email", *DETAILS)
_SEEN = "seen_"
_HELP = {
    "email": "Another one is added; the old one still finds this person.",
    "postcode": "Street, number, locality and region are shown only with the postcode that they came with.",
    "birth_date": "As the CRMs should get it: 1984-05-17.",
    "country": "Two letters.",
}


class Details(forms.Form):
    """A text for each detail, and what it showed when the page was opened."""

    def __init__(self, supporter: Supporter, data: Any = None) -> None:
        super().__init__(data)
        for name in FIELDS:
            now = getattr(supporter, name) or ""
            self.fields[name] = forms.CharField(
                label=name.replace("_", " ").capitalize(),
                required=name == "email" and bool(now),
                initial=now,
                help_text=_HELP.get(name, ""),
                widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
            )
            hidden = forms.HiddenInput()
            self.fields[_SEEN + name] = forms.CharField(required=False, strip=False, initial=now, widget=hidden)

    def changes(self) -> dict[str, str]:
        """Return what the editor changed."""
        given = {name: self.cleaned_data.get(name, "") for name in FIELDS}
        return {name: value for name, value in given.items() if value != _as_typed(self.seen(name))}

    def seen(self, name: str) -> str:
        """Return what a field showed when the page was opened."""
        seen: str = self.cleaned_data.get(_SEEN + name, "")
        return seen


def view(page: ReadOnly, request: HttpRequest, supporter: Supporter) -> HttpResponse:
    """Show the form, or write what was changed."""
    form = Details(supporter, request.POST or None)
    if request.method == "POST" and form.is_valid():
        changes = form.changes()
        if not changes:
            messages.info(request, "Nothing was changed.")
            return HttpResponseRedirect(address(supporter))
        if ask(form, lambda: _edit(supporter, form, changes)):
            names = ", ".join(sorted(changes))
            audit.record(actor(request), "edit", "supporter", supporter.pk, names)
            messages.success(request, f"Saved: {names.replace('_', ' ')}.")
            return HttpResponseRedirect(address(supporter))
        form = _with_what_came_since(supporter, form, changes)
    return page.page(
        request,
        supporter,
        "desk/form.html",
        heading="Edit details",
        form=form,
        back=address(supporter),
        submit="Save",
        intro="What you change holds until the person says something newer. An empty field is cleared.",
    )


def _edit(supporter: Supporter, form: Details, changes: dict[str, str]) -> None:
    seen = {name: form.seen(name) for name in changes}
    asked.edit(supporter.pk, changes, postcode_seen=form.seen("postcode"), seen=seen)


def _with_what_came_since(supporter: Supporter, form: Details, changes: dict[str, str]) -> Details:
    """Return the form again where somebody else's change came between: theirs beside the editor's own."""
    if not supporter_is_there(supporter):
        return form
    now = {name: getattr(supporter, name) or "" for name in FIELDS}
    both = {name for name in changes if now[name] != form.seen(name)}
    if not both:
        return form
    data = {name: changes.get(name, now[name]) for name in FIELDS} | {_SEEN + name: now[name] for name in FIELDS}
    again = Details(supporter, data)
    again.is_valid()
    again.add_error(
        None, "Something was stored since you opened this page. Look at the fields marked, then save again."
    )
    for name in sorted(both):
        before, after = form.seen(name) or "empty", now[name] or "empty"
        again.add_error(name, f"It was “{before}” and is now “{after}”. What you typed replaces it if you save again.")
    return again


def supporter_is_there(supporter: Supporter) -> bool:
    """Read a supporter anew; tell whether there still is one."""
    try:
        supporter.refresh_from_db(fields=FIELDS)
    except Supporter.DoesNotExist:
        return False
    return True


def _as_typed(text: str) -> str:
    """Return a text as a field of one line gives it back when nobody touches it."""
    return text.replace("\r", "").replace("\n", "").strip()
