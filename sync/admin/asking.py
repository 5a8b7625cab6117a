"""Requests of people at the desk: who asks, and how a refusal of the store reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest

from sync.store.errors import Away, Refused
from sync.store.whom import NotPossible

_REFUSALS = {
    "nobody": "There is no such supporter any more.",
    "erased": "This supporter was erased meanwhile.",
    "taken": "Somebody else has this email. If both are one person, merge them instead.",
    "invalid": "This cannot be right.",
    "unknown": "There is no such field.",
    "required": "This is needed here.",
    "ahead": "This lies in the future.",
    "not_a_stop": "Nobody has this key.",
    "same": "This is one and the same supporter.",
    "not_merged": "Messages say that these are one person, so there is no merge by hand to undo.",
    "changed": "This was changed since you opened the page.",
}
_AWAY = "The database does not answer. Nothing was changed; try again in a moment."
_REFUSED = "The database does not take this. Nothing was changed."


def actor(request: HttpRequest) -> str:
    """Return who asks, as the audit names people."""
    return f"user {request.user.pk}"


def refusal(error: Exception) -> str:
    """Return why something cannot be done, in words."""
    if isinstance(error, NotPossible):
        return _REFUSALS.get(error.code, error.code)
    return _AWAY if isinstance(error, Away) else _REFUSED


def ask(form: forms.Form, request: Callable[[], Any]) -> bool:
    """Make a request of the store; a refusal becomes an error of the form."""
    try:
        request()
    except NotPossible as error:
        form.add_error(error.field if error.field in form.fields else None, refusal(error))
    except (Away, Refused) as error:
        form.add_error(None, refusal(error))
    else:
        return True
    return False


def ask_plainly(request: HttpRequest, what: Callable[[], Any]) -> bool:
    """Make a request that has no form; a refusal is told on the next page."""
    try:
        what()
    except (NotPossible, Away, Refused) as error:
        messages.error(request, refusal(error))
        return False
    return True
