"""Everybody, little by little: a first filling, or a resync, queued in slices beside the daily flow.

A slice is queued only when the last one is nearly delivered, so that whoever changed today waits for a slice at most.
Who is new to a destination comes with all their actions; of who was told before only the state goes again.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from sync.changes import feed
from sync.connectors.contract import Connector
from sync.models import Delivery, Destination, DestinationState, Supporter
from sync.push import audience
from sync.push.deliveries import due_now
from sync.push.due import Queue, locked_state

SLICE = 500


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a filling is: ids of supporters done and in all."""

    done: int
    total: int


def begin(destination_id: int, *, everybody: bool) -> None:
    """Begin to fill from the first supporter; `everybody` includes those whom the destination was told already."""
    last = Supporter.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    with transaction.atomic():
        standing = DestinationState.objects.select_for_update().get(pk=destination_id)
        standing.filling_everybody = everybody or (standing.filling_after is not None and standing.filling_everybody)
        standing.filling_after, standing.filling_until = 0, last
        standing.save(update_fields=["filling_after", "filling_until", "filling_everybody"])


def progress(standing: DestinationState) -> Progress | None:
    """Return how far the filling is; None while there is none."""
    if standing.filling_after is None:
        return None
    return Progress(min(standing.filling_after, standing.filling_until), standing.filling_until)


def fill(destination: Destination, connector: Connector) -> bool:
    """Queue the next slice where there is one and few are due; tell whether something was queued."""
    now = timezone.now()
    standing = DestinationState.objects.filter(pk=destination.pk, filling_after__isnull=False).first()
    if standing is None or due_now(destination.pk, now, SLICE // 2) >= SLICE // 2:
        return False
    with transaction.atomic():
        locked = locked_state(destination.pk)
        if locked is None or locked.filling_after != standing.filling_after:
            return False
        _slice(destination, connector, locked)
    return True


def _slice(destination: Destination, connector: Connector, standing: DestinationState) -> None:
    first, until = standing.filling_after or 0, standing.filling_until
    version = feed.newest_id()
    queue = Queue(destination, connector, timezone.now())
    if standing.filling_everybody:
        until = _last_known(destination, first, until)
    last, strangers = _next(destination, first, until)
    if standing.filling_everybody:
        queue.again(first, last, version)
    queue.want(strangers, version)
    standing.filling_after = None if last >= standing.filling_until else last
    standing.save(update_fields=["filling_after"])


def _next(destination: Destination, first: int, until: int) -> tuple[int, list[int]]:
    """The next people of the audience whom the destination was never told, and the id up to which that is all."""
    people = audience.members(destination, gt=first, lte=until).order_by("pk")
    ids = list(people.values_list("pk", flat=True)[:SLICE])
    last = ids[-1] if len(ids) == SLICE else until
    known = set(
        Delivery.objects.filter(destination_id=destination.pk, supporter_id__gt=first, supporter_id__lte=last)
        .exclude(kind="action")
        .values_list("supporter_id", flat=True)
    )
    return last, [one for one in ids if one not in known]


def _last_known(destination: Destination, first: int, until: int) -> int:
    """The id up to which a slice of those reaches whom the destination was told."""
    rows = Delivery.objects.filter(
        destination_id=destination.pk, kind="person", supporter_id__gt=first, supporter_id__lte=until
    )
    ids = list(rows.order_by("supporter_id").values_list("supporter_id", flat=True)[:SLICE])
    return ids[-1] if len(ids) == SLICE else until
