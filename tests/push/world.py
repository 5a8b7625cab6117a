"""Messages in, pushes out: what the trials of the engine have in common."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.test import override_settings

from sync.intake.sources import Raw
from sync.intake.take import take
from sync.models import Delivery, Destination, DestinationState, Supporter
from sync.proca.encryption import KeyStore
from sync.processes import Stop
from sync.push import destinations
from sync.push.worker import Order, Worker
from tests.builders import an_action, an_email_status, changed, wire
from tests.fakes.receiver import SECRET, Receiver

#: The moment of reading, after every time that the builders give: 15 November 2026.
NOW = 1_794_700_800_000_000
LATER = "2026-10-01T10:00:00Z"
LATER_STILL = "2026-10-02T10:00:00Z"
_numbers = itertools.count(1)


def receive(*messages: dict[str, Any], org: int = 7) -> None:
    """Store messages as the queue would."""
    raws = [Raw(body=wire(message), queue=f"cus.{org}.deliver", reader=org) for message in messages]
    take(raws, KeyStore([]), now=NOW)


def sign_up(name: str = "anne", *, action_id: int | None = None, **changes: Any) -> dict[str, Any]:
    """An opt-in of somebody with an address of their own."""
    contact = {"email": f"{name}@example.org", "contactRef": f"ref-{name}", "firstName": name.title()}
    message = an_action(actionId=action_id or 10_000 + next(_numbers), contact=contact)
    return changed(message, changes)


def event_about(name: str, status: str, at: str = LATER, **changes: Any) -> dict[str, Any]:
    """An event about somebody's address."""
    message = an_email_status(
        status,
        supporter={
            "contact": {"email": f"{name}@example.org", "contactRef": f"ref-{name}", "firstName": name.title()},
            "privacy": {"emailStatusChanged": at},
        },
        timestamp=at,
    )
    return changed(message, changes)


def supporter(name: str) -> Supporter:
    """The supporter with that address today."""
    return Supporter.objects.get(email=f"{name}@example.org")


def a_destination(receiver: Receiver, **values: Any) -> Destination:
    """A signed webhook to this receiver, switched on."""
    whole = {
        "name": f"receiver {next(_numbers)}",
        "kind": "webhook",
        "org": 7,
        "settings": {"url": f"{receiver.url}/hook", "secret": SECRET},
        "state": "active",
        **values,
    }
    return destinations.create(whole, "test")


def push(only: Destination | None = None) -> dict[str, float]:
    """Deliver until nothing more is due now."""
    with override_settings(PUSH_ALLOW_HOSTS=("127.0.0.1",)):
        return Worker(Order(drain=True, only=only and only.pk), Stop()).run()


def due_at_once() -> None:
    """Let the time go by until whatever waits is due, and no circuit is open."""
    Delivery.objects.filter(due_at__isnull=False).update(due_at="2026-01-01T00:00:00Z", lease="", lease_until=None)
    DestinationState.objects.update(blocked_until=None)


def standing(destination: Destination) -> DestinationState:
    """How it stands."""
    return DestinationState.objects.get(pk=destination.pk)


def person_row(destination: Destination, who: int) -> Delivery:
    """The row of a person."""
    return Delivery.objects.exclude(kind="action").get(destination=destination, supporter_id=who)


@contextmanager
def allowed(*hosts: str) -> Iterator[None]:
    """Private hosts that may be reached."""
    with override_settings(PUSH_ALLOW_HOSTS=hosts or ("127.0.0.1",)):
        assert settings.PUSH_ALLOW_HOSTS
        yield
