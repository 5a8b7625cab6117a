"""A person's story as lines to read: what happened, in words, with what belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.html import format_html

from sync.admin.values import KIND_COLOURS, kind_words, link, shown, table
from sync.models import Action, Consent, Delivery, FormerSupporter
from sync.read.money import with_currency
from sync.read.timeline import Event, Kind
from sync.terms import Stage

_UNDO = "admin:sync_formersupporter_undo"
_ICONS = {Kind.ACTION: "campaign", Kind.CONSENT: "fact_check", Kind.MERGE: "merge", Kind.DELIVERY: "outbox"}


@dataclass(frozen=True, slots=True)
class Line:
    """One event: when, what, coloured how, and the facts below it."""

    at: datetime
    icon: str
    kind: str
    what: Any
    colour: str
    labels: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, Any], ...]
    more: Any = ""


def lines(events: Iterable[Event]) -> Iterator[Line]:
    """Return the lines of these events."""
    for event in events:
        yield _TOLD[event.kind](event)


def _action(event: Event) -> Line:
    action: Action = event.row
    facts = [("campaign", link(action.campaign)), ("page", link(action.action_page)), ("by", link(action.org))]
    if money := with_currency(action.donation):
        facts.insert(0, ("donation", _frequency(money, action.donation)))
    if action.tracking:
        facts.append(("came from", _tracking(action.tracking)))
    return Line(
        at=event.at,
        icon=_ICONS[event.kind],
        kind="action",
        what=link(action, _words(action.action_type)),
        colour="primary",
        labels=tuple(_action_labels(action)),
        facts=tuple(facts),
        more=table(action.custom_fields) if action.custom_fields else "",
    )


def _action_labels(action: Action) -> Iterator[tuple[str, str]]:
    if action.testing:
        yield "test", "info"
    if action.stage and action.stage != Stage.DELIVER:
        yield f"not delivered: {_words(action.stage)}", "warning"
    if action.with_consent and action.opt_in is not None:
        yield ("asked for mail", "success") if action.opt_in else ("no mail, please", "")


def _frequency(money: str, donation: Any) -> str:
    unit = donation.get("frequency_unit")
    return f"{money}, {_words(unit)}" if isinstance(unit, str) and unit != "one_off" else money


def _tracking(tracking: dict[str, Any]) -> Any:
    parts = [str(tracking[name]) for name in ("source", "medium", "campaign", "content") if tracking.get(name)]
    return " / ".join(parts) or shown(tracking.get("location"))


def _consent(event: Event) -> Line:
    entry: Consent = event.row
    facts: list[tuple[str, Any]] = [("for", link(entry.org) if entry.org_id else "every organisation")]
    facts.append(("address", shown(entry.email) if entry.email else "the person as a whole"))
    facts.append(("said by", f"{entry.source} ({entry.destination})" if entry.destination else entry.source))
    if entry.note:
        facts.append(("reason", entry.note))
    return Line(
        at=event.at,
        icon=_ICONS[event.kind],
        kind="consent",
        what=link(entry, kind_words(entry.kind)),
        colour=KIND_COLOURS.get(entry.kind, ""),  # type: ignore[call-overload]
        labels=(("only confirms", ""),) if entry.counts is False else (),
        facts=tuple(facts),
    )


def _merge(event: Event) -> Line:
    former: FormerSupporter = event.row
    what = format_html("Supporter {} turned out to be the same person", former.pk)
    undo = format_html('<a class="desk-link" href="{}">Undo?</a>', reverse(_UNDO, args=[former.pk]))
    return Line(event.at, _ICONS[event.kind], "merge", what, "", (), (("merged by mistake", undo),))


def _delivery(event: Event) -> Line:
    delivery: Delivery = event.row
    about = "an action" if delivery.kind == "action" else "the person"
    what = format_html("{} was told of {}", link(delivery.destination), link(delivery, about))
    facts = (("status told", delivery.told_status),) if delivery.told_status else ()
    return Line(event.at, _ICONS[event.kind], "delivery", what, "", (), facts)


def _words(text: str) -> str:
    return text.replace("_", " ")


_TOLD: dict[Kind, Callable[[Event], Line]] = {
    Kind.ACTION: _action,
    Kind.CONSENT: _consent,
    Kind.MERGE: _merge,
    Kind.DELIVERY: _delivery,
}
