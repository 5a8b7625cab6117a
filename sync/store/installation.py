"""What this database remembers of the installation it belongs to: written once each, when it first matters."""

from __future__ import annotations

from collections.abc import Iterable

from sync.models.bulk import execute, select
from sync.rules.facts import Facts
from sync.sealing import KeyedHash
from sync.terms import Instant, to_datetime

#: Keyed hashes were written with the HASH_KEY of this fingerprint.
_HASH_KEY = "hash_key:"
#: How often the receiver of this name failed.
_FAILED = "receiver_failed:"
#: Proca sends `email_status` events to this installation.
_EMAIL_STATUS = "email_status_event"

_REMEMBER = "INSERT INTO sync_installation (name, value) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING"
_COUNT = (
    "INSERT INTO sync_installation (name, value) VALUES (%s, '1') ON CONFLICT (name)"
    " DO UPDATE SET value = CAST(CAST(sync_installation.value AS bigint) + 1 AS text)"
)


def remember_hash_key(hashes: KeyedHash, at: Instant) -> None:
    """Remember which secret hashes are written with from now on."""
    _remember(_HASH_KEY + hashes.fingerprints()[0], at)


def hash_keys_used() -> set[str]:
    """Return the fingerprints of all secrets that hashes were ever written with."""
    rows = select("SELECT name FROM sync_installation WHERE name LIKE %s", [f"{_HASH_KEY}%"])
    return {name.removeprefix(_HASH_KEY) for (name,) in rows}


def remember_events(facts: Iterable[Facts], at: Instant) -> None:
    """Remember that Proca tells what becomes of emails: that is a switch there, and easily forgotten."""
    if any(_is_email_status(one) for one in facts):
        _remember(_EMAIL_STATUS, at)


def events_came() -> bool:
    """Tell whether an `email_status` event was ever stored."""
    return bool(select("SELECT 1 FROM sync_installation WHERE name = %s", [_EMAIL_STATUS]))


def count_failures(receivers: Iterable[str]) -> None:
    """Count that these receivers of signals failed; they are others', and the log says how."""
    for name in receivers:
        execute(_COUNT, [_FAILED + name])


def failures() -> dict[str, int]:
    """Return how often each receiver of signals has failed."""
    rows = select("SELECT name, value FROM sync_installation WHERE name LIKE %s", [f"{_FAILED}%"])
    return {name.removeprefix(_FAILED): int(number) for name, number in rows}


def _is_email_status(facts: Facts) -> bool:
    if not facts.is_event:
        return False
    return facts.said is not None or any(notice.kind == "email_status" for notice in facts.notices)


def _remember(name: str, at: Instant) -> None:
    execute(_REMEMBER, [name, to_datetime(at).isoformat()])
