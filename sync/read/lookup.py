"""Whether somebody is subscribed, by the keys that Proca knows them by."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sync.models import Contact, Subscription
from sync.rules.identity import email_key, ref_key
from sync.terms import Status

#: What no key holds, as no database takes it: U+0000, and halves of a character.
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")


def is_subscribed(org: int, email: str, contact_ref: str) -> bool:
    """Tell whether who has this contactRef, else everybody who has this email, is subscribed at an organisation."""
    people = _who_has(ref=ref_key(contact_ref)) or _who_has(email=email_key(email))
    if not people:
        return False
    subscribed = Subscription.objects.filter(supporter__in=people, org=org, status=Status.SUBSCRIBED)
    return subscribed.count() == len(people)


def _who_has(**key: str) -> Sequence[int]:
    [(name, value)] = key.items()
    if not value or _NO_TEXT.search(value):
        return ()
    # The empty text is no key, and not in the index.
    found = Contact.objects.filter(**key, supporter__isnull=False).exclude(**{name: ""})
    return tuple(set(found.values_list("supporter_id", flat=True)))
