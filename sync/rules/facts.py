"""A message becomes facts: the only place where Proca's words become ours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from sync.proca import messages
from sync.proca.messages import Message
from sync.rules.actions import Told, stage_number
from sync.rules.contacts import Atom, Detail, Entries, EntryKey, Said, Slot, at_or_unknown, detail
from sync.rules.identity import Pair, email_key, ref_key
from sync.rules.newest import Given, canonical, is_empty, larger_key
from sync.terms import STOPS, UNKNOWN, ConsentKind, Instant, Source, Stage

#: What `emailStatus` can say beside nothing.
_STATUS_KINDS = frozenset({ConsentKind.DOUBLE_OPT_IN, *STOPS})
#: Custom fields that are details too, where the message's contact has none (rule 3).
_DETAILS_IN_CUSTOM_FIELDS = ("locality", "street")
_ADDED_TO_EXTRA = "extra."
#: Plain texts: each message asks for them, and an enumeration's member takes ten times as long.
_OPT_IN, _OPT_OUT, _PROCA, _DELIVER = (
    one.value for one in (ConsentKind.OPT_IN, ConsentKind.OPT_OUT, Source.PROCA, Stage.DELIVER)
)
#: What campaigns, pages and orgs were said to be, by its JSON: name, and what `given` compares.
_said_of_places: dict[str, list[tuple[str, bool, str, Any]]] = {}
_MOST_REMEMBERED = 1_000


class PlaceFacts(Struct, frozen=True):
    """Fields of one campaign, page or org, by Proca's id."""

    table: str
    id: int
    fields: dict[str, Given]


class NoticeFacts(Struct, frozen=True):
    """Something to keep visible that changes nobody."""

    kind: str
    at: Instant
    payload: dict[str, Any]


class LinkFacts(Struct, frozen=True):
    """Two contacts linked by people: `kind` is `hand` (what: `merge` or `undo`) or `edit` (what: `edit`)."""

    kind: str
    a: Pair
    b: Pair
    at: Instant
    what: str


class SharedFacts(Struct, frozen=True):
    """That an email is shared by several people, or not any more."""

    email: str
    at: Instant
    shared: bool


class MarkFacts(Struct, frozen=True):
    """An erasure at a time, on these keys: pairs with one key each."""

    at: Instant
    keys: tuple[Pair, ...]


class Facts(Struct, frozen=True, kw_only=True):
    """What one message, edit, report or erasure says.

    `said` and `told` come from messages; an event names an action and tells nothing of it. `added` are entries that
    people and CRMs add for a key (a pair with one key).
    """

    reader: int | None = None
    pair: Pair | None = None
    said: Said | None = None
    action_id: int | None = None
    told: Told | None = None
    is_event: bool = False
    places: tuple[PlaceFacts, ...] = ()
    notices: tuple[NoticeFacts, ...] = ()
    added: tuple[tuple[Pair, Entries], ...] = ()
    links: tuple[LinkFacts, ...] = ()
    shared: tuple[SharedFacts, ...] = ()
    marks: tuple[MarkFacts, ...] = ()
    origin: str = ""
    edits: tuple[tuple[Pair, Said], ...] = ()


def of_message(message: Message, reader: int | None) -> Facts:
    """Return what a message says, read for an organisation; null reads a `system.…` queue (rule 0)."""
    if isinstance(message, messages.Action):
        return _of_action(message, reader)
    if isinstance(message, messages.EmailStatus):
        return _of_event(message, reader)
    if isinstance(message, messages.CampaignUpdate):
        owned = replace(message.places, campaign={**message.places.campaign, "org": message.places.org_id})
        return Facts(reader=reader, is_event=True, places=tuple(_places(owned, message.timestamp, 0, reader)))
    places = tuple(_places(message.places, message.timestamp, 0, reader))
    notice = NoticeFacts(message.kind, message.timestamp, message.payload)
    return Facts(reader=reader, is_event=True, places=places, notices=(notice,))


def _of_action(action: messages.Action, reader: int | None) -> Facts:
    places = tuple(_places(action.places, action.created_at, action.action_id, reader))
    if reader is None:
        return Facts(is_event=True, places=places)
    pair = _pair(action.contact)
    told = _told(action, pair, reader)
    facts = Facts(reader=reader, action_id=action.action_id, told=told, places=places)
    if pair is None:
        return facts
    notices = tuple(_unknown_status(action.privacy, action.created_at))
    return Facts(
        reader=reader,
        action_id=action.action_id,
        told=told,
        places=places,
        pair=pair,
        said=_said_of_action(action, pair, reader),
        notices=notices,
    )


