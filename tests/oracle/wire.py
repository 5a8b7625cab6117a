"""Builders of wire messages: everything has a readable default, and a test names what it is about.

Overrides are given by the wire's own names, flat: a contact's key, a privacy key, a key of the
action or of the message all go where they belong. `ABSENT` leaves a key out.
"""

import json
from typing import Any

ABSENT = object()
"""An override that removes the key."""

PRIVACY_KEYS = (
    "optIn", "givenAt", "withConsent", "emailStatus",
    "emailStatusChanged", "emailStatusChange", "communication",
)  # fmt: skip
ACTION_KEYS = ("actionType", "customFields", "fields", "createdAt", "testing", "donation")
MESSAGE_KEYS = (
    "schema", "stage", "actionId", "actionPageId", "campaignId", "orgId", "org", "actionPage",
    "campaign", "contact", "privacy", "tracking", "personalInfo", "action", "eventType",
    "timestamp", "supporter",
)  # fmt: skip

MAY_1 = "2026-05-01T12:00:00Z"
MAY_2 = "2026-05-02T12:00:00Z"
MAY_3 = "2026-05-03T12:00:00Z"
MAY_4 = "2026-05-04T12:00:00Z"
MAY_5 = "2026-05-05T12:00:00Z"
MAY_6 = "2026-05-06T12:00:00Z"

REF = "r" * 43
OTHER_REF = "s" * 43


def without_absent(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: without_absent(v) for k, v in value.items() if v is not ABSENT}
    return value


def spread(body: dict, holders: list[tuple[tuple, dict]], contact: dict, overrides: dict) -> Any:
    """Put each override where it belongs; an unknown key is one of the contact's."""
    for name, value in overrides.items():
        place = body if name in MESSAGE_KEYS else contact
        for names, holder in holders:
            if name in names:
                place = holder
        place[name] = value
    return without_absent(body)


def an_action(**overrides) -> Any:
    """A delivered sign-up with consent, version 2; `createdAt` also dates the consent."""
    created = overrides.get("createdAt", MAY_1)
    action = {"actionType": "register", "customFields": {}, "createdAt": MAY_1, "testing": False}
    contact = {"contactRef": REF, "dupeRank": 0, "email": "ann@example.org", "firstName": "Ann"}
    privacy = {
        "optIn": True,
        "givenAt": created,
        "withConsent": True,
        "emailStatus": None,
        "emailStatusChanged": None,
    }
    body = {
        "schema": "proca:action:2",
        "stage": "deliver",
        "actionId": 1,
        "actionPageId": 12,
        "campaignId": 3,
        "orgId": 1,
        "org": {"name": "greens", "title": "The Greens"},
        "action": action,
        "actionPage": {"name": "forest/greens/en", "locale": "en"},
        "campaign": {
            "name": "forest",
            "title": "Save the forest",
            "externalId": None,
            "contactSchema": "basic",
        },
        "contact": contact,
        "personalInfo": None,
        "privacy": privacy,
        "tracking": None,
    }
    return spread(body, [(PRIVACY_KEYS, privacy), (ACTION_KEYS, action)], contact, overrides)


def a_share(**overrides) -> Any:
    """A step that hangs on an earlier sign-up and repeats its contact record."""
    return an_action(
        **{
            "actionId": 2,
            "actionType": "share",
            "createdAt": MAY_3,
            "givenAt": MAY_1,
            "withConsent": False,
            "optIn": None,
        }
        | overrides
    )


def v1_action(**overrides) -> Any:
    """Version 1. Personal data beside the first name stand in the payload, a JSON text.

    `payload` may be given as a dict; `privacy=None` is a message without consent.
    """
    created = overrides.get("createdAt", MAY_1)
    payload = overrides.pop("payload", {"email": "ann@example.org"})
    action = {"actionType": "register", "fields": {}, "createdAt": MAY_1, "testing": False}
    contact = {
        "ref": REF,
        "firstName": "Ann",
        "payload": json.dumps(payload) if isinstance(payload, dict) else payload,
    }
    privacy = {"communication": True, "givenAt": created}
    body = {
        "schema": "proca:action:1",
        "stage": "deliver",
        "actionId": 1,
        "actionPageId": 12,
        "campaignId": 3,
        "orgId": 1,
        "org": {"name": "greens", "title": "The Greens"},
        "action": action,
        "actionPage": {"name": "forest/greens/en", "locale": "en"},
        "campaign": {"name": "forest", "title": "Save the forest", "externalId": None},
        "contact": contact,
        "privacy": privacy,
        "tracking": None,
    }
    return spread(body, [(PRIVACY_KEYS, privacy), (ACTION_KEYS, action)], contact, overrides)


def an_event(**overrides) -> Any:
    """An `email_status` event that names no action; `emailStatus` says which."""
    changed = overrides.get("timestamp", MAY_2)
    contact = {"contactRef": REF, "email": "ann@example.org"}
    privacy = {
        "optIn": None,
        "givenAt": MAY_1,
        "withConsent": False,
        "emailStatus": "double_opt_in",
        "emailStatusChanged": changed,
    }
    action: dict = {}
    body = {
        "schema": "proca:event:2",
        "eventType": "email_status",
        "timestamp": MAY_2,
        "supporter": {"contact": contact, "privacy": privacy, "personalInfo": None},
    }
    if set(overrides) & set(ACTION_KEYS):
        body["action"] = action
    return spread(body, [(PRIVACY_KEYS, privacy), (ACTION_KEYS, action)], contact, overrides)


def campaign_updated(**overrides) -> Any:
    """The campaign's owner hears of it; overrides of the campaign by its own keys."""
    campaign = {
        "id": 3,
        "name": "forest",
        "title": "Save the forest",
        "externalId": None,
        "contactSchema": "basic",
        "config": {"locales": ["en"]},
        "org": {"name": "greens", "title": "The Greens"},
    }
    body = {
        "schema": "proca:event:2",
        "eventType": "campaign_updated",
        "timestamp": MAY_2,
        "campaignId": 3,
        "orgId": 1,
        "campaign": campaign,
    }
    for name, value in overrides.items():
        (body if name in ("campaignId", "orgId", *MESSAGE_KEYS) else campaign)[name] = value
    return without_absent(body)


def system_message(**overrides) -> Any:
    """It looks like an action, but the contact is a campaigner."""
    return an_action(
        **{
            "stage": "system",
            "actionId": None,
            "actionType": "join_campaign",
            "createdAt": "2026-05-01T12:00:00.123456Z",
            "contactRef": None,
            "email": "campaigner@example.org",
        }
        | overrides
    )
