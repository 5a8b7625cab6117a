"""What CiviCRM holds of the people of a batch: whose contact is whose, and which stops stand there since when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sync.connectors.civicrm.api import Call, Row, ask, get, moment
from sync.connectors.contract import Context, Item, Misconfigured, Mode, Outcome
from sync.terms import ConsentKind

#: What we do to groups is marked by it, so that it is told from what people do there.
TRACKING = "proca-crm"
#: So far may the clock there be off before the time zone is taken for wrong.
_CLOCK = timedelta(minutes=10)
_CORE = (
    "contact_type",
    "external_identifier",
    "is_deleted",
    "is_opt_out",
    "do_not_email",
    "modified_date",
)
_ADDRESS = ("address_primary.postal_code",)
_GONE = ("Removed", "Deleted")
#: The trash is read only where it is asked for.
_WITH_TRASH = ["is_deleted", "IN", [True, False]]


def is_our_stop(line: Row) -> bool:
    """Tell whether a line of the history of groups says that we took somebody out."""
    return line.get("tracking") == TRACKING and line.get("status") == "Removed"


class Stop(NamedTuple):
    """A stop there: `at` is when, as far as known; `latest` when at the latest (null: nobody knows)."""

    kind: ConsentKind
    at: datetime | None
    latest: datetime | None
    email: str | None = None
    is_ours: bool = False


@dataclass(slots=True)
class Contact:
    """A contact there."""

    row: Row
    emails: list[Row] = field(default_factory=list)
    groups: dict[int, str] = field(default_factory=dict)
    #: Of each group the lines of its history, oldest first; under 0 those of all mail.
    history: dict[int, list[Row]] = field(default_factory=lambda: defaultdict(list))

    @property
    def id(self) -> int:
        """Its id."""
        return int(self.row["id"])

    @property
    def external(self) -> str:
        """Its external identifier, empty where it has none."""
        return self.row.get("external_identifier") or ""

    @property
    def is_live(self) -> bool:
        """Whether it is not in the trash."""
        return not self.row.get("is_deleted")

    def holding(self, email: str | None) -> list[Row]:
        """Return its rows with this address."""
        return [one for one in self.emails if email and (one.get("email") or "").lower() == email.lower()]

    def our_groups(self) -> set[int]:
        """Return the groups that we ever put it into."""
        return {
            group
            for group, lines in self.history.items()
            if group and any(one["status"] == "Added" and one.get("tracking") == TRACKING for one in lines)
        }

    def was_stopped_by_us(self) -> bool:
        """Tell whether we were the last to take it out of anything: then the opt-out is ours too."""
        lines = sorted((one for lines in self.history.values() for one in lines), key=lambda one: int(one["id"]))
        return bool(lines) and is_our_stop(lines[-1])

    def is_ours_in(self, group: int) -> bool:
        """Tell whether it is in a group because we put it there, and nobody else has since."""
        lines = self.history.get(group) or [{}]
        return self.groups.get(group) == "Added" and lines[-1].get("tracking") == TRACKING


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a connection needs to know of its CRM once: languages, activity types, and its time zone."""

    languages: tuple[Row, ...]
    activity_types: tuple[Row, ...]
    zone: ZoneInfo


@dataclass(slots=True)
class There:
    """Everything found for a batch."""

    contacts: dict[int, Contact]
    campaigns: dict[str, int]
    tags: dict[str, int]
    #: Of the groups that the batch is about, those that are there.
    groups: frozenset[int]
    #: Why campaigns cannot be read, where they cannot.
    no_campaigns: Outcome | None = None

    def live(self) -> list[Contact]:
        """Return all but those in the trash, the lowest id first."""
        return [self.contacts[one] for one in sorted(self.contacts) if self.contacts[one].is_live]


# --- Once for a connection ---------------------------------------------------------------------------


def known(context: Context, zone: ZoneInfo) -> Known | Outcome:
    """Read what does not change, and see that the time zone is the one that people chose."""
    if isinstance(held := context.cache.get("known"), Known):
        return held
    now, options = ask(
        context,
        [
            get("Contact", ["NOW() AS now"], ["id", "=", "user_contact_id"], limit=1),
            get(
                "OptionValue",
                ["name", "label", "value", "option_group_id:name"],
                ["option_group_id:name", "IN", ["languages", "activity_type"]],
                ["is_active", "=", True],
                order="weight",
            ),
        ],
        read_only=True,
    )
    if not isinstance(now, list):
        return now
    if not isinstance(options, list):
        return options
    if len(now) != 1:
        return Misconfigured(message="CiviCRM does not know the key: nobody is logged in")
    if trouble := clock_trouble(now[0].get("now"), zone, context.now()):
        return Misconfigured(message=trouble)
    groups: dict[str, list[Row]] = defaultdict(list)
    for one in options:
        groups[one.get("option_group_id:name", "")].append(one)
    found = Known(languages=tuple(groups["languages"]), activity_types=tuple(groups["activity_type"]), zone=zone)
    context.cache["known"] = found
    return found