def _of_event(event: messages.EmailStatus, reader: int | None) -> Facts:
    places = tuple(_places(event.places, event.timestamp, event.action_id or 0, reader))
    pair = _pair(event.contact)
    if reader is None or pair is None:
        notice = NoticeFacts("email_status", event.timestamp, _thin(event))
        return Facts(reader=reader, is_event=True, places=places, notices=(notice,))
    return Facts(
        reader=reader,
        action_id=event.action_id,
        is_event=True,
        places=places,
        pair=pair,
        said=_said_of_event(event, pair, reader),
        notices=tuple(_unknown_status(event.privacy, event.timestamp)),
    )


def _pair(contact: messages.Contact) -> Pair | None:
    pair = (email_key(contact.email), ref_key(contact.ref))
    return pair if pair != ("", "") else None


def _thin(event: messages.EmailStatus) -> dict[str, Any]:
    """An event without a key, as a notice: what it says, and of nobody."""
    return {"actionId": event.action_id, "emailStatus": event.privacy.email_status}


def _unknown_status(privacy: messages.Privacy, at: Instant) -> Iterator[NoticeFacts]:
    status = privacy.email_status
    if status is not None and status not in _STATUS_KINDS:
        yield NoticeFacts("unknown_email_status", at, {"emailStatus": status})


def _told(action: messages.Action, pair: Pair | None, reader: int) -> Told:
    told = Told(stage_number(action.stage))
    told.fields = {
        "action_type": action.action_type,
        "created_at": action.created_at,
        "dupe_rank": action.dupe_rank,
        "donation": action.donation,
        "tracking": action.tracking,
        "campaign": action.places.campaign_id,
        "action_page": action.places.page_id,
        "org": action.places.org_id,
        "stage": action.stage,
    }
    told.testing, told.pair, told.readers = action.testing, pair, frozenset({reader})
    told.with_consent, told.opt_in = action.privacy.with_consent, action.privacy.opt_in
    if action.custom_fields:
        told.custom = {told.stage: action.custom_fields}
    if pair is not None:
        told.voices = {pair: at_or_unknown(_details_at(action))}
    return told


def _details_at(action: messages.Action) -> Instant | None:
    """The time of an action message's details: the form was filled in with this action, or with an earlier one."""
    return action.created_at if action.privacy.with_consent else action.privacy.given_at


def _said_of_action(action: messages.Action, pair: Pair, reader: int) -> Said:
    at = _details_at(action)
    delivered = action.stage == _DELIVER
    if action.testing:
        slot = Slot.TESTING
    elif not delivered:
        slot = Slot.NOT_DELIVERED
    else:
        slot = Slot.DATED if at is not None else Slot.UNDATED
    details = dict(action.contact.details)
    if action.privacy.with_consent:
        for name in _DETAILS_IN_CUSTOM_FIELDS:
            value = action.custom_fields.get(name)
            if name not in details and isinstance(value, str) and value.strip():
                details[name] = value
    said = _said(pair, action.contact, details, slot, at, action.created_at, action.action_id)
    said.newest = at_or_unknown(at)
    if not action.testing:
        said.orgs = {reader: at_or_unknown(at)}
    said.entries = dict(_entries_of_action(action, pair, reader))
    return said


def _said_of_event(event: messages.EmailStatus, pair: Pair, reader: int) -> Said:
    at = event.privacy.given_at
    slot = Slot.TESTING_EVENT if event.testing else Slot.EVENT
    said = _said(pair, event.contact, event.contact.details, slot, at, event.timestamp, event.action_id or 0)
    said.entries = dict(
        _status_entries(
            event.privacy, pair, reader, event.action_id or 0, event.timestamp, event.timestamp, event.testing
        )
    )
    return said


def _said(  # noqa: PLR0917 - one line of a form, in its order
    pair: Pair,
    contact: messages.Contact,
    details: dict[str, Any],
    slot: int,
    at: Instant | None,
    undated_at: Instant,
    action_id: int,
) -> Said:
    said = Said()
    dated = at is not None
    when = at if at is not None else undated_at
    postcode = details.get("postcode", "")

    if pair[0]:
        said.slots[slot, "email"] = Detail(dated, when, False, action_id, True, False, pair[0], postcode, pair[0])
    for name, value in details.items():
        said.slots[slot, name] = Detail(dated, when, False, action_id, True, *larger_key(value), postcode, value)
    for name, value in contact.extra.items():
        if not is_empty(value):
            place = (slot, _ADDED_TO_EXTRA + name)
            said.slots[place] = Detail(dated, when, False, action_id, True, *larger_key(value), postcode, value)
    said.oldest = at_or_unknown(at)
    return said


