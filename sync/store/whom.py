"""Whom a request of people or a CRM speaks of: looked up under the lock, so that it is true when it is written."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from sync.models.bulk import among, listed, select
from sync.proca.contact import MAX_KEY_BYTES
from sync.rules.actions import larger_pair
from sync.rules.contacts import load_said
from sync.rules.identity import Pair, email_key, ref_key
from sync.store.hashes import Hashes

_decode = msgspec.json.Decoder().decode


class NotPossible(Exception):
    """What was asked for cannot be done. `code` says why, `field` what to change; no value is in it.

    Codes: `nobody` (no such supporter or subscription), `erased`, `taken` (somebody else has that email: merge by hand
    instead), `invalid`, `unknown` (no such field), `required`, `ahead` (a time in the future), `not_a_stop` (for a key
    that nobody has), `changed` (it shows something else than its editor saw), `same` (one person, not two),
    `not_merged`.
    """

    def __init__(self, code: str, field: str = "") -> None:
        super().__init__(f"{code}:{field}" if field else code)
        self.code, self.field = code, field


@dataclass(frozen=True, slots=True)
class Whom:
    """A supporter's contacts, as far as requests need them. `given` are those that messages gave, in order."""

    id: int
    email: str | None
    pairs: tuple[Pair, ...]
    given: tuple[Pair, ...]
    shared: frozenset[str]

    @property
    def refs(self) -> list[str]:
        """All contactRefs, sorted."""
        return sorted({ref for _, ref in self.pairs if ref})

    def key(self) -> Pair:
        """Return the key that an edit or entry for this supporter's id belongs to (rule 2)."""
        if self.email and self.email not in self.shared:
            return (self.email, "")
        if self.refs:
            return ("", self.refs[0])
        return (self.email or self.pairs[0][0], "")

    def all_keys(self) -> tuple[Pair, ...]:
        """Return every key, each as a pair of its own; a shared email is not his who has a contactRef."""
        emails = {email for email, _ in self.pairs if email}
        if self.refs:
            emails -= self.shared
        return (*((email, "") for email in sorted(emails)), *(("", ref) for ref in self.refs))


def supporter(supporter_id: int) -> Whom:
    """Return a supporter by id, also by a former one; raises NotPossible: nobody, erased."""
    former = select("SELECT into_id FROM sync_formersupporter WHERE id = %s", [supporter_id])
    if former and former[0][0] is None:
        raise NotPossible("erased")
    return _read(former[0][0] if former else supporter_id)


def holders(pair: Pair) -> list[int]:
    """Return the ids of all supporters who have a key; a pair with one key."""
    email, ref = pair
    if email:
        rows = select("SELECT DISTINCT supporter_id FROM sync_contact WHERE email = %s", [email])
    else:
        rows = select("SELECT DISTINCT supporter_id FROM sync_contact WHERE ref <> '' AND ref = %s", [ref])
    return sorted(row[0] for row in rows if row[0] is not None)


def key_of(*, email: str | None = None, contact_ref: str | None = None) -> Pair:
    """Return the pair with one key that a request names; raises NotPossible: invalid."""
    pair = ("", ref_key(contact_ref)) if contact_ref is not None else (email_key(email), "")
    if not _is_storable("".join(pair)):
        raise NotPossible("invalid", "email" if contact_ref is None else "contact_ref")
    return pair


def _is_storable(key: str) -> bool:
    try:
        return 0 < len(key.encode()) <= MAX_KEY_BYTES and "\0" not in key
    except UnicodeEncodeError:
        return False


def is_shared(email: str) -> bool:
    """Tell whether an email is shared now."""
    return bool(_shared({email}))


def _read(supporter_id: int) -> Whom:
    found = select("SELECT email FROM sync_supporter WHERE id = %s", [supporter_id])
    if not found:
        raise NotPossible("nobody")
    pairs, given = [], []
    sql = "SELECT email, ref, CAST(said AS text) FROM sync_contact WHERE supporter_id = %s"
    for email, ref, said in select(sql, [supporter_id]):
        pairs.append((email, ref))
        if load_said(_decode(said)).is_alive():
            given.append((email, ref))
    emails = {email for email, _ in pairs if email}
    return Whom(
        supporter_id,
        found[0][0],
        tuple(sorted(pairs, key=larger_pair)),
        tuple(sorted(given, key=larger_pair)),
        frozenset(_shared(emails)),
    )


def _shared(emails: set[str]) -> set[str]:
    """Return those of these emails that are shared now."""
    if not emails or not select("SELECT EXISTS (SELECT 1 FROM sync_sharedemail)")[0][0]:
        return set()
    hashes = Hashes()
    hashes.look_up([(email, "") for email in emails])
    by_hash = {hashes.of("e", email): email for email in emails}
    sql = f"SELECT email_hash, CAST(history AS text) FROM sync_sharedemail WHERE {among('email_hash')}"
    histories = {row[0]: _decode(row[1]) for row in select(sql, [listed(by_hash)])}
    return {by_hash[one] for one, history in histories.items() if history and history[-1][1]}
