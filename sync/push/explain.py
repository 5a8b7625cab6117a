"""What a destination was told of a person, and if not, why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sync.models import Delivery, Destination, Supporter
from sync.push import audience
from sync.push.standing import in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How a destination and a person stand: `why` says why not, in one of a few words, or in the CRM's own."""

    destination: Destination
    told: bool
    at: datetime | None
    state: str
    status: str | None
    why: str


def of_supporter(supporter: int, destinations: Iterable[Destination]) -> list[Told]:
    """Return this for each of these destinations."""
    person = Supporter.objects.filter(pk=supporter).first()
    if person is None:
        return []
    rows = Delivery.objects.filter(supporter_id=supporter).exclude(kind="action")
    known = {row.destination_id: row for row in rows}
    return [_told(person, one, known) for one in destinations]


def _told(supporter: Supporter, destination: Destination, known: Mapping[int, Delivery]) -> Told:
    row = known.get(destination.pk)
    return Told(
        destination=destination,
        told=row is not None and row.told > 0,
        at=row.delivered_at if row is not None else None,
        state=row.state if row is not None else "",
        status=row.told_status if row is not None else None,
        why=_why(supporter, destination, row),
    )


def _why(supporter: Supporter, destination: Destination, row: Delivery | None) -> str:
    if row is not None and row.state == "delivered":
        return ""
    if row is not None and row.state == "rejected":
        return f"rejected: {row.error}"
    if supporter.action_count == 0 and not destination.testing:
        return "testing"
    if not audience.among(destination, [supporter.pk]) and (row is None or row.told <= 0):
        return "audience"
    standing = destination.standing
    if standing.state == "paused":
        return f"paused: {standing.reason}" if standing.reason else "paused"
    if standing.state == "failing":
        return f"failing: {in_words(standing)}"
    if row is not None and row.due_at is not None and (wait := in_words(standing)):
        return f"waiting: {wait}"
    return f"waiting: {row.error}" if row is not None and row.error else "waiting"
