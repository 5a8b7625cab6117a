"""Rule 2: who is the same person, by brute force over keys and what links them."""

from collections import defaultdict
from dataclasses import dataclass, field

from .items import Edit, Link
from .words import canonical


@dataclass
class Supporter:
    """A component with at least one contact that a message gave."""

    emails: set = field(default_factory=set)
    refs: set = field(default_factory=set)
    contacts: set = field(default_factory=set)

    def __hash__(self):
        return id(self)

    def __eq__(self, other):
        return self is other

    @property
    def keys(self) -> frozenset:
        return frozenset({("email", e) for e in self.emails} | {("ref", r) for r in self.refs})

    def sorted_contacts(self) -> list:
        return sorted((list(contact) for contact in self.contacts), key=canonical)


class Identity:
    """Components of keys. A shared email is no node: it is held by the nodes that have it.

    Nodes: ("email", e) of an email that is not shared, ("ref", r), and ("solo", s) for the one
    supporter of the messages that name only the shared email s.
    """

    def __init__(self, contacts: set, edits: list[Edit], links: list[Link], shared: set):
        self.contacts, self.shared = contacts, shared
        self.neighbours: dict[tuple, set] = defaultdict(set)
        self.holders: dict[str, set] = defaultdict(set)
        self.solos: set = set()
        for email, ref in contacts:
            self.read_contact(email, ref)
        for link in links:
            self.read_link(link)
        self.read_edits(edits)
        for email in sorted(s for s in shared if (s, None) in contacts):
            if not self.holders[email]:
                self.make_solo(email, links, edits)
        self.supporters = self.found()

    def join(self, one, other) -> None:
        self.neighbours[one].add(other)
        self.neighbours[other].add(one)

    def read_contact(self, email, ref) -> None:
        if ref is not None:
            self.add_email(("ref", ref), email)
        elif email is not None and email not in self.shared:
            self.join(("email", email), ("email", email))

    def add_email(self, node, email) -> None:
        """Node has this email: an equal email key links, a shared one only is held."""
        self.join(node, node)
        if email in self.shared:
            self.holders[email].add(node)
        elif email is not None:
            self.join(node, ("email", email))

    def read_link(self, link: Link) -> None:
        """A merge by hand links two contacts, as far as they are (still) there."""
        if link.pair <= self.contacts:
            one, other = (self.node_of(contact) for contact in link.pair)
            if one and other:
                self.join(one, other)

    def node_of(self, contact) -> tuple | None:
        """The node that speaks for a contact; None for a shared email's without a supporter."""
        email, ref = contact
        if ref is not None:
            return ("ref", ref)
        if email is None:
            return None
        if email in self.shared:
            return ("solo", email) if email in self.solos else None
        return ("email", email)

    def read_edits(self, edits: list[Edit]) -> None:
        """An edit of the email adds a key to whoever it speaks of, until nobody gets a new one."""
        while True:
            before = self.size()
            for edit in edits:
                if edit.email:
                    for node in self.spoken_of(edit.key):
                        self.add_email(node, edit.email)
            if self.size() == before:
                return

    def size(self) -> int:
        return sum(map(len, self.neighbours.values())) + sum(map(len, self.holders.values()))

    def spoken_of(self, key) -> set:
        """The nodes that an edit given by this key is about."""
        sort, value = key
        if sort == "email" and value in self.shared:
            return set(self.holders[value])
        return {key}

    def make_solo(self, email, links, edits) -> None:
        """Nobody else has the shared email: its own messages make one supporter."""
        self.solos.add(email)
        self.add_email(("solo", email), email)
        for link in links:
            self.read_link(link)
        self.read_edits(edits)

    def found(self) -> list[Supporter]:
        by_node: dict = {}
        for node in list(self.neighbours):
            if node not in by_node:
                self.fill(Supporter(), node, by_node)
        for email, nodes in self.holders.items():
            for node in nodes:
                by_node[node].emails.add(email)
        for contact in self.contacts:
            speaker = self.node_of(contact)
            if speaker:
                by_node[speaker].contacts.add(contact)
        self.by_node = {node: one for node, one in by_node.items() if one.contacts}
        return list(dict.fromkeys(self.by_node.values()))

    def fill(self, supporter: Supporter, node, by_node: dict) -> None:
        by_node[node] = supporter
        sort, value = node
        if sort == "ref":
            supporter.refs.add(value)
        else:
            supporter.emails.add(value)
        for neighbour in self.neighbours[node]:
            if neighbour not in by_node:
                self.fill(supporter, neighbour, by_node)

    def owner(self, contact) -> Supporter | None:
        """The supporter that a message with this contact speaks of."""
        return self.by_node.get(self.node_of(contact))

    def having(self, key) -> list[Supporter]:
        """Everybody who has this key; more than one only for a shared email."""
        sort, value = key
        if sort == "ref":
            return [one for one in self.supporters if value in one.refs]
        return [one for one in self.supporters if value in one.emails]
