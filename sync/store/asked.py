"""What people, CRMs and the API ask for, as facts that go in by the one door.

Each request is looked at under the lock, so that it speaks of what holds at that moment: the key that an edit belongs
to, who has an email, which contacts two people are linked by. Whatever cannot be done raises `whom.NotPossible`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sync.models.bulk import moment, select
from sync.proca.wire import without_nul
from sync.rules import facts
from sync.rules.contacts import EntryKey
from sync.rules.facts import Facts, LinkFacts, MarkFacts, SharedFacts
from sync.rules.identity import Pair
from sync.rules.newest import is_empty
from sync.store import whom
from sync.store.arrivals import Asked
from sync.store.merges import joined, linked_by_hand
from sync.store.whom import NotPossible
from sync.store.write import write
from sync.terms import ADDRESS_STOPS, DETAILS, STOPS, ConsentKind, Instant, Source, Verdict

#: How far a clock may be ahead of ours.
_AHEAD: Instant = 5 * 60 * 1_000_000
_KIND_OF_STATUS = {
    "unsubscribed": ConsentKind.UNSUB,
    "bounced": ConsentKind.BOUNCE,
    "subscribed": ConsentKind.OPT_IN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Who says something and why, the same for every kind of request. `origin` is not told of it again."""

    source: Source
    destination: str = ""
    note: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a consent entry: its row where it shows, and whether it is new."""

    consent: int | None
    is_new: bool


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure has reached: supporters by id, and how many keys; `shared`: by a shared email alone."""

    supporters: tuple[int, ...]
    keys: int
    shared: bool


def edit(
    supporter: int,
    changes: Mapping[str, Any],
    *,
    postcode_seen: str | None = None,
    seen: Mapping[str, str | None] | None = None,
    at: Instant | None = None,
) -> bool:
    """Edit details of a supporter; None and blank text clear. Returns whether anything changed.

    `postcode_seen` is the one that the editor looked at (the one shown now, where nobody says); `seen` what else has to
    be shown still. Raises NotPossible: nobody, erased, unknown (a field that is no detail), invalid, required (an email
    cannot be cleared), taken, changed (a field of `seen`).
    """
    asked = {name: _detail(name, value) for name, value in changes.items()}

    def ask(now: Instant) -> Facts:
        person = whom.supporter(supporter)
        if moved := _moved(person.id, seen or {}):
            raise NotPossible("changed", moved)
        if (email := asked.get("email")) and any(one != person.id for one in whom.holders((email, ""))):
            raise NotPossible("taken", "email")
        postcode = _postcode(person.id) if postcode_seen is None else postcode_seen
        return facts.edit(person.key(), asked, now if at is None else at, postcode)

    return _write(ask) is not Verdict.DUPLICATE


def set_status(subscription: int, status: str, *, said: Said, at: Instant | None = None) -> Added:
    """Report the status of a subscription: `unsubscribed`, `bounced` or `subscribed`, which needs a reason.

    Raises NotPossible: nobody, erased, invalid (another status), required (`note`, or an address that bounced), ahead.
    """
    kind = _KIND_OF_STATUS.get(status)
    if kind is None:
        raise NotPossible("invalid", "status")
    if kind is ConsentKind.OPT_IN and not said.note:
        raise NotPossible("required", "reason")
    done: list[tuple[int | None, EntryKey]] = []

    def ask(now: Instant) -> Facts:
        row = select("SELECT supporter_id, org_id, email FROM sync_subscription WHERE id = %s", [subscription])
        if not row:
            raise NotPossible("nobody", "subscription")
        person, org = whom.supporter(row[0][0]), row[0][1]
        email = "" if kind is ConsentKind.UNSUB else row[0][2] or ""
        if kind is ConsentKind.BOUNCE and not email:
            raise NotPossible("required", "email")
        key = EntryKey(org, kind, _not_ahead(at, now), email)
        done.append((person.id, key))
        return _entry(person.key(), key, said)

    is_new = _write(ask) is not Verdict.DUPLICATE
    return Added(_consent(*done[0]), is_new)


def add_consent(
    *,
    org: int | None,
    kind: str,
    said: Said,
    at: Instant | None = None,
    supporter: int | None = None,
    email: str | None = None,
    contact_ref: str | None = None,
) -> Added:
    """Add an entry to the ledger, for a supporter's id or for a key. A repeat adds nothing.

    An email is the address that the entry names, and its key where neither id nor contactRef is given. A stop for a key
    that nobody has waits for that person. `org` None speaks of all organisations; `at` None is now. Raises NotPossible:
    nobody, erased, invalid, required (the email of an address stop), ahead, not_a_stop.
    """
    if kind not in list(ConsentKind):
        raise NotPossible("invalid", "kind")
    named = "" if email is None else whom.key_of(email=email)[0]
    if kind in ADDRESS_STOPS and not named:
        raise NotPossible("required", "email")
    given = None if supporter is not None else whom.key_of(email=email, contact_ref=contact_ref)
    done: list[tuple[int | None, EntryKey]] = []

    def ask(now: Instant) -> Facts:
        pair, who = _spoken_of(supporter, given)
        if who is None and kind not in STOPS:
            raise NotPossible("not_a_stop", "kind")
        key = EntryKey(org or 0, kind, _not_ahead(at, now), named)
        done.append((who, key))
        return _entry(pair, key, said)

    is_new = _write(ask) is not Verdict.DUPLICATE
    return Added(_consent(*done[0]), is_new)


