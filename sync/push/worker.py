"""The loop: for each destination in turn what is due, a batch, what the CRM says; until stopped, or all is delivered.

    changes ──▶ due ──▶ claim ──▶ snapshot ──▶ send ──▶ decide ──▶ finish
                         │                      │ each request: is the lease still ours, is the person still there
                         │                      ▼
                         │                 the CRM knows of a stop ──▶ back ──▶ ledger ──▶ the other destinations
                         └── circuit open, paused: nothing is claimed

Everything it needs to go on is in the database, so a kill at any moment costs a repeated delivery at most.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from django.db import close_old_connections
from django.utils import timezone

from sync.models import Destination, DestinationState
from sync.processes import Numbers, Stop
from sync.push import back, deliveries, destinations, due, filling, resealing
from sync.push.decide import paused
from sync.push.line import Line
from sync.push.registry import UnknownKind, connector
from sync.push.standing import write_circuit
from sync.sealing import Unsealable
from sync.store.errors import Away, told_apart

log = structlog.get_logger(__name__)

#: How long to wait when nothing is due.
_PAUSE = 0.2
_PAUSE_DATABASE = (0.5, 30.0)
_SECONDS_BETWEEN_CHORES = 60.0
_BATCHES_OF_CHANGES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to do: until nothing more is due (`drain`), for one destination (`only`, its id)."""

    drain: bool = False
    only: int | None = None


@dataclass(slots=True)
class Worker:
    """Delivers until it is stopped."""

    order: Order
    stop: Stop
    report: Callable[[Numbers], None] = lambda numbers: None
    counts: Counter[str] = field(default_factory=Counter)
    _lines: dict[int, Line] = field(default_factory=dict)
    _chores_at: float = 0.0
    _report_at: float = 0.0
    _has_resealed: bool = False

    def run(self) -> Numbers:
        """Return what was counted."""
        pause = _PAUSE_DATABASE[0]
        while not self.stop.asked:
            try:
                with told_apart():
                    busy = self._round()
            except Away as away:
                log.warning("database_away", reason=away.reason)
                close_old_connections()
                self.stop.wait(pause)
                pause = min(2 * pause, _PAUSE_DATABASE[1])
                continue
            pause = _PAUSE_DATABASE[0]
            self._tell()
            if not busy:
                if self.order.drain:
                    break
                self.stop.wait(_PAUSE)
        self._close()
        return self._numbers()

    def _round(self) -> bool:
        """Give every destination its turn; tell whether any had something to do."""
        self._chores()
        busy = False
        for destination in self._destinations():
            if self.stop.asked:
                break
            busy |= self._turn(destination)
        return busy

    def _destinations(self) -> list[Destination]:
        rows = Destination.objects.select_related("standing").filter(standing__position__isnull=False)
        if self.order.only is not None:
            rows = rows.filter(pk=self.order.only)
        found = list(rows.order_by("pk"))
        for gone in self._lines.keys() - {one.pk for one in found}:
            self._lines.pop(gone).close()
        return found

    def _turn(self, destination: Destination) -> bool:
        try:
            kind = connector(destination.kind)
        except UnknownKind:
            log.warning("kind_not_installed", destination=destination.pk)
            return False
        read = self._read_changes(destination)
        standing: DestinationState = destination.standing
        now = timezone.now()
        if standing.state == "paused" or (standing.blocked_until is not None and standing.blocked_until > now):
            return read
        filled = filling.fill(destination, kind)
        try:
            line = self._line(destination)
        except Unsealable:
            write_circuit(destination.pk, lambda circuit: paused(circuit, destinations.SEALED, now), now)
            return read
        polled = back.poll(destination, kind, line.context) if back.poll_is_due(destination, kind, now) else False
        sent = line.deliver(self.counts, self.stop)
        return read or filled or polled or sent

    def _read_changes(self, destination: Destination) -> bool:
        read = 0
        for _ in range(_BATCHES_OF_CHANGES):
            number = due.read_changes(destination, connector(destination.kind))
            read += number
            if number < due.BATCH or self.stop.asked:
                break
        return read > 0

    def _line(self, destination: Destination) -> Line:
        line = self._lines.get(destination.pk)
        if line is None or line.is_outdated(destination):
            if line is not None:
                line.close()
            line = self._lines[destination.pk] = Line(destination)
        line.destination = destination
        return line

    def _chores(self) -> None:
        if time.monotonic() >= self._chores_at:
            self._chores_at = time.monotonic() + _SECONDS_BETWEEN_CHORES
            if not self._has_resealed:
                # Once: keys do not change while it runs.
                resealing.reseal()
                self._has_resealed = True
            expired = deliveries.expire_orders(timezone.now())
            if expired:
                log.error("orders_to_forget_expired", number=expired)

    def _tell(self) -> None:
        if time.monotonic() >= self._report_at:
            self._report_at = time.monotonic() + 1
            self.report(self._numbers())

    def _numbers(self) -> Numbers:
        return {name: self.counts[name] for name in ("delivered", "failed", "skipped")}

    def _close(self) -> None:
        for line in self._lines.values():
            line.close()
