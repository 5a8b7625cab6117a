"""All sorts of messages about few people, so that most of them collide, alike for one seed."""

import random
from typing import Any

from tests.builders import a_campaign_update, an_action, an_email_status, changed, wire

EMAILS = [f"person{number}@example.org" for number in range(60)]
REFS = [f"ref-of-person-{number}" for number in range(70)]
STATUSES = ("double_opt_in", "bounce", "unsub", "spam", "blocked")


def all_sorts(count: int, seed: int) -> list[bytes]:
    """So many messages: actions of every stage, events, campaigns, poison, and every tenth one twice."""
    chance = random.Random(seed)
    made = [_one(chance, number) for number in range(1, count + 1 - count // 10)]
    return [*made, *chance.sample(made, count // 10)]


def _one(chance: random.Random, number: int) -> bytes:
    kind = chance.random()
    if kind < 0.03:
        return b'{"poison": %d' % number
    if kind < 0.06:
        return wire(a_campaign_update(campaignId=chance.randint(1, 3), timestamp=_time(chance)))
    if kind < 0.2:
        status = an_email_status(chance.choice(STATUSES), supporter=_supporter(chance), actionId=chance.randint(1, 600))
        return wire(changed(status, {"timestamp": _time(chance)}))
    return wire(_action(chance, number))


def _action(chance: random.Random, number: int) -> dict[str, Any]:
    at = _time(chance)
    privacy = {"optIn": chance.choice((True, False, None)), "givenAt": at, "withConsent": chance.random() < 0.8}
    return an_action(
        actionId=number if chance.random() < 0.9 else chance.randint(1, number),
        actionPageId=chance.randint(10, 14),
        campaignId=chance.randint(1, 3),
        orgId=chance.choice((7, 5)),
        stage=chance.choice(("deliver", "deliver", "deliver", "supporter_confirm")),
        action={"createdAt": at, "testing": chance.random() < 0.05},
        contact=_contact(chance),
        privacy=privacy,
    )


def _contact(chance: random.Random) -> dict[str, Any]:
    person = chance.randrange(len(EMAILS))
    # Now and then somebody else's ref, or one more: that is how two people become one.
    other = person if chance.random() < 0.9 else chance.randrange(len(REFS))
    return {
        "email": EMAILS[person] if chance.random() < 0.9 else None,
        "contactRef": REFS[other],
        "firstName": chance.choice(("Anne", "Björn", "Chloé")),
        "postcode": chance.choice(("69001", "75011", None)),
    }


def _supporter(chance: random.Random) -> dict[str, Any]:
    return {"contact": _contact(chance), "privacy": {"emailStatusChanged": _time(chance), "givenAt": _time(chance)}}


def _time(chance: random.Random) -> str:
    return f"2026-09-{chance.randint(1, 28):02}T{chance.randint(0, 23):02}:00:00Z"
