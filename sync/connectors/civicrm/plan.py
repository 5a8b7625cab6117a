"""What is written about one person, given what is there. Pure: no request is made here.

A contact is written first, since a new one has no id yet; then its addresses, groups, tags and activities.

    subscribed, nothing against it there     into the group
    subscribed, a stop there                 lifted only where the consent is newer than it can be; else left, and told
    unsubscribed                             out of our groups, and of all bulk mail
    complained                               also no mail of any kind
    bounced, blocked                         the address on hold
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from html import escape
from typing import Any

from sync.connectors.civicrm.api import Call, Row, save, wall
from sync.connectors.civicrm.there import (
    TRACKING,
    Contact,
    Known,
    Match,
    Stop,
    There,
    externals,
    group_of,
    stops,
    tags_of,
)
from sync.connectors.contract import ActionItem, Context, Item, RemoteState
from sync.terms import Status

#: The widest number that `source_record_id` takes.
_LARGEST = 2**32 - 1
#: Where a new contact's id is put once it is known.
NEW = "$id"
_STREET, _NUMBER = "address_primary.street_address", "street_number"
_POSTCODE = "address_primary.postal_code"
#: Of a language that many countries speak, the one that is CiviCRM's own.
_USUAL = {"en": "en_US"}


@dataclass(slots=True)
class Plan:
    """What to do about a person: `contact` first, then `person` and `actions` (by key), with the id put in."""

    contact: Call | None = None
    person: list[Call] = field(default_factory=list)
    actions: dict[str, Call] = field(default_factory=dict)
    too_wide: tuple[str, ...] = ()
    remote: RemoteState | None = None


@dataclass(frozen=True, slots=True)
class _About:
    """What a plan is made of."""

    context: Context
    item: Item
    match: Match
    there: There
    known: Known

    @property
    def setting(self) -> Mapping[str, Any]:
        return self.context.settings

    @property
    def email(self) -> str | None:
        """The address that this is about: the mailed one where there is one."""
        return self.item.mailed or self.item.email

    def groups(self) -> list[int]:
        """Return the groups that the person belongs into: those of the campaigns, else the destination's."""
        named = [int(one) for one in self.item.lists if one.isdigit() and int(one) in self.there.groups]
        usual = [group_of(self.setting)] if self.item.also_usual_list or not named else []
        return list(dict.fromkeys([*named, *usual]))

    def all_groups(self, contact: Contact) -> list[int]:
        """Return every group that a word of the person may be about."""
        return sorted({*self.groups(), group_of(self.setting), *contact.our_groups()})


def plan(context: Context, item: Item, match: Match, there: There, known: Known) -> Plan:
    """Return what is to be written about a person; nothing where nobody is there and nobody may be made."""
    about, made = _About(context, item, match, there, known), Plan()
    if match.contact is None and not may_make(item):
        made.person += [call for one in match.mates for call in _stop(about, one, item.status)]
        return made
    stands = _stops_there(about)
    is_welcome = item.may_be_mailed and (not stands or _may_lift(item, stands))
    if item.is_due or match.contact is None:
        record = _record(about, lift=is_welcome and bool(stands))
        made.contact = save("Contact", record) if set(record) != {"id"} else None
        made.person = [*_mail(about, is_welcome=is_welcome), *_tags(about)]
    theirs = [one for one in stands if not one.is_ours]
    if item.may_be_mailed and not is_welcome and theirs:
        made.remote = _told(item, theirs)
    made.too_wide = tuple(one.key for one in item.actions if not _fits(one.key))
    made.actions = {one.key: _activity(about, one) for one in item.actions if _fits(one.key)}
    return made


def may_make(item: Item) -> bool:
    """Tell whether a contact may be made. Who was there once and has been deleted is not made again by a stop."""
    return item.may_create and not (item.is_stopped and item.remote_id)


# --- Stops there -------------------------------------------------------------------------------------


def _stops_there(about: _About) -> list[Stop]:
    """Return the stops of the contact, and of every other one with the address to mail."""
    zone, found = about.known.zone, []
    for one in (about.match.contact, *about.match.mates):
        if one is not None and (one is about.match.contact or one.holding(about.email)):
            found += stops(one, about.email, about.all_groups(one), zone)
    return found


def _may_lift(item: Item, stands: Iterable[Stop]) -> bool:
    given = item.consented_at
    if given is None or not item.consent_newer_than_remote:
        return False
    return all(one.is_ours or (one.latest is not None and one.latest < given) for one in stands)


def _told(item: Item, stands: list[Stop]) -> RemoteState:
    """Return the stop to tell: one of an unknown time first, since it may be the newest."""
    newest = max(stands, key=lambda one: (one.at is None, one.at.timestamp() if one.at else 0))
    at = newest.at
    if at is not None and at != newest.latest and item.consented_at is not None and at < item.consented_at:
        # They left once, and have ticked it again since, or not: nobody knows.
        at = None
    return RemoteState(kind=newest.kind, at=at, email=newest.email)


