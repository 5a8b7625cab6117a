"""How a destination stands, read and written as a value under a lock: all workers see the same circuit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from django.db import transaction
from django.utils import timezone

from sync.models import DestinationState
from sync.push.decide import Circuit

log = structlog.get_logger(__name__)

_FIELDS = ("state", "reason", "since", "failures", "failing_since", "blocked_until", "limited")


def circuit_of(standing: DestinationState) -> Circuit:
    """Return how a destination stands as a value."""
    return Circuit(
        state=standing.state,
        reason=standing.reason,
        since=standing.since,
        failures=standing.failures,
        failing_since=standing.failing_since,
        blocked_until=standing.blocked_until,
        limited=standing.limited,
    )


def in_words(standing: DestinationState) -> str:
    """Return why nothing is sent for now; empty where it is."""
    until = standing.blocked_until
    if standing.state == "paused" or until is None or until <= timezone.now():
        return standing.reason
    reason = standing.reason or "it asked to be sent less"
    return f"{reason}; nothing is sent before {until.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def write_circuit(
    destination_id: int, change: Callable[[Circuit], Circuit], now: datetime, *, delivered: bool = False
) -> DestinationState:
    """Change the circuit as it is now, whatever others did meanwhile: a pause by hand stays one."""
    with transaction.atomic():
        row = DestinationState.objects.select_for_update().get(pk=destination_id)
        before = circuit_of(row)
        circuit = change(before)
        for name in _FIELDS:
            setattr(row, name, getattr(circuit, name))
        if delivered:
            row.delivered_at = now
        row.save(update_fields=[*_FIELDS, "delivered_at"])
    if circuit.state != before.state:
        log.warning("destination_changed", destination=destination_id, state=circuit.state, reason=circuit.reason)
    return row
