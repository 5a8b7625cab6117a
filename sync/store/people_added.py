"""What people and CRMs added, as far as it touches the keys of a batch: links, marks, shared emails, waiting entries.

Most databases hold little of it, so one look tells whether there is anything to read at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

import msgspec

from sync.models import Erasure, Link, Mark, SharedEmail, WaitingEntries, bulk
from sync.models.bulk import among, listed, naming, select
from sync.rules.contacts import dump_entries, load_entries
from sync.rules.erasure import CLEAR, HASHED, HandLink, Heard, Reach
from sync.rules.identity import Pair, keys_in, pair_text, text_pair
from sync.rules.kept import Kept, LinkKey, Shared
from sync.rules.newest import canonical
from sync.store.hashes import Hashes
from sync.terms import ConsentKind, Instant

_ANYTHING = (
    "SELECT EXISTS (SELECT 1 FROM sync_link), EXISTS (SELECT 1 FROM sync_mark),"
    " EXISTS (SELECT 1 FROM sync_waitingentries), EXISTS (SELECT 1 FROM sync_sharedemail)"
)
_LINK = "SELECT id, kind, a, b, CAST(history AS text), marked FROM sync_link WHERE "
_WAITING = (
    "SELECT id, email_hash, ref_hash, CAST(entries AS text), oldest, CAST(supporters AS text)"
    " FROM sync_waitingentries WHERE "
)
_SHARED = "SELECT id, email_hash, email, CAST(history AS text) FROM sync_sharedemail WHERE "
_WAITING_COLUMNS = ("entries", "oldest", "supporters", "names_email")
_decode = msgspec.json.Decoder().decode


class PeopleAdded:
    """Reads into what is kept, and writes what became of it."""

    def __init__(self, kept: Kept, hashes: Hashes, *, marking: bool, sharing: Set[str]) -> None:
        """`marking`: whether the batch holds erasures; `sharing`: emails that it says are shared, or are not."""
        self.kept, self.hashes, self._marking, self._sharing = kept, hashes, marking, sharing
        #: Supporters who have a key of the waiting entries that were read, or show one.
        self.spoken_of: set[int] = set()
        #: Whether a mark has reached a key that it was not on before, once it is written.
        self.reached_more = False
        self._has_links, self._has_marks, self._has_waiting, self._has_shared = map(bool, select(_ANYTHING)[0])
        self._links: dict[LinkKey, tuple[int, str, bool]] = {}
        self._merges: list[tuple[bulk.Row, set[tuple[str, str]]]] | None = None
        self._heard: dict[Pair, tuple[int, str]] = {}
        self._shared: dict[str, tuple[int, str]] = {}
        self._erasures: dict[int, Reach] = {}
        self._erasure_ids: dict[Reach, int] = {}
        self._marked: dict[int, set[str]] = {}
        self._seen_hashes: set[str] = set()
        self._sought_by_hash: set[str] = set()
        self._seen_named: set[str] = set()

    def read(self, pairs: set[Pair]) -> set[Pair]:
        """Read what touches these pairs; return further pairs that it leads to."""
        more: set[Pair] = set()
        if self._has_links:
            more |= self._read_links(pairs)
        if self._has_marks or self._has_waiting or self._has_shared:
            more |= self._read_hashed(pairs)
        if self._has_waiting and (self._marking or self.kept.marks or self._has_shared or self._sharing):
            more |= self._read_naming({email for email, _ in pairs if email and not email.startswith(HASHED)})
        if self._has_links and (self._marking or self.kept.marks):
            more |= self._read_merges_naming(pairs)
        return more

    def _read_naming(self, emails: set[str]) -> set[Pair]:
        """Read entries that name one of these emails though they stand under another key.

        An erased email is not kept in clear there either; a stop of a shared one speaks of all who have it.
        """
        emails -= self._seen_named
        if not (self._marking or self.kept.marks):
            emails = {email for email in emails if email in self._sharing or self.kept.is_shared(email)}
        self._seen_named |= emails
        if not emails:
            return set()
        needles = listed(canonical(text) for one in emails for text in (CLEAR + one, self.hashes.of("e", one)))
        # Few entries name another email than the key they were given by, so that their text can be searched.
        return self._keep_waiting(select(_WAITING + "names_email AND " + naming("entries"), [needles]))

    def named_actions(self) -> set[int]:
        """Return the actions that waiting confirmations name: whether these count depends on them."""
        return {
            atom.action_id
            for heard in self.kept.heard.values()
            for key, atoms in heard.entries.items()
            if key.kind == ConsentKind.DOUBLE_OPT_IN
            for atom in atoms
            if atom.action_id
        }

    def _read_links(self, pairs: set[Pair]) -> set[Pair]:
        texts = listed({pair_text(pair) for pair in pairs} | {pair_text(one) for one in _single(pairs)})
        return self._keep_links(select(f"{_LINK}{among('a')} OR {among('b')}", [texts, texts]))

    def _read_merges_naming(self, pairs: set[Pair]) -> set[Pair]:
        """Read merges that have a key of these in a pair which no message gave: a mark passes over them too.

        People make few merges, so that all are looked through, once a batch.
        """
        if self._merges is None:
            rows = select(_LINK + "kind = 'hand'")
            self._merges = [(row, set(keys_in(map(text_pair, row[2:4])))) for row in rows]
        keys = set(keys_in(pairs))
        return self._keep_links([row for row, its_keys in self._merges if its_keys & keys])

    def _keep_links(self, rows: list[bulk.Row]) -> set[Pair]:
        more: set[Pair] = set()
        for link_id, kind, a, b, history, marked in rows:
            link = HandLink(kind, text_pair(a), text_pair(b), [(at, what) for at, what in _decode(history)])
            key = (kind, link.a, link.b)
            if key not in self._links:
                self._links[key] = (link_id, canonical(link.history), bool(marked))
                self.kept.links[key] = link
                more |= {link.a, link.b}
        return more

    def _read_hashed(self, pairs: set[Pair]) -> set[Pair]:
        in_clear = self.hashes.look_up(_clear(pairs))
        # Whatever has a key that is known in clear is read by the key itself.
        self._sought_by_hash |= in_clear
        hashes = in_clear | _hashes_of(pairs)
        more: set[Pair] = set()
        while new := hashes - self._seen_hashes:
            self._seen_hashes |= new
            wanted = listed(new)
            if self._has_shared:
                self._read_shared(wanted)
            waiting = self._read_waiting(wanted) if self._has_waiting else set()
            marked = self._read_marks(wanted) if self._has_marks else set()
            hashes = marked | _hashes_of(waiting)
            more |= waiting
            if alone := (new | hashes) - self._sought_by_hash:
                self._sought_by_hash |= alone
                more |= self._contacts_known_as(alone)
                more |= self._links_known_as(alone) if self._has_links else set()
                # What names a marked email is under its hash already.
                more |= self._entries_known_as(alone - marked)
        return more

    def _read_shared(self, wanted: object) -> None:
        for row_id, email_hash, email, history in select(_SHARED + among("email_hash"), [wanted]):
            self._shared[email_hash] = (row_id, canonical(_decode(history)))
            self.kept.shared[email_hash] = Shared(email, [(at, bool(shared)) for at, shared in _decode(history)])

    def _read_waiting(self, wanted: object) -> set[Pair]:
        sql = f"{_WAITING}{among('email_hash')} OR (ref_hash <> '' AND {among('ref_hash')})"
        return self._keep_waiting(select(sql, [wanted, wanted]))

    def _keep_waiting(self, rows: list[bulk.Row]) -> set[Pair]:
        more: set[Pair] = set()
        for row_id, email_hash, ref_hash, entries, oldest, supporters in rows:
            pair = (HASHED + email_hash if email_hash else "", HASHED + ref_hash if ref_hash else "")
            if pair in self._heard:
                continue
            heard = Heard(load_entries(_decode(entries)), oldest)
            shown_by = _decode(supporters)
            self.spoken_of.update(shown_by)
            self._heard[pair] = (row_id, _dump_heard(heard, shown_by))
            self.kept.heard[pair] = heard
            more.add(pair)
            more |= {(key.email[1:], "") for key in heard.entries if key.email[:1] == CLEAR}
        return more

    def _read_marks(self, wanted: object) -> set[str]:
        """Read the erasures on these hashes, and return all hashes that those have reached."""
        found = [
            row[0] for row in select(f"SELECT DISTINCT erasure_id FROM sync_mark WHERE {among('key_hash')}", [wanted])
        ]
        new = [erasure_id for erasure_id in found if erasure_id not in self._erasures]
        if not new:
            return set()
        for erasure_id, at, spam in select(
            f"SELECT id, at, CAST(spam AS text) FROM sync_erasure WHERE {among('id', 'bigint')}",
            [listed(new)],
        ):
            reach = Reach(at, set(), {(org, key): since for org, key, since in _decode(spam)})
            self._erasures[erasure_id], self._erasure_ids[reach] = reach, erasure_id
            self.kept.marks.reaches.append(reach)
        hashes: set[str] = set()
        for erasure_id, key_hash in select(
            f"SELECT erasure_id, key_hash FROM sync_mark WHERE {among('erasure_id', 'bigint')}", [listed(new)]
        ):
            self._erasures[erasure_id].keys.add(key_hash)
            hashes.add(key_hash)
        for erasure_id in new:
            self._marked[erasure_id] = set(self._erasures[erasure_id].keys)
        return hashes

    def _contacts_known_as(self, hashes: set[str]) -> set[Pair]:
        """Return contacts with a key of these hashes: somebody made again, known here by the hash alone."""
        pairs = [(email, ref) for email, ref in select("SELECT email, ref FROM sync_contact WHERE marked")]
        self.hashes.look_up(pairs)
        return {pair for pair in pairs if self.kept.marks.keys_of(pair) & hashes}

    def _links_known_as(self, hashes: set[str]) -> set[Pair]:
        """Read the links with a key of these hashes; return the pairs that they lead to."""
        rows = select(_LINK + "marked")
        pairs = {row[0]: [text_pair(text) for text in row[2:4]] for row in rows}
        self.hashes.look_up(pair for both in pairs.values() for pair in both)
        return self._keep_links([row for row in rows if self.kept.marks.keys_of(*pairs[row[0]]) & hashes])

    def _entries_known_as(self, hashes: set[str]) -> set[Pair]:
        """Read entries that name, in clear, an email of these hashes though they stand under another key."""
        if not hashes:
            return set()
        rows = select(_WAITING + "names_email")
        named = {
            row[0]: [(key.email[1:], "") for key in load_entries(_decode(row[3])) if key.email[:1] == CLEAR]
            for row in rows
        }
        self.hashes.look_up(pair for pairs in named.values() for pair in pairs)
        return self._keep_waiting([row for row in rows if self.kept.marks.keys_of(*named[row[0]]) & hashes])

    # Writing what became of it.

    def write(self, at: Instant, shown_by: Mapping[Pair, list[int]]) -> None:
        """Write links, shared emails, marks and waiting entries that are not as they were read.

        `shown_by` tells which supporters have a key of waiting entries, or show one: they are read with these the next
        time, since nothing leads from a hash to a key.
        """
        self._write_links()
        hashed = (self._write_shared(), self._write_marks(), self._write_waiting(shown_by))
        if any(hashed):
            self.hashes.remember(at)

    def _write_links(self) -> None:
        new, changed = [], []
        hashes = self._passing_hashes() if self.kept.links else set()
        for key, link in self.kept.links.items():
            row_id, *before = self._links.get(key, (0, "", False))
            after = [canonical(link.history), bool(self.kept.marks.keys_of(link.a, link.b) & hashes)]
            if not row_id:
                new.append((link.kind, pair_text(link.a), pair_text(link.b), *after))
            elif after != before:
                changed.append((*after, row_id))
        bulk.insert(Link, ("kind", "a", "b", "history", "marked"), new)
        bulk.update(Link, ("history", "marked"), changed)
        bulk.delete(Link, [row_id for key, (row_id, *_) in self._links.items() if key not in self.kept.links])

    def _passing_hashes(self) -> set[str]:
        """Return the hashes that marks are on, or can reach by what an event left of a pair."""
        hashes = {key for reach in self.kept.marks.reaches for key in reach.keys}
        passing = [pair for pair, heard in self.kept.heard.items() if heard.oldest is not None]
        return hashes | self.kept.marks.keys_of(*passing)

    def _write_shared(self) -> bool:
        new, changed = [], []
        for email_hash, shared in self.kept.shared.items():
            row_id, before = self._shared.get(email_hash, (0, ""))
            after = canonical(shared.history)
            if not row_id:
                new.append((email_hash, shared.email, after))
            elif after != before:
                changed.append((after, row_id))
        bulk.insert(SharedEmail, ("email_hash", "email", "history"), new)
        bulk.update(SharedEmail, ("history",), changed)
        return bool(new)

    def _write_marks(self) -> bool:
        new = [reach for reach in self.kept.marks.reaches if reach not in self._erasure_ids]
        for reach, erasure_id in zip(new, bulk.draw(Erasure, len(new)), strict=True):
            self._erasure_ids[reach] = erasure_id
        bulk.insert(Erasure, ("id", "at", "spam"), [(self._erasure_ids[one], one.at, _dump_spam(one)) for one in new])
        lasting = [reach for reach in self.kept.marks.reaches if reach not in new]
        bulk.update(Erasure, ("spam",), [(_dump_spam(one), self._erasure_ids[one]) for one in lasting])
        keys = [
            (key, erasure_id)
            for reach in self.kept.marks.reaches
            for erasure_id in [self._erasure_ids[reach]]
            for key in sorted(reach.keys - self._marked.get(erasure_id, set()))
        ]
        bulk.insert(Mark, ("key_hash", "erasure_id"), keys)
        self.reached_more = bool(keys)
        self._forget(set(self._erasures) - {self._erasure_ids[one] for one in self.kept.marks.reaches})
        return bool(keys)

    def _forget(self, swallowed: set[int]) -> None:
        """Delete erasures that a repeated mark has taken in."""
        if swallowed:
            bulk.execute(f"DELETE FROM sync_mark WHERE {among('erasure_id', 'bigint')}", [listed(swallowed)])
            bulk.delete(Erasure, swallowed)

    def _write_waiting(self, shown_by: Mapping[Pair, list[int]]) -> bool:
        new, changed, gone = [], [], []
        for pair, heard in self.kept.heard.items():
            row_id, before = self._heard.get(pair, (0, ""))
            supporters = shown_by.get(pair, [])
            empty = not heard.entries and heard.oldest is None
            columns = (
                canonical(dump_entries(heard.entries)),
                heard.oldest,
                canonical(supporters),
                _names_another(pair, heard),
            )
            if row_id and empty:
                gone.append(row_id)
            elif row_id and _dump_heard(heard, supporters) != before:
                changed.append((*columns, row_id))
            elif not row_id and not empty:
                new.append((pair[0].removeprefix(HASHED), pair[1].removeprefix(HASHED), *columns))
        bulk.insert(WaitingEntries, ("email_hash", "ref_hash", *_WAITING_COLUMNS), new)
        bulk.update(WaitingEntries, _WAITING_COLUMNS, changed)
        bulk.delete(WaitingEntries, gone)
        return bool(new)


def _single(pairs: Iterable[Pair]) -> set[Pair]:
    """The pairs with one key each that an edit or a report stands under."""
    return {(email, "") for email, _ in pairs if email} | {("", ref) for _, ref in pairs if ref}


def _clear(pairs: Iterable[Pair]) -> list[Pair]:
    return [pair for pair in pairs if not (pair[0].startswith(HASHED) or pair[1].startswith(HASHED))]


def _hashes_of(pairs: Iterable[Pair]) -> set[str]:
    """The keys of these pairs that are known as hashes only."""
    return {key.removeprefix(HASHED) for pair in pairs for key in pair if key.startswith(HASHED)}


def _names_another(pair: Pair, heard: Heard) -> bool:
    """Whether an entry names an email, in clear or as a hash, that is not the one it stands under."""
    return any(key.email and HASHED + key.email != pair[0] for key in heard.entries)


def _dump_heard(heard: Heard, supporters: list[int]) -> str:
    return canonical([dump_entries(heard.entries), heard.oldest, supporters])


def _dump_spam(reach: Reach) -> str:
    return canonical(sorted([org, key, since] for (org, key), since in reach.spam.items()))
