"""How many messages of a source ended how on a day, counted in the batch's own transaction."""

from __future__ import annotations

from sync.models.bulk import execute
from sync.terms import Instant, to_datetime

#: Two statements under the lock, since `ON CONFLICT` takes an id from the sequence for every batch.
_ADD = "UPDATE sync_intakecount SET number = number + %s, last_at = %s WHERE day = %s AND source = %s AND verdict = %s"
_BEGIN = "INSERT INTO sync_intakecount (number, last_at, day, source, verdict) VALUES (%s, %s, %s, %s, %s)"


def count(verdicts: dict[tuple[str, str], int], at: Instant) -> None:
    """Add to the counts of today; what has no source (an edit) is not counted."""
    moment = to_datetime(at)
    for (source, verdict), number in sorted(verdicts.items()):
        if source:
            line = [number, moment, moment.date(), source, str(verdict)]
            if not execute(_ADD, line):
                execute(_BEGIN, line)
