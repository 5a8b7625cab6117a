"""Entries become a status: complaint, will and address are folded apart, and the strictest shows (rule 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from sync.rules.contacts import Atom
from sync.terms import ADDRESS_STOPS, ConsentKind, Instant, Policy, Source, Status

_KIND_ORDER: Final[dict[str, int]] = {kind: number for number, kind in enumerate(ConsentKind)}
_SOURCE_ORDER: Final[dict[str, int]] = {source: number for number, source in enumerate(Source)}
#: Plain texts: every entry is asked for them, and an enumeration's member takes ten times as long.
_OPT_IN, _DOUBLE_OPT_IN, _UNSUB, _SPAM = (
    one.value for one in (ConsentKind.OPT_IN, ConsentKind.DOUBLE_OPT_IN, ConsentKind.UNSUB, ConsentKind.SPAM)
)


class ShownKey(NamedTuple):
    """What makes two entries of one supporter the same; no org is 0, no email an empty text."""

    org: int
    kind: str
    at: Instant
    email: str


class Entry(Struct):
    """An entry of a supporter's ledger. `foreign`: it names an address that is not the supporter's, and shows none."""

    key: ShownKey
    atoms: frozenset[Atom]
    foreign: bool = False
    counts: bool | None = None

    @property
    def order(self) -> tuple[Instant, int, str, bool]:
        org, kind, at, email = self.key
        return (at, _KIND_ORDER[kind], email, org != 0)

    @property
    def source(self) -> str:
        return min((atom.source for atom in self.atoms), key=_SOURCE_ORDER.__getitem__)

    @property
    def action_id(self) -> int | None:
        return min((atom.action_id for atom in self.atoms if atom.action_id), default=None)

    @property
    def destination(self) -> str | None:
        return min((atom.destination for atom in self.atoms if atom.destination), default=None)

    @property
    def note(self) -> str | None:
        return min((atom.note for atom in self.atoms if atom.note), default=None)


#: An action as far as consent looks at it: when it was created, who owns its page, and who read it.
class ActionView(Struct, frozen=True):
    created_at: Instant
    org: int | None
    readers: frozenset[int]


def counts(entry: Entry, owner: Callable[[int], tuple[bool, int | None]], own_actions: Sequence[ActionView]) -> bool:
    """Tell whether a `double_opt_in` is consent of its own, also after a stop, or only confirms.

    `owner` tells of an action id whether the action is known, and who owns its page; `own_actions` are the person's
    delivered actions that are not testing. One click in a partner's mail reaches every organisation of a split
    campaign, also those that were told no: that is why.
    """
    return any(_atom_counts(atom, entry.key, owner, own_actions) for atom in entry.atoms)


def _atom_counts(
    atom: Atom,
    key: ShownKey,
    owner: Callable[[int], tuple[bool, int | None]],
    own_actions: Sequence[ActionView],
) -> bool:
    if atom.source != Source.PROCA:
        return key.org != 0
    if atom.action_id:
        known, org = owner(atom.action_id)
        return org == key.org if known else atom.opt_in is True
    if atom.opt_in is True:
        return True
    seen = [view for view in own_actions if key.org in view.readers and view.created_at <= key.at]
    return bool(seen) and all(view.org == key.org for view in seen)


class Subscribed(Struct):
    """The outcome of a fold: the status that holds, since when and by whom, and the one address that may be mailed."""

    status: str = Status.NONE
    email: str | None = None
    status_changed_at: Instant | None = None
    source: str | None = None


class _Fold(Struct):
    """The three things, folded apart, as seen from one address."""

    policy: str
    email: str | None = None
    complaint: bool = False
    will: str = Status.NONE
    #: The stop of the mailed address itself, and the one that hits every address; each with its place in the order.
    stopped: tuple[int, str] | None = None
    stopped_everywhere: tuple[int, str] | None = None
    place: int = 0
    gave_consent: list[tuple[Instant, str]] = []

    def take(self, entry: Entry) -> None:
        """Fold one entry; entries come in order."""
        self.place += 1
        kind = entry.key.kind
        if kind == _OPT_IN:
            self._opt_in(entry)
        elif kind == _SPAM:
            self.complaint = True
        elif kind == _UNSUB:
            self.will = Status.UNSUBSCRIBED
        elif kind in ADDRESS_STOPS:
            self._stop(entry)
        elif kind == _DOUBLE_OPT_IN:
            self._double_opt_in(entry)

    def _stop(self, entry: Entry) -> None:
        what = Status.BOUNCED if entry.key.kind == ConsentKind.BOUNCE else Status.BLOCKED
        if entry.foreign:
            return
        if not entry.key.email:
            self.stopped_everywhere = (self.place, what)
        elif entry.key.email == self.email:
            self.stopped = (self.place, what)

    def _opt_in(self, entry: Entry) -> None:
        if entry.key.org == 0:
            return
        if self.policy == Policy.OPT_IN:
            self.will = Status.SUBSCRIBED
            self._clear(entry)
            self._consent(entry)
        elif self.will != Status.SUBSCRIBED:
            self.will = Status.PENDING

    def _double_opt_in(self, entry: Entry) -> None:
        if entry.counts:
            self.complaint = False
            self.will = Status.SUBSCRIBED
            self._clear(entry)
            self._consent(entry)
        elif self.will == Status.PENDING:
            self.will = Status.SUBSCRIBED
            self._consent(entry)

    def _clear(self, entry: Entry) -> None:
        if entry.foreign:
            return
        if not entry.key.email:
            self.stopped_everywhere = None
        elif entry.key.email == self.email:
            self.stopped = self.stopped_everywhere = None

    def _consent(self, entry: Entry) -> None:
        if entry.key.email:
            self.gave_consent.append((entry.key.at, entry.key.email))

    @property
    def newest_email(self) -> str | None:
        """The email of the newest entry that names one and gave consent."""
        return max(self.gave_consent)[1] if self.gave_consent else None

    @property
    def status(self) -> str:
        if self.complaint:
            return Status.COMPLAINED
        if self.will == Status.UNSUBSCRIBED:
            return Status.UNSUBSCRIBED
        if self.stopped is None and self.stopped_everywhere is None:
            return self.will
        return max(stop for stop in (self.stopped, self.stopped_everywhere) if stop)[1]


def subscribed(
    entries: Iterable[Entry], policy: str, given_email: str | None, complaints: Iterable[tuple[int, Instant]]
) -> Subscribed:
    """Fold the entries that speak of one supporter and organisation.

    `given_email` is the supporter's email where an edit or a delivered action gave it; it is mailed while no entry says
    otherwise. `complaints` are those that an erasure remembers, of an organisation or of none (0), and when: they count
    like entries, and are none.
    """
    ordered = [(entry, False) for entry in entries]
    for org, spam_at in complaints:
        ordered.append((Entry(ShownKey(org, _SPAM, spam_at, ""), frozenset()), True))
    if len(ordered) > 1:
        ordered.sort(key=lambda line: (line[0].order, line[1]))
    fold, outcome = _follow(ordered, policy, None)
    # Who gave consent, and so which address is mailed, does not depend on an address; a stop can.
    outcome.email = fold.newest_email or given_email
    if outcome.email is not None and any(entry.key.kind in ADDRESS_STOPS for entry, _ in ordered):
        _, outcome = _follow(ordered, policy, outcome.email)
    return outcome


def _follow(ordered: Sequence[tuple[Entry, bool]], policy: str, email: str | None) -> tuple[_Fold, Subscribed]:
    """Return the fold over entries in order, as seen from an address, and what became of the status on the way."""
    fold = _Fold(policy, email)
    outcome = Subscribed(email=email)
    for entry, remembered in ordered:
        fold.take(entry)
        status = fold.status
        if status != outcome.status:
            outcome.status, outcome.status_changed_at = status, entry.key.at
            outcome.source = None if remembered else entry.source
    if outcome.status == Status.NONE:
        outcome.status_changed_at = outcome.source = None
    return fold, outcome
