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


@dataclass(slots=True, eq=False)
class Reach:
    """An erasure at a time, with all hashes that it has reached.

    `spam` maps an organisation (0 for none) and the hash of a key to the time of the oldest complaint that it has
    removed of whoever had that key.
    """

    at: Instant
    keys: set[str] = field(default_factory=set)
    spam: dict[tuple[int, str], Instant] = field(default_factory=dict)

    def remember(self, org: int, key: str, since: Instant) -> None:
        """Keep in mind a complaint of whoever had a key, where it is at or before this mark."""
        if since <= self.at:
            self.spam[org, key] = min(since, self.spam.get((org, key), since))


@dataclass(slots=True)
class Heard:
    """What is kept of a pair under hashes: entries, and the oldest details that the pair was given with.

    The email of an entry is a hash too, but `=` and the email where people gave one beside the key it stands under.
    """

    entries: Entries = field(default_factory=dict)
    oldest: Instant | None = None


class Marks:
    """The marks in force."""

    def __init__(self, hash_key: HashKey, was_shared: Callable[[str, Instant], bool]) -> None:
        self._hash_key = hash_key
        self._was_shared = was_shared
        self.reaches: list[Reach] = []

    def __bool__(self) -> bool:
        return bool(self.reaches)

    def hashed(self, pair: Pair) -> Pair:
        """Return a pair as hashes, without the leading sign."""
        return self._hash("e", pair[0]), self._hash("r", pair[1])

    def _hash(self, kind: str, key: str) -> str:
        if not key:
            return ""
        return key[1:] if key.startswith(HASHED) else self._hash_key(kind, key)

    def keys_of(self, *pairs: Pair) -> set[str]:
        """Return the hashes of all keys of these pairs."""
        return {key for pair in pairs for key in self.hashed(pair) if key}

    def add(self, at: Instant, pairs: Iterable[Pair]) -> bool:
        """Add a mark on these keys; tell whether it was new."""
        keys = self._carried(self.keys_of(*pairs), at)
        same = [reach for reach in self.reaches if reach.at == at and reach.keys & keys]
        if any(keys <= reach.keys for reach in same) or not keys:
            return False
        mark = Reach(at, keys)
        for reach in same:
            self.reaches.remove(reach)
            mark.keys |= reach.keys
            for (org, key), since in reach.spam.items():
                mark.remember(org, key, since)
        self.reaches.append(mark)
        return True

    def is_marked(self, pair: Pair) -> bool:
        """Tell whether any mark has reached a key of a pair, shared or not."""
        keys = self.keys_of(pair)
        return any(reach.keys & keys for reach in self.reaches)

    def on(self, *pairs: Pair) -> list[Reach]:
        """Return the marks that are on a pair, or on two that are linked."""
        if not self.reaches:
            return []
        keys = self.keys_of(*pairs)
        return [reach for reach in self.reaches if self._carried(keys, reach.at) & reach.keys]

    def newest(self, pair: Pair) -> Instant | None:
        """Return the time of the newest mark on a pair, null where there is none."""
        return max((reach.at for reach in self.on(pair)), default=None)

    def was_shared(self, pair: Pair, at: Instant) -> bool:
        """Tell whether a pair is an email alone, shared at that time."""
        email, ref = self.hashed(pair)
        return not ref and bool(email) and self._was_shared(email, at)

    def _carried(self, keys: set[str], at: Instant) -> set[str]:
        """Leave out an email that was shared then, where there is a contactRef: it carries and passes no mark."""
        return self._unshared(keys, at) if any(key[0] == "r" for key in keys) else keys

    def _unshared(self, keys: set[str], at: Instant) -> set[str]:
        return {key for key in keys if key[0] == "r" or not self._was_shared(key, at)}

    def spam_of(self, pairs: Iterable[Pair]) -> set[tuple[int, Instant]]:
        """Return the remembered complaints about whoever has these pairs: organisations, and times of marks."""
        keys = self.keys_of(*pairs)
        return {
            (org, reach.at)
            for reach in self.reaches
            if self._carried(keys, reach.at) & reach.keys
            for org, _ in reach.spam
        }

    def spread(self, contacts: dict[Pair, Said], heard: dict[Pair, Heard], links: Iterable[HandLink]) -> None:
        """Let every mark pass on, until nothing new is reached."""
        told = [(self.keys_of(pair), oldest) for pair, oldest in _details_of_pairs(contacts, heard)]
        linked = [(self.keys_of(link.a, link.b), link) for link in links]
        grown = True
        while grown:
            grown = max(self._grow(reach, told, linked) for reach in self.reaches)

    def _grow(
        self, reach: Reach, told: list[tuple[set[str], Instant]], linked: list[tuple[set[str], HandLink]]
    ) -> bool:
        before = len(reach.keys)
        for keys, oldest in told:
            if oldest <= reach.at:
                self._pass(reach, self._carried(keys, reach.at))
        for keys, link in linked:
            if link.held_at(reach.at):
                unshared = self._unshared if link.kind == "edit" else self._carried
                self._pass(reach, unshared(keys, reach.at))
        for other in self.reaches:
            if other.at <= reach.at:
                self._pass(reach, self._carried(other.keys, reach.at))
            if other.keys & reach.keys:
                for (org, key), since in other.spam.items():
                    if key in reach.keys:
                        reach.remember(org, key, since)
        return len(reach.keys) != before

    def _pass(self, reach: Reach, keys: set[str]) -> None:
        if not keys <= reach.keys and keys & reach.keys:
            reach.keys |= keys


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
    elif all(pair):
        heard.oldest = said.oldest
    return kept, heard


def keep_heard(heard: Heard, pair: Pair, marks: Marks) -> Heard:
    """Return what a hashed pair's marks let through; an erased email is not kept in clear whatever it stands under."""
    entries = heard.entries
    if any(key.email.startswith(CLEAR) for key in entries):
        entries = {_sealed(key, marks): atoms for key, atoms in entries.items()}
    if marks.on(pair):
        entries = _kept_entries(entries, pair, marks, hashed=True)
    return Heard(entries=entries, oldest=heard.oldest)


def _sealed(key: EntryKey, marks: Marks) -> EntryKey:
    email = (key.email.removeprefix(CLEAR), "")
    if not key.email.startswith(CLEAR) or not marks.is_marked(email):
        return key
    return key._replace(email=marks.hashed(email)[0])


def _kept_entries(entries: Entries, pair: Pair, marks: Marks, *, hashed: bool) -> Entries:
    kept: Entries = {}
    for key, atoms in entries.items():
        removing = [reach for reach in marks.on(pair) if key.at <= reach.at and not _spares(reach, key, pair, marks)]
        if key.kind == ConsentKind.SPAM:
            for reach in removing:
                for mark_key in marks.keys_of(pair):
                    reach.remember(key.org, mark_key, key.at)
        if not removing:
            email = key.email if hashed or not key.email else marks.hashed((key.email, ""))[0]
            kept[key._replace(email=email)] = atoms
    return kept


def _spares(reach: Reach, key: EntryKey, pair: Pair, marks: Marks) -> bool:
    """A stop that names only an email that was shared at the mark's time waits for whoever has that email."""
    return key.kind in STOPS and marks.was_shared(pair, reach.at)


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


def _details_of_pairs(contacts: dict[Pair, Said], heard: dict[Pair, Heard]) -> Iterator[tuple[Pair, Instant]]:
    for pair, said in contacts.items():
        if all(pair) and said.oldest is not None:
            yield pair, said.oldest
    for pair, kept in heard.items():
        if all(pair) and kept.oldest is not None:
            yield pair, kept.oldest
