"""Brevo (API v3): people are contacts with attributes, in lists or on the blocklist; what they did is an event.

Brevo gives an event no key that keeps it from being written twice: where an answer is lost, an event may come again,
and `proca_action` in its properties tells so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from sync.connectors.answers import Failed, look_one_by_one, not_there, one_by_one, with_actions
from sync.connectors.brevo.api import ANSWERS, asked, by_email, by_id, contact, refusal, request, send
from sync.connectors.brevo.back import is_authentic, poll_with, read_reports
from sync.connectors.brevo.person import address_of, forget, new_body, numbers, tell
from sync.connectors.contract import (
    ActionItem,
    Checked,
    Choice,
    Connector,
    Context,
    Delivered,
    Feature,
    Inbox,
    Item,
    Mapped,
    Mode,
    Outcome,
    Polled,
    Request,
    Seen,
    Setting,
    SettingType,
)

#: As many as Brevo gives at once.
_LISTS = 50
_EVENT_NAME = re.compile(r"[^A-Za-z0-9_-]+")


def _push_one(context: Context, item: Item) -> Outcome:
    try:
        if item.erase:
            return forget(context, item)
        is_known = item.remote_id is not None and not item.is_due
        person = Delivered(remote_id=item.remote_id) if is_known else tell(context, item)
    except Failed as failed:
        return failed.outcome
    return with_actions(person, _events(context, item, person.remote_id))


def _events(context: Context, item: Item, remote_id: str | None) -> Iterator[str]:
    for action in item.actions if remote_id is not None else ():
        response = send(context, "POST", "/events", _event(action, remote_id or ""))
        if response.status != 204:
            raise Failed(refusal(context, response))
        yield action.key


def _event(action: ActionItem, remote_id: str) -> dict[str, Any]:
    donation = action.donation or {}
    properties = {
        "proca_action": action.key,
        "campaign": action.record.get("campaign_name"),
        "amount": action.amount,
        "currency": donation.get("currency"),
        "frequency": donation.get("frequency_unit"),
    }
    return {
        "event_name": "proca_" + _EVENT_NAME.sub("_", action.action_type)[:200],
        "event_date": action.created_at.isoformat(timespec="seconds"),
        "identifiers": {"contact_id": int(remote_id)} if remote_id.isdigit() else {"email_id": remote_id},
        "event_properties": {name: str(value) for name, value in properties.items() if value},
    }


# --- Without changing anything -----------------------------------------------------------------------


def _faults(settings: Mapping[str, Any]) -> dict[str, str]:
    chosen = settings.get("list")
    return {} if not chosen or numbers([chosen]) else {"list": "the number of a list"}


def _check(context: Context) -> Checked | Outcome:
    try:
        account = asked(context, "/account", "email")
        found = {"lists": tuple(_lists(context)), "fields": tuple(_fields(context))}
    except Failed as failed:
        return failed.outcome
    chosen = str(context.settings.get("list") or "")
    problems = [] if chosen in {one.id for one in found["lists"]} else ["choose a list"]
    problems += not_there(context, [one.id for one in found["fields"]])
    identity = f"account {account.get('companyName') or 'without a name'}"
    return Checked(identity=identity, found=found, problems=tuple(problems))


def _lists(context: Context) -> Iterator[Choice]:
    offset = 0
    while True:
        page = asked(context, f"/contacts/lists?limit={_LISTS}&offset={offset}", "lists")["lists"]
        yield from (Choice(id=str(one["id"]), title=str(one["name"])) for one in page)
        offset += _LISTS
        if len(page) < _LISTS:
            return


def _fields(context: Context) -> Iterator[Choice]:
    for one in asked(context, "/contacts/attributes", "attributes")["attributes"]:
        yield Choice(id=str(one["name"]), title=f"{one['name']} ({one.get('type', 'text')})")


def _look(context: Context, item: Item) -> Seen:
    address = address_of(item)
    there = contact(context, by_email(address)) if address else None
    return Seen() if there is None else Seen(remote_id=str(there["id"]), is_stopped=there["emailBlacklisted"])


def _preview(context: Context, item: Item) -> Sequence[Request]:
    if item.erase:
        path = by_id(item.remote_id) if item.remote_id else by_email(item.email or "")
        return [request(context, "DELETE", path)]
    values = item.values(None)
    events = [request(context, "POST", "/events", _event(one, address_of(item) or "")) for one in item.actions]
    return [request(context, "POST", "/contacts", new_body(context, item, values)), *events]


def _poll(context: Context, cursor: str | None) -> Polled | Outcome:
    def page(query: Mapping[str, str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = asked(context, f"/contacts?{urlencode(query)}", "contacts")["contacts"]
        return found

    try:
        return poll_with(page, cursor, context.now())
    except Failed as failed:
        return failed.outcome


connector = Connector(
    kind="brevo",
    title="Brevo",
    summary="Contacts of Brevo with attributes and lists; what people did as events.",
    settings=(
        Setting(key="key", title="API key", secret=True, help="SMTP & API, API keys. It begins with xkeysib-."),
        Setting(key="list", title="List", type=SettingType.FOUND, among="lists", place=True),
        Setting(
            key="hook_secret",
            title="Secret of the webhook",
            secret=True,
            required=False,
            help="Brevo signs nothing: the webhook's bearer token, or ?secret= and this at its end.",
        ),
        Setting(
            key="url",
            title="Address of the API",
            type=SettingType.URL,
            required=False,
            place=True,
            help="Leave empty for Brevo's own.",
        ),
    ),
    features=frozenset(set(Feature) - {Feature.TAGS}),
    push=one_by_one(_push_one),
    check=_check,
    preview=_preview,
    look=look_one_by_one(_look),
    inbox=Inbox(is_authentic=is_authentic, read=read_reports, is_signed=False),
    poll=_poll,
    faults=_faults,
    answers=ANSWERS,
    rate=10,
    poll_every=timedelta(minutes=15),
    mapping=(
        Mapped(source="first_name", target="FIRSTNAME"),
        Mapped(source="last_name", target="LASTNAME"),
        Mapped(source="phone", target="SMS"),
    ),
    modes=frozenset(Mode),
)
