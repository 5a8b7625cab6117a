"""The plain way: pika, and Django's `update_or_create` for each row of each message, one transaction a message.

Arguments: URL of the queue, its name, messages. The database is that of the settings. Nothing is remembered from one
message to the next, people are recognised by the pair of email and contactRef, and the newest details win.
"""

import json
import sys
import time
from datetime import datetime
from typing import Any

import django
import pika
from django.db import transaction
from django.db.models import F
from django.utils import timezone

django.setup()

from sync.models import Action, ActionPage, Campaign, Consent, Contact, Org, Subscription, Supporter  # noqa: E402
from sync.rules.plan import search_key  # noqa: E402


def main(url: str, queue: str, count: int) -> None:
    """Stores so many messages and acknowledges each once it is stored."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    channel.basic_qos(prefetch_count=100)
    got = 0

    def on_message(channel: Any, method: Any, properties: Any, body: bytes) -> None:
        nonlocal got
        got += 1
        store(json.loads(body))
        channel.basic_ack(method.delivery_tag)
        if got == count:
            channel.stop_consuming()

    begun = time.monotonic()
    channel.basic_consume(queue, on_message)
    channel.start_consuming()
    connection.close()
    print(json.dumps({"seconds": time.monotonic() - begun}))


@transaction.atomic
def store(message: dict[str, Any]) -> None:
    """Stores one message."""
    at = datetime.fromisoformat(message["action"]["createdAt"])
    org, campaign, page = _places(message)
    contact, supporter = _person(message["contact"], page.locale, at)
    action, _ = Action.objects.update_or_create(
        action_id=message["actionId"],
        defaults={
            "supporter": supporter,
            "contact": contact,
            "campaign": campaign,
            "action_page": page,
            "org": org,
            "action_type": message["action"]["actionType"],
            "stage": message["stage"],
            "testing": message["action"]["testing"],
            "created_at": at,
            "custom_fields": message["action"]["customFields"],
            "dupe_rank": message["contact"]["dupeRank"],
            "with_consent": message["privacy"]["withConsent"],
            "opt_in": message["privacy"]["optIn"],
            "tracking": message["tracking"],
        },
    )
    _consent(supporter, org, action)


def _places(message: dict[str, Any]) -> tuple[Org, Campaign, ActionPage]:
    org, _ = Org.objects.update_or_create(id=message["orgId"], defaults=message["org"])
    told = message["campaign"]
    campaign, _ = Campaign.objects.update_or_create(
        proca_id=message["campaignId"],
        defaults={"name": told["name"], "title": told["title"], "contact_schema": told["contactSchema"]},
    )
    told = message["actionPage"]
    page, _ = ActionPage.objects.update_or_create(
        proca_id=message["actionPageId"],
        defaults={"name": told["name"], "locale": told["locale"], "campaign": campaign, "org": org},
    )
    return org, campaign, page


def _person(told: dict[str, Any], language: str | None, at: datetime) -> tuple[Contact, Supporter]:
    keys = {"email": told["email"].lower(), "ref": told["contactRef"]}
    known = Contact.objects.filter(**keys).first()
    details = {
        "email": keys["email"],
        "first_name": told["firstName"],
        "last_name": told["lastName"],
        "phone": told["phone"],
        "postcode": told["postcode"],
        "locality": told["address"]["locality"],
        "country": told["country"],
        "area": told["area"],
        "language": language,
        "contact_refs": [keys["ref"]],
        "search_key": search_key(told["lastName"], told["firstName"]),
        "details_given_at": at,
        "last_action_at": at,
        "updated_at": timezone.now(),
    }
    supporter, _ = Supporter.objects.update_or_create(
        pk=known.supporter_id if known else None,  # type: ignore[misc]
        defaults=details | {"action_count": F("action_count") + 1},
        create_defaults=details | {"action_count": 1, "first_action_at": at, "created_at": timezone.now()},
    )
    contact, _ = Contact.objects.update_or_create(
        **keys, defaults={"supporter": supporter, "home": supporter.pk, "said": told}
    )
    return contact, supporter


def _consent(supporter: Supporter, org: Org, action: Action) -> None:
    Consent.objects.update_or_create(
        supporter=supporter,
        org=org,
        kind="opt_in" if action.opt_in else "opt_out",
        occurred_at=action.created_at,
        email=supporter.email,
        defaults={"source": "proca", "action_id": action.action_id, "recorded_at": timezone.now()},
    )
    before = Subscription.objects.filter(supporter=supporter, org=org).first()
    # Who never opted in has nothing to end.
    ended = "none" if before is None or before.status == "none" else "unsubscribed"
    status = "subscribed" if action.opt_in else ended
    if before is None or before.status != status:
        since = action.created_at if status != "none" else None
        Subscription.objects.update_or_create(
            supporter=supporter,
            org=org,
            defaults={
                "status": status,
                "email": supporter.email,
                "source": "proca" if since else None,
                "status_changed_at": since,
                "updated_at": timezone.now(),
            },
        )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
