"""Rule 4, entries: who says what of whom, and the ledger of each supporter."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from .erasure import Erasure
from .identity import Identity, Supporter
from .items import HandEntry, Items
from .reading import Message
from .words import ADDRESS_STOPS, SOURCE_ORDER, STOPS, iso


@dataclass(frozen=True, kw_only=True)
class Report:
    """One message or one person that gives an entry."""

    keys: frozenset
    org: int | None
    kind: str
    at: datetime
    email: str | None
    source: str = "proca"
    destination: str = ""
    note: str = ""
    action_id: int | None = None
    opt_in: bool | None = None
    origin: Message | HandEntry


@dataclass
class Entry:
    """One line of a supporter's ledger: all reports of it together.

    `foreign`: it names an address that is not the supporter's, so none is shown.
    """

    org: int | None
    kind: str
    at: datetime
    email: str | None
    foreign: bool
    reports: list[Report] = field(default_factory=list)
    counts: bool | None = None

    @property
    def shown_email(self) -> str | None:
        return None if self.foreign else self.email

    @property
    def speaks_of_person(self) -> bool:
        return self.email is None and not self.foreign

    @property
    def source(self) -> str:
        return min((report.source for report in self.reports), key=SOURCE_ORDER.index)

    def row(self) -> dict:
        named = [r.action_id for r in self.reports if r.action_id is not None]
        return {
            "org": self.org,
            "kind": self.kind,
            "email": self.shown_email,
            "occurred_at": iso(self.at),
            "source": self.source,
            "destination": min(filter(None, (r.destination for r in self.reports)), default=""),
            "action_id": min(named, default=None),
            "counts": self.counts,
            "note": min(filter(None, (r.note for r in self.reports)), default=""),
        }


@dataclass(frozen=True)
class Remembered:
    """There was a spam at or before T: it counts at T and is no entry."""

    keys: frozenset
    org: int | None
    at: datetime
    kind: str = "spam"
    source: None = None
    email: None = None
    shown_email: None = None
    counts: None = None
    speaks_of_person: bool = True
    foreign: bool = False


def reports_of(message: Message) -> list[Report]:
    """The entries that a message gives, marks aside."""
    if message.kind == "fields" or not message.keys:
        return []
    given = [opt_report(message), status_report(message)]
    return [report for report in given if report]


def report_by(message: Message, kind: str, at: datetime | None) -> Report:
    if at is None:
        raise ValueError("an entry without a time: the message should have been unreadable")
    return Report(
        keys=message.keys,
        org=message.reader,
        kind=kind,
        at=at,
        email=message.email,
        action_id=message.action_id,
        opt_in=message.opt_in,
        origin=message,
    )


def opt_report(message: Message) -> Report | None:
    """Delivered, itself not testing, given with this action, and answered."""
    asked = message.kind == "action" and message.with_consent and message.opt_in is not None
    if not asked or not message.delivered or message.testing:
        return None
    kind = "opt_in" if message.opt_in else "opt_out"
    return report_by(message, kind, message.given_at or message.created_at)


def status_report(message: Message) -> Report | None:
    """The email status; a message that is testing or not yet delivered gives stops only."""
    if message.status is None:
        return None
    before_deliver = message.kind == "action" and not message.delivered
    if message.status not in STOPS and (message.testing or before_deliver):
        return None
    return report_by(message, message.status, message.status_changed_at or status_fallback(message))


def status_fallback(message: Message) -> datetime | None:
    if message.kind == "event":
        return message.timestamp
    if message.status in STOPS:
        return max(filter(None, (message.given_at, message.created_at)), default=None)
    return message.given_at or message.created_at


def report_by_hand(entry: HandEntry) -> Report:
    return Report(
        keys=frozenset({entry.key}),
        org=entry.org,
        kind=entry.kind,
        at=entry.at,
        email=entry.email,
        source=entry.source,
        destination=entry.destination,
        note=entry.note,
        origin=entry,
    )


class Ledger:
    """What the marks leave of all entries, and whose each is."""

    def __init__(self, items: Items, erasure: Erasure, identity: Identity):
        self.erasure, self.identity = erasure, identity
        given = [r for m in items.messages for r in reports_of(m)]
        given += [report_by_hand(entry) for entry in items.entries]
        self.remembered: list[Remembered] = []
        kept = [report for report in given if not self.is_removed(report)]
        self.reports = without_contradicted(kept)
        self.by_supporter: dict[Supporter, dict] = defaultdict(dict)
        for report in self.reports:
            for supporter in self.owners(report):
                self.enter(supporter, report)

    def is_removed(self, report: Report) -> bool:
        """A mark removes it; of a spam each such mark keeps the memory."""
        reaches = self.erasure.removing_entry(report.keys, report.kind, report.at)
        if report.kind == "spam":
            self.remembered += [Remembered(r.keys, report.org, r.at) for r in reaches]
        return bool(reaches)

    def owners(self, report: Report) -> set[Supporter]:
        owners = set(self.named(report))
        if report.kind in ADDRESS_STOPS and report.email in self.identity.shared:
            owners |= set(self.identity.having(("email", report.email)))
        return owners

    def named(self, report: Report) -> list[Supporter]:
        """Whom the report's keys name."""
        message = report.origin
        if isinstance(message, HandEntry):
            return self.identity.having(message.key)
        if self.erasure.leaves_contact(message):
            return self.naming(message.contact, report.kind)
        return self.waiting(message.contact, report.kind)

    def naming(self, contact, kind: str) -> list[Supporter]:
        """Of a message whose keys count: its own supporter, or for a stop all of a shared email."""
        email, ref = contact
        if ref is None and email in self.identity.shared and kind in STOPS:
            return self.identity.having(("email", email))
        owner = self.identity.owner(contact)
        return [owner] if owner else []

    def waiting(self, contact, kind: str) -> list[Supporter]:
        """Of a message that gives no key: who has its contactRef, else its email."""
        email, ref = contact
        by_ref = self.identity.having(("ref", ref)) if ref else []
        if by_ref or not email:
            return by_ref
        if email in self.identity.shared:
            return self.naming((email, None), kind)
        return self.identity.having(("email", email))

    def enter(self, supporter: Supporter, report: Report) -> None:
        """One for each (supporter, org, kind, occurred_at, email), whatever repeats it."""
        foreign = report.email is not None and report.email not in supporter.emails
        if isinstance(report.origin, HandEntry):
            foreign = foreign and self.erasure.marked({("email", report.email)})
        identity = (report.org, report.kind, report.at, None if foreign else report.email)
        entry = self.by_supporter[supporter].setdefault(identity, Entry(*identity, foreign))
        entry.foreign = entry.foreign and foreign
        entry.reports.append(report)

    def entries(self, supporter: Supporter) -> list[Entry]:
        return list(self.by_supporter[supporter].values())

    def memories(self, supporter: Supporter) -> list[Remembered]:
        """The spams that a mark on this supporter's keys remembers."""
        keys = {(reach.at, key) for reach in self.erasure.reaches for key in reach.carried(supporter.keys)}
        return [m for m in self.remembered if any((m.at, key) in keys for key in m.keys)]


def without_contradicted(reports: list[Report]) -> list[Report]:
    """Where messages of one (action, reader) say both, only `opt_out`."""
    refused = {(r.action_id, r.org) for r in reports if r.kind == "opt_out" and is_proca(r)}
    return [r for r in reports if not (r.kind == "opt_in" and is_proca(r) and (r.action_id, r.org) in refused)]


def is_proca(report: Report) -> bool:
    return isinstance(report.origin, Message)
