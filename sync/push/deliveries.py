"""The rows of deliveries: claimed in a short transaction, held while sending, finished.

    waiting, due ──claim──▶ leased ──before each request: held──▶ … ──finish──▶ delivered | waiting, later | rejected
                              │ a kill: the lease runs out
                              ▼
                            claimed again: what was sent is sent again, and bears it

Who finds their lease over sends nothing more, and finishes nothing. There is one lease for each batch, so that counting
leases tells how many workers are talking to a destination.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db import connection, transaction
from django.db.models import F

from sync.models import Delivery
from sync.models.bulk import among, instant, is_postgresql, listed, select
from sync.push.decide import Decision
from sync.push.http import CONNECT, READ, WHOLE
from sync.terms import to_datetime

#: Longer than the longest request, also where it was renewed so long ago as may be.
LEASE = timedelta(seconds=CONNECT + READ + WHOLE + 25)
RENEW_AFTER = timedelta(seconds=20)
#: An order to forget is given once more after this: a request that was in flight has arrived by then.
FORGET_AGAIN_AFTER = timedelta(hours=1)
#: An address is kept no longer than this for an order that cannot be delivered.
FORGET_WITHIN = timedelta(days=30)

_COLUMNS = (
    "id, kind, supporter_id, wanted, told, attempts, remote_id, remote_others, told_status, told_email, told_tags,"
    " created_at"
)
_CLAIM = (
    "UPDATE sync_delivery SET lease = %s, lease_until = %s, attempts = attempts + 1 WHERE id IN ("
    " SELECT id FROM sync_delivery WHERE destination_id = %s AND kind <> 'action' AND due_at IS NOT NULL"
    " AND due_at <= %s AND (lease_until IS NULL OR lease_until < %s) ORDER BY due_at, id LIMIT %s{skip}"
    f") RETURNING {_COLUMNS}"
)
#: Leased rows are among those that have been due longest, so nobody counts a million of them.
_TALKING = (
    "SELECT count(DISTINCT lease) FROM ("
    " SELECT lease, lease_until FROM sync_delivery WHERE destination_id = %s AND kind <> 'action'"
    " AND due_at IS NOT NULL ORDER BY due_at, id LIMIT %s"
    ") AS oldest WHERE lease <> '' AND lease_until >= %s"
)
_HELD = (
    "SELECT id, kind FROM sync_delivery d WHERE {ids} AND lease = %s AND lease_until >= %s AND (kind = 'erasure'"
    " OR EXISTS (SELECT 1 FROM sync_supporter s WHERE s.id = d.supporter_id))"
)
_NOT_ON_DISK = "SET LOCAL synchronous_commit TO off"
_BEHIND = "(kind <> %s OR (%s AND wanted > %s))"
_FINISH = (
    "UPDATE sync_delivery SET lease = '', lease_until = NULL,"
    f" state = CASE WHEN {_BEHIND} THEN 'waiting' ELSE %s END,"
    f" due_at = CASE WHEN {_BEHIND} THEN {{moment}} ELSE {{moment}} END,"
    f" attempts = CASE WHEN {_BEHIND} THEN 0 ELSE attempts - %s END,"
    " told = CASE WHEN %s THEN %s WHEN %s AND told = 0 THEN -1 ELSE told END,"
    " error = %s, delivered_at = COALESCE({moment}, delivered_at),"
    " remote_id = %s, remote_others = {json}, told_status = %s, told_email = %s, told_tags = {json}"
    " WHERE id = %s AND lease = %s"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A row that this worker holds."""

    id: int
    kind: str
    supporter: int
    wanted: int
    told: int
    attempts: int
    remote_id: str | None
    remote_others: tuple[str, ...]
    told_status: str | None
    told_email: str
    told_tags: tuple[str, ...]
    created_at: datetime

    @property
    def was_sent(self) -> bool:
        """Whether the destination may know of this person from us."""
        return bool(self.told or self.attempts > 1 or self.remote_id or self.told_email)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What is written of a row when it comes back; `told_*` as they are from now on."""

    row: Claimed
    decision: Decision
    remote_id: str | None
    remote_others: tuple[str, ...] = ()
    told_status: str | None = None
    told_email: str = ""
    told_tags: tuple[str, ...] = ()
    actions_done: tuple[int, ...] = ()
    actions_skipped: tuple[int, ...] = ()
    actions_rejected: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """How many workers may talk to a destination `at_once`, and how many rows each claims at most."""

    at_once: int
    batch: int


def new_lease() -> str:
    """Return the name of a lease that nobody else has."""
    return uuid4().hex


def claim(destination_id: int, lease: str, most: int, now: datetime, lines: Lines | None = None) -> list[Claimed]:
    """Take the rows that have been due longest; a person's order is kept, for there is one row of each.

    Nothing where as many workers are talking to the destination as `lines` allows.
    """
    skip = " FOR UPDATE SKIP LOCKED" if is_postgresql() else ""
    moment = _moment(now)
    with transaction.atomic():
        if lines is not None and not _is_free(destination_id, lines, moment):
            return []
        rows = select(
            _CLAIM.format(skip=skip),
            [lease, _moment(now + LEASE), destination_id, moment, moment, most],
        )
    return sorted(map(_claimed, rows), key=lambda row: row.id)


def _is_free(destination_id: int, lines: Lines, moment: Any) -> bool:
    """Tell whether one more worker may talk to a destination. One at a time asks; SQLite has one in all."""
    if not is_postgresql():
        return True
    select("SELECT pg_advisory_xact_lock(hashtextextended('lines to destination ' || %s, 0))::text", [destination_id])
    # Twice as many, for what became due in another order than it was claimed in.
    ((talking,),) = select(_TALKING, [destination_id, 2 * lines.at_once * lines.batch, moment])
    return bool(talking < lines.at_once)


def held(lease: str, ids: Collection[int], now: datetime) -> dict[int, str]:
    """Return the kinds, by id, of those rows that may still be sent under a lease."""
    return dict(select(_HELD.format(ids=among("id", "bigint")), [listed(ids), lease, _moment(now)]))


def renew(lease: str, ids: Collection[int], now: datetime) -> None:
    """Let a lease that is not over last longer."""
    rows = Delivery.objects.filter(pk__in=list(ids), lease=lease, lease_until__gte=now)
    rows.update(lease_until=now + LEASE)


def remember_addresses(lease: str, addresses: Sequence[tuple[int, str]]) -> None:
    """Keep what is about to be told (sealed) with the rows."""
    if addresses:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE sync_delivery SET told_email = %s WHERE id = %s AND lease = %s",
                [(sealed, pk, lease) for pk, sealed in addresses],
            )


def finish(lease: str, rows: Sequence[Finished], now: datetime) -> None:
    """Write what became of claimed rows, and let them go. What changed meanwhile is due again at once."""
    postgresql = is_postgresql()
    sql = _FINISH.format(moment="%s::timestamptz" if postgresql else "%s", json="%s::json" if postgresql else "%s")
    with transaction.atomic(), connection.cursor() as cursor:
        if postgresql:
            # What a crash of the database loses of this is sent again; that it was tried, the claim has on disk.
            cursor.execute(_NOT_ON_DISK)
        cursor.executemany(sql, [_parameters(lease, row, now) for row in rows])
        _finish_actions(rows, now)


def release(lease: str, ids: Collection[int], untried: Collection[int]) -> None:
    """Let those of these rows go that still are under a lease; it costs those no attempt that were not tried."""
    rows = Delivery.objects.filter(pk__in=list(ids), lease=lease)
    with transaction.atomic():
        if untried:
            rows.filter(pk__in=list(untried), attempts__gt=0).update(attempts=F("attempts") - 1)
        rows.update(lease="", lease_until=None)


def _parameters(lease: str, one: Finished, now: datetime) -> list[Any]:
    row, decision = one.row, one.decision
    # An erasure that came while the person was sent is due at once, however that ended.
    behind = [row.kind, decision.is_over, row.wanted]
    done = decision.state == "delivered"
    return [
        *behind,
        decision.state,
        *behind,
        _moment(now),
        _moment(decision.due_at),
        *behind,
        0 if decision.costs_attempt else 1,
        decision.person_done,
        row.wanted,
        decision.costs_attempt,
        decision.error,
        _moment(now) if done else None,
        one.remote_id,
        json.dumps(one.remote_others),
        one.told_status,
        one.told_email,
        json.dumps(one.told_tags),
        row.id,
        lease,
    ]


def _finish_actions(rows: Sequence[Finished], now: datetime) -> None:
    done = [action for row in rows for action in row.actions_done]
    skipped = [action for row in rows for action in row.actions_skipped]
    if done:
        Delivery.objects.filter(pk__in=done).update(state="delivered", delivered_at=now, told=1, error="")
    if skipped:
        Delivery.objects.filter(pk__in=skipped).update(state="skipped")
    for row in rows:
        for action, code in row.actions_rejected:
            Delivery.objects.filter(pk=action).update(state="rejected", error=code)


def waiting_actions(destination_id: int, supporters: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return (delivery, supporter, action) of the actions that go along with these people, the oldest first.

    Those that were left out before come last: whoever is in the audience again gets them.
    """
    found = Delivery.objects.filter(
        destination_id=destination_id,
        kind="action",
        state__in=["waiting", "skipped"],
        supporter_id__in=list(supporters),
        action_id__isnull=False,
    )
    return list(found.order_by("-state", "action_id").values_list("pk", "supporter_id", "action_id"))


