"""How values look on the desk: times, links, statuses, free JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.admin.utils import label_for_field, lookup_field
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import ForeignKey, Model
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from sync.terms import ConsentKind, Status

NOTHING = mark_safe('<span class="desk-none">–</span>')

#: Colours of unfold's labels; every label says in words what its colour says.
STATUS_COLOURS = {
    Status.SUBSCRIBED: "success",
    Status.PENDING: "info",
    Status.UNSUBSCRIBED: "warning",
    Status.BOUNCED: "warning",
    Status.BLOCKED: "warning",
    Status.COMPLAINED: "danger",
}
KIND_COLOURS = {
    ConsentKind.OPT_OUT: "",
    ConsentKind.OPT_IN: "success",
    ConsentKind.DOUBLE_OPT_IN: "success",
    ConsentKind.BOUNCE: "warning",
    ConsentKind.BLOCKED: "warning",
    ConsentKind.INACTIVE: "warning",
    ConsentKind.UNSUB: "warning",
    ConsentKind.SPAM: "danger",
}
KIND_WORDS = {
    ConsentKind.OPT_OUT: "opt-out",
    ConsentKind.OPT_IN: "opt-in",
    ConsentKind.DOUBLE_OPT_IN: "double opt-in",
    ConsentKind.UNSUB: "unsubscribed",
    ConsentKind.SPAM: "spam complaint",
}


#: Fields whose own name is not the word that people use.
_LABELS = {
    "org": "organisation",
    "extra": "other details",
    "contact_refs": "contactRefs at Proca",
    "action_count": "actions",
    "action_id": "number at Proca",
    "dupe_rank": "earlier actions of the same kind",
    "opt_in": "asked for mail",
    "with_consent": "filled in the form",
    "action_type": "kind",
    "where": "where in the message",
    "custom_fields": "custom fields",
    "details_given_at": "details given",
    "first_action_at": "first action",
    "last_action_at": "last action",
}


class Row(NamedTuple):
    """One line of a page: what it is, and what it says."""

    label: str
    value: Any


def row(page: Any, one: Model, name: str) -> Row:
    """Return the line for a field, or for a method of the page's class."""
    label = _LABELS.get(name) or str(label_for_field(name, type(one), page)).replace("_", " ")
    try:
        field, _, value = lookup_field(name, one, page)
    except ObjectDoesNotExist:
        return Row(label, NOTHING)
    if isinstance(field, ForeignKey):
        return Row(label, link(related(one, field)))
    return Row(label, shown(value))


def related(one: Model, field: ForeignKey) -> Model | None:
    """Return what a row points to, or None where it is not there: no constraint holds it."""
    try:
        found: Model | None = getattr(one, field.name)
    except ObjectDoesNotExist:
        return None
    return found


def shown(value: Any) -> Any:
    """Return a value as text or HTML."""
    if value is None or value in ("", [], {}):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return when(value)
    if isinstance(value, dict):
        return table(value)
    if isinstance(value, list):
        return items(value)
    return value


def when(moment: datetime | None) -> Any:
    """Return a time to the second, in UTC."""
    if moment is None:
        return NOTHING
    text = timezone.localtime(moment, timezone.get_default_timezone())
    return _time(text, "%Y-%m-%d %H:%M:%S")


def day_and_time(moment: datetime | None) -> Any:
    """Return a time to the minute, for lists."""
    if moment is None:
        return NOTHING
    text = timezone.localtime(moment, timezone.get_default_timezone())
    return _time(text, "%Y-%m-%d %H:%M")


def _time(moment: datetime, form: str) -> SafeString:
    words = moment.strftime(form)
    return format_html(
        '<time datetime="{}" title="{} UTC" class="desk-time">{}</time>', moment.isoformat(), words, words
    )


def table(value: dict[str, Any]) -> SafeString:
    """Return free JSON as a list of names and values."""
    lines = format_html_join("", "<dt>{}</dt><dd>{}</dd>", ((name, shown(inner)) for name, inner in value.items()))
    return format_html('<dl class="desk-json">{}</dl>', lines)


def as_json(value: Any) -> SafeString:
    """Return what only programs read, as it is kept."""
    return format_html('<pre class="desk-body">{}</pre>', json.dumps(value, ensure_ascii=False, indent=1))


def items(value: Iterable[Any]) -> SafeString:
    """Return a list, one line each."""
    return format_html(
        '<ul class="desk-items">{}</ul>', format_html_join("", "<li>{}</li>", ((shown(one),) for one in value))
    )


def address(one: Model) -> str:
    """Return the page of a row on the desk."""
    return reverse(f"admin:{one._meta.app_label}_{one._meta.model_name}_change", args=[one.pk])


def link(one: Model | None, text: Any = None) -> Any:
    """Return a link to the page of a row."""
    if one is None:
        return NOTHING
    return format_html('<a class="desk-link" href="{}">{}</a>', address(one), str(one) if text is None else text)


def link_to(kind: type[Model], pk: int | None, text: Any = None) -> Any:
    """Return a link to a row of which only the id is known."""
    return link(None if pk is None else kind(pk=pk), text)


def names(person: Model) -> str:
    """Return how a supporter is called in lists: by name, else by email, else by id."""
    found = " ".join(part for part in (getattr(person, "first_name", ""), getattr(person, "last_name", "")) if part)
    return found or getattr(person, "email", "") or str(person)


def amount(number: int) -> str:
    """Return a number with thin groups of thousands."""
    return f"{number:,}".replace(",", "\u202f")


def kind_words(kind: str) -> str:
    """Return a kind of consent entry in words."""
    return KIND_WORDS.get(ConsentKind(kind), kind) if kind in list(ConsentKind) else kind
