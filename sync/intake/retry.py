"""Quarantined messages tried again: somebody mended what was wrong, or their time has come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sync.intake.sources import Raw
from sync.intake.take import take
from sync.models import QuarantinedMessage
from sync.proca.encryption import KeyStore
from sync.store.errors import told_apart
from sync.terms import Instant, Verdict, to_datetime

#: Bodies can be large, and whoever retries looks at the result.
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Retried:
    """How many left the quarantine, and how many are still there."""

    stored: int = 0
    kept: int = 0

    def __add__(self, other: Retried) -> Retried:
        return Retried(self.stored + other.stored, self.kept + other.kept)


def retry(ids: Sequence[int], keys: KeyStore, *, now: Instant) -> Retried:
    """Try these rows again, oldest first, each with the reader it was kept for; raises `Away`."""
    total = Retried()
    for raws in _raws(sorted(ids)):
        results = take(raws, keys, now=now)
        kept = sum(result is Verdict.QUARANTINED for result in results)
        total += Retried(len(results) - kept, kept)
    return total


def retry_due(keys: KeyStore, *, now: Instant) -> Retried:
    """Try what was kept for its time, which is now; raises `Away`."""
    return retry(due(now), keys, now=now)


def due(now: Instant) -> list[int]:
    """Return the ids of rows whose time has come."""
    with told_apart():
        return list(QuarantinedMessage.objects.filter(not_before__lte=to_datetime(now)).values_list("pk", flat=True))


def _raws(ids: Sequence[int]) -> Iterator[list[Raw]]:
    for start in range(0, len(ids), _AT_ONCE):
        rows = QuarantinedMessage.objects.filter(pk__in=ids[start : start + _AT_ONCE]).order_by("pk")
        with told_apart():
            raws = [_raw(row) for row in rows]
        yield raws


def _raw(row: QuarantinedMessage) -> Raw:
    return Raw(
        body=bytes(row.body),
        queue=row.queue,
        reader=row.reader,
        headers=row.headers,
        quarantine_id=row.pk,
    )
