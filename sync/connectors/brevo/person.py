"""One person in Brevo: made, found, written, given a new address, stopped, forgotten.

    no remote id ──▶ POST contact ── the address is there ──▶ GET by address ─┐
    remote id ─────▶ GET by id ── another address ──▶ its EMAIL is changed ───┴─▶ PUT contact

Mailed is who is in a list and not on the blocklist. The blocklist is never lifted but by a consent newer than it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sync.connectors.answers import Failed
from sync.connectors.brevo.api import (
    attributes,
    by_email,
    by_id,
    contact,
    is_nobody,
    moment,
    refusal,
    said,
    send,
)
from sync.connectors.contract import Context, Delivered, Item, Outcome, Rejected, RemoteState, Response
from sync.terms import ConsentKind

PHONES = frozenset({"SMS", "WHATSAPP", "LANDLINE_NUMBER"})
_NO_PHONE = "without the phone number: Brevo does not take it, or another contact has it"
_LEFT_OUT: Any = object()


def tell(context: Context, item: Item) -> Delivered:
    """Tell of the person, then stop every other contact of theirs."""
    told = _told(context, item)
    for one in item.others:
        if one.remote_id != told.remote_id and (path := _path(one.remote_id, one.email)) is not None:
            _stop(context, contact(context, path), told.remote_id)
    return told


def _told(context: Context, item: Item) -> Delivered:
    address = address_of(item)
    if address is None and not item.remote_id:
        return _nobody(item)
    makes = item.may_create and item.with_details and address is not None
    if item.remote_id is None and item.previous_email is None and makes:
        return _made(context, item) or _found(context, item)
    return _found(context, item)


def _nobody(item: Item) -> Delivered:
    if item.is_stopped:
        return Delivered(changed=False)
    raise Failed(Rejected(code="no_address", message="people are known there by their address"))


def address_of(item: Item) -> str | None:
    """The address that the contact has."""
    return item.mailed if item.may_be_mailed else item.email


def _path(remote_id: str | None, email: str | None) -> str | None:
    if remote_id:
        return by_id(remote_id)
    return by_email(email) if email else None


# --- New ---------------------------------------------------------------------------------------------


def _made(context: Context, item: Item) -> Delivered | None:
    """Make a contact; None where the address is there already: whoever is there is asked about first."""
    response, note = _written(context, "POST", "/contacts", new_body(context, item, _values(context, item, None)))
    if response.status == 201 and said(response).get("id"):
        return Delivered(remote_id=str(said(response)["id"]), note=note)
    if _has_duplicate(response, "email"):
        return None
    raise Failed(refusal(context, response))


def new_body(context: Context, item: Item, values: Mapping[str, Any]) -> dict[str, Any]:
    """A new contact. One that may not be mailed is on the blocklist from the start, and in no list."""
    body: dict[str, Any] = {"email": address_of(item), "attributes": dict(values), "updateEnabled": False}
    return body | ({"listIds": lists(context, item)} if item.may_be_mailed else {"emailBlacklisted": True})


def lists(context: Context, item: Item) -> list[int]:
    """A campaign's own lists win over the one in the settings."""
    own, usual = numbers(item.lists), numbers([context.settings["list"]])
    return list(dict.fromkeys([*own, *(usual if item.also_usual_list or not own else [])]))


def numbers(given: Iterable[Any]) -> list[int]:
    """Those that are numbers, as lists of Brevo are."""
    return [int(str(one)) for one in given if re.fullmatch(r"[0-9]{1,18}", str(one))]


# --- There -------------------------------------------------------------------------------------------


def _found(context: Context, item: Item) -> Delivered:
    address = address_of(item)
    there = contact(context, by_id(item.remote_id)) if item.remote_id else None
    same = contact(context, by_email(address)) if there is None and address else None
    if there is None and same is None and item.previous_email:
        there = contact(context, by_email(item.previous_email))
    there = there or same
    if there is None:
        made = _made(context, item) if item.may_create and item.with_details and address else None
        return made or Delivered(changed=False)
    if address is not None and str(there.get("email", "")).lower() != address.lower():
        there = _renamed(context, there, address)
    return _put(context, item, there)


def _renamed(context: Context, there: dict[str, Any], address: str) -> dict[str, Any]:
    """Give a contact its new address; where another has it, that one goes on, and the old one ends stopped."""
    stopped = {"emailBlacklisted": True} if there["emailBlacklisted"] else {}
    response = send(context, "PUT", by_id(str(there["id"])), {"attributes": {"EMAIL": address}, **stopped})
    if response.status == 204:
        if stopped:
            # A new address takes a contact off the blocklist (https://developers.brevo.com/reference/update-contact),
            # whatever else is in the call.
            _block(context, there)
        return there | {"email": address}
    if not _has_duplicate(response, "email") or (other := contact(context, by_email(address))) is None:
        raise Failed(refusal(context, response))
    _stop(context, there, str(other["id"]))
    return other


def _put(context: Context, item: Item, there: dict[str, Any]) -> Delivered:
    body, remote = _changes(context, item, there)
    values = _values(context, item, there.get("attributes") or {})
    body |= {"attributes": values} if values else {}
    remote_id = str(there["id"])
    if not body:
        return Delivered(remote_id=remote_id, changed=False, remote=remote)
    response, note = _written(context, "PUT", by_id(remote_id), body)
    if response.status != 204:
        raise Failed(refusal(context, response))
    return Delivered(remote_id=remote_id, remote=remote, note=note)


