"""Known rows and the state after a batch become a plan: which rows to write, and what to tell. Decides nothing itself.

Rows are keyed as the database keys them; an id below zero stands for one that the store has yet to draw.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import compress, count
from operator import ne
from typing import Any, NamedTuple

from sync.rules.actions import Told
from sync.rules.consent import Entry, ShownKey, Subscribed
from sync.rules.contacts import Said, dump_said
from sync.rules.identity import Pair
from sync.rules.kept import Kept
from sync.rules.newest import canonical
from sync.rules.people import People, Person
from sync.terms import DETAILS, Instant

SUPPORTER_COLUMNS = (
    "email",
    "email_status",
    "email_status_changed_at",
    *DETAILS,
    "language",
    "extra",
    "contact_refs",
    "other_emails",
    "details_given_at",
    "first_action_at",
    "last_action_at",
    "action_count",
    "search_key",
)
_SEARCH_KEY_LENGTH = 200


class ContactRow(NamedTuple):
    id: int
    supporter_id: int | None
    home: int | None
    marked: bool


class ConsentRow(NamedTuple):
    id: int
    shown: tuple[Any, ...]


class ActionRow(NamedTuple):
    id: int
    supporter_id: int | None
    contact_id: int | None


@dataclass(slots=True)
class Known:
    """The rows that were read, as far as the plan compares with them."""

    contacts: dict[Pair, ContactRow] = field(default_factory=dict)
    supporters: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    actions: dict[int, ActionRow] = field(default_factory=dict)
    consents: dict[tuple[int, ShownKey], ConsentRow] = field(default_factory=dict)
    subscriptions: dict[tuple[int, int], ConsentRow] = field(default_factory=dict)
    formers: dict[int, int | None] = field(default_factory=dict)
    #: The newest mark on each known contact, before this batch.
    marks: dict[Pair, Instant] = field(default_factory=dict)


@dataclass(slots=True)
class Plan:
    """Rows to write, by supporter, contact, action, entry and subscription, and what changed for those who listen."""

    new_supporters: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    changed_supporters: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    #: Which of SUPPORTER_COLUMNS differ for any of the changed ones.
    differing_columns: list[int] = field(default_factory=list)
    gone_supporters: list[int] = field(default_factory=list)
    new_contacts: dict[int, tuple[Pair, int | None, int | None, bool, str]] = field(default_factory=dict)
    changed_contacts: dict[int, tuple[int | None, int | None, bool, str]] = field(default_factory=dict)
    moved_contacts: dict[int, tuple[int | None, int | None, bool]] = field(default_factory=dict)
    gone_contacts: list[int] = field(default_factory=list)
    new_actions: dict[int, tuple[int, Told, int | None, int | None]] = field(default_factory=dict)
    changed_actions: dict[int, tuple[int, Told, int | None, int | None]] = field(default_factory=dict)
    moved_actions: dict[int, tuple[int, int | None, int | None]] = field(default_factory=dict)
    new_consents: list[tuple[int, ShownKey, tuple[Any, ...]]] = field(default_factory=list)
    changed_consents: dict[int, tuple[int, ShownKey, tuple[Any, ...]]] = field(default_factory=dict)
    gone_consents: list[int] = field(default_factory=list)
    new_subscriptions: list[tuple[int, int, tuple[Any, ...]]] = field(default_factory=list)
    changed_subscriptions: dict[int, tuple[int, int, tuple[Any, ...]]] = field(default_factory=dict)
    gone_subscriptions: list[int] = field(default_factory=list)
    formers: dict[int, int | None] = field(default_factory=dict)
    revived: list[int] = field(default_factory=list)
    merged: dict[int, int] = field(default_factory=dict)
    erased: list[int] = field(default_factory=list)
    #: Which supporters have a key of the entries that wait under a pair of hashes, or show one.
    shown_by: dict[Pair, list[int]] = field(default_factory=dict)


class _Planner:
    """One plan in the making."""

    def __init__(self, known: Known, kept: Kept, people: People) -> None:
        self.known, self.kept, self.people = known, kept, people
        self.plan = Plan()
        self.ids: dict[Person, int] = {}
        self.homes: dict[Pair, int] = {}
        self.contact_ids: dict[Pair, int] = {}
        self._drawn = 0

    def draw(self) -> int:
        self._drawn -= 1
        return self._drawn

    # Which id a person has.

    def assign(self) -> None:
        """Give all people ids: the smallest that a contact of theirs founded, else the one they had, else a new one."""
        claimed: set[int] = set()
        for person in self.people.all():
            for pair in person.pairs:
                row = self.known.contacts.get(pair)
                if row is not None and row.home is not None and not self._is_made_again(pair):
                    self.homes[pair] = row.home
            homes = [self.homes[pair] for pair in person.pairs if pair in self.homes]
            claimed.update(homes)
            if homes:
                self.ids[person] = min(homes)
        for person in self.people.all():
            if person not in self.ids:
                self.ids[person] = self._held(person, claimed) or self.draw()
                claimed.add(self.ids[person])
                self.homes[person.pairs[0]] = self.ids[person]

    def _is_made_again(self, pair: Pair) -> bool:
        """Whether a mark has newly reached a contact: who is made again has a new id."""
        return bool(self.kept.marks) and self.kept.marks.newest(pair) != self.known.marks.get(pair)

    def _held(self, person: Person, claimed: set[int]) -> int | None:
        held = {
            row.supporter_id
            for pair in person.pairs
            if (row := self.known.contacts.get(pair)) and row.supporter_id and not self._is_made_again(pair)
        }
        return min(held - claimed - self.known.formers.keys(), default=None)

    # Rows, table by table.

    def supporters(self) -> None:
        differing: set[int] = set()
        for person, supporter_id in self.ids.items():
            columns = supporter_columns(person)
            known = self.known.supporters.get(supporter_id)
            if known is None:
                self.plan.new_supporters[supporter_id] = columns
            elif known != columns:
                self.plan.changed_supporters[supporter_id] = columns
                differing.update(compress(count(), map(ne, known, columns)))
        self.plan.differing_columns = sorted(differing)
        lasting = set(self.ids.values())
        self.plan.gone_supporters = [one for one in self.known.supporters if one not in lasting]

    def contacts(self) -> None:
        for pair, said in self.kept.contacts.items():
            person = self.people.person_of.get(pair)
            supporter_id = None if person is None else self.ids[person]
            place = (supporter_id, self.homes.get(pair), bool(self.kept.marks) and self._is_marked(pair))
            row = self.known.contacts.get(pair)
            if row is None:
                self.contact_ids[pair] = self.draw()
                self.plan.new_contacts[self.contact_ids[pair]] = (pair, *place, _dump(said))
                continue
            self.contact_ids[pair] = row.id
            if pair in self.kept.touched_contacts:
                self.plan.changed_contacts[row.id] = (*place, _dump(said))
            elif place != row[1:]:
                self.plan.moved_contacts[row.id] = place
        self.plan.gone_contacts = [
            row.id for pair, row in self.known.contacts.items() if pair not in self.kept.contacts
        ]

    def _is_marked(self, pair: Pair) -> bool:
        return self.kept.marks.is_marked(pair)

    def actions(self) -> None:
        for action_id, told in self.kept.actions.items():
            person = self.people.owner_of(told)
            owner = None if person is None else self.ids[person]
            contact = self.contact_ids.get(told.pair) if told.pair is not None else None
            row = self.known.actions.get(action_id)
            if row is None:
                self.plan.new_actions[self.draw()] = (action_id, told, owner, contact)
            elif action_id in self.kept.touched_actions:
                self.plan.changed_actions[row.id] = (action_id, told, owner, contact)
            elif (owner, contact) != row[1:]:
                self.plan.moved_actions[row.id] = (action_id, owner, contact)

    def consents(self) -> None:
        wanted = {
            (self.ids[person], key): _consent_columns(entry)
            for person in self.people.all()
            for key, entry in person.entries.items()
        }
        moved = _spare(self.known.consents, wanted, lambda key: key[1])
        for (supporter_id, key), columns in wanted.items():
            row = self.known.consents.get((supporter_id, key)) or _take(moved, key)
            if row is None:
                self.plan.new_consents.append((supporter_id, key, columns))
            elif row.shown != columns or (supporter_id, key) not in self.known.consents:
                self.plan.changed_consents[row.id] = (supporter_id, key, columns)
        self.plan.gone_consents = [row.id for rows in moved.values() for row in rows]

    def subscriptions(self) -> None:
        wanted = {
            (self.ids[person], org): _subscription_columns(one)
            for person in self.people.all()
            for org, one in person.subscriptions.items()
        }
        moved = _spare(self.known.subscriptions, wanted, lambda key: key[1])
        for (supporter_id, org), columns in wanted.items():
            row = self.known.subscriptions.get((supporter_id, org)) or _take(moved, org)
            if row is None:
                self.plan.new_subscriptions.append((supporter_id, org, columns))
            elif row.shown != columns or (supporter_id, org) not in self.known.subscriptions:
                self.plan.changed_subscriptions[row.id] = (supporter_id, org, columns)
        self.plan.gone_subscriptions = [row.id for rows in moved.values() for row in rows]

    def waiting_entries(self) -> None:
        for pair, people in self.people.shown_by.items():
            self.plan.shown_by[pair] = [self.ids[person] for person in people]

    def former_ids(self) -> None:
        """Say where every id went that is nobody's own any more."""
        lasting = set(self.ids.values())
        now: dict[int, int | None] = {
            home: self.ids[person]
            for pair, home in self.homes.items()
            if (person := self.people.person_of.get(pair)) is not None
        }
        for gone in self.plan.gone_supporters:
            into = now.get(gone)
            if into is None:
                into = self._where_its_contacts_went(gone)
            now.setdefault(gone, into)
        for former, into in self.known.formers.items():
            if former in lasting:
                self.plan.revived.append(former)
            elif former not in now and into is not None and into not in lasting:
                now[former] = now.get(into)
        for former, into in now.items():
            if former in lasting:
                continue
            if former not in self.known.formers or self.known.formers[former] != into:
                self.plan.formers[former] = into
                self._tell_of(former, into)

    def _where_its_contacts_went(self, gone: int) -> int | None:
        went = {
            self.ids[person]
            for pair, row in self.known.contacts.items()
            if row.supporter_id == gone
            and not self._is_made_again(pair)
            and (person := self.people.person_of.get(pair)) is not None
        }
        return min(went, default=None)

    def _tell_of(self, former: int, into: int | None) -> None:
        if former not in self.known.supporters:
            return
        if into is None:
            self.plan.erased.append(former)
        else:
            self.plan.merged[former] = into


