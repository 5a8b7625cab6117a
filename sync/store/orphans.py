"""Rows whose counterpart is not there: hot tables have no foreign-key constraints, so somebody has to look.

The lock keeps such rows from being made; what finds one here was done by hand, or is a fault of ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from sync.models.bulk import select
from sync.store.errors import told_apart

#: Table, column, the table that it points to.
_POINTERS = (
    ("action", "supporter_id", "supporter"),
    ("action", "contact_id", "contact"),
    ("action", "campaign_id", "campaign"),
    ("action", "action_page_id", "actionpage"),
    ("action", "org_id", "org"),
    ("contact", "supporter_id", "supporter"),
    ("subscription", "supporter_id", "supporter"),
    ("subscription", "org_id", "org"),
    ("consent", "supporter_id", "supporter"),
    ("consent", "org_id", "org"),
    ("formersupporter", "into_id", "supporter"),
    ("actionpage", "campaign_id", "campaign"),
    ("actionpage", "org_id", "org"),
    ("campaign", "org_id", "org"),
    ("mark", "erasure_id", "erasure"),
)
_MISSING = (
    "SELECT count(*) FROM sync_{table} a LEFT JOIN sync_{target} b ON b.id = a.{column}"
    " WHERE a.{column} IS NOT NULL AND b.id IS NULL"
)
#: A supporter is a set of contacts: one without any is nobody.
_WITHOUT_CONTACT = (
    "SELECT count(*) FROM sync_supporter s WHERE NOT EXISTS (SELECT 1 FROM sync_contact c WHERE c.supporter_id = s.id)"
)
#: Links between an action and its supporter go by way of the contact.
_BESIDE_THEIR_CONTACT = (
    "SELECT count(*) FROM sync_action a LEFT JOIN sync_contact c ON c.id = a.contact_id"
    " WHERE COALESCE(a.supporter_id, 0) <> COALESCE(c.supporter_id, 0)"
)


@dataclass(frozen=True, slots=True)
class Orphans:
    """So many rows of a table, and what they are without."""

    table: str
    without: str
    number: int


def orphans() -> list[Orphans]:
    """Count all of them, a pass over each table; what has none is left out. Raises `errors.Away`."""
    with told_apart():
        found = [
            Orphans(table, target, _count(_MISSING.format(table=table, column=column, target=target)))
            for table, column, target in _POINTERS
        ]
        found.append(Orphans("supporter", "contact", _count(_WITHOUT_CONTACT)))
        found.append(Orphans("action", "supporter of its contact", _count(_BESIDE_THEIR_CONTACT)))
    return [one for one in found if one.number]


def _count(sql: str) -> int:
    return int(select(sql)[0][0])
