"""All that is kept of what was said: one fold over facts, whatever their order (rule 1).

`Kept` holds what the facts of a batch touch, or everything. Facts are folded in one by one; `settle` then lets erasure
marks pass on and takes out what they remove. Nothing that is shown is computed here (that is `people`).
"""

from __future__ import annotations

from functools import partial

from sync.rules.actions import Told
from sync.rules.contacts import Entries, Said, join_entries
from sync.rules.erasure import CLEAR, HASHED, HandLink, HashKey, Heard, Marks, keep, keep_heard
from sync.rules.facts import Facts, LinkFacts, MarkFacts, PlaceFacts
from sync.rules.identity import Pair
from sync.rules.newest import Given, News, join_given
from sync.terms import Instant

LinkKey = tuple[str, Pair, Pair]


class Shared:
    """What operators said of one email: the newest counts, shared at equal time."""

    __slots__ = ("email", "history")

    def __init__(self, email: str, history: list[tuple[Instant, bool]] | None = None) -> None:
        self.email = email
        self.history = history or []

    def add(self, at: Instant, shared: bool) -> bool:
        """Add a word; tell whether it was new."""
        if (at, shared) in self.history:
            return False
        self.history = sorted([*self.history, (at, shared)])
        return True

    def at(self, at: Instant) -> bool:
        """Tell whether the email was shared at a time."""
        until = [shared for when, shared in self.history if when <= at]
        return bool(until) and until[-1]

    def now(self) -> bool:
        """Tell whether the email is shared."""
        return bool(self.history) and self.history[-1][1]


