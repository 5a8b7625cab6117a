"""What an erasure mark reaches, and what it lets through (rule 7).

A mark is kept on keyed hashes. Keys that a mark has reached stay one group, so a later mark on one reaches all. A key
is `e…` or `r…`, the hash of an email or of a contactRef; a hashed pair is written with a leading U+0001, which no key
in clear can begin with after it was read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from sync.rules.contacts import EVENT_SLOTS, Entries, EntryKey, Said
from sync.rules.identity import Pair
from sync.terms import STOPS, ConsentKind, Instant

HASHED = "\x01"
#: Leads an email in clear among entries that are kept under hashes.
CLEAR = "="

#: From the kind of a key (`e` or `r`) and the key to its keyed hash, which begins with that letter.
HashKey = Callable[[str, str], str]


@dataclass(slots=True)
class Group:
    """Hashes that marks have reached together; `marks` maps times to the hashes they were given for.

    `spam` holds the organisations that had a complaint at or before the newest mark, 0 for one of no organisation.
    """

    keys: set[str] = field(default_factory=set)
    marks: dict[Instant, frozenset[str]] = field(default_factory=dict)
    spam: set[int] = field(default_factory=set)

    def swallow(self, other: Group) -> None:
        """Take in everything of another group."""
        self.keys |= other.keys
        self.spam |= other.spam
        for at, given in other.marks.items():
            self.marks[at] = self.marks.get(at, frozenset()) | given


@dataclass(slots=True)
class Heard:
    """What is kept of a pair under hashes: entries, and the oldest details that the pair was given with.

    The email of an entry is a hash too, but `=` and the email where people gave one beside the key it stands under.
    """

    entries: Entries = field(default_factory=dict)
    oldest: Instant | None = None


class Marks:
    """The marks in force, by hash."""

    def __init__(self, hash_key: HashKey, was_shared: Callable[[str, Instant], bool]) -> None:
        self._hash_key = hash_key
        self._was_shared = was_shared
        self._groups: dict[str, Group] = {}

    def __bool__(self) -> bool:
        return bool(self._groups)

    def groups(self) -> list[Group]:
        """Return the distinct groups."""
        return list({id(group): group for group in self._groups.values()}.values())

    def add(self, group: Group) -> bool:
        """Add a group or a new mark; tell whether anything new was said."""
        known = {key: self._groups[key] for key in group.keys if key in self._groups}
        if len(known) == len(group.keys) and len({id(one) for one in known.values()}) == 1:
            same = next(iter(known.values()))
            if all(given <= same.marks.get(at, frozenset()) for at, given in group.marks.items()) and (
                group.spam <= same.spam
            ):
                return False
        merged = Group()
        for one in {id(one): one for one in known.values()}.values():
            merged.swallow(one)
        merged.swallow(group)
        for key in merged.keys:
            self._groups[key] = merged
        return True

    def hashed(self, pair: Pair) -> Pair:
        """Return a pair as hashes, without the leading sign."""
        return self._hash("e", pair[0]), self._hash("r", pair[1])

    def _hash(self, kind: str, key: str) -> str:
        if not key:
            return ""
        return key[1:] if key.startswith(HASHED) else self._hash_key(kind, key)

    def group(self, key_hash: str) -> Group | None:
        """Return the group that a hash belongs to."""
        return self._groups.get(key_hash)

    def reaching(self, pair: Pair) -> list[Instant]:
        """Return the times of the marks that are on a pair."""
        email, ref = self.hashed(pair)
        times: set[Instant] = set()
        if ref and (group := self._groups.get(ref)):
            times.update(at for at, given in group.marks.items() if self._is_on_people(given, at))
        if email and (group := self._groups.get(email)):
            times.update(at for at, given in group.marks.items() if self._is_on_email(email, bool(ref), given, at))
        return sorted(times)

    def newest(self, pair: Pair) -> Instant | None:
        """Return the time of the newest mark on a pair, null where there is none."""
        times = self.reaching(pair) if self._groups else []
        return times[-1] if times else None

    def _is_on_people(self, given: frozenset[str], at: Instant) -> bool:
        """Whether a mark was given for more than emails that were shared at its time."""
        return any(key[0] == "r" or not self._was_shared(key, at) for key in given)

    def _is_on_email(self, email: str, has_ref: bool, given: frozenset[str], at: Instant) -> bool:
        """A shared email neither carries a mark where there is a contactRef, nor takes one given for a contactRef."""
        if not self._was_shared(email, at):
            return self._is_on_people(given, at)
        return not has_ref and email in given and not any(key[0] == "r" for key in given)

    def join(self, pairs: Iterable[Pair], at: Instant) -> bool:
        """Make one group of all keys of these pairs but emails shared at that time; tell whether that was new."""
        keys = {key for pair in pairs for key in self.hashed(pair) if key}
        keys = {key for key in keys if key[0] == "r" or not self._was_shared(key, at)}
        if len(keys) < 2:
            return False
        first = next((self._groups[key] for key in keys if key in self._groups), None)
        if first is not None and all(self._groups.get(key) is first for key in keys):
            return False
        return self.add(Group(keys=keys))

    def was_shared(self, pair: Pair, at: Instant) -> bool:
        """Tell whether a pair is an email alone, shared at that time."""
        email, ref = self.hashed(pair)
        return not ref and bool(email) and self._was_shared(email, at)

    def remember_spam(self, pair: Pair, org: int) -> None:
        """Keep in mind that there was a complaint that a mark has removed."""
        for key in self.hashed(pair):
            if group := self._groups.get(key):
                group.spam.add(org)

    def spam_of(self, pairs: Iterable[Pair]) -> dict[int, Instant]:
        """Return the remembered complaints about whoever has these pairs: the mark's time by organisation."""
        spam: dict[int, Instant] = {}
        for pair in pairs:
            at = self.newest(pair)
            if at is None:
                continue
            for key in self.hashed(pair):
                for org in group.spam if (group := self._groups.get(key)) else ():
                    spam[org] = max(at, spam.get(org, at))
        return spam