def _entries_of_action(action: messages.Action, pair: Pair, reader: int) -> Iterator[tuple[EntryKey, frozenset[Atom]]]:
    privacy, created_at = action.privacy, action.created_at
    before_delivery = action.testing or action.stage != _DELIVER
    given_at = privacy.given_at if privacy.given_at is not None else created_at
    if privacy.opt_in is not None and privacy.with_consent and not before_delivery:
        kind = _OPT_IN if privacy.opt_in else _OPT_OUT
        atom = Atom(action.action_id, privacy.opt_in, _PROCA, "", "")
        yield EntryKey(reader, kind, given_at, pair[0]), frozenset((atom,))
    if privacy.email_status is not None:
        yield from _status_entries(
            privacy, pair, reader, action.action_id, max(given_at, created_at), given_at, before_delivery
        )


def _status_entries(  # noqa: PLR0917 - one line of a form, in its order
    privacy: messages.Privacy,
    pair: Pair,
    reader: int,
    action_id: int,
    stop_fallback: Instant,
    confirmation_fallback: Instant,
    stops_only: bool,
) -> Iterator[tuple[EntryKey, frozenset[Atom]]]:
    kind = privacy.email_status
    if kind not in _STATUS_KINDS or (stops_only and kind == ConsentKind.DOUBLE_OPT_IN):
        return
    at = privacy.email_status_changed_at
    if at is None:
        at = stop_fallback if kind in STOPS else confirmation_fallback
    yield EntryKey(reader, str(kind), at, pair[0]), frozenset((Atom(action_id, privacy.opt_in, _PROCA, "", ""),))


def _places(places: messages.Places, at: Instant, action_id: int, reader: int | None) -> Iterator[PlaceFacts]:
    if places.campaign_id is not None:
        yield PlaceFacts("campaign", places.campaign_id, _given(places.campaign, at, action_id))
    if places.page_id is not None:
        links = {"campaign": places.campaign_id, "org": places.org_id}
        yield PlaceFacts("page", places.page_id, _given({**places.page, **links}, at, action_id))
    if places.org_id is not None:
        yield PlaceFacts("org", places.org_id, _given(places.org, at, action_id))
    if reader is not None and reader != places.org_id:
        yield PlaceFacts("org", reader, {})


def _given(said: dict[str, Any], at: Instant, action_id: int) -> dict[str, Given]:
    """Date the fields of a place. Thousands of messages say the same of one, so it is made comparable once."""
    whole = canonical(said)
    fields = _said_of_places.get(whole)
    if fields is None:
        if len(_said_of_places) >= _MOST_REMEMBERED:
            _said_of_places.clear()
        fields = [(name, *larger_key(value), value) for name, value in said.items() if not is_empty(value)]
        _said_of_places[whole] = fields
    return {name: (at, action_id, is_other, text, value) for name, is_other, text, value in fields}


# What people and CRMs add.


def edit(pair: Pair, changes: dict[str, Any], at: Instant, postcode: str) -> Facts:
    """Return an edit of details given for one key. A value of None clears; `postcode` is the one its editor saw."""
    said = Said()
    postcode = changes["postcode"] or "" if "postcode" in changes else postcode
    for name, value in changes.items():
        said.slots[Slot.EDIT, name] = detail(dated=True, at=at, edit=True, action_id=0, postcode=postcode, value=value)
    links: tuple[LinkFacts, ...] = ()
    if email := changes.get("email"):
        links = (LinkFacts("edit", (pair[0], pair[1]), (email, ""), at, "edit"),)
    return Facts(edits=((pair, said),), links=links)


def entry(
    pair: Pair,
    *,
    org: int | None,
    kind: str,
    at: Instant,
    email: str,
    source: str,
    destination: str = "",
    note: str = "",
    origin: str = "",
) -> Facts:
    """Return a consent entry that people or a CRM add for one key; `email` is the address that it names, or empty."""
    key = EntryKey(org or 0, kind, at, email)
    atoms = frozenset({Atom(0, None, source, destination, note)})
    return Facts(added=((pair, {key: atoms}),), origin=origin)


__all__ = ["UNKNOWN", "Detail", "Facts", "edit", "entry", "of_message"]
