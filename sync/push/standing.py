"""How a destination stands, read and written as a value under a lock: all workers see the same circuit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog
from django.db import transaction

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
