"""A page's locale changed: everybody whose newest action with a locale was there speaks another language now.

A set-based statement, since a page can have a million supporters; it is rare, for a page keeps its locale.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from sync.models.bulk import among, listed, select
from sync.terms import Instant, to_datetime

_NEWEST = (
    "(SELECT p.locale FROM sync_action a JOIN sync_actionpage p ON p.id = a.action_page_id"
    " WHERE a.supporter_id = sync_supporter.id AND a.stage = 'deliver' AND NOT a.testing AND p.locale IS NOT NULL"
    " ORDER BY a.created_at DESC, a.action_id DESC LIMIT 1)"
)


def follow_locales(pages: Sequence[int], at: Instant) -> list[int]:
    """Show the language again for the supporters of these pages; return the ids of those for whom it changed."""
    if not pages:
        return []
    there = f"id IN (SELECT supporter_id FROM sync_action WHERE {among('action_page_id', 'bigint')})"
    moment = connection.ops.adapt_datetimefield_value(to_datetime(at))
    rows = select(
        f"UPDATE sync_supporter SET language = {_NEWEST}, updated_at = %s"
        f" WHERE {there} AND COALESCE(language, '') <> COALESCE({_NEWEST}, '') RETURNING id",
        [moment, listed(pages)],
    )
    return [row[0] for row in rows]
