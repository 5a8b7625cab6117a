"""What is due: the change feed, read for one destination at a time, becomes rows that wait to be delivered.

Several changes before a delivery become one. What the destination said itself is not echoed, unless it is not what
holds here. A merge joins the rows, an erasure turns a row into the order to forget.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from django.db import connection, transaction
from django.utils import timezone

from sync.changes import feed
from sync.connectors.contract import Connector, Feature, FindsBy
from sync.models import Action, Delivery, Destination, DestinationState, FormerSupporter, Reported, Subscription
from sync.models.bulk import among, execute, listed, select
from sync.push import audience
from sync.push.addresses import joined
from sync.terms import ConsentKind, Status

log = structlog.get_logger(__name__)

#: Changes that are read in one transaction.
BATCH = 1_000
#: What a report says, as the status that it leads to where it counts.
LEADS_TO = {
    ConsentKind.OPT_IN: Status.SUBSCRIBED,
    ConsentKind.UNSUB: Status.UNSUBSCRIBED,
    ConsentKind.SPAM: Status.COMPLAINED,
    ConsentKind.BOUNCE: Status.BOUNCED,
    ConsentKind.BLOCKED: Status.BLOCKED,
    ConsentKind.INACTIVE: Status.BLOCKED,
}

#: Always another version than before, so that a resync is not taken for a repetition.
_LARGER = "CASE WHEN wanted + 1 > %s THEN wanted + 1 ELSE %s END"
_WANT = (
    f"UPDATE sync_delivery SET wanted = {_LARGER}, due_at = COALESCE(due_at, %s),"
    " attempts = CASE WHEN state = 'waiting' THEN attempts ELSE 0 END, state = 'waiting'"
    " WHERE destination_id = %s AND kind = 'person' AND "
)
_NEW = (
    "INSERT INTO sync_delivery (destination_id, kind, supporter_id, action_id, state, wanted, told, due_at, attempts,"
    " lease, error, created_at, remote_others, told_email, told_tags)"
    " VALUES (%s, %s, %s, %s, 'waiting', %s, 0, %s, 0, '', '', %s, '[]', '', '[]') ON CONFLICT DO NOTHING"
)
_FORGET = (
    "UPDATE sync_delivery SET kind = 'erasure', state = 'waiting', wanted = wanted + 1, told = 0, attempts = 0,"
    " due_at = %s, created_at = %s, error = '' WHERE destination_id = %s AND kind = 'person' AND "
)


def origin_of(destination_id: int) -> str:
    """Return the name under which the change log knows what a destination said."""
    return f"destination:{destination_id}"


class MergeWaits(Exception):
    """A merge whose former person is just being delivered: it is read again once that is over."""


@dataclass(slots=True)
class _Group:
    """Changes that need no order among themselves."""

    people: set[int] = field(default_factory=set)
    echoed: set[int] = field(default_factory=set)
    subscriptions: dict[int, bool] = field(default_factory=dict)
    actions: set[int] = field(default_factory=set)
    version: int = 0


def read_changes(destination: Destination, connector: Connector) -> int:
    """Queue what has changed since the last time; return how many changes were read."""
    with transaction.atomic():
        standing = locked_state(destination.pk)
        if standing is None or standing.position is None:
            return 0
        try:
            lines = feed.after(standing.position, limit=BATCH).lines
        except (feed.UnknownCursor, feed.ExpiredCursor):
            return _start_over(destination, connector, standing)
        if not lines:
            return 0
        position = Queue(destination, connector, timezone.now()).apply(lines)
        if position is None:
            return 0
        DestinationState.objects.filter(pk=destination.pk).update(position=position)
        return len(lines)


def locked_state(destination_id: int) -> DestinationState | None:
    """Return the state for this transaction alone; None where another worker has it."""
    rows = DestinationState.objects.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
    return rows.filter(pk=destination_id).first()


def _start_over(destination: Destination, connector: Connector, standing: DestinationState) -> int:
    """The feed does not reach back so far (a restored backup, a long pause): compare everything instead."""
    log.warning("feed_lost", destination=destination.pk)
    queue = Queue(destination, connector, timezone.now())
    rows = "SELECT supporter_id FROM sync_delivery d WHERE destination_id = %s AND kind = 'person'"
    gone = "NOT EXISTS (SELECT 1 FROM sync_supporter s WHERE s.id = d.supporter_id)"
    newest = feed.newest_id()
    for (supporter,) in select(f"{rows} AND {gone}", [destination.pk]):
        into = FormerSupporter.objects.filter(pk=supporter).values_list("into_id", flat=True).first()
        if into is None:
            queue.forget([supporter])
        else:
            queue.merge(supporter, into, newest)
    standing.position = str(newest)
    standing.filling_after, standing.filling_everybody = 0, True
    standing.filling_until = 2**62
    standing.save(update_fields=["position", "filling_after", "filling_everybody", "filling_until"])
    return 1


class Queue:
    """Writes the rows of one destination, in one transaction."""

    def __init__(self, destination: Destination, connector: Connector, now: datetime) -> None:
        self._destination, self._connector, self._now = destination, connector, now
        self._with_actions = destination.actions and Feature.ACTIONS in connector.features

    def apply(self, lines: Iterable[feed.Line]) -> str | None:
        """Queue what these changes mean; return the cursor behind the last one that could be read."""
        group, read = _Group(), None
        for line in lines:
            if line.kind in ("supporter.merged", "supporter.erased"):
                self._queue(group)
                group = _Group()
                try:
                    self._one(line)
                except MergeWaits:
                    return read
            else:
                self._collect(group, line)
            read = line.cursor
        self._queue(group)
        return read

    def _one(self, line: feed.Line) -> None:
        if line.kind == "supporter.merged":
            self.merge(line.object_id, line.data["into"], line.id)
        else:
            self.forget([line.object_id])

    def _collect(self, group: _Group, line: feed.Line) -> None:
        group.version = line.id
        own = line.origin == origin_of(self._destination.pk)
        if line.kind == "supporter.changed":
            (group.echoed if own else group.people).add(line.object_id)
        elif line.kind == "subscription.changed" and line.data["org"] == self._destination.org_id:
            group.subscriptions[line.object_id] = group.subscriptions.get(line.object_id, True) and own
        elif line.kind in ("action.recorded", "action.changed"):
            group.actions.add(line.object_id)

    def _queue(self, group: _Group) -> None:
        owners = dict(Subscription.objects.filter(pk__in=list(group.subscriptions)).values_list("pk", "supporter_id"))
        for subscription, own in group.subscriptions.items():
            if (supporter := owners.get(subscription)) is not None:
                (group.echoed if own else group.people).add(supporter)
        doers = set(Action.objects.filter(pk__in=list(group.actions)).values_list("supporter_id", flat=True))
        people = group.people | self._not_mere_echoes(group.echoed - group.people) | (doers - {None})
        self.want(people, group.version, group.actions)

    def _not_mere_echoes(self, supporters: set[int]) -> set[int]:
        """Leave out those whose status is what the destination said: it knows."""
        if not supporters:
            return set()
        said = dict(
            Reported.objects.filter(
                destination_id=self._destination.pk, who__in=[str(one) for one in supporters]
            ).values_list("who", "said")
        )
        statuses = dict(
            Subscription.objects.filter(org_id=self._destination.org_id, supporter_id__in=list(supporters)).values_list(
                "supporter_id", "status"
            )
        )
        return {one for one in supporters if said.get(str(one)) != statuses.get(one, Status.NONE)}

    def want(self, supporters: Collection[int], version: int, changed_actions: Collection[int] = ()) -> int:
        """Make these people due where the destination follows them or is to get them; return how many are new."""
        if not supporters:
            return 0
        ids = list(supporters)
        known = set(
            Delivery.objects.filter(destination_id=self._destination.pk, supporter_id__in=ids)
            .exclude(kind="action")
            .values_list("supporter_id", flat=True)
        )
        new = self._new(set(ids) - known)
        if self._with_actions:
            self._queue_actions(known, new, changed_actions, version)
        self._insert("person", [(one, None) for one in sorted(new)], version)
        execute(
            _WANT + among("supporter_id", "bigint"),
            [version, version, self._now, self._destination.pk, listed(sorted(known))],
        )
        return len(new)

    def _new(self, strangers: set[int]) -> set[int]:
        """The audience decides who is sent first. A stop goes out beside it, where the CRM may know the address."""
        if not strangers:
            return set()
        new = audience.among(self._destination, strangers)
        if self._connector.finds_by is FindsBy.EMAIL:
            new |= audience.stopped(self._destination, strangers - new)
        return new

    def _queue_actions(self, known: set[int], new: set[int], changed: Collection[int], version: int) -> None:
        """Queue what known people did just now, and all that new ones ever did."""
        wanted = audience.actions(self._destination)
        rows = set(wanted.filter(supporter_id__in=list(new)).values_list("supporter_id", "pk"))
        if changed:
            rows |= set(
                wanted.filter(pk__in=list(changed), supporter_id__in=list(known)).values_list("supporter_id", "pk")
            )
        self._insert("action", sorted(rows), version)

    def _insert(self, kind: str, rows: Iterable[tuple[int, int | None]], version: int) -> None:
        due_at = self._now if kind == "person" else None
        adapt = connection.ops.adapt_datetimefield_value
        with connection.cursor() as cursor:
            cursor.executemany(
                _NEW,
                [
                    (self._destination.pk, kind, supporter, action, version, due_at and adapt(due_at), adapt(self._now))
                    for supporter, action in rows
                ],
            )

    def again(self, first: int, last: int, version: int) -> None:
        """Make everybody due whom the destination follows, in a range of ids."""
        execute(
            _WANT + "supporter_id > %s AND supporter_id <= %s",
            [version, version, self._now, self._destination.pk, first, last],
        )

    def merge(self, former: int, into: int, version: int) -> None:
        """Join the row of somebody who is no more to the row of who has their contacts now."""
        rows = Delivery.objects.filter(destination_id=self._destination.pk)
        people = {row.supporter_id: row for row in rows.filter(supporter_id__in=[former, into]).exclude(kind="action")}
        gone, survivor = people.get(former), people.get(into)
        if gone is not None and gone.lease_until is not None and gone.lease_until > self._now:
            raise MergeWaits
        rows.filter(kind="action", supporter_id=former).update(supporter_id=into)
        if gone is not None and gone.kind == "person":
            if survivor is None:
                rows.filter(pk=gone.pk).update(supporter_id=into)
            else:
                self._join(gone, survivor)
        self.want([into], version)

    def _join(self, gone: Delivery, survivor: Delivery) -> None:
        remote = [*survivor.remote_others, *([gone.remote_id] if gone.remote_id else []), *gone.remote_others]
        others = [one for one in dict.fromkeys(remote) if one != survivor.remote_id]
        changed: dict[str, Any] = {"remote_others": others}
        if survivor.remote_id is None and others:
            changed = {"remote_id": others[0], "remote_others": others[1:]}
        if gone.told_email:
            changed["told_email"] = joined(survivor.told_email, gone.told_email)
        survivors = Delivery.objects.filter(pk=survivor.pk)
        survivors.update(**changed)
        if gone.told > 0 >= survivor.told:
            # Told once is told: the survivor stays followed.
            survivors.update(told=1)
        gone.delete()

    def forget(self, supporters: Collection[int]) -> None:
        """Turn what was ever sent about these people into the order to forget, and cancel the rest."""
        ids, mine = listed(list(supporters)), "destination_id = %s AND "
        who = among("supporter_id", "bigint")
        execute(
            f"DELETE FROM sync_delivery WHERE {mine}kind = 'person' AND told = 0 AND attempts = 0 AND remote_id IS NULL"
            f" AND told_email = '' AND {who}",
            [self._destination.pk, ids],
        )
        execute(
            f"DELETE FROM sync_delivery WHERE {mine}kind = 'action' AND state <> 'delivered' AND {who}",
            [self._destination.pk, ids],
        )
        execute(_FORGET + who, [self._now, self._now, self._destination.pk, ids])
        Reported.objects.filter(destination_id=self._destination.pk, who__in=[str(one) for one in supporters]).delete()
