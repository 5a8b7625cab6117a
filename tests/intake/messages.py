"""Messages as Proca sends them, for tests in which it does not matter what they say."""

import json
from typing import Any


def an_action(**more: Any) -> bytes:
    """An action message of one supporter; `createdAt` and what else belongs there goes into `action`."""
    action = {
        "actionType": "petition",
        "customFields": {},
        "createdAt": more.pop("createdAt", "2026-05-12T14:21:53Z"),
        "testing": False,
    }
    number = more.get("actionId", 1)
    message = {
        "schema": "proca:action:2",
        "stage": "deliver",
        "actionId": number,
        "actionPageId": 12,
        "campaignId": 3,
        "orgId": 7,
        "org": {"name": "org", "title": "Org"},
        "action": action,
        "actionPage": {"name": "campaign/org/en", "locale": "en"},
        "campaign": {"name": "campaign", "title": "Campaign", "externalId": None, "contactSchema": "basic"},
        "contact": {
            "contactRef": f"ref-{number}",
            "email": f"anna{number}@example.org",
            "firstName": "Anna",
            "area": "FR",
            "country": "FR",
        },
        "personalInfo": None,
        "privacy": {
            "optIn": True,
            "givenAt": "2026-05-12T14:21:53Z",
            "withConsent": True,
            "emailStatus": None,
        },
        "tracking": None,
    }
    return json.dumps(message | more).encode()
