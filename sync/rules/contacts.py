"""What messages said of one contact: a fold that carries the newest value of each field and rank, and the entries.

Every part has a join that is associative, commutative and idempotent, so the order of arrival cannot matter (rule 1).
The newest of *each* rank is kept, since an erasure mark removes by time across ranks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sync.rules.newest import News, larger_key
from sync.terms import UNKNOWN, Instant


class Slot:
    """Where a detail is kept. Ranks of rule 3; testing is one rank, kept apart for actions and events (rule 7)."""

    DATED = 1
    EVENT = 2
    UNDATED = 3
    NOT_DELIVERED = 4
    TESTING = 5
    TESTING_EVENT = 6
    #: Of the same rank as DATED, and kept apart: an edit of a shared email speaks of everybody who has it.
    EDIT = 7


#: The slots that a mark empties whatever their time: about a marked key an event gives no details.
EVENT_SLOTS = frozenset({Slot.EVENT, Slot.TESTING_EVENT})


class Detail(NamedTuple):
    """One field as one message gave it, in the order in which two are compared within a slot.

    The value itself comes last, where it decides nothing: equal texts are equal values.
    """

    dated: bool
    at: Instant
    edit: bool
    action_id: int
    has_value: bool
    is_other: bool
    text: str
    postcode: str
    value: Any


class EntryKey(NamedTuple):
    """What makes two consent entries of one contact the same. No org is 0, no email an empty text."""

    org: int
    kind: str
    at: Instant
    email: str


class Atom(NamedTuple):
    """One message or report that gave an entry. No action is 0; `opt_in` is the message's own."""

    action_id: int
    opt_in: bool | None
    source: str
    destination: str
    note: str


Entries = dict[EntryKey, frozenset[Atom]]


def detail(*, dated: bool, at: Instant, edit: bool, action_id: int, postcode: str, value: Any) -> Detail:
    """Return a detail ready to be compared. A `value` of None is an edit that clears the field."""
    is_other, text = larger_key(value) if value is not None else (False, "")
    return Detail(dated, at, edit, action_id, value is not None, is_other, text, postcode, value)


class Said:
    """The fold over what was said with one pair of keys.

    `oldest` is the oldest time of details that any message gave (UNKNOWN where one had none), `newest` the newest that
    an action's message gave; null where there was none. `orgs` maps each reader of an action that is not testing to the
    newest time of its details.
    """

    __slots__ = ("entries", "newest", "oldest", "orgs", "slots")

    def __init__(self) -> None:
        self.slots: dict[tuple[int, str], Detail] = {}
        self.oldest: Instant | None = None
        self.newest: Instant | None = None
        self.orgs: dict[int, Instant] = {}
        self.entries: Entries = {}

    def copy(self) -> Said:
        """Return a copy that can be joined into."""
        twin = Said()
        twin.slots, twin.orgs, twin.entries = dict(self.slots), dict(self.orgs), dict(self.entries)
        twin.oldest, twin.newest = self.oldest, self.newest
        return twin

    def is_alive(self) -> bool:
        """Tell whether a message (and not only an edit) speaks of this contact."""
        return self.oldest is not None

    def is_blank(self) -> bool:
        """Tell whether nothing at all is kept."""
        return not (self.slots or self.entries or self.orgs) and self.oldest is None

    def is_like(self, other: Said) -> bool:
        """Tell whether another fold says the same."""
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    def edits(self) -> Said:
        """Return what edits say, alone. An address that one gave is not handed on: it is one person's."""
        edited = Said()
        edited.slots = {
            (slot, name): kept for (slot, name), kept in self.slots.items() if slot == Slot.EDIT and name != "email"
        }
        return edited

    def join(self, other: Said) -> News:
        """Join what `other` says into this, and tell what that did."""
        news = max(self._join_slots(other), self._join_times(other), join_entries(self.entries, other.entries))
        for org, at in other.orgs.items():
            known = self.orgs.get(org)
            if known is None or at > known:
                self.orgs[org] = at
                news = max(news, News.CHANGED if known is None else News.BOOKKEEPING)
        return news

    def _join_slots(self, other: Said) -> News:
        news = News.NOTHING
        for place, new in other.slots.items():
            old = self.slots.get(place)
            if old is None:
                self.slots[place], news = new, News.CHANGED
            elif new > old:
                self.slots[place] = new
                if new[4:8] != old[4:8]:
                    news = News.CHANGED
                elif not news:
                    news = News.BOOKKEEPING
        return news

    def _join_times(self, other: Said) -> News:
        news = News.NOTHING
        if other.oldest is not None and (self.oldest is None or other.oldest < self.oldest):
            news = News.CHANGED if self.oldest is None else News.BOOKKEEPING
            self.oldest = other.oldest
        if other.newest is not None and (self.newest is None or other.newest > self.newest):
            news = max(news, News.CHANGED if self.newest is None else News.BOOKKEEPING)
            self.newest = other.newest
        return news


def join_entries(known: Entries, said: Entries) -> News:
    """Join entries into `known`, in place."""
    news = News.NOTHING
    for key, atoms in said.items():
        old = known.get(key)
        if old is None:
            known[key], news = atoms, News.CHANGED
        elif not atoms <= old:
            known[key], news = old | atoms, News.CHANGED
    return news


# As JSON. Details that one message gave stand together: [slot, dated, at, edit, action id, postcode, {field: value}].


def dump_said(said: Said) -> dict[str, Any]:
    """Return a fold as plain JSON, the same for equal folds but for the order of keys."""
    return {
        "d": _dump_slots(said.slots),
        "t": [said.oldest, said.newest],
        "o": sorted(said.orgs.items()),
        "e": dump_entries(said.entries),
    }


def load_said(plain: dict[str, Any]) -> Said:
    """Return the fold that `dump_said` wrote."""
    said = Said()
    for slot, dated, at, edit, action_id, postcode, fields in plain.get("d", ()):
        for name, value in fields.items():
            said.slots[slot, name] = detail(
                dated=bool(dated), at=at, edit=bool(edit), action_id=action_id, postcode=postcode, value=value
            )
    said.oldest, said.newest = plain.get("t", (None, None))
    said.orgs = dict(plain.get("o", ()))
    said.entries = load_entries(plain.get("e", ()))
    return said


def _dump_slots(slots: dict[tuple[int, str], Detail]) -> list[list[Any]]:
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for (slot, name), kept in slots.items():
        group = (slot, int(kept.dated), kept.at, int(kept.edit), kept.action_id, kept.postcode)
        groups.setdefault(group, {})[name] = kept.value
    return [[*group, groups[group]] for group in sorted(groups)]


def dump_entries(entries: Entries) -> list[list[Any]]:
    """Return entries as plain JSON, sorted."""
    return [[*key, _dump_atoms(atoms)] for key, atoms in sorted(entries.items())]


def load_entries(plain: Iterable[list[Any]]) -> Entries:
    """Return the entries that `dump_entries` wrote."""
    return {
        EntryKey(org, kind, at, email): frozenset(Atom(*atom) for atom in atoms)
        for org, kind, at, email, atoms in plain
    }


def _dump_atoms(atoms: frozenset[Atom]) -> list[list[Any]]:
    if len(atoms) == 1:
        return [list(atom) for atom in atoms]
    return [list(atom) for atom in sorted(atoms, key=lambda atom: (atom[0], str(atom[1]), atom[2:]))]


def at_or_unknown(at: Instant | None) -> Instant:
    """Return a time for comparing, UNKNOWN where there is none."""
    return UNKNOWN if at is None else at
