"""Somebody, and what they did, as a connector is given them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from sync.connectors.contract import ActionItem, CampaignItem, Connector, Context, Field, Item, Request
from sync.terms import Status

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
QUIET = {"status": Status.NONE, "mailed": None, "consented_at": None, "consent_newer_than_remote": False}
LEFT = {"status": Status.UNSUBSCRIBED, "mailed": None, "consent_newer_than_remote": False}


def somebody(email: str = "anne@example.org", number: int = 1, **more: Any) -> Item:
    """Somebody who may be mailed; keyword arguments say otherwise."""
    whole: dict[str, Any] = {
        "push_id": f"1-{number}-1",
        "supporter": number,
        "email": email,
        "mailed": email,
        "status": Status.SUBSCRIBED,
        "status_since": NOW - timedelta(days=10),
        "consented_at": NOW - timedelta(days=10),
        "consent_newer_than_remote": True,
        **more,
    }
    return Item(**whole)


def fields(**values: Any) -> tuple[Field, ...]:
    """Mapped fields."""
    return tuple(Field(name=name, value=value) for name, value in values.items())


def an_action(number: int = 501, **more: Any) -> ActionItem:
    """A signature under the campaign `bees`."""
    campaign = CampaignItem(proca_id=3, name="bees", title="Save the bees", sync=more.pop("sync", {}))
    whole: dict[str, Any] = {
        "id": number,
        "key": str(number),
        "action_type": "petition",
        "created_at": NOW - timedelta(days=10),
        "campaign": campaign,
        "testing": False,
        "custom_fields": {},
        "donation": None,
        "record": {"action_id": number, "campaign_name": "bees", "action_type": "petition"},
        **more,
    }
    return ActionItem(**whole)


class Watched:
    """Passes requests on to a fake and keeps them."""

    def __init__(self, fake: Any) -> None:
        self.fake, self.requests = fake, list[Request]()

    def send(self, request: Request) -> Any:
        """Pass on."""
        self.requests.append(request)
        return self.fake.send(request)

    def written(self) -> list[str]:
        """Methods and paths of what was changed."""
        return [f"{one.method} {one.url.partition('?')[0]}" for one in self.requests if not one.read_only]


def a_context(connector: Connector, fake: Any, **settings: Any) -> Context:
    """A destination with the right settings of the fake."""
    defaults = {one.key: one.default for one in connector.settings}
    return Context(
        destination=1, settings={**defaults, **fake.settings, **settings}, http=Watched(fake), now=lambda: NOW
    )
