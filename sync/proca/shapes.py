"""The shapes of what arrives: four kinds of message, their parts, and the reason why one cannot be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from msgspec import Struct

from sync.terms import Instant


class Code(StrEnum):
    """Why a message cannot be read; stored, shown and counted, so a word here is part of the interface."""

    NOT_JSON = "not_json"
    NOT_TEXT = "not_text"  # not UTF-8
    NOT_AN_OBJECT = "not_an_object"
    BAD_NUMBER = "bad_number"  # JSON, but no machine number: 1e400, thousands of digits
    TOO_DEEP = "too_deep"
    UNKNOWN_SHAPE = "unknown_shape"  # a schema we do not know
    MISSING = "missing"
    WRONG_TYPE = "wrong_type"
    BAD_TIME = "bad_time"
    CLOCK = "clock"  # a time more than a day ahead
    NUL = "nul"  # U+0000 in an email or contactRef
    TOO_LONG = "too_long"  # email or contactRef
    NO_KEY = "no_key"
    NOT_DECRYPTED = "not_decrypted"
    BAD_PERSONAL_INFO = "bad_personal_info"  # parts missing, or no JSON object inside


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that cannot be read: a code to group by and the path of the offending value, never the value.

    `not_before` is when reading it again can succeed by itself (`clock`); `public_key` the public half of the
    key that is wanted (`no_key`). `emails` and `refs` are what the message shows of a person, as sent, so
    that an erasure finds it where it waits; they stay out of every text form.
    """

    code: str
    where: str = ""
    not_before: Instant | None = None
    public_key: str = ""
    emails: tuple[str, ...] = field(default=(), repr=False)
    refs: tuple[str, ...] = field(default=(), repr=False)


class Contact(Struct, frozen=True, kw_only=True):
    """The contact of a message after decryption, as sent; keys are judged by `rules.identity`.

    `details` holds our names (`first_name`, `street`, … of `terms.DETAILS`) with non-empty texts as sent;
    `extra` the contact keys that we do not know.
    """

    email: str = ""
    ref: str = ""
    details: dict[str, Any] = {}
    extra: dict[str, Any] = {}


class Privacy(Struct, frozen=True, kw_only=True):
    """What the reader was told about consent.

    `email_status` is a word of `ConsentKind`, one that we do not know as sent, or None where it is no news.
    """

    opt_in: bool | None = None
    given_at: Instant | None = None
    with_consent: bool = False
    email_status: str | None = None
    email_status_changed_at: Instant | None = None


class Places(Struct, frozen=True, kw_only=True):
    """Campaign, page and org that a message names, by Proca's ids, with the fields it gives of each.

    `org_id` owns the page. Field names are those of the models: `title`, `external_id`, `contact_schema`,
    `locale`, … Empty fields are left out.
    """

    campaign_id: int | None = None
    page_id: int | None = None
    org_id: int | None = None
    campaign: dict[str, Any] = {}
    page: dict[str, Any] = {}
    org: dict[str, Any] = {}


class Action(Struct, frozen=True, kw_only=True):
    """An action of a supporter. Without an `action_id` it is Unreadable, or a system message."""

    action_id: int
    stage: str
    testing: bool
    created_at: Instant
    action_type: str
    custom_fields: dict[str, Any]
    donation: dict[str, Any] | None
    dupe_rank: int | None
    tracking: dict[str, Any] | None
    contact: Contact
    privacy: Privacy
    places: Places


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailStatus:
    """An `email_status` event. `testing` is the event's own `action.testing`.

    `payload` is the whole message, for the notice that it becomes when nobody can be found by it.
    """

    timestamp: Instant
    action_id: int | None
    testing: bool
    contact: Contact
    privacy: Privacy
    places: Places
    payload: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignUpdate:
    """A `campaign_updated` event: the campaign's fields with `config`, and the org that owns the campaign."""

    timestamp: Instant
    places: Places


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is kept visible and changes nobody: system messages, `confirm_created`, unknown kinds.

    `kind` is the event type without prefix; `payload` the whole message without identity documents; `places`
    the campaign, page and org fields that a system message gives (other notices give none).
    """

    kind: str
    timestamp: Instant
    payload: dict[str, Any]
    places: Places


Message = Action | EmailStatus | CampaignUpdate | Notice