def make_plan(known: Known, kept: Kept, people: People) -> Plan:
    """Return what has to be written so that the rows show the people of what is kept."""
    planner = _Planner(known, kept, people)
    planner.assign()
    planner.supporters()
    planner.contacts()
    planner.actions()
    planner.consents()
    planner.subscriptions()
    planner.former_ids()
    planner.waiting_entries()
    return planner.plan


def _dump(said: Said) -> str:
    return canonical(dump_said(said))


def _spare(
    known: dict[Any, ConsentRow], wanted: dict[Any, Any], name: Callable[[Any], Any]
) -> dict[Any, list[ConsentRow]]:
    """Rows that nobody wants where they are, by the part of their key that moves along with a merge."""
    spare: dict[Any, list[ConsentRow]] = defaultdict(list)
    for key, row in known.items():
        if key not in wanted:
            spare[name(key)].append(row)
    return spare


def _take(spare: dict[Any, list[ConsentRow]], name: Any) -> ConsentRow | None:
    rows = spare.get(name)
    return rows.pop() if rows else None


def supporter_columns(person: Person) -> tuple[Any, ...]:
    """Return a supporter's columns in the order of SUPPORTER_COLUMNS; times are Instants, JSON is text."""
    details, fields = person.details, person.details.fields
    status, changed_at = person.email_status or (None, None)
    return (
        details.email,
        status,
        changed_at,
        *map(fields.get, DETAILS),
        person.language,
        canonical(details.extra),
        canonical(sorted(person.refs)),
        canonical(sorted(person.emails - {details.email})),
        details.given_at,
        person.first_action_at,
        person.last_action_at,
        person.action_count,
        search_key(fields.get("last_name"), fields.get("first_name")),
    )


def search_key(*names: str | None) -> str:
    """Return names in the form that is searched: alike on both databases, whatever the case."""
    text = " ".join(filter(None, names))
    return unicodedata.normalize("NFC", text).lower()[:_SEARCH_KEY_LENGTH]


def _consent_columns(entry: Entry) -> tuple[Any, ...]:
    if len(entry.atoms) == 1:
        [atom] = entry.atoms
        return (str(atom.source), atom.destination or None, atom.action_id or None, entry.counts, atom.note or None)
    return (str(entry.source), entry.destination, entry.action_id, entry.counts, entry.note)


def _subscription_columns(one: Subscribed) -> tuple[Any, ...]:
    source = None if one.source is None else str(one.source)
    return (str(one.status), one.email, one.status_changed_at, source)
