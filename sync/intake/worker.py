"""The loop: a batch, take, settle; until stopped, or the source is empty, or the limit is reached.

    next ──▶ dump ──▶ take (in the thread aside) ──▶ settle
      ▲                 │ the database is away
      │                 ▼
      │               hold the batch, try again; some minutes ──▶ release ──▶ wait for it ──▶ resume
      └───────────────────────────────────────────────────────────────────────────────────────┘

This thread never blocks on the database or the network, so that it hears a stop at any time.
"""

from __future__ import annotations

import gc
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import structlog
from django.db import close_old_connections, connections

from sync.intake.dump import Dump
from sync.intake.retry import Retried, retry_due
from sync.intake.sources import Batch, GivenUp, Result, Source
from sync.intake.take import take
from sync.proca.encryption import KeyStore
from sync.processes import Aside, Numbers, Stop, Task
from sync.store.errors import Away
from sync.terms import Instant, Verdict

log = structlog.get_logger(__name__)

T = TypeVar("T")

_SLICE = 0.1
_SECONDS_BETWEEN_RETRIES = 30.0
#: How long to wait for the database before the next attempt.
_PAUSES = (0.5, 5.0)
#: After a stop: for a batch in its first attempt, and for a database that was waited for already.
_GRACE = (30.0, 1.0)


class Stopped(Exception):
    """Asked to end while waiting for the database: what is in hand goes back to where it came from."""


@dataclass(slots=True)
class Totals:
    """What became of every message received. Each counts once."""

    started: float = field(default_factory=time.monotonic)
    verdicts: Counter[Verdict] = field(default_factory=Counter)

    @property
    def received(self) -> int:
        """How many messages there were."""
        return self.verdicts.total()

    def add(self, results: Sequence[Result]) -> None:
        """Count a batch."""
        self.verdicts.update(Verdict.REJECTED if isinstance(result, GivenUp) else result for result in results)

    def numbers(self) -> Numbers:
        """Return the counts in the order of the summary."""
        counted: Numbers = {str(verdict): self.verdicts[verdict] for verdict in Verdict}
        return {"received": self.received, **counted}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """How the loop runs: `limit` messages at most; a dry run commits and settles nothing."""

    limit: int | None = None
    dry_run: bool = False
    dump: Dump | None = None


class Worker:
    """Runs one source to its end."""

    def __init__(
        self,
        source: Source,
        keys: KeyStore,
        order: Order,
        *,
        stop: Stop,
        report: Callable[[Numbers], None] = lambda numbers: None,
    ) -> None:
        self.totals = Totals()
        self._source = source
        self._keys = keys
        self._order = order
        self._stop = stop
        self._report = report
        self._report_at = self._retry_at = 0.0
        self._aside = Aside("database")

    def run(self) -> Numbers:
        """Return what was counted; raises `SourceFailed` for a source that cannot go on."""
        try:
            self._loop()
        except Stopped:
            log.info("stopped_waiting_for_database")
        finally:
            self._source.close()
            self._aside.start(connections.close_all)
            self._aside.close(_GRACE[1])
        return self.totals.numbers()

    def _loop(self) -> None:
        self._retry_kept()
        while not (self._stop.asked or self._source.finished or self._left() <= 0):
            self._retry_kept()
            self._tell()
            batch = self._source.next(_SLICE, int(min(self._left(), 2**31)))
            if batch is not None:
                self._deal_with(batch)

    def _left(self) -> float:
        limit = self._order.limit
        return math.inf if limit is None else limit - self.totals.received

    def _deal_with(self, batch: Batch) -> None:
        """Store a batch and settle it; a batch that the source took back meanwhile comes again."""
        if self._order.dump is not None:
            self._order.dump.write(batch.raws)
        results = self._held(batch)
        if results is None:
            return
        self._source.settle(batch, results)
        self.totals.add(results)
        if not self._source.holds(batch):
            # The database took it after all, too late to say so: it comes again, and changes nothing.
            self._source.resume()

    def _held(self, batch: Batch) -> list[Result] | None:
        """Return what became of a batch; None where the database stayed away for too long to hold it."""
        until = time.monotonic() + self._source.patience
        pause = _PAUSES[0]
        grace = _GRACE[0]
        while True:
            try:
                return self._await(self._taking(batch, dry_run=self._order.dry_run), grace, until)
            except Away as away:
                if grace == _GRACE[0]:
                    log.warning("database_away", reason=away.reason, messages_in_hand=len(batch.raws))
            grace = _GRACE[1]
            if time.monotonic() >= until or not self._source.holds(batch):
                self._come_back_with_database(batch)
                return None
            self._wait(pause)
            pause = min(2 * pause, _PAUSES[1])

    def _come_back_with_database(self, batch: Batch) -> None:
        """Let everything go once, and receive again only when the database would take this batch."""
        log.warning("released", messages=len(batch.raws))
        self._source.release()
        while True:
            try:
                self._await(self._taking(batch, dry_run=True), _GRACE[1])
            except Away:
                self._wait(_PAUSES[1])
            else:
                break
        log.info("database_back")
        self._source.resume()

    def _taking(self, batch: Batch, *, dry_run: bool) -> Task[list[Result]]:
        return self._aside.start(partial(_take, batch, self._keys, dry_run))

    def _await(self, task: Task[T], grace: float, release_at: float = math.inf) -> T:
        """Wait for the thread aside; a database that hangs for too long must not keep the source waiting."""
        while not task.over.wait(_SLICE):
            self._tell()
            if self._stop.seconds > grace:
                raise Stopped
            if time.monotonic() >= release_at:
                log.warning("database_hangs")
                self._source.release()
                release_at, grace = math.inf, _GRACE[1]
        return task.result()

    def _wait(self, seconds: float) -> None:
        self._tell()
        if self._stop.wait(seconds):
            raise Stopped

    def _retry_kept(self) -> None:
        """Try from time to time what was kept for its time; a database that is away says so soon enough."""
        if self._order.dry_run or time.monotonic() < self._retry_at:
            return
        self._retry_at = time.monotonic() + _SECONDS_BETWEEN_RETRIES
        try:
            retried = self._await(self._aside.start(partial(_retry_kept, self._keys)), _GRACE[1])
        except Away:
            return
        if retried != Retried():
            log.info("quarantine_retried", stored=retried.stored, kept=retried.kept)

    def _tell(self) -> None:
        if time.monotonic() >= self._report_at:
            self._report_at = time.monotonic() + 1
            depth = {} if self._source.depth is None else {"now_depth": self._source.depth}
            self._report(self.totals.numbers() | depth)


def _take(batch: Batch, keys: KeyStore, dry_run: bool) -> list[Result]:
    # A connection that broke, or that is too old, is made anew.
    close_old_connections()
    with _nothing_collected():
        return take(batch.raws, keys, now=_now(), dry_run=dry_run)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Keep Python from looking for cycles while a batch is in the making: that was a fifth of all time.

    What a batch makes lives until its end and goes together, in the one look right after it.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _retry_kept(keys: KeyStore) -> Retried:
    close_old_connections()
    return retry_due(keys, now=_now())


def _now() -> Instant:
    return time.time_ns() // 1000
