"""Stops that an organisation already has, from a file: each row becomes an entry of the ledger (rule 4).

A stop for a key that nobody has waits under the key's hash for that person. A row with two keys speaks of both: nobody
who left is mailed because the file's two columns are known here as two people.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sync.models.bulk import among, listed, select
from sync.proca import times
from sync.proca.wire import without_nul
from sync.rules import facts
from sync.rules.facts import Facts, PlaceFacts
from sync.rules.identity import Pair
from sync.store import whom
from sync.store.arrivals import Arrival
from sync.store.errors import told_apart
from sync.store.whom import NotPossible
from sync.store.write import write
from sync.terms import ADDRESS_STOPS, STOPS, ConsentKind, Instant, Source, Verdict

#: What a row may say, and what it must, beside one of the two keys.
COLUMNS = ("email", "contact_ref", "kind", "occurred_at", "org", "note")
NEEDED = ("kind", "occurred_at")
_LARGEST_ORG = 2**63 - 1


class NotAStop(ValueError):
    """A row that cannot be imported: which column, and why. Repeats no value."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(f"{column}: {reason}")


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop as an entry, with the keys that it is given by."""

    facts: Facts
    keys: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Imported:
    """How many stops were new, how many were there already, and how many of both wait for somebody."""

    new: int = 0
    repeated: int = 0
    waiting: int = 0

    def __add__(self, other: Imported) -> Imported:
        return Imported(self.new + other.new, self.repeated + other.repeated, self.waiting + other.waiting)


def stop_of(row: Mapping[str, str], *, orgs: Collection[int], latest: Instant) -> Stop:
    """Return what a row says; raises `NotAStop`. Organisations are known, and times not behind `latest`."""
    for column, text in row.items():
        _refuse_garbled(column, text)
    keys = _keys(row)
    kind = row.get("kind", "").strip().lower()
    if kind not in STOPS:
        raise NotAStop("kind", "not a stop: one of " + ", ".join(one for one in ConsentKind if one in STOPS))
    email = keys[0][0]
    if kind in ADDRESS_STOPS and not email:
        raise NotAStop("email", f"missing, and a {kind} speaks of an address")
    org, at = _org(row.get("org", ""), orgs), _time(row.get("occurred_at", ""), latest)
    note = str(without_nul(row.get("note", "").strip()))
    said = [
        facts.entry(key, org=org, kind=kind, at=at, email=email, source=Source.IMPORT, note=note).added for key in keys
    ]
    places = () if org is None else (PlaceFacts("org", org, {}),)
    return Stop(Facts(added=tuple(one for added in said for one in added), places=places), keys)


def write_stops(stops: Sequence[Stop], *, dry_run: bool = False) -> Imported:
    """Store these in one transaction; raises `errors.Away` and `errors.Refused`."""
    verdicts = write([Arrival(facts=stop.facts) for stop in stops], dry_run=dry_run)
    repeated = sum(verdict is Verdict.DUPLICATE for verdict in verdicts)
    return Imported(len(verdicts) - repeated, repeated, _waiting(stops))


def _waiting(stops: Sequence[Stop]) -> int:
    """How many of them speak of nobody who is known."""
    emails = {email for stop in stops for email, _ in stop.keys if email}
    refs = {ref for stop in stops for _, ref in stop.keys if ref}
    somebody = "supporter_id IS NOT NULL"
    with told_apart():
        found = select(f"SELECT email FROM sync_contact WHERE {somebody} AND {among('email')}", [listed(emails)])
        known = {(email, "") for (email,) in found}
        found = select(
            f"SELECT ref FROM sync_contact WHERE {somebody} AND ref <> '' AND {among('ref')}", [listed(refs)]
        )
        known |= {("", ref) for (ref,) in found}
    return sum(known.isdisjoint(stop.keys) for stop in stops)


def _refuse_garbled(column: str, text: str) -> None:
    if not column and text.strip():
        raise NotAStop("columns", "more than the first line names")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise NotAStop(column, "not UTF-8") from None


def _keys(row: Mapping[str, str]) -> tuple[Pair, ...]:
    """The keys that a row gives, an email first."""
    given = {"email": row.get("email", "").strip(), "contact_ref": row.get("contact_ref", "").strip()}
    keys = []
    for column, text in given.items():
        if not text:
            continue
        try:
            keys.append(whom.key_of(**{column: text}))
        except NotPossible:
            raise NotAStop(column, "nobody can be told by this") from None
    if not keys:
        raise NotAStop("email", "missing, and there is no contact_ref either")
    return tuple(keys)


def _org(text: str, orgs: Collection[int]) -> int | None:
    """The organisation, none where a row names none: then the stop applies to all."""
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < len(str(_LARGEST_ORG)) and int(text) in orgs):
        raise NotAStop("org", "not the number of an organisation that is known here")
    return int(text)


def _time(text: str, latest: Instant) -> Instant:
    try:
        at = times.parse(text.strip())
    except times.BadTime:
        raise NotAStop("occurred_at", "not an ISO 8601 time") from None
    if at > latest:
        raise NotAStop("occurred_at", "in the future")
    return at
