"""The policy of an organisation: what another one would change, and its subscriptions folded again after a change.

A change is one short transaction; from then on every message is folded by the new policy. The subscriptions that are
there follow in batches, each in a transaction of its own, so that no message waits for a million of them. How far that
has come is kept with the organisation: whoever is interrupted goes on from there.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction

from sync import signals
from sync.models.bulk import among, execute, listed, select
from sync.rules.facts import Facts
from sync.rules.identity import Pair
from sync.rules.people import People
from sync.rules.plan import make_plan
from sync.store.arrivals import Arrival
from sync.store.errors import told_apart
from sync.store.known import Reader
from sync.store.write import lock, write

#: Small enough that a message never waits long behind one.
_PEOPLE_AT_ONCE = 500

_POLICY = "SELECT policy, folded_to FROM sync_org WHERE id = %s"
_SET = "UPDATE sync_org SET policy = %s, folded_to = %s WHERE id = %s"
_GONE_ON = "UPDATE sync_org SET folded_to = %s WHERE id = %s AND folded_to = %s"
_UNFINISHED = "SELECT id FROM sync_org WHERE folded_to IS NOT NULL ORDER BY id"
_PEOPLE = (
    "SELECT supporter_id FROM sync_subscription WHERE org_id = %s AND supporter_id > %s ORDER BY supporter_id LIMIT %s"
)
_PAIRS = "SELECT email, ref FROM sync_contact WHERE "


@dataclass(slots=True)
class Preview:
    """What a policy would change: subscriptions by (status now, status then), of so many that were looked at."""

    looked_at: int = 0
    is_whole: bool = False
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def changed(self) -> int:
        """How many of them would have another status."""
        return self.moves.total()


def preview(org: int, policy: str | None, *, seconds: float) -> Preview:
    """Fold the subscriptions of an organisation by another policy and write nothing; stop after so many seconds."""
    until, seen, last = time.monotonic() + seconds, Preview(), 0
    while people := _people_after(org, last):
        last = people[-1]
        seen.looked_at += len(people)
        seen.moves.update(_moves(org, _in_force(policy), people))
        if time.monotonic() > until:
            return seen
    seen.is_whole = True
    return seen


def set_policy(org: int, policy: str | None) -> None:
    """Give an organisation another policy, or none of its own. `fold_on` lets its subscriptions follow."""
    with told_apart(), transaction.atomic(durable=True):
        lock()
        ((before, folded_to),) = select(_POLICY, [org])
        if before == policy:
            return
        follows = 0 if _in_force(before) != _in_force(policy) else folded_to
        execute(_SET, [policy, follows, org])
        signals.tell(signals.org_changed, origin="", ids=[org])


def fold_on(org: int, *, seconds: float) -> bool:
    """Fold subscriptions of an organisation again after a change of its policy; tell whether all have followed."""
    until = time.monotonic() + seconds
    while (folded_to := _folded_to(org)) is not None:
        people = _people_after(org, folded_to)
        # Nothing is said of them but their keys: the store reads what is kept, and writes what follows from it now.
        write([Arrival(facts=Facts(pair=pair)) for pair in _pairs_of(people)])
        # Somebody may have changed it once more in the meantime: then it begins anew.
        execute(_GONE_ON, [people[-1] if people else None, org, folded_to])
        if time.monotonic() > until:
            break
    return _folded_to(org) is None


def unfinished() -> list[int]:
    """Return the organisations whose subscriptions have not all followed a change of policy."""
    return [row[0] for row in select(_UNFINISHED)]


def _in_force(policy: str | None) -> str:
    return policy or settings.SUBSCRIPTION_POLICY


def _folded_to(org: int) -> int | None:
    rows = select(_POLICY, [org])
    return rows[0][1] if rows else None


def _people_after(org: int, supporter: int) -> list[int]:
    return [row[0] for row in select(_PEOPLE, [org, supporter, _PEOPLE_AT_ONCE])]


def _pairs_of(people: list[int]) -> list[Pair]:
    return [(email, ref) for email, ref in select(_PAIRS + among("supporter_id", "bigint"), [listed(people)])]


def _moves(org: int, policy: str, people: list[int]) -> Counter[tuple[str, str]]:
    """Return the changes of status among these people. Other organisations' subscriptions are not looked at."""
    with told_apart(), transaction.atomic():
        lock()
        reader = Reader([Facts(pair=pair) for pair in _pairs_of(people)])
        reader.read()
    reader.kept.settle()
    plan = make_plan(reader.known, reader.kept, People(reader.kept, lambda _: policy))
    wanted = set(people)
    return Counter(
        (before, columns[0])
        for supporter, of, columns in plan.changed_subscriptions.values()
        if of == org
        and supporter in wanted
        and (before := reader.known.subscriptions[supporter, org].shown[0]) != columns[0]
    )
