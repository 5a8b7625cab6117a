"""Everything that is held about one person, for the person: each table that knows them, and how it knows them.

A table with personal data that is not here is a mistake, and a test looks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Model, Q, QuerySet

from sync.models import (
    Action,
    Consent,
    Contact,
    Delivery,
    FormerSupporter,
    Link,
    Notice,
    QuarantinedMessage,
    Reported,
    SharedEmail,
    Subscription,
    Supporter,
    Voice,
    WaitingEntries,
)
from sync.read.records import time_text
from sync.rules.identity import Pair, pair_text
from sync.sealing import KeyedHash

Sees = Callable[[int | None], bool]

#: What serves us to find people and is nothing about them, or is shown in another form beside.
_LEFT_OUT = frozenset({"search_key", "digest", "lease", "told_email"})


@dataclass(frozen=True, slots=True)
class Person:
    """Whom it is about, by every key."""

    supporter: int
    pairs: frozenset[Pair]

    @property
    def keys(self) -> frozenset[str]:
        """Emails and contactRefs."""
        return frozenset(key for pair in self.pairs for key in pair if key)

    @property
    def emails(self) -> frozenset[str]:
        """Emails."""
        return frozenset(email for email, _ in self.pairs if email)

    @property
    def texts(self) -> frozenset[str]:
        """Pairs as rows keep them."""
        return frozenset(map(pair_text, self.pairs))

    def hashes(self) -> set[str]:
        """Return the keyed hashes of all keys, under every secret."""
        sealed = KeyedHash(settings.HASH_KEYS)
        emails = {one for email, _ in self.pairs if email for one in sealed.all_of("e", email)}
        return emails | {one for _, ref in self.pairs if ref for one in sealed.all_of("r", ref)}


def everything_about(supporter: int, *, sees: Sees) -> dict[str, Any]:
    """Return all that is held, by table; of what belongs to organisations only what may be seen."""
    pairs = Contact.objects.filter(supporter_id=supporter).values_list("email", "ref")
    person = Person(supporter, frozenset(pairs))
    return {
        SECTIONS[model]: [_plain(row) for row in find(person) if sees(_org_of(row))] for model, find in _FINDERS.items()
    }


def _org_of(row: Any) -> int | None:
    """Whose it is: its own organisation, or that of the destination it speaks of."""
    if isinstance(row, Delivery | Reported):
        return row.destination.org_id
    return getattr(row, "org_id", None)


def _by_supporter(model: type[Model]) -> Callable[[Person], QuerySet[Any]]:
    return lambda person: model._default_manager.filter(supporter_id=person.supporter).order_by("pk")


def _of_destinations(model: type[Model]) -> QuerySet[Any]:
    return model._default_manager.select_related("destination").order_by("pk")


def _voices(person: Person) -> Iterable[Any]:
    return Voice.objects.filter(pair__in=person.texts)


def _links(person: Person) -> Iterable[Any]:
    return Link.objects.filter(Q(a__in=person.texts) | Q(b__in=person.texts))


def _waiting(person: Person) -> Iterable[Any]:
    hashes = person.hashes()
    return WaitingEntries.objects.filter(Q(email_hash__in=hashes) | Q(ref_hash__in=hashes))


def _shared(person: Person) -> Iterable[Any]:
    return SharedEmail.objects.filter(email__in=person.emails)


def _quarantined(person: Person) -> Iterator[Any]:
    """Messages that could not be read have no keys to look up: they are searched, as they are written."""
    wanted = [key.encode() for key in person.keys]
    for row in QuarantinedMessage.objects.order_by("pk").iterator(chunk_size=100):
        body = bytes(row.body).lower()
        if any(key.lower() in body for key in wanted):
            yield row


def _notices(person: Person) -> Iterator[Any]:
    for row in Notice.objects.order_by("pk").iterator(chunk_size=500):
        text = str(row.payload).lower()
        if any(key.lower() in text for key in person.keys):
            yield row


_FINDERS: dict[type[Model], Callable[[Person], Iterable[Any]]] = {
    Supporter: lambda person: Supporter.objects.filter(pk=person.supporter),
    FormerSupporter: lambda person: FormerSupporter.objects.filter(into_id=person.supporter),
    Contact: _by_supporter(Contact),
    Action: _by_supporter(Action),
    Voice: _voices,
    Consent: _by_supporter(Consent),
    Subscription: _by_supporter(Subscription),
    WaitingEntries: _waiting,
    Link: _links,
    SharedEmail: _shared,
    Delivery: lambda person: _of_destinations(Delivery).filter(supporter_id=person.supporter),
    Reported: lambda person: _of_destinations(Reported).filter(who=str(person.supporter)),
    QuarantinedMessage: _quarantined,
    Notice: _notices,
}
#: How each table is called in what the person gets.
SECTIONS: dict[type[Model], str] = {
    Supporter: "supporter",
    FormerSupporter: "former_ids",
    Contact: "contacts",
    Action: "actions",
    Voice: "voices",
    Consent: "consents",
    Subscription: "subscriptions",
    WaitingEntries: "waiting_entries",
    Link: "links",
    SharedEmail: "shared_emails",
    Delivery: "deliveries",
    Reported: "reported",
    QuarantinedMessage: "quarantined_messages",
    Notice: "notices",
}


def _plain(row: Model) -> dict[str, Any]:
    return {
        field.attname: _value(getattr(row, field.attname))
        for field in row._meta.concrete_fields
        if field.attname not in _LEFT_OUT
    }


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode("utf-8", "backslashreplace")
    return value
