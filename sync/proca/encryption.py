"""Opening encrypted personal data: NaCl boxes with keys from Proca's key store.

    payload, nonce ── box(our private key of encryptKey.public, signKey.public) ──> JSON: the contact's fields

All of it is base64url without padding; keys are 32 bytes. A private half appears in no error and no repr.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterable
from typing import Any

import msgspec
from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey

from sync.proca.shapes import Code
from sync.proca.wire import Refused

_KEY_LENGTH = 32
_NONCE_LENGTH = 24
#: Whoever sends forged sign keys must not fill the memory; real senders are a handful.
_MAX_BOXES = 1_000


class BadKeyStore(ValueError):
    """A key store that cannot be used. Says which key by its position, nothing of its halves."""


class KeyStore:
    """Our key pairs. Each pair of (our key, their key) keeps its box: one costs as much as seven messages."""

    __slots__ = ("_boxes", "_pairs")

    def __init__(self, private_keys: Iterable[PrivateKey] = ()) -> None:
        self._pairs = {encode(bytes(key.public_key)): key for key in private_keys}
        self._boxes: dict[tuple[str, bytes], Box] = {}

    @classmethod
    def empty(cls) -> KeyStore:
        """Return a store without keys: encrypted messages wait for one."""
        return cls()

    @classmethod
    def generate(cls) -> KeyStore:
        """Return a store with one new pair."""
        return cls([PrivateKey.generate()])

    @classmethod
    def from_text(cls, text: str) -> KeyStore:
        """Read Proca's key store, `{"<public>": {"private": "<private>"}, …}`; raises `BadKeyStore`."""
        try:
            entries = msgspec.json.decode(text.removeprefix("\ufeff").encode())
        except (ValueError, RecursionError):
            raise BadKeyStore("the key store is not JSON") from None
        if type(entries) is not dict:
            raise BadKeyStore("the key store is not a JSON object of public keys")
        return cls(_private_key(public, entry, number) for number, (public, entry) in enumerate(entries.items(), 1))

    @property
    def public_keys(self) -> tuple[str, ...]:
        """The public halves, in the order of the store."""
        return tuple(self._pairs)

    def to_text(self) -> str:
        """Return the store as Proca's tools read it, private keys included."""
        entries = {public: {"private": encode(bytes(private))} for public, private in self._pairs.items()}
        return msgspec.json.format(msgspec.json.encode(entries), indent=2).decode() + "\n"

    def joined(self, other: KeyStore) -> KeyStore:
        """Return a store with the keys of both: old messages still need the old keys."""
        return KeyStore([*self._pairs.values(), *other._pairs.values()])

    def box(self, ours: str, theirs: bytes) -> Box:
        """Return the box between our key, by its public half, and a sender; KeyError where it is not ours."""
        found = self._boxes.get((ours, theirs))
        if found is None:
            found = Box(self._pairs[ours], PublicKey(theirs))
            if len(self._boxes) >= _MAX_BOXES:
                self._boxes.clear()
            self._boxes[ours, theirs] = found
        return found

    def __len__(self) -> int:
        return len(self._pairs)

    def __repr__(self) -> str:
        return f"<KeyStore of {len(self._pairs)} keys>"


def open_personal_info(info: Any, keys: KeyStore, where: str) -> bytes:
    """Return the clear text of a `personalInfo` object; raises `Refused`, naming `where`."""
    if type(info) is not dict:
        raise Refused(Code.BAD_PERSONAL_INFO, where)
    payload = _part(info.get("payload"), where + ".payload")
    nonce = _part(info.get("nonce"), where + ".nonce", _NONCE_LENGTH)
    ours = encode(_part(_public(info.get("encryptKey")), where + ".encryptKey", _KEY_LENGTH))
    theirs = _part(_public(info.get("signKey")), where + ".signKey", _KEY_LENGTH)
    try:
        return keys.box(ours, theirs).decrypt(payload, nonce)
    except KeyError:
        raise Refused(Code.NO_KEY, where + ".encryptKey", public_key=ours) from None
    except CryptoError:
        # Also for a sender's key that is no point of the curve.
        raise Refused(Code.NOT_DECRYPTED, where) from None


def encode(raw: bytes) -> str:
    """Return bytes as base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(text: Any) -> bytes:
    """Return the bytes of base64url with or without padding; ValueError for anything else."""
    if type(text) is not str:
        raise ValueError("not base64url")
    bare = text.strip().rstrip("=")
    try:
        return b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64url") from None


def _part(value: Any, where: str, length: int | None = None) -> bytes:
    """Return the bytes of one part of an encrypted message; raises `Refused`."""
    try:
        raw = decode(value)
    except ValueError:
        raise Refused(Code.BAD_PERSONAL_INFO, where) from None
    if not raw or (length is not None and len(raw) != length):
        raise Refused(Code.BAD_PERSONAL_INFO, where)
    return raw


def _public(key: Any) -> Any:
    """Return the public half of `{"id": 1, "public": …}`; version 1 sends it bare."""
    return key.get("public") if type(key) is dict else key


def _private_key(public: str, entry: Any, number: int) -> PrivateKey:
    """Return the private key of one entry of a key store, having seen that it fits its public half.

    Errors give its position only: where somebody swapped the halves, the one in front is the private one.
    """
    which = f"key {number} of the key store"
    try:
        raw_public = decode(public)
        private = PrivateKey(decode(entry.get("private") if type(entry) is dict else None))
    except (ValueError, CryptoError):
        raise BadKeyStore(f"{which}: both halves must be 32 bytes of base64url") from None
    if bytes(private.public_key) != raw_public:
        raise BadKeyStore(f"{which}: the private half does not belong to the public half")
    return private
