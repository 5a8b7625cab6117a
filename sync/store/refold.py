"""Everything derived, computed again from what is kept: after a rule or a policy has changed, or a hand slipped in SQL.

    actions beside their contact's supporter → all contacts → supporters, entries, subscriptions that are nobody's

Batch by batch, each under the lock and by the very fold that stores messages, so the consumer goes on in between. What
one batch mends can show that more was wrong (an action found again counts), so rounds follow until nothing changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sync.models.bulk import Row, execute, select
from sync.rules.facts import Facts
from sync.store.errors import told_apart
from sync.store.write import Again, fold_again

_BATCH = 500
#: Two mend everything that one hand breaks; what goes on for longer than this is a fault of ours.
_MOST_ROUNDS = 5

_STRAYS = """
    SELECT a.action_id
      FROM sync_action a
      LEFT JOIN sync_contact c ON c.id = a.contact_id
     WHERE a.action_id > %s AND COALESCE(a.supporter_id, 0) <> COALESCE(c.supporter_id, 0)
     ORDER BY a.action_id
     LIMIT %s
"""
_CONTACTS = """
    SELECT id, email, ref
      FROM sync_contact
     WHERE id > %s
     ORDER BY id
     LIMIT %s
"""
#: Whoever is subscribed there or not, and whoever's contact speaks of it: as a reader, or in an entry.
_CONTACTS_OF_ORG = """
    SELECT id, email, ref
      FROM sync_contact
     WHERE id > %s
       AND (supporter_id IN (SELECT supporter_id FROM sync_subscription WHERE org_id = %s)
            OR CAST(said AS text) LIKE %s)
     ORDER BY id
     LIMIT %s
"""
_BEHIND = """
    SELECT id, folded_to
      FROM sync_org
     WHERE folded_to IS NOT NULL AND (id = %s OR CAST(%s AS bigint) IS NULL)
"""
_FOLLOWED = """
    UPDATE sync_org
       SET folded_to = NULL
     WHERE id = %s AND folded_to = %s
"""
_NOBODYS = (
    """
    SELECT s.id
      FROM sync_supporter s
     WHERE s.id > %s AND NOT EXISTS (SELECT 1 FROM sync_contact c WHERE c.supporter_id = s.id)
     ORDER BY s.id
     LIMIT %s
    """,
    """
    SELECT DISTINCT e.supporter_id
      FROM sync_consent e
     WHERE e.supporter_id > %s AND NOT EXISTS (SELECT 1 FROM sync_supporter s WHERE s.id = e.supporter_id)
     ORDER BY e.supporter_id
     LIMIT %s
    """,
    """
    SELECT DISTINCT e.supporter_id
      FROM sync_subscription e
     WHERE e.supporter_id > %s AND NOT EXISTS (SELECT 1 FROM sync_supporter s WHERE s.id = e.supporter_id)
     ORDER BY e.supporter_id
     LIMIT %s
    """,
)


@dataclass(slots=True)
class Refolded:
    """How many contacts were looked at, and how many rows were not what follows from what is kept, by table."""

    contacts: int = 0
    differences: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """All differences."""
        return self.differences.total()


@dataclass(frozen=True, slots=True)
class _Batch:
    facts: list[Facts]
    supporters: list[int] = field(default_factory=list)
    contacts: int = 0


def refold(
    *, org: int | None = None, check: bool = False, report: Callable[[Refolded], None] = lambda _: None
) -> Refolded:
    """Compute again everything, or what concerns one organisation, and write what differs; a check only counts."""
    total, behind = Refolded(), _behind_their_policy(org)
    for _ in range(1 if check else _MOST_ROUNDS):
        before = total.total
        _round(total, _batches(org), lambda batch: fold_again(batch.facts, batch.supporters, dry_run=check), report)
        if total.total == before:
            break
    if not check:
        _have_followed(behind)
    return total


def _behind_their_policy(org: int | None) -> list[Row]:
    """Organisations whose subscriptions are still to follow a change of policy, and how far that has come."""
    with told_apart():
        return select(_BEHIND, [org, org])


def _have_followed(behind: list[Row]) -> None:
    """Take note that they have; a change of policy since then begins anew."""
    with told_apart():
        for row in behind:
            execute(_FOLLOWED, row)


def _round(
    total: Refolded,
    batches: Iterator[_Batch],
    fold: Callable[[_Batch], Again],
    report: Callable[[Refolded], None],
) -> None:
    for batch in batches:
        total.differences.update(_differences(fold(batch)))
        total.contacts += batch.contacts
        report(total)


def _batches(org: int | None) -> Iterator[_Batch]:
    for rows in _pages(_STRAYS):
        yield _Batch([Facts(action_id=row[0]) for row in rows])
    yield from _of_contacts(org)
    for sql in _NOBODYS:
        for rows in _pages(sql):
            yield _Batch([], [row[0] for row in rows])


def _of_contacts(org: int | None) -> Iterator[_Batch]:
    pages = _pages(_CONTACTS) if org is None else _pages(_CONTACTS_OF_ORG, org, f"%[{org},%")
    for rows in pages:
        yield _Batch([Facts(pair=(email, ref)) for _, email, ref in rows], contacts=len(rows))


def _pages(sql: str, *parameters: object) -> Iterator[list[Row]]:
    """Rows in the order of their first column, page by page, each read when the last one is done with."""
    last = 0
    while True:
        with told_apart():
            rows = select(sql, [last, *parameters, _BATCH])
        if not rows:
            return
        yield rows
        last = rows[-1][0]


def _differences(again: Again) -> dict[str, int]:
    plan, voices = again.plan, again.voices
    return {
        "supporters": len(plan.new_supporters) + len(plan.changed_supporters) + len(plan.gone_supporters),
        "contacts": len(plan.new_contacts)
        + len(plan.changed_contacts)
        + len(plan.moved_contacts)
        + len(plan.gone_contacts),
        "actions": len(plan.new_actions) + len(plan.changed_actions) + len(plan.moved_actions),
        "consents": len(plan.new_consents) + len(plan.changed_consents) + len(plan.gone_consents),
        "subscriptions": len(plan.new_subscriptions) + len(plan.changed_subscriptions) + len(plan.gone_subscriptions),
        "redirects": len(plan.formers) + len(plan.revived),
        "voices": len(voices.new) + len(voices.changed) + len(voices.gone),
    }
