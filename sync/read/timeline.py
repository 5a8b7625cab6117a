"""A person's story in time order, newest first: actions, consents, merges, deliveries. Read a page at a time.

A page is cut by (time, kind, id), so that it stays where it is while new events come in above it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from sync.models import Action, Consent, Delivery, FormerSupporter
from sync.terms import to_datetime, to_instant

PAGE = 200
_LARGEST_ID = 2**63 - 1


class Kind(StrEnum):
    """What happened; at equal times the first of these is shown below the others."""

    ACTION = "action"
    CONSENT = "consent"
    MERGE = "merge"
    DELIVERY = "delivery"


_RANKS = {kind: rank for rank, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, with its row: an Action, a Consent entry, a FormerSupporter or a Delivery."""

    at: datetime
    kind: Kind
    id: int
    row: Any

    @property
    def place(self) -> Place:
        """Where it stands among all events of the person."""
        return Place(to_instant(self.at), _RANKS[self.kind], self.id)


class Place(NamedTuple):
    """Where an event stands; larger is newer."""

    at: int
    rank: int
    id: int


@dataclass(frozen=True, slots=True)
class Page:
    """Events, newest first, and the cursor of the next page where there is one."""

    events: tuple[Event, ...]
    older: str | None


class _Source(NamedTuple):
    kind: Kind
    time: str
    read: Callable[[int], QuerySet[Any]]


def timeline(supporter: int, *, before: str | None = None, limit: int = PAGE) -> Page:
    """Return the newest events of a supporter, or those before a cursor; raises ValueError for one that is none."""
    place = None if before is None else _parse(before)
    found = [event for source in _SOURCES for event in _events(source, supporter, place, limit + 1)]
    found.sort(key=lambda event: event.place, reverse=True)
    events = tuple(found[:limit])
    return Page(events, _text(events[-1].place) if len(found) > limit else None)


def _events(source: _Source, supporter: int, before: Place | None, most: int) -> list[Event]:
    rows = source.read(supporter)
    if before is not None:
        rows = rows.filter(_older(source, before))
    newest = rows.order_by(f"-{source.time}", "-pk")[:most]
    return [Event(getattr(row, source.time), source.kind, row.pk, row) for row in newest]


def _older(source: _Source, place: Place) -> Q:
    at, rank = to_datetime(place.at), _RANKS[source.kind]
    earlier = Q(**{f"{source.time}__lt": at})
    if rank > place.rank:
        return earlier
    if rank < place.rank:
        return earlier | Q(**{source.time: at})
    return earlier | Q(**{source.time: at, "pk__lt": place.id})


def _text(place: Place) -> str:
    return "_".join(map(str, place))


def _parse(text: str) -> Place:
    parts = text.split("_")
    if len(parts) != len(Place._fields):
        raise ValueError("not a cursor")
    place = Place(*map(int, parts))
    try:
        to_datetime(place.at)
    except OverflowError:
        raise ValueError("not a cursor") from None
    if not 0 <= place.id <= _LARGEST_ID:
        raise ValueError("not a cursor")
    return place


def _actions(supporter: int) -> QuerySet[Action]:
    # A campaign's configuration can be large, and is not told here.
    return (
        Action.objects.filter(supporter_id=supporter)
        .select_related("campaign", "action_page", "org")
        .defer("said", "campaign__config", "campaign__given", "action_page__given", "org__given")
    )


def _consents(supporter: int) -> QuerySet[Consent]:
    return Consent.objects.filter(supporter_id=supporter).select_related("org").defer("org__given")


def _merges(supporter: int) -> QuerySet[FormerSupporter]:
    return FormerSupporter.objects.filter(into_id=supporter)


def _deliveries(supporter: int) -> QuerySet[Delivery]:
    # Each destination's newest one of the person, and one for each action.
    rows = Delivery.objects.filter(supporter_id=supporter, delivered_at__isnull=False)
    return rows.select_related("destination").only(
        "kind", "state", "action_id", "delivered_at", "told_status", "destination__name", "destination__org_id"
    )


_SOURCES = (
    _Source(Kind.ACTION, "created_at", _actions),
    _Source(Kind.CONSENT, "occurred_at", _consents),
    _Source(Kind.MERGE, "since", _merges),
    _Source(Kind.DELIVERY, "delivered_at", _deliveries),
)