def due_now(destination_id: int, now: datetime, most: int) -> int:
    """Return how many people are due, counting up to a limit."""
    rows = Delivery.objects.filter(destination_id=destination_id, due_at__lte=now).exclude(kind="action")
    return rows.order_by()[:most].count()


def pending(destination_ids: Sequence[int]) -> int:
    """Return how many people and orders to forget wait, now or later."""
    return (
        Delivery.objects.filter(destination_id__in=list(destination_ids), due_at__isnull=False)
        .exclude(kind="action")
        .count()
    )


def expire_orders(now: datetime) -> int:
    """Give up orders to forget that could not be delivered in time; the address goes with them."""
    late = Delivery.objects.filter(kind="erasure", due_at__isnull=False, created_at__lt=now - FORGET_WITHIN)
    return late.exclude(told_email="").update(
        state="rejected", due_at=None, told_email="", error="not delivered in 30 days: delete the contact there by hand"
    )


def _claimed(row: tuple[Any, ...]) -> Claimed:
    return Claimed(
        id=row[0],
        kind=row[1],
        supporter=row[2],
        wanted=row[3],
        told=row[4],
        attempts=row[5],
        remote_id=row[6],
        remote_others=tuple(_json(row[7])),
        told_status=row[8],
        told_email=row[9],
        told_tags=tuple(_json(row[10])),
        created_at=_read_moment(row[11]),
    )


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str | bytes) else value


def _read_moment(value: Any) -> datetime:
    moment = instant(value)
    assert moment is not None
    return to_datetime(moment)


def _moment(moment: datetime | None) -> Any:
    return None if moment is None else connection.ops.adapt_datetimefield_value(moment)
