"""Messages as a campaign sends them: about 1 kB each, alike in every run."""

import base64
import hashlib
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

FIRST_NAMES = ("Anne", "Björn", "Chloé", "Dimitra", "Émile", "Fatima", "Giulia", "Håkan", "Ines", "Jürgen")
LAST_NAMES = ("Martin", "Papadopoulos", "Müller", "García", "Nowak", "Dubois", "Rossi", "Andersson", "Horváth", "Silva")
COUNTRIES = ("FR", "DE", "IT", "ES", "PL", "GR", "SE", "BE", "AT", "PT")
LOCALES = ("fr", "de", "it", "es", "pl", "el", "sv", "nl", "de_AT", "pt")
SOURCES = ("newsletter", "facebook", "unknown", "whatsapp")
CAMPAIGNS = 8
START = datetime(2026, 5, 1, 8, tzinfo=UTC)
#: Of all messages, those that somebody sends who was not there before.
NEW = 0.6


def messages(
    count: int, *, seed: int = 1, first_action: int = 1, first_person: int = 1, known: int = 0
) -> Iterator[bytes]:
    """Sign-ups of new people, and between them second actions of people who came earlier in the same run.

    `known`: of people 1 to `known` instead, who came before it.
    """
    chance = random.Random(seed)
    people = 0
    for number in range(count):
        # The very first has nobody to follow.
        is_new = (not people and not known) or chance.random() < NEW
        people += is_new
        if is_new:
            person = first_person + people - 1
        else:
            person = 1 + chance.randrange(known) if known else first_person + chance.randrange(people)
        campaign = 1 + chance.randrange(CAMPAIGNS)
        kind = "petition" if is_new else chance.choice(("share", "petition", "mail2target"))
        yield _as_body(_action(person, first_action + number, campaign, kind))


def sign_ups(first: int, last: int) -> Iterator[bytes]:
    """One sign-up of each of these people, the action numbered as the person is."""
    for person in range(first, last + 1):
        yield _as_body(_action(person, person, 1 + person % CAMPAIGNS, "petition"))


def _as_body(message: dict[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def _action(person: int, action_id: int, campaign: int, kind: str) -> dict[str, Any]:
    home = person % len(COUNTRIES)
    at = (START + timedelta(seconds=action_id)).strftime("%Y-%m-%dT%H:%M:%SZ")
    page = campaign * 100 + home
    return {
        "schema": "proca:action:2",
        "stage": "deliver",
        "actionId": action_id,
        "actionPageId": page,
        "campaignId": campaign,
        "orgId": 7,
        "org": {"name": "greens", "title": "The Greens"},
        "action": {
            "actionType": kind,
            "customFields": {"comment": "For our children, and for theirs"} if person % 3 == 0 else {},
            "createdAt": at,
            "testing": False,
        },
        "actionPage": {
            "name": f"campaign-{campaign}/greens/{LOCALES[home]}",
            "locale": LOCALES[home],
            "thankYouTemplate": None,
            "thankYouTemplateRef": None,
            "supporterConfirmTemplate": None,
        },
        "campaign": {
            "name": f"campaign-{campaign}",
            "title": f"Campaign number {campaign}",
            "externalId": None,
            "contactSchema": "basic",
        },
        "contact": _contact(person, home),
        "personalInfo": None,
        "privacy": {
            "optIn": person % 10 < 7,
            "givenAt": at,
            "withConsent": True,
            "emailStatus": None,
            "emailStatusChanged": None,
        },
        "tracking": {
            "source": SOURCES[person % len(SOURCES)],
            "medium": "email",
            "campaign": "spring",
            "content": "",
            "location": f"https://campaign-{campaign}.example.org/{LOCALES[home]}?utm_source=spring",
        },
    }


def _contact(person: int, home: int) -> dict[str, Any]:
    first, last = FIRST_NAMES[person % 10], LAST_NAMES[person // 10 % 10]
    digest = hashlib.sha256(b"%d" % person).digest()
    return {
        "contactRef": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "dupeRank": 0,
        "email": f"{last.lower()}.{person}@mail{person % 50}.example.org",
        "firstName": first,
        "lastName": last,
        "phone": f"+336{person:08}" if person % 4 == 0 else None,
        "area": COUNTRIES[home],
        "country": COUNTRIES[home],
        "postcode": f"{person % 90_000 + 10_000}",
        "address": {"region": None, "locality": f"Town {person % 500}", "street": None, "streetNumber": None},
    }
