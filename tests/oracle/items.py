"""The items of a set, sorted into what they are, with keys and times read."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from .reading import Message, keys_of, read
from .words import UnreadableError, email_key, is_empty, ref_key, time_of, without_nul


@dataclass(frozen=True)
class Edit:
    """Details by hand. `key` is ("email", …) or ("ref", …); `email` the address it adds."""

    key: tuple
    at: datetime
    values: dict
    email: str | None
    postcode: str | None


@dataclass(frozen=True)
class HandEntry:
    """An entry that people or a CRM added."""

    key: tuple
    org: int | None
    kind: str
    at: datetime
    email: str | None
    source: str
    destination: str
    note: str


@dataclass(frozen=True)
class Mark:
    keys: frozenset
    at: datetime


@dataclass(frozen=True)
class Link:
    """A merge by hand (`undone` false) or its undo, between two contacts."""

    pair: frozenset
    at: datetime
    undone: bool

    @property
    def keys(self) -> frozenset:
        return frozenset(key for contact in self.pair for key in keys_of(contact))


@dataclass(frozen=True)
class Sharing:
    email: str
    at: datetime
    shared: bool


@dataclass(frozen=True)
class Items:
    messages: list[Message]
    edits: list[Edit]
    entries: list[HandEntry]
    marks: list[Mark]
    links: list[Link]
    sharings: list[Sharing]

    def shared_emails(self, at: datetime | None = None) -> set:
        """Emails that are shared (as known at that time): the newest word, shared at equal time."""
        newest: dict[str, tuple] = {}
        for word in self.sharings:
            if at is None or word.at <= at:
                known = newest.get(word.email, (word.at, word.shared))
                newest[word.email] = max(known, (word.at, word.shared))
        return {email for email, (_, shared) in newest.items() if shared}


def key_of(key: dict) -> tuple | None:
    """`{"email": …}` or `{"contact_ref": …}` as a key with its sort."""
    if key.get("email") is not None:
        email = email_key(key["email"])
        return ("email", email) if email else None
    ref = ref_key(key.get("contact_ref"))
    return ("ref", ref) if ref else None


def moment_of(item: dict) -> datetime:
    """What people and CRMs add always has its time."""
    moment = time_of(item["at"])
    if moment is None:
        raise ValueError("an item without a time")
    return moment


def sorted_out(items) -> Items:
    """The set, by kind. A message that cannot be read counts as not received."""
    found = Items([], [], [], [], [], [])
    for item in items:
        SORTERS[item["kind"]](item, found)
    return found


def sort_message(item: dict, found: Items) -> None:
    with suppress(UnreadableError):
        found.messages.append(read(item["body"], item["reader"]))


def sort_edit(item: dict, found: Items) -> None:
    key = key_of(item["key"])
    values = {
        name: None if is_empty(value) else without_nul(value) for name, value in item["set"].items() if name != "email"
    }
    seen = values["postcode"] if "postcode" in values else item.get("postcode_seen")
    if key:
        found.edits.append(
            Edit(
                key,
                moment_of(item),
                values,
                email_key(item["set"].get("email")),
                None if is_empty(seen) else seen,
            )
        )


def sort_entry(item: dict, found: Items) -> None:
    key = key_of(item["key"])
    if key:
        found.entries.append(
            HandEntry(
                key,
                item["org"],
                item["consent"],
                moment_of(item),
                email_key(item.get("email")),
                item["source"],
                item.get("destination") or "",
                item.get("note") or "",
            )
        )


def sort_mark(item: dict, found: Items) -> None:
    keys = frozenset(filter(None, map(key_of, item["keys"])))
    found.marks.append(Mark(keys, moment_of(item)))


def sort_link(item: dict, found: Items) -> None:
    pair = frozenset((email_key(c[0]), ref_key(c[1])) for c in (item["a"], item["b"]))
    if len(pair) == 2:
        found.links.append(Link(pair, moment_of(item), item["kind"] == "undo"))


def sort_sharing(item: dict, found: Items) -> None:
    email = email_key(item["email"])
    if email:
        found.sharings.append(Sharing(email, moment_of(item), item["shared"]))


SORTERS = {
    "message": sort_message,
    "edit": sort_edit,
    "entry": sort_entry,
    "mark": sort_mark,
    "merge": sort_link,
    "undo": sort_link,
    "shared": sort_sharing,
}
