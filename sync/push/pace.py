"""How fast a destination is asked: requests wait for their turn, of all workers and pages together."""

from __future__ import annotations

import math
import time
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from sync.connectors.contract import Connector, NoAnswer
from sync.models import Destination, DestinationState


def wait(destination: Destination, connector: Connector, most: float = math.inf) -> None:
    """Wait for the next turn; raises `NoAnswer` where that is more than so many seconds away, and takes none."""
    rates = [one for one in (connector.rate, destination.rate_limit) if one]
    if rates:
        time.sleep(_turn(destination, timedelta(seconds=1 / min(rates)), most))


def _turn(destination: Destination, gap: timedelta, most: float) -> float:
    with transaction.atomic():
        now = timezone.now()
        rows = DestinationState.objects.select_for_update().filter(pk=destination.pk)
        last = rows.values_list("next_slot_at", flat=True).first()
        turn = max(now, last) if last is not None else now
        seconds = (turn - now).total_seconds()
        if seconds > most:
            raise NoAnswer("its requests a second leave no turn in time")
        rows.update(next_slot_at=turn + gap)
    return max(seconds, 0.0)
