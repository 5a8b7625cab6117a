"""Bytes off the wire become one of five values, or a reason why they cannot be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sync.terms import Instant


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that cannot be read: a code to group by and the path of the offending value, never the value."""

    code: str
    where: str = ""
    not_before: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """The contact of a message after decryption, as sent; keys are judged by `rules.identity`.

    `details` holds our names (`first_name`, `street`, … of `terms.DETAILS`) with non-empty values as sent; `extra` the
    contact keys that we do not know.
    """

    email: str = ""
    ref: str = ""
    details: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    opt_in: bool | None = None
    given_at: Instant | None = None
    with_consent: bool = False
    email_status: str | None = None
    email_status_changed_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Campaign, page and org that a message names, by Proca's ids, with the fields it gives of each.

    `org_id` owns the page. Field names are those of the models: `title`, `external_id`, `contact_schema`, `locale`, …
    """

    campaign_id: int | None = None
    page_id: int | None = None
    org_id: int | None = None
    campaign: dict[str, Any] = field(default_factory=dict)
    page: dict[str, Any] = field(default_factory=dict)
    org: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """An action of a supporter. `action_id` is never null here (a stage other than `system` without one is Unreadable)."""

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
    """An `email_status` event. `testing` is the event's own `action.testing`."""

    timestamp: Instant
    action_id: int | None
    testing: bool
    contact: Contact
    privacy: Privacy
    places: Places


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignUpdate:
    """A `campaign_updated` event: the campaign's fields with `config`, and the org that owns the campaign."""

    timestamp: Instant
    places: Places


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What is kept visible and changes nobody: system messages, `confirm_created`, unknown kinds.

    `kind` is the event type; `payload` the whole message; `places` the campaign, page and org fields it gives.
    """

    kind: str
    timestamp: Instant
    payload: dict[str, Any]
    places: Places


Message = Action | EmailStatus | CampaignUpdate | Notice