def clock_trouble(text: Any, zone: ZoneInfo, now: datetime) -> str:
    """Return what is wrong with the clock there, an empty text where nothing is."""
    at = moment(text, zone)
    if at is None:
        return "this version of CiviCRM does not tell its time; a newer one is needed"
    if abs(at - now) > _CLOCK:
        return "the time zone is not that of CiviCRM: its clock shows another hour"
    return ""


# --- A batch -----------------------------------------------------------------------------------------


def read(context: Context, items: Sequence[Item], *, with_campaigns: bool) -> There | Outcome:
    """Read everything about the people of a batch in two requests."""
    calls, later = _finding(context, items), _naming(context, items, with_campaigns=with_campaigns)
    answers = ask(context, [*calls, *later.values()], read_only=True)
    ids: set[int] = set()
    for call, answer in zip(calls, answers, strict=False):
        if not isinstance(answer, list):
            return answer
        ids |= {int(one["id" if call.entity == "Contact" else "contact_id"]) for one in answer}
    contacts = _contacts(context, sorted(ids), items)
    if not isinstance(contacts, dict):
        return contacts
    named: dict[str, dict[str, int]] = {"campaigns": {}, "tags": {}, "groups": {}}
    no_campaigns = None
    for name, answer in zip(later, answers[len(calls) :], strict=True):
        if isinstance(answer, list):
            named[name] = {one["name"]: int(one["id"]) for one in answer}
        elif name == "campaigns":
            no_campaigns = answer
        else:
            return answer
    groups = frozenset(named.pop("groups").values())
    if group_of(context.settings) not in groups:
        return Misconfigured(message="the newsletter group is not there, or not active")
    return There(contacts=contacts, **named, groups=groups, no_campaigns=no_campaigns)


def _finding(context: Context, items: Sequence[Item]) -> list[Call]:
    remote = [*(one.remote_id for one in items), *(other.remote_id for one in items for other in one.others)]
    ids = sorted({int(one) for one in remote if one and one.isdigit()})
    names = sorted({name for item in items for name in externals(context, item)})
    emails = sorted({email for item in items for email in _emails(item)})
    either = ["OR", [["external_identifier", "IN", names], *([["id", "IN", ids]] if ids else [])]]
    calls = [get("Contact", [], either, _WITH_TRASH)]
    if emails:
        whole = ["contact_id.is_deleted", "=", False]
        calls.append(get("Email", ["contact_id"], ["email", "IN", emails], ["contact_id", "IS NOT NULL"], whole))
    return calls


def _naming(context: Context, items: Sequence[Item], *, with_campaigns: bool) -> dict[str, Call]:
    names = {one.campaign.name for item in items for one in item.actions if one.campaign and one.campaign.name}
    tags = {tag for item in items for tag in tag_names(item)}
    groups = {group_of(context.settings), *(int(one) for item in items for one in item.lists if one.isdigit())}
    calls = {"groups": get("Group", ["name"], ["id", "IN", sorted(groups)], ["is_active", "=", True])}
    if names and with_campaigns:
        calls["campaigns"] = get("Campaign", ["name"], ["name", "IN", sorted(names)])
    if tags:
        calls["tags"] = get("Tag", ["name"], ["name", "IN", sorted(tags)])
    return calls


def _emails(item: Item) -> Iterable[str]:
    # A contact that the CRM has told the id of is found by it; its former addresses matter all the same.
    found = [item.email, item.mailed, item.previous_email, *(one.email for one in item.others)]
    return [one for one in found if one]


def _contacts(context: Context, ids: list[int], items: Sequence[Item]) -> dict[int, Contact] | Outcome:
    if not ids:
        return {}
    # What is overwritten need not be known.
    fields = {one.name for item in items for one in item.fields if one.mode is not Mode.OVERWRITE}
    select = sorted({*_CORE, *_ADDRESS, *fields})
    answers = ask(
        context,
        [
            get("Contact", select, ["id", "IN", ids], _WITH_TRASH),
            get(
                "Email",
                ["contact_id", "email", "is_primary", "is_bulkmail", "on_hold", "hold_date"],
                ["contact_id", "IN", ids],
            ),
            get("GroupContact", ["contact_id", "group_id", "status"], ["contact_id", "IN", ids]),
            get(
                "SubscriptionHistory",
                ["contact_id", "group_id", "status", "date", "tracking"],
                ["contact_id", "IN", ids],
            ),
        ],
        read_only=True,
    )
    for answer in answers:
        if not isinstance(answer, list):
            return answer
    people, emails, groups, history = [one for one in answers if isinstance(one, list)]
    found = {int(row["id"]): Contact(row) for row in people}
    for row in emails:
        _of(found, row).emails.append(row)
    for row in groups:
        _of(found, row).groups[int(row["group_id"])] = row["status"]
    for row in history:
        _of(found, row).history[int(row.get("group_id") or 0)].append(row)
    return found