class Kept:
    """What is kept, and the joins into it."""

    def __init__(self, hash_key: HashKey) -> None:
        self.hash_key = hash_key
        self.contacts: dict[Pair, Said] = {}
        self.heard: dict[Pair, Heard] = {}
        self.actions: dict[int, Told] = {}
        self.places: dict[tuple[str, int], dict[str, Given]] = {}
        self.links: dict[LinkKey, HandLink] = {}
        self.shared: dict[str, Shared] = {}
        # Not a method of this object: in a circle, a batch would not go when its time is over.
        self.marks = Marks(hash_key, partial(_was_shared, self.shared))
        #: What has changed since it was read, for whoever writes it.
        self.touched_contacts: set[Pair] = set()
        self.touched_actions: set[int] = set()
        self.touched_places: set[tuple[str, int]] = set()

    def is_shared(self, email: str) -> bool:
        """Tell whether an email is shared now."""
        if not self.shared or not email:
            return False
        shared = self.shared.get(self.hash_key("e", email))
        return shared is not None and shared.now()

    def hashed(self, pair: Pair) -> Pair:
        """Return a pair as hashes with their leading sign."""
        email, ref = self.marks.hashed(pair)
        return (HASHED + email if email else "", HASHED + ref if ref else "")

    def fold(self, facts: Facts) -> News:
        """Join facts in, and tell what that did."""
        news = max((self._place(place) for place in facts.places), default=News.NOTHING)
        if facts.told is not None and facts.action_id is not None:
            news = max(news, self._action(facts.action_id, facts.told))
        if facts.pair is not None and facts.said is not None:
            news = max(news, self._said(facts.pair, facts.said))
        for pair, said in facts.edits:
            news = max(news, self._said(pair, said))
        for pair, entries in facts.added:
            news = max(news, self._added(pair, entries))
        return max(news, self._by_people(facts))

    def _by_people(self, facts: Facts) -> News:
        changed = False
        for link in facts.links:
            changed |= self._link(link)
        for word in facts.shared:
            key = self.hash_key("e", word.email)
            changed |= self.shared.setdefault(key, Shared(word.email)).add(word.at, word.shared)
        for mark in facts.marks:
            changed |= self._mark(mark)
        return News.CHANGED if changed else News.NOTHING

    def settle(self) -> None:
        """Let marks pass on to all that they reach, and take out what they remove."""
        if not self.marks:
            return
        self.marks.spread(self.contacts, self.heard, self.links.values())
        self._erase_contacts()
        self._erase_actions()
        self._erase_links()

    # One kind of fact after the other.

    def _place(self, place: PlaceFacts) -> News:
        where = (place.table, place.id)
        known = self.places.get(where)
        if known is None:
            self.places[where] = dict(place.fields)
            self.touched_places.add(where)
            return News.CHANGED
        news = join_given(known, place.fields)
        if news:
            self.touched_places.add(where)
        return news

    def _action(self, action_id: int, told: Told) -> News:
        """Join what a message says of an action; one that a known mark removes says less from the start."""
        told = told.copy()
        if self.marks and any(self._is_removed(pair, at) for pair, at in told.voices.items()):
            told.erase()
            told.voices = {self.hashed(pair): at for pair, at in told.voices.items()}
        known = self.actions.get(action_id)
        if known is None:
            self.actions[action_id] = told
            self.touched_actions.add(action_id)
            return News.CHANGED
        news = known.join(told)
        if news:
            self.touched_actions.add(action_id)
        return news

    def _is_removed(self, pair: Pair, at: Instant) -> bool:
        mark = self.marks.newest(pair)
        return mark is not None and at <= mark

    def _said(self, pair: Pair, said: Said) -> News:
        """Join what a message or an edit says of a contact; what a known mark removes does not come in at all."""
        if self.marks and (let_through := keep(said, pair, self.marks)) is not None:
            kept, heard = let_through
            news = self._hear(self.hashed(pair), heard)
            return news if kept.is_blank() else max(news, self._join(pair, kept))
        return self._join(pair, said)

    def _join(self, pair: Pair, said: Said) -> News:
        known = self.contacts.get(pair)
        if known is None:
            self.contacts[pair] = said.copy()
            self.touched_contacts.add(pair)
            return News.CHANGED
        news = known.join(said)
        if news:
            self.touched_contacts.add(pair)
        return news

    def _added(self, pair: Pair, entries: Entries) -> News:
        """Entries that people and CRMs add are kept under hashes from the start: they make nobody."""
        hashed_entries: Entries = {}
        for key, atoms in entries.items():
            email = (
                self.hash_key("e", key.email) if key.email == pair[0] and key.email else key.email and CLEAR + key.email
            )
            hashed_entries[key._replace(email=email)] = atoms
        hashed = self.hashed(pair)
        return self._hear(hashed, keep_heard(Heard(entries=hashed_entries), hashed, self.marks))

    def _hear(self, hashed: Pair, said: Heard) -> News:
        if not said.entries and said.oldest is None:
            return News.NOTHING
        known = self.heard.setdefault(hashed, Heard())
        if said.oldest is not None:
            known.oldest = said.oldest if known.oldest is None else min(known.oldest, said.oldest)
        return join_entries(known.entries, said.entries)

    def _link(self, said: LinkFacts) -> bool:
        a, b = sorted((said.a, said.b))
        link = self.links.setdefault((said.kind, a, b), HandLink(said.kind, a, b))
        if said.kind == "edit":
            self.contacts.setdefault(said.b, Said())
            self.touched_contacts.add(said.b)
        return link.add(said.at, said.what)

    def _mark(self, mark: MarkFacts) -> bool:
        return self.marks.add(mark.at, mark.keys)

    # What marks take out.

    def _erase_contacts(self) -> None:
        for pair in list(self.contacts):
            if (let_through := keep(self.contacts[pair], pair, self.marks)) is None:
                continue
            kept, heard = let_through
            self._hear(self.hashed(pair), heard)
            if kept.is_blank():
                del self.contacts[pair]
            elif kept.is_like(self.contacts[pair]):
                continue
            else:
                self.contacts[pair] = kept
            self.touched_contacts.add(pair)
        for pair in list(self.heard):
            self.heard[pair] = keep_heard(self.heard[pair], pair, self.marks)

    def _erase_actions(self) -> None:
        for action_id, told in self.actions.items():
            removed = any(self._is_removed(pair, at) for pair, at in told.voices.items())
            if not removed and not told.erased:
                continue
            voices: dict[Pair, Instant] = {}
            for pair, at in told.voices.items():
                key = self.hashed(pair) if self.marks.on(pair) else pair
                voices[key] = min(at, voices.get(key, at))
            if not told.erased or voices != told.voices:
                told.erase()
                told.voices = voices
                self.touched_actions.add(action_id)

    def _erase_links(self) -> None:
        for key, link in list(self.links.items()):
            marks = self.marks.on(link.a, link.b)
            if not marks:
                continue
            newest = max(mark.at for mark in marks)
            link.history = [(at, what) for at, what in link.history if at > newest]
            if not link.history:
                del self.links[key]


def _was_shared(words: dict[str, Shared], email_hash: str, at: Instant) -> bool:
    """Tell whether an email, by its hash, was shared at a time."""
    shared = words.get(email_hash)
    return shared is not None and shared.at(at)
