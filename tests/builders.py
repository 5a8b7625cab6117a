"""Messages as Proca sends them, for tests: a full one each, changed where the test says so.

`an_action(contact={"email": None})` changes one key and keeps the others; `ABSENT` takes a key away.
"""

import copy
import json
from typing import Any

from nacl.public import Box, PrivateKey, PublicKey

from sync.proca.encryption import KeyStore, decode, encode

ABSENT: Any = object()

CREATED = "2026-09-12T14:21:53Z"
REF = "kUxAz3Lh3l9wW9TqO1Lm0X3c1bq7k2l0FzUuN4mQ4yA"
#: The half of Proca's server: it signs what it encrypts.
SENDER = PrivateKey(b"proca's own sign key, for tests!")
#: The same in every process, so that tests have the same names in each.
KEYS = KeyStore([PrivateKey(b"a key of the reader, for tests!!")])
OTHER_KEYS = KeyStore([PrivateKey(b"somebody else's key, for tests!!")])

_ACTION = {
    "schema": "proca:action:2",
    "stage": "deliver",
    "actionId": 4711,
    "actionPageId": 12,
    "campaignId": 3,
    "orgId": 7,
    "org": {"name": "greens", "title": "The Greens"},
    "action": {
        "actionType": "register",
        "customFields": {"comment": "Pour nos enfants"},
        "createdAt": CREATED,
        "testing": False,
    },
    "actionPage": {
        "name": "forest/greens/fr",
        "locale": "fr",
        "thankYouTemplate": None,
        "thankYouTemplateRef": None,
        "supporterConfirmTemplate": None,
    },
    "campaign": {"name": "forest", "title": "Save the forest", "externalId": None, "contactSchema": "basic"},
    "contact": {
        "contactRef": REF,
        "dupeRank": 0,
        "dupeSamePage": None,
        "email": "anne.martin@example.org",
        "firstName": "Anne",
        "lastName": "Martin",
        "phone": "+33612345678",
        "area": "FR",
        "country": "FR",
        "postcode": "69001",
        "address": {"region": None, "locality": "Lyon", "street": "Rue de la Paix", "streetNumber": "12"},
    },
    "personalInfo": None,
    "privacy": {
        "optIn": True,
        "givenAt": CREATED,
        "withConsent": True,
        "emailStatus": None,
        "emailStatusChanged": None,
    },
    "tracking": {
        "source": "newsletter",
        "medium": "email",
        "campaign": "autumn",
        "content": "",
        "location": "https://forest.example.org/fr",
    },
}
_SHOWN_IN_CLEAR = ("contactRef", "dupeRank", "dupeSamePage", "area")


def an_action(**changes: Any) -> dict[str, Any]:
    """An action of version 2: a sign-up with opt-in."""
    return changed(_ACTION, changes)