def _of(found: Mapping[int, Contact], row: Row) -> Contact:
    return found.get(int(row["contact_id"])) or Contact({"id": row["contact_id"]})


def group_of(settings: Mapping[str, Any]) -> int:
    """Return the newsletter group; 0 where none is chosen yet."""
    return int(settings.get("group") or 0)


def externals(context: Context, item: Item) -> list[str]:
    """Return the external identifiers that a person may have there, today's first."""
    prefix = context.settings["prefix"]
    return [f"{prefix}-{one}" for one in (item.supporter, *item.merged_ids)]


def tag_names(item: Item) -> list[str]:
    """Return the names of the tags that a person gets; numbers stand for themselves."""
    return [one for one in tags_of(item) if not one.isdigit()]


def tags_of(item: Item) -> list[str]:
    """Return the tags of the destination and of the campaigns (`tagids` of their own settings at Proca)."""
    found = list(item.tags)
    for action in item.actions:
        found += action.campaign.own_tags if action.campaign is not None else ()
    return list(dict.fromkeys(found))


# --- Whose contact, which stops ----------------------------------------------------------------------


class Match(NamedTuple):
    """The contact of a person (null: there is none), all others that have an address of theirs, and the trash."""

    contact: Contact | None
    mates: tuple[Contact, ...]
    trashed: Contact | None


def match(context: Context, item: Item, there: There, taken: set[int]) -> Match:
    """Find the contact of a person: by its id, our identifier, the address. `taken` belong to others of the batch."""
    names = externals(context, item)
    ours = f"{context.settings['prefix']}-"
    free = [
        one
        for one in there.live()
        if one.id not in taken and (one.external in names or not one.external.startswith(ours))
    ]
    contact = (
        next((one for one in there.live() if str(one.id) == item.remote_id), None)
        or next((one for name in names for one in free if one.external == name), None)
        or next((one for email in _mine(item) for one in free if _is_person_with(one, email)), None)
    )
    known = {other.remote_id for other in item.others}
    emails = list(_emails(item))
    mates = [
        one
        for one in free
        if one is not contact
        and (one.external in names or str(one.id) in known or any(one.holding(email) for email in emails))
    ]
    trashed = [one for one in there.contacts.values() if not one.is_live and one.external in names[:1]]
    return Match(contact, tuple(mates), trashed[0] if trashed else None)


def _mine(item: Item) -> list[str]:
    return [one for one in (item.mailed, item.email, item.previous_email) if one]


def _is_person_with(contact: Contact, email: str) -> bool:
    return contact.row.get("contact_type") == "Individual" and bool(contact.holding(email))


def stops(contact: Contact, email: str | None, groups: Iterable[int], zone: ZoneInfo) -> list[Stop]:
    """Return what forbids to mail a contact at an address, or as a member of these groups."""
    row, found = contact.row, []
    changed = moment(row.get("modified_date"), zone)
    if row.get("is_opt_out"):
        left, is_ours = _left(contact, 0, zone), contact.was_stopped_by_us()
        found.append(Stop(ConsentKind.UNSUB, left, changed, is_ours=is_ours))
    if row.get("do_not_email"):
        found.append(Stop(ConsentKind.UNSUB, None, changed))
    for one in contact.holding(email):
        if held := int(one.get("on_hold") or 0):
            at = moment(one.get("hold_date"), zone)
            # 2 is an opt-out of this address.
            found.append(Stop(ConsentKind.BOUNCE if held == 1 else ConsentKind.UNSUB, at, at, email))
    for group in groups:
        lines = contact.history.get(group) or [{}]
        last = lines[-1].get("status")
        was_us = last in _GONE and lines[-1].get("tracking") == TRACKING
        if (contact.groups.get(group) or last) in _GONE and not was_us:
            at = _left(contact, group, zone)
            found.append(Stop(ConsentKind.UNSUB, at, at))
    return found


def _left(contact: Contact, group: int, zone: ZoneInfo) -> datetime | None:
    gone = [one for one in contact.history.get(group, ()) if one["status"] in _GONE]
    return moment(gone[-1]["date"], zone) if gone else None
