"""What follows from what is kept: people, their details, actions, entries and subscriptions (rules 2 to 4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from msgspec import Struct, field

from sync.rules.actions import Told, larger_pair
from sync.rules.consent import ActionView, Entry, ShownKey, Subscribed, counts, subscribed
from sync.rules.contacts import Atom, Entries, EntryKey, Said
from sync.rules.details import Shown, shown
from sync.rules.erasure import CLEAR, HASHED
from sync.rules.identity import Components, Pair
from sync.rules.kept import Kept
from sync.terms import ADDRESS_STOPS, STOPS, ConsentKind, Instant, Source

Node = tuple[str, str]

#: Kinds of entries that tell how an email is.
_EMAIL_KINDS = frozenset({ConsentKind.DOUBLE_OPT_IN, *STOPS})


class Person(Struct, eq=False):
    """A supporter as it follows from what is kept.

    `pairs` are contacts that messages gave, `attached` those that only edits speak of; `edited` is what an edit says
    that was given by a shared email which somebody else has alone.
    """

    pairs: list[Pair] = []
    attached: list[Pair] = []
    edited: list[Said] = []
    emails: set[str] = set()
    refs: set[str] = set()
    entries: dict[ShownKey, Entry] = {}
    actions: list[int] = []
    details: Shown = field(default_factory=Shown)
    email_status: tuple[str, Instant] | None = None
    subscriptions: dict[int, Subscribed] = {}
    language: str | None = None
    first_action_at: Instant | None = None
    last_action_at: Instant | None = None
    action_count: int = 0

    def add(self, key: ShownKey, entry: Entry) -> None:
        """Add an entry, or what repeats one. One that names a foreign address yields to one that names none."""
        known = self.entries.get(key)
        if known is None:
            self.entries[key] = entry
        else:
            known.atoms |= entry.atoms
            known.foreign &= entry.foreign


class People:
    """The people of what is kept, and who has which contact."""

    def __init__(self, kept: Kept, policy: Callable[[int], str]) -> None:
        self._kept = kept
        self._policy = policy
        self._nodes: Components[Node] = Components()
        self._by_root: dict[Node, Person] = {}
        self._holders: dict[str, list[Person]] = defaultdict(list)
        self.person_of: dict[Pair, Person] = {}
        #: Who has a key of entries that are kept under hashes, or shows one.
        self.shown_by: dict[Pair, list[Person]] = {}
        self._taken = {pair[0] for pair, _ in self._alive() if all(pair)}
        self._connect()
        self._gather()
        self._attach()
        self._give_entries()
        self._give_actions()
        refused = self._refusals()
        for person in self.all():
            self._derive(person, refused)

    def all(self) -> list[Person]:
        """Return everybody."""
        return list(self._by_root.values())

    # Who is who.

    def _alive(self) -> Iterator[tuple[Pair, Said]]:
        return ((pair, said) for pair, said in self._kept.contacts.items() if said.is_alive())

    def _nodes_of(self, pair: Pair) -> list[Node]:
        email, ref = pair
        nodes = [("r", ref)] if ref else []
        if email and not self._kept.is_shared(email):
            nodes.append(("e", email))
        return nodes or [("s", email)]

    def _connect(self) -> None:
        for pair, _ in self._alive():
            self._nodes.join(self._nodes_of(pair))
        for link in self._kept.links.values():
            if not link.holds():
                continue
            if link.kind == "edit":
                nodes = [*self._nodes_of(link.a), *self._nodes_of(link.b)]
                if all(kind != "s" for kind, _ in nodes):
                    self._nodes.join(nodes)
            elif self._exists(link.a) and self._exists(link.b):
                self._nodes.join([*self._nodes_of(link.a), *self._nodes_of(link.b)])

    def _exists(self, pair: Pair) -> bool:
        """Tell whether a contact is somebody's: messages gave it, and it is no shared email that others have."""
        said = self._kept.contacts.get(pair)
        return said is not None and said.is_alive() and not self._is_nobody(pair)

    def _is_nobody(self, pair: Pair) -> bool:
        return pair[0] in self._taken and not pair[1] and self._kept.is_shared(pair[0])

    def _gather(self) -> None:
        for pair, _ in self._alive():
            if self._is_nobody(pair):
                continue
            person = self._by_root.setdefault(self._nodes.find(self._nodes_of(pair)[0]), Person())
            person.pairs.append(pair)
            self.person_of[pair] = person
            if pair[0]:
                person.emails.add(pair[0])
            if pair[1]:
                person.refs.add(pair[1])
        for link in self._kept.links.values():
            self._gather_edited(link.kind, link.a, link.b)
        for person in self._by_root.values():
            if len(person.pairs) > 1:
                person.pairs.sort(key=larger_pair)
            for email in person.emails:
                self._holders[email].append(person)

    def _gather_edited(self, kind: str, a: Pair, b: Pair) -> None:
        if kind != "edit":
            return
        for pair in (a, b):
            person = self._find(self._nodes_of(pair)[0])
            if person is not None:
                person.emails.update(filter(None, pair[:1]))
                person.refs.update(filter(None, pair[1:]))

    def _find(self, node: Node) -> Person | None:
        return self._by_root.get(self._nodes.find(node))

    def _attach(self) -> None:
        """Contacts that only edits speak of belong to whoever has their key; a shared email's to all who have it."""
        for pair, said in self._kept.contacts.items():
            node = self._nodes_of(pair)[0]
            if node[0] == "s":
                edits = said.edits()
                for person in self._holders.get(pair[0], ()):
                    if person is not self.person_of.get(pair):
                        person.edited.append(edits)
            elif said.is_alive():
                continue
            elif (owner := self._find(node)) is not None:
                owner.attached.append(pair)
                self.person_of[pair] = owner

    # What is whose.

    def _give_entries(self) -> None:
        for pair, said in self._alive():
            if said.entries:
                self._give_said(pair, said.entries)
        if self._kept.heard:
            by_hash = self._by_hash()
            for pair, heard in self._kept.heard.items():
                self.shown_by[pair] = self._with_a_key_of(pair, by_hash)
                self._give_heard(pair, heard.entries, by_hash)

    def _give_said(self, pair: Pair, entries: Entries) -> None:
        owner = self.person_of.get(pair)
        is_shared = self._kept.is_shared(pair[0])
        for key, atoms in entries.items():
            people = [owner] if owner is not None else []
            if is_shared and (key.kind in ADDRESS_STOPS or (not pair[1] and key.kind in STOPS)):
                people = list(dict.fromkeys([*people, *self._holders[pair[0]]]))
            shown_key = ShownKey(*key)
            for person in people:
                person.add(shown_key, Entry(shown_key, atoms))

    def _by_hash(self) -> dict[str, list[Person]]:
        found: dict[str, list[Person]] = defaultdict(list)
        for person in self.all():
            for ref in person.refs:
                found[self._kept.hash_key("r", ref)].append(person)
            for email in person.emails:
                found[self._kept.hash_key("e", email)].append(person)
        return found

    def _give_heard(self, pair: Pair, entries: Entries, by_hash: dict[str, list[Person]]) -> None:
        email, ref = (key.removeprefix(HASHED) for key in pair)
        for key, atoms in entries.items():
            people = list(by_hash.get(ref, ())) if ref else []
            if not people and email:
                people = self._by_email(email, key, atoms, by_hash.get(email, []))
            if key.kind in ADDRESS_STOPS:
                people = list(dict.fromkeys([*people, *self._sharing(key.email, by_hash)]))
            for person in people:
                self._show_heard(person, key, atoms)
            self.shown_by[pair] = list(dict.fromkeys([*self.shown_by[pair], *people]))

    def _with_a_key_of(self, pair: Pair, by_hash: dict[str, list[Person]]) -> list[Person]:
        """Everybody who has a key of a hashed pair; those with a shared email are found by the email itself."""
        email, ref = (key.removeprefix(HASHED) for key in pair)
        shared = self._kept.shared.get(email)
        by_email = by_hash.get(email, []) if shared is None or not shared.now() else []
        return list(dict.fromkeys([*by_hash.get(ref, []), *by_email]))

    def _sharing(self, email: str, by_hash: dict[str, list[Person]]) -> list[Person]:
        """Everybody who has the email that an entry names, where it is a shared one: a mailbox bounces for all."""
        email_hash = self._kept.hash_key("e", email.removeprefix(CLEAR)) if email.startswith(CLEAR) else email
        shared = self._kept.shared.get(email_hash)
        return by_hash.get(email_hash, []) if shared is not None and shared.now() else []

    def _by_email(self, email: str, key: EntryKey, atoms: frozenset[Atom], people: list[Person]) -> list[Person]:
        """Of those who have an email, return whom an entry speaks of that has no other key of theirs."""
        shared = self._kept.shared.get(email)
        if shared is None or not shared.now() or key.kind in STOPS or any(one.source != Source.PROCA for one in atoms):
            return people
        return [person for person in people if any(self._is_alone(pair, email) for pair in person.pairs)]

    def _is_alone(self, pair: Pair, email_hash: str) -> bool:
        """Whether a contact is nothing but this email; the clear form may be erased from what was said of it."""
        return not pair[1] and self._kept.hash_key("e", pair[0]) == email_hash

    def _show_heard(self, person: Person, key: EntryKey, atoms: frozenset[Atom]) -> None:
        if key.email.startswith(CLEAR):
            email = key.email.removeprefix(CLEAR)
        else:
            email = next((one for one in person.emails if self._kept.hash_key("e", one) == key.email), "")
        shown_key = ShownKey(key.org, key.kind, key.at, email)
        person.add(shown_key, Entry(shown_key, atoms, foreign=bool(key.email) and not email))

    def _give_actions(self) -> None:
        for action_id, told in self._kept.actions.items():
            person = self.owner_of(told)
            if person is not None:
                person.actions.append(action_id)

    def owner_of(self, told: Told) -> Person | None:
        """Return whom an action belongs to."""
        return self.person_of.get(told.pair) if told.pair is not None and not told.erased else None

    def _refusals(self) -> set[tuple[int, int]]:
        """Return (action, org) of every `opt_out`: where one message said no, another's yes is no entry."""
        refused: set[tuple[int, int]] = set()
        said = [one.entries for one in self._kept.contacts.values()]
        heard = [one.entries for one in self._kept.heard.values()]
        for entries in (*said, *heard):
            for key, atoms in entries.items():
                if key.kind == ConsentKind.OPT_OUT:
                    refused.update((atom.action_id, key.org) for atom in atoms if atom.action_id)
        return refused

    # What shows of a person.

    def _derive(self, person: Person, refused: set[tuple[int, int]]) -> None:
        kept = self._kept
        said = [*(kept.contacts[pair] for pair in (*person.pairs, *person.attached)), *person.edited]
        person.details = shown(said)
        if person.details.email:
            person.emails.add(person.details.email)
        counting = (
            sorted(
                (told.fields["created_at"], action_id, told)
                for action_id in person.actions
                if (told := kept.actions[action_id]).counts
            )
            if person.actions
            else []
        )
        if counting:
            person.action_count = len(counting)
            person.first_action_at, person.last_action_at = counting[0][0], counting[-1][0]
            person.language = self._language([told for _, _, told in counting])
        self._refuse(person, refused)
        self._judge(person, [told for _, _, told in counting])
        person.email_status = self._email_status(person)
        self._subscribe(person)

    def _language(self, told: list[Told]) -> str | None:
        for one in reversed(told):
            page = self._kept.places.get(("page", one.fields.get("action_page") or 0))
            if page and (locale := page.get("locale")):
                value: str = locale[4]
                return value
        return None

    def _refuse(self, person: Person, refused: set[tuple[int, int]]) -> None:
        if not refused:
            return
        for key, entry in list(person.entries.items()):
            if entry.key.kind != ConsentKind.OPT_IN:
                continue
            atoms = frozenset(
                atom for atom in entry.atoms if not atom.action_id or (atom.action_id, entry.key.org) not in refused
            )
            if not atoms:
                del person.entries[key]
            entry.atoms = atoms

    def _judge(self, person: Person, told: list[Told]) -> None:
        views: list[ActionView] | None = None
        for entry in person.entries.values():
            if entry.key.kind == ConsentKind.DOUBLE_OPT_IN:
                if views is None:
                    views = [ActionView(one.fields["created_at"], one.fields.get("org"), one.readers) for one in told]
                entry.counts = counts(entry, self._owner_of_page, views)

    def _owner_of_page(self, action_id: int) -> tuple[bool, int | None]:
        told = self._kept.actions.get(action_id)
        return (False, None) if told is None else (True, told.fields.get("org"))

    def _email_status(self, person: Person) -> tuple[str, Instant] | None:
        email = person.details.email
        named = [
            entry
            for entry in person.entries.values()
            if entry.key.kind in _EMAIL_KINDS and entry.key.email and entry.key.email == email
        ]
        if not named:
            return None
        newest = max(named, key=lambda entry: entry.order)
        return newest.key.kind, newest.key.at

    def _keys_of(self, person: Person) -> list[Pair]:
        """Every key of a person: also those that only an edit gave, and of which nothing else may be left."""
        return [*person.attached, *((email, "") for email in person.emails), *(("", ref) for ref in person.refs)]

    def _subscribe(self, person: Person) -> None:
        by_org: dict[int, list[Entry]] = {org: [] for pair in person.pairs for org in self._kept.contacts[pair].orgs}
        for entry in person.entries.values():
            by_org.setdefault(entry.key.org, []).append(entry)
        everywhere = by_org.pop(0, [])
        spam = self._kept.marks.spam_of(self._keys_of(person)) if self._kept.marks else ()
        given = person.details.email if person.details.email_was_given else None
        for org, entries in by_org.items():
            complaints = [(one, at) for one, at in spam if one in (0, org)]
            person.subscriptions[org] = subscribed([*entries, *everywhere], self._policy(org), given, complaints)
