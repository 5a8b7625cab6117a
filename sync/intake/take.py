"""Raw messages become verdicts: open, store in one call, split where that fails until the bad one is alone.

    raws ── read, facts ──▶ arrivals ── write ──▶ verdicts
                │                         │ fails without a known reason
                │ fails                   ▼
                └────────▶ that message   halves, each by itself … one message: quarantine, or given up

No loop, no AMQP: the API and the retry of quarantined messages call `take`. The worker calls its two halves, so that a
batch is opened while the database works on the one before.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from django.conf import settings

from sync.intake.sources import GivenUp, NotKept, Raw, Result
from sync.proca import messages
from sync.proca.encryption import KeyStore
from sync.proca.messages import Unreadable
from sync.rules import facts
from sync.store.arrivals import Arrival, Unstorable
from sync.store.errors import Away, Refused
from sync.store.write import write
from sync.terms import Instant

log = structlog.get_logger(__name__)

Opened = Arrival | Unstorable | GivenUp


def take(raws: Sequence[Raw], keys: KeyStore, *, now: Instant, dry_run: bool = False) -> list[Result]:
    """Return what became of each message, in order; raises `Away` when the database is.

    What was stored before it went comes again as a duplicate, so the whole batch may be repeated.
    """
    return store(raws, open_all(raws, keys, now=now), dry_run=dry_run)


def open_all(raws: Sequence[Raw], keys: KeyStore, *, now: Instant) -> list[Opened]:
    """Return the facts of each message, or why there are none; without the database."""
    return [_opened(raw, keys, now) for raw in raws]


def store(raws: Sequence[Raw], opened: Sequence[Opened], *, dry_run: bool = False) -> list[Result]:
    """Return what became of each opened message, in order; raises `Away`, and may be repeated."""
    waiting = [(raw, arrival) for raw, arrival in zip(raws, opened, strict=True) if not isinstance(arrival, GivenUp)]
    stored = iter(_stored(waiting, dry_run))
    return [arrival if isinstance(arrival, GivenUp) else next(stored) for arrival in opened]


def _opened(raw: Raw, keys: KeyStore, now: Instant) -> Opened:
    """Return the facts of a message, or why there are none. What goes wrong in here is its own alone."""
    try:
        message = messages.read(raw.body, keys, now=now)
        if isinstance(message, Unreadable):
            return _unreadable(raw, message)
        said = facts.of_message(message, raw.reader)
        return Arrival(facts=said, source=raw.queue, quarantine_id=raw.quarantine_id)
    except Exception as error:  # noqa: BLE001 - one of the two places that catch everything
        return _failed(raw, error)


def _stored(waiting: list[tuple[Raw, Arrival | Unstorable]], dry_run: bool) -> list[Result]:
    """Store these in one transaction, or in as few as it takes to set the bad ones apart."""
    if not waiting:
        return []
    try:
        return list(write([arrival for _, arrival in waiting], dry_run=dry_run))
    except Away:
        raise
    except Exception as error:  # noqa: BLE001 - one of the two places that catch everything
        if len(waiting) == 1:
            return [_alone(*waiting[0], error, dry_run)]
    middle = len(waiting) // 2
    return _stored(waiting[:middle], dry_run) + _stored(waiting[middle:], dry_run)


def _alone(raw: Raw, arrival: Arrival | Unstorable, error: Exception, dry_run: bool) -> Result:
    """Settle a message that fails by itself. What quarantine does not take either must not stop the queue."""
    if isinstance(arrival, Unstorable):
        if not raw.has_retry:
            raise NotKept(_code(error)) from None
        return _give_up(raw, error)
    outcome = _failed(raw, error)
    if isinstance(outcome, GivenUp):
        return outcome
    return _stored([(raw, outcome)], dry_run)[0]


def _failed(raw: Raw, error: Exception) -> Unstorable | GivenUp:
    """Give a message up while that brings it back and it was not given up too often."""
    if isinstance(error, Refused):
        return _quarantined(raw, code=error.code)
    if raw.has_retry and raw.rejected < settings.PROCA_MAX_RETRIES:
        return _give_up(raw, error)
    log.error("message_failed", queue=raw.queue, error=_name(error), line=_place(error))
    return _quarantined(raw, code="failed", where=_name(error))


def _give_up(raw: Raw, error: Exception) -> GivenUp:
    log.error("message_given_up", queue=raw.queue, times_before=raw.rejected, error=_name(error), line=_place(error))
    return GivenUp(f"failed:{_name(error)}")


def _unreadable(raw: Raw, reason: Unreadable) -> Unstorable:
    return _quarantined(raw, code=str(reason.code), where=reason.where, not_before=reason.not_before)


def _quarantined(raw: Raw, *, code: str, where: str = "", not_before: Instant | None = None) -> Unstorable:
    return Unstorable(
        body=raw.body,
        headers=raw.headers,
        source=raw.queue,
        reader=raw.reader,
        code=code,
        where=where,
        not_before=not_before,
        quarantine_id=raw.quarantine_id,
    )


def _code(error: Exception) -> str:
    return error.code if isinstance(error, Refused) else _name(error)


def _name(error: Exception) -> str:
    return type(error).__name__


def _place(error: Exception) -> str:
    """Return our line that an error comes from. Its text and traceback may quote what a message says."""
    ours = ""
    trace = error.__traceback__
    while trace is not None:
        before, room, file = trace.tb_frame.f_code.co_filename.rpartition("/sync/")
        if before and room:
            ours = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return ours
