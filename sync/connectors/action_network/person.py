"""One person in Action Network: looked for, then told by the person signup helper, which makes or matches by address.

The helper subscribes whoever is new unless it is told otherwise, and leaves the status of whoever is known unless it is
told one: so nobody is told without having been looked for, and a status goes along only where it is meant.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sync.connectors.action_network.api import (
    STOPS,
    address_in,
    all_of,
    moment,
    own_id,
    person_by_email,
    person_by_id,
    resource,
    send,
)
from sync.connectors.answers import Failed
from sync.connectors.contract import Context, Delivered, Item, Outcome, Rejected, RemoteState

SUBSCRIBED, UNSUBSCRIBED = "subscribed", "unsubscribed"
_NAMES = ("given_name", "family_name")
_ADDRESS = ("locality", "region", "postal_code", "country")


def tell(context: Context, item: Item) -> Delivered:
    """Tell of the person, then stop every other address of theirs."""
    told = _told(context, item)
    for one in item.others:
        there = person_by_id(context, one.remote_id) if one.remote_id else None
        there = there or (person_by_email(context, one.email) if one.email else None)
        if there is not None and own_id(there) != told.remote_id:
            _stop(context, there)
    return told


def address_of(item: Item) -> str | None:
    """The address that the person has there."""
    return item.mailed if item.may_be_mailed else item.email


def _told(context: Context, item: Item) -> Delivered:
    address = address_of(item)
    there = _there(context, item, address)
    if address is None:
        return _without_address(context, item, there)
    if there is not None and address_in(there)[0].lower() != address.lower():
        there = _renamed(context, there, address)
    if there is None and not (item.may_create and item.with_details):
        return Delivered(changed=False)
    status, remote = _status(item, there)
    if there is not None and status is None and not item.with_details:
        return Delivered(remote_id=own_id(there), changed=False, remote=remote)
    body = helper(context, item, there, status)
    if item.with_details:
        have_tags(context, body.get("add_tags", ()))
    return Delivered(remote_id=own_id(resource(context, send(context, "POST", "/people", body))), remote=remote)


def _there(context: Context, item: Item, address: str | None) -> dict[str, Any] | None:
    found = person_by_id(context, item.remote_id) if item.remote_id else None
    for email in (address, item.previous_email):
        if found is None and email:
            found = person_by_email(context, email)
    return found


def _without_address(context: Context, item: Item, there: dict[str, Any] | None) -> Delivered:
    """Whoever has no address here any more keeps the contact there, and it is mailed no more."""
    if there is not None:
        _stop(context, there)
        return Delivered(remote_id=own_id(there))
    if item.is_stopped:
        return Delivered(changed=False)
    raise Failed(Rejected(code="no_address", message="people are known there by their address"))


def _renamed(context: Context, there: dict[str, Any], address: str) -> dict[str, Any] | None:
    """Give a person a new address; where it is not taken, another person goes on, and this one ends unsubscribed."""
    other = person_by_email(context, address)
    if other is None:
        body = {"email_addresses": [{"primary": True, "address": address}]}
        response = send(context, "PUT", f"/people/{own_id(there)}", body)
        if response.status != 400:
            renamed = resource(context, response)
            if address_in(renamed)[0].lower() == address.lower():
                # The time of a stop is the one before our own writing.
                return renamed | {"modified_date": there.get("modified_date")}
    _stop(context, there)
    return other


def _stop(context: Context, there: dict[str, Any]) -> None:
    email, status = address_in(there)
    if status != SUBSCRIBED:
        return
    body = {"email_addresses": [{"primary": True, "address": email, "status": UNSUBSCRIBED}]}
    resource(context, send(context, "PUT", f"/people/{own_id(there)}", body))


def _status(item: Item, there: dict[str, Any] | None) -> tuple[str | None, RemoteState | None]:
    """The status to tell, and the stop there that stays."""
    if there is None:
        return (SUBSCRIBED if item.may_be_mailed else UNSUBSCRIBED), None
    status = address_in(there)[1]
    if not item.may_be_mailed:
        return (UNSUBSCRIBED if item.is_stopped and status == SUBSCRIBED else None), None
    if status == SUBSCRIBED:
        return None, None
    since = moment(there.get("modified_date"))
    is_older = since is not None and item.consented_at is not None and since < item.consented_at
    if item.consent_newer_than_remote and is_older:
        return SUBSCRIBED, None
    kind = STOPS.get(status)
    return None, RemoteState(kind=kind, at=since, email=address_of(item)) if kind is not None else None


# --- What is told ------------------------------------------------------------------------------------


def helper(context: Context, item: Item, there: dict[str, Any] | None, status: str | None) -> dict[str, Any]:
    """The body for the person signup helper."""
    address: dict[str, Any] = {"primary": True, "address": address_of(item)}
    person: dict[str, Any] = {"email_addresses": [address | ({"status": status} if status else {})]}
    body: dict[str, Any] = {"person": person}
    if not item.with_details:
        return body
    person |= details(item.values(None if there is None else held(there)))
    if tags := tags_of(context, item):
        body["add_tags"] = tags
    if gone := [one for one in item.tags_to_remove if one not in tags]:
        body["remove_tags"] = gone
    return body


def details(values: Mapping[str, Any]) -> dict[str, Any]:
    """Mapped values where OSDI has a place for them; everything else is a custom field."""
    values = {name: _text(value) for name, value in values.items()}
    found: dict[str, Any] = {name: values[name] for name in _NAMES if name in values}
    place: dict[str, Any] = {name: values[name] for name in _ADDRESS if name in values}
    if "address_line" in values:
        place["address_lines"] = [values["address_line"]] if values["address_line"] else []
    if place:
        found["postal_addresses"] = [{"primary": True, **place}]
    if values.get("phone"):
        # Never with a status: that of the address says nothing of the phone.
        found["phone_numbers"] = [{"primary": True, "number": values["phone"]}]
    if values.get("language"):
        found["languages_spoken"] = [values["language"]]
    known = {*_NAMES, *_ADDRESS, "address_line", "phone", "language"}
    custom = {name: value for name, value in values.items() if name not in known}
    return found | ({"custom_fields": custom} if custom else {})


def held(there: Mapping[str, Any]) -> dict[str, Any]:
    """What is there already, by the names of a mapping."""
    places = [one for one in there.get("postal_addresses") or () if isinstance(one, dict)]
    place = next((one for one in places if one.get("primary")), places[0] if places else {})
    phones = there.get("phone_numbers") or [{}]
    return {
        **(there.get("custom_fields") or {}),
        **{name: there.get(name) for name in _NAMES},
        **{name: place.get(name) for name in _ADDRESS},
        "address_line": next(iter(place.get("address_lines") or ()), None),
        "phone": phones[0].get("number"),
        "language": next(iter(there.get("languages_spoken") or ()), None),
    }


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def tags_of(context: Context, item: Item) -> list[str]:
    """Tags of the person, and one for each campaign that they took part in."""
    named = list(item.tags)
    for action in item.actions if context.settings.get("campaign_tags", True) else ():
        campaign = action.campaign
        if campaign is not None:
            named += campaign.own_tags or ([campaign.name] if campaign.name else [])
    return list(dict.fromkeys(one for one in named if one))


def have_tags(context: Context, names: Any) -> None:
    """Make the tags that are not there: the helper drops a name that it does not know without a word."""
    if not names:
        return
    if "tags" not in context.cache:
        context.cache["tags"] = {one.get("name") for one in all_of(context, "/tags", "osdi:tags")}
    for name in names:
        if name not in context.cache["tags"]:
            resource(context, send(context, "POST", "/tags", {"name": name}))
            context.cache["tags"].add(name)


def forget(context: Context, item: Item) -> Outcome:
    """Stop somebody and empty what can be emptied; people are deleted there by hand only."""
    ids = [one for one in (item.remote_id, *(other.remote_id for other in item.others)) if one]
    people = [person_by_id(context, one) for one in ids]
    emails = [*([] if item.remote_id else [item.email]), *(one.email for one in item.others)]
    people += [person_by_email(context, one) for one in emails if one]
    there = [one for one in people if one is not None]
    for one in there:
        _emptied(context, one)
    if not there:
        return Delivered(changed=False)
    return Rejected(code="delete_by_hand", message="unsubscribed and emptied there; people are deleted by hand only")


def _emptied(context: Context, there: dict[str, Any]) -> None:
    email, _ = address_in(there)
    body = {
        "email_addresses": [{"primary": True, "address": email, "status": UNSUBSCRIBED}],
        **dict.fromkeys(_NAMES, ""),
        "custom_fields": dict.fromkeys(there.get("custom_fields") or {}, ""),
    }
    resource(context, send(context, "PUT", f"/people/{own_id(there)}", body))
