"""Bytes off the wire become one of four kinds of message, or a reason why they cannot be read.

    body ── wire.decode ──> object ── schema, stage, type ──> Action | EmailStatus | CampaignUpdate | Notice
                               └── encryption: personal data opened and laid over the contact, then judged

Every body ends in a value: `read` raises for none.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from sync.proca import wire
from sync.proca.contact import nul_in_key, opened_contact, read_contact, without_documents
from sync.proca.encryption import KeyStore
from sync.proca.places import read_campaign_places, read_places
from sync.proca.privacy import read_privacy
from sync.proca.shapes import (
    Action,
    CampaignUpdate,
    Code,
    Contact,
    EmailStatus,
    Message,
    Notice,
    Places,
    Privacy,
    Unreadable,
)
from sync.proca.values import (
    boolean,
    identifier,
    integer,
    is_empty,
    moment,
    object_at,
    required_moment,
    required_object,
    text,
)
from sync.proca.wire import Refused
from sync.terms import UNKNOWN, Instant

__all__ = [
    "Action",
    "CampaignUpdate",
    "Code",
    "Contact",
    "EmailStatus",
    "Message",
    "Notice",
    "Places",
    "Privacy",
    "Unreadable",
    "read",
]

_ACTION_1 = "proca:action:1"
_ACTION_2 = "proca:action:2"
_EVENT_2 = "proca:event:2"
_DAY: Instant = 24 * 60 * 60 * 1_000_000
#: The documentation names events with a prefix, the server sends them without.
_PREFIXES = ("supporter.", "system.")
_TRACKING = ("source", "medium", "campaign", "content", "location")


def read(body: bytes, keys: KeyStore, *, now: Instant) -> Message | Unreadable:
    """Return what a body says.

    `now` is the moment of reading: no time of a message may be more than a day after it.
    """
    try:
        sent = wire.decode(body)
    except Refused as refused:
        return _unreadable(refused)
    message = sent
    if wire.may_hold_nul(body):
        sent = wire.without_nul_in_keys(sent)
        message = wire.without_nul(sent)
    try:
        result = _understood(message, keys)
        if message is not sent:
            _refuse_damaged_identity(sent, result)
        _refuse_future(result, now)
    except Refused as refused:
        return _unreadable(refused, *_named_in(message, keys))
    return result


def _understood(message: dict[str, Any], keys: KeyStore) -> Message:
    """Tell the kinds of message apart."""
    schema = message.get("schema")
    if schema == _EVENT_2:
        return _event(message, keys)
    if schema not in (_ACTION_1, _ACTION_2):
        raise Refused(Code.UNKNOWN_SHAPE, "schema")
    if message.get("stage") == "system":
        return _system_notice(message)
    return _action(message, keys, version_1=schema == _ACTION_1)


def _action(message: dict[str, Any], keys: KeyStore, *, version_1: bool) -> Action:
    """Read an action of a supporter."""
    action = required_object(message, "action")
    action_id = _action_id(message, action)
    if action_id is None:
        raise Refused(Code.MISSING, "actionId")
    contact = opened_contact(message, keys, "")
    return Action(
        action_id=action_id,
        stage=_stage(message),
        testing=_testing(action),
        created_at=required_moment(action, "createdAt", "action."),
        action_type=text(action.get("actionType")) or "",
        custom_fields=_custom_fields(action),
        donation=_donation(action.get("donation")),
        dupe_rank=integer(contact.get("dupeRank")),
        tracking=_tracking(message.get("tracking")),
        contact=read_contact(contact, "contact"),
        privacy=read_privacy(message, "", version_1=version_1),
        places=read_places(message),
    )


def _event(message: dict[str, Any], keys: KeyStore) -> Message:
    """Read an event; of a kind that we do not know, only when it happened."""
    kind = text(message.get("eventType"))
    if kind is None:
        raise Refused(Code.MISSING, "eventType")
    for prefix in _PREFIXES:
        kind = kind.removeprefix(prefix)
    timestamp = required_moment(message, "timestamp", "")
    if kind == "email_status":
        return _email_status(message, timestamp, keys)
    if kind == "campaign_updated":
        return _campaign_update(message, timestamp)
    return Notice(kind=kind, timestamp=timestamp, payload=without_documents(message), places=Places())


def _email_status(message: dict[str, Any], timestamp: Instant, keys: KeyStore) -> EmailStatus:
    """Read what became of somebody's email; the personal data sit one level deeper than in actions."""
    supporter = required_object(message, "supporter")
    action = object_at(message, "action")
    return EmailStatus(
        timestamp=timestamp,
        action_id=_action_id(message, action),
        testing=_testing(action),
        contact=read_contact(opened_contact(supporter, keys, "supporter."), "supporter.contact"),
        privacy=read_privacy(supporter, "supporter."),
        places=read_places(message),
        payload=without_documents(message),
    )


def _campaign_update(message: dict[str, Any], timestamp: Instant) -> CampaignUpdate:
    """Read a campaign's new state."""
    places = read_campaign_places(message)
    if places.campaign_id is None:
        raise Refused(Code.MISSING, "campaignId")
    return CampaignUpdate(timestamp=timestamp, places=places)


