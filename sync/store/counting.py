"""How many messages of a source ended how on a day, counted in the batch's own transaction."""

from __future__ import annotations

from sync.models.bulk import execute
from sync.terms import Instant, to_datetime

_UPSERT = (
    "INSERT INTO sync_intakecount (day, source, verdict, number, last_at) VALUES (%s, %s, %s, %s, %s)"
    " ON CONFLICT (day, source, verdict) DO UPDATE SET number = sync_intakecount.number + excluded.number,"
    " last_at = excluded.last_at"
)


def count(verdicts: dict[tuple[str, str], int], at: Instant) -> None:
    """Add to the counts of today; what has no source (an edit) is not counted."""
    moment = to_datetime(at)
    for (source, verdict), number in sorted(verdicts.items()):
        if source:
            execute(_UPSERT, [moment.date(), source, str(verdict), number, moment])
