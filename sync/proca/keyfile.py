"""A key store file as people keep it: pairs with their names and expiry, in the forms that Proca's tools write.

{"<public>": {"private": "<private>"}, …}                  the key store of its tools, and ours
{"public": …, "private": …, "name": …, "expiredAt": …}     one key as its API answers; also a list of them,
                                                           and inside `data`, `keys` or an operation's name
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from sync.proca.encryption import BadKeyStore, KeyStore

_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """One pair; `fits` is false where its private half is there and does not belong to the public one."""

    public: str
    private: str | None
    name: str | None = None
    expired_at: str | None = None
    expired: bool = False
    fits: bool = False

    def __repr__(self) -> str:
        return "<KeyEntry>"


def read_entries(text: str) -> list[KeyEntry]:
    """Return the keys of a file, whether or not they can be used; raises `BadKeyStore`."""
    try:
        content = msgspec.json.decode(text.removeprefix("\ufeff").encode())
    except (ValueError, RecursionError):
        raise BadKeyStore("the key store is not JSON") from None
    entries = list(_entries(content, _DEEPEST))
    if not entries and content not in ({}, []):
        raise BadKeyStore("there are no keys in it")
    return [replace(entry, fits=_fits(entry)) for entry in entries]


def to_text(entries: Iterable[KeyEntry]) -> str:
    """Return a key store as Proca's tools and ours read it, private keys included."""
    content = {entry.public: _shown(entry) for entry in entries}
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"


def joined(known: Iterable[KeyEntry], more: Iterable[KeyEntry]) -> list[KeyEntry]:
    """Return the keys of both, none twice. What is known of one is completed, and nothing of it is lost."""
    found = {entry.public: entry for entry in known}
    for entry in more:
        old = found.get(entry.public)
        found[entry.public] = entry if old is None else _completed(old, entry)
    return list(found.values())


def _completed(old: KeyEntry, new: KeyEntry) -> KeyEntry:
    pair = old if old.fits else new
    return KeyEntry(
        public=old.public,
        private=pair.private,
        name=new.name or old.name,
        expired_at=new.expired_at or old.expired_at,
        expired=new.expired or old.expired,
        fits=pair.fits,
    )


def _shown(entry: KeyEntry) -> dict[str, Any]:
    more = {"name": entry.name, "expiredAt": entry.expired_at, "expired": entry.expired or None}
    return {"private": entry.private} | {name: value for name, value in more.items() if value is not None}


def _entries(content: Any, depth: int) -> Iterator[KeyEntry]:
    if depth == 0:
        return
    if isinstance(content, list):
        for one in content:
            yield from _entries(one, depth - 1)
    elif isinstance(content, dict):
        if isinstance(content.get("public"), str):
            yield _entry(content["public"], content)
            return
        for name, value in content.items():
            if isinstance(value, dict) and "private" in value and "public" not in value:
                yield _entry(name, value)
            else:
                yield from _entries(value, depth - 1)


def _entry(public: str, said: dict[str, Any]) -> KeyEntry:
    def text(name: str) -> str | None:
        value = said.get(name)
        return value if isinstance(value, str) and value.strip() else None

    expired_at = text("expiredAt") or text("expired_at")
    return KeyEntry(public, text("private"), text("name"), expired_at, said.get("expired") is True)


def _fits(entry: KeyEntry) -> bool:
    """Whether both halves are keys, and of one pair: asked of the reader of messages itself."""
    if entry.private is None:
        return False
    try:
        store = KeyStore.from_text(to_text([entry]))
    except BadKeyStore:
        return False
    return len(store) == 1