def an_action_of_version_1(*, personal: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """An action as older organisations get it; `personal` is what its payload says."""
    if personal is None:
        personal = {"firstName": "Anne", "lastName": "Martin", "country": "FR", "postcode": "69001"}
    message = copy.deepcopy(_ACTION)
    message["schema"] = "proca:action:1"
    message["action"]["fields"] = message["action"].pop("customFields")
    message["contact"] = {
        "ref": REF,
        "firstName": "Anne",
        "area": "FR",
        "email": "anne.martin@example.org",
        "payload": json.dumps(personal),
    }
    message["privacy"] = {"communication": True, "givenAt": CREATED}
    del message["personalInfo"]
    del message["campaign"]["contactSchema"]
    return changed(message, changes)


def an_email_status(status: str = "double_opt_in", **changes: Any) -> dict[str, Any]:
    """An event about somebody's email, as newer servers send it: with its action."""
    message = copy.deepcopy(_ACTION)
    for key in ("stage", "orgId", "org", "personalInfo"):
        del message[key]
    privacy = message.pop("privacy") | {
        "withConsent": False,
        "emailStatus": status,
        "emailStatusChanged": "2026-09-13T08:00:00Z",
    }
    message |= {
        "schema": "proca:event:2",
        "eventType": "email_status",
        "timestamp": "2026-09-13T08:00:01Z",
        "supporter": {"contact": message.pop("contact"), "privacy": privacy, "personalInfo": None},
    }
    return changed(message, changes)


def a_campaign_update(**changes: Any) -> dict[str, Any]:
    """An event about a campaign, to its owner."""
    message = {
        "schema": "proca:event:2",
        "eventType": "campaign_updated",
        "timestamp": "2026-09-10T09:00:00Z",
        "campaignId": 3,
        "orgId": 5,
        "campaign": {
            "id": 3,
            "name": "forest",
            "title": "Save the forest",
            "externalId": 1984,
            "contactSchema": "basic",
            "config": {"layout": {"primary_color": "#006600"}},
            "org": {"name": "alliance", "title": "Forest Alliance"},
        },
    }
    return changed(message, changes)


def a_confirm_created(**changes: Any) -> dict[str, Any]:
    """An event that asks somebody to accept something in Proca."""
    message = {
        "schema": "proca:event:2",
        "eventType": "confirm_created",
        "timestamp": "2026-09-11T10:00:00Z",
        "confirm": {
            "operation": "launch_page",
            "code": "12345678",
            "email": "",
            "message": "",
            "acceptLink": "https://proca.example.org/link/accept",
            "rejectLink": "https://proca.example.org/link/reject",
            "objectId": 12,
            "subjectId": 3,
            "creator": {"email": "campaigner@example.org", "jobTitle": None},
        },
        "campaign": {"name": "forest", "title": "Save the forest"},
        "org": {"name": "greens", "title": "The Greens"},
    }
    return changed(message, changes)


def a_system_message(**changes: Any) -> dict[str, Any]:
    """Looks like an action, but its contact is a campaigner."""
    message = copy.deepcopy(_ACTION) | {
        "stage": "system",
        "eventType": "join_campaign",
        "actionId": None,
        "privacy": {},
        "tracking": {},
        "contact": {
            "firstName": "campaigner",
            "email": "campaigner@example.org",
            "contactRef": None,
            "dupeRank": 0,
            "area": None,
        },
    }
    message["action"] |= {
        "actionType": "join_campaign",
        "customFields": {},
        "createdAt": "2026-09-09T12:00:00.123456Z",
    }
    return changed(message, changes)


def encrypted(message: dict[str, Any], keys: KeyStore, *, nonce: bytes = b"n" * 24) -> dict[str, Any]:
    """The same message as an organisation with encryption gets it, for the first of its keys."""
    message = copy.deepcopy(message)
    if message["schema"] == "proca:action:1":
        contact = message["contact"]
        parts = _sealed(contact.pop("payload").encode(), keys, nonce)
        del contact["area"]
        contact |= {
            "payload": parts["payload"],
            "nonce": parts["nonce"],
            "publicKey": parts["encryptKey"]["public"],
            "signKey": parts["signKey"]["public"],
        }
        return message
    holder = message.get("supporter", message)
    contact = holder["contact"]
    personal = {key: value for key, value in contact.items() if key not in _SHOWN_IN_CLEAR}
    clear = {key: contact[key] for key in _SHOWN_IN_CLEAR if key in contact}
    holder["contact"] = {"email": None, "firstName": None} | clear
    holder["personalInfo"] = _sealed(json.dumps(personal).encode(), keys, nonce)
    return message


def wire(message: Any) -> bytes:
    """The message as bytes off the queue."""
    return json.dumps(message, ensure_ascii=False).encode()


def changed(message: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The message with the changes laid over it, objects key by key."""
    result = dict(message)
    for key, value in changes.items():
        if value is ABSENT:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = changed(result[key], value)
        else:
            result[key] = value
    return copy.deepcopy(result)


def _sealed(clear: bytes, keys: KeyStore, nonce: bytes) -> dict[str, Any]:
    """A `personalInfo` object that the first of `keys` opens."""
    recipient = keys.public_keys[0]
    box = Box(SENDER, PublicKey(decode(recipient)))
    return {
        "payload": encode(box.encrypt(clear, nonce).ciphertext),
        "nonce": encode(nonce),
        "encryptKey": {"id": 1, "public": recipient},
        "signKey": {"id": 2, "public": encode(bytes(SENDER.public_key))},
    }
