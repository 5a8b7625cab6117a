"""How many deliveries stand how, counted up to a limit: a page must not wait for millions of rows."""

from __future__ import annotations

from dataclasses import dataclass

from sync.models import Delivery, Destination

MOST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """People and orders: `waiting` for their turn, `rejected` by the CRM, orders `to_forget` not delivered yet."""

    waiting: int
    rejected: int
    to_forget: int


def of(destination: Destination) -> Standing:
    """Return this of a destination."""
    rows = Delivery.objects.filter(destination_id=destination.pk)
    due = rows.filter(due_at__isnull=False).exclude(kind="action")
    return Standing(
        waiting=due.order_by("due_at")[:MOST].count(),
        rejected=rows.filter(state="rejected")[:MOST].count(),
        to_forget=due.filter(kind="erasure")[:MOST].count(),
    )
