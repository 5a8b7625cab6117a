"""The loop: a batch, open, store, settle; until stopped, or the source is empty, or the limit is reached.

    next ──▶ dump, open ──▶ store (in the thread aside) ──▶ settle
      ▲                       │ the database is away
      │                       ▼
      │                     hold the batch, try again; some minutes ──▶ release ──▶ wait for it ──▶ resume
      └─────────────────────────────────────────────────────────────────────────────────────────────┘

While one batch is stored the next one is opened, and no more than that one. This thread never blocks on the database
or the network, so that it hears a stop at any time.
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
from sync.intake.take import Opened, open_all, store
from sync.proca.encryption import KeyStore
from sync.processes import Aside, Numbers, Stop, Task
from sync.store.errors import Away
from sync.terms import Instant, Verdict

log = structlog.get_logger(__name__)

T = TypeVar("T")

_SLICE = 0.1
#: How often to look whether the next batch can be opened, while one is stored.
_GLANCE = 0.005
_SECONDS_BETWEEN_RETRIES = 30.0
_SECONDS_BETWEEN_FULL_COLLECTIONS = 600.0
#: How long to wait for the database before the next attempt.
_PAUSES = (0.5, 5.0)
#: After a stop: for a batch in its first attempt, and for a database that was waited for already.
_GRACE = (30.0, 1.0)


@dataclass(frozen=True, slots=True)
class InHand:
    """A batch, and its messages opened."""

    batch: Batch
    opened: list[Opened]


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
        self._collect_at = time.monotonic() + _SECONDS_BETWEEN_FULL_COLLECTIONS
        self._ahead: InHand | None = None
        self._aside = Aside("database")

    def run(self) -> Numbers:
        """Return what was counted; raises `SourceFailed` for a source that cannot go on."""
        try:
            with _nothing_collected():
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
        while not self._stop.asked and (self._ahead is not None or self._goes_on()):
            self._retry_kept()
            self._tell()
            if self._ahead is None:
                self._look_ahead(_SLICE, 0)
            in_hand, self._ahead = self._ahead, None
            if in_hand is not None and self._source.holds(in_hand.batch):
                self._deal_with(in_hand)

    def _goes_on(self) -> bool:
        return not self._source.finished and self._left() > 0

    def _left(self) -> float:
        limit = self._order.limit
        return math.inf if limit is None else limit - self.totals.received

    def _look_ahead(self, wait: float, in_hand: int) -> None:
        """Read and open a batch, beside one of `in_hand` messages that is not settled yet."""
        left = int(min(self._left() - in_hand, 2**31))
        batch = self._source.next(wait, left) if left > 0 else None
        if batch is None:
            return
        if self._order.dump is not None:
            self._order.dump.write(batch.raws)
        self._ahead = InHand(batch, open_all(batch.raws, self._keys, now=_now()))

    def _deal_with(self, in_hand: InHand) -> None:
        """Store a batch and settle it; a batch that the source took back meanwhile comes again."""
        batch, results = in_hand.batch, self._held(in_hand)
        if results is None:
            return
        self._source.settle(batch, results)
        self.totals.add(results)
        if not self._source.holds(batch):
            # The database took it after all, too late to say so: it comes again, and changes nothing.
            self._source.resume()

    def _held(self, in_hand: InHand) -> list[Result] | None:
        """Return what became of a batch; None where the database stayed away for too long to hold it."""
        size = len(in_hand.batch.raws)
        until = time.monotonic() + self._source.patience
        pause = _PAUSES[0]
        grace = _GRACE[0]
        while True:
            try:
                return self._await(self._storing(in_hand, dry_run=self._order.dry_run), grace, until, size)
            except Away as away:
                if grace == _GRACE[0]:
                    log.warning("database_away", reason=away.reason, messages_in_hand=size)
            grace = _GRACE[1]
            if time.monotonic() >= until or not self._source.holds(in_hand.batch):
                self._come_back_with_database(in_hand)
                return None
            self._wait(pause)
            pause = min(2 * pause, _PAUSES[1])

    def _come_back_with_database(self, in_hand: InHand) -> None:
        """Let everything go once, and receive again only when the database would take this batch."""
        log.warning("released", messages=len(in_hand.batch.raws))
        self._source.release()
        while True:
            try:
                self._await(self._storing(in_hand, dry_run=True), _GRACE[1])
            except Away:
                self._wait(_PAUSES[1])
            else:
                break
        log.info("database_back")
        self._source.resume()

    def _storing(self, in_hand: InHand, *, dry_run: bool) -> Task[list[Result]]:
        return self._aside.start(partial(_store, in_hand, dry_run))

    def _await(self, task: Task[T], grace: float, release_at: float = math.inf, in_hand: int = 0) -> T:
        """Wait for the thread aside; a database that hangs for too long must not keep the source waiting."""
        while not task.over.wait(_SLICE if self._ahead or not in_hand else _GLANCE):
            self._tell()
            if self._stop.seconds > grace:
                raise Stopped
            if time.monotonic() >= release_at:
                log.warning("database_hangs")
                self._source.release()
                release_at, grace = math.inf, _GRACE[1]
            elif in_hand and self._ahead is None and not self._stop.asked:
                self._look_ahead(0, in_hand)
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
        self._collect()
        try:
            retried = self._await(self._aside.start(partial(_retry_kept, self._keys)), _GRACE[1])
        except Away:
            return
        if retried != Retried():
            log.info("quarantine_retried", stored=retried.stored, kept=retried.kept)

    def _collect(self) -> None:
        """Free the circles that a driver or a receiver makes; seldom also the old ones, of connections that broke."""
        is_time = time.monotonic() >= self._collect_at
        gc.collect(2 if is_time else 1)
        if is_time:
            self._collect_at = time.monotonic() + _SECONDS_BETWEEN_FULL_COLLECTIONS

    def _tell(self) -> None:
        if time.monotonic() >= self._report_at:
            self._report_at = time.monotonic() + 1
            depth = {} if self._source.depth is None else {"now_depth": self._source.depth}
            self._report(self.totals.numbers() | depth)


def _store(in_hand: InHand, dry_run: bool) -> list[Result]:
    # A connection that broke, or that is too old, is made anew.
    close_old_connections()
    return store(in_hand.batch.raws, in_hand.opened, dry_run=dry_run)


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Keep Python from looking for circles while it works: that was a fifth of all time.

    A batch makes none, and goes as soon as it is dealt with.
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
