"""Beside a person in Mailchimp: tags, one for each campaign, and an event for each action."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sync.connectors.answers import Failed, partly, with_actions
from sync.connectors.contract import (
    ActionItem,
    Context,
    Delivered,
    Item,
    NoAnswer,
    Outcome,
)
from sync.connectors.mailchimp.api import Place, asked, done, send

# --- Tags and events ---------------------------------------------------------------------------------


def told(context: Context, item: Item, person: Outcome) -> Outcome:
    """Add tags, then tell what the person did, where they are."""
    if not isinstance(person, Delivered) or person.remote_id is None:
        return person
    places = [Place(*one.split("/", 1)) for one in person.remote_id.split()]
    try:
        for place in places:
            _tag(context, item, place)
    except (Failed, NoAnswer) as trouble:
        return partly(trouble, person, person_done=False)
    return with_actions(person, _events(context, item, places))


def tags_of(item: Item) -> dict[str, str]:
    """Tags of the person, and one for each campaign that they took part in."""
    campaigns = [one.campaign for one in item.actions if one.campaign is not None]
    named = [tag for one in campaigns for tag in one.own_tags or ([one.name] if one.name else [])]
    gone = dict.fromkeys(item.tags_to_remove, "inactive")
    return {tag[:100]: state for tag, state in {**gone, **dict.fromkeys([*item.tags, *named], "active")}.items()}


def _tag(context: Context, item: Item, place: Place) -> None:
    if tags := tags_of(item):
        done(context, send(context, "POST", f"{place.path}/tags", tags_body(tags)))


def tags_body(tags: Mapping[str, str]) -> dict[str, Any]:
    return {"tags": [{"name": name, "status": status} for name, status in tags.items()]}


def _events(context: Context, item: Item, places: Sequence[Place]) -> Iterator[str]:
    """Yield the key of each action that is there; one that is there already is not written again."""
    there: dict[Place, set[str]] = {}
    for action in item.actions:
        place = place_of(action, places)
        if place not in there:
            there[place] = _events_there(context, place)
        if action.key not in there[place]:
            done(context, send(context, "POST", f"{place.path}/events", event(action)))
        yield action.key


def place_of(action: ActionItem, places: Sequence[Place]) -> Place:
    sync = action.campaign.sync if action.campaign is not None else {}
    wanted = str(sync.get("listid") or sync.get("listId") or "")
    return next((one for one in places if one.audience == wanted), places[0])


def _events_there(context: Context, place: Place) -> set[str]:
    found = asked(context, f"{place.path}/events?count=1000", "events")["events"]
    return {str((one.get("properties") or {}).get("proca_action")) for one in found}


def event(action: ActionItem) -> dict[str, Any]:
    record, donation = action.record, action.donation or {}
    properties = {
        "proca_action": action.key,
        "campaign": record.get("campaign_name"),
        "amount": action.amount,
        "currency": donation.get("currency"),
        "frequency": donation.get("frequency_unit"),
    }
    return {
        "name": f"proca_{action.action_type}"[:30],
        "occurred_at": action.created_at.isoformat(timespec="seconds"),
        "properties": {name: str(value) for name, value in properties.items() if value},
    }