def keep(said: Said, pair: Pair, marks: Marks) -> tuple[Said, Heard] | None:
    """Return what a pair's marks let through, in clear and under hashes; null where no mark is on it.

    Only an action's message with newer details keeps a contact; an event about a marked key leaves nothing but entries,
    and all entries of a marked pair wait under its hashes for whoever has the keys.
    """
    at = marks.newest(pair)
    if at is None:
        return None
    kept = Said()
    lives = said.newest is not None and said.newest > at
    for (slot, name), detail in said.slots.items():
        if slot not in EVENT_SLOTS and detail.dated and detail.at > at and (lives or detail.edit):
            kept.slots[slot, name] = detail
    heard = Heard(entries=_kept_entries(said.entries, pair, marks, hashed=False))
    if lives:
        kept.oldest, kept.newest = said.oldest, said.newest
        kept.orgs = {org: newest for org, newest in said.orgs.items() if newest > at}
    elif all(pair) and not _grouped(pair, marks):
        heard.oldest = said.oldest
    return kept, heard


def keep_heard(heard: Heard, pair: Pair, marks: Marks) -> Heard:
    """Return what a hashed pair's marks let through; an erased email is not kept in clear whatever it stands under."""
    entries = heard.entries
    if any(key.email.startswith(CLEAR) for key in entries):
        entries = {_sealed(key, pair, marks): atoms for key, atoms in entries.items()}
    if marks.newest(pair) is None:
        return Heard(entries=entries, oldest=heard.oldest)
    return Heard(
        entries=_kept_entries(entries, pair, marks, hashed=True),
        oldest=None if _grouped(pair, marks) else heard.oldest,
    )


def _sealed(key: EntryKey, pair: Pair, marks: Marks) -> EntryKey:
    email = (key.email.removeprefix(CLEAR), "")
    if not key.email.startswith(CLEAR) or (marks.newest(email) is None and marks.newest(pair) is None):
        return key
    return key._replace(email=marks.hashed(email)[0])


def _grouped(pair: Pair, marks: Marks) -> bool:
    email, ref = marks.hashed(pair)
    return marks.group(email) is not None and marks.group(email) is marks.group(ref)


def _kept_entries(entries: Entries, pair: Pair, marks: Marks, *, hashed: bool) -> Entries:
    kept: Entries = {}
    times = marks.reaching(pair)
    for key, atoms in entries.items():
        if key.at <= times[-1] and not _outlives(key, pair, marks, times):
            if key.kind == ConsentKind.SPAM:
                marks.remember_spam(pair, key.org)
            continue
        email = key.email if hashed or not key.email else marks.hashed((key.email, ""))[0]
        kept[EntryKey(key.org, key.kind, key.at, email)] = atoms
    return kept


def _outlives(key: EntryKey, pair: Pair, marks: Marks, times: list[Instant]) -> bool:
    """A stop that names only an email that was shared at every mark's time waits for whoever has that email."""
    return key.kind in STOPS and all(marks.was_shared(pair, at) for at in times if at >= key.at)


@dataclass(slots=True)
class HandLink:
    """What people said of two contacts: [time, what] in order; `edit` links stand for ever, `merge` until an `undo`."""

    kind: str
    a: Pair
    b: Pair
    history: list[tuple[Instant, str]] = field(default_factory=list)

    def add(self, at: Instant, what: str) -> bool:
        """Add to the history; tell whether that was new. At equal time the undo comes last and counts."""
        if (at, what) in self.history:
            return False
        self.history = sorted([*self.history, (at, what)])
        return True

    def holds(self) -> bool:
        """Tell whether the link holds now."""
        return bool(self.history) and self.history[-1][1] != "undo"

    def held_at(self, at: Instant) -> bool:
        """Tell whether the link held at a time."""
        until = [what for when, what in self.history if when <= at]
        return bool(until) and until[-1] != "undo"


def spread(
    marks: Marks, contacts: dict[Pair, Said], heard: dict[Pair, Heard], links: Iterable[HandLink]
) -> None:
    """Let every mark pass on, until nothing new is reached."""
    links = list(links)
    moved = True
    while moved:
        moved = False
        for pair, oldest in _details_of_pairs(contacts, heard):
            for at in marks.reaching(pair):
                if oldest <= at:
                    moved |= marks.join([pair], at)
        for link in links:
            for at in {*marks.reaching(link.a), *marks.reaching(link.b)}:
                if link.held_at(at) and _may_pass(link, marks, at):
                    moved |= marks.join([link.a, link.b], at)


def _may_pass(link: HandLink, marks: Marks, at: Instant) -> bool:
    """An edit never passes a mark to or from an email that was shared at its time."""
    return link.kind != "edit" or not (marks.was_shared(link.a, at) or marks.was_shared(link.b, at))


def _details_of_pairs(contacts: dict[Pair, Said], heard: dict[Pair, Heard]) -> Iterator[tuple[Pair, Instant]]:
    for pair, said in contacts.items():
        if all(pair) and said.oldest is not None:
            yield pair, said.oldest
    for pair, kept in heard.items():
        if all(pair) and kept.oldest is not None:
            yield pair, kept.oldest
