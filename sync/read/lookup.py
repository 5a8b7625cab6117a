"""Whether somebody is subscribed, by the keys that Proca knows them by: one statement for each key."""

from __future__ import annotations

import re

from sync.models.bulk import select
from sync.rules.identity import email_key, ref_key
from sync.terms import Status

#: What no key holds, as no database takes it: U+0000, and halves of a character.
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
_STATUSES = (
    "SELECT DISTINCT contact.supporter_id, subscription.status FROM sync_contact contact"
    " LEFT JOIN sync_subscription subscription"
    " ON subscription.supporter_id = contact.supporter_id AND subscription.org_id = %s"
    " WHERE contact.supporter_id IS NOT NULL AND "
)
#: The first condition is that of the partial index.
_BY_REF = _STATUSES + "contact.ref <> '' AND contact.ref = %s"
_BY_EMAIL = _STATUSES + "contact.email = %s"


def is_subscribed(org: int, email: str, contact_ref: str) -> bool:
    """Tell whether who has this contactRef, else everybody who has this email, is subscribed at an organisation."""
    statuses = _statuses(_BY_REF, org, ref_key(contact_ref)) or _statuses(_BY_EMAIL, org, email_key(email))
    return bool(statuses) and all(status == Status.SUBSCRIBED for status in statuses)


def _statuses(sql: str, org: int, key: str) -> list[str | None]:
    """Return the status of each person who has a key; None of one who has no subscription there."""
    if not key or _NO_TEXT.search(key):
        return []
    return [status for _, status in select(sql, [org, key])]
