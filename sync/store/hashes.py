"""Keyed hashes of the keys of a batch, each as the database already knows it."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings

from sync.models.bulk import among, listed, select
from sync.rules.identity import Pair, keys_in
from sync.sealing import KeyedHash
from sync.store.installation import remember_hash_key
from sync.terms import Instant

_STORED = (
    "SELECT key_hash FROM sync_mark WHERE {key_hash}"
    " UNION SELECT email_hash FROM sync_waitingentries WHERE {email_hash}"
    " UNION SELECT ref_hash FROM sync_waitingentries WHERE ref_hash <> '' AND {ref_hash}"
    " UNION SELECT email_hash FROM sync_sharedemail WHERE {email_hash}"
)


class Hashes:
    """Hashes under the newest secret, but under an older one where that is how a key is stored."""

    def __init__(self) -> None:
        self._hash = KeyedHash(settings.HASH_KEYS)
        self._memo: dict[tuple[str, str], str] = {}

    def of(self, kind: str, key: str) -> str:
        """Return the hash of a key."""
        known = self._memo.get((kind, key))
        if known is None:
            known = self._memo[kind, key] = self._hash.of(kind, key)
        return known

    def remember(self, at: Instant) -> None:
        """Keep in mind that hashes are written under the newest secret."""
        remember_hash_key(self._hash, at)

    def look_up(self, pairs: Iterable[Pair]) -> set[str]:
        """Return the hashes of all keys of these pairs, after finding out under which secret each is stored."""
        keys = set(keys_in(pairs))
        if len(settings.HASH_KEYS) > 1:
            self._find_older({key for key in keys if key not in self._memo})
        return {self.of(kind, key) for kind, key in keys}

    def _find_older(self, keys: set[tuple[str, str]]) -> None:
        variants = {variant: key for key in keys for variant in self._hash.all_of(*key)[1:]}
        conditions = {name: among(name) for name in ("key_hash", "email_hash", "ref_hash")}
        wanted = listed(variants)
        for (stored,) in select(_STORED.format(**conditions), [wanted] * 4):
            self._memo[variants[stored]] = stored