def _changes(context: Context, item: Item, there: dict[str, Any]) -> tuple[dict[str, Any], RemoteState | None]:
    """What changes in who may mail, and the stop there that stays."""
    if not item.may_be_mailed:
        return ({"emailBlacklisted": True} if item.is_stopped and not there["emailBlacklisted"] else {}), None
    wanted = lists(context, item)
    has_left = bool(set(wanted) & set(there.get("listUnsubscribed") or ()))
    if there["emailBlacklisted"] or has_left:
        since = moment(there.get("modifiedAt"))
        if not (item.consent_newer_than_remote and _is_before(since, item.consented_at)):
            return {}, RemoteState(kind=_kind(there), at=since, email=address_of(item))
        return ({"emailBlacklisted": False} if there["emailBlacklisted"] else {}) | {"listIds": wanted}, None
    # Whoever was taken out of one of several lists there stays out, until they do something again.
    missing = [one for one in wanted if one not in (there.get("listIds") or ())]
    adds = missing and (item.actions or not item.remote_id or not there.get("listIds"))
    return ({"listIds": missing} if adds else {}), None


def _is_before(since: datetime | None, consented: datetime | None) -> bool:
    return since is not None and consented is not None and since < consented


def _kind(there: Mapping[str, Any]) -> ConsentKind:
    statistics = there.get("statistics") or {}
    if statistics.get("complaints"):
        return ConsentKind.SPAM
    left = statistics.get("unsubscriptions") or {}
    if statistics.get("hardBounces") and not (left.get("userUnsubscription") or left.get("adminUnsubscription")):
        return ConsentKind.BOUNCE
    return ConsentKind.UNSUB


def _stop(context: Context, there: dict[str, Any] | None, remote_id: str | None) -> None:
    if there is not None and str(there["id"]) != remote_id and not there["emailBlacklisted"]:
        _block(context, there)


def _block(context: Context, there: Mapping[str, Any]) -> None:
    response = send(context, "PUT", by_id(str(there["id"])), {"emailBlacklisted": True})
    if response.status != 204:
        raise Failed(refusal(context, response))


def forget(context: Context, item: Item) -> Outcome:
    """Delete somebody, and every other contact of theirs."""
    paths = [_path(item.remote_id, item.email), *(_path(one.remote_id, one.email) for one in item.others)]
    for path in dict.fromkeys(one for one in paths if one is not None):
        response = send(context, "DELETE", path)
        if response.status != 204 and not is_nobody(response):
            raise Failed(refusal(context, response))
    return Delivered()


# --- Writing -----------------------------------------------------------------------------------------


def _written(context: Context, method: str, path: str, body: dict[str, Any]) -> tuple[Response, str]:
    """Write; where a phone number is refused, write the rest."""
    response = send(context, method, path, body)
    refused = _refused_phones(response) & set(body.get("attributes", ()))
    if not refused:
        return response, ""
    rest = {name: value for name, value in body["attributes"].items() if name not in refused}
    return send(context, method, path, body | {"attributes": rest}), _NO_PHONE


def _refused_phones(response: Response) -> set[str]:
    """Which numbers are at fault: the code is now one word, now another; what counts is what it names."""
    if response.status != 400:
        return set()
    named = {str(one).upper() for one in _duplicates(response)}
    if named:
        return named & PHONES
    return set(PHONES) if re.search("phone|mobile|sms", str(said(response).get("message")), re.IGNORECASE) else set()


def _duplicates(response: Response) -> list[Any]:
    metadata = said(response).get("metadata")
    found = metadata.get("duplicate_identifiers") if isinstance(metadata, dict) else None
    return found if isinstance(found, list) else []


def _has_duplicate(response: Response, name: str) -> bool:
    if response.status != 400:
        return False
    if _duplicates(response):
        return name in [str(one).lower() for one in _duplicates(response)]
    return re.search("contact already exist", str(said(response).get("message")), re.IGNORECASE) is not None


def _values(context: Context, item: Item, there: Mapping[str, Any] | None) -> dict[str, Any]:
    if not item.with_details or not item.fields:
        return {}
    types = attributes(context)
    found = {name: _value(value, types.get(name)) for name, value in item.values(there).items()}
    kept = {name: value for name, value in found.items() if value is not _LEFT_OUT}
    if len(kept) < len(found):
        context.note("brevo_attributes_left_out", supporter=item.supporter, count=len(found) - len(kept))
    return kept


def _value(value: Any, attribute: Mapping[str, Any] | None) -> Any:
    """A value as an attribute of this type takes it. Brevo drops what it does not know without a word: so do we."""
    if attribute is None:
        return _LEFT_OUT
    if value is None:
        return ""
    match attribute.get("type"):
        case "date":
            return _day(str(value))
        case "float":
            return float(value) if re.fullmatch(r"-?\d{1,15}(\.\d+)?", str(value)) else _LEFT_OUT
        case "boolean":
            return value if isinstance(value, bool) else _LEFT_OUT
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _day(text: str) -> Any:
    try:
        return datetime.fromisoformat(text).date().isoformat()
    except ValueError:
        return _LEFT_OUT
