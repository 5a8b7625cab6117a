"""Seals and keyed hashes: what must not be kept in clear, to be opened again or only to be recognised."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

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


class Unsealable(Exception):
    """No secret of ours opens it: FIELD_ENCRYPTION_KEY is not the one it was sealed with."""


class Sealer:
    """Seals texts with the newest of several secrets, opens what any of them sealed."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._boxes = [
            SecretBox(hashlib.blake2b(secret.encode(), digest_size=SecretBox.KEY_SIZE, person=b"field").digest())
            for secret in secrets
        ]

    def seal(self, text: str) -> str:
        """Return a text that only we can read; each time another one."""
        return base64.b64encode(self._boxes[0].encrypt(text.encode())).decode()

    def is_newest(self, sealed: str) -> bool:
        """Tell whether the newest secret sealed it."""
        try:
            self._boxes[0].decrypt(base64.b64decode(sealed, validate=True))
        except (CryptoError, ValueError):
            return False
        return True

    def open(self, sealed: str) -> str:
        """Return what was sealed; raises `Unsealable`."""
        try:
            raw = base64.b64decode(sealed, validate=True)
        except binascii.Error:
            raise Unsealable from None
        for box in self._boxes:
            try:
                return box.decrypt(raw).decode()
            except (CryptoError, ValueError):
                continue
        raise Unsealable