def _system_notice(message: dict[str, Any]) -> Notice:
    """Read a system message: it looks like an action, but its contact is a campaigner, never a supporter."""
    action = object_at(message, "action")
    timestamp = moment(action, "createdAt", "action.")
    return Notice(
        kind=text(message.get("eventType")) or text(action.get("actionType")) or "system",
        timestamp=required_moment(message, "timestamp", "") if timestamp is None else timestamp,
        payload=without_documents(message),
        places=read_places(message),
    )


def _action_id(message: dict[str, Any], action: dict[str, Any]) -> int | None:
    """Return the action's id, else its copy inside."""
    number = identifier(message.get("actionId"), "actionId")
    return identifier(action.get("id"), "action.id") if number is None else number


def _testing(action: dict[str, Any]) -> bool:
    """Return whether it was only tried out; nothing but true and false is read as either."""
    return bool(boolean(action, "testing", "action."))


def _stage(message: dict[str, Any]) -> str:
    """Return the stage as sent, "" for none; it decides on consent, so one that is no text is refused."""
    stage = message.get("stage")
    if stage is None:
        return ""
    if type(stage) is not str:
        raise Refused(Code.WRONG_TYPE, "stage")
    return stage


def _custom_fields(action: dict[str, Any]) -> dict[str, Any]:
    """Return the form's fields under both of their names. What is no object has no names to keep it by."""
    if "fields" not in action:
        return object_at(action, "customFields")
    return object_at(action, "fields") | object_at(action, "customFields")


def _donation(donation: Any) -> dict[str, Any] | None:
    """Return a donation in our names, without the payment service's payload; None where there is none."""
    if type(donation) is not dict:
        return None
    amount = donation.get("amount")
    whole = integer(amount)
    found = {
        "amount": whole if whole is not None else amount if type(amount) in (int, float) else None,
        "currency": text(donation.get("currency")),
        "frequency_unit": text(donation.get("frequencyUnit")) or text(donation.get("frequency_unit")),
        "schema": text(donation.get("schema")),
    }
    return None if all(value is None for value in found.values()) else found


def _tracking(tracking: Any) -> dict[str, Any] | None:
    """Return where the person came from as it was sent ("" too), None where nothing is said."""
    if type(tracking) is not dict:
        return None
    return {key: value for key in _TRACKING if type(value := tracking.get(key)) is str} or None


def _refuse_damaged_identity(sent: dict[str, Any], result: Message) -> None:
    """Refuse U+0000 in an email or contactRef: an identity is not repaired by guessing."""
    if isinstance(result, Action):
        where, contact = "contact.", sent.get("contact")
    elif isinstance(result, EmailStatus):
        where, contact = "supporter.contact.", sent["supporter"].get("contact")
    else:
        return
    damaged = nul_in_key(contact)
    if damaged:
        raise Refused(Code.NUL, where + damaged)


def _refuse_future(result: Message, now: Instant) -> None:
    """Refuse a time more than a day ahead, which would win for ever, until that day has come."""
    if isinstance(result, Action):
        latest, where = _latest(result.created_at, "action.createdAt", result.privacy, "privacy.")
    elif isinstance(result, EmailStatus):
        latest, where = _latest(result.timestamp, "timestamp", result.privacy, "supporter.privacy.")
    else:
        latest, where = result.timestamp, "timestamp"
    if latest > now + _DAY:
        raise Refused(Code.CLOCK, where, not_before=latest - _DAY)


def _latest(own: Instant, where: str, privacy: Privacy, prefix: str) -> tuple[Instant, str]:
    """Return the latest time of a message and its path: once that one is accepted, all are."""
    return max(
        (own, where),
        (UNKNOWN if privacy.given_at is None else privacy.given_at, prefix + "givenAt"),
        (
            UNKNOWN if privacy.email_status_changed_at is None else privacy.email_status_changed_at,
            prefix + "emailStatusChanged",
        ),
    )


def _named_in(message: dict[str, Any], keys: KeyStore) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the emails and contactRefs that an unreadable message shows, so that an erasure finds it."""
    emails: dict[str, None] = {}
    refs: dict[str, None] = {}
    for holder in (message, object_at(message, "supporter")):
        shown = [object_at(holder, "contact")]
        with suppress(Refused):  # then the clear part is all there is
            shown.append(opened_contact(holder, keys, ""))
        for contact in shown:
            emails |= dict.fromkeys(_texts(contact, "email"))
            refs |= dict.fromkeys(_texts(contact, "contactRef", "ref"))
    return tuple(emails), tuple(refs)


def _texts(contact: dict[str, Any], *keys: str) -> list[str]:
    """Return the non-blank texts under these keys."""
    return [value for key in keys if type(value := contact.get(key)) is str and not is_empty(value)]


def _unreadable(refused: Refused, emails: tuple[str, ...] = (), refs: tuple[str, ...] = ()) -> Unreadable:
    """Return the reason of a refusal as the value that is stored."""
    return Unreadable(
        code=refused.code.value,
        where=refused.where,
        not_before=refused.not_before,
        public_key=refused.public_key,
        emails=emails,
        refs=refs,
    )
