"""Notices: messages that change nobody, kept visible once each."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sync.models import Notice, bulk
from sync.models.bulk import among, listed, select
from sync.rules.facts import Facts, NoticeFacts
from sync.rules.newest import canonical
from sync.terms import Instant


def known(facts: Iterable[Facts]) -> set[str]:
    """Return the digests of those notices of a batch that are stored already."""
    digests = {digest(notice, one.reader) for one in facts for notice in one.notices}
    if not digests:
        return set()
    return {row[0] for row in select(f"SELECT digest FROM sync_notice WHERE {among('digest')}", [listed(digests)])}


def are_new(facts: Facts, seen: set[str]) -> bool:
    """Tell whether a message brings a notice not seen before; `seen` is not changed for stored ones."""
    return any(digest(notice, facts.reader) not in seen for notice in facts.notices)


def write(facts: Iterable[Facts], stored: set[str], at: Instant) -> None:
    """Write the notices that are new."""
    rows = {
        key: (key, notice.kind, one.reader, notice.at, at, canonical(notice.payload))
        for one in facts
        for notice in one.notices
        if (key := digest(notice, one.reader)) not in stored
    }
    bulk.insert(Notice, ("digest", "kind", "reader", "occurred_at", "recorded_at", "payload"), list(rows.values()))


def digest(notice: NoticeFacts, reader: int | None) -> str:
    """Return what makes two notices the same."""
    text = canonical([notice.kind, notice.at, reader, notice.payload])
    return hashlib.blake2b(text.encode(), digest_size=24).hexdigest()
