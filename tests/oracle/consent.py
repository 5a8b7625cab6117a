"""Rule 4, folds: what the entries of a supporter and an organisation amount to."""

from dataclasses import dataclass, field

from .details import counted
from .ledger import Entry, Report
from .words import KIND_ORDER, STOPS, iso, larger_key


def mark_counting(entries: list[Entry], actions: dict, own_actions: dict) -> None:
    """Say of every `double_opt_in` whether it counts; of several reports one that does suffices."""
    for entry in entries:
        if entry.kind == "double_opt_in":
            entry.counts = any(report_counts(r, actions, own_actions) for r in entry.reports)


def report_counts(report: Report, actions: dict, own_actions: dict) -> bool:
    """Whether this report is consent for the reader, or the click in a partner's mail."""
    if report.source != "proca":
        return report.org is not None
    if report.action_id in actions:
        return bool(actions[report.action_id]["org"] == report.org)
    if report.opt_in is True:
        return True
    return report.action_id is None and came_by_own_pages(report, own_actions)


def came_by_own_pages(report: Report, own_actions: dict) -> bool:
    """All that the person did until then, as far as the reader knows, was on its own pages."""
    earlier = [
        row for row in counted(own_actions).values() if report.org in row["readers"] and row["created_at"] <= report.at
    ]
    return bool(earlier) and all(row["org"] == report.org for row in earlier)


def fold_order(entry) -> tuple:
    """`occurred_at`, kind, email with null first, those of no organisation first.

    Where all of this is equal, an entry stands before what only a mark remembers.
    """
    return (
        entry.at,
        KIND_ORDER.index(entry.kind),
        entry.shown_email is not None,
        entry.shown_email or "",
        entry.org is not None,
        not isinstance(entry, Entry),
        entry.foreign,
        entry.email or "",
    )


def speaking_for(org: int, entries: list) -> list:
    """Entries of the organisation, and stops and confirmations that name none, in order."""
    return sorted(
        (
            entry
            for entry in entries
            if entry.org == org or (entry.org is None and (entry.kind in STOPS or entry.kind == "double_opt_in"))
        ),
        key=fold_order,
    )


def gives_consent(entry, policy: str) -> bool:
    """Of its own: an opt-in where the policy asks for no more, or a click that counts."""
    if entry.kind == "opt_in":
        return policy == "opt_in"
    return entry.kind == "double_opt_in" and bool(entry.counts)


@dataclass
class Fold:
    """Complaint, will and address, folded apart, for one mailed address."""

    policy: str
    email: str | None
    complaint: bool = False
    will: str = "none"
    of_email: tuple | None = None
    of_all: tuple | None = None
    step: int = 0
    confirmed: list = field(default_factory=list)

    def take(self, entry) -> None:
        self.step += 1
        self.take_complaint(entry)
        self.take_will(entry)
        self.take_address(entry)

    def take_complaint(self, entry) -> None:
        if entry.kind == "spam":
            self.complaint = True
        elif entry.kind == "double_opt_in" and entry.counts:
            self.complaint = False

    def take_will(self, entry) -> None:
        if entry.kind == "unsub":
            self.will = "unsubscribed"
        elif gives_consent(entry, self.policy):
            self.will = "subscribed"
        elif entry.kind == "opt_in" and self.will != "subscribed":
            self.will = "pending"
        elif entry.kind == "double_opt_in" and self.will == "pending":
            self.will = "subscribed"
            self.confirmed.append(entry)

    def take_address(self, entry) -> None:
        """A stop without an email hits every address; a clearing without one lifts only that."""
        mailed = self.email is not None and not entry.foreign and entry.email == self.email
        if entry.kind in ("bounce", "blocked", "inactive"):
            stop = (self.step, "bounced" if entry.kind == "bounce" else "blocked")
            if entry.speaks_of_person:
                self.of_all = stop
            elif mailed:
                self.of_email = stop
        elif gives_consent(entry, self.policy):
            if mailed:
                self.of_email = None
            if mailed or entry.speaks_of_person:
                self.of_all = None

    @property
    def status(self) -> str:
        """The strictest shows."""
        if self.complaint:
            return "complained"
        if self.will == "unsubscribed":
            return "unsubscribed"
        stops = [stop for stop in (self.of_email, self.of_all) if stop]
        return max(stops)[1] if stops else self.will


def mailed_email(entries: list, policy: str, fallback: str | None) -> str | None:
    """The email of the newest entry that names one and gave consent, else the fallback."""
    will = Fold(policy, None)
    for entry in entries:
        will.take(entry)
    giving = [
        entry
        for entry in entries
        if entry.shown_email is not None
        and (gives_consent(entry, policy) or any(entry is one for one in will.confirmed))
    ]
    newest = max(giving, key=lambda e: (e.at, larger_key(e.shown_email)), default=None)
    return newest.shown_email if newest else fallback


def subscription(org: int, entries: list, policy: str, fallback: str | None) -> dict:
    """The subscription's row. `entries`: all of the supporter, remembered spams among them."""
    entries = speaking_for(org, entries)
    fold = Fold(policy, mailed_email(entries, policy, fallback))
    changed = None
    for entry in entries:
        before = fold.status
        fold.take(entry)
        if fold.status != before:
            changed = entry
    if fold.status == "none":
        changed = None
    return {
        "org": org,
        "status": fold.status,
        "email": fold.email,
        "status_changed_at": iso(changed.at) if changed else None,
        "source": changed.source if changed else None,
    }