# --- The contact -------------------------------------------------------------------------------------


def _record(about: _About, *, lift: bool) -> Row:
    item, contact = about.item, about.match.contact
    record = _details(about) if item.with_details or contact is None else {}
    if contact is None:
        record |= {"contact_type": "Individual", "external_identifier": externals(about.context, item)[0]}
        if about.email:
            record["email_primary.email"] = about.email
            if item.status in (Status.BOUNCED, Status.BLOCKED):
                record["email_primary.on_hold"] = 1
        return record | _flags(about, {}, item.status)
    record["id"] = contact.id
    if not contact.external:
        record["external_identifier"] = externals(about.context, item)[0]
    if lift:
        # With the details, in one call: alone it would come too late for a contact that they have just touched.
        return record | {name: False for name in ("is_opt_out", "do_not_email") if contact.row.get(name)}
    return record | _flags(about, contact.row, item.status)


def _flags(about: _About, row: Mapping[str, Any], status: Status) -> Row:
    wanted = {
        Status.UNSUBSCRIBED: ("is_opt_out",) if about.setting["opt_out"] else (),
        Status.COMPLAINED: ("is_opt_out", "do_not_email"),
    }
    return {name: True for name in wanted.get(status, ()) if not row.get(name)}


def _details(about: _About) -> Row:
    item, contact = about.item, about.match.contact
    values = item.values(contact.row if contact else None)
    number = values.pop(_NUMBER, None)
    if number and values.get(_STREET):
        values[_STREET] = f"{values[_STREET]} {number}"
    if "preferred_language" in values:
        values["preferred_language"] = language(values["preferred_language"], about.known.languages)
    if values.get("birth_date") and not _is_day(values["birth_date"]):
        del values["birth_date"]
    return _without_old_place(values, contact) | _no_blanks(values)


def _no_blanks(values: Row) -> Row:
    # A language that they have not got is left out, as is one that nobody knows.
    return {name: value for name, value in values.items() if name != "preferred_language" or value}


def _without_old_place(values: Row, contact: Contact | None) -> Row:
    """The street and town of another postcode would be wrong beside the new one."""
    held = contact.row.get(_POSTCODE) if contact else None
    if not held or not values.get(_POSTCODE) or str(held) == str(values[_POSTCODE]):
        return {}
    return dict.fromkeys((_STREET, "address_primary.city", "address_primary.state_province_id"))


def _is_day(value: Any) -> bool:
    try:
        date.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def language(value: Any, options: Iterable[Row]) -> str | None:
    """Return the name that CiviCRM has for a language: itself, that of its country (`fr_FR`), or the first."""
    wanted = str(value or "").replace("-", "_")
    short = wanted.partition("_")[0].lower()
    names = [str(one["name"]) for one in options if one["name"].lower().partition("_")[0] == short]
    for one in (wanted, _USUAL.get(short, f"{short}_{short.upper()}")):
        if found := next((name for name in names if name.lower() == one.lower()), None):
            return found
    return names[0] if names else None


# --- Addresses and groups ----------------------------------------------------------------------------


def _mail(about: _About, *, is_welcome: bool) -> list[Call]:
    item, contact = about.item, about.match.contact
    calls = []
    if contact is not None and is_welcome:
        calls += _mailed_address(about, contact)
    elif contact is not None and item.with_details and about.email and not contact.holding(about.email):
        calls.append(save("Email", {"contact_id": contact.id, "email": about.email}))
    if item.is_stopped and contact is not None:
        calls += _stop(about, contact, item.status)
    for mate in about.match.mates:
        calls += _mate(about, mate)
    if contact is not None:
        calls += [call for other in item.others for call in _hold(contact, other.email, other.status)]
    if is_welcome:
        calls += [
            _group(NEW if contact is None else contact.id, group, "Added")
            for group in about.groups()
            if contact is None or contact.groups.get(group) != "Added"
        ]
    elif contact is not None and not item.may_be_mailed and not item.is_stopped:
        # Not asked any more, without having left: only what we did ourselves is taken back.
        calls += [_group(contact.id, one, "Removed") for one in sorted(contact.our_groups()) if contact.is_ours_in(one)]
    return calls


def _mailed_address(about: _About, contact: Contact) -> list[Call]:
    """Make the address to mail the one that bulk mail goes to: there is no other one that may be mailed."""
    rows = contact.holding(about.email)
    others_get_bulk = any(one.get("is_bulkmail") for one in contact.emails if one not in rows)
    wanted: Row = {"is_primary": True} | ({"is_bulkmail": True} if others_get_bulk else {})
    if not rows:
        return [save("Email", {"contact_id": contact.id, "email": about.email} | wanted)]
    best = next((one for one in rows if one.get("is_primary")), rows[0])
    changes = {name: value for name, value in wanted.items() if not best.get(name)}
    if best.get("on_hold"):
        changes["on_hold"] = 0
    return [save("Email", {"id": best["id"], "contact_id": contact.id} | changes)] if changes else []


