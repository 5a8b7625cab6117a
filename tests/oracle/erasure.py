"""Rule 7: how far each mark reaches, and what of the set it removes."""

from dataclasses import dataclass
from datetime import datetime

from .items import Edit, HandEntry, Items, Link
from .reading import Message
from .words import STOPS


def has_ref(keys) -> bool:
    return any(sort == "ref" for sort, _ in keys)


@dataclass
class Reach:
    """A mark with all keys that it reached."""

    at: datetime
    shared: set
    keys: frozenset = frozenset()

    def carried(self, keys: frozenset) -> frozenset:
        """An email shared at T neither carries nor passes the mark where there is a contactRef."""
        if not has_ref(keys):
            return keys
        return self.without_shared(keys)

    def without_shared(self, keys) -> frozenset:
        return frozenset(k for k in keys if not (k[0] == "email" and k[1] in self.shared))

    def touches(self, keys) -> bool:
        return bool(self.carried(frozenset(keys)) & self.keys)

    def is_old(self, moment: datetime | None) -> bool:
        """At or before T, or unknown."""
        return moment is None or moment <= self.at

    def touches_edit(self, edit: Edit) -> bool:
        """By its key, or by an address that it gives and that is not a shared one."""
        given = self.without_shared({("email", edit.email)}) if edit.email else frozenset()
        return self.touches({edit.key}) or bool(given & self.keys)

    def spares_stop(self, keys: frozenset, kind: str) -> bool:
        """A stop that names only an email shared at T waits for whoever has it."""
        return kind in STOPS and not self.without_shared(keys)


class Erasure:
    """All marks of a set, each grown until nothing is added any more."""

    def __init__(self, items: Items):
        self.items = items
        self.reaches = [Reach(mark.at, items.shared_emails(mark.at)) for mark in items.marks]
        for mark, reach in zip(items.marks, self.reaches, strict=True):
            reach.keys = reach.carried(mark.keys)
        while any(self.grows(reach) for reach in self.reaches):
            pass

    def grows(self, reach: Reach) -> bool:
        """Pass the mark on once over everything; true when it reached a new key."""
        before = reach.keys
        for passed in self.passing(reach):
            if passed & reach.keys:
                reach.keys |= passed
        return reach.keys != before

    def passing(self, reach: Reach):
        """Sets of keys that hand the mark on from one to all."""
        for message in self.items.messages:
            if message.kind != "fields" and reach.is_old(message.details_at):
                yield reach.carried(message.keys)
        for edit in self.items.edits:
            if edit.email and reach.is_old(edit.at):
                yield reach.without_shared({edit.key, ("email", edit.email)})
        for link in links_in_force(self.items.links, reach.at):
            yield reach.carried(link.keys)
        for earlier in self.reaches:
            if earlier.at <= reach.at:
                yield reach.carried(earlier.keys)

    def marked(self, keys) -> bool:
        """Whether any mark, however old, has reached one of these keys."""
        return any(reach.touches(keys) for reach in self.reaches)

    def removes_details(self, message: Message) -> bool:
        return any(reach.is_old(message.details_at) and reach.touches(message.keys) for reach in self.reaches)

    def leaves_contact(self, message: Message) -> bool:
        """Whether its keys and details count. Of an event never, when a mark has a key of it."""
        if message.kind == "event":
            return bool(message.keys) and not self.marked(message.keys)
        return bool(message.keys) and not self.removes_details(message)

    def removing_entry(self, keys: frozenset, kind: str, at: datetime) -> list[Reach]:
        """The marks that remove an entry of this kind and time, given by these keys."""
        return [
            reach
            for reach in self.reaches
            if at <= reach.at and reach.touches(keys) and not reach.spares_stop(keys, kind)
        ]

    def removes_edit(self, edit: Edit) -> bool:
        return any(r.is_old(edit.at) and r.touches_edit(edit) for r in self.reaches)

    def removing_hand_entry(self, entry: HandEntry) -> list[Reach]:
        return self.removing_entry(frozenset({entry.key}), entry.kind, entry.at)

    def removes_link(self, link: Link) -> bool:
        return any(r.is_old(link.at) and r.touches(link.keys) for r in self.reaches)

    def edits(self) -> list[Edit]:
        return [edit for edit in self.items.edits if not self.removes_edit(edit)]

    def links(self) -> list[Link]:
        kept = [link for link in self.items.links if not self.removes_link(link)]
        return links_in_force(kept)


def links_in_force(links: list[Link], at: datetime | None = None) -> list[Link]:
    """For each pair the newest of merges and undos counts, the undo at equal time."""
    newest: dict[frozenset, Link] = {}
    for link in links:
        if at is None or link.at <= at:
            known = newest.get(link.pair, link)
            newest[link.pair] = max(known, link, key=lambda one: (one.at, one.undone))
    return [link for link in newest.values() if not link.undone]