def merge(first: int, second: int, *, at: Instant | None = None) -> None:
    """Merge two supporters by hand: the smallest contacts of both are linked. Raises NotPossible: same, nobody."""

    def ask(now: Instant) -> Facts:
        return joined(whom.supporter(first), whom.supporter(second), now if at is None else at)

    _write(ask)


def undo_merge(former: int, *, at: Instant | None = None) -> None:
    """Undo a merge by hand: the former id is somebody again. Raises NotPossible: not_merged (messages link them)."""

    def ask(now: Instant) -> Facts:
        links = linked_by_hand(former)
        if not links:
            raise NotPossible("not_merged")
        when = now if at is None else at
        return Facts(links=tuple(LinkFacts("hand", a, b, when, "undo") for a, b in links))

    _write(ask)


def share(email: str, *, shared: bool, at: Instant | None = None) -> None:
    """Say that an email is shared by several people, or not any more. Raises NotPossible: invalid."""
    key = whom.key_of(email=email)[0]

    def ask(now: Instant) -> Facts:
        return Facts(shared=(SharedFacts(key, now if at is None else at, shared),))

    _write(ask)


def erase(
    *, supporter: int | None = None, email: str | None = None, contact_ref: str | None = None, at: Instant | None = None
) -> Erased:
    """Erase whoever has an id or a key (rule 7). A key that nobody has gets the mark too.

    A shared email alone reaches only what has no contactRef. Raises NotPossible: nobody, erased, invalid.
    """
    done: list[Erased] = []

    def ask(now: Instant) -> Facts:
        erased, keys = _reached(supporter, email, contact_ref)
        done.append(erased)
        return Facts(marks=(MarkFacts(now if at is None else at, keys),))

    _write(ask)
    return done[0]


def would_erase(*, supporter: int | None = None, email: str | None = None, contact_ref: str | None = None) -> Erased:
    """Tell whom `erase` would reach, changing nothing."""
    return _reached(supporter, email, contact_ref)[0]


def _reached(supporter: int | None, email: str | None, contact_ref: str | None) -> tuple[Erased, tuple[Pair, ...]]:
    if supporter is not None:
        person = whom.supporter(supporter)
        return Erased((person.id,), len(person.all_keys()), shared=False), person.all_keys()
    pair = whom.key_of(email=email, contact_ref=contact_ref)
    people = [whom.supporter(one) for one in whom.holders(pair)]
    if pair[0] and whom.is_shared(pair[0]):
        alone = tuple(one.id for one in people if not one.refs)
        return Erased(alone, 1, shared=True), (pair,)
    keys = tuple(sorted({pair, *(key for one in people for key in one.all_keys())}))
    return Erased(tuple(one.id for one in people), len(keys), shared=False), keys


def _write(ask: Callable[[Instant], Facts]) -> Verdict:
    return write([Asked(ask=ask)])[0]


def _detail(name: str, value: Any) -> str | None:
    if name not in (*DETAILS, "email"):
        raise NotPossible("unknown", name)
    text = "" if value is None else _text(value, name)
    if name != "email":
        return None if is_empty(text) else text
    if is_empty(text):
        raise NotPossible("required", name)
    return whom.key_of(email=value)[0]


def _text(value: Any, field: str) -> str:
    """Return a text that both databases take, without U+0000."""
    if not isinstance(value, str):
        raise NotPossible("invalid", field)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NotPossible("invalid", field) from None
    return str(without_nul(value))


def _spoken_of(supporter: int | None, given: Pair | None) -> tuple[Pair, int | None]:
    """Return the key that an entry belongs to, and a supporter of whom it speaks, if there is one."""
    if supporter is not None:
        person = whom.supporter(supporter)
        return person.key(), person.id
    pair = given or ("", "")
    return pair, next(iter(whom.holders(pair)), None)


def _entry(pair: Pair, key: EntryKey, said: Said) -> Facts:
    return facts.entry(
        pair,
        org=key.org,
        kind=key.kind,
        at=key.at,
        email=key.email,
        source=str(said.source),
        destination=said.destination,
        note=_text(said.note, "reason"),
        origin=said.origin,
    )


def _not_ahead(at: Instant | None, now: Instant) -> Instant:
    if at is None:
        return now
    if at > now + _AHEAD:
        raise NotPossible("ahead", "occurred_at")
    return at


def _postcode(supporter: int) -> str:
    return select("SELECT postcode FROM sync_supporter WHERE id = %s", [supporter])[0][0] or ""


def _moved(supporter: int, seen: Mapping[str, str | None]) -> str:
    """Return a field that no longer shows what its editor saw, or an empty text."""
    names = [name for name in seen if name in (*DETAILS, "email")]
    if not names:
        return ""
    (shown,) = select(f"SELECT {', '.join(names)} FROM sync_supporter WHERE id = %s", [supporter])
    return next((name for name, value in zip(names, shown, strict=True) if (value or "") != (seen[name] or "")), "")


def _consent(supporter: int | None, key: EntryKey) -> int | None:
    """Return the row in which an entry shows, null where a mark has removed it or nobody has its key."""
    found = select(
        "SELECT id FROM sync_consent WHERE supporter_id = %s AND COALESCE(org_id, 0) = %s AND kind = %s"
        " AND occurred_at = %s AND COALESCE(email, '') = %s",
        [supporter, key.org, str(key.kind), moment(key.at), key.email],
    )
    return found[0][0] if found else None
