"""Messages that could not be stored: put aside, tried again, thrown away."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sync.models import QuarantinedMessage, bulk
from sync.models.bulk import among, listed, select
from sync.rules.newest import canonical
from sync.store.arrivals import Unstorable
from sync.terms import Instant

_COLUMNS = (
    "digest", "body", "headers", "queue", "reader", "code", "where", "attempts", "received_at", "last_attempt_at",
    "not_before",
)  # fmt: skip


def put(messages: Iterable[Unstorable], at: Instant) -> None:
    """Keep these messages; one that is there already counts one more attempt."""
    by_digest: dict[str, list[Unstorable]] = {}
    for message in messages:
        by_digest.setdefault(digest(message), []).append(message)
    if not by_digest:
        return
    sql = f"SELECT digest, id, attempts FROM sync_quarantinedmessage WHERE {among('digest')}"
    known = {key: (row_id, attempts) for key, row_id, attempts in select(sql, [listed(by_digest)])}
    bulk.update(
        QuarantinedMessage,
        ("code", "where", "attempts", "last_attempt_at", "not_before"),
        [
            (same[-1].code, same[-1].where, known[key][1] + len(same), at, same[-1].not_before, known[key][0])
            for key, same in by_digest.items()
            if key in known
        ],
    )
    bulk.insert(
        QuarantinedMessage,
        _COLUMNS,
        [_row(key, same, at) for key, same in by_digest.items() if key not in known],
    )


def _row(key: str, same: list[Unstorable], at: Instant) -> tuple[object, ...]:
    one = same[-1]
    headers = canonical(one.headers)
    return (
        key,
        one.body,
        headers,
        one.source,
        one.reader,
        one.code,
        one.where,
        len(same),
        at,
        at,
        one.not_before,
    )


def digest(message: Unstorable) -> str:
    """Return what makes two messages the same one, however they came: body and reader."""
    text = hashlib.blake2b(message.body, digest_size=24)
    text.update(f"\n{message.reader}".encode())
    return text.hexdigest()


def discard(ids: Iterable[int]) -> None:
    """Delete messages from quarantine for good."""
    bulk.delete(QuarantinedMessage, ids)
