"""Rule 8: one action, one row; and the fields of campaigns, pages and orgs."""

from collections import defaultdict
from typing import Any

from .erasure import Erasure
from .identity import Identity
from .items import Items
from .reading import Message
from .words import is_empty, iso, larger_filled, larger_key

KEPT_OF_DONATION = ("amount", "currency", "frequency_unit")


def actions_of(items: Items, erasure: Erasure, identity: Identity) -> dict[int, dict]:
    """All actions by Proca's id; `supporter` is the Supporter itself, or None."""
    by_id: dict[int, list[Message]] = defaultdict(list)
    for message in items.messages:
        if message.kind == "action" and message.action_id is not None:
            by_id[message.action_id].append(message)
    return {action_id: action_row(messages, erasure, identity) for action_id, messages in by_id.items()}


def action_row(messages: list[Message], erasure: Erasure, identity: Identity) -> dict:
    furthest = max(message.stage_rank for message in messages)
    last = [message for message in messages if message.stage_rank == furthest]
    erased = any(erasure.removes_details(message) for message in messages)
    donation = larger_filled(message.donation for message in last)
    return {
        "stage": larger_filled(message.stage for message in last),
        "testing": any(message.testing for message in last),
        "created_at": max(filter(None, (message.created_at for message in last))),
        "custom_fields": {} if erased else custom_fields(messages),
        "donation": without_person(donation) if erased else donation,
        "dupe_rank": larger_filled(message.dupe_rank for message in last),
        "with_consent": all(message.with_consent for message in last),
        "opt_in": strictest_opt_in(last),
        "tracking": None if erased else larger_filled(message.tracking for message in last),
        "action_type": larger_filled(message.action_type for message in last),
        "campaign": larger_filled(message.campaign_id for message in last),
        "action_page": larger_filled(message.page_id for message in last),
        "org": larger_filled(message.org_id for message in last),
        "readers": {message.reader for message in messages},
        "supporter": None if erased else identity.owner(fullest_contact(last)),
    }


def strictest_opt_in(messages: list[Message]) -> bool | None:
    """Non-empty beats empty, and of true and false the false wins."""
    answers = {message.opt_in for message in messages} - {None}
    return all(answers) if answers else None


def fullest_contact(messages: list[Message]) -> tuple:
    """Most keys, then the larger pair."""
    return max(
        (message.contact for message in messages),
        key=lambda contact: (2 - contact.count(None), larger_key(list(contact))),
    )


def custom_fields(messages: list[Message]) -> dict:
    """Key by key: non-empty first, then the furthest stage, then the larger."""
    chosen: dict = {}
    for message in messages:
        for name, value in message.custom_fields.items():
            order = (not is_empty(value), message.stage_rank, larger_key(value))
            if name not in chosen or order > chosen[name][0]:
                chosen[name] = (order, value)
    return {name: value for name, (_, value) in chosen.items()}


def without_person(donation: dict | None) -> dict | None:
    """An erasure leaves amount, currency and frequency."""
    return donation and {name: value if name in KEPT_OF_DONATION else None for name, value in donation.items()}


def shown_action(row: dict) -> dict:
    """As the state shows it: the supporter by its contacts."""
    supporter = row["supporter"]
    shown = {name: value for name, value in row.items() if name != "readers"}
    shown["created_at"] = iso(row["created_at"])
    shown["supporter"] = supporter and supporter.sorted_contacts()
    return shown


class Newest:
    """Rows whose fields are each the newest non-empty value said of them."""

    def __init__(self, *fields: str):
        self.fields = fields
        self.said: dict[tuple, list] = defaultdict(list)
        self.ids: set = set()

    def say(self, message: Message, row_id: int | None, **values) -> None:
        if row_id is None:
            return
        self.ids.add(row_id)
        for name, value in values.items():
            if not is_empty(value):
                order = (time_order(message.sent_at), id_order(message.action_id))
                self.said[row_id, name].append((order, larger_key(value), value))

    def rows(self) -> dict:
        return {row_id: {f: self.value(row_id, f) for f in self.fields} for row_id in self.ids}

    def value(self, row_id: int, name: str) -> Any:
        said = self.said[row_id, name]
        return max(said, key=lambda one: one[:2])[2] if said else None


def time_order(moment) -> tuple:
    """Unknown before every time."""
    return (0, 0.0) if moment is None else (1, moment)


def id_order(action_id: int | None) -> tuple:
    """Action ids as numbers, none smallest."""
    return (0, 0) if action_id is None else (1, action_id)


def places_of(items: Items, policies: dict, default_policy: str) -> dict:
    """Campaigns, pages and orgs, from all messages, whoever reads them and whatever is erased."""
    campaigns = Newest("name", "title", "external_id", "contact_schema", "config", "org")
    pages = Newest("name", "locale", "campaign", "org")
    orgs = Newest("name", "title")
    for m in items.messages:
        orgs.say(m, m.reader)
        orgs.say(m, m.org_id, name=m.org.get("name"), title=m.org.get("title"))
        campaigns.say(
            m,
            m.campaign_id,
            name=m.campaign.get("name"),
            title=m.campaign.get("title"),
            external_id=m.campaign.get("externalId"),
            contact_schema=m.campaign.get("contactSchema"),
            config=m.campaign.get("config"),
            org=m.org_id if m.owns_campaign else None,
        )
        pages.say(
            m,
            m.page_id,
            name=m.page.get("name"),
            locale=m.page.get("locale"),
            campaign=m.campaign_id,
            org=m.org_id,
        )
    org_rows = orgs.rows()
    for org, row in org_rows.items():
        row["policy"] = policies.get(org, default_policy)
    return {"campaigns": campaigns.rows(), "action_pages": pages.rows(), "orgs": org_rows}
