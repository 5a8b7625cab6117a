"""One person in Mailchimp: found, put, given a new address, stopped, forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sync.connectors.answers import Failed
from sync.connectors.contract import (
    Context,
    Delivered,
    Item,
    Misconfigured,
    Outcome,
    Partial,
    RateLimited,
    Rejected,
    RemoteState,
    Retry,
)
from sync.connectors.mailchimp.api import (
    COMPLIANCE,
    Place,
    asked,
    done,
    hashed,
    is_member,
    known_places,
    member,
    refusal,
    send,
)
from sync.connectors.mailchimp.back import moment
from sync.connectors.mailchimp.fields import written
from sync.terms import ConsentKind

LANGUAGE = "language"
STOPPED = frozenset({"unsubscribed", "cleaned"})
#: May be told to stop; `archived` is not mailed, and a status would bring it back to life.
_ALIVE = frozenset({"subscribed", "pending", "transactional"})

# --- Where a person is -------------------------------------------------------------------------------


def audiences_of(context: Context, item: Item) -> list[str]:
    """A campaign's own audience wins over the setting; where somebody was ever told, they stay followed."""
    known = [one.audience for one in known_places(item)]
    if known and not item.with_details:
        return known
    own = [one for one in item.lists if one.isascii() and one.isalnum()]
    # A stop that is told of nobody reaches them wherever they may be.
    usual = item.also_usual_list or not item.with_details or not (own or known)
    return list(dict.fromkeys([*known, *own, *([context.settings["list"]] if usual else [])]))


def address_of(item: Item) -> str | None:
    return item.mailed if item.may_be_mailed else item.email


# --- One person --------------------------------------------------------------------------------------


def tell(context: Context, item: Item) -> Outcome:
    """Tell of the person in each of their audiences, then stop every other address."""
    known = {one.audience: one for one in known_places(item)}
    places: dict[str, Place] = dict(known)
    found: list[Delivered] = []
    for audience in audiences_of(context, item):
        try:
            place, one = _in_audience(context, item, audience, known.get(audience))
        except Failed as failed:
            if not found or isinstance(failed.outcome, Partial):
                raise
            raise Failed(_partly(failed.outcome, places)) from None
        found.append(one)
        places |= {audience: place} if place is not None else {}
    remote_id = " ".join(map(str, places.values())) or None
    try:
        _stop_others(context, item, places)
    except Failed as failed:
        raise Failed(_partly(failed.outcome, places)) from None
    return Delivered(
        remote_id=remote_id,
        changed=any(one.changed for one in found),
        remote=next((one.remote for one in found if one.remote is not None), None),
        note="; ".join(dict.fromkeys(one.note for one in found if one.note)),
    )


def _partly(rest: Outcome, places: Mapping[str, Place]) -> Outcome:
    """What failed is tried again as a whole; the ids are kept, so that it finds what is there."""
    if not isinstance(rest, Retry | RateLimited | Rejected | Misconfigured):
        return rest
    return Partial(rest=rest, person_done=False, remote_id=" ".join(map(str, places.values())) or None)


def _in_audience(context: Context, item: Item, audience: str, known: Place | None) -> tuple[Place | None, Delivered]:
    address = address_of(item)
    if address is None:
        # Whoever has no address here any more keeps the contact there, and their stop reaches it.
        return known, _stop_quietly(context, known) if known else _nobody(item)
    place = Place(audience, hashed(address))
    there = member(context, place)
    if there is None:
        there = _renamed(context, item, known or _before(item, audience), place, address)
    if there is None and not (item.may_create and item.with_details):
        return known, Delivered(changed=False)
    return place, _put(context, item, place, there)


def _nobody(item: Item) -> Delivered:
    if item.is_stopped:
        return Delivered(changed=False)
    raise Failed(Rejected(code="no_address", message="people are known there by their address"))


def _before(item: Item, audience: str) -> Place | None:
    return Place(audience, hashed(item.previous_email)) if item.previous_email else None


def _renamed(context: Context, item: Item, old: Place | None, place: Place, address: str) -> dict[str, Any] | None:
    """Give a contact its new address. One that bounced is left: the new address has not."""
    if old is None or old == place or (there := member(context, old)) is None:
        return None
    if there["status"] in ("cleaned", "archived"):
        return None
    response = send(context, "PATCH", old.path + "?skip_merge_validation=true", {"email_address": address})
    if response.status == 400:
        # Mailchimp does not rename everybody: a new contact is made, the old one ends stopped.
        context.note("mailchimp_not_renamed", supporter=item.supporter)
        return None
    return is_member(context, response)


