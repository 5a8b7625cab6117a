"""The words of the project, each defined once.

Texts that are stored, shown by the API and written in exports are the values of these enums, so a word here is part of
the interface. An `Instant` is a time as whole microseconds since 1970-01-01 UTC: exact, cheap to compare, and without a
zone to get wrong.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

Instant = int

#: Older than every time: details whose age nobody knows.
UNKNOWN: Instant = -(10**18)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Stage(StrEnum):
    """How far an action has come at Proca, in this order (rule 8)."""

    CONFIRM = "confirm"
    SUPPORTER_CONFIRM = "supporter_confirm"
    ACTION_CONFIRM = "action_confirm"
    OTHER = "other"
    DELIVER = "deliver"


class ConsentKind(StrEnum):
    """What a line of the consent ledger says, in the order that counts at equal times (rule 4)."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    DOUBLE_OPT_IN = "double_opt_in"
    BOUNCE = "bounce"
    BLOCKED = "blocked"
    INACTIVE = "inactive"
    UNSUB = "unsub"
    SPAM = "spam"


#: The kinds that stop mail.
STOPS = frozenset({ConsentKind.BOUNCE, ConsentKind.BLOCKED, ConsentKind.INACTIVE, ConsentKind.UNSUB, ConsentKind.SPAM})
#: The stops that speak of an address and not of the person's will.
ADDRESS_STOPS = frozenset({ConsentKind.BOUNCE, ConsentKind.BLOCKED, ConsentKind.INACTIVE})


class Status(StrEnum):
    """Status of a subscription."""

    NONE = "none"
    PENDING = "pending"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    BLOCKED = "blocked"
    COMPLAINED = "complained"


class Source(StrEnum):
    """Who said it. The first in this order is shown where several said the same."""

    PROCA = "proca"
    CRM = "crm"
    ADMIN = "admin"
    API = "api"
    IMPORT = "import"


class Policy(StrEnum):
    """Whether an opt-in subscribes at once or waits for the click in the mail."""

    OPT_IN = "opt_in"
    DOUBLE_OPT_IN = "double_opt_in"


class Verdict(StrEnum):
    """What became of a message; each counts in exactly one line of the summary."""

    STORED = "stored"
    UPDATED = "updated"
    DUPLICATE = "duplicates"
    EVENT = "events"
    QUARANTINED = "quarantined"
    REJECTED = "rejected"


#: The named details of a supporter, beside `email` and `extra`.
DETAILS = (
    "first_name",
    "last_name",
    "phone",
    "birth_date",
    "street",
    "street_number",
    "postcode",
    "locality",
    "region",
    "country",
    "area",
)
#: Details that belong to a postcode and are hidden with any other one (rule 3).
ADDRESS = frozenset({"street", "street_number", "locality", "region"})


def to_instant(moment: datetime) -> Instant:
    """Return an aware datetime as an Instant."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def to_datetime(instant: Instant) -> datetime:
    """Return an Instant as an aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=instant)
