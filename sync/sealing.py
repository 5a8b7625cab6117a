"""Keyed hashes: what is kept of a key whose clear form must not be kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

_SIZE = 16


class KeyedHash:
    """Hashes of keys under the newest of several secrets, and under all of them for looking up.

    A hash is 128 bits of BLAKE2b with a secret, which nobody can try addresses against without it.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = [hashlib.blake2b(secret.encode(), digest_size=32).digest() for secret in secrets]

    def of(self, kind: str, key: str) -> str:
        """Return the hash of a key under the newest secret; it begins with its kind."""
        return self._hash(self._secrets[0], kind, key)

    def all_of(self, kind: str, key: str) -> list[str]:
        """Return the hashes of a key under every secret, the newest first."""
        return [self._hash(secret, kind, key) for secret in self._secrets]

    def fingerprints(self) -> list[str]:
        """Return what tells the secrets apart without telling them, the newest first."""
        return [hashlib.blake2b(secret, digest_size=8, person=b"fingerprint").hexdigest() for secret in self._secrets]

    @staticmethod
    def _hash(secret: bytes, kind: str, key: str) -> str:
        return kind + hashlib.blake2b(key.encode(), key=secret, digest_size=_SIZE, person=kind.encode()).hexdigest()
