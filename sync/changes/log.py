"""Signals become rows of the change log, in the transaction of the batch.

The lock that every writer takes first is held until the commit is visible, so the ids are in commit order and whoever
reads `id > after` never misses one.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.dispatch import receiver
from django.utils import timezone

from sync import signals
from sync.models import Change, bulk
from sync.rules.newest import canonical
from sync.terms import to_instant

_COLUMNS = ("kind", "object", "object_id", "occurred_at", "data", "origin")


#: How often a process looks for changes that are older than what is kept, and how many go at a time.
_FORGET_EVERY = 600.0
_AT_ONCE = 20_000
_NEWEST_OLD = (
    "SELECT max(id) FROM (SELECT id, occurred_at FROM sync_change ORDER BY id LIMIT %s) AS oldest"
    " WHERE occurred_at < %s"
)
_forgot_at = [0.0]


def forget_old() -> None:
    """Delete changes older than CHANGES_KEEP_DAYS but the last of them, so that its reader has missed nothing."""
    before = timezone.now() - timedelta(days=settings.CHANGES_KEEP_DAYS)
    [(newest_old,)] = bulk.select(_NEWEST_OLD, [_AT_ONCE, before])
    if newest_old is not None:
        bulk.execute("DELETE FROM sync_change WHERE id < %s", [newest_old])


def _record(kind: str, origin: str, lines: Iterable[tuple[int, str]]) -> None:
    """Write a line for each object; `lines` are their ids, with data as JSON."""
    now = to_instant(timezone.now())
    # Here, under the lock of the writer, so that nobody else does the same.
    if time.monotonic() > _forgot_at[0] + _FORGET_EVERY:
        _forgot_at[0] = time.monotonic()
        forget_old()
    name = kind.partition(".")[0]
    rows = [(kind, name, object_id, now, data, origin) for object_id, data in lines]
    bulk.insert(Change, _COLUMNS, rows)


def _of_ids(signal: Any, kind: str) -> None:
    @receiver(signal, weak=False, dispatch_uid=f"sync.changes.{kind}")
    def record(*, ids: Iterable[int], origin: str, **_: Any) -> None:
        _record(kind, origin, ((object_id, "{}") for object_id in ids))


def connect() -> None:
    """Listen to what the store tells."""
    for signal, kind in (
        (signals.supporter_changed, "supporter.changed"),
        (signals.supporter_erased, "supporter.erased"),
        (signals.action_recorded, "action.recorded"),
        (signals.action_changed, "action.changed"),
        (signals.consent_recorded, "consent.recorded"),
        (signals.campaign_changed, "campaign.changed"),
        (signals.page_changed, "page.changed"),
        (signals.org_changed, "org.changed"),
    ):
        _of_ids(signal, kind)
    signals.supporter_merged.connect(_merged, weak=False, dispatch_uid="sync.changes.merged")
    signals.subscription_changed.connect(_subscription, weak=False, dispatch_uid="sync.changes.subscription")


def _merged(*, merged: dict[int, int], origin: str, **_: Any) -> None:
    _record("supporter.merged", origin, ((former, canonical({"into": into})) for former, into in merged.items()))


def _subscription(*, subscriptions: Iterable[tuple[int, str, int]], origin: str, **_: Any) -> None:
    data = cache(lambda status, org: canonical({"status": status, "org": org}))
    _record(
        "subscription.changed", origin, ((object_id, data(status, org)) for object_id, status, org in subscriptions)
    )
