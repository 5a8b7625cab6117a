"""A wire body and its reader become a `Message`: plain facts, still without any judgement."""

import json
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from .words import (
    UnreadableError,
    email_key,
    first_filled,
    is_empty,
    ref_key,
    time_of,
    without_nul,
)

STAGES = {"confirm": 0, "supporter_confirm": 1, "action_confirm": 2, "deliver": 4}
OTHER_STAGE = 3

STATUS_WORDS = {
    "double_opt_in": "double_opt_in", "doubleOptIn": "double_opt_in",
    "bounce": "bounce", "blocked": "blocked", "inactive": "inactive",
    "unsub": "unsub", "spam": "spam",
}  # fmt: skip

DETAIL_SPELLINGS = {
    "first_name": ("firstName",), "last_name": ("lastName",), "phone": ("phone",),
    "birth_date": ("birthDate",), "street": ("street",),
    "street_number": ("streetNumber", "street_number"), "postcode": ("postcode",),
    "locality": ("locality", "city"), "region": ("region",), "country": ("country",),
    "area": ("area",),
}  # fmt: skip
KNOWN_CONTACT_KEYS = {spelling for group in DETAIL_SPELLINGS.values() for spelling in group} | {
    "email", "contactRef", "ref", "dupeRank", "address", "nationality",
    "payload", "nonce", "publicKey", "signKey",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Message:
    """One (message, reader) pair. `kind`: `action`, `event`, or `fields` (nothing else counts)."""

    kind: str
    reader: int | None
    email: str | None = None
    ref: str | None = None
    action_id: int | None = None
    stage: str | None = None
    testing: bool = False
    with_consent: bool = False
    opt_in: bool | None = None
    created_at: datetime | None = None
    timestamp: datetime | None = None
    given_at: datetime | None = None
    status: str | None = None
    status_changed_at: datetime | None = None
    details: dict = field(default_factory=dict)
    extra: dict = field(default_factory=dict)
    custom_fields: dict = field(default_factory=dict)
    donation: dict | None = None
    tracking: dict | None = None
    dupe_rank: int | None = None
    action_type: str | None = None
    campaign_id: int | None = None
    page_id: int | None = None
    org_id: int | None = None
    campaign: dict = field(default_factory=dict)
    page: dict = field(default_factory=dict)
    org: dict = field(default_factory=dict)
    owns_campaign: bool = False

    @property
    def contact(self) -> tuple[str | None, str | None]:
        return (self.email, self.ref)

    @property
    def keys(self) -> frozenset:
        return keys_of(self.contact)

    @property
    def stage_rank(self) -> int:
        return STAGES.get(self.stage or "", OTHER_STAGE)

    @property
    def delivered(self) -> bool:
        return self.stage == "deliver"

    @property
    def details_at(self) -> datetime | None:
        """Rule 3: the time of the message's details; None when they are undated."""
        if self.kind == "action" and self.with_consent:
            return self.created_at
        return self.given_at

    @property
    def sent_at(self) -> datetime | None:
        """The event's `timestamp` or the action's `createdAt`."""
        return self.timestamp if self.kind == "event" else (self.created_at or self.timestamp)


def keys_of(contact) -> frozenset:
    """The keys of a contact, each with its sort: ("email", …) and ("ref", …)."""
    email, ref = contact
    return frozenset(key for key in (("email", email), ("ref", ref)) if key[1] is not None)


def read(body: dict, reader: int | None) -> Message:
    """What a body says, read for `reader`. Raises UnreadableError."""
    if not isinstance(body, dict):
        raise UnreadableError("shape")
    refuse_nul_in_keys(body)
    body = without_nul(body)
    schema = body.get("schema")
    if schema in ("proca:action:1", "proca:action:2"):
        return read_action(body, reader, old=schema == "proca:action:1")
    if schema == "proca:event:2":
        return read_event(body, reader)
    raise UnreadableError("schema")


def refuse_nul_in_keys(body: dict) -> None:
    """An identity is not repaired by guessing."""
    for contact in (body.get("contact"), as_dict(body.get("supporter")).get("contact")):
        refuse_nul(as_dict(contact))


def refuse_nul(contact: dict) -> None:
    for name in ("email", "contactRef", "ref"):
        if "\0" in str(contact.get(name)):
            raise UnreadableError("nul")


def as_dict(value) -> dict:
    return value if isinstance(value, dict) else {}


def as_id(*values) -> int | None:
    """The first that is a number, or a number in a text."""
    for value in values:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and value.strip().isdecimal():
            return int(value)
    return None


def read_action(body: dict, reader: int | None, *, old: bool) -> Message:
    action = as_dict(body.get("action"))
    stage = body.get("stage") if isinstance(body.get("stage"), str) else None
    contact = opened_v1_contact(body) if old else opened_contact(body)
    message = Message(
        kind="action",
        reader=reader,
        action_id=as_id(body.get("actionId")),
        stage=stage,
        created_at=time_of(action.get("createdAt")),
        donation=donation_of(action.get("donation")),
        tracking=as_dict(body.get("tracking")) or None,
        dupe_rank=as_id(contact.get("dupeRank")),
        action_type=action.get("actionType"),
        custom_fields=as_dict(action.get("fields")) | as_dict(action.get("customFields")),
        **action_flags(action),
        **privacy_v1(body.get("privacy")) if old else privacy_v2(body.get("privacy")),
        **contact_parts(contact),
        **places(body),
    )
    if stage == "system" or reader is None:
        return fields_only(message)
    if message.action_id is None or message.created_at is None:
        raise UnreadableError("shape")
    return with_form_fields(message)


def with_form_fields(message: Message) -> Message:
    """`locality` and `street` of the form are details where the contact has none."""
    if not message.with_consent:
        return message
    form = {
        name: message.custom_fields.get(name)
        for name in ("locality", "street")
        if name not in message.details and not is_empty(message.custom_fields.get(name))
    }
    return replace(message, details=message.details | form)


def action_flags(action: dict) -> dict:
    return {"testing": action.get("testing") is True}


def donation_of(donation) -> dict | None:
    """What is stored of a donation: the payload is not."""
    if is_empty(donation) or not isinstance(donation, dict):
        return None
    return {
        "amount": donation.get("amount"),
        "currency": donation.get("currency"),
        "frequency_unit": donation.get("frequencyUnit"),
        "schema": donation.get("schema"),
    }


def opened_contact(holder: dict) -> dict:
    if not is_empty(holder.get("personalInfo")):
        raise UnreadableError("encrypted")
    return as_dict(holder.get("contact"))


def opened_v1_contact(body: dict) -> Any:
    """Version 1 keeps the personal data in a JSON text inside the contact."""
    contact = as_dict(body.get("contact"))
    if not is_empty(contact.get("nonce")):
        raise UnreadableError("encrypted")
    payload: Any = contact.get("payload")
    if is_empty(payload):
        return contact
    try:
        opened = as_dict(json.loads(payload))
    except (TypeError, ValueError):
        raise UnreadableError("payload") from None
    refuse_nul(opened)
    return contact | without_nul(opened)


def contact_parts(contact: dict) -> dict:
    """Keys, named details and unknown keys of a contact, in whatever spelling."""
    address = as_dict(contact.get("address"))
    details = {}
    for name, spellings in DETAIL_SPELLINGS.items():
        value = first_filled(place.get(s) for place in (contact, address) for s in spellings)
        if value is not None:
            details[name] = value
    extra = {
        name: value
        for name, value in (address | contact).items()
        if name not in KNOWN_CONTACT_KEYS and not is_empty(value)
    }
    country = as_dict(contact.get("nationality")).get("country")
    if not is_empty(country):
        extra["nationality"] = {"country": country}
    return {
        "email": email_key(contact.get("email")),
        "ref": ref_key(contact.get("contactRef")) or ref_key(contact.get("ref")),
        "details": details,
        "extra": extra,
    }


def privacy_v1(privacy) -> dict:
    """`{"communication", "givenAt"}` came with the action; null (or nothing in it) did not."""
    privacy = as_dict(privacy)
    return {
        "with_consent": bool(privacy),
        "opt_in": as_bool(privacy.get("communication")),
        "given_at": time_of(privacy.get("givenAt")),
    }


def privacy_v2(privacy) -> dict:
    privacy = as_dict(privacy)
    changed = first_filled((privacy.get("emailStatusChanged"), privacy.get("emailStatusChange")))
    status = privacy.get("emailStatus")
    return {
        "with_consent": privacy.get("withConsent") is True,
        "opt_in": as_bool(privacy.get("optIn")),
        "given_at": time_of(privacy.get("givenAt")),
        "status": STATUS_WORDS.get(status) if isinstance(status, str) else None,
        "status_changed_at": time_of(changed),
    }


def as_bool(value) -> bool | None:
    return value if isinstance(value, bool) else None


def places(body: dict) -> dict:
    """Campaign, page and org of a message."""
    campaign, page = as_dict(body.get("campaign")), as_dict(body.get("actionPage"))
    return {
        "campaign_id": as_id(body.get("campaignId"), campaign.get("id")),
        "page_id": as_id(body.get("actionPageId"), page.get("id")),
        "org_id": as_id(body.get("orgId")),
        "campaign": campaign,
        "page": page,
        "org": as_dict(body.get("org")),
    }


def read_event(body: dict, reader: int | None) -> Message:
    word = body.get("eventType")
    if word in ("email_status", "supporter.email_status"):
        return read_email_status(body, reader)
    if word in ("campaign_updated", "system.campaign_updated"):
        return read_campaign_update(body, reader)
    return Message(kind="fields", reader=reader, org_id=as_id(body.get("orgId")))


def read_campaign_update(body: dict, reader: int | None) -> Message:
    """The only message that says whose a campaign is; the org's own fields stand inside."""
    named = places(body)
    named["org"] = as_dict(named["campaign"].get("org")) or named["org"]
    return Message(
        kind="fields",
        reader=reader,
        timestamp=time_of(body.get("timestamp")),
        owns_campaign=True,
        **named,
    )


def read_email_status(body: dict, reader: int | None) -> Message:
    supporter = as_dict(body.get("supporter"))
    message = Message(
        kind="event",
        reader=reader,
        action_id=as_id(body.get("actionId")),
        timestamp=time_of(body.get("timestamp")),
        **action_flags(as_dict(body.get("action"))),
        **privacy_v2(supporter.get("privacy")),
        **contact_parts(opened_contact(supporter)),
        **places(body),
    )
    if message.status and not (message.status_changed_at or message.timestamp):
        raise UnreadableError("shape")
    return fields_only(message) if reader is None or not message.keys else message


def fields_only(message: Message) -> Message:
    """Without a reader, a person or an action: only campaign, page and org fields count."""
    return Message(
        kind="fields",
        reader=message.reader,
        action_id=message.action_id,
        created_at=message.created_at,
        timestamp=message.timestamp,
        campaign_id=message.campaign_id,
        page_id=message.page_id,
        org_id=message.org_id,
        campaign=message.campaign,
        page=message.page,
        org=message.org,
    )