def _put(context: Context, item: Item, place: Place, there: dict[str, Any] | None) -> Delivered:
    body, remote, note = body_of(context, item, there, types_of(context, item, place.audience))
    if there is not None and set(body) <= {"email_address", "status_if_new"}:
        return Delivered(changed=False, remote=remote, note=note)
    path = place.path + "?skip_merge_validation=true"
    response = send(context, "PUT", path, body)
    if (
        response.status == 400
        and body.get("status") == "subscribed"
        and context.settings.get("ask_again")
        and (response.json() or {}).get("title") == COMPLIANCE
    ):
        # The only status that Mailchimp takes then: it asks the person by mail.
        response = send(context, "PUT", path, body | {"status": "pending"})
        note = "asked by mail whether they want to come back"
    if response.status == 400:
        refused = refusal(context, response)
        if isinstance(refused, Delivered):
            return replace(refused, remote=RemoteState(kind=ConsentKind.UNSUB, at=_changed(there)))
        raise Failed(refused)
    is_member(context, response)
    return Delivered(remote=remote, note=note)


def body_of(
    context: Context, item: Item, there: dict[str, Any] | None, types: Mapping[str, Any]
) -> tuple[dict[str, Any], RemoteState | None, str]:
    """What is put, the stop there that stays, and what people should know."""
    body: dict[str, Any] = {"email_address": address_of(item), "status_if_new": _first_status(item)}
    status, remote, note = (None, None, "") if there is None else _status(item, there)
    if status is not None:
        body["status"] = status
    if item.with_details:
        held = None if there is None else {**(there.get("merge_fields") or {}), LANGUAGE: there.get(LANGUAGE)}
        values = item.values(held)
        language = values.pop(LANGUAGE, None)
        fields, left_out = written(values, types)
        if left_out:
            context.note("mailchimp_fields_left_out", supporter=item.supporter, count=left_out)
        body |= {"merge_fields": fields} if fields else {}
        body |= {"language": language} if language else {}
    return body, remote, note


def _first_status(item: Item) -> str:
    if item.may_be_mailed:
        return "subscribed"
    # Mailchimp's word for somebody who is there and not mailed.
    return "unsubscribed" if item.is_stopped else "transactional"


def _status(item: Item, there: dict[str, Any]) -> tuple[str | None, RemoteState | None, str]:
    status = there["status"]
    if not item.may_be_mailed:
        return ("unsubscribed" if item.is_stopped and status in _ALIVE else None), None, ""
    if status == "subscribed":
        return None, None, ""
    changed = _changed(there)
    is_older = changed is not None and item.consented_at is not None and changed < item.consented_at
    if status not in STOPPED and status != "archived":
        return ("subscribed" if item.consent_newer_than_remote and status == "transactional" else None), None, ""
    if item.consent_newer_than_remote and is_older:
        return "subscribed", None, ""
    if status == "archived":
        return None, None, "archived there: take it out of the archive by hand"
    kind = ConsentKind.BOUNCE if status == "cleaned" else ConsentKind.UNSUB
    return None, RemoteState(kind=kind, at=changed, email=address_of(item)), ""


def _changed(there: Mapping[str, Any] | None) -> datetime | None:
    """Since when it stands as it does, at the latest: Mailchimp keeps no time of the stop itself."""
    return None if there is None else moment(there.get("last_changed"))


def types_of(context: Context, item: Item, audience: str) -> Mapping[str, Any]:
    """Return the merge fields of an audience with their types, asked for once."""
    if not item.with_details or not item.fields:
        return {}
    key = f"fields of {audience}"
    if key not in context.cache:
        found = asked(context, f"/lists/{audience}/merge-fields?count=1000", "merge_fields")["merge_fields"]
        context.cache[key] = {one["tag"]: one for one in found}
    types: Mapping[str, Any] = context.cache[key]
    return types


# --- Stopping and forgetting -------------------------------------------------------------------------


def _stop_others(context: Context, item: Item, places: Mapping[str, Place]) -> None:
    audiences = [*places] or audiences_of(context, item)
    others = [Place(audience, hashed(one.email)) for one in item.others if one.email for audience in audiences]
    others += [place for one in item.others for place in known_places(replace(item, remote_id=one.remote_id))]
    others += [one for one in known_places(item) if places.get(one.audience) != one]
    for place in dict.fromkeys(one for one in others if one not in places.values()):
        _stop_quietly(context, place)


def _stop_quietly(context: Context, place: Place) -> Delivered:
    """Stop a contact that is there and alive, and make none."""
    there = member(context, place)
    if there is None or there["status"] not in _ALIVE:
        return Delivered(changed=False)
    is_member(context, send(context, "PATCH", place.path + "?skip_merge_validation=true", {"status": "unsubscribed"}))
    return Delivered()


def forget(context: Context, item: Item) -> Outcome:
    """Delete somebody for good; Mailchimp then takes the address from nobody but themselves."""
    ids = [item.remote_id, *(one.remote_id for one in item.others)]
    places = [place for one in ids for place in known_places(replace(item, remote_id=one))]
    emails = [*([] if item.remote_id else [item.email]), *(one.email for one in item.others)]
    places += [Place(context.settings["list"], hashed(one)) for one in emails if one]
    for place in dict.fromkeys(places):
        response = send(context, "POST", f"{place.path}/actions/delete-permanent")
        if response.status != 404 or response.json() is None:
            done(context, response)
    return Delivered()