def _mate(about: _About, mate: Contact) -> list[Call]:
    """Another contact of the person ends stopped, in the way the person's others do; whoever is mailed is one."""
    item = about.item
    own = [
        one.status
        for one in item.others
        if one.remote_id == str(mate.id) or mate.holding(one.email) or mate.external in externals(about.context, item)
    ]
    if item.is_stopped:
        return _stop(about, mate, item.status)
    return _stop(about, mate, own[0]) if own else []


def _stop(about: _About, contact: Contact, status: Status) -> list[Call]:
    if status in (Status.BOUNCED, Status.BLOCKED):
        return _hold(contact, about.email, status)
    flags = _flags(about, contact.row, status)
    # Out of the newsletter also where it is not in it: the line in its history is the mark that the opt-out is ours.
    marked = {group_of(about.setting)} if flags else set()
    calls = [
        _group(contact.id, group, "Removed")
        for group in about.all_groups(contact)
        if contact.groups.get(group) in ("Added", "Pending") or group in marked
    ]
    if flags and contact is not about.match.contact:
        calls.append(save("Contact", {"id": contact.id} | flags))
    return calls


def _hold(contact: Contact, email: str | None, status: Status) -> list[Call]:
    if status not in (Status.BOUNCED, Status.BLOCKED):
        return []
    return [
        save("Email", {"id": one["id"], "contact_id": contact.id, "on_hold": 1})
        for one in contact.holding(email)
        if not one.get("on_hold")
    ]


def _group(contact: int | str, group: int, status: str) -> Call:
    record = {"contact_id": contact, "group_id": group, "status": status}
    return save("GroupContact", record, "contact_id", "group_id", tracking=TRACKING)


# --- Tags and activities -----------------------------------------------------------------------------


def _tags(about: _About) -> list[Call]:
    item, contact = about.item, about.match.contact
    entity = {"entity_table": "civicrm_contact", "entity_id": contact.id if contact else NEW}
    ids = [int(one) if one.isdigit() else about.there.tags.get(one) for one in tags_of(item)]
    match = ("entity_table", "entity_id", "tag_id")
    calls = [save("EntityTag", entity | {"tag_id": one}, *match) for one in ids if one]
    if item.tags_to_remove and contact is not None:
        where = [
            ["entity_table", "=", "civicrm_contact"],
            ["entity_id", "=", contact.id],
            ["tag_id.name", "IN", list(item.tags_to_remove)],
        ]
        calls.append(Call("EntityTag", "delete", {"where": where}))
    return calls


def _fits(key: str) -> bool:
    return key.isdigit() and 0 < int(key) <= _LARGEST


def _activity(about: _About, action: ActionItem) -> Call:
    contact = about.match.contact
    who = contact.id if contact else NEW
    campaign = action.campaign
    title = (campaign.title or campaign.name or "") if campaign else ""
    record: Row = {
        "source_record_id": int(action.key),
        "activity_type_id": activity_type(about, action.action_type),
        "subject": f"{action.action_type}: {title}"[:255] if title else action.action_type[:255],
        "details": details(action),
        "activity_date_time": wall(action.created_at, about.known.zone),
        "status_id:name": "Completed",
        "is_test": action.testing,
        "source_contact_id": who,
        "target_contact_id": [who],
    }
    if campaign is not None and campaign.name in about.there.campaigns:
        record["campaign_id"] = about.there.campaigns[campaign.name]
    return save("Activity", record, "source_record_id", "activity_type_id")


def activity_type(about: _About, action_type: str) -> int:
    """Return the activity type that is called like the type of the action, else the one that people chose."""
    for one in about.known.activity_types:
        if one["name"].lower() == action_type.lower():
            return int(one["value"])
    return int(about.setting.get("activity_type") or 0)


def details(action: ActionItem) -> str:
    """Return what somebody did as the lines of an activity."""
    lines = dict(action.custom_fields)
    if action.amount and action.donation:
        how_often = action.donation.get("frequency_unit") or "once"
        lines["donation"] = f"{action.amount} {action.donation.get('currency') or ''}, {how_often}"
    return "".join(f"<p>{escape(str(name))}: {escape(_plain(value))}</p>" for name, value in lines.items())


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return "" if value is None else str(value)


def with_id(call: Call, contact: int) -> Call:
    """Put the id of a contact that is there by now into a call."""

    def put(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: put(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [put(inner) for inner in value]
        return contact if value == NEW else value

    return Call(call.entity, call.action, put(call.params))
